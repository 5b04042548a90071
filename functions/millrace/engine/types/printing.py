"""Values as text, exactly: what a type is proven by and what the text formats write.

A field's *form* says what its type leaves open of the text, and travels in the field's metadata (so through Parquet,
too): ``bare`` for doubles whose whole numbers are written without ``.0``, ``T3Z`` for timestamps with separator T,
three digits of a second and a Z, ``json`` for text that is a JSON value.
"""

from __future__ import annotations

import base64
import datetime
import uuid
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.types import arrow_types
from millrace.errors import MalformedFile, UnsupportedType

FORM = b"millrace.form"
JSON = "json"
BARE = "bare"
FRACTION_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_FIRST_EXPONENT = 1e16
"""From here on a double is printed with an exponent, so that it needs no ``.0`` to be seen as one."""
# Arrow prints 12345678901.0 as 1.2345678901e+10; JSON's readers take both, but a type that was proven by its texts
# would not be printed back.
_FIRST_EXPONENT_OF_ARROW = 1e10
_SECONDS_A_DAY = 86400
_PER_DAY = {"day": 1, **{unit: _SECONDS_A_DAY * 10**digits for unit, digits in FRACTION_DIGITS.items()}}
_FIRST_DAY, _LAST_DAY = -719162, 2932896
"""The first day of year 1 and the last of year 9999, in days since 1970."""
_DAYS_OF_400_YEARS = 146097
_PLAIN_SCALE = 6
"""Arrow prints decimals of larger scales with exponents where they are small."""


def form_of(field: pa.Field) -> str:
    """The form that a field's metadata names, or the empty text."""
    form: bytes = (field.metadata or {}).get(FORM, b"")
    return form.decode()


def with_form(field: pa.Field, form: str) -> pa.Field:
    """The field with its form in its metadata; the same field if there is no form."""
    if not form:
        return field
    return field.with_metadata({**(field.metadata or {}), FORM: form.encode()})


def is_raw_json(field: pa.Field) -> bool:
    """Whether a field's texts are JSON values themselves."""
    return form_of(field) == JSON or getattr(field.type, "extension_name", "") == "arrow.json"


def joined(texts: pa.Array) -> memoryview:
    """The bytes of all texts one after the other."""
    if not len(texts):
        return memoryview(b"")
    # A slice keeps its parent's buffers: offset and length say which of the bytes are its own.
    _validity, offsets, data = texts.buffers()
    ends = memoryview(offsets).cast("i")
    return memoryview(data or b"")[ends[texts.offset] : ends[texts.offset + len(texts)]]


def plain(array: pa.Array, form: str = "") -> pa.Array:
    """Print an array of scalars as text, missing as missing; raise UnsupportedType for types without a text."""
    return _printer(array.type)(array, form)


@lru_cache
def _printer(kind: pa.DataType) -> Callable[[pa.Array, str], pa.Array]:
    for holds, printer in _PRINTERS:
        if holds(kind):
            return printer
    raise UnsupportedType(f"values of the type {kind} have no text form; write them to parquet, or leave them out")


def ending_apart(array: pa.Array, form: str = "") -> tuple[pa.Array, str]:
    """Print an array of scalars like ``plain``, with the ending that all of its texts have apart from them."""
    if arrow_types.is_timestamp(array.type):
        return _zone_apart(array, form)
    return plain(array, form), ""


def _strings(array: pa.Array, _form: str) -> pa.Array:
    try:
        array.validate(full=True)
    except pa.ArrowInvalid as error:
        raise MalformedFile(f"a text value is not valid UTF-8: {error}") from error
    if array.type == pa.string():
        return array
    return array.cast(pa.string())


def _cast(array: pa.Array, _form: str) -> pa.Array:
    return pc.cast(array, pa.string())


