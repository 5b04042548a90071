"""Writing CSV: missing is nothing, empty is ``""``; in a file of one column a row without value is a blank line."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from millrace import schema
from millrace.errors import UnsupportedType
from millrace.file_format import WriteOptions
from millrace.formats import rendering
from millrace.formats.base import ByteSink, RecordWriter, Text
from millrace.printing import joined

_NEEDS_NO_QUOTES = bytes(set(range(0x100)) - set(b'",\r\n'))


class _CsvWriter:
    """Writes a header and rows, commas between the fields, a line feed after each row."""

    def __init__(self, sink: ByteSink, into: pa.Schema, _options: WriteOptions) -> None:
        self._sink = sink
        self._schema = into
        self._rows = 0
        if len(into):
            names = pa.array(schema.column_names(into.names), pa.string())
            header = ",".join(_quoted(names).to_pylist())
            if header.startswith("\ufeff"):  # at a file's beginning it would be taken for a byte order mark
                header = header.replace(names[0].as_py(), f'"{names[0].as_py()}"', 1)
            sink.write(header.encode() + b"\n")

    def write(self, rows: pa.RecordBatch | Text) -> None:
        """Write the next rows."""
        text = rows if isinstance(rows, Text) else render(rows, self._schema)
        for piece in text.pieces:
            self._sink.write(piece)
        self._rows += text.rows

    def close(self) -> int:
        """A CSV file has no end of its own."""
        return self._rows


def render(batch: pa.RecordBatch, into: pa.Schema) -> Text:
    """Rows as lines; see ``formats.base.Render``."""
    if not len(into):
        _raise_without_columns(batch)
        return Text((), 0)
    parts = [_lines(part, into) for part in rendering.parts(batch)]
    return Text(tuple(map(joined, parts)), sum(map(len, parts)))


def _lines(batch: pa.RecordBatch, into: pa.Schema) -> pa.Array:
    cells = [
        _missing_as_nothing(_quoted(rendering.cells(column, field)))
        for column, field in zip(batch.columns, into, strict=True)
    ]
    rows = pc.binary_join_element_wise(*cells, ",")
    return pc.binary_join_element_wise(rows, "\n", "")


def _raise_without_columns(batch: pa.RecordBatch) -> None:
    """Refuse rows without any column: they would vanish."""
    if batch.num_rows:
        raise UnsupportedType(
            f"{batch.num_rows:,} rows have no field at all; they can be kept in json and json-doc only"
        )


def _quoted(texts: pa.Array) -> pa.Array:
    """Texts in quotes where they would be misread without."""
    if not len(texts):
        return texts
    special = bytes(joined(texts)).translate(None, _NEEDS_NO_QUOTES)
    if not special and pc.min(pc.binary_length(texts)).as_py() != 0:
        return texts
    needs = pc.equal(pc.binary_length(texts), 0)
    for character in {chr(byte) for byte in special}:
        needs = pc.or_(needs, pc.match_substring(texts, character))
    wrapped = pc.binary_join_element_wise('"', pc.replace_substring(texts, '"', '""'), '"', "")
    return pc.if_else(needs, wrapped, texts)


def _missing_as_nothing(texts: pa.Array) -> pa.Array:
    return pc.fill_null(texts, "") if texts.null_count else texts


def write(sink: ByteSink, into: pa.Schema, options: WriteOptions) -> RecordWriter:
    """Begin a CSV file; see ``formats.base.Writer``."""
    return _CsvWriter(sink, into, options)
