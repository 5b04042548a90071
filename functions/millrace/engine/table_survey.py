"""What is known of the columns of a table's files before its rows are written, and the table of that."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import BinaryIO, cast

import pyarrow as pa

from millrace.engine.formats.base import BadRow, Learned, Reader, Records, Widened
from millrace.engine.formats.csv.reader import LearnedKinds
from millrace.engine.formats.json import node_documents
from millrace.engine.formats.json import reader as json_reader
from millrace.engine.formats.json.reader import LearnedFields
from millrace.engine.formats.json.types import Node
from millrace.engine.formats.registry import FORMATS
from millrace.engine.names import unique_names
from millrace.engine.options import FileFormat, ReadOptions, words_of
from millrace.engine.parallel import in_order
from millrace.engine.parts.documents import SCHEMA, Document, get_document, get_integer, get_items
from millrace.engine.parts.evidence import evidence_of_document, evidence_to_document, fields_of_json, fields_to_json
from millrace.engine.table_sources import Source
from millrace.engine.tables import unify
from millrace.engine.tables.rows import FileRows, PutAside, TableRows, errors_naming
from millrace.engine.types import arrow_types
from millrace.engine.types.inference import Demanded, Evidence, observe_all
from millrace.engine.types.printing import with_form


class TableSurvey:
    """What is known of sources' columns; it changes as they are observed.

    Several surveys, each of some of a table's sources in their order, joined in that order, are the survey of all.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._names: dict[str, None] = {}
        self._texts: dict[str, Evidence | Demanded] = {}
        self._json = Node()
        self._typed: dict[str, list[pa.Field]] = {}
        self._headers: dict[str, tuple[str, ...]] = {}

    def observe(self, source: Source, enough: int | None) -> Iterator[int]:
        """Add a source, ``enough`` bytes of it at least; give the number of rows looked at, batch by batch."""
        with errors_naming(source.file), source.open() as file:
            for rows in _OBSERVED[source.format](self, source, file, enough):
                self.rows += rows
                yield rows

    def observe_text(self, source: Source, file: BinaryIO, enough: int | None) -> Iterator[int]:
        """Add a file of text: its texts are evidence like those of one long file."""
        read = replace(source.read, infer_types=False, column_types={})
        records = _reader_of(source)(file, read, report=_not_yet)
        names = tuple(records.schema.names)
        self._headers[source.name] = names
        self._names.update(dict.fromkeys(names))
        for name in names:
            self._texts.setdefault(name, _first_evidence(source.read, name))
        seen = 0
        workers = source.read.work.processors
        with (
            closing(_pull_batches(records)) as batches,
            closing(in_order(self._observe_batch, batches, workers=workers)) as observed,
        ):
            for batch, evidence in observed:
                for name, of_batch in zip(names, evidence, strict=True):
                    self._texts[name] = _join_evidence(self._texts[name], of_batch)
                yield batch.num_rows
                seen += batch.nbytes
                if enough is not None and seen >= enough:
                    return

    def _observe_batch(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, list[Evidence | Demanded]]:
        """A batch, and what is known with its texts; of the batches before it, as much as is known by now."""
        return batch, observe_all([self._texts[name] for name in batch.schema.names], batch.columns)

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

    def observe_typed(self, source: Source, file: BinaryIO, _enough: int | None) -> Iterator[int]:
        """Add the types that a file says, as Parquet does in its footer."""
        fields = _reader_of(source)(file, source.read, report=_not_yet).schema
        for name, field in zip(unique_names(fields.names), fields, strict=True):
            self._names[name] = None
            self._typed.setdefault(name, []).append(field.with_name(name))
        yield 0

    def join(self, behind: TableSurvey) -> None:
        """Add what is known of the sources behind these; their headers stay with their own survey, see ``of``."""
        self.rows += behind.rows
        self._names.update(behind._names)
        for name, evidence in behind._texts.items():
            self._texts[name] = _join_evidence(self._texts.get(name, evidence), evidence)
        self._json.join(behind._json)
        for name, fields in behind._typed.items():
            known = self._typed.setdefault(name, [])
            # Each different field once: ten thousand files of a table mostly have the same one.
            known += [field for field in fields if field not in known]

    def of(self, own: TableSurvey) -> TableSurvey:
        """What is known of all columns, as some of the sources, which ``own`` looked at, are to be read with it."""
        survey = TableSurvey()
        survey.join(self)
        survey._headers = dict(own._headers)
        return survey

    @property
    def valued(self) -> frozenset[str]:
        """The columns in which a value was seen, or may be where the files say their types themselves."""
        texts = {name for name, evidence in self._texts.items() if evidence != Evidence()}
        nodes = {name for name, node in self._json.children.items() if node.kinds}
        return frozenset(texts | nodes | self._typed.keys())

    def to_document(self) -> Document:
        """The survey, for ``from_document``; it has columns and no values, and is small."""
        headers = list(dict.fromkeys(self._headers.values()))
        return {
            "schema": SCHEMA,
            "rows": self.rows,
            "names": list(self._names),
            "texts": {name: evidence_to_document(evidence) for name, evidence in self._texts.items()},
            "json": node_documents.to_document(self._json),
            "typed": {name: fields_to_json(fields) for name, fields in self._typed.items()},
            "headers": list(map(list, headers)),
            "sources": {name: headers.index(header) for name, header in self._headers.items()},
        }

    @classmethod
    def from_document(cls, document: Document) -> TableSurvey:
        """The survey that gave the document."""
        survey = cls()
        survey.rows = get_integer(document, "rows")
        survey._names = dict.fromkeys(map(str, get_items(document, "names")))
        for name, evidence in get_document(document, "texts").items():
            survey._texts[name] = evidence_of_document(cast("Document", evidence))
        survey._json = node_documents.from_document(get_document(document, "json"))
        for name, fields in get_document(document, "typed").items():
            survey._typed[name] = fields_of_json(fields)
        headers = [tuple(map(str, cast("Sequence[str]", header))) for header in get_items(document, "headers")]
        for name, position in get_document(document, "sources").items():
            survey._headers[name] = headers[cast("int", position)]
        return survey

    def table(self, sources: Sequence[Source], apart: frozenset[str]) -> FilesTable:
        """The sources as a table of what is known; the types of columns ``apart`` are not widened to each other."""
        into = pa.schema([self._field(name, typed=name not in apart) for name in self._names])
        return FilesTable(tuple(map(self._prepare, sources)), into)

    def _field(self, name: str, *, typed: bool) -> pa.Field:
        fields, as_text = list(self._typed.get(name, ())), False
        if name in self._json.children:
            fields.append(_json_field(name, self._json.children[name]))
        if name in self._texts:
            evidence = self._texts[name]
            as_text = evidence != Evidence()
            fields.append(_text_field(name, evidence) if as_text else pa.field(name, pa.null()))
        field = unify.unify(fields, as_text=as_text, typed=typed)
        if arrow_types.is_null(field.type) and name not in self._typed:
            return pa.field(name, pa.string())
        return field

    def _prepare(self, source: Source) -> _PreparedSource:
        """A source with what its reader is to know, so that it types its columns as the table does."""
        match source.format:
            case FileFormat.JSON | FileFormat.JSON_DOC:
                return self._prepare_json(source)
            case _ if words_of(source.format).is_text:
                return self._prepare_text(source)
            case _:
                return _PreparedSource(source, None, frozenset())

    def _prepare_json(self, source: Source) -> _PreparedSource:
        nodes = {name: self._json.children[name] for name in self._headers.get(source.name, ())}
        blank = frozenset(name for name, node in nodes.items() if not node.kinds)
        return _PreparedSource(source, LearnedFields(Node(children=nodes)), blank)

    def _prepare_text(self, source: Source) -> _PreparedSource:
        # Of three files only the second may have the column "price" whose type is demanded: the others are read without
        # that demand, which their reader would refuse.
        names = self._headers.get(source.name, ())
        demanded = {name: source.read.column_types[name] for name in names if name in source.read.column_types}
        kinds = tuple(self._texts[name].resolve() for name in names)
        blank = frozenset(name for name in names if self._texts[name] == Evidence())
        return _PreparedSource(
            replace(source, read=replace(source.read, column_types=demanded)), LearnedKinds(kinds), blank
        )


