"""A transform bound to one schema: fields are looked up and types decided once, then batch after batch is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.conditions import Logic
from millrace.engine.names import normalize, number_doubles, suggestion
from millrace.engine.options import RECORD_TIMESTAMP, RESCUED
from millrace.engine.transform.comparison import Moment, moment_at, order
from millrace.engine.transform.filters import Answer, answer_of, join_answers
from millrace.engine.transform.obfuscation import hash_texts
from millrace.engine.transform.overrides import OverriddenField, constant, override_field
from millrace.engine.transform.spec import TableTransform, ValueOverride, Written
from millrace.engine.transform.values import TextColumn
from millrace.errors import ConfigurationError, InvalidConfiguration, UnknownField, ValueDoesNotFit

SYNCED_AT = RECORD_TIMESTAMP
"""The field that says when a row was written."""
_INSTANT = pa.timestamp("us", tz="UTC")
_SHOWN_FIELDS = 50
_PANDAS = b"pandas"
"""What pandas notes in a schema names its columns, and misleads if they are others."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The rows that stay, transformed, and how many were left out."""

    batch: pa.RecordBatch
    filtered: int


class SourceRows:
    """A source's batch; its columns, and what is derived of them, are made once."""

    def __init__(self, batch: pa.RecordBatch, schema: pa.Schema) -> None:
        self.batch = batch
        self._schema = schema
        self._columns: dict[int, TextColumn] = {}

    def column(self, position: int) -> TextColumn:
        """The column at a position."""
        if position not in self._columns:
            self._columns[position] = TextColumn(self.batch.column(position), self._schema.field(position))
        return self._columns[position]


@dataclass(frozen=True, slots=True)
class _OutputField:
    """One field of the output, and how its values are made of the source's rows."""

    field: pa.Field
    values: Callable[[SourceRows], pa.Array]


@dataclass(frozen=True, slots=True)
class _BoundFilters:
    """Each letter with its field's position and its question, and the logic that joins them."""

    answers: tuple[tuple[str, int, Answer], ...]
    tree: Logic

    def keep(self, rows: SourceRows) -> pa.Array:
        """Which rows stay."""
        answers = {label: ask(rows.column(position)) for label, position, ask in self.answers}
        return pc.fill_null(join_answers(self.tree, answers), fill_value=False)


@dataclass(frozen=True, slots=True)
class _Cutoff:
    """The field that says when a row changed, and the instant from which on it stays; a secret one is never shown."""

    name: str
    position: int
    since: Moment
    secret: bool

    def keep(self, rows: SourceRows, row_numbers: Sequence[int]) -> pa.Array:
        """Which rows stay: those that are not older, and those without a value."""
        column = rows.column(self.position)
        older = order(column, self.since).less
        odd = pc.and_(column.valid, older.is_null())
        if pc.any(odd).as_py():
            at = pc.index(odd, value=True).as_py()
            self._refuse(column, at, row_numbers[at])
        return pc.invert(pc.fill_null(older, fill_value=False))

    def _refuse(self, column: TextColumn, at: int, row: int) -> None:
        value = "a value that is not shown"
        if not self.secret:
            value = repr(column.texts[at].as_py()[:100])
        raise ValueDoesNotFit(
            f"row {row:,}: the tracking_field {self.name!r} holds {value}, which"
            " is no ISO 8601 date or time to compare with data_cutoff_timestamp; track another field, or set"
            " disable_data_cutoff",
            row=row,
            column=self.name,
        )


