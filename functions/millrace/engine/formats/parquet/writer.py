"""Writing Parquet: row groups of bounded size, each leaf in the encoding that the first of them says is smallest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from millrace.engine.formats.base import ByteSink, RecordWriter, Text, require_batch
from millrace.engine.formats.parquet.encoding import FEW_ROWS, Encodings, choose_encodings
from millrace.engine.formats.parquet.footers import (
    MAGIC,
    Footer,
    file_end,
    join_footers,
    read_footer,
    read_rows,
    split_file,
)
from millrace.engine.formats.parquet.long_values import LARGE_BATCH, spare_memory
from millrace.engine.native.library import find_kernel
from millrace.engine.options import OutputCompression, WriteOptions
from millrace.engine.parallel import WorkAhead
from millrace.engine.types.decimals import require_precision
from millrace.errors import UnsupportedType

if TYPE_CHECKING:
    from millrace.engine.formats.parquet.flat_groups import ColumnsInTheMaking, FlatEncoder

T = TypeVar("T")
_CHECKED_DIGITS = 18
"""Of decimals with so many digits, which are stored as integers, Arrow and the kernel look at each."""
_BYTES_AT_ONCE = 48 * 2**20
"""Row groups in the making together, such as three of 16 MB: each is in memory as rows and as a file."""
_SHARED_BYTES = 2**20
"""Rows of fewer bytes are encoded in one thread: to begin others takes as long."""
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


class _GatheredRows:
    """Batches gathered until they make a row group."""

    def __init__(self, options: WriteOptions) -> None:
        self.most_rows = options.group_rows
        self.most_bytes = options.group_bytes
        self.batches: list[pa.RecordBatch] = []
        self.rows = 0
        self.bytes = 0
        self.largest_bytes = 0

    def add(self, batch: pa.RecordBatch) -> None:
        self.batches.append(batch)
        self.rows += batch.num_rows
        size = batch.nbytes
        self.bytes += size
        self.largest_bytes = max(self.largest_bytes, size)

    @property
    def may_have_long_values(self) -> bool:
        return self.largest_bytes > LARGE_BATCH

    @property
    def is_small(self) -> bool:
        return self.bytes < _SHARED_BYTES

    @property
    def is_full(self) -> bool:
        return self.rows >= self.most_rows or self.bytes >= self.most_bytes


@dataclass(frozen=True, slots=True)
class _EncodedFile:
    """A file of one row group, or of none: what is between magic and footer, and the footer's bytes."""

    pieces: Sequence[bytes | memoryview]
    footer: bytes

    @property
    def rows(self) -> int:
        """How many rows the footer says that there are."""
        return read_rows(self.footer)

    def read_footer(self) -> Footer:
        """The footer as others can be joined to it."""
        return read_footer(self.footer)

    def end(self) -> bytes:
        """What the file ends with."""
        return file_end(self.footer)


@dataclass(frozen=True, slots=True)
class _EncodedGroup:
    """A row group as it is in a file, in pieces, and the footer of the file that it would be alone."""

    pieces: Sequence[bytes | memoryview]
    footer: Footer

    @property
    def rows(self) -> int:
        """How many rows the footer says that there are."""
        return self.footer.rows

    def read_footer(self) -> Footer:
        """The footer as others can be joined to it."""
        return self.footer

    def end(self) -> bytes:
        """What the file ends with."""
        return file_end(join_footers([self.footer], [0]))


_Encoded = _EncodedFile | _EncodedGroup


class _ArrowGroup:
    """Rows that Arrow encodes as a row group, in one thread; they are let go as soon as they are encoded."""

    helpers = 1

    def __init__(self, batches: list[pa.RecordBatch], encode: Callable[[list[pa.RecordBatch]], _EncodedFile]) -> None:
        self._batches = batches
        self._encode = encode
        self._files = list[_EncodedFile]()

    def work(self) -> None:
        """Encode the rows."""
        self._files.append(self._encode(self._batches))
        self._batches.clear()

    def finish(self) -> _EncodedFile:
        """The row group as a file of its own."""
        return self._files[0]


class _KernelGroup:
    """Rows that the kernel encodes as a row group, columns in several threads; or Arrow, if the kernel cannot.

    ``empty`` is the footer of a file without rows.
    """

    def __init__(self, columns: ColumnsInTheMaking, empty: Footer, by_arrow: _ArrowGroup) -> None:
        self.helpers = columns.count
        self._columns = columns
        self._empty = empty
        self._by_arrow = by_arrow

    def work(self) -> None:
        """Encode columns; the thread that finds one that is not for the kernel lets Arrow encode them all."""
        if not self._columns.encode_remaining():
            self._by_arrow.work()

    def finish(self) -> _Encoded:
        """The row group."""
        group = self._columns.finish()
        if group is None:
            return self._by_arrow.finish()
        return _EncodedGroup(group.pieces, replace(self._empty, rows=group.rows, groups=(group.describe(),)))