def _doubles(array: pa.Array, form: str) -> pa.Array:
    # A float32 is printed as the double that it equals: whoever reads it with either precision gets the same number.
    values = array.cast(pa.float64())
    texts = pc.cast(values, pa.string())
    # One sum proves of most columns that Arrow prints each of their values as we do: if all sizes together are below
    # 1e10, each one is, and a NaN makes the sum NaN, which is less than nothing.
    usual = (pc.sum(pc.abs(values)).as_py() or 0) < _FIRST_EXPONENT_OF_ARROW
    if not usual:
        texts = _name_specials(values, _without_early_exponents(values, texts))
    if form == BARE:
        return texts
    whole = pc.equal(pc.floor(values), values)
    if not usual:
        whole = pc.and_(whole, pc.less(pc.abs(values), _FIRST_EXPONENT))
    if not pc.any(whole).as_py():
        return texts
    return pc.if_else(whole, pc.binary_join_element_wise(texts, ".0", ""), texts)


def _without_early_exponents(values: pa.Array, texts: pa.Array) -> pa.Array:
    size = pc.abs(values)
    early = pc.and_(pc.greater_equal(size, _FIRST_EXPONENT_OF_ARROW), pc.less(size, _FIRST_EXPONENT))
    if not pc.any(early).as_py():
        return texts
    printed = [repr(value).removesuffix(".0") for value in values.filter(early).to_pylist()]
    return pc.replace_with_mask(texts, pc.fill_null(early, fill_value=False), pa.array(printed, pa.string()))


def _name_specials(values: pa.Array, texts: pa.Array) -> pa.Array:
    if pc.all(pc.is_finite(values)).as_py() in {True, None}:
        return texts
    infinite = pc.if_else(pc.greater(values, 0), "Infinity", "-Infinity")
    return pc.if_else(pc.is_nan(values), "NaN", pc.if_else(pc.is_inf(values), infinite, texts))


def _decimals(array: pa.Array, _form: str) -> pa.Array:
    scale = array.type.scale
    if 0 <= scale <= _PLAIN_SCALE:
        return pc.cast(array, pa.string())
    if scale < 0:
        return pa.array(map(_plain_decimal, array.to_pylist()), pa.string())
    # Of 0.0000012 with the scale 7 the digits are 12: padded to 00000012, they are cut into 0 and 0000012.
    # The same bytes read as a decimal without a scale: 128 bits of the unscaled number, and no arithmetic.
    digits = pc.cast(_without_scale(array), pa.string())
    sign = pc.if_else(pc.starts_with(digits, "-"), "-", "")
    padded = pc.ascii_lpad(pc.utf8_ltrim(digits, "-"), scale + 1, "0")
    whole = pc.utf8_slice_codeunits(padded, 0, -scale)
    fraction = pc.utf8_slice_codeunits(padded, -scale)
    return pc.binary_join_element_wise(sign, whole, pc.binary_join_element_wise(".", fraction, ""), "")


def _plain_decimal(value: Decimal | None) -> str | None:
    if value is None:
        return None
    return f"{Decimal(value):f}"


def _without_scale(array: pa.Array) -> pa.Array:
    kind = pa.decimal128(38, 0)
    if arrow_types.is_decimal256(array.type):
        kind = pa.decimal256(76, 0)
    if array.type.bit_width < 128:
        array = array.cast(pa.decimal128(38, array.type.scale))
    return pa.Array.from_buffers(kind, len(array), array.buffers(), offset=array.offset)


