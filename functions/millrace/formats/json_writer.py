"""Writing JSON: an object a line, or one array of objects; both as streams."""

from __future__ import annotations

import pyarrow as pa

from millrace.file_format import WriteOptions
from millrace.formats import rendering
from millrace.formats.base import ByteSink, RecordWriter
from millrace.printing import joined


class _LinesWriter:
    """Writes an object a line."""

    def __init__(self, sink: ByteSink, into: pa.Schema) -> None:
        self._sink = sink
        self._schema = into

    def write(self, batch: pa.RecordBatch) -> None:
        """Write the next rows."""
        for part in rendering.parts(batch):
            self._sink.write(joined(rendering.json_rows(part, self._schema, before="", after="\n")))

    def close(self) -> None:
        """A file of lines has no end of its own."""


class _DocumentWriter:
    """Writes an array, an object a line."""

    def __init__(self, sink: ByteSink, into: pa.Schema) -> None:
        self._sink = sink
        self._schema = into
        self._empty = True

    def write(self, batch: pa.RecordBatch) -> None:
        """Write the next rows."""
        for part in rendering.parts(batch):
            rows = joined(rendering.json_rows(part, self._schema, before=",\n", after=""))
            if self._empty:
                self._sink.write(b"[")
                rows = rows[1:]
            self._empty = False
            self._sink.write(rows)

    def close(self) -> None:
        """Close the array."""
        self._sink.write(b"[]\n" if self._empty else b"\n]\n")


def write_lines(sink: ByteSink, into: pa.Schema, options: WriteOptions) -> RecordWriter:  # noqa: ARG001 # every writer takes them
    """Begin a file of JSON lines; see ``formats.base.Writer``."""
    return _LinesWriter(sink, into)


def write_document(sink: ByteSink, into: pa.Schema, options: WriteOptions) -> RecordWriter:  # noqa: ARG001 # every writer takes them
    """Begin a file of one JSON array; see ``formats.base.Writer``."""
    return _DocumentWriter(sink, into)
