"""Parts of a JSON file: cut between two rows, found by what is open where each of its ranges begins.

| the file is | and bad rows | it is cut |
|---|---|---|
| one array | fail, or are put aside | at a comma between two of its elements |
| objects one behind the other | fail | where an object begins behind another one |
| the same | are put aside, each to the end of its line | behind line ends |

A range is looked at for both states that it may begin in, within a string or not; then all of them together say which
it was, from the first one on. Of a file that is no JSON all of this holds up to the fault, and nothing behind it
matters: the part that has it is refused.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

from millrace.engine.formats.base import Reader
from millrace.engine.formats.json.line_walk import LineRange, walk_lines
from millrace.engine.formats.json.marks import LEVELS, Marker, RangeMarks, find_marker
from millrace.engine.formats.streams.decompression import read_fully
from millrace.engine.formats.streams.encoding import JSON_ENCODING, Utf8Stream
from millrace.engine.option_list import say_option
from millrace.engine.options import BadRows, FileFormat, ReadOptions
from millrace.engine.parts.documents import get_document, get_integer, get_text
from millrace.engine.parts.frames import FileFrame, FilePart, RangeScan, TextRange
from millrace.engine.parts.ranges import BytesFromAnyPlace, divide, open_range, refuse_compressed
from millrace.errors import CannotBeCut

_READ_BYTES = 2**23
"""Of a range at once."""
_FIRST_BYTES = 2**16
"""Of a range at first: mostly its first line end is in them, which is all that some questions need."""
_LOOK_BACK = 2**12
"""Read at once where blanks or backslashes are passed over, of which a file may have any number."""
_SPACE = b" \t\n\r"
_KIND = "kind"
_ARRAY, _OBJECTS, _LINES = "array", "objects", "lines"
_TEXT_START = "text_start"
_STATES = {False: "outside", True: "inside"}
"""Whether a range begins within a string."""


@dataclass(frozen=True, slots=True)
class _PartBegin:
    """Where a part begins: its byte, and the numbers of its first row and line."""

    byte: int
    row: int = 1
    line: int = 1


@dataclass(frozen=True, slots=True)
class JsonParts:
    """How JSON files are divided; see ``parts.base.FormatParts``."""

    format: FileFormat

    def plan(self, source: BinaryIO, read: ReadOptions, part_bytes: int, /) -> FileFrame:
        """What the first sign says: whether it is an array."""
        _refuse_options(source, read)
        size = source.seek(0, io.SEEK_END)
        source.seek(0)
        stream = Utf8Stream(source, JSON_ENCODING)
        if stream.encoding.name != JSON_ENCODING:
            raise CannotBeCut(
                f"the file is in {stream.encoding.name}, whose signs cannot be seen in its bytes: write it in UTF-8",
                byte=0,
            )
        kind = _find_kind(stream, read)
        ranges = divide(0, size, part_bytes)
        return FileFrame(
            format=self.format,
            read=read,
            size=size,
            ranges=ranges,
            needs_scan=len(ranges) > 1,
            pinned={_KIND: kind, _TEXT_START: stream.start},
        )

    def scan(self, source: BinaryIO, frame: FileFrame, index: int, /) -> RangeScan:
        """Where rows begin in a range and how many, for all that may be open at its beginning."""
        place = frame.ranges[index]
        if get_text(frame.pinned, _KIND) == _LINES:
            begin = get_integer(frame.pinned, _TEXT_START) if not index else place.start
            lines = walk_lines(source, TextRange(begin, place.end), is_first=not index, size=frame.size)
            return RangeScan(index, lines.to_document())
        markers = _mark(source, frame, index)
        return RangeScan(index, {_STATES[state]: marker.finish().to_document() for state, marker in markers.items()})

    def split(self, frame: FileFrame, scans: Sequence[RangeScan], /) -> tuple[FilePart, ...]:
        """The parts: one begins in each range that has a place between two rows."""
        fold = _LineFold(frame.size) if get_text(frame.pinned, _KIND) == _LINES else _MarkFold(frame)
        for scan in scans:
            if not fold.add(scan):
                break
        begins = [_PartBegin(0), *fold.begins]
        parts = list[FilePart]()
        for index, begin in enumerate(begins):
            is_last = index == len(begins) - 1
            end = frame.size if is_last else begins[index + 1].byte
            parts.append(
                FilePart(index=index, start=begin.byte, end=end, row=begin.row, line=begin.line, is_last=is_last)
            )
        return tuple(parts)

    def open_part(self, source: BinaryIO, frame: FileFrame, part: FilePart, /) -> BinaryIO:
        """The part's bytes, as an array if the file is one."""
        text = open_range(source, part.start, part.end)
        if get_text(frame.pinned, _KIND) != _ARRAY:
            return text
        size = part.end - part.start
        return cast("BinaryIO", _ArrayOfPart(text, size, is_first=not part.index, is_last=part.is_last))

    def reader(self, _frame: FileFrame, _part: FilePart, /) -> Reader | None:
        """The format's own reader, which counts from the part's place."""
        return None


