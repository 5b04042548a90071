"""Titles above a table that have as many fields as its rows, since a spreadsheet writes ``Report;;;``.

Such a line may be a header that names its first columns alone. It is a title if the lines below prove it, the header
if they prove that, and else the file is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from millrace.engine.formats.csv.records import SampledRow
from millrace.engine.formats.csv.titles import (
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
    if padded is None or not padded.reads_like_titles():
        return NO_TITLES
    count = len(padded.above)
    if not has_headers:
        if padded.is_apart():
            return PaddedTitles(count)
        return NO_TITLES
    if not has_row_of_names(padded.table[:1]) or padded.may_be_header():
        return NO_TITLES
    if padded.has_proof():
        return PaddedTitles(count)
    return PaddedTitles(count, is_sure=not padded.may_name_the_first())


@dataclass(frozen=True, slots=True)
class _Padded:
    """The first records, which have fewer values than the table, and the table without an empty last column."""

    above: Sequence[SampledRow]
    table: Sequence[SampledRow]

    @classmethod
    def split(cls, rows: Sequence[SampledRow]) -> _Padded | None:
        """The records above the first that is filled to the end, and those from there on."""
        seen = list(takewhile(_is_seen, rows))
        width = max(map(_count_filled, seen), default=0)
        above = list(takewhile(lambda row: _count_filled(row) < width, seen))
        table = [_shorten_row(row, width) for row in seen[len(above) :]]
        if not above or width < 2 or len(above) > MOST_TITLES or len(table) < FEWEST_ROWS:
            return None
        return cls(above, table)

    @property
    def titles(self) -> list[SampledRow]:
        """The records above that are not empty, without their empty fields at the end."""
        return [_shorten_row(row, _count_filled(row)) for row in self.above if _count_filled(row)]

    @property
    def is_behind_blank(self) -> bool:
        """Whether a blank line is directly above the table, or one of delimiters alone."""
        return self.table[0].after_blank or not _count_filled(self.above[-1])

    def reads_like_titles(self) -> bool:
        """Whether each of them begins with words; lines of delimiters alone say nothing."""
        return all(map(reads_like_title, self.titles))

    def may_be_header(self) -> bool:
        """Whether there is one line of several names: ``id;name;`` above rows of three has left one out."""
        titles = self.titles
        return len(titles) == 1 and titles[0].width > 1 and has_row_of_names(titles) and not self.is_behind_blank

    def has_proof(self) -> bool:
        """Whether the first record of the table, which is names, is surely its header."""
        # "Name;;" over Ann;Ulm;x and Bob;Rome;5 names one column, and one row has x for a number.
        count = sum(is_data_column(self.table[1:], position) for position in range(self.table[0].width))
        is_title = len(self.titles) != 1 or is_phrase(self.titles[0])
        return self.is_behind_blank or count > 1 or (count == 1 and is_title)

    def may_name_the_first(self) -> bool:
        """Whether one line has but its first field: Report;;; or name;;;"""
        return len(self.titles) == 1 and self.table[0].width > 2

    def is_apart(self) -> bool:
        """Whether the lines above a table without a header cannot be rows of it that lack values."""
        if self.is_behind_blank:
            return bool(self.titles)
        return is_data_column(self.table, 0) and any(map(is_phrase, self.titles))


def _is_seen(row: SampledRow) -> bool:
    return row.seen > 0


def _count_filled(row: SampledRow) -> int:
    """How many fields there are up to the last that is not empty."""
    filled = [position for position, text in enumerate(_texts(row), 1) if text]
    return max(filled, default=0)


def _texts(row: SampledRow) -> Iterable[str]:
    return (row.text(position).strip() for position in range(row.seen))


def _shorten_row(row: SampledRow, width: int) -> SampledRow:
    """The first fields of a record."""
    return row._replace(width=width, marked=row.marked[:width], plain=row.plain[:width])