def _reader_of(source: Source) -> Reader:
    return source.reader or FORMATS[source.format].read


def _pull_batches(records: Records) -> Generator[pa.RecordBatch, None, None]:
    """The batches, whose reader's threads end when this is closed."""
    yield from records.batches


def _not_yet(_bad: BadRow) -> None:
    """Bad rows are put aside where rows are written."""


def _first_evidence(read: ReadOptions, name: str) -> Evidence | Demanded:
    if demanded := read.column_types.get(name):
        return Demanded(demanded)
    if read.infer_types:
        return Evidence()
    return Demanded("text")


def _join_evidence(first: Evidence | Demanded, second: Evidence | Demanded) -> Evidence | Demanded:
    if isinstance(first, Evidence) and isinstance(second, Evidence):
        return first.join(second)
    if isinstance(first, Demanded) and isinstance(second, Demanded) and first.type == second.type:
        return first.join(second)
    raise TypeError(f"a column's type is demanded of some of a table's sources alone: {first}, {second}")


def _json_field(name: str, node: Node) -> pa.Field:
    # A field that is null in all files so far: whichever file has a value first gives the type.
    if not node.kinds:
        return pa.field(name, pa.null())
    return node.field(name, 1)


def _text_field(name: str, evidence: Evidence | Demanded) -> pa.Field:
    kind = evidence.resolve()
    return with_form(pa.field(name, kind.type), kind.form)


