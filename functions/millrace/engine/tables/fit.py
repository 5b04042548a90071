"""One file written as its table's schema says: fields in the table's order, missing ones as null, types as wide.

What becomes of a file that has more fields or wider types is the evolution's to say. A column that seems to be text,
but may be one without values, is hoped to fit at first; so are numbers in a type in which they may survive. Where that
turns out wrong the reading starts over (``union.Lossy``), and what was learned is kept.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.names import unique_names
from millrace.engine.options import RESCUED, FileFormat, SchemaEvolution
from millrace.engine.tables import rescue, unify
from millrace.engine.tables.fields import as_remembered, kind_of
from millrace.engine.tables.rows import PutAside, Rows, Table
from millrace.engine.transform.spec import TableTransform
from millrace.engine.types import arrow_types
from millrace.engine.types.printing import is_raw_json
from millrace.errors import MalformedFile, SchemaFrozen

_PANDAS = b"pandas"
"""What pandas notes in a schema names its columns, and misleads where they are others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRule:
    """What holds for all files of a table: the evolution, what is done with fields, and how types were found.

    ``guessed`` tells whether a field's type was found in its values, so that text may mean that there were none.
    """

    evolution: SchemaEvolution
    transform: TableTransform
    as_text: bool
    guessed: Callable[[str], bool]
    table: str

    @property
    def rescues(self) -> bool:
        """Whether rows have a field for what does not fit."""
        return self.evolution is SchemaEvolution.RESCUE


class _How(enum.Enum):
    """What becomes of a column's values."""

    KEPT = enum.auto()
    """Nothing, but for how they are encoded."""
    CONVERTED = enum.auto()
    HOPED = enum.auto()
    """Converted, if there are any: it may be a column without values."""
    PARTED = enum.auto()
    """Those that fit are kept, the others rescued."""
    RESCUED = enum.auto()
    """All are rescued: the table has no such field."""


@dataclass(frozen=True, slots=True)
class _Column:
    """One column as it is written: its place in the file, None where the file lacks it, its field there and here."""

    into: pa.Field
    place: int | None = None
    own: pa.Field | None = None
    how: _How = _How.CONVERTED


