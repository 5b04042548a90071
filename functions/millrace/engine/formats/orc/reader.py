"""Reading ORC: stripe by stripe, in batches of bounded size."""

from __future__ import annotations

import importlib.util
import io
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import pyarrow as pa

from millrace.engine.formats.base import BadRow, Learned, Records
from millrace.engine.formats.limits import (
    MAX_CELLS,
    MAX_EXPANDED_BYTES,
    MAX_EXPANSION,
    check_columns,
    leaves,
)
from millrace.engine.formats.orc.tail import OrcTail, read_tail
from millrace.engine.formats.streams.guarded import GuardedSource, say_place
from millrace.engine.options import Compression, ReadOptions
from millrace.errors import DataError, MalformedFile, TooBig, TruncatedFile, UnsupportedType

_MAGIC = b"ORC"
_MOST_ROWS = 2**16
_ZONES = Path("/usr/share/zoneinfo")
_ZONES_VARIABLE = "TZDIR"
T = TypeVar("T")


def read(
    source: BinaryIO,
    options: ReadOptions,
    *,
    learned: Learned | None = None,  # noqa: ARG001 - every reader takes it; ORC says its types itself
    report: Callable[[BadRow], None],  # noqa: ARG001 - every reader takes it; ORC has no bad rows
) -> Records:
    """Open an ORC file; see ``formats.base.Reader``."""
    if options.compression is not Compression.NONE:
        raise MalformedFile(f"ORC compresses inside; a {options.compression} file around it is not read")
    _check_ends(source)
    _point_to_zones()
    guarded = GuardedSource(source)
    file = _translate_errors(guarded, partial(open_orc, guarded))
    tail = _translate_errors(guarded, partial(tail_of, file))
    schema: pa.Schema = _translate_errors(guarded, lambda: file.schema)
    check_columns(leaves(schema), "the ORC file")
    if len(set(schema.names)) < len(schema.names):
        raise UnsupportedType("the ORC file has two columns of one name, which are not told apart")
    _check_expansion(tail.expanded, guarded.size)
    rows = _rows_of_batch(schema, tail, file.nrows, options.work.expanded)
    return Records(schema, _batches(guarded, file.nrows, rows))


def open_orc(source: GuardedSource) -> Any:
    """Arrow's view of a file."""
    from pyarrow import orc  # noqa: PLC0415 - only who reads ORC needs its module

    return orc.ORCFile(pa.PythonFile(source, mode="r"))


def tail_of(file: Any) -> OrcTail:
    """What the file says of itself at its end."""
    return read_tail(file.reader.serialized_file_tail())


def _check_ends(source: BinaryIO) -> None:
    size = source.seek(0, io.SEEK_END)
    source.seek(0)
    head = source.read(len(_MAGIC))
    source.seek(max(0, size - 4))
    tail = source.read(4)
    if head != _MAGIC:
        raise MalformedFile(f"the file is not ORC: it begins with {head!r} instead of {_MAGIC!r}", byte=0)
    if tail[:3] != _MAGIC or size < 16:
        raise TruncatedFile(f"the ORC file stops after {size:,} bytes, before its footer", byte=size)


def _point_to_zones() -> None:
    """Let ORC find time zones where the system has none: it asks for them wherever there is a timestamp."""
    if _ZONES_VARIABLE in os.environ or _ZONES.exists():
        return
    zones = importlib.util.find_spec("tzdata")
    if zones is not None and zones.origin is not None:
        os.environ[_ZONES_VARIABLE] = str(Path(zones.origin).parent / "zoneinfo")


def _check_expansion(size: int, stored: int) -> None:
    if size > max(MAX_EXPANDED_BYTES, MAX_EXPANSION * stored):
        raise TooBig(
            f"the values are more than {MAX_EXPANSION:,} times as large as their ORC file ({size:,} bytes from"
            f" {stored:,}): it looks like a bomb and is not read"
        )


def _rows_of_batch(schema: pa.Schema, tail: OrcTail, rows: int, most_bytes: int) -> int:
    """How many rows are read at once: a text of 1 MB that all rows share is small in the file alone."""
    by_cells = MAX_CELLS // max(1, leaves(schema))
    by_bytes = most_bytes * rows // max(1, tail.expanded)
    return max(1, min(_MOST_ROWS, by_cells, by_bytes or 1))


def _batches(source: GuardedSource, promised: int, rows: int) -> Iterator[pa.RecordBatch]:
    batches = _translate_errors(source, partial(_scan, source, rows))
    row = size = 0
    while (batch := _translate_errors(source, partial(next, batches, None), row + 1)) is not None:
        row += batch.num_rows
        size += batch.nbytes
        _check_expansion(size, source.size)
        if batch.num_rows:
            yield batch
    if row != promised:
        raise MalformedFile(f"the footer promises {promised:,} rows, {row:,} were found", row=row)


def _scan(source: GuardedSource, rows: int) -> Iterator[pa.RecordBatch]:
    # ORCFile gives whole stripes: 20 million rows of two small columns took 351 MB, by a scanner 135 MB.
    from pyarrow import dataset  # noqa: PLC0415 - it takes time to import, and only ORC needs it

    fragment = dataset.OrcFileFormat().make_fragment(pa.PythonFile(source, mode="r"))
    scanner = fragment.scanner(batch_size=rows, use_threads=False, batch_readahead=1, fragment_readahead=1)
    batches: Iterator[pa.RecordBatch] = scanner.to_batches()
    return batches


_FOREIGN = (pa.ArrowException, OSError, ValueError, IndexError, OverflowError, MemoryError)


def _translate_errors(source: GuardedSource, act: Callable[[], T], row: int | None = None) -> T:
    return source.translate(act, _FOREIGN, _to_refusal, row)


def _to_refusal(error: Exception, row: int | None) -> DataError:
    where = say_place(row)
    if "nanosecond" in str(error):
        return UnsupportedType(
            f"the ORC file has a time {where} before 1677 or after 2262, which nanoseconds cannot hold: {error}",
            row=row,
        )
    if isinstance(error, pa.ArrowNotImplementedError):
        return UnsupportedType(f"the ORC file uses what cannot be read: {error}", row=row)
    return MalformedFile(f"the ORC file is damaged {where}: {error}", row=row)
