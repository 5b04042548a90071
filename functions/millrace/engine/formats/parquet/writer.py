"""Writing Parquet: row groups of bounded size, each leaf in the encoding that the first of them says is smallest."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from millrace.engine.formats.base import ByteSink, RecordWriter, Text, require_batch
from millrace.engine.formats.parquet.encoding import choose_encodings
from millrace.engine.formats.streams.arrow_sink import PassingSink
from millrace.engine.options import OutputCompression, WriteOptions
from millrace.errors import UnsupportedType

T = TypeVar("T")
GROUP_BYTES = 32 * 2**20
_OPTIONS: dict[str, Any] = {
    "version": "2.6",
    "write_page_checksum": True,
    "store_schema": True,
    "write_page_index": False,
    "store_decimal_as_integer": True,
}
_CODECS: dict[str, dict[str, Any]] = {
    "snappy": {"compression": "snappy"},
    "zstd": {"compression": "zstd", "compression_level": 3, "data_page_size": 4 * 2**20},
    "none": {"compression": "none"},
}
"""Level 3 of zstd costs no more than 1 and takes a tenth less; pages of 4 MB are what it needs for texts."""


class _RowGroup:
    """Batches gathered until they make a row group."""

    def __init__(self, most_rows: int) -> None:
        self.most_rows = most_rows
        self.batches: list[pa.RecordBatch] = []
        self.rows = 0
        self.bytes = 0

    def add(self, batch: pa.RecordBatch) -> None:
        self.batches.append(batch)
        self.rows += batch.num_rows
        self.bytes += batch.nbytes

    @property
    def is_full(self) -> bool:
        return self.rows >= self.most_rows or self.bytes >= GROUP_BYTES


class _ParquetWriter:
    """Writes row groups of about 32 MB, at most 122,880 rows."""

    def __init__(self, sink: ByteSink, into: pa.Schema, options: WriteOptions) -> None:
        self._sink = sink
        self._schema = into
        self._group_rows = options.group_rows
        metadata = dict(into.metadata or {})
        for name, value in sorted(options.lineage.items()):
            metadata[name.encode()] = value.encode()
        # Arrow writes metadata without entries as a field of its own: a schema that has none stays as it is.
        self._into = into
        if metadata:
            self._into = into.with_metadata(metadata)
        self._options = {**_OPTIONS, **_CODECS[options.compression or OutputCompression.PARQUET_SNAPPY]}
        self._group = _RowGroup(self._group_rows)
        self._writer: pq.ParquetWriter | None = None
        _name_refusal("columns", partial(pq.ParquetWriter, io.BytesIO(), self._into, **self._options))

    def write(self, rows: pa.RecordBatch | Text) -> None:
        """Write the next rows."""
        batch = require_batch(rows, self._into, "Parquet")
        while batch.num_rows:
            part = batch.slice(0, self._group_rows - self._group.rows)
            batch = batch.slice(part.num_rows)
            self._group.add(part)
            if self._group.is_full:
                self._flush()

    def _flush(self) -> pq.ParquetWriter:
        """Write what was gathered as a row group; the first one decides how the leaves are encoded."""
        table = pa.Table.from_batches(self._group.batches, self._schema).replace_schema_metadata(self._into.metadata)
        self._group = _RowGroup(self._group_rows)
        if self._writer is None:
            encodings = _name_refusal("values", partial(choose_encodings, table, self._options))
            options = {**self._options, **encodings.arguments}
            self._writer = pq.ParquetWriter(PassingSink(self._sink), self._into, **options)
        if table.num_rows:
            _name_refusal("values", partial(self._writer.write_table, table, row_group_size=self._group_rows))
        return self._writer

    def close(self) -> int:
        """Write the last row group and the footer, whose word the number of rows is."""
        writer = self._flush()
        writer.close()
        return int(writer.writer.metadata.num_rows)


def _name_refusal(what: str, act: Callable[[], T]) -> T:
    try:
        return act()
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        raise UnsupportedType(f"Parquet cannot hold these {what}: {error}") from error


def write(sink: ByteSink, into: pa.Schema, options: WriteOptions) -> RecordWriter:
    """Begin a Parquet file; see ``formats.base.Writer``."""
    return _ParquetWriter(sink, into, options)
