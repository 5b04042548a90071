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
_SMALL = "0[.]0{0,5}[1-9](?:[0-9]*[1-9])?"
"""Numbers below 1 that are printed without an exponent."""
_INTEGER = "0|-?[1-9][0-9]*"
_BARE_DOUBLE = f"-?(?:[1-9][0-9]*(?:[.]{_FRACTION})?|0|{_SMALL})"
_DOTTED_DOUBLE = f"-?(?:[1-9][0-9]*[.](?:{_FRACTION}|0)|0[.]0|{_SMALL})"
FEW = 1000
"""Up to so many texts are printed faster than a pattern is compiled."""


def is_printed_back(values: pa.Array, form: str, texts: pa.Array) -> bool:
    """Whether finite values, which are the texts cast to their type, are all printed as the text they come from."""
    if separators := _separators(values.type, form):
        return _stand_in(texts, separators)
    if len(texts) > FEW and values.type == pa.int64():
        return _are_short(values, texts)
    pattern = _pattern(values.type, form)
    if len(texts) <= FEW or not pattern or not _decides(values.type, form, texts):
        return bool(plain(values, form).equals(texts))
    return _all_match(texts, pattern)


def _decides(kind: pa.DataType, form: str, texts: pa.Array) -> bool:
    """Whether the pattern is the whole truth: not where exponents, rounding or a negative zero can come in."""
    if arrow_types.is_decimal(kind):
        data = bytes(joined(texts))
        return b"-" not in data or b"-0" not in data  # one byte is found much faster than two
    if not arrow_types.is_floating(kind):
        return True
    longest = pc.max(pc.binary_length(texts)).as_py() or 0
    sure = SURE_DIGITS if form == BARE else SURE_DIGITS + len(".")
    return bool(longest <= sure) and b"e" not in bytes(joined(texts))


@cache
def _pattern(kind: pa.DataType, form: str) -> str:
    """What the texts look like that values of a type are printed as; empty where that is not known."""
    if kind == pa.bool_():
        return "true|false"
    if kind == pa.float64():
        return _BARE_DOUBLE if form == BARE else _DOTTED_DOUBLE
    if arrow_types.is_decimal(kind) and kind.scale >= 0:
        return f"-?(?:0|[1-9][0-9]*)[.][0-9]{{{kind.scale}}}" if kind.scale else _INTEGER
    return ""


def _are_short(values: pa.Array, texts: pa.Array) -> bool:
    """Whether integers' texts are not longer than they have to be, all together.

    No decimal text of an integer is shorter than what is printed of it, and only that is as short. That does not hold
    of hexadecimal ones, which Arrow reads, too.
    """
    data = bytes(joined(texts))
    if b"x" in data or b"X" in data:
        return bool(plain(values).equals(texts))
    ends = pc.min_max(values).as_py()
    shortest = len(values) - values.null_count
    if shortest and ends["min"] < 0:
        shortest += _count(pc.less(values, 0))
    power = 10
    while shortest and (ends["max"] >= power or ends["min"] <= -power):
        shortest += _count(pc.greater_equal(values, power)) if ends["max"] >= power else 0
        shortest += _count(pc.less_equal(values, -power)) if ends["min"] <= -power else 0
        power *= 10
    return bool((pc.sum(pc.binary_length(texts)).as_py() or 0) == shortest)


def _count(which: pa.Array) -> int:
    count: int = which.true_count
    return count


def _all_match(texts: pa.Array, pattern: str) -> bool:
    """Whether all texts match; a text that has a line feed may seem to be two that do, but no value is read of it."""
    present = texts.drop_null() if texts.null_count else texts
    if not len(present):
        return True
    rows = pa.ListArray.from_arrays(pa.array([0, len(present)], pa.int32()), present)
    found: bool = pc.match_substring_regex(pc.binary_join(rows, "\n"), rf"\A(?:(?:{pattern})(?:\n|\z))*\z")[0].as_py()
    return found


@cache
def _separators(kind: pa.DataType, form: str) -> str:
    """A date's or time's text with its digits as spaces; empty for other types."""
    if kind == pa.date32():
        return "    -  -  "
    if not arrow_types.is_timestamp(kind):
        return ""
    digits = int(form[1])
    fraction = "." + " " * digits if digits else ""
    # A separator that is a space itself is marked with an underscore.
    return f"    -  -  {form[0].replace(' ', '_')}  :  :  {fraction}{form[2:]}"


def _stand_in(texts: pa.Array, separators: str) -> bool:
    """Whether all texts have the separators' length, and these at their places.

    Then a text that was read as a date or time has digits everywhere else, and is what would be printed: no printing is
    needed to know it.
    """
    present = texts.drop_null() if texts.null_count else texts
    lengths = pc.min_max(pc.binary_length(present)).as_py()
    width = len(separators)
    if len(present) and (lengths["min"], lengths["max"]) != (width, width):
        return False
    data = bytes(joined(present))
    return all(
        data[place::width] == separator.replace("_", " ").encode() * len(present)
        for place, separator in enumerate(separators)
        if separator != " "
    )
