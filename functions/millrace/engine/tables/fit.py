"""One file written as its table's schema says: fields in the table's order, missing ones as null, types as wide.

If a file has more fields or wider types than its table, the evolution decides. A column that seems to be text, but may
be one without values, is hoped to fit at first; so are numbers in a type in which they may survive. If that turns out
wrong the reading starts over (``unify.Lossy``), and what was learned is kept.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.names import unique_names
from millrace.engine.options import RESCUED, FileFormat, SchemaEvolution, words_of
from millrace.engine.tables import rescue, unify
from millrace.engine.tables.fields import as_remembered, kind_of
from millrace.engine.tables.rows import PutAside, Table, TableRows
from millrace.engine.transform.spec import TableTransform
from millrace.engine.types import arrow_types
from millrace.engine.types.printing import is_raw_json
from millrace.errors import MalformedFile, SchemaFrozen

_PANDAS = b"pandas"
"""What pandas notes in a schema names its columns, and misleads if they are others."""
Divided = tuple[pa.Array, pa.Array | None]
"""Values that fit their column, and as JSON those that do not; None if all fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRule:
    """What holds for all files of a table: the evolution, what is done with fields, and how types were found.

    ``is_guessed`` says whether a field's type was found in its values: text may then mean that there were none.
    ``given`` are the fields whose types the configuration gives, whatever the table had before, by name.
    """

    evolution: SchemaEvolution
    transform: TableTransform
    as_text: bool
    is_guessed: Callable[[str], bool]
    table: str
    given: Mapping[str, pa.Field] = dataclasses.field(default_factory=lambda: MappingProxyType({}))

    @property
    def rescues(self) -> bool:
        """Whether rows have a field for what does not fit."""
        return self.evolution is SchemaEvolution.RESCUE

    @property
    def widens(self) -> bool:
        """Whether the table's types may become wider."""
        return self.evolution is SchemaEvolution.EVOLVE


class _Treatment(enum.Enum):
    """What becomes of a column's values."""

    AS_THEY_ARE = enum.auto()
    """Only their encoding may change."""
    CONVERTED = enum.auto()
    HOPED = enum.auto()
    """Converted, if there are any: it may be a column without values."""
    DIVIDED = enum.auto()
    """Those that fit are kept, the others rescued."""
    RESCUED = enum.auto()
    """All are rescued: the table has no such field."""


@dataclass(frozen=True, slots=True)
class _FileColumn:
    """A column of the file: its position there, and its field as the table remembers fields."""

    position: int
    field: pa.Field


@dataclass(frozen=True, slots=True)
class _FittedColumn:
    """One column as it is written, and the file's column that its values come from; None if the file lacks it."""

    target: pa.Field
    source: _FileColumn | None = None
    treatment: _Treatment = _Treatment.CONVERTED

    @property
    def is_written(self) -> bool:
        return self.treatment is not _Treatment.RESCUED


