"""Convert one file: a reader's record batches into a writer; the next are parsed while one is encoded."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import compress
from typing import BinaryIO, Generic, assert_never

import pyarrow as pa

from millrace.engine.destination import Converted, Destination, S
from millrace.engine.file_origin import FileOrigin, FindOrigin
from millrace.engine.formats.base import Format, Learned, Widened
from millrace.engine.formats.json import non_finite
from millrace.engine.formats.registry import FORMATS
from millrace.engine.options import DuplicatePolicy, FileFormat, NonFinite, ReadOptions, words_of
from millrace.engine.outputs import Outputs, PartitionPiece, Parts
from millrace.engine.parallel import BackgroundWork, in_order
from millrace.engine.recipe import Recipe
from millrace.engine.row_counts import RowCounts
from millrace.engine.tables import unify
from millrace.engine.tables.hinted import apply_hints, read_hinted_as_text
from millrace.engine.tables.rows import FileRows, PutAside, Table, TableRows, errors_naming
from millrace.engine.tables.source_columns import add_source_columns
from millrace.engine.tables.wide import widen_types
from millrace.engine.transform.binding import BoundTransform, bind
from millrace.engine.transform.identifiers import Superseded
from millrace.engine.transform.spec import TableTransform
from millrace.engine.uniqueness import Unique, superseded_rows
from millrace.errors import MalformedFile, ValueDoesNotFit

MOST_ATTEMPTS = 3
"""With the types of a sample, with those of the whole file, and once more: then somebody changes the file."""
WAITING = 8 * 2**20
"""How many bytes of rows wait for the thread that writes."""
NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def _ignore_progress(_rows: int) -> None:
    """Do nothing with the number of rows that were read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionContext:
    """What a conversion takes from its surroundings: the instant, the key, the formats, and who follows its progress.

    ``now`` is the instant that relative filters and record timestamps mean; ``key`` hashes obfuscated fields.
    ``origin`` is what source columns say of the one file. ``formats`` are those that it writes. ``on_batch`` gets the
    number of rows read so far after every batch, and may raise to stop.
    """

    now: datetime = NO_TIME
    key: bytes | None = None
    origin: FileOrigin = FileOrigin()  # noqa: RUF009 - frozen
    formats: Mapping[FileFormat, Format] = field(default_factory=lambda: FORMATS)
    on_batch: Callable[[int], None] = _ignore_progress

    def find_origin(self, _file: str | None) -> FileOrigin:
        """What source columns say of the one file, whatever its name."""
        return self.origin

    def bind(self, transform: TableTransform, schema: pa.Schema) -> BoundTransform:
        """The transform made ready for batches of a schema."""
        return bind(transform, schema, now=self.now, key=self.key)


NO_CONTEXT = ConversionContext()


def convert(
    source: BinaryIO,
    recipe: Recipe,
    destination: Destination[S],
    context: ConversionContext = NO_CONTEXT,
    *,
    name: str | None = None,
) -> Converted[S]:
    """Convert a seekable binary ``source``; errors and quarantined rows give its ``name``, if it has one.

    If rows share the transform's identifier, the recipe's policy makes that an error, or leaves out (and counts as
    filtered) all of them except the last; that is decided before any filter is asked. All sinks of the destination are
    discarded before an error is raised.

    Raises:
        DataError: the content is refused.
        ConfigurationError: the recipe does not suit the content.
        Whatever ``source``, the sinks and ``on_batch`` raise.
    """
    return convert_into_table(source, recipe, destination, context, as_it_is, name=name)


def as_it_is(table: Table) -> Table:
    """The table of files that are no part of another: a value for ``within``."""
    return table


def convert_into_table(
    source: BinaryIO,
    recipe: Recipe,
    destination: Destination[S],
    context: ConversionContext,
    within: Callable[[Table], Table],
    *,
    name: str | None = None,
) -> Converted[S]:
    """Convert like ``convert``, with ``within`` making of the file what it is in its table.

    If the rows of that raise ``unify.Lossy``, ``within`` must have learned from it, and the conversion starts over.
    """

    def open_table(learned: Learned | None) -> Table:
        return within(settle_types(_FileTable(source, recipe, learned, name=name), recipe))

    return _convert(open_table, recipe, destination, context)


