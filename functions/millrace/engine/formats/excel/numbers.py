"""Numbers of a workbook that calamine changes, since it holds each as a double, or as a moment.

A whole number beyond 2^53, such as an id of 18 digits, would be rounded. -5 with the format of a date would become
00:00:00, and the day 60, which Excel calls 29 February 1900, the day before it. A binary workbook has most days as
whole numbers, which calamine gives as numbers whatever their format is.
"""

from __future__ import annotations

import datetime as dt
import enum
import math
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

_WHOLE = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"[+-]?(?P<digits>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_SAFE_DIGITS = 15
"""A double keeps so many digits of every number."""
_PRINTED_DIGITS = 17
"""Excel writes so many of each, which are enough to find the double again."""
_MOST_DIGITS = 800
"""No double has more than 767 digits: the others are zeros."""
EXACT_WHOLE = 2**53
"""From here on a double is the nearest of several integers: 9007199254740993 would be shown as ...992."""
_INT64 = range(-(2**63), 2**63)
_LOST_DAY = 60
_ALMOST_ONE = 1 - 0.5 / 86_400_000
"""From half a millisecond before midnight on, calamine rounds a time to 00:00:00."""
# What is no letter of a date in a format's code: "text", \d, the width of a character (_d) or its repetition (*d), and
# brackets such as [Red] or [$USD].
_NO_LETTERS = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]', re.DOTALL)
_LENGTH = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_DATE_LETTERS = frozenset("ymdhsYMDHS")
# The built-in formats (ECMA-376 Part 1, 18.8.30) that are dates in some language.
_DATE_FORMATS = frozenset(map(str, (*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59))))
_LENGTH_FORMAT = "46"
_DAY_0_OF_1900, _DAY_0_OF_1904 = dt.date(1899, 12, 31), dt.date(1904, 1, 1)


class DateFormat(enum.Enum):
    """What a format makes of a number: a date or a time, or a length of time, which may be below zero."""

    MOMENT = enum.auto()
    LENGTH = enum.auto()


class LongWhole(int):
    """The kind of whole numbers of more digits than a double holds; int64 holds them."""


Kept: TypeAlias = LongWhole | float | str
"""What a cell has instead of calamine's value: a whole number, a number that is no moment, or the text of the file."""
Moment: TypeAlias = dt.date | dt.time | dt.timedelta | float


def find_kept_number(text: str) -> LongWhole | str | None:
    """What keeps a cell's number; None if calamine's double does, or if the text is no number.

    Worked examples: 9007199254740993 is a whole number, which is 9007199254740992 as a double. 1e400 is infinite as a
    double, so its text is kept; that of 0.30000000000000004 is not, since a double is printed so.
    """
    if len(text) <= _SAFE_DIGITS and "e" not in text and "E" not in text:
        return None
    if _WHOLE.fullmatch(text):
        return _keep_whole(text)
    number = _NUMBER.fullmatch(text)
    if number is None or _is_held(text, number["digits"]):
        return None
    return text


def _keep_whole(text: str) -> LongWhole | str | None:
    # Python refuses to make a number of a text of 5,000 digits.
    if len(text) > _MOST_DIGITS:
        return text
    whole = int(text)
    if abs(whole) < EXACT_WHOLE:
        return None
    return LongWhole(whole) if whole in _INT64 else text


def _is_held(text: str, mantissa: str) -> bool:
    """Whether a double, printed with as many digits, is the number."""
    double = float(text)
    digits = mantissa.replace(".", "").lstrip("0")
    if not math.isfinite(double) or (double == 0 and digits.strip("0")):
        return False
    if len(digits) <= _PRINTED_DIGITS:
        return True
    printed = f"{double:.{min(len(digits), _MOST_DIGITS) - 1}e}"
    return Decimal(printed) == Decimal(text)


def is_no_moment(number: float, *, from_1904: bool) -> bool:
    """Whether a number in a date's format is no date and no time, though calamine makes one of it."""
    is_lost_day = not from_1904 and _LOST_DAY <= number < _LOST_DAY + 1
    return number < 0 or is_lost_day or _ALMOST_ONE <= number < 1


def find_date_format(number: str, codes: dict[str, str]) -> DateFormat | None:
    """What a format, by its number or its code, makes of numbers; None if they stay numbers.

    Worked examples: ``[Red]yyyy-mm-dd`` is a date's, ``[h]:mm`` a length's, ``0.00" days"`` is neither.
    """
    code = codes.get(number)
    if code is None:
        if number == _LENGTH_FORMAT:
            return DateFormat.LENGTH
        return DateFormat.MOMENT if number in _DATE_FORMATS else None
    if _LENGTH.search(code):
        return DateFormat.LENGTH
    if _DATE_LETTERS.isdisjoint(_NO_LETTERS.sub("", code)):
        return None
    return DateFormat.MOMENT


@dataclass(slots=True)
class CellStyles:
    """The styles of a workbook's cells: the codes of its own formats by their numbers, and each style's format."""

    codes: dict[str, str] = field(default_factory=dict)
    formats: list[str] = field(default_factory=list)

    def find_date_formats(self) -> dict[int, DateFormat]:
        """What the styles are, by their numbers, that are those of dates, times and lengths."""
        found = dict[int, DateFormat]()
        for style, number in enumerate(self.formats):
            form = find_date_format(number, self.codes)
            if form is not None:
                found[style] = form
        return found


def to_moment(days: int, form: DateFormat, *, from_1904: bool) -> Moment:
    """What so many whole days are in a format, as calamine has it of a double; a number if they are no moment."""
    if form is DateFormat.LENGTH:
        return dt.timedelta(days=days)
    if days == 0:
        return dt.time()
    if is_no_moment(days, from_1904=from_1904):
        return float(days)
    first = _DAY_0_OF_1904 if from_1904 else _DAY_0_OF_1900
    # Behind the day that never was, Excel's count is one too high.
    extra = int(not from_1904 and days > _LOST_DAY)
    try:
        return first + dt.timedelta(days=days - extra)
    except OverflowError:  # beyond the year 9999, which Excel does not show either
        return float(days)
