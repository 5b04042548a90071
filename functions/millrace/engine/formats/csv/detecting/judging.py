"""How well a dialect explains a sample: whether its records have one width, and whether its cells look like values."""

from __future__ import annotations

import enum
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import filterfalse, islice

from millrace.engine.formats.csv.detecting.plausible import rate_cells
from millrace.engine.formats.csv.detecting.records import MOST_RATED_CELLS, Sample, SampledCell, SampledRow
from millrace.engine.formats.csv.dialect import Dialect


class Trailing(enum.Enum):
    """Which records end in a delimiter with nothing behind it, so that there is no column."""

    NONE = enum.auto()
    BELOW_HEADER = enum.auto()
    ALL = enum.auto()


@dataclass(frozen=True, slots=True)
class Candidate:
    """How well a dialect explains a sample.

    ``width`` is the usual number of fields, ``alike`` how many of the ``records`` have it and no stray quote,
    ``plausible`` how much like values the cells look, from 0 to 1, and ``worst`` how much the worst of them.
    ``first_width`` is that of the first record, ``most`` that of the widest, ``shown`` a record of the usual width as
    the text has it, field by field, and ``titles`` how many of the records are a title above the table, which nothing
    else is counted of.
    """

    dialect: Dialect
    width: int = 0
    alike: int = 0
    records: int = 0
    plausible: float = 1.0
    worst: float = 1.0
    strays: int = 0
    quoted: int = 0
    is_open: bool = False
    first_width: int = 0
    most: int = 0
    shown: tuple[str, ...] = ()
    titles: int = 0
    trailing: Trailing = Trailing.NONE

    @property
    def delimiter(self) -> str:
        """What divides the fields."""
        return self.dialect.delimiter

    @property
    def share(self) -> float:
        """The share of records that are alike; 0 if they are not divided at all."""
        if self.width < 2 or not self.records:
            return 0.0
        return self.alike / self.records

    @property
    def confidence(self) -> float:
        """The share of records that are alike of those that are no title; 0 if they are not divided at all."""
        if self.width < 2 or not self.records:
            return 0.0
        return self.alike / (self.records - self.titles)

    @property
    def score(self) -> float:
        """How constant the records are, times how plausible their cells."""
        return self.share * self.plausible

    @property
    def is_legal(self) -> bool:
        """Whether every quote is where the dialect allows one."""
        return not self.strays and not self.is_open

    @property
    def is_regular(self) -> bool:
        """Whether every record of the table has one and the same width, and every quote is legal."""
        return self.alike == self.records - self.titles and self.is_legal

    @property
    def explains_table(self) -> bool:
        """Whether it is regular and divides the records, perhaps below a title."""
        return self.width > 1 and self.is_regular

    @property
    def explains_all(self) -> bool:
        """Whether it is regular and divides the records, the first one, too."""
        return self.explains_table and not self.titles

    @property
    def explained(self) -> int:
        """2 if it explains all, 1 if it explains the table below a title, else 0."""
        return int(self.explains_table) + int(self.explains_all)


def judge_sample(dialect: Dialect, sample: Sample, titles: int = 0) -> Candidate:
    """How well the dialect explains the sample that was read by it, whose first records may be titles."""
    rows = sample.rows[titles:]
    width = _usual_width(rows)
    strays, quoted, alike, most = 0, 0, 0, 0
    for row in rows:
        strays += row.stray
        quoted += row.quoted
        alike += row.width == width and not row.stray
        most = max(most, row.width)
    if width > 2 and _have_trailing_below(rows, width):
        alike += 1  # the header
    rating = rate_cells(_texts_to_rate(dialect, rows))
    return Candidate(
        dialect,
        width=width,
        alike=alike,
        records=len(sample.rows),
        plausible=rating.mean,
        worst=rating.worst,
        strays=strays,
        quoted=quoted,
        is_open=sample.is_open,
        first_width=_first_width(sample),
        most=most,
        shown=_show(rows, width, most),
        titles=titles,
        trailing=_find_trailing(rows, width),
    )


def _first_width(sample: Sample) -> int:
    if not sample.rows:
        return 0
    return sample.rows[0].width


