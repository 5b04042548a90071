"""JSON text as record batches by the kernel: the batch with every value proven, or "not me"."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, IntFlag

import pyarrow as pa

from millrace.engine.native.library import Kernel
from millrace.engine.native.seam import PADDING, ExportedArray, NativeFault, SchemaForC, TypeEntry

_MOST_BYTES = 64 * 2**20
"""Of a batch that is mostly missing values; where they need more, Python reads the text in smaller batches."""
_BYTES_OF_TEXT = 16
"""A value of two bytes such as ``1,`` has up to 16 bytes in a column, and columns grow to twice what they need."""


class JsonForm(IntEnum):
    """How a field's values are written, `JsonForm` in `json_rows.h`."""

    PLAIN = 0
    BARE = 1
    """Doubles of which whole ones are written as 5, as integers are: there are some."""
    NULLS = 2
    """Texts of which none was seen yet."""
    ANY = 3
    """Texts that are JSON values themselves."""
    EMPTY_OBJECTS = 4
    """The same where ``{}`` is the only value."""


class JsonLayout(IntFlag):
    """How rows are in a text: as lines, or as elements of an array of which the text has a part."""

    LINES = 0
    IN_ARRAY = 1
    FIRST_OF_ARRAY = 2
    LAST_OF_ARRAY = 4


class SeenKind(IntFlag):
    """Kinds of values that a field of JSON values had, `SeenKind` in `json_raw.h`."""

    BOOL = 1
    WHOLE = 2
    NUMBER = 4
    TEXT = 8
    OBJECT = 16
    LIST = 32


class JsonEvidence(ctypes.Structure):
    """What was seen of one field's numbers; see `json_rows.h`."""

    whole: int
    low: int
    high: int
    numbers: int
    bare: int
    dotted: int
    scale: int
    longest: int
    kinds: int
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("whole", "low", "high", "numbers")),
        *((name, ctypes.c_int32) for name in ("bare", "dotted", "scale", "longest", "kinds", "reserved")),
    )


class _BatchLimits(ctypes.Structure):
    _fields_ = (("most_bytes", ctypes.c_int64), ("most_cells", ctypes.c_int64))


@dataclass(frozen=True, slots=True)
class ProvenRows:
    """A batch, and what was seen of each of the types of its schema, in their order in ``SchemaForC``."""

    batch: pa.RecordBatch
    evidence: ctypes.Array[JsonEvidence]


@dataclass(frozen=True, slots=True)
class RowsReader:
    """Reads texts whose rows have the fields of one schema; a batch has at most so many cells."""

    kernel: Kernel
    schema: pa.Schema
    description: SchemaForC
    most_cells: int

    def read(self, text: bytes, layout: JsonLayout) -> ProvenRows | NativeFault:
        """All rows of a text as one batch; else where the kernel gave up: in the row that begins at ``fault.byte``."""
        count = len(self.description.types)
        evidence = (JsonEvidence * count)()
        array, fault = ExportedArray(), NativeFault()
        limits = _BatchLimits(_MOST_BYTES + _BYTES_OF_TEXT * len(text), self.most_cells)
        code = _bind_rows(self.kernel)(
            text + bytes(PADDING),
            len(text),
            layout,
            self.description.types,
            count,
            self.description.columns,
            self.description.names,
            ctypes.byref(limits),
            evidence,
            ctypes.byref(array),
            ctypes.byref(fault),
        )
        if code:
            return fault
        return ProvenRows(array.to_batch(self.schema), evidence)


@functools.cache
def _bind_rows(kernel: Kernel) -> Callable[..., int]:
    function: Callable[..., int] = kernel.bind(
        "millrace_json_rows",
        ctypes.c_int32,
        ctypes.c_char_p,
        ctypes.c_int64,
        ctypes.c_int32,
        ctypes.POINTER(TypeEntry),
        ctypes.c_int32,
        ctypes.c_int32,
        ctypes.c_char_p,
        ctypes.POINTER(_BatchLimits),
        ctypes.POINTER(JsonEvidence),
        ctypes.POINTER(ExportedArray),
        ctypes.POINTER(NativeFault),
    )
    return function


class JsonState(ctypes.Structure):
    """What is open at a place in a text: braces, a string, a backslash; `JsonState` in `json_cut.c`.

    A range of a text, started in the state at its begin, ends in the state that the next range begins in.
    """

    depth: int
    in_string: int
    is_escaped: int
    _fields_ = (("depth", ctypes.c_int64), ("in_string", ctypes.c_int32), ("is_escaped", ctypes.c_int32))


def find_cut(kernel: Kernel, text: bytes, size: int, state: JsonState, *, in_array: bool) -> int:
    """Where the last row begins that has another before it, within the first ``size`` bytes; 0 if none does.

    ``state`` is that at the begin of the text, and becomes that behind these bytes.
    """
    return _bind_cut(kernel)(text, min(size, len(text)), in_array, ctypes.byref(state))


@functools.cache
def _bind_cut(kernel: Kernel) -> Callable[..., int]:
    function: Callable[..., int] = kernel.bind(
        "millrace_json_cut",
        ctypes.c_int64,
        ctypes.c_char_p,
        ctypes.c_int64,
        ctypes.c_int32,
        ctypes.POINTER(JsonState),
    )
    return function


class RowCutter:
    """Cuts text where a row ends, piece by piece; braces in strings are none to it."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._state = JsonState()

    def end_of_rows(self, text: bytes, size: int, *, in_array: bool) -> int:
        """Where the last row that ends within ``size`` bytes has another one behind it; 0 if none does.

        Where none does the next text is taken to begin at ``size``, otherwise at that place.
        """
        state = JsonState(self._state.depth, self._state.in_string, self._state.is_escaped)
        # The row behind may begin right at the size: its brace is looked at, too.
        end = find_cut(self._kernel, text, size + 1, state, in_array=in_array)
        if end:
            self._state = JsonState()
        else:
            find_cut(self._kernel, text, size, self._state, in_array=in_array)
        return end
