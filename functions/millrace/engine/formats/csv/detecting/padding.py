"""Titles above a table that have as many fields as its rows, since a spreadsheet writes ``Report;;;``.

Such a line may be a header that names its first columns alone. It is a title if the lines below prove it, the header
if they prove that, and else the file is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from millrace.engine.formats.csv.detecting.records import SampledRow
from millrace.engine.formats.csv.detecting.titles import (
    FEWEST_ROWS,
    MOST_TITLES,
    has_row_of_names,
    is_data_column,
    is_phrase,
    reads_like_title,
)


@dataclass(frozen=True, slots=True)
class PaddedTitles:
    """How many of the first records are titles, or are empty; ``is_sure`` False: the first may be the header, too."""

    count: int = 0
    is_sure: bool = True


NO_TITLES = PaddedTitles()


def find_padded_titles(rows: Sequence[SampledRow], *, has_headers: bool) -> PaddedTitles:
    """The titles among a sample's records, which all have one width and at least two fields."""
    padded = _Padded.split(rows)
    if padded is None:
        return NO_TITLES
    if has_headers:
        return _find_above_header(padded)
    if padded.reads_like_titles() and padded.is_apart():
        return PaddedTitles(len(padded.above))
    return NO_TITLES


def _find_above_header(padded: _Padded) -> PaddedTitles:
    if not has_row_of_names(padded.table[:1]) or padded.may_be_header():
        return NO_TITLES
    if padded.reads_like_titles() and padded.has_proof():
        return PaddedTitles(len(padded.above))
    return PaddedTitles(is_sure=not padded.may_be_title())


@dataclass(frozen=True, slots=True)
class _Padded:
    """The first records, which have fewer values than the table, and the table without an empty last column."""

    above: Sequence[SampledRow]
    table: Sequence[SampledRow]

    @classmethod
    def split(cls, rows: Sequence[SampledRow]) -> _Padded | None:
        """The records above the first of which every field has a value, and those from there on."""
        # Of "Report;;" and ";;" over "id;name;age" and "1;Ann;32" the first two are above: the table has three values a
        # row, and they have fewer. Of "Report;;" over "id;name;" and "1;Ann;" no row has a third: the table has two.
        seen = list(takewhile(_is_seen, rows))
        width = max(map(_count_to_last, seen), default=0)
        above = list(takewhile(lambda row: len(_values(row)) < width, seen))
        table = [_shorten_row(row, width) for row in seen[len(above) :]]
        if not above or width < 2 or len(above) > MOST_TITLES or len(table) < FEWEST_ROWS:
            return None
        return cls(above, table)

    @property
    def titles(self) -> list[list[str]]:
        """The values of each record above that has one."""
        return list(filter(None, map(_values, self.above)))

    @property
    def has_single_values(self) -> bool:
        """Whether no line above has two values, as a row may have that lacks others."""
        return all(len(values) == 1 for values in self.titles)

    @property
    def is_behind_blank(self) -> bool:
        """Whether a blank line is directly above the table, or one of delimiters alone."""
        return self.table[0].after_blank or not _values(self.above[-1])

    def reads_like_titles(self) -> bool:
        """Whether each of them is words, and of one value alone unless a blank line is behind them."""
        is_single = self.has_single_values or self.is_behind_blank
        return is_single and all(reads_like_title(_as_row(values)) for values in self.titles)

    def may_be_header(self) -> bool:
        """Whether the lines have several names: ``id;name;`` above rows of three has left one out."""
        return not self.has_single_values and not self.is_behind_blank

    def has_proof(self) -> bool:
        """Whether the first record of the table, which is names, is surely its header."""
        # "Name;;" over Ann;Ulm;x and Bob;Rome;5 names one column, and one row has x for a number.
        # ";total units" over a;low and b;5 is the header of a table with an index, which has no name.
        count = self._count_data_columns()
        is_phrased = any(is_phrase(_as_row(values)) for values in self.titles)
        is_title = is_phrased and (self.table[0].width > 2 or bool(self.above[0].text(0).strip()))
        return self.is_behind_blank or count > 1 or (count == 1 and is_title)

    def may_be_title(self) -> bool:
        """Whether lines of one value may be a title all the same: Report;;; or name;;; or 2026;;;"""
        is_words = self.reads_like_titles() or self._count_data_columns() > 0
        return is_words and self.table[0].width > 2

    def is_apart(self) -> bool:
        """Whether the lines above a table without a header cannot be rows of it that lack values."""
        if self.is_behind_blank:
            return bool(self.titles)
        return is_data_column(self.table, 0) and any(is_phrase(_as_row(values)) for values in self.titles)

    def _count_data_columns(self) -> int:
        return sum(is_data_column(self.table[1:], position) for position in range(self.table[0].width))


def _is_seen(row: SampledRow) -> bool:
    return row.seen > 0


def _count_to_last(row: SampledRow) -> int:
    """How many fields there are up to the last that is not empty."""
    filled = [position for position in range(row.seen) if row.text(position).strip()]
    return max(filled, default=-1) + 1


def _values(row: SampledRow) -> list[str]:
    """The fields that are not empty."""
    return list(filter(None, (row.text(position).strip() for position in range(row.seen))))


def _as_row(values: Sequence[str]) -> SampledRow:
    return SampledRow(len(values), plain=tuple(values))


def _shorten_row(row: SampledRow, width: int) -> SampledRow:
    """The first fields of a record."""
    return row._replace(width=width, marked=row.marked[:width], plain=row.plain[:width])