def _usual_width(rows: Sequence[SampledRow]) -> int:
    """The number of fields that most records have; of equally frequent ones the larger."""
    legal = filterfalse(_is_stray, rows)
    widths = Counter(map(_width_of, legal)) or Counter(map(_width_of, rows))
    return max(widths, key=lambda width: (widths[width], width), default=0)


def _is_stray(row: SampledRow) -> bool:
    return row.stray


def _width_of(row: SampledRow) -> int:
    return row.width


def _find_trailing(rows: Sequence[SampledRow], width: int) -> Trailing:
    if width < 2 or not rows:
        return Trailing.NONE
    if _end_empty(rows, width):
        return Trailing.ALL
    if _have_trailing_below(rows, width):
        return Trailing.BELOW_HEADER
    return Trailing.NONE


def _have_trailing_below(rows: Sequence[SampledRow], width: int) -> bool:
    """Whether each record but the header ends in a delimiter: a,b over 1,2, and 3,4, is one table of two columns."""
    below = rows[1:]
    if not below or rows[0].stray or rows[0].width + 1 != width:
        return False
    return _end_empty(below, width)


def _end_empty(rows: Sequence[SampledRow], width: int) -> bool:
    return all(row.width == width and row.ends_empty for row in rows)


def _texts_to_rate(dialect: Dialect, rows: Sequence[SampledRow]) -> list[str]:
    texts, count = list[str](), 0
    for row in rows:
        # A plain field has no mark of its dialect to take out. But without a quote in the dialect it may be "Paris",
        # whose quotes would count as text.
        if row.plain and dialect.quote:
            texts += row.plain
        else:
            texts += [_text_to_rate(dialect, cell) for cell in row.cells]
        count += row.width
        if count >= MOST_RATED_CELLS:
            break
    return texts


def _text_to_rate(dialect: Dialect, cell: SampledCell) -> str:
    """A cell without marks of the dialect; in quotes there may be anything, so that it speaks for the dialect."""
    if cell.quoted:
        return "quoted"
    text = cell.raw
    if dialect.escape and dialect.escape in text:
        # Paris\, France is plausible as one value once its escaped comma is gone.
        marks = re.escape(dialect.escape) + rf"[{re.escape(dialect.delimiter)}\"'\\N]"
        text = re.sub(marks, "", text)
    if not dialect.quote:
        text = text.replace('"', "")
    return text


def has_torn_cell(sample: Sample, quote: str) -> bool:
    """Whether a cell that was read without quoting looks like the first part of a quoted one, such as ``"Paris``."""
    return any(_is_torn(cell.raw, quote) for cell in sample.cells())


def _is_torn(raw: str, quote: str) -> bool:
    is_closed = len(raw) > 1 and raw.endswith(quote)
    return raw.startswith(quote) and not is_closed and raw.count(quote) % 2 == 1


def _show(rows: Sequence[SampledRow], width: int, most: int) -> tuple[str, ...]:
    """The cells of a record of the usual width: the second, since the first may be a header and show little.

    If most records have one field, the widest one shows how the dialect would divide.
    """
    shown_width = width
    if width < 2:
        shown_width = most
    # Only two of a thousand records are shown: no cell is made of any other.
    usual = list(islice((row for row in rows if row.width == shown_width and row.seen), 2))
    if not usual:
        return ()
    return tuple(cell.text for cell in usual[-1].cells)


def wraps_column(rows: Sequence[SampledRow]) -> bool:
    """Whether a column is within quotes throughout."""
    columns = zip(*(row.cells for row in rows if row.cells), strict=False)
    return any(map(_is_wrapped, columns))


def _is_wrapped(column: Sequence[SampledCell]) -> bool:
    """Whether all values are in quotes; there is at least one."""
    has_values = False
    for cell in column:
        if cell.raw and not cell.quoted:
            return False
        has_values = has_values or bool(cell.raw)
    return has_values


def holds_quote_in_quotes(sample: Sample, dialect: Dialect) -> bool:
    """Whether a quoted field holds a quote that is doubled or escaped, as a writer of such a dialect leaves it."""
    marks = [f"{dialect.quote}{dialect.quote}"]
    if dialect.escape:
        marks.append(f"{dialect.escape}{dialect.quote}")
    quoted = "\n".join(cell.text for cell in sample.cells() if cell.quoted)
    return any(mark in quoted for mark in marks)