class Fit:
    """A file's way into its table; what it learns of the file's values it keeps while the file is read again.

    ``valued`` are columns that are known to have values, ``not_widened`` those whose types are not widened to each
    other, where that is known before the file is read.
    """

    def __init__(
        self,
        table_schema: pa.Schema | None,
        rule: FitRule,
        *,
        valued: frozenset[str] = frozenset(),
        not_widened: frozenset[str] = frozenset(),
    ) -> None:
        self._table_schema = table_schema
        self._table_types = {field.name: field.type for field in table_schema or ()}
        self._rule = rule
        self._named, self._hidden = rule.transform.named, rule.transform.hidden
        self._takes_others = rule.transform.others and rule.transform.table is None
        self._file_schema = pa.schema([])
        # Learned while rows are read: columns whose types are not widened to each other, and columns with values.
        self._not_widened: set[str] = set(not_widened)
        self._valued: set[str] = set(valued)

    def table(self, inner: Table) -> Table:
        """The file as a part of its table."""
        return _FittedTable(inner, self)

    def against(self, table_schema: pa.Schema | None) -> Fit | None:
        """The same file fitted to another schema, if that writes the same; else None: it must be read again."""
        fit = Fit(table_schema, self._rule)
        fit._file_schema, fit._not_widened, fit._valued = self._file_schema, self._not_widened, self._valued
        if fit.output_schema().equals(self.output_schema(), check_metadata=True):
            return fit
        return None

    def output_schema(self) -> pa.Schema:
        """The schema that the file's rows are written with, before the transform."""
        fields = list(map(_target_of, self._written_columns()))
        if self._rule.rescues:
            fields.append(rescue.FIELD)
        return pa.schema(fields)

    def remembered_schema(self) -> pa.Schema:
        """The table's schema once it has this file: a field without any value so far has no type."""
        fields = []
        for column in self._written_columns():
            field = column.target
            if self._is_blank(column):
                field = field.with_type(pa.null())
            fields.append(field)
        return pa.schema(fields)

    def _written_columns(self) -> list[_FittedColumn]:
        return [column for column in self.plan_columns(self._file_schema) if column.is_written]

    def _is_blank(self, column: _FittedColumn) -> bool:
        """Whether no file of the table has given the column a value."""
        name = column.target.name
        if not arrow_types.is_null(self._table_types.get(name, pa.null())):
            return False
        if column.source is None:
            return True
        return self._may_be_blank(column.source.field) and name not in self._valued

    def _may_be_blank(self, field: pa.Field) -> bool:
        """Whether the file's field may have no value at all: a reader that guesses types makes such a column text."""
        if arrow_types.is_null(field.type):
            return True
        return field.equals(_as_text(field.name)) and self._rule.is_guessed(field.name)

    def plan_columns(self, file_schema: pa.Schema) -> list[_FittedColumn]:
        """The columns as they are written, the table's first, then those that only the file has."""
        self._file_schema = file_schema
        sources = self._file_columns()
        if self._rule.rescues and RESCUED in sources:
            raise MalformedFile(
                f"the file has a field {RESCUED!r} itself, which schema_evolution: rescue adds; rename it, or use"
                " evolve",
                column=RESCUED,
            )
        # A table of (a, b) and a file of (b, c) become a (missing), b, and c if the table may grow.
        columns = list[_FittedColumn]()
        for field in self._table_schema or ():
            columns.append(self._plan_known(field, sources.pop(field.name, None)))
        columns.extend(map(self._plan_new, sources.values()))
        return columns

    def _file_columns(self) -> dict[str, _FileColumn]:
        """The file's columns that the transform wants, by their unique names."""
        columns = {}
        for position, name in enumerate(unique_names(self._file_schema.names)):
            if self._takes_others or name in self._named:
                field = self._file_schema.field(position).with_name(name)
                columns[name] = _FileColumn(position, as_remembered(field))
        return columns

    def _plan_known(self, field: pa.Field, source: _FileColumn | None) -> _FittedColumn:
        """What becomes of a field that the table has already."""
        if source is None:
            return _FittedColumn(self._rule.given.get(field.name, _as_written(field)))
        # The configuration gives the type: what the table had before no longer counts.
        if field.name in self._rule.given:
            return self._plan_first(source)
        # No file has had a value there yet, so that the first one with some decides.
        if arrow_types.is_null(field.type):
            return self._plan_first(source)
        if unify.are_the_same(field, source.field):
            return _FittedColumn(field, source, _Treatment.AS_THEY_ARE)
        # Of an obfuscated field the hash is written, which is made of its text whatever the type is.
        if field.name in self._hidden:
            return _FittedColumn(_as_text(field.name), source)
        return self._plan_other_type(field, source)

    def _plan_other_type(self, field: pa.Field, source: _FileColumn) -> _FittedColumn:
        """What becomes of a field whose type in the file is not the table's.

        Worked example: the table has integers, the file decimals. With evolve the column becomes decimals; with rescue
        it stays one of integers, and 1.5 is rescued; frozen, the file is refused.
        """
        wider = self._widen(field, source.field)
        if wider.equals(field, check_metadata=True):
            return _FittedColumn(field, source)
        may_be_blank = self._may_be_blank(source.field)
        if self._rule.widens:
            if may_be_blank and field.name not in self._valued:
                return _FittedColumn(field, source, _Treatment.HOPED)
            return _FittedColumn(wider, source)
        if self._rule.rescues:
            return _FittedColumn(field, source, _Treatment.DIVIDED)
        if may_be_blank:
            return _FittedColumn(field, source, _Treatment.HOPED)
        raise self._refusal(field.name, f"is {kind_of(source.field)} in this file and {kind_of(field)} in its table")

    def _widen(self, field: pa.Field, file_field: pa.Field) -> pa.Field:
        as_text = self._rule.as_text and not is_raw_json(field)
        typed = field.name not in self._not_widened
        return as_remembered(unify.unify([field, file_field], as_text=as_text, typed=typed))

    def _plan_new(self, source: _FileColumn) -> _FittedColumn:
        """What becomes of a field that the table does not have."""
        name = source.field.name
        may_join = not self._table_schema or self._rule.widens
        if may_join or name in self._named:
            return self._plan_first(source)
        if self._rule.rescues:
            return _FittedColumn(source.field, source, _Treatment.RESCUED)
        raise self._refusal(name, f"is new ({kind_of(source.field)}): its table does not have it")

    def _plan_first(self, source: _FileColumn) -> _FittedColumn:
        """The column of a field that has no type yet: its type is the file's, text if it is hidden or blank."""
        field = source.field
        if field.name in self._hidden or arrow_types.is_null(field.type):
            return _FittedColumn(_as_text(field.name), source)
        return _FittedColumn(field, source, _Treatment.AS_THEY_ARE)

    def convert(self, batch: pa.RecordBatch, columns: list[_FittedColumn], numbers: Sequence[int]) -> list[pa.Array]:
        """A batch's columns as the table has them; ``numbers`` are those of the batch's rows."""
        arrays, rest = list[pa.Array](), dict[str, pa.Array]()
        for column in columns:
            array, spared = self._convert_column(batch, column, numbers)
            if column.is_written:
                arrays.append(array)
            if spared is not None:
                rest[column.target.name] = spared
        if self._rule.rescues:
            arrays.append(rescue.column(rest, batch.num_rows))
        return arrays

    def _convert_column(self, batch: pa.RecordBatch, column: _FittedColumn, numbers: Sequence[int]) -> Divided:
        target, source = column.target, column.source
        if source is None:
            return pa.nulls(batch.num_rows, target.type), None
        array = batch.column(source.position)
        if array.null_count == len(array):
            return pa.nulls(len(array), target.type), None
        # Kept although the reading may start over: that is what makes the second reading another one than the first.
        self._valued.add(target.name)
        match column.treatment:
            case _Treatment.RESCUED:
                return array, rescue.all_of(array, source.field)
            case _Treatment.DIVIDED:
                return self._divide(array, source.field, target)
            case _Treatment.AS_THEY_ARE if array.type == target.type:
                return array, None
        return self._convert_values(array, source.field, column, numbers)

    def _convert_values(
        self, array: pa.Array, field: pa.Field, column: _FittedColumn, numbers: Sequence[int]
    ) -> Divided:
        try:
            return unify.convert(array, field, column.target), None
        except unify.Lossy:
            if self._rule.rescues:
                return self._divide(array, field, column.target)
            if not self._rule.widens:
                raise self._misfit(array, field, column.target, numbers) from None
            # With evolve the reading starts over. A column that was only hoped to be blank is now known to have values;
            # one that was converted is not to be widened again.
            if column.treatment is _Treatment.CONVERTED:
                self._not_widened.add(column.target.name)
            raise

    def _divide(self, array: pa.Array, field: pa.Field, target: pa.Field) -> Divided:
        return rescue.divide(array, field, target, as_text=self._rule.as_text)

    def _misfit(self, array: pa.Array, field: pa.Field, target: pa.Field, numbers: Sequence[int]) -> SchemaFrozen:
        """The error of the first value that does not fit, with its row; a hidden one is never shown: it is text."""
        _, spared = self._divide(array, field, target)
        value, index = "a value", 0
        if spared is not None:
            index = pc.index(spared.is_valid(), value=True).as_py()
            value = str(spared[index].as_py())[:100]
        row = numbers[index]
        return self._refusal(
            target.name, f"holds {value} in row {row:,}, and is {kind_of(target)} in its table", row=row
        )

    def _refusal(self, name: str, problem: str, *, row: int | None = None) -> SchemaFrozen:
        return SchemaFrozen(
            f"the field {name!r} {problem} ({self._rule.table}), whose schema is frozen. Mend the file; or let the"
            " table change (schema_evolution: evolve) or the values be kept apart (rescue), and reprocess the file",
            row=row,
            column=name,
        )