def _convert(
    open_table: Callable[[Learned | None], Table],
    recipe: Recipe,
    destination: Destination[S],
    context: ConversionContext,
) -> Converted[S]:
    """Attempt the conversion until the types that were taken from the file's beginning hold to its end.

    Worked example: the sample of a column is ``1, 2``, so it is read as integers. At row 90,000 the reader meets
    ``x`` and raises Widened with text for that column; what was written is discarded and reading starts over.
    """
    learned: Learned | None = None
    contradicted = 0
    while contradicted < MOST_ATTEMPTS:
        outputs = Outputs(destination)
        try:
            return attempt(open_table(learned), context.find_origin, recipe, outputs, context)
        except unify.Lossy:
            outputs.discard()
        except Widened as widened:
            outputs.discard()
            contradicted += 1
            learned = widened.learned
        except BaseException:
            outputs.discard()
            raise
    raise MalformedFile("the file's types changed while it was read again: does somebody write to it?")


def settle_types(table: Table, recipe: Recipe) -> Table:
    """The table with the types that the options give to its columns."""
    return widen_types(apply_hints(table, recipe.read, recipe.transform.hidden), recipe.read)


def options(recipe: Recipe) -> ReadOptions:
    """The options to read with. From text to text every type is printed back as it was, so none has to be found."""
    is_from_text = words_of(recipe.source_format).is_text
    read = read_hinted_as_text(recipe.read, recipe.source_format)
    if is_from_text and recipe.target_format is FileFormat.CSV and not recipe.read.column_types:
        return replace(read, infer_types=False)
    return read


@dataclass(frozen=True, slots=True)
class _FileTable:
    """A table that is one file."""

    source: BinaryIO
    recipe: Recipe
    learned: Learned | None
    name: str | None

    def open(self, report: PutAside, /) -> tuple[pa.Schema, Generator[TableRows, None, None]]:
        """Read the file from its beginning."""
        with errors_naming(self.name):
            self.source.seek(0)
            read, rows = FORMATS[self.recipe.source_format].read, FileRows(self.name, report)
            records = read(self.source, options(self.recipe), learned=self.learned, report=rows.put_aside)
        return records.schema, rows.number(records.batches)


def attempt(
    table: Table, find_origin: FindOrigin, recipe: Recipe, outputs: Outputs[S], context: ConversionContext
) -> Converted[S]:
    """Convert a table with the types that are known of it; see ``convert``. The caller discards the outputs.

    The caller's thread reads. If the target is text, its rows are transformed and rendered on all processors, as
    many batches at once; what is ready is written by one thread beside. On one processor all is done in turn.
    """
    columns = recipe.read.source_columns
    table = add_source_columns(table, columns, find_origin)
    bound_to = partial(context.bind, replace(recipe.transform, added=tuple(column.field for column in columns)))
    last_wins = recipe.transform.identifier is not None and recipe.duplicates is DuplicatePolicy.LAST_WINS
    superseded = superseded_rows(table, context.on_batch, bound_to) if last_wins else None
    schema, pieces = table.open(outputs.put_aside)
    bound = bound_to(schema)
    write = replace(recipe.write, processors=recipe.read.work.processors)
    parts = Parts(bound, context.formats[recipe.target_format], write, outputs)
    work = _Preparation(bound, superseded, parts, _non_finite_of(recipe))
    with closing(pieces), Unique(bound) as unique:
        source = _IncomingRows(pieces, unique if superseded is None else None, outputs, context)
        filtered = _write_all(source, work, processors=write.processors)
        unique.check(table, str(recipe.transform.identifier))
    finished = parts.close()
    counts = RowCounts.of(
        delivered=source.delivered,
        written=sum(part.rows for part in finished),
        quarantined=outputs.quarantined,
        filtered=filtered,
    )
    return Converted(rows=counts, parts=finished, quarantine=outputs.quarantine)