class _ParquetWriter:
    """Writes row groups of about 16 MB, at most 122,880 rows, several of them encoded at once if they are small.

    Each is encoded as a file of its own in memory, by the kernel or by Arrow; the files are joined. So the output has
    the same bytes whatever the number of processors.
    """

    def __init__(self, sink: ByteSink, into: pa.Schema, options: WriteOptions) -> None:
        self._sink = sink
        self._schema = into
        self._write = options
        metadata = dict(into.metadata or {})
        for name, value in sorted(options.lineage.items()):
            metadata[name.encode()] = value.encode()
        # Arrow writes metadata without entries as a field of its own: a schema that has none stays as it is.
        self._into = into
        if metadata:
            self._into = into.with_metadata(metadata)
        self._options = {**_OPTIONS, **_CODECS[options.compression or OutputCompression.SNAPPY_INSIDE]}
        self._group = _GatheredRows(options)
        self._encodings: Encodings | None = None
        most_at_once = max(1, _BYTES_AT_ONCE // options.group_bytes)
        self._encoding = WorkAhead[_Encoded](workers=options.processors, most=most_at_once)
        # Not `into.empty_table()`, which imports pandas where it is installed: 1.8 s.
        self._without_rows = _name_refusal("columns", partial(self._encode, [], {}))
        self._footers = list[Footer]()
        self._moves = list[int]()
        self._written = 0
        self._sink.write(MAGIC)

    def write(self, rows: pa.RecordBatch | Text) -> None:
        """Write the next rows."""
        batch = require_batch(rows, self._into, "Parquet")
        while batch.num_rows:
            room = self._group.most_rows - self._group.rows
            part = batch
            if batch.num_rows > room:  # a slice of 200 columns takes half a millisecond
                part = batch.slice(0, room)
            batch = batch.slice(part.num_rows)
            self._group.add(part)
            if self._group.is_full:
                self._flush()

    def _flush(self) -> None:
        """Begin to encode what was gathered as a row group; write what is ready meanwhile."""
        group = self._take_group()
        # While Arrow encodes, rows take their memory twice, so that no group waits for its turn. The kernel's threads
        # go on to the next at once, while the last is written.
        if group.helpers == 1:
            self._append_all(self._encoding.results(room=1))
        self._encoding.begin(group)
        self._append_all(self._encoding.results())

    def _take_group(self) -> _ArrowGroup | _KernelGroup:
        """The rows that were gathered, to be encoded; the first of them decide how the leaves are encoded."""
        group, self._group = self._group, _GatheredRows(self._write)
        table = pa.Table.from_batches(group.batches, self._schema)
        # A small object is encoded by Arrow before the kernel's way is prepared.
        flat = self._flat if group.rows >= FEW_ROWS else None
        if self._encodings is None:
            choose = partial(choose_encodings, table, self._options, flat, size=group.bytes)
            self._encodings = _name_refusal("values", choose, group.batches)
        arguments = self._encodings.arguments
        if group.may_have_long_values:
            arguments |= spare_memory(table)
        encode = partial(self._encode, arguments=arguments)
        by_arrow = _ArrowGroup(
            group.batches, lambda batches: _name_refusal("values", partial(encode, batches), batches)
        )
        if flat is None or group.may_have_long_values:
            return by_arrow
        columns = flat.begin(group.batches, self._encodings, self._options)
        return _KernelGroup(columns, self._empty, by_arrow)

    @cached_property
    def _empty(self) -> Footer:
        """The footer of a file without rows, which takes as long to read as it has columns."""
        return self._without_rows.read_footer()

    @cached_property
    def _flat(self) -> FlatEncoder | None:
        """What encodes rows of this schema by the kernel, if there is one and it knows the types."""
        kernel = find_kernel()
        if kernel is None:
            return None
        from millrace.engine.formats.parquet.flat_groups import open_flat_encoder  # noqa: PLC0415 - it imports ctypes

        return open_flat_encoder(kernel, self._into)

    def _encode(self, batches: list[pa.RecordBatch], arguments: Mapping[str, Any]) -> _EncodedFile:
        """Rows as the one row group of a file, or as a file without a row group if there are none."""
        for batch in batches:
            _require_precision(batch, beyond=_CHECKED_DIGITS)
        table = pa.Table.from_batches(batches, self._into)
        file = pa.BufferOutputStream()
        with pq.ParquetWriter(file, self._into, **self._options, **arguments) as writer:
            if table.num_rows:
                writer.write_table(table, row_group_size=table.num_rows)
        groups, footer = split_file(memoryview(file.getvalue()))
        return _EncodedFile([groups], bytes(footer))

    def _append_all(self, groups: Iterable[_Encoded]) -> None:
        for encoded in groups:
            self._footers.append(encoded.read_footer())
            self._moves.append(self._written)
            for piece in encoded.pieces:
                self._sink.write(piece)
                self._written += len(piece)

    def close(self) -> int:
        """Write the last row group and the footer, whose word the number of rows is."""
        if self._encodings is None:
            return self._close_alone()
        if self._group.rows:
            self._flush()
        self._append_all(self._encoding.close())
        self._sink.write(file_end(join_footers(self._footers, self._moves)))
        return sum(footer.rows for footer in self._footers)

    def _close_alone(self) -> int:
        """Write what rows there are as one file: most objects are one row group."""
        file: _Encoded = self._without_rows
        if self._group.rows:
            is_small = self._group.is_small
            self._encoding.begin(self._take_group(), may_be_alone=is_small)
            [file] = self._encoding.close()
            for piece in file.pieces:
                self._sink.write(piece)
        self._sink.write(file.end())
        return file.rows


def _name_refusal(what: str, act: Callable[[], T], batches: Sequence[pa.RecordBatch] = ()) -> T:
    """What ``act`` gives; raise UnsupportedType, with the column of the batches that is to blame if it is found."""
    try:
        return act()
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        for batch in batches:
            _require_precision(batch, beyond=0)
        raise UnsupportedType(f"Parquet cannot hold these {what}: {error}") from error


def _require_precision(batch: pa.RecordBatch, *, beyond: int) -> None:
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        require_precision(column, name, beyond=beyond)


def write(sink: ByteSink, into: pa.Schema, options: WriteOptions) -> RecordWriter:
    """Begin a Parquet file; see ``formats.base.Writer``."""
    return _ParquetWriter(sink, into, options)
