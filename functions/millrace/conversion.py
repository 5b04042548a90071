"""Convert one file: a reader's record batches into a writer, the next one parsed while one is encoded."""

from __future__ import annotations

import dataclasses
import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import BinaryIO, Generic, Protocol, Self, TypeVar

import pyarrow as pa

from millrace import schema
from millrace.errors import DataError, MalformedFile, TooManyPartitions
from millrace.file_format import DuplicatePolicy, FileFormat, ReadOptions, WriteOptions
from millrace.formats import READERS, WRITERS, BadRow, RecordWriter
from millrace.transform import (
    BoundTransform,
    Identifiers,
    Superseded,
    TableTransform,
    bind,
    directory,
    duplicate_error,
    identifier_of,
    split,
)

MOST_ATTEMPTS = 3
NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
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
    duplicates: DuplicatePolicy = DuplicatePolicy.ERROR


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


PutAside = Callable[[BadRow, str | None], None]
"""Takes a row that could not be read, and the name of its file."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a table: the number of the first in its file, and the file's name, None where there is but one."""

    batch: pa.RecordBatch
    first: int
    file: str | None


class Table(Protocol):
    """What is converted: rows that can be read again and again."""

    def open(self, report: PutAside, /) -> tuple[pa.Schema, Generator[Rows, None, None]]:
        """The schema and the rows; ``report`` hears of bad ones. Raises what ``formats.base.Reader`` does."""
        ...


def convert(
    source: BinaryIO,
    recipe: Recipe,
    *,
    open_output: Callable[[str | None], S],
    open_quarantine: Callable[[], S] | None = None,
    on_batch: Callable[[int], None] = lambda _rows: None,
    now: datetime = NO_TIME,
    key: bytes | None = None,
    name: str | None = None,
) -> Converted[S]:
    """Convert a seekable binary ``source``.

    ``open_output`` is called with a partition's directory, or None, and anew whenever the conversion starts over with
    wider types; what it gave before has been discarded by then, as it has when an error is raised. ``on_batch`` hears
    the rows read so far after every batch, and may raise to stop. ``now`` is the instant that relative filters and
    record timestamps mean; ``key`` hashes obfuscated fields. ``name`` is told by errors and quarantined rows.

    Where rows share the transform's identifier, the recipe's policy makes that an error, or leaves out (and counts as
    filtered) all but the last of them; that is decided before any filter is asked.

    Raises DataError, ConfigurationError, or whatever ``source``, the sinks and ``on_batch`` raise.
    """
    types: object = None
    for _ in range(MOST_ATTEMPTS):
        outputs = Outputs(open_output, open_quarantine)
        try:
            file = _File(source, recipe, types, name)
            bound_to = partial(bind, recipe.transform, now=now, key=key)
            return attempt(file, recipe, outputs, on_batch=on_batch, bound_to=bound_to)
        except schema.Widened as widened:
            outputs.discard()
            types = widened.types
        except BaseException:
            outputs.discard()
            raise
    raise MalformedFile("the file's types changed while it was read again: does somebody write to it?")


class Outputs(Generic[S]):
    """The sinks of one attempt, opened when they are needed."""

    def __init__(self, open_output: Callable[[str | None], S], open_quarantine: Callable[[], S] | None) -> None:
        self._open_output = open_output
        self._open_quarantine = open_quarantine
        self._opened: list[S] = []
        self.quarantine: S | None = None
        self.quarantined = 0

    def open(self, directory: str | None) -> S:
        """A new output's sink."""
        output = self._open_output(directory)
        self._opened.append(output)
        return output

    def put_aside(self, bad: BadRow, file: str | None) -> None:
        """Write a bad row's line, number, place, reason and text to the quarantine; without one it is only counted."""
        self.quarantined += 1
        if self._open_quarantine is None:
            return
        if self.quarantine is None:
            self.quarantine = self._open_quarantine()
            self._opened.append(self.quarantine)
        told = dataclasses.asdict(bad) if file is None else {"source": file, **dataclasses.asdict(bad)}
        self.quarantine.write(json.dumps(told, ensure_ascii=False).encode(errors="replace") + b"\n")

    def discard(self) -> None:
        """Discard all that were opened."""
        for sink in self._opened:
            sink.discard()


def _options(recipe: Recipe) -> ReadOptions:
    """The options to read with. From text to text every type is printed back as it was, so none has to be found."""
    if recipe.source_format is recipe.target_format is FileFormat.CSV and not recipe.read.column_types:
        return replace(recipe.read, infer_types=False)
    return recipe.read


class _Parts(Generic[S]):
    """The writers of one attempt, one a partition, and what they wrote."""

    def __init__(self, recipe: Recipe, bound: BoundTransform, outputs: Outputs[S]) -> None:
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


