"""Convert several files as one table: all columns of all of them, each of a type in which every file's values survive.

Columns come in the order of their first appearance, files in the order that they are given in; where a file lacks a
column, it is missing in that file's rows. Columns and types are found before anything is written, in the beginnings of
all files; where what comes later contradicts them, in all of all files, and writing begins anew. So it depends neither
on the files' sizes nor, but for the columns' order, on their order. One file is open at a time.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import BinaryIO

import pyarrow as pa

from millrace.engine.formats.base import BadRow, Learned, Widened
from millrace.engine.formats.csv.reader import LearnedKinds
from millrace.engine.formats.json import reader as json_reader
from millrace.engine.formats.json.reader import LearnedFields
from millrace.engine.formats.json.types import Node
from millrace.engine.formats.registry import FORMATS
from millrace.engine.names import unique_names
from millrace.engine.one_file import (
    MOST_ATTEMPTS,
    NO_CONTEXT,
    ConversionContext,
    Converted,
    Recipe,
    attempt,
    convert,
)
from millrace.engine.options import FileFormat, ReadOptions
from millrace.engine.outputs import Destination, Outputs, S
from millrace.engine.tables import unify
from millrace.engine.tables.rows import PutAside, TableRows, errors_naming, number_rows
from millrace.engine.transform.spec import TableTransform
from millrace.engine.types import arrow_types
from millrace.engine.types.inference import Demanded, Evidence
from millrace.engine.types.printing import with_form
from millrace.errors import MalformedFile

SAMPLE_BYTES = 32 * 2**20
"""How much text of all files together is looked at before writing begins; some of each file at least."""
KEPT_BYTES = 32 * 2**20
"""How much of small files together is kept in memory, so that they are fetched once."""
SMALL_BYTES = 4 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file of a table, its name no other's. ``open`` gives a seekable file, as often as it is asked."""

    name: str
    format: FileFormat
    read: ReadOptions
    open: Callable[[], AbstractContextManager[BinaryIO]]