def _calendar(array: pa.Array) -> pa.Array:
    """Dates, or timestamps without a zone, as ISO 8601; years beyond 1 to 9999 with a sign and at least six digits."""
    counts = array
    if arrow_types.is_date(array.type):  # Arrow casts dates to integers of their own width alone
        counts = array.cast(pa.int32())
    counts = counts.cast(pa.int64())
    per_day = _PER_DAY[str(getattr(array.type, "unit", "day"))]
    first, last = _FIRST_DAY * per_day, (_LAST_DAY + 1) * per_day - 1
    if first < -(2**63):  # nanoseconds reach from 1677 to 2262 only
        return pc.cast(array, pa.string())
    far = pc.or_(pc.less(counts, first), pc.greater(counts, last))
    if not pc.any(far).as_py():
        return pc.cast(array, pa.string())
    # Arrow's years have 16 bits: beyond them it prints others, or none.
    printed = [_far_day(count, per_day) for count in counts.filter(far).to_pylist()]
    near = pc.cast(pc.if_else(far, pa.scalar(None, array.type), array), pa.string())
    return pc.replace_with_mask(near, pc.fill_null(far, fill_value=False), pa.array(printed, pa.string()))


def _far_day(count: int, per_day: int) -> str:
    # The calendar repeats every 400 years: the year 12024 is 25 cycles after 2024, so that day is printed with 10,000
    # years more. Python's dates end at 9999.
    days, part = divmod(count, per_day)
    cycles, day = divmod(days - _FIRST_DAY, _DAYS_OF_400_YEARS)
    date = datetime.date.fromordinal(day + 1)
    text = f"{date.year + 400 * cycles:+07d}-{date:%m-%d}"
    if per_day == 1:
        return text
    per_second = per_day // _SECONDS_A_DAY
    seconds, fraction = divmod(part, per_second)
    digits = ""
    if per_second > 1:
        digits = f".{fraction:0{len(str(per_second)) - 1}d}"
    return f"{text} {seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{digits}"


def _dates(array: pa.Array, _form: str) -> pa.Array:
    return _calendar(array)


def _timestamps(array: pa.Array, form: str) -> pa.Array:
    printed, zone = _zone_apart(array, form)
    if not zone:
        return printed
    return pc.binary_join_element_wise(printed, zone, "")


def _zone_apart(array: pa.Array, form: str) -> tuple[pa.Array, str]:
    # Instants of a zone are printed in UTC: no zone database is needed, and the instant survives.
    naive = array
    if array.type.tz:
        naive = array.cast(pa.int64()).cast(pa.timestamp(array.type.unit))
    separator, digits, zone = read_timestamp_form(array.type, form)
    cut = naive.cast(_with_digits(naive.type, digits), safe=False)
    fits = pc.equal(cut.cast(naive.type, safe=False), naive)
    if pc.all(fits).as_py() is not False:
        return _moments(cut, separator), zone
    # The form came from elsewhere, and some values would lose digits: those are printed with all that they have.
    # Those that do not fit are printed with all their digits: a value is never cut for its form.
    cut = pc.if_else(fits, cut, pa.scalar(None, cut.type))
    return pc.if_else(fits, _moments(cut, separator), _moments(naive, separator)), zone


def _moments(array: pa.Array, separator: str) -> pa.Array:
    shown = FRACTION_DIGITS[array.type.unit]
    return _with_separator(_calendar(array), separator, len("2026-01-01 00:00:00") + shown + bool(shown))


def _with_separator(printed: pa.Array, separator: str, width: int) -> pa.Array:
    if separator == " " or printed.null_count == len(printed):
        return printed
    lengths = pc.min_max(pc.binary_length(printed)).as_py()
    if printed.null_count or printed.offset or (lengths["min"], lengths["max"]) != (width, width):
        return pc.replace_substring(printed, " ", separator, max_replacements=1)
    data = bytearray(joined(printed))  # years of four digits: the separators are at regular distances
    data[10::width] = separator.encode() * len(printed)
    return pa.Array.from_buffers(pa.string(), len(printed), [None, printed.buffers()[1], pa.py_buffer(data)])


def read_timestamp_form(kind: pa.TimestampType, form: str) -> tuple[str, int, str]:
    """The separator, the digits of a second and the zone of a timestamp's form; of another's form, the type's own."""
    # "T3Z" is a T between day and time, three digits of a second, and a zone; " 0" a space and whole seconds.
    zone = "Z" if kind.tz else ""
    digits = FRACTION_DIGITS[kind.unit]
    if len(form) < 2 or form[0] not in "T " or not form[1].isdigit() or form[2:] != zone:
        return "T", digits, zone
    return form[0], int(form[1]), zone


