"""The records of a sample of CSV as one dialect reads them: fields as the text has them, and quotes that break it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from millrace.engine.formats.csv.dialect import Dialect
from millrace.engine.formats.limits import MAX_COLUMNS

_LINE_END = re.compile(r"\r\n|\n|\r")
MOST_RATED_CELLS = 2000
"""Cells cost time, and the first ones say enough; of all other records the width is what matters."""


class SampledCell(NamedTuple):
    """A field as the text has it; ``quoted`` if it is quoted by the rules, ``stray`` if a quote breaks them."""

    raw: str
    quoted: bool = False
    stray: bool = False

    @property
    def text(self) -> str:
        """The field without the quotes around it."""
        if self.quoted:
            return self.raw[1:-1]
        return self.raw


class SampledRow(NamedTuple):
    """A record of a sample; cells are left out behind those that are looked at.

    ``plain`` are the fields of a text without quotes and escapes, of which nothing else is to be said: most files are
    such, and a cell made of each field took a third of the time.
    """

    width: int
    marked: tuple[SampledCell, ...] = ()
    stray: bool = False
    quoted: int = 0
    ends_empty: bool = False
    after_blank: bool = False
    plain: tuple[str, ...] = ()

    @property
    def cells(self) -> tuple[SampledCell, ...]:
        """The fields, with what is to be said of each."""
        return self.marked or tuple(map(SampledCell, self.plain))

    @property
    def seen(self) -> int:
        """How many fields are looked at: all, or none."""
        return len(self.marked) or len(self.plain)

    def text(self, position: int) -> str:
        """One field without the quotes around it."""
        return self.marked[position].text if self.marked else self.plain[position]


@dataclass(slots=True)
class Sample:
    """The records of a sample; ``is_open`` if the file ends inside quotes."""

    rows: list[SampledRow] = field(default_factory=list)
    is_open: bool = False

    def cells(self) -> Iterator[SampledCell]:
        """The cells that are looked at, record by record."""
        for row in self.rows:
            yield from row.cells


def read_sample(dialect: Dialect, text: str, *, final: bool) -> Sample:
    """The records of a text; the last is left out where the text is not the whole file and may cut it."""
    if _has(dialect.quote, text) or _has(dialect.escape, text):
        return _Walk(dialect, text, final=final).sample
    return _split_lines(dialect, text, final=final)


def _has(special: str | None, text: str) -> bool:
    return bool(special) and str(special) in text


def _split_lines(dialect: Dialect, text: str, *, final: bool) -> Sample:
    delimiter = dialect.delimiter
    lines = _split_at_line_ends(text)
    if not final and len(lines) > 1:
        lines.pop()
    rows, count, after_blank = list[SampledRow](), 0, False
    for line in lines:
        if not line or dialect.is_comment(line):
            after_blank = after_blank or not line
            continue
        width = line.count(delimiter) + 1
        plain = tuple[str, ...]()
        if count < MOST_RATED_CELLS:
            # A file with more columns is refused anyway, and 4 MB of delimiters alone are 4 million cells: 400 MB.
            plain = tuple(line.split(delimiter, MAX_COLUMNS)[:MAX_COLUMNS])
        count += width
        # By position: by name it takes twice as long.
        rows.append(SampledRow(width, (), False, 0, line.endswith(delimiter), after_blank, plain))  # noqa: FBT003 - above
        after_blank = False
    return Sample(rows)


def _split_at_line_ends(text: str) -> list[str]:
    if "\r" in text:
        return _LINE_END.split(text)
    return text.split("\n")  # the same, ten times as fast


class _Walk:
    """Goes through a text field by field."""

    def __init__(self, dialect: Dialect, text: str, *, final: bool) -> None:
        self._dialect = dialect
        self._text = text
        self._final = final
        self._after_blank = False
        self.sample = Sample()
        self._walk()

    def _walk(self) -> None:
        at, row = self._behind_comments(0), list[SampledCell]()
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
                at = self._behind_comments(at)
        if row:  # the text ends in a delimiter
            self._end_record([*row, SampledCell("")], whole=self._final)

    def _behind_comments(self, at: int) -> int:
        """Where the next record begins."""
        while self._dialect.is_comment(self._text, at):
            match = _LINE_END.search(self._text, at)
            if match is None:
                return len(self._text)
            at = match.end()
        return at

    def _end_record(self, row: list[SampledCell], *, whole: bool) -> None:
        if len(row) == 1 and not row[0].raw:
            self._after_blank = True
            return
        # The sample may cut its last record. If it is the first one, too, it counts: a file needs a reading.
        if self.sample.rows and not whole:
            return
        quoted = strays = 0
        for cell in row:
            quoted += cell.quoted
            strays += cell.stray
        self.sample.rows.append(
            SampledRow(len(row), tuple(row), strays > 0, quoted, not row[-1].raw, self._after_blank)
        )
        self._after_blank = False

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