def convert_many(
    sources: Sequence[Source],
    recipe: Recipe,
    destination: Destination[S],
    context: ConversionContext = NO_CONTEXT,
) -> Converted[S]:
    """Convert files as one table; without any, the output is empty. See ``one_file.convert``.

    What the recipe says of reading is each source's own to say. Of rows that share an identifier the last one is that
    of the last file. ``on_batch`` is also called, with the rows looked at, while types are found. Errors of the data
    begin with the source's name; rows are counted in it.
    """
    if len(sources) == 1:
        return _convert_single(sources[0], recipe, destination, context)
    if not sources:
        recipe = replace(recipe, transform=TableTransform())
    sources = _Kept().all(_untyped(sources, recipe))
    survey = _survey(sources, context.on_batch, enough=SAMPLE_BYTES // max(1, len(sources)))
    contradicted, apart = 0, frozenset[str]()
    while contradicted < MOST_ATTEMPTS:
        outputs = Outputs(destination)
        try:
            return attempt(survey.table(sources, apart), recipe, outputs, context)
        except unify.Lossy as lossy:
            outputs.discard()
            apart |= {lossy.column}
        except Widened:
            outputs.discard()
            contradicted += 1
            survey = _survey(sources, context.on_batch, enough=None)
        except BaseException:
            outputs.discard()
            raise
    raise MalformedFile("the files' types changed while they were read again: does somebody write to them?")


def _convert_single(
    source: Source, recipe: Recipe, destination: Destination[S], context: ConversionContext
) -> Converted[S]:
    recipe = replace(recipe, source_format=source.format, read=source.read)
    with source.open() as file:
        return convert(file, recipe, destination, context, name=source.name)


def _untyped(sources: Sequence[Source], recipe: Recipe) -> Sequence[Source]:
    """From text to text every type is printed back as it was, so none has to be found."""
    texts = all(source.format is FileFormat.CSV and not source.read.column_types for source in sources)
    if not texts or recipe.target_format is not FileFormat.CSV:
        return sources
    return [replace(source, read=replace(source.read, infer_types=False)) for source in sources]


class _Kept:
    """Keeps the bytes of small files: most of their time goes to being fetched."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}
        self._room = KEPT_BYTES

    def all(self, sources: Sequence[Source]) -> Sequence[Source]:
        """The sources, their small ones opened once."""
        return [replace(source, open=partial(self._open, source)) for source in sources]

    @contextmanager
    def _open(self, source: Source) -> Iterator[BinaryIO]:
        if source.name in self._kept:
            yield io.BytesIO(self._kept[source.name])
            return
        with source.open() as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            if size <= min(SMALL_BYTES, self._room):
                self._room -= size
                self._kept[source.name] = file.read()
                yield io.BytesIO(self._kept[source.name])
            else:
                yield file


class _Survey:
    """What is known of all sources' columns; it changes as they are observed."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}
        self._csv: dict[str, Evidence | Demanded] = {}
        self._json = Node()
        self._parquet: dict[str, list[pa.Field]] = {}
        self._headers: dict[str, tuple[str, ...]] = {}

    def observe(self, source: Source, enough: int | None) -> Iterator[int]:
        """Add a source, ``enough`` bytes of it at least; give the number of rows looked at, batch by batch."""
        with errors_naming(source.name), source.open() as file:
            yield from _OBSERVED[source.format](self, source, file, enough)

    def observe_csv(self, source: Source, file: BinaryIO, enough: int | None) -> Iterator[int]:
        """Add a CSV file: its texts are evidence like those of one long file."""
        read = replace(source.read, infer_types=False, column_types={})
        records = FORMATS[FileFormat.CSV].read(file, read, report=_not_yet)
        names = tuple(records.schema.names)
        self._headers[source.name] = names
        self._names.update(dict.fromkeys(names))
        for name in names:
            self._csv.setdefault(name, _first_evidence(source.read, name))
        seen = 0
        for batch in records.batches:
            for name, column in zip(names, batch.columns, strict=True):
                self._csv[name] = self._csv[name].observe(column)
            yield batch.num_rows
            seen += batch.nbytes
            if enough is not None and seen >= enough:
                return

    def observe_json(self, source: Source, file: BinaryIO, enough: int | None) -> Iterator[int]:
        """Add a JSON file. Names that only later files have are not its own: should it have them, it comes first."""
        seen = 0
        for rows, size in json_reader.observe(file, source.read, self._json):
            yield rows
            seen += size
            if enough is not None and seen >= enough:
                break
        self._headers[source.name] = tuple(self._json.children)
        self._names.update(dict.fromkeys(self._json.children))

    def observe_parquet(self, source: Source, file: BinaryIO, _enough: int | None) -> Iterator[int]:
        """Add what a Parquet file's footer says."""
        fields = FORMATS[FileFormat.PARQUET].read(file, source.read, report=_not_yet).schema
        for name, field in zip(unique_names(fields.names), fields, strict=True):
            self._names[name] = None
            self._parquet.setdefault(name, []).append(field.with_name(name))
        yield 0

    def table(self, sources: Sequence[Source], apart: frozenset[str]) -> _Files:
        """The sources as a table of what is known; the types of columns ``apart`` are not widened to each other."""
        into = pa.schema([self._field(name, typed=name not in apart) for name in self._names])
        return _Files(tuple(map(self._placed, sources)), into)

    def _field(self, name: str, *, typed: bool) -> pa.Field:
        fields, as_text = list(self._parquet.get(name, ())), False
        if name in self._json.children:
            child = self._json.children[name]
            fields.append(child.field(name, 1) if child.kinds else pa.field(name, pa.null()))
        if name in self._csv:
            known = self._csv[name]
            as_text = known != Evidence()
            fields.append(_csv_field(name, known) if as_text else pa.field(name, pa.null()))
        field = unify.unify(fields, as_text=as_text, typed=typed)
        if arrow_types.is_null(field.type) and name not in self._parquet:
            return pa.field(name, pa.string())
        return field

    def _placed(self, source: Source) -> _Placed:
        names = self._headers.get(source.name, ())
        if source.format is FileFormat.PARQUET:
            return _Placed(source, None, frozenset())
        if source.format is not FileFormat.CSV:
            known = {name: self._json.children[name] for name in names}
            learned = LearnedFields(Node(children=known))
            return _Placed(source, learned, frozenset(name for name in names if not known[name].kinds))
        demanded = {name: kind for name, kind in source.read.column_types.items() if name in names}
        return _Placed(
            replace(source, read=replace(source.read, column_types=demanded)),
            LearnedKinds(tuple(self._csv[name].resolve() for name in names)),
            frozenset(name for name in names if self._csv[name] == Evidence()),
        )


def _not_yet(_bad: BadRow) -> None:
    """Bad rows are put aside where rows are written."""


def _first_evidence(read: ReadOptions, name: str) -> Evidence | Demanded:
    if demanded := read.column_types.get(name):
        return Demanded(demanded)
    return Evidence() if read.infer_types else Demanded("text")


def _csv_field(name: str, known: Evidence | Demanded) -> pa.Field:
    kind = known.resolve()
    return with_form(pa.field(name, kind.type), kind.form)


_OBSERVED: Mapping[FileFormat, Callable[[_Survey, Source, BinaryIO, int | None], Iterator[int]]] = {
    FileFormat.CSV: _Survey.observe_csv,
    FileFormat.JSON: _Survey.observe_json,
    FileFormat.JSON_DOC: _Survey.observe_json,
    FileFormat.PARQUET: _Survey.observe_parquet,
}


def _survey(sources: Sequence[Source], on_batch: Callable[[int], None], *, enough: int | None) -> _Survey:
    survey, seen = _Survey(), 0
    for source in sources:
        for rows in survey.observe(source, enough):
            seen += rows
            on_batch(seen)
    return survey


@dataclass(frozen=True, slots=True)
class _Placed:
    """A source, what its reader is to know, and the columns that no value was seen of."""

    source: Source
    learned: Learned | None
    blank: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Files:
    """A table that is several files."""

    sources: tuple[_Placed, ...]
    schema: pa.Schema

    def open(self, report: PutAside, /) -> tuple[pa.Schema, Generator[TableRows, None, None]]:
        """Read one file after the other, each from its beginning."""
        return self.schema, self._rows(report)

    def _rows(self, report: PutAside) -> Generator[TableRows, None, None]:
        for placed in self.sources:
            source = placed.source
            with source.open() as file:
                with errors_naming(source.name):
                    aside = partial(_put_aside, report, source.name)
                    records = FORMATS[source.format].read(file, source.read, learned=placed.learned, report=aside)
                batches = map(_Columns(records.schema, self.schema, placed.blank), records.batches)
                yield from number_rows(batches, source.name)


def _put_aside(report: PutAside, file: str, bad: BadRow) -> None:
    report(bad, file)


class _Columns:
    """Gives a source's batches the columns of the table; raises Widened where the source holds more than was seen."""

    def __init__(self, own: pa.Schema, into: pa.Schema, blank: frozenset[str]) -> None:
        self._places = {name: place for place, name in enumerate(unique_names(own.names))}
        self._own = own
        self._into = into
        self._blank = blank
        if not self._places.keys() <= set(into.names):
            raise Widened(None)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if not len(self._into):
            return batch
        return pa.RecordBatch.from_arrays([self._column(batch, field) for field in self._into], schema=self._into)

    def _column(self, batch: pa.RecordBatch, into: pa.Field) -> pa.Array:
        place = self._places.get(into.name)
        if place is None:
            return pa.nulls(batch.num_rows, into.type)
        column = batch.column(place)
        if into.name in self._blank and column.null_count < len(column):
            raise Widened(None)
        return unify.convert(column, self._own.field(place), into)
