"""Columns brought to the types that the configuration gives them (``type_hints``): every value exactly, or refused.

A number fits if the type holds the same number: ``1`` and ``1.50`` are 1.00 and 1.50 as ``decimal(18,2)``, ``1.505`` is
refused. A text fits if it is what the type's values look like: ``007`` and `` 5`` are no numbers. What does not fit is
an error with its row, or is put aside, the whole row as JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.formats.base import BadRow
from millrace.engine.formats.text import rendering
from millrace.engine.options import BadRows, FileFormat, ReadOptions, words_of
from millrace.engine.tables.rows import PutAside, Table, TableRows
from millrace.engine.transform.values import TextColumn, replace_chosen
from millrace.engine.type_hints import MOST_DIGITS, TypeHint
from millrace.engine.types import arrow_types
from millrace.engine.types.printing import plain
from millrace.errors import ValueDoesNotFit

# JSON's numbers (RFC 8259, 6), with at most three digits of exponent, since 1e999999999 would be written out in a
# gigabyte of zeros.
_NUMBER = "-?(?:0|[1-9][0-9]*)(?:[.][0-9]+)?(?:[eE][+-]?[0-9]{1,3})?"
# Integers and decimals have one zero: -0 would lose its sign without a word.
_NEGATIVE_ZERO = "-0(?:[.]0+)?(?:[eE].*)?"
# The years 0001 to 9999, as in columns without a hint: Arrow takes 0000, too, which is printed as +000000.
_YEAR = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
_DAY = f"{_YEAR}-[0-9]{{2}}-[0-9]{{2}}"
_TIME = "[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.][0-9]+)?)?"
_ZONE = "(?:Z|[+-][0-9]{2}:?[0-9]{2})"
_PATTERNS = MappingProxyType(
    {
        "integer": _NUMBER,
        "decimal": _NUMBER,
        "float": _NUMBER,
        "boolean": "true|false",
        "date": _DAY,
        "timestamp": f"{_DAY}(?:[T ]{_TIME})?",
        "timestamptz": f"{_DAY}[T ]{_TIME}{_ZONE}",
    }
)
"""What the texts look like that may fit; Arrow, which reads them, would take more than is meant."""
_SURE_CHARACTERS = 15
"""Numbers of so few characters are kept by a double, but for tiny ones."""
# Below 1e-307 a double has fewer digits and at last none: 1e-400 is 0 for Arrow.
_TINY = "[eE]-[0-9]{3}"
# 1678 to 2261, the years that are whole: 64 bits of nanoseconds reach from September 1677 to April 2262.
_NS_YEARS = "(?:16(?:7[89]|[89][0-9])|1[7-9][0-9]{2}|2[01][0-9]{2}|22[0-5][0-9]|226[01])-.*"
"""The years that fit into nanoseconds: Arrow does not notice the others."""


def read_hinted_as_text(read: ReadOptions, file_format: FileFormat) -> ReadOptions:
    """Options with which a file of text gives hinted columns as they are written: their types are known."""
    if not read.type_hints or not words_of(file_format).is_text:
        return read
    column_types = dict(read.column_types)
    for name in read.type_hints:
        column_types[name] = "text"
    return replace(read, column_types=MappingProxyType(column_types))


def apply_hints(table: Table, read: ReadOptions, hidden: Collection[str] = ()) -> Table:
    """The table with the types of the hints; the same table without any. Values of ``hidden`` columns are not shown."""
    if not read.type_hints:
        return table
    hints = {name: TypeHint.parse(text) for name, text in read.type_hints.items()}
    return _HintedTable(table, hints, frozenset(hidden), puts_aside=read.bad_rows is BadRows.QUARANTINE)


def given_fields(read: ReadOptions) -> Mapping[str, pa.Field]:
    """The fields whose types are given, by name."""
    return {name: pa.field(name, _to_arrow(TypeHint.parse(text))) for name, text in read.type_hints.items()}


def _to_arrow(hint: TypeHint) -> pa.DataType:
    match hint.name:
        case "decimal":
            return pa.decimal128(hint.digits, hint.scale)
        case "timestamp":
            return pa.timestamp(hint.unit)
        case "timestamptz":
            return pa.timestamp(hint.unit, tz="UTC")
        case _:
            return _PLAIN_TYPES[hint.name]


_PLAIN_TYPES = MappingProxyType(
    {
        "text": pa.string(),
        "integer": pa.int64(),
        "float": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
    }
)


@dataclass(frozen=True, slots=True)
class _HintedTable:
    """A table, some of whose columns have a type that was given."""

    inner: Table
    hints: Mapping[str, TypeHint]
    hidden: frozenset[str]
    puts_aside: bool

    def open(self, report: PutAside, /) -> tuple[pa.Schema, Generator[TableRows, None, None]]:
        """Read the files from their beginnings."""
        schema, pieces = self.inner.open(report)
        fields = list[pa.Field]()
        for field in schema:
            hint = self.hints.get(field.name)
            fields.append(field if hint is None else pa.field(field.name, _to_arrow(hint)))
        into = pa.schema(fields, schema.metadata)
        return into, self._rows(pieces, schema, into, report)

    def _rows(
        self, pieces: Generator[TableRows, None, None], schema: pa.Schema, into: pa.Schema, report: PutAside
    ) -> Generator[TableRows, None, None]:
        with closing(pieces):
            for rows in pieces:
                yield self._convert(rows, schema, into, report)

    def _convert(self, rows: TableRows, schema: pa.Schema, into: pa.Schema, report: PutAside) -> TableRows:
        columns, misfits = list[pa.Array](), dict[int, str]()
        for position, field in enumerate(schema):
            column, hint = rows.batch.column(position), self.hints.get(field.name)
            if hint is not None:
                column, odd = to_type(column, field, hint)
                if odd:
                    # Of a row with two misfits the first column's is reported: where both sides have a row, the right
                    # one of | wins.
                    misfits = self._describe(rows, odd, position, field, hint) | misfits
            columns.append(column)
        # A batch that is made of no columns has no rows either: the count would be lost.
        if not len(into):
            return rows
        converted = replace(rows, batch=pa.RecordBatch.from_arrays(columns, schema=into))
        if not misfits:
            return converted
        places = sorted(misfits)
        for index, raw in zip(places, self._as_json(rows.batch.take(pa.array(places)), schema), strict=True):
            row = rows.row_numbers[index]
            report(BadRow.of(raw.encode(), line=None, row=row, byte=None, reason=misfits[index]), rows.file)
        return _without(converted, misfits)

    def _describe(
        self, rows: TableRows, odd: Sequence[int], position: int, field: pa.Field, hint: TypeHint
    ) -> dict[int, str]:
        """What is wrong with the values at some positions; the first is raised if rows are not put aside."""
        texts = TextColumn(rows.batch.column(position).take(pa.array(odd)), field).texts.to_pylist()
        problems = dict[int, str]()
        for index, text in zip(odd, texts, strict=True):
            row = rows.row_numbers[index]
            shown = "a value that is not shown" if field.name in self.hidden else repr(text[:100])
            problem = f"row {row:,}: the field {field.name!r} holds {shown}, which is no {hint} (type_hints)"
            if not self.puts_aside:
                raise ValueDoesNotFit(
                    f"{problem}; give the field a wider type, or put such rows aside (bad_rows: quarantine, or"
                    " --quarantine)",
                    row=row,
                    column=field.name,
                )
            problems[index] = problem
        return problems

    def _as_json(self, batch: pa.RecordBatch, schema: pa.Schema) -> list[str]:
        """Rows as JSON objects, without what is hidden."""
        shown = [position for position, name in enumerate(schema.names) if name not in self.hidden]
        fields = pa.schema(list(map(schema.field, shown)))
        columns = list(map(batch.column, shown))
        if not shown:
            return ["{}"] * batch.num_rows
        texts = list[str]()
        batch = pa.RecordBatch.from_arrays(columns, schema=fields)
        for rendered in rendering.json_rows(batch, fields, before="", after=""):
            texts += rendered.to_pylist()
        return texts


def _without(rows: TableRows, misfits: Mapping[int, str]) -> TableRows:
    keep = [index not in misfits for index in range(rows.batch.num_rows)]
    numbers = [number for number, is_kept in zip(rows.row_numbers, keep, strict=True) if is_kept]
    return replace(rows, batch=rows.batch.filter(pa.array(keep, pa.bool_())), numbers=numbers)


def to_type(array: pa.Array, field: pa.Field, hint: TypeHint) -> tuple[pa.Array, Sequence[int]]:
    """The values in the hint's type, and the positions of those that do not fit, in whose place nothing stands."""
    into = _to_arrow(hint)
    if _is_kept(array.type, into):
        return array.cast(into), ()
    texts = TextColumn(array, field).texts
    if hint.name == "text":
        return texts, ()
    values = _cast_texts(texts, hint, into)
    if values is not None:
        return values, ()
    # Each different text is tried once: a column of a million rows may have one misfit, N/A, in all of its bad ones.
    distinct = pc.unique(texts).drop_null()
    sound = _find_sound(distinct, hint, into)
    fits = pc.is_in(texts, value_set=sound, skip_nulls=True)
    values = _cast_texts(pc.if_else(fits, texts, pa.scalar(None, pa.string())), hint, into)
    odd = pc.indices_nonzero(pc.and_(texts.is_valid(), pc.invert(fits)))
    return values, odd.to_pylist()


