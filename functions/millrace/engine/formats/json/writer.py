"""Writing JSON: an object a line, or one array of objects; both as streams."""

from __future__ import annotations

import pyarrow as pa

from millrace.engine.formats.base import ByteSink, RecordWriter, Text
from millrace.engine.formats.text.rows import render_rows
from millrace.engine.formats.text.shapes import RowShape
from millrace.engine.native.library import find_kernel
from millrace.engine.options import WriteOptions


class _LinesWriter:
    """Writes an object a line."""

    def __init__(self, sink: ByteSink, into: pa.Schema) -> None:
        self._sink = sink
        self._schema = into
        self._rows = 0

    def write(self, rows: pa.RecordBatch | Text) -> None:
        """Write the next rows."""
        if not isinstance(rows, Text):
            rows = render_lines(rows, self._schema)
        for piece in rows.pieces:
            self._sink.write(piece)
            self._rows += _line_ends(piece)

    def close(self) -> int:
        """A file of lines has no end of its own."""
        return self._rows


class _DocumentWriter:
    """Writes an array, an object a line."""

    def __init__(self, sink: ByteSink, into: pa.Schema) -> None:
        self._sink = sink
        self._schema = into
        self._rows = 0

    def write(self, rows: pa.RecordBatch | Text) -> None:
        """Write the next rows."""
        if not isinstance(rows, Text):
            rows = render_document(rows, self._schema)
        for piece in rows.pieces:
            # Each row begins with a comma and a line end: the very first comma becomes the array's bracket.
            if self._rows:
                self._sink.write(piece)
            else:
                self._sink.write(b"[")
                self._sink.write(piece[1:])
            self._rows += _line_ends(piece)

    def close(self) -> int:
        """Close the array."""
        if self._rows:
            self._sink.write(b"\n]\n")
        else:
            self._sink.write(b"[]\n")
        return self._rows


class _ElementsWriter:
    """Writes a comma, and elements with commas between them: what an array has behind its first element."""

    def __init__(self, sink: ByteSink, into: pa.Schema) -> None:
        self._sink = sink
        self._schema = into
        self._rows = 0
        sink.write(b",")

    def write(self, rows: pa.RecordBatch | Text) -> None:
        """Write the next rows."""
        if not isinstance(rows, Text):
            rows = render_document(rows, self._schema)
        for piece in rows.pieces:
            # The first comma is there already.
            self._sink.write(piece if self._rows else piece[1:])
            self._rows += _line_ends(piece)

    def close(self) -> int:
        """Elements have no end of their own."""
        return self._rows


def render_lines(batch: pa.RecordBatch, into: pa.Schema) -> Text:
    """Rows as objects, each with a line end behind it; see ``formats.base.Render``."""
    return render_rows(batch, into, RowShape.JSON_LINES)


def render_document(batch: pa.RecordBatch, into: pa.Schema) -> Text:
    """Rows as objects, each with a comma and a line end before it; see ``formats.base.Render``."""
    return render_rows(batch, into, RowShape.JSON_ITEMS)


def _line_ends(piece: memoryview) -> int:
    """How many rows a piece holds: each has one line end, and none inside."""
    kernel = find_kernel()
    if kernel is None:
        return bytes(piece).count(b"\n")
    from millrace.engine.native.line_ends import count_line_ends  # noqa: PLC0415 - only a kernel needs ctypes

    return count_line_ends(kernel, piece)


def write_lines(sink: ByteSink, into: pa.Schema, options: WriteOptions) -> RecordWriter:  # noqa: ARG001 # every writer takes them
    """Begin a file of JSON lines; see ``formats.base.Writer``."""
    return _LinesWriter(sink, into)


def write_document(sink: ByteSink, into: pa.Schema, options: WriteOptions) -> RecordWriter:  # noqa: ARG001 # every writer takes them
    """Begin a file of one JSON array; see ``formats.base.Writer``."""
    return _DocumentWriter(sink, into)


def write_elements(sink: ByteSink, into: pa.Schema, options: WriteOptions) -> RecordWriter:  # noqa: ARG001 # every writer takes them
    """Begin a part of a file of one JSON array: its rows with a comma before each, the first comma at once."""
    return _ElementsWriter(sink, into)
