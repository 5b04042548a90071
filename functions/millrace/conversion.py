"""Convert one file: a reader's record batches through a transformation into a writer, one batch in memory at a time."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import BinaryIO, Generic, Protocol, TypeVar

import pyarrow as pa

from millrace import schema
from millrace.errors import MalformedFile, TooManyPartitions
from millrace.file_format import FileFormat, ReadOptions, WriteOptions
from millrace.formats import READERS, WRITERS, BadRow, RecordWriter
from millrace.transform import BoundTransform, TableTransform, bind, directory, split

_MOST_ATTEMPTS = 3
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
MOST_PARTITIONS = 100
"""Outputs of one conversion: each holds up to a part of an upload and a row group in memory."""


class Sink(Protocol):
    """Where an output's bytes go; nothing of them is visible to anybody until its owner publishes it."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Take the next bytes."""
        ...

    def discard(self) -> None:
        """Forget all that was written; harmless when called twice."""
        ...


S = TypeVar("S", bound=Sink)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What becomes what, and how."""

    source_format: FileFormat
    target_format: FileFormat
    read: ReadOptions
    write: WriteOptions
    transform: TableTransform = TableTransform()  # noqa: RUF009 # frozen


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounts:
    """read = written + quarantined + filtered, always."""

    read: int
    written: int
    quarantined: int = 0
    filtered: int = 0


@dataclass(frozen=True, slots=True)
class Part(Generic[S]):
    """One output: its sink, its rows, and the partition's directory, None where the output is not divided."""

    directory: str | None
    sink: S
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted(Generic[S]):
    """A finished conversion: its counts and the sinks that hold the bytes, not yet published.

    Without a partition key there is one part; with one there are as many as values, none for a file without rows.
    """

    rows: RowCounts
    parts: tuple[Part[S], ...]
    quarantine: S | None = None

    def discard(self) -> None:
        """Discard every sink; harmless for those that are published."""
        for part in self.parts:
            part.sink.discard()
        if self.quarantine is not None:
            self.quarantine.discard()


def convert(
    source: BinaryIO,
    recipe: Recipe,
    *,
    open_output: Callable[[str | None], S],
    open_quarantine: Callable[[], S] | None = None,
    on_batch: Callable[[int], None] = lambda _rows: None,
    now: datetime = _NO_TIME,
    key: bytes | None = None,
) -> Converted[S]:
    """Convert a seekable binary ``source``.

    ``open_output`` is called with a partition's directory, or None, and anew whenever the conversion starts over with
    wider types; what it gave before has been discarded by then, as it has when an error is raised. ``on_batch`` hears
    the rows read so far after every batch, and may raise to stop. ``now`` is the instant that relative filters and
    record timestamps mean; ``key`` hashes obfuscated fields.

    Raises DataError, ConfigurationError, or whatever ``source``, the sinks and ``on_batch`` raise.
    """
    types: object = None
    for _ in range(_MOST_ATTEMPTS):
        outputs = _Outputs(open_output, open_quarantine)
        try:
            return _attempt(
                source,
                recipe,
                types,
                outputs,
                on_batch=on_batch,
                bound_to=partial(bind, recipe.transform, now=now, key=key),
            )
        except schema.Widened as widened:
            outputs.discard()
            types = widened.types
        except BaseException:
            outputs.discard()
            raise
    raise MalformedFile("the file's types changed while it was read again: does somebody write to it?")


class _Outputs(Generic[S]):
    """The sinks of one attempt, opened when they are needed."""

    def __init__(self, open_output: Callable[[str | None], S], open_quarantine: Callable[[], S] | None) -> None:
        self._open_output = open_output
        self._open_quarantine = open_quarantine
        self._opened: list[S] = []
        self.quarantine: S | None = None
        self.quarantined = 0

    def open(self, directory: str | None) -> S:
        output = self._open_output(directory)
        self._opened.append(output)
        return output

    def put_aside(self, bad: BadRow) -> None:
        """Write a bad row's line, number, place, reason and text to the quarantine; without one it is only counted."""
        self.quarantined += 1
        if self._open_quarantine is None:
            return
        if self.quarantine is None:
            self.quarantine = self._open_quarantine()
            self._opened.append(self.quarantine)
        self.quarantine.write(json.dumps(dataclasses.asdict(bad), ensure_ascii=False).encode(errors="replace") + b"\n")

    def discard(self) -> None:
        for sink in self._opened:
            sink.discard()


def _options(recipe: Recipe) -> ReadOptions:
    """The options to read with. From text to text every type is printed back as it was, so none has to be found."""
    if recipe.source_format is recipe.target_format is FileFormat.CSV and not recipe.read.column_types:
        return replace(recipe.read, infer_types=False)
    return recipe.read


class _Parts(Generic[S]):
    """The writers of one attempt, one a partition, and what they wrote."""

    def __init__(self, recipe: Recipe, bound: BoundTransform, outputs: _Outputs[S]) -> None:
        self._recipe = recipe
        self._bound = bound
        self._outputs = outputs
        self._writers: dict[str | None, tuple[S, RecordWriter]] = {}
        self._rows: Counter[str | None] = Counter()
        if bound.partition_field is None:
            self._writer(None)

    def write(self, batch: pa.RecordBatch) -> None:
        field = self._bound.partition_field
        if field is None:
            self._write(None, batch)
            return
        for value, part in split(batch, field):
            self._write(directory(field, value), part)

    def close(self) -> tuple[Part[S], ...]:
        for _, writer in self._writers.values():
            writer.close()
        return tuple(Part(name, sink, self._rows[name]) for name, (sink, _) in self._writers.items())

    def _write(self, name: str | None, batch: pa.RecordBatch) -> None:
        self._rows[name] += batch.num_rows
        self._writer(name).write(batch)

    def _writer(self, name: str | None) -> RecordWriter:
        if name not in self._writers:
            if len(self._writers) >= MOST_PARTITIONS:
                raise TooManyPartitions(
                    f"the file has more than {MOST_PARTITIONS} values of the partition_key"
                    f" {self._recipe.transform.partition_key!r}, which is the most that one object is divided into;"
                    " choose a field with fewer values, or split the file"
                )
            sink = self._outputs.open(name)
            write = WRITERS[self._recipe.target_format]
            self._writers[name] = sink, write(sink, self._bound.schema, self._recipe.write)
        return self._writers[name][1]


def _attempt(
    source: BinaryIO,
    recipe: Recipe,
    types: object,
    outputs: _Outputs[S],
    *,
    on_batch: Callable[[int], None],
    bound_to: Callable[[pa.Schema], BoundTransform],
) -> Converted[S]:
    source.seek(0)
    records = READERS[recipe.source_format](source, _options(recipe), types=types, report=outputs.put_aside)
    bound = bound_to(records.schema)
    parts = _Parts(recipe, bound, outputs)
    read = filtered = 0
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="encoder") as encoder:
        encoding: Future[None] | None = None
        for batch in records.batches:
            applied = bound.apply(batch, first_row=read + 1)
            if encoding is not None:
                encoding.result()
            encoding = encoder.submit(parts.write, applied.batch)
            read += batch.num_rows
            filtered += applied.filtered
            on_batch(read + outputs.quarantined)
        if encoding is not None:
            encoding.result()
    rows = RowCounts(
        read=read + outputs.quarantined,
        written=read - filtered,
        quarantined=outputs.quarantined,
        filtered=filtered,
    )
    return Converted(rows=rows, parts=parts.close(), quarantine=outputs.quarantine)
