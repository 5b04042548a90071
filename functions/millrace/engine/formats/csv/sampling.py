"""A sample of a CSV file read by one dialect: how its records look, and where its quotes contradict the dialect."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from millrace.engine.formats.csv.dialect import Dialect
from millrace.engine.formats.csv.plausible import rate_cells

_LINE_END = re.compile(r"\r\n|\n|\r")
_MOST_RATED_CELLS = 2000


class SampledCell(NamedTuple):
    """A field as the text has it; ``quoted`` if it is quoted by the rules, ``stray`` if a quote breaks them."""

    raw: str
    quoted: bool = False
    stray: bool = False


class SampledRow(NamedTuple):
    """A record of a sample; ``cells`` are left out behind those that are looked at."""

    width: int
    cells: tuple[SampledCell, ...] = ()
    stray: bool = False
    quoted: int = 0
    ends_empty: bool = False


@dataclass(slots=True)
class Sample:
    """The records of a sample; ``is_open`` if the file ends inside quotes."""

    rows: list[SampledRow] = field(default_factory=list)
    is_open: bool = False


def read_sample(dialect: Dialect, text: str, *, final: bool) -> Sample:
    """The records of a text; the last is left out where the text is not the whole file and may cut it."""
    specials = [character for character in (dialect.quote, dialect.escape) if character]
    if not any(special in text for special in specials):
        return _split_lines(dialect.delimiter, text, final=final)
    return _Walk(dialect, text, final=final).sample


def _split_lines(delimiter: str, text: str, *, final: bool) -> Sample:
    lines = _LINE_END.split(text)
    if not final and len(lines) > 1:
        lines.pop()
    rows, count = list[SampledRow](), 0
    for line in filter(None, lines):
        width = line.count(delimiter) + 1
        # Cells cost time, and the first ones say enough; of all other records the width is what matters.
        cells = tuple(map(SampledCell, line.split(delimiter))) if count < _MOST_RATED_CELLS else ()
        count += width
        rows.append(SampledRow(width, cells, ends_empty=line.endswith(delimiter)))
    return Sample(rows)


class _Walk:
    """Goes through a text field by field."""

    def __init__(self, dialect: Dialect, text: str, *, final: bool) -> None:
        self._dialect = dialect
        self._text = text
        self._final = final
        self.sample = Sample()
        self._walk()

    def _walk(self) -> None:
        at, row = 0, list[SampledCell]()
        while at < len(self._text):
            match = self._dialect.sampled_field.match(self._text, at)
            if match is None or self._is_open(match, at):
                self.sample.is_open = self._final
                self._end_record([*row, SampledCell(self._text[at:])], whole=False)
                return
            row.append(self._cell(match))
            at = match.end()
            if match["end"] != self._dialect.delimiter:
                self._end_record(row, whole=bool(match["end"]) or self._final)
                row = []
        if row:  # the text ends in a delimiter
            self._end_record([*row, SampledCell("")], whole=self._final)

    def _end_record(self, row: list[SampledCell], *, whole: bool) -> None:
        is_blank = len(row) == 1 and not row[0].raw
        if is_blank or (self.sample.rows and not whole):
            return
        quoted = sum(cell.quoted for cell in row)
        is_stray = any(cell.stray for cell in row)
        self.sample.rows.append(SampledRow(len(row), tuple(row), is_stray, quoted, not row[-1].raw))

    def _is_open(self, match: re.Match[str], at: int) -> bool:
        """Whether a quote is opened here that is not closed in all of the text."""
        is_plain = match["quoted"] is None
        begins_quoted = self._text[at] == self._dialect.quote
        return is_plain and begins_quoted and not self._dialect.closes_quote(self._text, at)

    def _cell(self, match: re.Match[str]) -> SampledCell:
        if match["quoted"] is not None:
            return SampledCell(match["quoted"], quoted=True)
        raw = match["plain"]
        return SampledCell(raw, stray=not self._dialect.lenient and self._dialect.has_quote(raw))


@dataclass(frozen=True, slots=True)
class Candidate:
    """How well a dialect explains a sample.

    ``width`` is the usual number of fields, ``alike`` how many of the ``records`` have it and no stray quote,
    ``plausible`` how much like values the cells look, from 0 to 1. ``first_width`` is that of the first record,
    ``most`` that of the widest, and ``shown`` a record of the usual width as the text has it, field by field.
    """

    dialect: Dialect
    width: int = 0
    alike: int = 0
    records: int = 0
    plausible: float = 1.0
    strays: int = 0
    quoted: int = 0
    is_open: bool = False
    first_width: int = 0
    most: int = 0
    shown: tuple[str, ...] = ()

    @property
    def delimiter(self) -> str:
        """What divides the fields."""
        return self.dialect.delimiter

    @property
    def share(self) -> float:
        """The share of records that are alike; 0 if they are not divided at all."""
        return self.alike / self.records if self.width > 1 and self.records else 0.0

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
        """Whether every record has one and the same width, and every quote is legal."""
        return self.alike == self.records and self.is_legal

    @property
    def explains_all(self) -> bool:
        """Whether it is regular and divides the records."""
        return self.width > 1 and self.is_regular


def judge_sample(dialect: Dialect, sample: Sample) -> Candidate:
    """How well the dialect explains the sample that was read by it."""
    rows = sample.rows
    width = _usual_width(rows)
    alike = sum(row.width == width and not row.stray for row in rows)
    if _have_trailing_delimiter(rows, width):
        alike += 1  # the header
    return Candidate(
        dialect,
        width=width,
        alike=alike,
        records=len(rows),
        plausible=rate_cells(_texts_to_rate(dialect, rows)),
        strays=sum(row.stray for row in rows),
        quoted=sum(row.quoted for row in rows),
        is_open=sample.is_open,
        first_width=rows[0].width if rows else 0,
        most=max((row.width for row in rows), default=0),
        shown=_show(rows, width if width > 1 else max((row.width for row in rows), default=0)),
    )


def _usual_width(rows: list[SampledRow]) -> int:
    """The number of fields that most records have; of equally frequent ones the larger."""
    widths = Counter(row.width for row in rows if not row.stray) or Counter(row.width for row in rows)
    return max(widths, key=lambda width: (widths[width], width), default=0)


def _have_trailing_delimiter(rows: list[SampledRow], width: int) -> bool:
    """Whether each record but the header ends in a delimiter: a,b over 1,2, and 3,4, is one table of two columns."""
    others = rows[1:]
    if not others or rows[0].stray or rows[0].width + 1 != width or width < 3:
        return False
    return all(row.width == width and row.ends_empty for row in others)


def _texts_to_rate(dialect: Dialect, rows: list[SampledRow]) -> Iterator[str]:
    count = 0
    for row in rows:
        for cell in row.cells:
            yield _text_to_rate(dialect, cell)
        count += row.width
        if count >= _MOST_RATED_CELLS:
            return


def _text_to_rate(dialect: Dialect, cell: SampledCell) -> str:
    """A cell without marks of the dialect; in quotes there may be anything, so that it speaks for the dialect."""
    if cell.quoted:
        return "quoted"
    text = cell.raw
    if dialect.escape and dialect.escape in text:
        marks = re.escape(dialect.escape) + rf"[{re.escape(dialect.delimiter)}\"'\\N]"
        text = re.sub(marks, "", text)
    if not dialect.quote:
        text = text.replace('"', "")
    return text


def has_torn_cell(sample: Sample, quote: str) -> bool:
    """Whether a cell that was read without quoting looks like the first part of a quoted one, such as ``"Paris``."""
    return any(_is_torn(cell.raw, quote) for row in sample.rows for cell in row.cells)


def _is_torn(raw: str, quote: str) -> bool:
    is_closed = len(raw) > 1 and raw.endswith(quote)
    return raw.startswith(quote) and not is_closed and raw.count(quote) % 2 == 1


def _show(rows: list[SampledRow], width: int) -> tuple[str, ...]:
    """The cells of a record of the usual width: the second, since the first may be a header and show little."""
    usual = [row.cells for row in rows if row.width == width and row.cells][:2]
    if not usual:
        return ()
    return tuple(_shown_cell(cell) for cell in usual[-1])


def _shown_cell(cell: SampledCell) -> str:
    return cell.raw[1:-1] if cell.quoted else cell.raw