@dataclass(frozen=True, slots=True)
class BoundTransform:
    """A transform for batches of one schema. ``partition_field`` is the output's field to divide rows by."""

    schema: pa.Schema
    partition_field: str | None
    _source: pa.Schema
    _outputs: tuple[_OutputField, ...] | None
    _filters: _BoundFilters | None
    _cutoff: _Cutoff | None
    _identifier: int | None

    def apply(self, batch: pa.RecordBatch, *, row_numbers: Sequence[int] | None = None) -> Applied:
        """The batch as it is written; ``row_numbers`` are those of its rows, for errors; None: from 1 on."""
        if row_numbers is None:
            row_numbers = range(1, batch.num_rows + 1)
        rows = SourceRows(batch, self._source)
        wanted = self._select_rows(rows, row_numbers)
        return Applied(self._make_output(wanted), batch.num_rows - wanted.batch.num_rows)

    def identifiers(self, batch: pa.RecordBatch) -> pa.Array | None:
        """The identifiers of a source's batch as text, for ``Identifiers``; None if the model has none."""
        if self._identifier is None:
            return None
        return SourceRows(batch, self._source).column(self._identifier).texts

    def _select_rows(self, rows: SourceRows, row_numbers: Sequence[int]) -> SourceRows:
        if self._cutoff is not None:
            rows = self._filter(rows, self._cutoff.keep(rows, row_numbers))
        if self._filters is not None:
            rows = self._filter(rows, self._filters.keep(rows))
        return rows

    def _filter(self, rows: SourceRows, keep: pa.Array) -> SourceRows:
        # The columns' texts are kept with the rows: they are made again only if a row goes.
        if pc.all(keep).as_py() is not False:
            return rows
        return SourceRows(rows.batch.filter(keep), self._source)

    def _make_output(self, rows: SourceRows) -> pa.RecordBatch:
        if self._outputs is None:
            return rows.batch
        arrays = [output.values(rows) for output in self._outputs]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def bind(spec: TableTransform, schema: pa.Schema, *, now: datetime, key: bytes | None = None) -> BoundTransform:
    """The transform, bound to a schema.

    ``now`` is the instant of the run, with its zone; ``key`` hashes obfuscated fields. Raises UnknownField where the
    schema has no field that the transform names, ConfigurationError where a key is needed and none is given.
    """
    now = now.astimezone(UTC)
    fields = _Fields(schema, spec.table, spec.added)
    _check_key(spec, key)
    outputs = _output_fields(spec, fields, now, key)
    written = _written_schema(schema, [output.field for output in outputs])
    bound = BoundTransform(
        schema=written,
        partition_field=_partition_field(spec, fields, written),
        _source=schema,
        _outputs=tuple(outputs),
        _filters=_bind_filters(spec, fields, now),
        _cutoff=_bind_cutoff(spec, fields),
        _identifier=_position_of_identifier(spec, fields),
    )
    # A transform that changes no column passes batches on as they are, with the schema's metadata.
    if _changes_no_column(spec, schema.names, written.names):
        return replace(bound, schema=schema, _outputs=None)
    return bound


def _position_of_identifier(spec: TableTransform, fields: _Fields) -> int | None:
    if spec.identifier is None:
        return None
    return fields.position(spec.identifier, "identifier")


class _Fields:
    """The fields of a table, by name; a name that a source has twice means the first."""

    def __init__(self, schema: pa.Schema, table: Sequence[str] | None, added: Sequence[str]) -> None:
        self.schema = schema
        self._positions: dict[str, int] = {}
        for position, name in enumerate(schema.names):
            self._positions.setdefault(name, position)
        self.positions = list(range(len(schema.names)))
        if table is not None:
            # Of a model only its own fields can be named from here on, in its order, and not all that the file has.
            names = [*table, *(name for name in added if name not in table)]
            self.positions = [self.position(name, "the model's fields") for name in names]
            self._positions = dict(zip(names, self.positions, strict=True))

    def position(self, name: str, setting: str) -> int:
        """The field's position in the source; ``setting`` is the part of the configuration that names it."""
        if name not in self._positions:
            raise UnknownField(
                f"{setting} names the field {name!r}, which the table does not have; its fields are"
                f" {_enumerate_names(list(self._positions))}{suggestion(name, self._positions)}",
                column=name,
            )
        return self._positions[name]


def _enumerate_names(names: Sequence[str]) -> str:
    text = ", ".join(map(repr, names[:_SHOWN_FIELDS])) or "none"
    if len(names) > _SHOWN_FIELDS:
        return f"{text} and {len(names) - _SHOWN_FIELDS:,} more"
    return text


def _check_key(spec: TableTransform, key: bytes | None) -> None:
    if spec.needs_key and not key:
        secret = filter(_is_obfuscated, spec.written)
        names = _enumerate_names([str(written.source) for written in secret])
        raise ConfigurationError(
            f"no key is given, but fields are to be obfuscated: {names}; store a key for the sync, or obfuscate none"
        )


