"""Exact order of a column's values against one operand, by rules on their texts.

The operand says how is compared. A number is compared with the values that are numbers as JSON writes them (``007``
and ``+1`` are none), exactly, never by way of a double. A date or time is compared with the values that are ISO 8601
dates or times, as instants: a date is its midnight, no zone is UTC. Any other text is compared with every value's text,
by code points.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.conditions import Scalar
from millrace.engine.transform.values import TextColumn, every
from millrace.engine.types import arrow_types

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PER_SECOND = 10**9
_UNIT = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
DAY = 86400 * _PER_SECOND
_BEYOND = 100
"""Numbers of more digits than this before the point are beyond every numeric type."""

NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,5})?"
"""What is a number: what JSON calls one, with an exponent of at most five digits."""
_SHORT = r"^-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?$"
_SHORT_TYPE = pa.decimal128(36, 18)

_DIVISIBLE_BY_4 = "0[48]|[2468][048]|[13579][26]"
_DAYS = (
    "[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    f"|(?:[0-9]{{2}}(?:{_DIVISIBLE_BY_4})|(?:{_DIVISIBLE_BY_4})00)-02-29"
)
_HOURS = "[01][0-9]|2[0-3]"
_SECOND = "(?P<second>:[0-5][0-9])(?:[.](?P<fraction>[0-9]{1,9}))?"
_ZONE = f"Z|(?P<sign>[+-])(?P<hours>{_HOURS})(?::?(?P<minutes>[0-5][0-9]))?"
MOMENT = f"(?P<day>{_DAYS})(?:[T ](?P<clock>(?:{_HOURS}):[0-5][0-9])(?:{_SECOND})?(?:{_ZONE})?)?"
"""What is a date or time: a day of the years 0001 to 9999, and maybe a time of up to nine digits and an offset."""
_NO_YEAR = "0000-"


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant in nanoseconds since 1970; ``is_day`` where only its date was given."""

    nanoseconds: int
    is_day: bool = False


Operand: TypeAlias = Decimal | Moment | str


@dataclass(frozen=True, slots=True)
class Order:
    """Where the values are less than the operand, and where equal; null where they cannot be compared."""

    less: pa.Array
    equal: pa.Array


def text_of_scalar(value: Scalar) -> str:
    """The text of a configuration's scalar, as a value's text would be printed."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return str(value)


def operand_of(value: Scalar) -> Operand:
    """What a configuration's scalar is compared as."""
    text = text_of_scalar(value)
    if re.fullmatch(NUMBER, text):
        return Decimal(text)
    return _moment_of_text(text) or text


def moment_of(text: str) -> Moment:
    """The instant that an ISO 8601 date or time names; ValueError where it names none."""
    if moment := _moment_of_text(text):
        return moment
    try:
        return Moment(_nanoseconds(datetime.combine(date.fromisoformat(text), datetime.min.time())), is_day=True)
    except ValueError:
        return Moment(_nanoseconds(datetime.fromisoformat(text)))


def moment_at(when: datetime) -> Moment:
    """The instant of a datetime."""
    return Moment(_nanoseconds(when))


def _nanoseconds(when: datetime) -> int:
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1) * 1000


def _moment_of_text(text: str) -> Moment | None:
    match = re.fullmatch(MOMENT, text)
    if not match or text.startswith(_NO_YEAR):
        return None
    day, clock, second, fraction, sign, hours, minutes = match.groups()
    local = datetime.fromisoformat(f"{day}T{clock or '00:00'}{second or ':00'}")
    shift = (int(hours) * 60 + int(minutes or 0)) * 60 * _PER_SECOND if sign else 0
    shift = -shift if sign == "-" else shift
    return Moment(_nanoseconds(local) + int((fraction or "0").ljust(9, "0")) - shift, is_day=clock is None)


def order(column: TextColumn, operand: Operand) -> Order:
    """The order of a column's values against the operand."""
    if isinstance(operand, Decimal):
        return _against_number(column, operand)
    if isinstance(operand, Moment):
        return _against_moment(column, operand)
    return Order(pc.less(column.texts, operand), pc.equal(column.texts, operand))


def _against_number(column: TextColumn, number: Decimal) -> Order:
    kind = column.type
    if arrow_types.is_integer(kind):
        return _at_floor(column.array, number, 0, *_integers_of(kind))
    if arrow_types.is_decimal(kind) and kind.scale >= 0:
        most = 10**kind.precision - 1
        return _at_floor(_wide(column.array), number, kind.scale, -most, most)
    if arrow_types.is_floating(kind):
        return _doubles(column.array.cast(pa.float64()), number)
    return _texts(column.texts, number)


def _integers_of(kind: pa.DataType) -> tuple[int, int]:
    if arrow_types.is_signed_integer(kind):
        return -(2 ** (kind.bit_width - 1)), 2 ** (kind.bit_width - 1) - 1
    return 0, 2**kind.bit_width - 1


def _wide(array: pa.Array) -> pa.Array:
    return array if array.type.bit_width >= 128 else array.cast(pa.decimal128(38, array.type.scale))