@dataclass(slots=True)
class _IncomingRows(Generic[S]):
    """A table's rows as they are read, each with the number of its first one; ``delivered`` counts them."""

    pieces: Iterable[TableRows]
    unique: Unique | None
    outputs: Outputs[S]
    context: ConversionContext
    delivered: int = 0

    def __iter__(self) -> Iterator[tuple[TableRows, int]]:
        for rows in self.pieces:
            if self.unique is not None:
                self.unique.observe(rows)
            first = self.delivered + 1
            self.delivered += rows.batch.num_rows
            self.context.on_batch(self.delivered + self.outputs.quarantined)
            yield rows, first


def _write_all(source: Iterable[tuple[TableRows, int]], work: _Preparation[S], *, processors: int | None) -> int:
    """Prepare all rows and write them, as much of it beside each other as there are processors; give the filtered."""
    workers = processors if work.parts.renders else 1
    filtered = 0
    with (
        closing(in_order(work, source, workers=workers)) as done,
        BackgroundWork(work.parts.write, room=WAITING, workers=processors) as encoder,
    ):
        for ready in done:
            filtered += ready.filtered
            encoder.put(ready.pieces, ready.weight)
    return filtered


@dataclass(frozen=True, slots=True)
class _PreparedRows:
    """Rows as their writers take them, and how many of those that were read are not among them."""

    pieces: tuple[PartitionPiece, ...]
    filtered: int

    @property
    def weight(self) -> int:
        """About the bytes that the pieces take in memory."""
        return sum(piece.weight for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class _Preparation(Generic[S]):
    """What is done with rows between their reader and their writers; may be called anywhere, in any order."""

    bound: BoundTransform
    superseded: Superseded | None
    parts: Parts[S]
    non_finite: NonFinite

    def __call__(self, item: tuple[TableRows, int]) -> _PreparedRows:
        """Rows transformed and, if the format is text, rendered; ``item`` has the first one's number in its table."""
        rows, first = item
        with errors_naming(rows.file):
            batch = self._settle_non_finite(self._transform(rows, first), rows, first)
            return _PreparedRows(self.parts.pieces(batch), rows.batch.num_rows - batch.num_rows)

    def _transform(self, rows: TableRows, first: int) -> pa.RecordBatch:
        if self.superseded is None:
            return self.bound.apply(rows.batch, row_numbers=rows.row_numbers).batch
        batch = self.superseded.remove_from(rows.batch, first)
        numbers = list(compress(rows.row_numbers, self.superseded.kept(first, rows.batch.num_rows)))
        return self.bound.apply(batch, row_numbers=numbers).batch

    def _settle_non_finite(self, batch: pa.RecordBatch, rows: TableRows, first: int) -> pa.RecordBatch:
        match self.non_finite:
            case NonFinite.TEXT:
                return batch
            case NonFinite.NULL:
                return non_finite.make_missing(batch)
            case NonFinite.ERROR:
                self._require_finite(batch, rows, first)
                return batch
            case _:
                assert_never(self.non_finite)

    def _require_finite(self, batch: pa.RecordBatch, rows: TableRows, first: int) -> None:
        if non_finite.find_column(batch) is None:
            return
        # Filters may have left rows out. The row that is meant is found by halving the rows as they were read.
        begin, count = 0, rows.batch.num_rows
        while count > 1:
            half = rows.part(begin, count // 2)
            if non_finite.find_column(self._transform(half, first + begin)) is None:
                begin, count = begin + count // 2, count - count // 2
            else:
                count //= 2
        row = rows.row_numbers[begin]
        found = rows.part(begin, 1)
        column = non_finite.find_column(self._transform(found, first + begin))
        raise ValueDoesNotFit(
            f"row {row:,}: the field {column!r} is NaN or infinite, which JSON has no number for; write it as missing"
            ' (json_non_finite: null) or as the text "NaN", "Infinity" or "-Infinity" (json_non_finite: text)',
            row=row,
            column=column,
        )


def _non_finite_of(recipe: Recipe) -> NonFinite:
    """What becomes of NaN: formats other than JSON have it."""
    if recipe.target_format in {FileFormat.JSON, FileFormat.JSON_DOC}:
        return recipe.write.json_non_finite
    return NonFinite.TEXT