@dataclass(frozen=True, slots=True)
class _File:
    """A table that is one file."""

    source: BinaryIO
    recipe: Recipe
    types: object
    name: str | None

    def open(self, report: PutAside, /) -> tuple[pa.Schema, Generator[Rows, None, None]]:
        """Read the file from its beginning."""
        with named(self.name):
            self.source.seek(0)
            read, aside = READERS[self.recipe.source_format], partial(_told_of, report, self.name)
            records = read(self.source, _options(self.recipe), types=self.types, report=aside)
        return records.schema, numbered(records.batches, self.name)


def _told_of(report: PutAside, file: str | None, bad: BadRow) -> None:
    report(bad, file)


def numbered(batches: Iterator[pa.RecordBatch], file: str | None) -> Generator[Rows, None, None]:
    """A file's batches with their rows' numbers; errors name the file."""
    first = 1
    with named(file):
        for batch in batches:
            yield Rows(batch, first, file)
            first += batch.num_rows


@contextmanager
def named(file: str | None) -> Iterator[None]:
    """Let an error of the data name its file; without a name it stays as it is."""
    try:
        yield
    except DataError as error:
        if file is None:
            raise
        shown = file if file.isprintable() else repr(file)
        raise type(error)(f"{shown}: {error}", row=error.row, byte=error.byte, column=error.column) from error


def attempt(
    table: Table,
    recipe: Recipe,
    outputs: Outputs[S],
    *,
    on_batch: Callable[[int], None],
    bound_to: Callable[[pa.Schema], BoundTransform],
) -> Converted[S]:
    """Convert a table with the types that are known of it; see ``convert``. The caller discards the outputs."""
    superseded = _superseded(table, recipe, on_batch, bound_to)
    into, pieces = table.open(outputs.put_aside)
    bound = bound_to(into)
    parts = _Parts(recipe, bound, outputs)
    read = filtered = 0
    with (
        closing(pieces),
        _Unique(bound) as unique,
        ThreadPoolExecutor(max_workers=1, thread_name_prefix="encoder") as encoder,
    ):
        encoding: Future[None] | None = None
        for rows in pieces:
            if superseded is None:
                unique.observe(rows)
            with named(rows.file):
                batch = superseded.without(rows.batch, read + 1) if superseded else rows.batch
                applied = bound.apply(batch, first_row=rows.first)
            if encoding is not None:
                encoding.result()
            encoding = encoder.submit(parts.write, applied.batch)
            read += rows.batch.num_rows
            filtered += rows.batch.num_rows - applied.batch.num_rows
            on_batch(read + outputs.quarantined)
        if encoding is not None:
            encoding.result()
        unique.check(table, recipe)
    rows_of_all = RowCounts(
        read=read + outputs.quarantined,
        written=read - filtered,
        quarantined=outputs.quarantined,
        filtered=filtered,
    )
    return Converted(rows=rows_of_all, parts=parts.close(), quarantine=outputs.quarantine)


def _superseded(
    table: Table, recipe: Recipe, on_batch: Callable[[int], None], bound_to: Callable[[pa.Schema], BoundTransform]
) -> Superseded | None:
    """The rows that a later one with their identifier replaces; None where that is not asked for."""
    if recipe.transform.identifier is None or recipe.duplicates is not DuplicatePolicy.LAST_WINS:
        return None
    into, pieces = table.open(_not_yet)
    bound = bound_to(into)
    with closing(pieces), Identifiers() as identifiers:
        for rows in pieces:
            identifiers.observe(bound.identifiers(rows.batch))
            on_batch(identifiers.rows)
        return identifiers.superseded()


def _not_yet(_bad: BadRow, _file: str | None) -> None:
    """Bad rows are put aside where rows are written."""


class _Unique:
    """Holds a table's rows to their identifier, where they have one: no two may share it."""

    def __init__(self, bound: BoundTransform) -> None:
        self._bound = bound
        self._identifiers = Identifiers()
        self._files: list[str | None] = []
        self._starts: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._identifiers.close()

    def observe(self, rows: Rows) -> None:
        """Add the next rows."""
        texts = self._bound.identifiers(rows.batch)
        if texts is None:
            return
        if rows.first == 1:
            self._files.append(rows.file)
            self._starts.append(self._identifiers.rows)
        self._identifiers.observe(texts)

    def check(self, table: Table, recipe: Recipe) -> None:
        """Raise DuplicateIdentifier with the value and both rows where two share it."""
        duplicate = self._identifiers.duplicate()
        if duplicate is None:
            return
        _, pieces = table.open(_not_yet)
        with closing(pieces):
            value = identifier_of((rows.batch for rows in pieces), self._bound, duplicate.second)
        places = self._place(duplicate.first), self._place(duplicate.second)
        raise duplicate_error(str(recipe.transform.identifier), value, duplicate, places)

    def _place(self, row: int) -> str:
        at = bisect_right(self._starts, row - 1) - 1
        file = self._files[at]
        return "" if file is None else f"row {row - self._starts[at]:,} of {file}"
