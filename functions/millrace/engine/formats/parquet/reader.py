"""Reading Parquet: row group by row group, in batches of bounded size."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from millrace.engine.formats.base import BadRow, Learned, Records
from millrace.engine.formats.limits import MAX_EXPANDED_BYTES, MAX_EXPANSION, MAX_PAGE_BYTES, check_columns
from millrace.engine.formats.parquet.binaries import read_as_texts
from millrace.engine.formats.parquet.dictionaries import measure_longest
from millrace.engine.formats.parquet.pages import measure_largest
from millrace.engine.formats.parquet.sizes import expand, plan_reading
from millrace.engine.formats.streams.first_bytes import name_compression
from millrace.engine.formats.streams.guarded import GuardedSource, say_place
from millrace.engine.options import Compression, ParquetBinary, ReadOptions, WorkSizes
from millrace.engine.parallel import processors
from millrace.engine.types import arrow_types
from millrace.errors import DataError, MalformedFile, TooBig, TruncatedFile, UnsupportedType

_READ_AHEAD = 32 * 2**20
_MAGIC = b"PAR1"
T = TypeVar("T")
_ENCRYPTED = b"PARE"
_NS_RANGE = (-(2**63) // 1000 + 1, (2**63 - 1) // 1000)
"""Microseconds since 1970 that fit into 64 bits as nanoseconds: the years 1677 to 2262."""
_US_RANGE = (-(2**63) // 1000 + 1, (2**63 - 1) // 1000 - 1)
"""Milliseconds that surely fit as microseconds."""


def read(
    source: BinaryIO,
    options: ReadOptions,
    *,
    learned: Learned | None = None,  # noqa: ARG001 - every reader takes it; Parquet says its types itself
    report: Callable[[BadRow], None],  # noqa: ARG001 - every reader takes it; Parquet has no bad rows
) -> Records:
    """Open a Parquet file; see ``formats.base.Reader``."""
    guarded, metadata = open_metadata(source, options)
    file = translate_errors(guarded, partial(_open, guarded, metadata, options.work))
    return _to_records(file, range(file.metadata.num_row_groups), options)


def read_groups(source: BinaryIO, options: ReadOptions, groups: range, int96_unit: str | None) -> Records:
    """The rows of some row groups, the first of which has the number ``options.place.row``; see ``read``.

    ``int96_unit`` is that of the whole file, which ``decide_int96_unit`` gives.
    """
    guarded, metadata = open_metadata(source, options)
    file = translate_errors(guarded, partial(_open_known, guarded, metadata, options.work, int96_unit))
    return _to_records(file, groups, options)


def _to_records(file: _OpenedParquet, groups: range, options: ReadOptions) -> Records:
    rows_before = options.place.row - 1
    records = Records(file.plain.schema_arrow, _batches(file, groups, rows_before))
    if options.parquet_binary is ParquetBinary.TEXT:
        return read_as_texts(records, rows_before)
    return records


def open_metadata(source: BinaryIO, options: ReadOptions) -> tuple[GuardedSource, pq.FileMetaData]:
    """A Parquet file and its footer; raise DataError if it is none, or damaged there."""
    if options.compression is not Compression.NONE:
        raise MalformedFile(f"Parquet compresses inside; a {options.compression} file around it is not read")
    _check_ends(source)
    guarded = GuardedSource(source)
    return guarded, translate_errors(guarded, partial(_read_metadata, guarded))


def _read_metadata(source: GuardedSource) -> pq.FileMetaData:
    metadata = pq.read_metadata(source)
    check_columns(metadata.num_columns, "the Parquet file")
    return metadata


def _check_ends(source: BinaryIO) -> None:
    size = source.seek(0, io.SEEK_END)
    source.seek(0)
    head = source.read(4)
    source.seek(max(0, size - 4))
    tail = source.read(4)
    if _ENCRYPTED in {head, tail}:
        raise UnsupportedType("the Parquet file is encrypted; decrypt it first")
    if head != _MAGIC:
        raise MalformedFile(
            f"the file is not Parquet: it begins with {head!r} instead of {_MAGIC!r}{_describe_packing(head)}", byte=0
        )
    if tail != _MAGIC or size < 12:
        raise TruncatedFile(f"the Parquet file stops after {size:,} bytes, before its footer", byte=size)


def _describe_packing(head: bytes) -> str:
    """What to do with a file that is compressed, which Parquet is inside."""
    compression = name_compression(head)
    if compression is None:
        return ""
    return f", as a {compression} file does; unpack it, since Parquet is compressed inside"


@dataclass(frozen=True, slots=True)
class _OpenedParquet:
    """An opened file: its source, the options of every reader of it, and how much is read at once.

    If it ``is_small``, ``plain`` takes each column chunk as one buffer, which is in memory.
    """

    source: GuardedSource
    options: Mapping[str, Any]
    plain: pq.ParquetFile
    work: WorkSizes
    is_small: bool

    @property
    def metadata(self) -> pq.FileMetaData:
        return self.plain.metadata

    @property
    def is_flat(self) -> bool:
        """Whether no column has others inside."""
        return bool(self.metadata.num_columns == len(self.plain.schema_arrow))

    def reader(self, dictionaries: tuple[str, ...], *, is_kept: bool) -> pq.ParquetFile:
        """A reader that gives these columns as dictionaries; ``is_kept``: of what is in memory, and without a copy."""
        if not dictionaries and is_kept == self.is_small:
            return self.plain
        return _open_reader(self.source, self.options, dictionaries, is_kept=is_kept)

    def measure(self, chunk: pq.ColumnChunkMetaData) -> int | None:
        """The bytes of the longest text in a dictionary that is in memory; see ``dictionaries.measure_longest``."""
        start = _start_of(chunk)
        return measure_longest(chunk, self.source.kept_part(start, start + _stored_size(chunk)))

    def first(self, group: int, leaves: Sequence[str]) -> pa.RecordBatch:
        """The first row of some leaves of a row group, read as dictionaries."""
        reader = self.reader(tuple(leaves), is_kept=False)
        batch = next(reader.iter_batches(batch_size=1, row_groups=[group], columns=leaves, use_threads=False), None)
        if batch is None:
            raise MalformedFile(f"row group {group} has no rows, though its columns have values")
        return batch


def _open(source: GuardedSource, metadata: pq.FileMetaData, work: WorkSizes) -> _OpenedParquet:
    unit = decide_int96_unit([find_int96_times(source, metadata, range(metadata.num_row_groups))])
    return _open_known(source, metadata, work, unit)


def _open_known(
    source: GuardedSource, metadata: pq.FileMetaData, work: WorkSizes, int96_unit: str | None
) -> _OpenedParquet:
    options = {**_reading_options(metadata), "coerce_int96_timestamp_unit": int96_unit}
    is_small = source.size <= work.row_group
    plain = _open_reader(source, options, (), is_kept=is_small)
    return _OpenedParquet(source, options, plain, work, is_small)


def _open_reader(
    source: GuardedSource, options: Mapping[str, Any], dictionaries: Sequence[str], *, is_kept: bool
) -> pq.ParquetFile:
    if is_kept:
        # Without a size of its own Arrow asks for whole chunks, which are there; otherwise it copies them piece by
        # piece. Of 64 MB of nested rows to JSON this was 4 % of the time.
        options = {**options, "buffer_size": 0}
    return pq.ParquetFile(source, read_dictionary=list(dictionaries), **options)


def _reading_options(metadata: pq.FileMetaData) -> dict[str, Any]:
    size = min(2**20, max(2**14, _READ_AHEAD // max(1, metadata.num_columns)))
    return {"metadata": metadata, "pre_buffer": False, "page_checksum_verification": True, "buffer_size": size}


@dataclass(frozen=True, slots=True)
class Int96Times:
    """Whether int96 timestamps are too far away for nanoseconds, and whether others need them.

    An int96 is a day and the nanoseconds in it, so it reaches far beyond 64 bits of nanoseconds, which end in 2262. The
    year 9999, a usual "never", fits microseconds; a time of 2026 with nine digits does not. Arrow wraps around without
    an error, so both are looked for.
    """

    are_far: bool = False
    have_nanoseconds: bool = False


def has_int96(metadata: pq.FileMetaData) -> bool:
    """Whether a file has int96 timestamps."""
    return bool(_int96_names(metadata))


def _int96_names(metadata: pq.FileMetaData) -> list[str]:
    columns = map(metadata.schema.column, range(metadata.num_columns))
    return [column.path for column in columns if column.physical_type == "INT96"]


def find_int96_times(
    source: GuardedSource, metadata: pq.FileMetaData, groups: range, *, is_part: bool = False
) -> Int96Times:
    """What the int96 timestamps of some row groups need; ``is_part``: others may have times that are far away."""
    names = _int96_names(metadata)
    if not names:
        return Int96Times()
    options = _reading_options(metadata)
    # An int96 has nanoseconds of any year; Arrow has 64 bits. 0001-01-01 needs microseconds and 12:00:00.000000001
    # needs nanoseconds: the values are looked at before a unit is chosen.
    coarse = pq.ParquetFile(source, coerce_int96_timestamp_unit="us", **options)
    of_groups = {"columns": names, "row_groups": list(groups)}
    # In milliseconds none wraps around: an int96 has days of 32 bits.
    safe = pq.ParquetFile(source, coerce_int96_timestamp_unit="ms", **options)
    for batch in safe.iter_batches(**of_groups):
        _check_years(batch)
    are_far = any(map(_has_far_times, coarse.iter_batches(**of_groups)))
    if not are_far and not is_part:
        return Int96Times()
    fine = pq.ParquetFile(source, **options)
    for exact, rounded in zip(fine.iter_batches(**of_groups), coarse.iter_batches(**of_groups), strict=True):
        if any(map(_is_lost, _times(exact), _times(rounded))):
            return Int96Times(are_far, have_nanoseconds=True)
    return Int96Times(are_far)


def decide_int96_unit(found: Sequence[Int96Times]) -> str | None:
    """The unit that keeps all int96 timestamps: None for nanoseconds, "us" if years lie too far away for them.

    Raises UnsupportedType if neither does.
    """
    if not any(times.are_far for times in found):
        return None
    if any(times.have_nanoseconds for times in found):
        raise UnsupportedType(
            "int96 timestamps hold both nanoseconds and years beyond 1677 to 2262: no type keeps both"
        )
    return "us"


def _check_years(batch: pa.RecordBatch) -> None:
    if any(_is_any_beyond(ms, _US_RANGE) for ms in _times(batch)):
        raise UnsupportedType("int96 timestamps hold years beyond 290,000: no type keeps them")


def _has_far_times(batch: pa.RecordBatch) -> bool:
    return any(_is_any_beyond(us, _NS_RANGE) for us in _times(batch))


def _is_any_beyond(counts: pa.Array, limits: tuple[int, int]) -> bool:
    is_beyond = pc.or_(pc.less(counts, limits[0]), pc.greater(counts, limits[1]))
    return bool(pc.any(is_beyond).as_py())


def _is_lost(ns: pa.Array, us: pa.Array) -> bool:
    """Whether a time has digits beyond microseconds."""
    # Of times far away, too: both numbers wrap around at 64 bits, and are the same there without such digits.
    return bool(pc.any(pc.not_equal(pc.multiply(us, 1000), ns)).as_py())


def _times(batch: pa.RecordBatch) -> Iterator[pa.Array]:
    """The batch's timestamps as integers, those in lists, too."""
    for column in batch.columns:
        values = column
        while arrow_types.is_list(values.type):
            values = pc.list_flatten(values)
        if arrow_types.is_timestamp(values.type):
            yield values.cast(pa.int64())


