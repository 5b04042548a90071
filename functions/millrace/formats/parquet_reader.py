"""Reading Parquet: row group by row group, in batches of bounded size."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from millrace.errors import DataError, MalformedFile, TruncatedFile, UnsupportedType
from millrace.file_format import Compression, ReadOptions
from millrace.formats.base import BadRow, Records

BATCH_BYTES = 4 * 2**20
BATCH_ROWS = 4096  # a dictionary can make few bytes of a file many of memory: only few rows at a time are safe
_READ_AHEAD = 32 * 2**20
_MAGIC = b"PAR1"
_ENCRYPTED = b"PARE"
_NS_RANGE = (-(2**63) // 1000 + 1, (2**63 - 1) // 1000)


class _Source(io.RawIOBase):
    """A source as Arrow wants it, which remembers the errors that are its own."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.fault: BaseException | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._source.seek(offset, whence)

    def tell(self) -> int:
        return self._source.tell()

    def read(self, size: int = -1) -> bytes:
        try:
            return self._source.read(size)
        except BaseException as error:
            self.fault = error
            raise


def read(source: BinaryIO, options: ReadOptions, *, types: object = None, report: Callable[[BadRow], None]) -> Records:  # noqa: ARG001 # every reader takes them
    """Open a Parquet file; see ``formats.base.Reader``."""
    if options.compression is not Compression.NONE:
        raise MalformedFile(f"Parquet compresses inside; a {options.compression} file around it is not read")
    _check_ends(source)
    guarded = _Source(source)
    file = _translated(guarded, partial(_open, guarded))
    return Records(file.schema_arrow, _batches(guarded, file))


def _check_ends(source: BinaryIO) -> None:
    size = source.seek(0, io.SEEK_END)
    source.seek(0)
    head = source.read(4)
    source.seek(max(0, size - 4))
    tail = source.read(4)
    if _ENCRYPTED in {head, tail}:
        raise UnsupportedType("the Parquet file is encrypted; decrypt it first")
    if head != _MAGIC:
        raise MalformedFile(f"the file is not Parquet: it begins with {head!r} instead of {_MAGIC!r}", byte=0)
    if tail != _MAGIC or size < 12:
        raise TruncatedFile(f"the Parquet file stops after {size:,} bytes, before its footer", byte=size)


def _open(source: _Source) -> pq.ParquetFile:
    metadata = pq.read_metadata(source)
    size = min(2**20, max(2**14, _READ_AHEAD // max(1, metadata.num_columns)))
    options = {"metadata": metadata, "pre_buffer": False, "page_checksum_verification": True, "buffer_size": size}
    unit = _int96_unit(source, metadata, options)
    return pq.ParquetFile(source, coerce_int96_timestamp_unit=unit, **options)


def _int96_unit(source: _Source, metadata: pq.FileMetaData, options: Mapping[str, Any]) -> str | None:
    """The unit that keeps all int96 timestamps: nanoseconds, or microseconds where years lie too far away for them."""
    columns = [metadata.schema.column(place) for place in range(metadata.num_columns)]
    names = [column.path for column in columns if column.physical_type == "INT96"]
    if not names:
        return None
    fine = pq.ParquetFile(source, **options)
    coarse = pq.ParquetFile(source, coerce_int96_timestamp_unit="us", **options)
    far = lost = False
    pairs = zip(fine.iter_batches(columns=names), coarse.iter_batches(columns=names), strict=True)
    for exact, rounded in pairs:
        for ns, us in _leaves(exact, rounded):
            out = pc.or_(pc.less(us, _NS_RANGE[0]), pc.greater(us, _NS_RANGE[1]))
            far = far or bool(pc.any(out).as_py())
            digits = pc.not_equal(pc.multiply(us, 1000), ns)
            lost = lost or bool(pc.any(pc.and_(pc.invert(out), digits)).as_py())
    if far and lost:
        raise UnsupportedType(
            "int96 timestamps hold both nanoseconds and years beyond 1677 to 2262: no type keeps both"
        )
    return "us" if far else None


def _leaves(exact: pa.RecordBatch, rounded: pa.RecordBatch) -> Iterator[tuple[pa.Array, pa.Array]]:
    for one, other in zip(exact.columns, rounded.columns, strict=True):
        while pa.types.is_list(one.type):
            one, other = pc.list_flatten(one), pc.list_flatten(other)  # noqa: PLW2901 # goes down to the leaves
        if pa.types.is_timestamp(one.type):
            yield one.cast(pa.int64()), other.cast(pa.int64())


def _batches(source: _Source, file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    row = 0
    for group in range(file.metadata.num_row_groups):
        described = file.metadata.row_group(group)
        a_row = max(1, described.total_byte_size // max(1, described.num_rows))
        size = max(1, min(BATCH_ROWS, BATCH_BYTES // a_row))
        batches = file.iter_batches(batch_size=size, row_groups=[group], use_threads=False)
        while (batch := _translated(source, partial(next, batches, None), row + 1)) is not None:
            row += batch.num_rows
            yield batch
    if row != file.metadata.num_rows:
        raise MalformedFile(f"the footer promises {file.metadata.num_rows:,} rows, {row:,} were found", row=row)


def _translated(source: _Source, act: Callable[[], Any], row: int | None = None) -> Any:
    """What ``act`` gives; Arrow's errors become ours, the source's own stay theirs."""
    try:
        return act()
    except DataError:
        raise
    except pa.ArrowNotImplementedError as error:
        raise source.fault or UnsupportedType(f"the Parquet file uses what cannot be read: {error}", row=row) from error
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError, UnicodeDecodeError) as error:
        where = f"in or behind row {row:,}" if row else "in its footer"
        raise source.fault or MalformedFile(f"the Parquet file is damaged {where}: {error}", row=row) from error
