"""JSON text in pieces of about a megabyte, cut where a row probably ends: the parser of a piece finds out."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from millrace.engine.native.library import find_kernel
from millrace.engine.options import PlaceInFile

if TYPE_CHECKING:
    from millrace.engine.native.json import RowCutter

FIRST_BYTES = 2**15
"""The first piece is read exactly, which is slow, to learn the names and types that the others are likely to have.

It is the same with and without the kernel: groups of Parquet end where pieces do, so the output has the same bytes.
"""
_TAIL = 2**16
"""The end of a piece, in which there is nearly always a boundary between rows."""
_BEGINNING = PlaceInFile()
_SPACE = b" \t\n\r"
_BETWEEN_LINES = b"}\n{"
_BETWEEN_OBJECTS = re.compile(rb"\}[ \t\n\r]*(?=\{)")
_BETWEEN_ELEMENTS = re.compile(rb"\}[ \t\n\r]*,[ \t\n\r]*(?=\{)")


class RowOrigins:
    """Where rows are in the file whose text in pieces is not the file's own."""

    def __init__(self) -> None:
        # Integers in arrays: a piece of a megabyte may have 100,000 rows.
        self._starts, self._bytes, self._lines = array("q"), array("q"), array("q")

    def extend(self, starts: Iterable[int], bytes_in_file: Iterable[int], lines: Iterable[int]) -> None:
        """Note that the next rows, at ``starts`` in the pieces, are at these bytes and in these lines of the file."""
        self._starts.extend(starts)
        self._bytes.extend(bytes_in_file)
        self._lines.extend(lines)

    def __len__(self) -> int:
        return len(self._starts)

    def __add__(self, other: RowOrigins) -> RowOrigins:
        both = RowOrigins()
        both._starts = self._starts + other._starts
        both._bytes = self._bytes + other._bytes
        both._lines = self._lines + other._lines
        return both

    def locate(self, byte: int) -> tuple[int, int]:
        """The byte and the line in the file of a byte in the pieces.

        Worked example: the second row begins at byte 20 of the pieces and at byte 130 of the file; 25 is 135 there.
        """
        at = max(0, bisect_right(self._starts, byte) - 1)
        return self._bytes[at] + byte - self._starts[at], self._lines[at]


@dataclass(frozen=True, slots=True)
class JsonPiece:
    """Some text, its offset and the number of its first line, if lines are counted.

    ``whole``: it seems to be rows and nothing else, apart from the signs of an array around and between them.
    ``origins``: where its rows are in the file, if the text is not the file's own; None: it is.
    """

    data: bytes
    byte: int
    line: int
    in_array: bool
    first: bool
    last: bool
    whole: bool
    origins: RowOrigins | None = None

    def divide(self, begin: int, end: int) -> DividedPiece:
        """The piece in three parts: that from ``begin`` to ``end`` is doubtful; a row begins at both places."""
        before = behind = None
        if begin:
            before = self._part(0, begin)
        if end < len(self.data):
            behind = self._part(end, len(self.data))
        return DividedPiece(self._part(begin, end), before, behind)

    def _part(self, begin: int, end: int) -> JsonPiece:
        return replace(
            self,
            data=self.data[begin:end],
            byte=self.byte + begin,
            line=self.line + self.data.count(b"\n", 0, begin),
            first=self.first and begin == 0,
            last=self.last and end == len(self.data),
        )


@dataclass(frozen=True, slots=True)
class DividedPiece:
    """A piece in which a row is doubtful, the rows before it, and those behind it that may be good again."""

    doubtful: JsonPiece
    before: JsonPiece | None = None
    behind: JsonPiece | None = None


class Feed(Protocol):
    """Gives a file's rows in pieces of text."""

    def pieces(self) -> Iterator[JsonPiece]:
        """All of the text."""
        ...


class JsonText(Protocol):
    """Text as UTF-8; ``start`` is the offset of its first byte in what it is read from."""

    start: int

    def read(self, size: int, /) -> bytes:
        """The next bytes; none at the end."""
        ...