class _ArrayOfPart(BytesFromAnyPlace):
    """A part of an array as an array: a bracket for the comma that it begins with, and one behind its end.

    The part ``, {"a": 2}`` of ``[{"a": 1}, {"a": 2}, {"a": 3}]`` is read as ``[ {"a": 2}]``, each byte in its place.
    """

    def __init__(self, text: BinaryIO, size: int, *, is_first: bool, is_last: bool) -> None:
        super().__init__(size if is_last else size + 1)
        self._text = text
        self._text_size = size
        self._is_first = is_first

    def read(self, size: int = -1) -> bytes:
        """The next bytes; all that are left where no size is given."""
        if size < 0:
            return b"".join(iter(lambda: self.read(_READ_BYTES), b""))
        data = self._read_text(size)
        if not data and size and self._text_size <= self._at < self._size:
            data = b"]"
        self._at += len(data)
        return data

    def _read_text(self, size: int) -> bytes:
        wanted = min(size, self._text_size - self._at)
        if wanted <= 0:
            return b""
        self._text.seek(self._at)
        data = self._text.read(wanted)
        if self._at == 0 and not self._is_first:
            data = b"[" + data[1:]
        return data


class _MarkFold:
    """Goes from range to range, each with what was open at the end of the one before."""

    def __init__(self, frame: FileFrame) -> None:
        self.begins = list[_PartBegin]()
        self._frame = frame
        self._in_array = get_text(frame.pinned, _KIND) == _ARRAY
        self._depth = 0
        self._in_string = False
        self._rows = self._lines = self._arrays = 0

    def add(self, scan: RangeScan) -> bool:
        """Go through the next range; False if nobody can say where rows begin from here on: all of it is one part.

        The file is no JSON then, or it is several arrays, or dozens of brackets are open where the range begins.
        """
        state = _STATES[self._in_string]
        if state not in scan.found or not 0 <= self._depth < LEVELS - 1:
            return False
        marks = RangeMarks.from_document(get_document(scan.found, state))
        if not self._is_one_array(marks):
            return False
        level = marks.level(self._depth)
        if scan.index and level.place >= 0:
            byte = self._frame.ranges[scan.index].start + level.place
            self.begins.append(_PartBegin(byte, 1 + self._rows + level.rows, 1 + self._lines + level.lines))
        # Elements of an array have a comma between them; objects side by side have nothing, but a brace each.
        self._rows += level.commas if self._in_array else level.opens
        self._lines += marks.lines
        self._depth += marks.depth
        self._in_string = marks.in_string
        return True

    def _is_one_array(self, marks: RangeMarks) -> bool:
        """Whether no other array begins behind the file's first: between two of them no comma counts the row."""
        if not self._in_array:
            return True
        self._arrays += marks.level(self._depth + 1).opens
        return self._arrays <= 1


