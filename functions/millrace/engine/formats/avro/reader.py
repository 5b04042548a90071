"""Reading Avro: block by block, in batches of bounded size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

import pyarrow as pa

from millrace.engine.formats.avro.columns import Cursor, RowColumn
from millrace.engine.formats.avro.container import AvroBlock, AvroFile, open_container
from millrace.engine.formats.avro.schema import to_columns
from millrace.engine.formats.base import BadRow, Learned, Records
from millrace.engine.formats.limits import MAX_CELLS, MAX_VALUES
from millrace.engine.formats.memory import without_collection
from millrace.engine.options import Compression, ReadOptions
from millrace.errors import DataError, MalformedFile, TooBig

_LOST = (IndexError, OverflowError, UnicodeDecodeError, ValueError, pa.ArrowException)


def read(
    source: BinaryIO,
    options: ReadOptions,
    *,
    learned: Learned | None = None,  # noqa: ARG001 - every reader takes it; Avro says its types itself
    report: Callable[[BadRow], None],  # noqa: ARG001 - every reader takes it; Avro has no bad rows
) -> Records:
    """Open an Avro container file; see ``formats.base.Reader``."""
    if options.compression is not Compression.NONE:
        raise MalformedFile(f"Avro compresses inside; a {options.compression} file around it is not read")
    file = open_container(source)
    columns = to_columns(file.schema)
    return Records(columns.schema, _batches(file, columns))


def _batches(file: AvroFile, columns: RowColumn) -> Iterator[pa.RecordBatch]:
    row = 0
    for block in file.blocks():
        for batch in _decode(block, columns, row):
            row += batch.num_rows
            yield batch


def _decode(block: AvroBlock, columns: RowColumn, row: int) -> Iterator[pa.RecordBatch]:
    _check_count(block, columns)
    cursor, left = Cursor(block.data), block.rows
    # Each value is an object until its batch is whole: a block of 64 MB may have 64 million that are missing.
    most = max(1, MAX_CELLS // max(1, len(columns.schema)))
    while left:
        batch = _decode_rows(block, columns, cursor, row, min(left, most))
        row += batch.num_rows
        left -= batch.num_rows
        yield batch
    if cursor.at != len(block.data):
        raise MalformedFile(
            f"{_place(block)} has {len(block.data) - cursor.at:,} bytes more than its {block.rows:,} rows",
            byte=block.byte,
        )


def _decode_rows(block: AvroBlock, columns: RowColumn, cursor: Cursor, row: int, most: int) -> pa.RecordBatch:
    """At most so many rows; fewer where their lists and maps are long."""
    rows, cursor.values = 0, 0
    try:
        with without_collection():
            while rows < most and cursor.values < MAX_CELLS:
                columns.read(cursor)
                rows += 1
        return columns.finish(rows)
    except DataError as error:
        raise type(error)(f"row {row + rows + 1:,}: {error}, in {_place(block)}", row=row + rows + 1) from error
    except _LOST as error:
        reason = str(error)
        if isinstance(error, IndexError):
            reason = "a value does not end where the block does"
        raise MalformedFile(
            f"{_place(block)} is damaged, in rows {row + 1:,} to {row + rows + 1:,}: {reason}",
            row=row + 1,
            byte=block.byte,
        ) from error


def _check_count(block: AvroBlock, columns: RowColumn) -> None:
    if block.rows * columns.least > len(block.data):
        raise MalformedFile(
            f"{_place(block)} says it has {block.rows:,} rows; its {len(block.data):,} bytes cannot hold them",
            byte=block.byte,
        )
    if not columns.least and block.rows > MAX_VALUES:
        raise TooBig(f"{_place(block)} has {block.rows:,} rows without any byte; it looks like a bomb", byte=block.byte)


def _place(block: AvroBlock) -> str:
    return f"block {block.number:,} at byte {block.byte:,}"