def _is_kept(kind: pa.DataType, into: pa.DataType) -> bool:
    """Whether each value of the one type is one of the other, so that Arrow may cast."""
    if kind == into or arrow_types.is_null(kind):
        return True
    widening = (arrow_types.is_integer(kind) and kind.bit_width < 64) or kind == pa.int64()
    # uint64 is no such type: 18446744073709551615 is beyond int64, so that its values are looked at one by one.
    if into == pa.int64():
        return bool(widening)
    return bool(arrow_types.is_floating(kind) and into == pa.float64())


def _find_sound(texts: pa.Array, hint: TypeHint, into: pa.DataType) -> pa.Array:
    """Those of the distinct texts that fit, found by halving."""
    if not len(texts) or _cast_texts(texts, hint, into) is not None:
        return texts
    if len(texts) == 1:
        return texts.slice(0, 0)
    half = len(texts) // 2
    first, second = texts.slice(0, half), texts.slice(half)
    return pa.concat_arrays([_find_sound(first, hint, into), _find_sound(second, hint, into)])


def _cast_texts(texts: pa.Array, hint: TypeHint, into: pa.DataType) -> pa.Array | None:
    """The texts in the hint's type; None if one of them does not fit."""
    if not _all_match(texts, _PATTERNS[hint.name]):
        return None
    if hint.unit == "ns" and not _all_match(texts, _NS_YEARS):
        return None
    if hint.name in {"integer", "decimal"}:
        texts = _write_plainly(texts, hint)
        if texts is None:
            return None
    try:
        return _CASTS.get(hint.name, pc.cast)(texts, into)
    except pa.ArrowInvalid:
        return None


