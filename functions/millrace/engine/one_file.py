"""Convert one file: a reader's record batches into a writer, what follows is parsed while one is encoded."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import BinaryIO, Generic

import pyarrow as pa

from millrace.engine.formats.base import BadRow
from millrace.engine.formats.registry import READERS
from millrace.engine.options import DuplicatePolicy, FileFormat, ReadOptions, WriteOptions
from millrace.engine.outputs import Outputs, Part, Parts, Piece, S
from millrace.engine.parallel import Beside, in_order
from millrace.engine.tables import unify
from millrace.engine.tables.rows import PutAside, Rows, Table, named, numbered
from millrace.engine.transform.binding import BoundTransform, bind
from millrace.engine.transform.identifiers import Superseded
from millrace.engine.transform.spec import TableTransform
from millrace.engine.types import inference
from millrace.engine.uniqueness import Unique, superseded_rows
from millrace.errors import MalformedFile, MiscountedRows

MOST_ATTEMPTS = 3
WAITING = 8 * 2**20
"""How many bytes of rows wait for the thread that writes."""
NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


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

    def check(self) -> None:
        """Raise MiscountedRows where a row came from nowhere or went there."""
        if self.read != self.written + self.quarantined + self.filtered:
            raise MiscountedRows(
                f"{self.read:,} rows were read, but {self.written:,} written, {self.quarantined:,} quarantined and"
                f" {self.filtered:,} filtered; nothing is published. This is a defect of Millrace: please report it"
                " with the file"
            )


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
    now: datetime = NO_TIME,
    key: bytes | None = None,
    name: str | None = None,
    within: Callable[[Table], Table] = lambda file: file,
) -> Converted[S]:
    """Convert a seekable binary ``source``.

    ``open_output`` is called with a partition's directory, or None, and anew whenever the conversion starts over with
    wider types; what it gave before has been discarded by then, as it has when an error is raised. ``on_batch`` hears
    the rows read so far after every batch, and may raise to stop. ``now`` is the instant that relative filters and
    record timestamps mean; ``key`` hashes obfuscated fields. ``name`` is told by errors and quarantined rows.
    ``within`` makes of the file what it is in its table; where its rows raise ``union.Lossy`` it must have learned from
    it, and the conversion starts over.

    Where rows share the transform's identifier, the recipe's policy makes that an error, or leaves out (and counts as
    filtered) all but the last of them; that is decided before any filter is asked.

    Raises DataError, ConfigurationError, or whatever ``source``, the sinks and ``on_batch`` raise.
    """
    types: object = None
    contradicted = 0
    while contradicted < MOST_ATTEMPTS:
        outputs = Outputs(open_output, open_quarantine)
        try:
            file = within(_File(source, recipe, types, name))
            bound_to = partial(bind, recipe.transform, now=now, key=key)
            return attempt(file, recipe, outputs, on_batch=on_batch, bound_to=bound_to)
        except unify.Lossy:
            outputs.discard()
        except inference.Widened as widened:
            outputs.discard()
            contradicted += 1
            types = widened.types
        except BaseException:
            outputs.discard()
            raise
    raise MalformedFile("the file's types changed while it was read again: does somebody write to it?")


def options(recipe: Recipe) -> ReadOptions:
    """The options to read with. From text to text every type is printed back as it was, so none has to be found."""
    if recipe.source_format is recipe.target_format is FileFormat.CSV and not recipe.read.column_types:
        return replace(recipe.read, infer_types=False)
    return recipe.read


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
            records = read(self.source, options(self.recipe), types=self.types, report=aside)
        return records.schema, numbered(records.batches, self.name)


def _told_of(report: PutAside, file: str | None, bad: BadRow) -> None:
    report(bad, file)


def attempt(
    table: Table,
    recipe: Recipe,
    outputs: Outputs[S],
    *,
    on_batch: Callable[[int], None],
    bound_to: Callable[[pa.Schema], BoundTransform],
) -> Converted[S]:
    """Convert a table with the types that are known of it; see ``convert``. The caller discards the outputs.

    The caller's thread reads. Where the target is text, its rows are transformed and rendered on all processors, as
    many batches at once; what is ready is written by one thread beside. On one processor all is done in turn.
    """
    last_wins = recipe.transform.identifier is not None and recipe.duplicates is DuplicatePolicy.LAST_WINS
    superseded = superseded_rows(table, on_batch, bound_to) if last_wins else None
    into, pieces = table.open(outputs.put_aside)
    bound = bound_to(into)
    parts = Parts(bound, recipe.target_format, recipe.write, outputs)
    work = partial(_ready, bound, superseded, parts)
    read = filtered = 0

    with closing(pieces), Unique(bound) as unique:

        def pulled() -> Iterator[tuple[Rows, int]]:
            nonlocal read
            for rows in pieces:
                if superseded is None:
                    unique.observe(rows)
                first, read = read + 1, read + rows.batch.num_rows
                on_batch(read + outputs.quarantined)
                yield rows, first

        workers = None if parts.renders else 1
        with closing(in_order(work, pulled(), workers=workers)) as done, Beside(parts.write, room=WAITING) as encoder:
            for ready in done:
                filtered += ready.filtered
                encoder.put(ready.pieces, sum(piece.weight for piece in ready.pieces))
        unique.check(table, str(recipe.transform.identifier))

    made = parts.close()
    counts = RowCounts(
        read=read + outputs.quarantined,
        written=sum(part.rows for part in made),
        quarantined=outputs.quarantined,
        filtered=filtered,
    )
    counts.check()
    return Converted(rows=counts, parts=made, quarantine=outputs.quarantine)


@dataclass(frozen=True, slots=True)
class _Ready:
    """Rows as their writers take them, and how many of those that were read are not among them."""

    pieces: tuple[Piece, ...]
    filtered: int


def _ready(bound: BoundTransform, superseded: Superseded | None, parts: Parts[S], item: tuple[Rows, int]) -> _Ready:
    rows, first = item
    with named(rows.file):
        batch = superseded.without(rows.batch, first) if superseded else rows.batch
        applied = bound.apply(batch, first_row=rows.first)
        return _Ready(parts.pieces(applied.batch), applied.filtered + rows.batch.num_rows - batch.num_rows)
