"""Columns that say where a row comes from: its file, its row there, when the file was modified, and which version.

They stand behind the source's own, before the transform: filters, fields and overrides may name them. Fields that the
transform does not choose leave them there all the same, since they were asked for by name.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import pyarrow as pa

from millrace.engine.file_origin import FileOrigin, FindOrigin
from millrace.engine.options import SourceColumn
from millrace.engine.tables.rows import PutAside, Table, TableRows
from millrace.errors import MalformedFile

_TYPES = {
    SourceColumn.FILE: pa.string(),
    SourceColumn.ROW: pa.int64(),
    SourceColumn.MODIFIED: pa.timestamp("us", tz="UTC"),
    SourceColumn.VERSION: pa.string(),
}


def add_source_columns(table: Table, columns: Sequence[SourceColumn], find_origin: FindOrigin) -> Table:
    """The table with these columns behind its own; the same table without any."""
    if not columns:
        return table
    return _TableWithOrigins(table, tuple(columns), find_origin)


@dataclass(frozen=True, slots=True)
class _TableWithOrigins:
    """A table, and where each of its rows comes from."""

    inner: Table
    columns: tuple[SourceColumn, ...]
    find_origin: FindOrigin

    def open(self, report: PutAside, /) -> tuple[pa.Schema, Generator[TableRows, None, None]]:
        """Read the files from their beginnings."""
        schema, pieces = self.inner.open(report)
        for column in self.columns:
            if column.field in schema.names:
                raise MalformedFile(
                    f"the file has a field {column.field!r} itself, which source_columns adds; rename it, or leave"
                    f" {column} out of source_columns",
                    column=column.field,
                )
        fields = [pa.field(column.field, _TYPES[column]) for column in self.columns]
        into = pa.schema([*schema, *fields], schema.metadata)
        return into, self._rows(pieces, into)

    def _rows(self, pieces: Generator[TableRows, None, None], into: pa.Schema) -> Generator[TableRows, None, None]:
        with closing(pieces):
            for rows in pieces:
                origin = self.find_origin(rows.file)
                added = [_values(column, rows, origin) for column in self.columns]
                yield replace(rows, batch=pa.RecordBatch.from_arrays([*rows.batch.columns, *added], schema=into))


def _values(column: SourceColumn, rows: TableRows, origin: FileOrigin) -> pa.Array:
    count = rows.batch.num_rows
    match column:
        case SourceColumn.ROW:
            return pa.array(rows.row_numbers, pa.int64())
        case SourceColumn.FILE:
            value: object = origin.file
        case SourceColumn.MODIFIED:
            value = origin.modified
        case SourceColumn.VERSION:
            value = origin.version
    return pa.repeat(pa.scalar(value, _TYPES[column]), count)