def _is_obfuscated(written: Written) -> bool:
    return written.obfuscated


def _changes_no_column(spec: TableTransform, source_names: list[str], output_names: list[str]) -> bool:
    if spec.normalized and output_names != source_names:
        return False
    # Filters and a cutoff take rows away, and leave the columns as they are.
    chooses = spec.written or spec.left_out or spec.table is not None
    adds = spec.constants or spec.synced_at
    return not (chooses or adds or spec.overrides)


def _written_schema(schema: pa.Schema, fields: Sequence[pa.Field]) -> pa.Schema:
    metadata = dict(schema.metadata or {})
    metadata.pop(_PANDAS, None)
    return pa.schema(fields, metadata=metadata or None)


def _partition_field(spec: TableTransform, fields: _Fields, written: pa.Schema) -> str | None:
    if spec.partition_key is None:
        return None
    position = fields.position(spec.partition_key, "partition_key")
    for chosen, name in zip(_choose_fields(spec, fields), written.names, strict=False):
        if chosen.position == position:
            return str(name)
    raise InvalidConfiguration(
        f"partition_key: the field {spec.partition_key!r} is not written; enable it, or divide by another field"
    )


def _bind_filters(spec: TableTransform, fields: _Fields, now: datetime) -> _BoundFilters | None:
    if not spec.filters.conditions:
        return None
    answers = []
    for label, condition in spec.filters.conditions:
        position = fields.position(condition.field, f"filter {label}")
        answers.append((label, position, answer_of(condition, now=now)))
    return _BoundFilters(tuple(answers), spec.filters.tree)


def _bind_cutoff(spec: TableTransform, fields: _Fields) -> _Cutoff | None:
    if spec.tracking_field is None:
        return None
    position = fields.position(spec.tracking_field, "tracking_field")
    if spec.cutoff is None:
        return None
    secret = spec.tracking_field in spec.obfuscated
    return _Cutoff(spec.tracking_field, position, moment_at(spec.cutoff), secret)


@dataclass(frozen=True, slots=True)
class _ChosenField:
    """A field to write, and the position of its values in the source; None for a constant."""

    written: Written
    position: int | None


def _choose_fields(spec: TableTransform, fields: _Fields) -> list[_ChosenField]:
    """The fields to write, the others and the constants included, in their order."""
    # Of a source (a, b, c), with c written as x, b left out and the constants a and d, the output is x, the constant a
    # in place of the field, and the constant d.
    for name in spec.left_out:
        fields.position(name, "fields")
    chosen = [_choose_field(written, fields) for written in spec.written]
    constants = {str(written.name): _ChosenField(written, None) for written in spec.constants}
    if spec.others:
        chosen.extend(_choose_others(spec, fields, constants))
    chosen.extend(constants.values())
    added = [Written(source=name, name=name) for name in _added_fields(spec)]
    chosen.extend(_choose_field(written, fields) for written in added)
    return chosen


def _added_fields(spec: TableTransform) -> list[str]:
    """The fields that were added to the source's and are written under their own names, behind all others."""
    named = spec.written_sources.union(spec.left_out)
    added = [name for name in spec.added if name not in named]
    if spec.rescued:
        return [RESCUED, *added]
    return added


def _choose_others(spec: TableTransform, fields: _Fields, constants: dict[str, _ChosenField]) -> Iterator[_ChosenField]:
    """The fields that the transform does not name; a constant of the same name is taken in a field's position."""
    named = set(spec.written_sources.union(spec.left_out, spec.added))
    if spec.rescued:
        named.add(RESCUED)
    names = fields.schema.names  # once: Arrow makes the list at each look, so that wide tables took quadratic time
    for position in fields.positions:
        name = names[position]
        if name in named:
            continue
        yield constants.pop(name, _ChosenField(Written(source=name), position))


def _choose_field(written: Written, fields: _Fields) -> _ChosenField:
    position = None
    if written.source is not None:
        position = fields.position(written.source, "fields")
    if written.constant is not None:
        position = None
    return _ChosenField(written, position)


