"""Exact order of a column's values against one operand, by rules on their texts.

The operand decides how. A number is compared with the values that are numbers as JSON writes them (``007``
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
# Up to 18 digits on each side of the point: all such numbers fit into one decimal of 36 digits.
_SHORT = r"^-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?$"
_SHORT_TYPE = pa.decimal128(36, 18)

# The last two digits of a leap year: 0, 4, 8 behind an even digit, 2, 6 behind an odd one. 00 is a century.
_DIVISIBLE_BY_4 = "0[48]|[2468][048]|[13579][26]"
# The last day of each month, and 29 February of leap years: 2024, 2000, not 1900 (a century only if 400 divides it).
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
"""What the pattern takes and no calendar has: before the year 1 comes 1 BC."""


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
        return str(value).lower()
    if isinstance(value, float) and not math.isfinite(value):
        return _NOT_FINITE[str(value)]
    return str(value)


_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


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
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return (when - _EPOCH) // timedelta(microseconds=1) * 1000


def _moment_of_text(text: str) -> Moment | None:
    match = re.fullmatch(MOMENT, text)
    if not match or text.startswith(_NO_YEAR):
        return None
    # "2024-03-15T12:30:00.5+02:00" is the clock 12:30:00, half a second, and two hours east: 10:30:00.5 in UTC.
    local = datetime.fromisoformat(f"{match['day']}T{match['clock'] or '00:00'}{match['second'] or ':00'}")
    fraction = int((match["fraction"] or "0").ljust(9, "0"))
    nanoseconds = _nanoseconds(local) + fraction - _nanoseconds_east(match)
    return Moment(nanoseconds, is_day=match["clock"] is None)


def _nanoseconds_east(match: re.Match[str]) -> int:
    if not match["sign"]:
        return 0
    minutes = int(match["hours"]) * 60 + int(match["minutes"] or 0)
    return int(f"{match['sign']}{minutes}") * 60 * _PER_SECOND


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
        return _at_floor(column.array, number, _Multiples(0, *_bounds_of_integers(kind)))
    if arrow_types.is_decimal(kind) and kind.scale >= 0:
        most = 10**kind.precision - 1
        return _at_floor(_as_wide_decimal(column.array), number, _Multiples(kind.scale, -most, most))
    if arrow_types.is_floating(kind):
        return _doubles(column.array.cast(pa.float64()), number)
    return _texts(column.texts, number)


def _bounds_of_integers(kind: pa.DataType) -> tuple[int, int]:
    if arrow_types.is_signed_integer(kind):
        return -(2 ** (kind.bit_width - 1)), 2 ** (kind.bit_width - 1) - 1
    return 0, 2**kind.bit_width - 1


def _as_wide_decimal(array: pa.Array) -> pa.Array:
    if array.type.bit_width >= 128:
        return array
    return array.cast(pa.decimal128(38, array.type.scale))


@dataclass(frozen=True, slots=True)
class _Multiples:
    """The values that a type can have: multiples of 10^-scale, from low to high of them."""

    scale: int
    low: int
    high: int

    def at(self, count: int) -> int | Decimal:
        """So many of them, as a number."""
        if not self.scale:
            return count
        return Decimal((int(count < 0), tuple(map(int, str(abs(count)))), -self.scale))


def _at_floor(values: pa.Array, number: Decimal, multiples: _Multiples) -> Order:
    """Order of values that are such multiples, by the greatest of them that is not above the number."""
    # Against 1.255, decimals of two digits are compared with 1.25, the 125th: those up to it are less, none is equal.
    sign, digits, exponent = number.as_tuple()
    if number and number.adjusted() > _BEYOND:
        return _beyond(values, less=not sign)
    scaled = Decimal((sign, digits, int(exponent) + multiples.scale))
    floor = int(scaled.to_integral_value(ROUND_FLOOR))
    if not multiples.low <= floor <= multiples.high:
        return _beyond(values, less=floor > multiples.high)
    return _around(values, pa.scalar(multiples.at(floor), values.type), exact=scaled == floor)


def _beyond(values: pa.Array, *, less: bool) -> Order:
    return Order(every(values, truth=less), every(values, truth=False))


def _around(values: pa.Array, floor: pa.Scalar, *, exact: bool) -> Order:
    if exact:
        return Order(pc.less(values, floor), pc.equal(values, floor))
    return Order(pc.less_equal(values, floor), every(values, truth=False))


def _doubles(values: pa.Array, number: Decimal) -> Order:
    """A double counts as the shortest number that it alone is nearest to, as it is printed."""
    # 0.1 is printed so, and is equal to the number 0.1. Against 0.10000000000000001, whose nearest double it is, too,
    # it is less: the number is not the one that is printed.
    finite = pc.if_else(pc.is_finite(values), values, pa.scalar(None, pa.float64()))
    nearest = float(number)
    printed = Decimal(repr(nearest))
    is_nearest = pc.equal(finite, nearest)
    less = pc.less(finite, nearest)
    if printed == number:
        return Order(less, is_nearest)
    if printed < number:
        less = pc.or_(less, is_nearest)
    return Order(less, every(finite, truth=False))


def _texts(texts: pa.Array, number: Decimal) -> Order:
    # Short numbers, which most are, are compared by Arrow at once; the few long ones by Python, one after the other.
    short = pc.match_substring_regex(texts, _SHORT)
    values = pc.if_else(short, texts, pa.scalar(None, pa.string())).cast(_SHORT_TYPE)
    order_of_short = _at_floor(values, number, _Multiples(_SHORT_TYPE.scale, -(10**36) + 1, 10**36 - 1))
    long = pc.and_not(pc.match_substring_regex(texts, f"^(?:{NUMBER})$"), short)
    return _add_long_numbers(order_of_short, texts, pc.fill_null(long, fill_value=False), number)


def _add_long_numbers(order_of_short: Order, texts: pa.Array, long: pa.Array, number: Decimal) -> Order:
    if not pc.any(long).as_py():
        return order_of_short
    values = list(map(Decimal, texts.filter(long).to_pylist()))
    less = pa.array(map(number.__gt__, values), pa.bool_())
    equal = pa.array(map(number.__eq__, values), pa.bool_())
    return Order(
        pc.replace_with_mask(order_of_short.less, long, less), pc.replace_with_mask(order_of_short.equal, long, equal)
    )


def _against_moment(column: TextColumn, moment: Moment) -> Order:
    kind = column.type
    if arrow_types.is_timestamp(kind):
        return _order_of_counts(column.array.cast(pa.int64()), moment, _UNIT[kind.unit])
    if arrow_types.is_date32(kind):
        return _order_of_counts(column.array.cast(pa.int32()).cast(pa.int64()), moment, DAY)
    if arrow_types.is_date64(kind):
        return _order_of_counts(column.array.cast(pa.date32()).cast(pa.int32()).cast(pa.int64()), moment, DAY)
    return _moments(column.texts, moment)


def _order_of_counts(values: pa.Array, moment: Moment, unit: int) -> Order:
    # Of days against 2024-03-15T12:30 its own day, which begins before, is less, and none is equal.
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
    same_second = pc.equal(seconds, whole)
    return Order(
        pc.or_(pc.less(seconds, whole), pc.and_(same_second, pc.less(fractions, rest))),
        pc.and_(same_second, pc.equal(fractions, rest)),
    )


def _or(texts: pa.Array, default: str) -> pa.Array:
    return pc.if_else(pc.equal(texts, ""), default, texts)


def _offsets(part: dict[str, pa.Array]) -> pa.Array:
    hours, minutes = (_or(part[name], "0").cast(pa.int64()) for name in ("hours", "minutes"))
    seconds = pc.add(pc.multiply(hours, 3600), pc.multiply(minutes, 60))
    return pc.if_else(pc.equal(part["sign"], "-"), pc.negate(seconds), seconds)
