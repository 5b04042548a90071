"""Writing CSV: missing is nothing, empty is ``""``; in a file of one column a row without value is a blank line."""

from __future__ import annotations

import pyarrow as pa

from millrace.engine.formats.base import ByteSink, RecordWriter, Text
from millrace.engine.formats.text import rendering
from millrace.engine.formats.text.joining import joined_rows
from millrace.engine.formats.text.rows import render_rows
from millrace.engine.formats.text.shapes import RowShape
from millrace.engine.names import column_names
from millrace.engine.options import WriteOptions
from millrace.errors import UnsupportedType


class _CsvWriter:
    """Writes a header and rows, commas between the fields, a line feed after each row."""

    def __init__(self, sink: ByteSink, into: pa.Schema, _options: WriteOptions) -> None:
        self._sink = sink
        self._schema = into
        self._rows = 0
        if len(into):
            names = pa.array(column_names(into.names), pa.string())
            header = ",".join(joined_rows(rendering.quote_texts(names), len(names)).to_pylist())
            if header.startswith("\ufeff"):  # at a file's beginning it would be taken for a byte order mark
                header = header.replace(names[0].as_py(), f'"{names[0].as_py()}"', 1)
            sink.write(header.encode() + b"\n")

    def write(self, rows: pa.RecordBatch | Text) -> None:
        """Write the next rows."""
        if not isinstance(rows, Text):
            rows = render(rows, self._schema)
        for piece in rows.pieces:
            self._sink.write(piece)
        self._rows += rows.rows

    def close(self) -> int:
        """A CSV file has no end of its own."""
        return self._rows


def render(batch: pa.RecordBatch, into: pa.Schema) -> Text:
    """Rows as lines; see ``formats.base.Render``."""
    if not len(into):
        _raise_without_columns(batch)
        return Text((), 0)
    return render_rows(batch, into, RowShape.CSV_LINES)


def _raise_without_columns(batch: pa.RecordBatch) -> None:
    """Refuse rows without any column: they would vanish."""
    if batch.num_rows:
        raise UnsupportedType(
            f"{batch.num_rows:,} rows have no field at all; they can be kept in json and json-doc only"
        )


def write(sink: ByteSink, into: pa.Schema, options: WriteOptions) -> RecordWriter:
    """Begin a CSV file; see ``formats.base.Writer``."""
    return _CsvWriter(sink, into, options)