def _at_floor(values: pa.Array, number: Decimal, scale: int, low: int, high: int) -> Order:
    """Order of multiples of 10^-scale, from low to high of them."""
    sign, digits, exponent = number.as_tuple()
    if number and number.adjusted() > _BEYOND:
        return _beyond(values, less=not sign)
    scaled = Decimal((sign, digits, int(exponent) + scale))
    floor = int(scaled.to_integral_value(ROUND_FLOOR))
    if not low <= floor <= high:
        return _beyond(values, less=floor > high)
    one = Decimal((int(floor < 0), tuple(map(int, str(abs(floor)))), -scale)) if scale else floor
    return _around(values, pa.scalar(one, values.type), exact=scaled == floor)


def _beyond(values: pa.Array, *, less: bool) -> Order:
    return Order(every(values, truth=less), every(values, truth=False))


def _around(values: pa.Array, floor: pa.Scalar, *, exact: bool) -> Order:
    if exact:
        return Order(pc.less(values, floor), pc.equal(values, floor))
    return Order(pc.less_equal(values, floor), every(values, truth=False))


def _doubles(values: pa.Array, number: Decimal) -> Order:
    """A double is the shortest number that it alone is nearest to, as it is printed; that order is the doubles' own."""
    finite = pc.if_else(pc.is_finite(values), values, pa.scalar(None, pa.float64()))
    nearest = float(number)
    shortest = Decimal(repr(nearest))
    here = pc.equal(finite, nearest)
    below = pc.less(finite, nearest)
    return Order(
        pc.or_(below, here) if shortest < number else below,
        here if shortest == number else every(finite, truth=False),
    )


def _texts(texts: pa.Array, number: Decimal) -> Order:
    short = pc.match_substring_regex(texts, _SHORT)
    values = pc.if_else(short, texts, pa.scalar(None, pa.string())).cast(_SHORT_TYPE)
    found = _at_floor(values, number, _SHORT_TYPE.scale, -(10**36) + 1, 10**36 - 1)
    long = pc.and_not(pc.match_substring_regex(texts, f"^(?:{NUMBER})$"), short)
    return _with_long(found, texts, pc.fill_null(long, fill_value=False), number)


def _with_long(found: Order, texts: pa.Array, long: pa.Array, number: Decimal) -> Order:
    if not pc.any(long).as_py():
        return found
    values = [Decimal(text) for text in texts.filter(long).to_pylist()]
    less = pa.array([value < number for value in values], pa.bool_())
    equal = pa.array([value == number for value in values], pa.bool_())
    return Order(pc.replace_with_mask(found.less, long, less), pc.replace_with_mask(found.equal, long, equal))


def _against_moment(column: TextColumn, moment: Moment) -> Order:
    kind = column.type
    if arrow_types.is_timestamp(kind):
        return _counted(column.array.cast(pa.int64()), moment, _UNIT[kind.unit])
    if arrow_types.is_date32(kind):
        return _counted(column.array.cast(pa.int32()).cast(pa.int64()), moment, DAY)
    if arrow_types.is_date64(kind):
        return _counted(column.array.cast(pa.date32()).cast(pa.int32()).cast(pa.int64()), moment, DAY)
    return _moments(column.texts, moment)


def _counted(values: pa.Array, moment: Moment, unit: int) -> Order:
    floor, rest = divmod(moment.nanoseconds, unit)
    if not -(2**63) <= floor < 2**63:
        return _beyond(values, less=floor > 0)
    return _around(values, pa.scalar(floor, pa.int64()), exact=not rest)


def _moments(texts: pa.Array, moment: Moment) -> Order:
    is_moment = pc.and_not(pc.match_substring_regex(texts, f"^(?:{MOMENT})$"), pc.starts_with(texts, _NO_YEAR))
    parts = pc.extract_regex(pc.if_else(is_moment, texts, pa.scalar(None, pa.string())), f"^(?:{MOMENT})$")
    part: dict[str, pa.Array] = dict(zip([field.name for field in parts.type], parts.flatten(), strict=True))
    local = pc.binary_join_element_wise(part["day"], _or(part["clock"], "00:00"), " ")
    local = pc.binary_join_element_wise(local, _or(part["second"], ":00"), "")
    seconds = pc.subtract(local.cast(pa.timestamp("s")).cast(pa.int64()), _offsets(part))
    fractions = pc.ascii_rpad(part["fraction"], 9, "0").cast(pa.int64())
    whole, rest = divmod(moment.nanoseconds, _PER_SECOND)
    here = pc.equal(seconds, whole)
    return Order(
        pc.or_(pc.less(seconds, whole), pc.and_(here, pc.less(fractions, rest))),
        pc.and_(here, pc.equal(fractions, rest)),
    )


def _or(texts: pa.Array, default: str) -> pa.Array:
    return pc.if_else(pc.equal(texts, ""), default, texts)


def _offsets(part: dict[str, pa.Array]) -> pa.Array:
    hours, minutes = (_or(part[name], "0").cast(pa.int64()) for name in ("hours", "minutes"))
    seconds = pc.add(pc.multiply(hours, 3600), pc.multiply(minutes, 60))
    return pc.if_else(pc.equal(part["sign"], "-"), pc.negate(seconds), seconds)
