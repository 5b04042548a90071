"""Where the rows of a range of JSON text begin, found by the kernel: see `source/json_marks.c`."""

from __future__ import annotations

import ctypes

from millrace.engine.native.json import JsonState
from millrace.engine.native.library import Kernel
from millrace.engine.native.seam import PADDING

LEVELS = 64
"""So many brackets and fewer may be open where a range begins."""


class JsonLevel(ctypes.Structure):
    """What was seen between rows; see `json_marks.c`."""

    commas: int
    opens: int
    place: int
    rows: int
    lines: int
    _fields_ = tuple((name, ctypes.c_int64) for name in ("commas", "opens", "place", "rows", "lines"))


class JsonMarks(ctypes.Structure):
    """What was seen of a range so far; see `json_marks.c`."""

    state: JsonState
    bytes: int
    lines: int
    levels: ctypes.Array[JsonLevel]
    _fields_ = (
        ("state", JsonState),
        ("bytes", ctypes.c_int64),
        ("lines", ctypes.c_int64),
        ("levels", JsonLevel * LEVELS),
    )


class LineCounts(ctypes.Structure):
    """Rows and lines that were counted."""

    rows: int
    lines: int
    _fields_ = (("rows", ctypes.c_int64), ("lines", ctypes.c_int64))


def begin_marks(*, in_string: bool, is_escaped: bool) -> JsonMarks:
    """Nothing seen yet of a range that begins in this state."""
    marks = JsonMarks(state=JsonState(0, in_string, is_escaped))
    for level in marks.levels:
        level.place = -1
    return marks


def add_marks(kernel: Kernel, text: bytes, marks: JsonMarks, *, in_array: bool) -> None:
    """Add the next text of a range."""
    function = kernel.bind(
        "millrace_json_marks",
        None,
        ctypes.c_char_p,
        ctypes.c_int64,
        ctypes.c_int32,
        ctypes.POINTER(JsonMarks),
    )
    function(text, len(text), in_array, ctypes.byref(marks))


def count_lines(kernel: Kernel, text: bytes, start: int, counts: LineCounts) -> int:
    """How many bytes from ``start`` are whole lines, each blank or one object by its braces; they are counted, too."""
    function = kernel.bind(
        "millrace_json_lines",
        ctypes.c_int64,
        ctypes.c_char_p,
        ctypes.c_int64,
        ctypes.POINTER(LineCounts),
    )
    passed: int = function(text[start:] + bytes(PADDING), len(text) - start, ctypes.byref(counts))
    return passed