def _batches(file: _OpenedParquet, groups: range, rows_before: int) -> Iterator[pa.RecordBatch]:
    row, schema, size = rows_before, file.plain.schema_arrow, 0
    for group in groups:
        for batch in _group(file, group, row):
            row += batch.num_rows
            slices = expand(batch, schema, expanded_bytes=file.work.expanded)
            while (part := translate_errors(file.source, partial(next, slices, None), row)) is not None:
                size += max(part.nbytes, part.num_rows * part.num_columns)
                _check_expansion(size, file.source.size, row)
                yield part
    if row != rows_before + promised_rows(file.metadata, groups):
        raise MalformedFile(f"the footer promises {file.metadata.num_rows:,} rows, {row:,} were found", row=row)


def promised_rows(metadata: pq.FileMetaData, groups: range) -> int:
    """How many rows some row groups have by the footer; if they are all, what it says of the file counts."""
    if len(groups) == metadata.num_row_groups:
        return int(metadata.num_rows)
    return sum(metadata.row_group(group).num_rows for group in groups)


def _check_expansion(size: int, stored: int, row: int) -> None:
    if size > max(MAX_EXPANDED_BYTES, MAX_EXPANSION * stored):
        raise TooBig(
            f"the values are more than {MAX_EXPANSION:,} times as large as their Parquet file ({size:,} bytes from"
            f" {stored:,}) up to row {row:,}: it looks like a bomb and is not read on",
            row=row,
        )