def _with_digits(kind: pa.DataType, digits: int) -> pa.DataType:
    units = {count: name for name, count in FRACTION_DIGITS.items()}
    return pa.timestamp(units.get(digits, kind.unit))


def _times(array: pa.Array, form: str) -> pa.Array:
    """Times of a day. A day may end at 24:00:00, as in DuckDB and PostgreSQL; raise UnsupportedType for any other."""
    texts = _cast(array, form)
    digits = FRACTION_DIGITS[array.type.unit]
    day = 86_400 * 10**digits
    counts = array.cast(pa.int32() if array.type.bit_width == 32 else pa.int64()).cast(pa.int64())
    ends = pc.greater_equal(counts, day)
    if not pc.any(pc.or_(ends, pc.less(counts, 0))).as_py():
        return texts
    beyond = counts.filter(pc.or_(pc.greater(counts, day), pc.less(counts, 0)))
    if len(beyond):
        raise UnsupportedType(f"{beyond[0]} {array.type.unit} behind midnight is no time of a day")
    return pc.if_else(ends, "24:00:00" + ("." + "0" * digits if digits else ""), texts)


def _durations(array: pa.Array, _form: str) -> pa.Array:
    """Durations in seconds, as ISO 8601 writes them."""
    counts = array.cast(pa.int64()).cast(pa.decimal128(38, 0))
    kind = pa.decimal128(38, FRACTION_DIGITS[array.type.unit])
    seconds = plain(pa.Array.from_buffers(kind, len(counts), counts.buffers(), offset=counts.offset))
    return pc.binary_join_element_wise("PT", seconds, "S", "")


def _binary(array: pa.Array, _form: str) -> pa.Array:
    return pa.array(map(_base64_of, array.to_pylist()), pa.string())


def _base64_of(value: bytes | None) -> str | None:
    if value is None:
        return None
    return base64.b64encode(value).decode()


def _nothing(array: pa.Array, _form: str) -> pa.Array:
    return pa.nulls(len(array), pa.string())


def _extension(array: pa.Array, form: str) -> pa.Array:
    if array.type.extension_name == "arrow.uuid":
        return pa.array(map(_uuid_of, array.storage.to_pylist()), pa.string())
    if array.type.extension_name == "arrow.bool8":
        return plain(pc.not_equal(array.storage, 0))
    return plain(array.storage, form)


def _uuid_of(value: bytes | None) -> str | None:
    if value is None:
        return None
    return str(uuid.UUID(bytes=value))


def _days(array: pa.Array, form: str) -> pa.Array:
    return plain(array.cast(pa.date32()), form)


def _dictionary(array: pa.Array, form: str) -> pa.Array:
    return plain(array.dictionary_decode(), form)


def _run_ends(array: pa.Array, form: str) -> pa.Array:
    return plain(pc.run_end_decode(array), form)


_PRINTERS: tuple[tuple[Callable[[Any], bool], Callable[[pa.Array, str], pa.Array]], ...] = (
    (arrow_types.is_extension, _extension),
    (arrow_types.is_any_text, _strings),
    (arrow_types.is_integer, _cast),
    (arrow_types.is_boolean, _cast),
    (arrow_types.is_floating, _doubles),
    (arrow_types.is_decimal, _decimals),
    (arrow_types.is_timestamp, _timestamps),
    (arrow_types.is_date32, _dates),
    (arrow_types.is_date64, _days),
    (arrow_types.is_time, _times),
    (arrow_types.is_duration, _durations),
    (arrow_types.is_any_binary, _binary),
    (arrow_types.is_null, _nothing),
    (arrow_types.is_dictionary, _dictionary),
    (arrow_types.is_run_end_encoded, _run_ends),
)