def _output_fields(spec: TableTransform, fields: _Fields, now: datetime, key: bytes | None) -> list[_OutputField]:
    chosen = _choose_fields(spec, fields)
    names = _name_outputs(chosen, spec)
    overrides = _overrides(spec, fields, now)
    outputs = list[_OutputField]()
    for column, name in zip(chosen, names, strict=True):
        outputs.append(_output_field(column, name, fields, overrides, key))
    if spec.synced_at:
        outputs.append(_repeat(pa.field(SYNCED_AT, _INSTANT), pa.scalar(now, _INSTANT)))
    if not outputs and len(fields.schema):
        # The file's fault as well: it may have none but those that the configuration leaves out.
        raise UnknownField(
            f"fields: none is left to write of {_enumerate_names(fields.schema.names)}; enable at least one"
        )
    return outputs


def _name_outputs(chosen: Sequence[_ChosenField], spec: TableTransform) -> list[str]:
    """The output's names: those that are given stay as they are, the others are by rule and give way."""
    # A field that is to be called "id" keeps that; a source's own field "id" beside it becomes "id_2".
    explicit, unnamed = list[str](), list[_ChosenField]()
    for column in chosen:
        if column.written.name is None:
            unnamed.append(column)
        else:
            explicit.append(column.written.name)
    if spec.synced_at:
        explicit.append(SYNCED_AT)
    _check_names_differ(explicit)
    by_rule = iter(_names_by_rule(unnamed, explicit, spec))
    return [column.written.name or next(by_rule) for column in chosen]


def _names_by_rule(columns: Sequence[_ChosenField], reserved: Sequence[str], spec: TableTransform) -> list[str]:
    """The names of columns that none was given for: the source's, normalized if the transform says so, none twice."""
    source_names, names = list[str](), list[str]()
    for column in columns:
        name = str(column.written.source)
        source_names.append(name)
        is_normalized = spec.normalized and name not in spec.added
        names.append(normalize(name, (column.position or 0) + 1) if is_normalized else name)
    return number_doubles(names, source_names, reserved)


def _check_names_differ(names: Sequence[str]) -> None:
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise InvalidConfiguration(f"fields: two fields of the output have the name {', '.join(map(repr, doubles))}")


def _overrides(spec: TableTransform, fields: _Fields, now: datetime) -> dict[str, OverriddenField]:
    by_field: dict[str, list[ValueOverride]] = {}
    for override in spec.overrides:
        by_field.setdefault(override.condition.field, []).append(override)
    overridden = {}
    for name, overrides in by_field.items():
        field = fields.schema.field(fields.position(name, "overrides"))
        overridden[name] = override_field(field, overrides, now=now)
    return overridden


def _output_field(
    chosen: _ChosenField, name: str, fields: _Fields, overrides: dict[str, OverriddenField], key: bytes | None
) -> _OutputField:
    if chosen.position is None:
        return _repeat(*constant(name, chosen.written.constant))
    source = _source_field(chosen.position, overrides.get(str(chosen.written.source)), fields.schema)
    if chosen.written.obfuscated and key is not None:
        return _OutputField(pa.field(name, pa.string()), partial(_hash, source, key))
    return _OutputField(source.field.with_name(name), source.values)


def _repeat(field: pa.Field, value: pa.Scalar) -> _OutputField:
    def repeat(rows: SourceRows) -> pa.Array:
        return pa.repeat(value, rows.batch.num_rows)

    return _OutputField(field, repeat)


def _source_field(position: int, override: OverriddenField | None, schema: pa.Schema) -> _OutputField:
    """A field of the source as an output, with its values overridden where conditions hold."""

    def values(rows: SourceRows) -> pa.Array:
        if override is None:
            return rows.batch.column(position)
        return override.values(rows.column(position))

    return _OutputField(schema.field(position) if override is None else override.field, values)


def _hash(source: _OutputField, key: bytes, rows: SourceRows) -> pa.Array:
    return hash_texts(TextColumn(source.values(rows), source.field).texts, key)


def identifier_of(batches: Iterable[pa.RecordBatch], bound: BoundTransform, row: int) -> str | None:
    """The identifier of a row, counted from 1, found by reading the batches again."""
    for batch in batches:
        if row <= batch.num_rows:
            texts = bound.identifiers(batch.slice(row - 1, 1))
            if texts is None:
                return None
            return str(texts[0].as_py())
        row -= batch.num_rows
    return None