def _group(file: _OpenedParquet, group: int, row: int) -> Iterator[pa.RecordBatch]:
    """A row group's batches, some of their columns as dictionaries."""
    described = file.metadata.row_group(group)

    def begin() -> Iterator[pa.RecordBatch]:
        _check_described(file, group)
        is_kept = _read_small_group(file.source, described, file.work.row_group)
        reading = plan_reading(
            described, file.plain, file.measure, partial(file.first, group), expanded_bytes=file.work.expanded
        )
        reader = file.reader(reading.dictionaries, is_kept=is_kept)
        # To put nested columns together takes longer than all that is done with them, so several threads do it. They
        # do not pay for flat ones, or for the one batch of a small object.
        is_long = not file.is_flat and described.num_rows > reading.rows
        use_threads = is_long and (file.work.processors or processors()) > 1
        return iter(reader.iter_batches(batch_size=reading.rows, row_groups=[group], use_threads=use_threads))

    batches = translate_errors(file.source, begin, row + 1)
    while (batch := translate_errors(file.source, partial(next, batches, None), row + 1)) is not None:
        row += batch.num_rows
        yield batch


def _check_described(file: _OpenedParquet, group: int) -> None:
    """Let Arrow look at the description of every column: what is wrong with one is an error here, an abort elsewhere.

    ``RowGroupMetaData.column`` ends the process where a description contradicts itself; a reader raises. It looks at
    all of them before it reads, so that it need not get any byte.
    """
    with file.source.closed_to_reads() as refusal:
        try:
            next(file.plain.iter_batches(batch_size=1, row_groups=[group], use_threads=False), None)
        except OSError:
            if file.source.fault is not refusal:
                raise
        file.source.fault = None