_OBSERVED: Mapping[FileFormat, Callable[[TableSurvey, Source, BinaryIO, int | None], Iterator[int]]] = {
    FileFormat.CSV: TableSurvey.observe_text,
    FileFormat.JSON: TableSurvey.observe_json,
    FileFormat.JSON_DOC: TableSurvey.observe_json,
    FileFormat.PARQUET: TableSurvey.observe_typed,
    FileFormat.AVRO: TableSurvey.observe_typed,
    FileFormat.ORC: TableSurvey.observe_typed,
    FileFormat.XML: TableSurvey.observe_typed,
    FileFormat.EXCEL: TableSurvey.observe_typed,
    FileFormat.FIXED_WIDTH: TableSurvey.observe_text,
    FileFormat.LOG: TableSurvey.observe_text,
}


def survey_table(sources: Sequence[Source], on_batch: Callable[[int], None], *, enough: int | None) -> TableSurvey:
    """What is known of sources, ``enough`` bytes of each at least; None: of all that they hold.

    ``on_batch`` gets the number of rows looked at so far.
    """
    survey, seen = TableSurvey(), 0
    for source in sources:
        for rows in survey.observe(source, enough):
            seen += rows
            on_batch(seen)
    return survey


@dataclass(frozen=True, slots=True)
class _PreparedSource:
    """A source, what its reader is to know, and its columns in which no value was seen."""

    source: Source
    learned: Learned | None
    blank: frozenset[str]


@dataclass(frozen=True, slots=True)
class FilesTable:
    """A table that is several files."""

    sources: tuple[_PreparedSource, ...]
    schema: pa.Schema

    def open(self, report: PutAside, /) -> tuple[pa.Schema, Generator[TableRows, None, None]]:
        """Read one file after the other, each from its beginning."""
        return self.schema, self._rows(report)

    def _rows(self, report: PutAside) -> Generator[TableRows, None, None]:
        for prepared in self.sources:
            source = prepared.source
            with source.open() as file:
                rows = FileRows(source.file, report, source.read.place.row)
                with errors_naming(source.file):
                    read = _reader_of(source)
                    records = read(file, source.read, learned=prepared.learned, report=rows.put_aside)
                batches = map(_Columns(records.schema, self.schema, prepared.blank), records.batches)
                yield from rows.number(batches)


class _Columns:
    """Gives a source's batches the columns of the table; raises Widened where the source holds more than was seen."""

    def __init__(self, source_schema: pa.Schema, into: pa.Schema, blank: frozenset[str]) -> None:
        self._positions = {name: position for position, name in enumerate(unique_names(source_schema.names))}
        self._source_schema = source_schema
        self._into = into
        self._blank = blank
        if not self._positions.keys() <= set(into.names):
            raise Widened(None)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if not len(self._into):
            return batch
        return pa.RecordBatch.from_arrays([self._column(batch, field) for field in self._into], schema=self._into)

    def _column(self, batch: pa.RecordBatch, into: pa.Field) -> pa.Array:
        position = self._positions.get(into.name)
        if position is None:
            return pa.nulls(batch.num_rows, into.type)
        column = batch.column(position)
        if into.name in self._blank and column.null_count < len(column):
            raise Widened(None)
        return unify.convert(column, self._source_schema.field(position), into)