def _target_of(column: _FittedColumn) -> pa.Field:
    return column.target


def _as_text(name: str) -> pa.Field:
    return pa.field(name, pa.string())


def _as_written(field: pa.Field) -> pa.Field:
    """The field as it is written: one without any value so far is text."""
    if arrow_types.is_null(field.type):
        return _as_text(field.name)
    return field


@dataclass(frozen=True, slots=True)
class _FittedTable:
    """A table whose rows are those of another, as a fit has them."""

    inner: Table
    fit: Fit

    def open(self, report: PutAside, /) -> tuple[pa.Schema, Generator[TableRows, None, None]]:
        """Read the file from its beginning."""
        file_schema, pieces = self.inner.open(report)
        columns = self.fit.plan_columns(file_schema)
        into = _with_metadata(self.fit.output_schema(), file_schema)
        return into, self._rows(pieces, columns, into)

    def _rows(
        self, pieces: Generator[TableRows, None, None], columns: list[_FittedColumn], into: pa.Schema
    ) -> Generator[TableRows, None, None]:
        with closing(pieces):
            for rows in pieces:
                if not len(into):
                    yield rows
                    continue
                arrays = self.fit.convert(rows.batch, columns, rows.row_numbers)
                yield replace(rows, batch=pa.RecordBatch.from_arrays(arrays, schema=into))


def _with_metadata(written: pa.Schema, file_schema: pa.Schema) -> pa.Schema:
    metadata = dict(file_schema.metadata or {})
    # pandas notes columns by name and position, and its reader believes that before it looks at the columns.
    if written.names != file_schema.names:
        metadata.pop(_PANDAS, None)
    if not metadata:
        return written
    return written.with_metadata(metadata)


def guesses_of_reader(file_format: FileFormat, *, infer: bool, demanded: frozenset[str]) -> Callable[[str], bool]:
    """Whether a field's type was found in its values, for each field of a file that is read in this way."""
    words = words_of(file_format)
    finds_types = not words.declares_types and (infer or not words.is_text)

    def is_guessed(name: str) -> bool:
        return finds_types and name not in demanded

    return is_guessed