def _read_small_group(source: GuardedSource, group: pq.RowGroupMetaData, most: int) -> bool:
    """Read a row group of at most so many bytes in one go, and say whether it was one.

    A request for each page of each column would take longer.
    """
    chunks = list(map(group.column, range(group.num_columns)))
    if not chunks:
        return False
    start = min(map(_start_of, chunks))
    end = start + sum(map(_stored_size, chunks))
    is_inside = 0 <= start < end <= source.size
    if not is_inside or end - start > most:
        return False
    source.keep(start, end)
    for chunk in chunks:
        _check_pages(source, chunk)
    return True


def _stored_size(chunk: pq.ColumnChunkMetaData) -> int:
    return int(chunk.total_compressed_size)


def _start_of(chunk: pq.ColumnChunkMetaData) -> int:
    """Where a chunk's first page begins; a dictionary at 0 is none, since the file's mark is there."""
    return int(min(chunk.data_page_offset, chunk.dictionary_page_offset or 2**63))


def _check_pages(source: GuardedSource, chunk: pq.ColumnChunkMetaData) -> None:
    start = _start_of(chunk)
    largest = measure_largest(source.kept_part(start, start + chunk.total_compressed_size))
    if largest > MAX_PAGE_BYTES:
        raise TooBig(
            f"a page of the Parquet column {chunk.path_in_schema!r} has {largest:,} bytes unpacked; {MAX_PAGE_BYTES:,}"
            " are the most: write the file with smaller pages, or shorter values"
        )


_FOREIGN = (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError, UnicodeDecodeError)


def translate_errors(source: GuardedSource, act: Callable[[], T], row: int | None = None) -> T:
    """What ``act`` gives; Arrow's errors become refusals of a row, or of the footer."""
    return source.translate(act, _FOREIGN, _to_refusal, row)


def _to_refusal(error: Exception, row: int | None) -> DataError:
    if isinstance(error, pa.ArrowNotImplementedError):
        return UnsupportedType(f"the Parquet file uses what cannot be read: {error}", row=row)
    return MalformedFile(f"the Parquet file is damaged {say_place(row)}: {error}", row=row)