class Fit:
    """A file's way into its table; what it learns of the file's values it keeps while the file is read again."""

    def __init__(self, known: pa.Schema | None, rule: FitRule) -> None:
        self._known = known
        self._rule = rule
        self._named, self._hidden = rule.transform.named, rule.transform.hidden
        self._takes_others = rule.transform.others and rule.transform.table is None
        self._own = pa.schema([])
        self._apart: set[str] = set()
        self._valued: set[str] = set()

    def table(self, inner: Table) -> Table:
        """The file as a part of its table."""
        return _Fitted(inner, self)

    def against(self, known: pa.Schema | None) -> Fit | None:
        """The same file fitted to another schema, where that writes the same; else None: it must be read again."""
        other = Fit(known, self._rule)
        other._own, other._apart, other._valued = self._own, self._apart, self._valued
        same = other.written().equals(self.written(), check_metadata=True)
        return other if same else None

    def written(self) -> pa.Schema:
        """The schema that the file's rows are written with, before the transform."""
        fields = [column.into for column in self.columns(self._own) if column.how is not _How.RESCUED]
        return pa.schema([*fields, rescue.FIELD] if self._rule.rescues else fields)

    def remembered(self) -> pa.Schema:
        """What the table's schema is with this file: a field of which no value was ever seen has no type."""
        known = {field.name: field for field in self._known or ()}
        kept = [column for column in self.columns(self._own) if column.how is not _How.RESCUED]
        return pa.schema([one.into.with_type(pa.null()) if self._is_blank(one, known) else one.into for one in kept])

    def _is_blank(self, column: _Column, known: dict[str, pa.Field]) -> bool:
        name = column.into.name
        if name in known and not arrow_types.is_null(known[name].type):
            return False
        return column.own is None or (self._may_be_blank(column.own) and name not in self._valued)

    def _may_be_blank(self, own: pa.Field) -> bool:
        return arrow_types.is_null(own.type) or (own.equals(_text(own.name)) and self._rule.guessed(own.name))

    def columns(self, own: pa.Schema) -> list[_Column]:
        """The columns as they are written, the table's first, then those that only the file has."""
        self._own = own
        names = enumerate(unique_names(own.names))
        places = {name: place for place, name in names if self._takes_others or name in self._named}
        if self._rule.rescues and RESCUED in places:
            raise MalformedFile(
                f"the file has a field {RESCUED!r} itself, which schema_evolution: rescue adds; rename it, or use"
                " evolve",
                column=RESCUED,
            )
        known = [self._of_table(field, places, own) for field in self._known or ()]
        of_table = {column.into.name for column in known}
        return known + [self._new(name, place, own) for name, place in places.items() if name not in of_table]

    def _of_table(self, known: pa.Field, places: dict[str, int], own: pa.Schema) -> _Column:
        name, place = known.name, places.get(known.name)
        if place is None:
            return _Column(_typed(known))
        mine = as_remembered(own.field(place).with_name(name))
        if arrow_types.is_null(known.type):
            return self._first(place, mine)
        if unify.are_the_same(known, mine):
            return _Column(known, place, mine, _How.KEPT)
        if name in self._hidden:
            return _Column(_text(name), place, mine)
        as_text = self._rule.as_text and not is_raw_json(known)
        wider = as_remembered(unify.unify([known, mine], as_text=as_text, typed=name not in self._apart))
        if wider.equals(known, check_metadata=True):
            return _Column(known, place, mine)
        if self._widens:
            may_fit = self._may_be_blank(mine) and name not in self._valued
            return _Column(known, place, mine, _How.HOPED) if may_fit else _Column(wider, place, mine)
        if self._rule.rescues:
            return _Column(known, place, mine, _How.PARTED)
        if self._may_be_blank(mine):
            return _Column(known, place, mine, _How.HOPED)
        raise self._frozen(name, f"is {kind_of(mine)} in this file and {kind_of(known)} in its table")

    def _new(self, name: str, place: int, own: pa.Schema) -> _Column:
        mine = as_remembered(own.field(place).with_name(name))
        if not self._known or self._widens or name in self._named:
            return self._first(place, mine)
        if self._rule.rescues:
            return _Column(mine, place, mine, _How.RESCUED)
        raise self._frozen(name, f"is new ({kind_of(mine)}): its table does not have it")

    @property
    def _widens(self) -> bool:
        return self._rule.evolution is SchemaEvolution.EVOLVE

    def _first(self, place: int, mine: pa.Field) -> _Column:
        if mine.name in self._hidden or arrow_types.is_null(mine.type):
            return _Column(_text(mine.name), place, mine)
        return _Column(mine, place, mine, _How.KEPT)

    def convert(self, batch: pa.RecordBatch, columns: list[_Column], first: int) -> list[pa.Array]:
        """A batch's columns as the table has them; ``first`` is the number of the batch's first row."""
        arrays, rest = [], {}
        for column in columns:
            array, spared = self._column(batch, column, first)
            if column.how is not _How.RESCUED:
                arrays.append(array)
            if spared is not None:
                rest[column.into.name] = spared
        return [*arrays, rescue.column(rest, batch.num_rows)] if self._rule.rescues else arrays

    def _column(self, batch: pa.RecordBatch, column: _Column, first: int) -> tuple[pa.Array, pa.Array | None]:
        into, own = column.into, column.own
        if column.place is None or own is None:
            return pa.nulls(batch.num_rows, into.type), None
        array = batch.column(column.place)
        if array.null_count == len(array):
            return pa.nulls(len(array), into.type), None
        self._valued.add(into.name)
        if column.how is _How.KEPT and array.type == into.type:
            return array, None
        if column.how is _How.RESCUED:
            return array, rescue.all_of(array, own)
        if column.how is _How.PARTED:
            return rescue.parted(array, own, into, as_text=self._rule.as_text)
        try:
            return unify.convert(array, own, into), None
        except unify.Lossy:
            if self._rule.rescues:
                return rescue.parted(array, own, into, as_text=self._rule.as_text)
            if not self._widens:
                raise self._misfit(array, own, into, first) from None
            if column.how is _How.CONVERTED:
                self._apart.add(into.name)
            raise

    def _misfit(self, array: pa.Array, own: pa.Field, into: pa.Field, first: int) -> SchemaFrozen:
        """The first value that does not fit, told with its row; a hidden one cannot be among them: it is text."""
        _, spared = rescue.parted(array, own, into, as_text=self._rule.as_text)
        at = pc.index(spared.is_valid(), value=True).as_py() if spared is not None else 0
        value = "a value" if spared is None else str(spared[at].as_py())[:100]
        return self._frozen(
            into.name, f"holds {value} in row {first + at:,}, and is {kind_of(into)} in its table", row=first + at
        )

    def _frozen(self, name: str, what: str, *, row: int | None = None) -> SchemaFrozen:
        return SchemaFrozen(
            f"the field {name!r} {what} ({self._rule.table}), whose schema is frozen. Mend the file; or let the table"
            " change (schema_evolution: evolve) or the values be kept apart (rescue), and reprocess the file",
            row=row,
            column=name,
        )


def _text(name: str) -> pa.Field:
    return pa.field(name, pa.string())


def _typed(field: pa.Field) -> pa.Field:
    """The field as it is written: what no value was seen of is text."""
    return _text(field.name) if arrow_types.is_null(field.type) else field


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A table whose rows are those of another, as a fit has them."""

    inner: Table
    fit: Fit

    def open(self, report: PutAside, /) -> tuple[pa.Schema, Generator[Rows, None, None]]:
        """Read the file from its beginning."""
        own, pieces = self.inner.open(report)
        columns = self.fit.columns(own)
        into = _with_metadata(self.fit.written(), own)
        return into, self._rows(pieces, columns, into)

    def _rows(
        self, pieces: Generator[Rows, None, None], columns: list[_Column], into: pa.Schema
    ) -> Generator[Rows, None, None]:
        with closing(pieces):
            for rows in pieces:
                if not len(into):
                    yield rows
                    continue
                arrays = self.fit.convert(rows.batch, columns, rows.first)
                yield replace(rows, batch=pa.RecordBatch.from_arrays(arrays, schema=into))


def _with_metadata(written: pa.Schema, own: pa.Schema) -> pa.Schema:
    kept = {
        name: value for name, value in (own.metadata or {}).items() if name != _PANDAS or written.names == own.names
    }
    return written.with_metadata(kept) if kept else written


def guessed(file_format: FileFormat, *, infer: bool, demanded: frozenset[str]) -> Callable[[str], bool]:
    """Whether a field's type was found in its values, for each field of a file that is read so."""
    if file_format is FileFormat.PARQUET or (file_format is FileFormat.CSV and not infer):
        return lambda _name: False
    return lambda name: name not in demanded
