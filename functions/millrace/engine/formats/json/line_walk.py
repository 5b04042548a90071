"""Rows of a range of lines, as the reader that puts bad rows aside counts them.

A bad row goes to the end of the line that it begins in, a good one may go on behind it: only parsing says so. But if a
line begins with a brace and ends with its closing one it is a row, good or bad, and another one begins behind its end.
Most lines are so, and are counted without being parsed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, BinaryIO, cast

from millrace.engine.formats.base import BadRow
from millrace.engine.formats.json.exact import ExactParser
from millrace.engine.formats.json.feed import JsonPiece
from millrace.engine.formats.json.marks import LineCount
from millrace.engine.parts.documents import Document
from millrace.engine.parts.frames import TextRange
from millrace.errors import DataError

_WINDOW_BYTES = 2**23
"""Held at once: lines that are only counted by their braces are gone through by so many bytes."""
_PARSED_BYTES = 2**16
"""Given to the parser at once: it is asked for a single row, and what it has read behind that is in vain."""


@dataclass(frozen=True, slots=True)
class LineRange:
    """The lines that begin in a range, from ``start`` to ``end``, and their rows and line ends up to ``reached``.

    ``reached`` is where the last row ended, which may be behind the end. ``cut`` is behind a line that is a row by its
    braces, -1 if there is none: whatever is wrong with the row, it is seen before there. ``is_refused``: there is a row
    that cannot even be put aside, and nothing behind it was looked at.
    """

    start: int
    end: int
    reached: int
    rows: int
    lines: int
    cut: int = -1
    cut_rows: int = 0
    cut_lines: int = 0
    is_refused: bool = False

    def to_document(self) -> Document:
        """The range, for ``from_document``."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Document) -> LineRange:
        """The range that gave the document."""
        return cls(**cast("Mapping[str, Any]", document))


def walk_lines(source: BinaryIO, place: TextRange, *, is_first: bool, size: int) -> LineRange:
    """The rows of the lines that begin in a range of a file of ``size`` bytes; that a line begins there is assumed."""
    text = _Window(source, size)
    start = place.start if is_first else text.find_line(place.start)
    end = text.find_line(place.end)
    walk = _LineWalker(text, LineRange(start, max(start, end), start, 0, 0))
    try:
        while walk.found.reached < end:
            walk.go_on(end)
    except DataError:
        return replace(walk.found, is_refused=True)
    return walk.found


class _Window:
    """A file's bytes, some of them in memory."""

    def __init__(self, source: BinaryIO, size: int) -> None:
        self._source = source
        self._start = 0
        self._data = b""
        self.size = size

    def read(self, start: int, count: int) -> bytes:
        """So many bytes from a place on, fewer at the file's end."""
        end = min(start + count, self.size)
        if not self._start <= start <= end <= self._start + len(self._data):
            self._source.seek(start)
            self._start, self._data = start, self._fetch(max(end - start, min(_WINDOW_BYTES, self.size - start)))
        return self._data[start - self._start : end - self._start]

    def _fetch(self, count: int) -> bytes:
        pieces = list[bytes]()
        while count > 0 and (data := self._source.read(count)):
            pieces.append(data)
            count -= len(data)
        return b"".join(pieces)

    def find_line(self, at: int) -> int:
        """Where the first line begins at a place or behind it; the file's end if none does."""
        while 0 < at < self.size:
            data = self.read(at - 1, _PARSED_BYTES)
            if line_end := data.find(b"\n") + 1:
                return at - 1 + line_end
            at += len(data)
        return min(at, self.size)


class _RowAside(Exception):
    """A row was put aside; ``byte`` is where it begins."""

    def __init__(self, byte: int) -> None:
        super().__init__()
        self.byte = byte


def _stop_at(bad: BadRow) -> None:
    raise _RowAside(bad.byte or 0)


class _LineWalker:
    """Counts rows and lines from a place on; ``found`` is what it has counted."""

    def __init__(self, text: _Window, found: LineRange) -> None:
        self._text = text
        self.found = found

    def go_on(self, end: int) -> None:
        """Pass over plain lines up to ``end``, and over one row if it is in another line; raise its DataError."""
        # The first line that is a row ends soon, and the range is to be cut there.
        most = _PARSED_BYTES if self.found.cut < 0 else _WINDOW_BYTES
        at = self.found.reached
        text = self._text.read(at, min(most, end - at))
        count = LineCount()
        count.pass_plain_lines(text)
        self._add(at + count.at, count.rows, count.lines)
        if count.rows and self.found.cut < 0:
            cut = self.found.reached
            self.found = replace(self.found, cut=cut, cut_rows=self.found.rows, cut_lines=self.found.lines)
        is_whole = text.find(b"\n", count.at) >= 0 or at + len(text) == self._text.size
        if at + count.at < end and (is_whole or not count.at):
            self._pass_row()

    def _add(self, reached: int, rows: int, lines: int) -> None:
        self.found = replace(self.found, reached=reached, rows=self.found.rows + rows, lines=self.found.lines + lines)

    def _pass_row(self) -> None:
        """Pass over what begins here by parsing it: a row and no more, or blanks up to the file's end."""
        begin = self.found.reached
        pieces = self._pieces(begin)
        parser = ExactParser(lambda: next(pieces, None), _stop_at, block_bytes=_PARSED_BYTES)
        first = next(pieces)
        rows = 1
        try:
            if next(parser.rows(first), None) is None:
                rows = 0
            end = parser.byte
        except _RowAside as aside:
            end = self._text.find_line(aside.byte + 1)
        self._add(end, rows, self._count_lines(begin, end))

    def _pieces(self, at: int) -> Iterator[JsonPiece]:
        while data := self._text.read(at, _PARSED_BYTES):
            yield JsonPiece(data, at, 1, in_array=False, first=False, last=False, whole=False)
            at += len(data)

    def _count_lines(self, begin: int, end: int) -> int:
        count = 0
        while begin < end:
            data = self._text.read(begin, min(_PARSED_BYTES, end - begin))
            count += data.count(b"\n")
            begin += len(data)
        return count
