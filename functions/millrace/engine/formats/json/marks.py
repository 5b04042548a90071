"""Where the rows of a range of JSON text begin, and how many do, for each depth that the range may begin at.

A range is looked at without what is before it. So everything is noted for each number of brackets that may be open at
its beginning; only all ranges together say which it is. Worked example, of an array: if the range
``1}]}, {"a": 2}, {"a": 3}, {"`` begins four brackets deep, rows are behind the third that is closed. At level 4 there
are three commas, and the first place between two rows is the comma before ``{"a": 2}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from millrace.engine.native.library import Kernel, find_kernel
from millrace.engine.parts.documents import Document, get_integer, get_numbers

if TYPE_CHECKING:
    from millrace.engine.native.json_marks import LineCounts

LEVELS = 64
"""So many brackets and fewer may be open where a range begins."""
# A backslash outside of strings is none of JSON: it is only looked at for the quote behind it, as the kernel does.
_SIGN = re.compile(rb'\\["\\]?|["{}\[\],\n]')
_BETWEEN_OBJECTS = re.compile(rb"[ \t\r\n]*\{")
_BETWEEN_ELEMENTS = re.compile(rb"[ \t\r\n]*(,)[ \t\r\n]*\{")
_OBJECT_LINE = re.compile(rb"[ \t\r]*+(\{[^\n]*\})[ \t\r]*+\n")
_BLANK_LINE = re.compile(rb"[ \t\r]*+\n")


@dataclass(slots=True)
class Level:
    """What was seen between rows: commas, opened brackets, and the first place between two rows, -1 if there is none.

    ``rows`` and ``lines`` are how many commas (in an array) or opened brackets, and how many line ends, are before it.
    """

    commas: int = 0
    opens: int = 0
    place: int = -1
    rows: int = 0
    lines: int = 0


@dataclass(slots=True)
class RangeMarks:
    """What was seen of a range; ``depth`` is by how much it ends deeper than it begins.

    A level's number is that of the brackets which are open where the range begins, if it is the level of the rows.
    """

    depth: int = 0
    in_string: bool = False
    lines: int = 0
    levels: dict[int, Level] = field(default_factory=dict)

    def to_document(self) -> Document:
        """The marks, for ``from_document``."""
        levels = list[list[int]]()
        for number, level in sorted(self.levels.items()):
            levels.append([number, level.commas, level.opens, level.place, level.rows, level.lines])
        return {"depth": self.depth, "in_string": self.in_string, "lines": self.lines, "levels": levels}

    @classmethod
    def from_document(cls, document: Document) -> RangeMarks:
        """The marks that gave the document."""
        levels = dict[int, Level]()
        for number, *numbers in get_numbers(document, "levels"):
            levels[number] = Level(*numbers)
        return cls(get_integer(document, "depth"), bool(document["in_string"]), get_integer(document, "lines"), levels)

    def level(self, number: int) -> Level:
        """What was seen between rows, if so many brackets are open where the range begins."""
        return self.levels.get(number) or Level()


class Marker(Protocol):
    """Looks at a range, text by text."""

    @property
    def in_string(self) -> bool:
        """Whether what was looked at ends within a string."""
        ...

    def add(self, text: bytes, /) -> None:
        """Look at the next text."""
        ...

    def finish(self) -> RangeMarks:
        """What was seen."""
        ...


def find_marker(*, in_array: bool, in_string: bool, is_escaped: bool) -> Marker:
    """What looks at a range that begins in this state."""
    kernel = find_kernel()
    if kernel is None:
        return _PythonMarker(in_array=in_array, in_string=in_string, is_escaped=is_escaped)
    return _NativeMarker(kernel, in_array=in_array, in_string=in_string, is_escaped=is_escaped)


class _NativeMarker:
    def __init__(self, kernel: Kernel, *, in_array: bool, in_string: bool, is_escaped: bool) -> None:
        from millrace.engine.native import json_marks  # noqa: PLC0415 - it imports ctypes, for a kernel alone

        self._native = json_marks
        self._kernel = kernel
        self._in_array = in_array
        self._marks = json_marks.begin_marks(in_string=in_string, is_escaped=is_escaped)

    @property
    def in_string(self) -> bool:
        return bool(self._marks.state.in_string)

    def add(self, text: bytes) -> None:
        self._native.add_marks(self._kernel, text, self._marks, in_array=self._in_array)

    def finish(self) -> RangeMarks:
        marks = RangeMarks(self._marks.state.depth, bool(self._marks.state.in_string), self._marks.lines)
        for number, level in enumerate(self._marks.levels):
            if level.commas or level.opens:
                marks.levels[number] = Level(level.commas, level.opens, level.place, level.rows, level.lines)
        return marks


class _PythonMarker:
    """The same in Python; as there, a place is only seen if all between its rows is in one text."""

    def __init__(self, *, in_array: bool, in_string: bool, is_escaped: bool) -> None:
        self._in_array = in_array
        self._between = _BETWEEN_ELEMENTS if in_array else _BETWEEN_OBJECTS
        self._is_escaped = is_escaped
        self._marks = RangeMarks(in_string=in_string)
        self._bytes = 0
        self._close = -1

    @property
    def in_string(self) -> bool:
        return self._marks.in_string

    def add(self, text: bytes) -> None:
        if not text:
            return
        begin = int(self._is_escaped and text[:1] in {b'"', b"\\"})
        self._is_escaped = False
        self._close = -1
        for match in _SIGN.finditer(text, begin):
            self._look_at(text, match[0], match.start())
        self._bytes += len(text)

    def _look_at(self, text: bytes, sign: bytes, at: int) -> None:
        if sign == b"\n":
            self._marks.lines += 1
        elif sign == b"\\":
            # A backslash alone is before a character that means nothing here, or ends the text: then it is for the next
            # one.
            self._is_escaped = at + 1 == len(text)
        elif sign == b'"':
            self._marks.in_string = not self._marks.in_string
        # A sign of two characters is an escaped quote or backslash, which is within a string.
        elif len(sign) == 1 and not self._marks.in_string:
            self._note(text, sign, at)

    def _note(self, text: bytes, sign: bytes, at: int) -> None:
        """Note a bracket or a comma."""
        if sign == b",":
            level = self._level()
            if self._in_array and level:
                level.commas += 1
        elif sign in b"{[":
            self._note_open(text, sign, at)
        else:
            self._marks.depth -= 1
        if sign == b"}":
            self._close = at + 1

    def _note_open(self, text: bytes, sign: bytes, at: int) -> None:
        if level := self._level():
            if sign == b"{" and level.place < 0 <= self._close:
                self._note_cut(text, level, self._close, at)
            level.opens += 1
        self._marks.depth += 1

    def _level(self) -> Level | None:
        # Rows of an array are within one bracket. Where one more was closed than opened since the range began, two were
        # open at its beginning if this is between rows: level 2.
        number = int(self._in_array) - self._marks.depth
        if not 0 <= number < LEVELS:
            return None
        return self._marks.levels.setdefault(number, Level())

    def _note_cut(self, text: bytes, level: Level, close: int, open_at: int) -> None:
        between = self._between.match(text, close)
        if between is None or between.end() != open_at + 1:
            return
        place = between.start(1) if self._in_array else open_at
        level.place = self._bytes + place
        level.rows = level.commas if self._in_array else level.opens
        level.lines = self._marks.lines - text.count(b"\n", place, open_at)

    def finish(self) -> RangeMarks:
        self._marks.levels = {
            number: level for number, level in self._marks.levels.items() if level.commas or level.opens
        }
        return self._marks


@dataclass(slots=True)
class LineCount:
    """Whole lines that are blank or one object by its braces: how many rows and lines, and where the next begins."""

    rows: int = 0
    lines: int = 0
    at: int = 0

    def pass_plain_lines(self, text: bytes) -> None:
        """Go on behind the lines that begin at the place and are so; the next one may be anything."""
        kernel = find_kernel()
        if kernel is None:
            self._pass_by_python(text)
        else:
            self._pass_by_kernel(kernel, text)

    def _pass_by_kernel(self, kernel: Kernel, text: bytes) -> None:
        from millrace.engine.native import json_marks  # noqa: PLC0415 - it imports ctypes, for a kernel alone

        counts: LineCounts = json_marks.LineCounts()
        self.at += json_marks.count_lines(kernel, text, self.at, counts)
        self.rows += counts.rows
        self.lines += counts.lines

    def _pass_by_python(self, text: bytes) -> None:
        while True:
            if line := _BLANK_LINE.match(text, self.at):
                pass
            elif (line := _OBJECT_LINE.match(text, self.at)) and _is_one_object(line[1]):
                self.rows += 1
            else:
                return
            self.lines += 1
            self.at = line.end()


def _is_one_object(text: bytes) -> bool:
    """Whether the brace that the text begins with is closed by its last one and by no other before."""
    depth = 0
    for at, brace in _braces(text):
        depth += 1 if brace == b"{" else -1
        if depth == 0:
            return at == len(text) - 1
    return False


def _braces(text: bytes) -> Iterator[tuple[int, bytes]]:
    """The braces that are not in strings, and where they are."""
    in_string = False
    for match in _SIGN.finditer(text):
        if match[0] == b'"':
            in_string = not in_string
        elif match[0] in {b"{", b"}"} and not in_string:
            yield match.start(), match[0]
