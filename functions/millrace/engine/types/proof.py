"""Proof that texts are printed back as they are, mostly by what they look like: printing is slow.

The rule is ``printing.plain(values).equals(texts)``. What is here is the same rule, faster: for integers, booleans,
dates, times, decimals and doubles of few digits the texts that are printed back are those of a pattern, and one scan
over a whole column finds whether it has any other. For 64-bit integers the length of all texts is enough.
"""

from __future__ import annotations

from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.types import arrow_types
from millrace.engine.types.printing import BARE, joined, plain

SURE_DIGITS = 15
"""So many digits a double keeps and gives back as they were."""
_FRACTION = "[0-9]*[1-9]"
# 0.05 and 0.000001, of which the latter has five zeros behind the point, are printed as they are; 0.0000001 is printed
# as 1e-7.
_SMALL = "0[.]0{0,5}[1-9](?:[0-9]*[1-9])?"
"""Numbers below 1 that are printed without an exponent."""
# For the patterns: of the numbers 12.50, 12.5, 12.0, 12 and 0.0000001 a bare double is printed as 12.5 or 12, a dotted
# one as 12.5 or 12.0; below 0.000001 both are printed with an exponent.
# No leading zeros and no plus sign: 007 is printed back as 7, and so it is text.
_INTEGER = "0|-?[1-9][0-9]*"
_BARE_DOUBLE = f"-?(?:[1-9][0-9]*(?:[.]{_FRACTION})?|0|{_SMALL})"
_DOTTED_DOUBLE = f"-?(?:[1-9][0-9]*[.](?:{_FRACTION}|0)|0[.]0|{_SMALL})"
FEW = 1000
"""Up to so many texts are printed faster than a pattern is compiled."""


def is_printed_back(values: pa.Array, form: str, texts: pa.Array, *, few: int = FEW) -> bool:
    """Whether finite values, which are the texts cast to their type, are all printed as the text they come from."""
    if separators := _separators(values.type, form):
        return _have_separators(texts, separators)
    if len(texts) > few and values.type == pa.int64():
        return _are_short(values, texts)
    pattern = _pattern(values.type, form)
    if len(texts) > few and pattern and _is_decided_by_pattern(values.type, form, texts):
        return _all_match(texts, pattern)
    return bool(plain(values, form).equals(texts))


def _is_decided_by_pattern(kind: pa.DataType, form: str, texts: pa.Array) -> bool:
    """Whether a match of the pattern is proof: not if exponents, rounding or a negative zero can come in."""
    if arrow_types.is_decimal(kind):
        data = bytes(joined(texts))
        return b"-" not in data or b"-0" not in data  # one byte is found much faster than two
    if not arrow_types.is_floating(kind):
        return True
    # Over the length, a double may round: 0.1234567890123456789 matches the pattern and is printed shorter.
    longest = pc.max(pc.binary_length(texts)).as_py() or 0
    sure = SURE_DIGITS
    if form != BARE:
        sure += len(".")
    return bool(longest <= sure) and b"e" not in bytes(joined(texts))


@cache
def _pattern(kind: pa.DataType, form: str) -> str:
    """What the texts look like that values of a type are printed as; empty if that is not certain."""
    if kind == pa.bool_():
        return "true|false"
    if kind == pa.float64():
        return _pattern_of_doubles(form)
    if arrow_types.is_decimal(kind) and kind.scale >= 0:
        if not kind.scale:
            return _INTEGER
        return f"-?(?:0|[1-9][0-9]*)[.][0-9]{{{kind.scale}}}"
    return ""


def _pattern_of_doubles(form: str) -> str:
    if form == BARE:
        return _BARE_DOUBLE
    return _DOTTED_DOUBLE


def _are_short(values: pa.Array, texts: pa.Array) -> bool:
    """Whether integers' texts are not longer than they have to be, all together.

    No decimal text of an integer is shorter than what is printed of it, and only that is as short. That does not hold
    of hexadecimal ones, which Arrow reads, too.
    """
    # Of the values 7, -12 and 340 the shortest texts have 1 + 3 + 3 = 7 bytes: one each, one for a minus, one each for
    # the two from 10 on, one for the one from 100 on. "007", "-12", "340" have 9: one of them is not printed back.
    data = bytes(joined(texts))
    if b"x" in data or b"X" in data:
        return bool(plain(values).equals(texts))
    return bool((pc.sum(pc.binary_length(texts)).as_py() or 0) == _shortest_length(values))


def _shortest_length(values: pa.Array) -> int:
    """How many bytes the integers have that are printed, all together: counted, without printing them."""
    length: int = len(values) - values.null_count
    if not length:
        return 0
    ends = pc.min_max(values).as_py()
    if ends["min"] < 0:
        length += _count(pc.less(values, 0))
    power = 10
    while ends["max"] >= power:
        length += _count(pc.greater_equal(values, power))
        power *= 10
    power = -10
    while ends["min"] <= power:
        length += _count(pc.less_equal(values, power))
        power *= 10
    return length


def _count(which: pa.Array) -> int:
    count: int = which.true_count
    return count


def _all_match(texts: pa.Array, pattern: str) -> bool:
    """Whether all texts match; a text that has a line feed may seem to be two that do, but no value is read of it."""
    present = _drop_missing(texts)
    if not len(present):
        return True
    rows = pa.ListArray.from_arrays(pa.array([0, len(present)], pa.int32()), present)
    lines = pc.binary_join(rows, "\n")
    matched: bool = pc.match_substring_regex(lines, rf"\A(?:(?:{pattern})(?:\n|\z))*\z")[0].as_py()
    return matched


def _drop_missing(texts: pa.Array) -> pa.Array:
    if not texts.null_count:
        return texts
    return texts.drop_null()


@cache
def _separators(kind: pa.DataType, form: str) -> str:
    """A date's or time's text with its digits as spaces; empty for other types."""
    if kind == pa.date32():
        return "    -  -  "
    if not arrow_types.is_timestamp(kind):
        return ""
    # The form "T3Z" becomes "    -  -  T  :  :  .   Z". A separator that is a space is marked with an underscore.
    separator, digits, zone = form[0].replace(" ", "_"), int(form[1]), form[2:]
    fraction = ""
    if digits:
        fraction = "." + " " * digits
    return f"    -  -  {separator}  :  :  {fraction}{zone}"


def _have_separators(texts: pa.Array, separators: str) -> bool:
    """Whether all texts have the separators' length, and these at their positions.

    Then a text that was read as a date or time has digits everywhere else, and is what would be printed: no printing is
    needed to know it.
    """
    # The texts "2026-01-31" and "2026-02-28" one after the other have 20 bytes; every tenth of them, from the fifth on,
    # is to be "--". A slice with a step is one pass over the bytes, and eight times as fast as printing dates.
    present = _drop_missing(texts)
    if not len(present):
        return True
    width = len(separators)
    lengths = pc.min_max(pc.binary_length(present)).as_py()
    if (lengths["min"], lengths["max"]) != (width, width):
        return False
    data = bytes(joined(present))
    for position, separator in enumerate(separators):
        if separator != " " and data[position::width] != separator.replace("_", " ").encode() * len(present):
            return False
    return True