class JsonFeed:
    """Cuts a stream of JSON text into pieces; ``place`` is where in its file what it is read from begins."""

    def __init__(
        self, stream: JsonText, block_bytes: int, *, counts_lines: bool, place: PlaceInFile = _BEGINNING
    ) -> None:
        self._stream = stream
        self._block_bytes = block_bytes
        self._counts_lines = counts_lines
        self._data = b""
        self._byte = place.byte + stream.start
        self._line = place.line
        self._is_part = place.byte > 0
        self._ended = False
        self._depth = 0
        self._in_array = False
        self._cutter = _find_cutter()

    def pieces(self) -> Iterator[JsonPiece]:
        """All of the text."""
        size, first = min(FIRST_BYTES, self._block_bytes), True
        while self._fill(size):
            if first:
                self._in_array = self._begins_array()
            last = self._ended and len(self._data) <= size
            # Without any boundary the piece is cut at its size, within a row: then it is not whole.
            end = len(self._data)
            if not last:
                end = self._end_of_rows(size)
            yield JsonPiece(
                self._data[: end or size],
                self._byte,
                self._line,
                in_array=self._in_array,
                first=first,
                last=last,
                whole=end > 0,
            )
            self._advance(end or size)
            size, first = self._block_bytes, False

    def _fill(self, size: int) -> bool:
        while not self._ended and len(self._data) <= size:
            data = self._stream.read(size + 1 - len(self._data))
            self._ended = not data
            self._data += data
        return bool(self._data)

    def _begins_array(self) -> bool:
        if self._is_part:  # of an array it begins with the bracket, of lines never with one
            return self._data.startswith(b"[")
        while not (begin := self._data.lstrip(_SPACE)[:1]) and not self._ended:
            self._advance(len(self._data))
            self._fill(self._block_bytes)
        return begin == b"["

    def _advance(self, size: int) -> None:
        self._byte += size
        if self._counts_lines:
            self._line += self._data.count(b"\n", 0, size)
        self._data = self._data[size:]

    def _end_of_rows(self, size: int) -> int:
        """Where the last row before ``size`` probably ends and another begins; 0 if none does."""
        # Most files have an object a line: one search from the end finds where the last line that fits ends.
        if not self._in_array:
            end = self._data.rfind(_BETWEEN_LINES, 0, size + 1)
            if end >= 0:
                self._depth = 0
                return end + len(b"}\n")
        if self._cutter is not None:
            return self._cutter.end_of_rows(self._data, size, in_array=self._in_array)
        return self._end_by_braces(size)

    def _end_by_braces(self, size: int) -> int:
        # Braces are counted, not parsed. In {"a":[{"b":1},{"b":2}]} the boundary after the comma is within a row: one
        # brace is open there. The last 64 KB nearly always have a boundary; only if not is all of the text searched.
        boundary = _BETWEEN_OBJECTS
        if self._in_array:
            boundary = _BETWEEN_ELEMENTS
        depth = self._depth + self._data.count(b"{", 0, size) - self._data.count(b"}", 0, size)
        for start in (max(0, size - _TAIL), 0):
            ends = list(map(re.Match.end, boundary.finditer(self._data, start, size + 1)))
            end, lowest = _lowest(self._data, ends, size, depth)
            is_best_guess = end > 0 and start == 0
            if lowest == 0 or is_best_guess:
                self._depth = 0
                return end
        self._depth = depth
        return 0


def _find_cutter() -> RowCutter | None:
    kernel = find_kernel()
    if kernel is None:
        return None
    from millrace.engine.native.json import RowCutter  # noqa: PLC0415 - it imports ctypes, for a kernel alone

    return RowCutter(kernel)


def _lowest(data: bytes, ends: list[int], size: int, depth: int) -> tuple[int, int]:
    """The last of the ends at which the fewest braces are open, and how many; at ``size`` it is ``depth`` of them.

    Braces in texts are counted, too: where they are not balanced, the best guess has another count than none.
    """
    best, lowest, behind = 0, size, size
    for end in reversed(ends):
        depth += data.count(b"}", end, behind) - data.count(b"{", end, behind)
        behind = end
        if depth < lowest:
            best, lowest = end, depth
        if depth == 0:
            break
    return best, lowest