def _write_plainly(texts: pa.Array, hint: TypeHint) -> pa.Array | None:
    """The texts of exact numbers without exponents; None if one is a negative zero, or too long."""
    if _any_matches(texts, _NEGATIVE_ZERO):
        return None
    texts = _without_exponents(texts)
    # Arrow does not notice the overflow of very long numbers: 144 digits may become 0.
    if not _all_match(texts, f"-?[0-9]{{1,{_whole_digits(hint)}}}(?:[.][0-9]{{1,{MOST_DIGITS}}})?"):
        return None
    return texts


def _whole_digits(hint: TypeHint) -> int:
    """The most digits before the point of a number of the type."""
    if hint.name == "integer":
        return len(str(2**63))
    return max(1, hint.digits - hint.scale)


def _without_exponents(texts: pa.Array) -> pa.Array:
    # 1e3 becomes 1000. Arrow, which reads exponents of decimals as well, takes 1e-313 for 0.
    has_exponent = pc.match_substring_regex(texts, "[eE]")
    return replace_chosen(texts, has_exponent, _without_exponent)


def _without_exponent(text: str) -> str:
    return f"{Decimal(text):f}"


def _cast_integers(texts: pa.Array, into: pa.DataType) -> pa.Array:
    # 1.0 is an integer, too, which Arrow reads as a decimal only.
    return pc.cast(pc.cast(texts, pa.decimal128(38, 0)), into)


def _cast_doubles(texts: pa.Array, into: pa.DataType) -> pa.Array:
    """Doubles that are the numbers of the texts, digit for digit; raise ArrowInvalid if one is not."""
    values = pc.cast(texts, into)
    is_long = pc.greater(pc.binary_length(texts), _SURE_CHARACTERS)
    doubtful = pc.or_(is_long, pc.match_substring_regex(texts, _TINY))
    if pc.any(doubtful).as_py():
        chosen = pc.fill_null(doubtful, fill_value=False)
        pairs = zip(texts.filter(chosen).to_pylist(), plain(values.filter(chosen)).to_pylist(), strict=True)
        if not all(_is_same_number(written, printed) for written, printed in pairs):
            raise pa.ArrowInvalid("a double has fewer digits")
    # Of a column without any value "all are finite" is neither true nor false.
    if not pc.all(pc.is_finite(values)).as_py() and texts.null_count < len(texts):
        raise pa.ArrowInvalid("a number is too large")
    return values


def _is_same_number(written: str, printed: str) -> bool:
    # 12345678901234567890.25 comes back as 1.2345678901234567e+19, which is another number.
    return printed not in {"Infinity", "-Infinity"} and Decimal(written) == Decimal(printed)


_CASTS: Mapping[str, Callable[[pa.Array, pa.DataType], pa.Array]] = MappingProxyType(
    {"integer": _cast_integers, "float": _cast_doubles}
)


def _all_match(texts: pa.Array, pattern: str) -> bool:
    return pc.all(pc.match_substring_regex(texts, f"^(?:{pattern})$")).as_py() is not False


def _any_matches(texts: pa.Array, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(texts, f"^(?:{pattern})$")).as_py())