class _LineFold:
    """Goes from range to range, each of whole lines."""

    def __init__(self, size: int) -> None:
        self.begins = list[_PartBegin]()
        self._size = size
        self._place = _PartBegin(0)
        self._is_begun = False

    def add(self, scan: RangeScan) -> bool:
        """Go through the next range; False if what is behind here cannot be known, since a row is refused."""
        lines = LineRange.from_document(scan.found)
        if lines.start >= lines.end:
            return True
        if self._is_begun and lines.start != self._place.byte:
            raise CannotBeCut(
                f"a row that begins before byte {lines.start:,} goes on behind that line; where bad rows are put"
                " aside a file is cut at line ends: write one object a line, or let bad rows fail",
                byte=lines.start,
            )
        row, line = self._place.row, self._place.line
        if self._is_begun and 0 <= lines.cut < self._size:
            # The line end before the cut belongs to the part behind it: it begins with no bracket, whatever its rows.
            self.begins.append(_PartBegin(lines.cut - 1, row + lines.cut_rows, line + lines.cut_lines - 1))
        self._is_begun = True
        self._place = _PartBegin(lines.reached, row + lines.rows, line + lines.lines)
        return not lines.is_refused


def _refuse_options(source: BinaryIO, read: ReadOptions) -> None:
    refuse_compressed(source, read)
    if read.json_records is not None:
        option = say_option(read.face, "json_records")
        raise CannotBeCut(
            f"{option}: rows that are in lists within documents cannot be found in a part of the file alone; write one"
            " object a line"
        )


def _find_kind(stream: Utf8Stream, read: ReadOptions) -> str:
    """What the file is by its first sign, as its reader decides it."""
    while (data := stream.read(_LOOK_BACK)) and not data.strip(_SPACE):
        pass
    if data.lstrip(_SPACE)[:1] == b"[":
        return _ARRAY
    return _LINES if read.bad_rows is BadRows.QUARANTINE else _OBJECTS


def _mark(source: BinaryIO, frame: FileFrame, index: int) -> dict[bool, Marker]:
    """What was seen of a range, for each of the states that it may begin in."""
    place = frame.ranges[index]
    states: tuple[bool, ...] = (False, True) if index else (False,)
    if frame.read.bad_rows is BadRows.FAIL:
        states = _narrow(states, source, place)
    in_array, is_escaped = get_text(frame.pinned, _KIND) == _ARRAY, _is_escaped(source, place.start)
    markers = dict[bool, Marker]()
    for state in states:
        markers[state] = find_marker(in_array=in_array, in_string=state, is_escaped=is_escaped)
    for text in _read(source, place):
        for marker in markers.values():
            marker.add(text)
    return markers


def _narrow(states: tuple[bool, ...], source: BinaryIO, place: TextRange) -> tuple[bool, ...]:
    """The states that a range may begin in, seen by its first line end: no string of JSON holds one.

    Worked example: in ``a", "b": 1}`` and a line end, begun outside of a string, two strings are opened and one is
    closed, so it began within one. (Where bad rows are put aside a string may have a line end all the same.)
    """
    if len(states) == 1:
        return states
    marker = find_marker(in_array=False, in_string=False, is_escaped=_is_escaped(source, place.start))
    for text in _read(source, place):
        line_end = text.find(b"\n")
        marker.add(text if line_end < 0 else text[:line_end])
        if line_end >= 0:
            return (marker.in_string,)
    return states


def _read(source: BinaryIO, place: TextRange) -> Iterator[bytes]:
    source.seek(place.start)
    at, size = place.start, _FIRST_BYTES
    while at < place.end and (text := source.read(min(size, place.end - at))):
        yield text
        at += len(text)
        size = _READ_BYTES


def _is_escaped(source: BinaryIO, at: int) -> bool:
    """Whether the byte at a place is behind a backslash that escapes it: behind an odd number of them."""
    start, count = at, 0
    while start > 0:
        size = min(_LOOK_BACK, start)
        source.seek(start - size)
        before = read_fully(source, size)
        found = len(before) - len(before.rstrip(b"\\"))
        count += found
        if found < len(before):
            break
        start -= size
    return count % 2 == 1
