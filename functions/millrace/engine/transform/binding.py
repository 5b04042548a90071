"""A transform made ready for one schema: fields found, types decided, then batch after batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.conditions import Logic
from millrace.engine.names import normalize, number_doubles, suggestion
from millrace.engine.options import RECORD_TIMESTAMP, RESCUED
from millrace.engine.transform.comparison import Moment, moment_at, order
from millrace.engine.transform.filters import Answer, answer, joined
from millrace.engine.transform.obfuscation import obfuscated
from millrace.engine.transform.overrides import Overridden, constant, overridden
from millrace.engine.transform.spec import TableTransform, Written
from millrace.engine.transform.values import TextColumn
from millrace.errors import ConfigurationError, InvalidConfiguration, UnknownField, ValueDoesNotFit

SYNCED_AT = RECORD_TIMESTAMP
"""The field that says when a row was written."""
_INSTANT = pa.timestamp("us", tz="UTC")
_SHOWN_FIELDS = 50
_PANDAS = b"pandas"
"""What pandas notes in a schema names its columns, and misleads where they are others."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The rows that stay, transformed, and how many were left out."""

    batch: pa.RecordBatch
    filtered: int


class Rows:
    """A source's batch; its columns, and what is derived of them, are made once."""

    def __init__(self, batch: pa.RecordBatch, schema: pa.Schema) -> None:
        self.batch = batch
        self._schema = schema
        self._columns: dict[int, TextColumn] = {}

    def column(self, place: int) -> TextColumn:
        """The column at a place."""
        if place not in self._columns:
            self._columns[place] = TextColumn(self.batch.column(place), self._schema.field(place))
        return self._columns[place]


@dataclass(frozen=True, slots=True)
class _Output:
    """One field of the output, and how its values are made of the source's rows."""

    field: pa.Field
    values: Callable[[Rows], pa.Array]


@dataclass(frozen=True, slots=True)
class _Filters:
    """Each letter's place and question, and the logic that joins them."""

    answers: tuple[tuple[str, int, Answer], ...]
    tree: Logic

    def keep(self, rows: Rows) -> pa.Array:
        """Which rows stay."""
        found = {label: ask(rows.column(place)) for label, place, ask in self.answers}
        return pc.fill_null(joined(self.tree, found), fill_value=False)


@dataclass(frozen=True, slots=True)
class _Cutoff:
    """The field that says when a row changed, and the instant from which on it stays; a secret one is never shown."""

    name: str
    place: int
    since: Moment
    secret: bool

    def keep(self, rows: Rows, first_row: int) -> pa.Array:
        """Which rows stay: all but those known to be older."""
        column = rows.column(self.place)
        older = order(column, self.since).less
        odd = pc.and_(column.valid, older.is_null())
        if pc.any(odd).as_py():
            self._refuse(column, pc.index(odd, value=True).as_py(), first_row)
        return pc.invert(pc.fill_null(older, fill_value=False))

    def _refuse(self, column: TextColumn, at: int, first_row: int) -> None:
        found = "a value that is not shown" if self.secret else repr(column.texts[at].as_py()[:100])
        raise ValueDoesNotFit(
            f"row {first_row + at:,}: the tracking_field {self.name!r} holds {found}, which"
            " is no ISO 8601 date or time to compare with data_cutoff_timestamp; track another field, or set"
            " disable_data_cutoff",
            row=first_row + at,
            column=self.name,
        )


@dataclass(frozen=True, slots=True)
class BoundTransform:
    """A transform for batches of one schema. ``partition_field`` is the output's field to divide rows by."""

    schema: pa.Schema
    partition_field: str | None
    _source: pa.Schema
    _outputs: tuple[_Output, ...] | None
    _filters: _Filters | None
    _cutoff: _Cutoff | None
    _identifier: int | None

    def apply(self, batch: pa.RecordBatch, *, first_row: int = 1) -> Applied:
        """The batch as it is written; ``first_row`` is the number of its first row, for errors."""
        rows = Rows(batch, self._source)
        kept = self._kept(rows, first_row)
        return Applied(self._made(kept), batch.num_rows - kept.batch.num_rows)

    def identifiers(self, batch: pa.RecordBatch) -> pa.Array | None:
        """The identifiers of a source's batch as text, for ``Identifiers``; None where the model has none."""
        return None if self._identifier is None else Rows(batch, self._source).column(self._identifier).texts

    def _kept(self, rows: Rows, first_row: int) -> Rows:
        if self._cutoff is not None:
            rows = self._only(rows, self._cutoff.keep(rows, first_row))
        if self._filters is not None:
            rows = self._only(rows, self._filters.keep(rows))
        return rows

    def _only(self, rows: Rows, keep: pa.Array) -> Rows:
        if pc.all(keep).as_py() is not False:
            return rows
        return Rows(rows.batch.filter(keep), self._source)

    def _made(self, rows: Rows) -> pa.RecordBatch:
        if self._outputs is None:
            return rows.batch
        return pa.RecordBatch.from_arrays([one.values(rows) for one in self._outputs], schema=self.schema)


def bind(spec: TableTransform, schema: pa.Schema, *, now: datetime, key: bytes | None = None) -> BoundTransform:
    """Make a transform ready for batches of a schema.

    ``now`` is the instant of the run, with its zone; ``key`` hashes obfuscated fields. Raises UnknownField where the
    schema has no field that the transform names, ConfigurationError where a key is needed and none is given.
    """
    now = now.astimezone(UTC)
    fields = _Fields(schema, spec.table)
    _check_key(spec, key)
    outputs = _outputs(spec, fields, now, key)
    same_names = not spec.normalized or [one.field.name for one in outputs] == schema.names
    untouched = same_names and _leaves_columns_alone(spec)
    written = _written_schema(schema, [one.field for one in outputs])
    return BoundTransform(
        schema=schema if untouched else written,
        partition_field=_partition_field(spec, fields, written),
        _source=schema,
        _outputs=None if untouched else tuple(outputs),
        _filters=_bound_filters(spec, fields, now),
        _cutoff=_bound_cutoff(spec, fields),
        _identifier=None if spec.identifier is None else fields.place(spec.identifier, "identifier"),
    )


class _Fields:
    """The fields of a table, by name; where a source has a name twice, it means the first."""

    def __init__(self, schema: pa.Schema, table: Sequence[str] | None) -> None:
        self.schema = schema
        self._places: dict[str, int] = {}
        for place, name in enumerate(schema.names):
            self._places.setdefault(name, place)
        self.places = list(range(len(schema.names)))
        if table is not None:
            self.places = [self.place(name, "the model's fields") for name in table]
            self._places = {name: self._places[name] for name in table}

    def place(self, name: str, where: str) -> int:
        """Where the field stands in the source; ``where`` is the part of the configuration that names it."""
        if name not in self._places:
            raise UnknownField(
                f"{where} names the field {name!r}, which the table does not have; its fields are"
                f" {_listed(list(self._places))}{suggestion(name, self._places)}",
                column=name,
            )
        return self._places[name]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN_FIELDS:,} more" if len(names) > _SHOWN_FIELDS else ""
    return (", ".join(map(repr, names[:_SHOWN_FIELDS])) or "none") + more


def _check_key(spec: TableTransform, key: bytes | None) -> None:
    if spec.needs_key and not key:
        names = _listed([str(one.source) for one in spec.written if one.obfuscated])
        raise ConfigurationError(
            f"no key is given, but fields are to be obfuscated: {names}; store a key for the sync, or obfuscate none"
        )


def _leaves_columns_alone(spec: TableTransform) -> bool:
    chosen = spec.written or spec.left_out or spec.table is not None
    return not (chosen or spec.constants or spec.overrides or spec.synced_at)


def _written_schema(schema: pa.Schema, fields: Sequence[pa.Field]) -> pa.Schema:
    metadata = {name: value for name, value in (schema.metadata or {}).items() if name != _PANDAS}
    return pa.schema(fields, metadata=metadata or None)


def _partition_field(spec: TableTransform, fields: _Fields, written: pa.Schema) -> str | None:
    if spec.partition_key is None:
        return None
    place = fields.place(spec.partition_key, "partition_key")
    for chosen, name in zip(_chosen(spec, fields), written.names, strict=False):
        if chosen.place == place:
            return str(name)
    raise InvalidConfiguration(
        f"partition_key: the field {spec.partition_key!r} is not written; enable it, or divide by another field"
    )


def _bound_filters(spec: TableTransform, fields: _Fields, now: datetime) -> _Filters | None:
    if not spec.filters.conditions:
        return None
    answers = tuple(
        (label, fields.place(one.field, f"filter {label}"), answer(one, now=now))
        for label, one in spec.filters.conditions
    )
    return _Filters(answers, spec.filters.tree)


def _bound_cutoff(spec: TableTransform, fields: _Fields) -> _Cutoff | None:
    if spec.tracking_field is None:
        return None
    place = fields.place(spec.tracking_field, "tracking_field")
    if spec.cutoff is None:
        return None
    secret = any(one.obfuscated and one.source == spec.tracking_field for one in spec.written)
    return _Cutoff(spec.tracking_field, place, moment_at(spec.cutoff), secret)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A field to write, and the place of its values in the source; None for a constant."""

    written: Written
    place: int | None


def _chosen(spec: TableTransform, fields: _Fields) -> list[_Chosen]:
    """The fields to write, the others and the constants included, in their order."""
    for name in spec.left_out:
        fields.place(name, "fields")
    named = {one.source for one in spec.written} | set(spec.left_out) | ({RESCUED} if spec.rescued else set())
    constants = {str(one.name): _Chosen(one, None) for one in spec.constants}
    chosen = [_placed(one, fields) for one in spec.written]
    names = fields.schema.names
    for place in fields.places if spec.others else ():
        name = names[place]
        if name not in named:
            chosen.append(constants.pop(name) if name in constants else _Chosen(Written(source=name), place))
    rescued = [_placed(Written(source=RESCUED, name=RESCUED), fields)] if spec.rescued else []
    return [*chosen, *constants.values(), *rescued]


def _placed(one: Written, fields: _Fields) -> _Chosen:
    place = None if one.source is None else fields.place(one.source, "fields")
    return _Chosen(one, None if one.constant is not None else place)


def _outputs(spec: TableTransform, fields: _Fields, now: datetime, key: bytes | None) -> list[_Output]:
    chosen = _chosen(spec, fields)
    overrides = _overrides(spec, fields, now)
    outputs = [
        _output(one, name, fields, overrides, key)
        for one, name in zip(chosen, _name_outputs(chosen, spec), strict=True)
    ]
    if spec.synced_at:
        outputs.append(_repeated(pa.field(SYNCED_AT, _INSTANT), pa.scalar(now, _INSTANT)))
    if not outputs and len(fields.schema):
        # The file's fault as well: it may have none but those that the configuration leaves out.
        raise UnknownField(f"fields: none is left to write of {_listed(fields.schema.names)}; enable at least one")
    return outputs


def _name_outputs(chosen: Sequence[_Chosen], spec: TableTransform) -> list[str]:
    """The output's names: those that are given stay as they are, the others are by rule and give way."""
    explicit = [column.written.name for column in chosen if column.written.name is not None]
    if spec.synced_at:
        explicit.append(SYNCED_AT)
    _check_names_differ(explicit)
    ruled = [column for column in chosen if column.written.name is None]
    sources = [str(column.written.source) for column in ruled]
    formed = list(sources)
    if spec.normalized:
        formed = [normalize(name, (column.place or 0) + 1) for name, column in zip(sources, ruled, strict=True)]
    unique = iter(number_doubles(formed, sources, explicit))
    return [column.written.name or next(unique) for column in chosen]


def _check_names_differ(names: Sequence[str]) -> None:
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise InvalidConfiguration(f"fields: two fields of the output have the name {', '.join(map(repr, doubles))}")


def _overrides(spec: TableTransform, fields: _Fields, now: datetime) -> dict[str, Overridden]:
    by_field: dict[str, list[int]] = {}
    for number, one in enumerate(spec.overrides):
        fields.place(one.condition.field, "overrides")
        by_field.setdefault(one.condition.field, []).append(number)
    return {
        name: overridden(
            fields.schema.field(fields.place(name, "overrides")), [spec.overrides[n] for n in numbers], now=now
        )
        for name, numbers in by_field.items()
    }


def _output(
    chosen: _Chosen, name: str, fields: _Fields, overrides: dict[str, Overridden], key: bytes | None
) -> _Output:
    if chosen.place is None:
        return _repeated(*constant(name, chosen.written.constant))
    source = _overridden(chosen.place, overrides.get(str(chosen.written.source)), fields.schema)
    if chosen.written.obfuscated and key is not None:
        return _hashed(source, name, key)
    return _Output(source.field.with_name(name), source.values)


def _repeated(field: pa.Field, value: pa.Scalar) -> _Output:
    return _Output(field, lambda rows: pa.repeat(value, rows.batch.num_rows))


def _overridden(place: int, override: Overridden | None, schema: pa.Schema) -> _Output:
    if override is None:
        return _Output(schema.field(place), lambda rows: rows.batch.column(place))
    return _Output(override.field, lambda rows: override.values(rows.column(place)))


def _hashed(source: _Output, name: str, key: bytes) -> _Output:
    field = source.field
    return _Output(
        pa.field(name, pa.string()), lambda rows: obfuscated(TextColumn(source.values(rows), field).texts, key)
    )


def identifier_of(batches: Iterable[pa.RecordBatch], bound: BoundTransform, row: int) -> str | None:
    """The identifier of a row, counted from 1, found by reading the batches again."""
    for batch in batches:
        if row <= batch.num_rows:
            texts = bound.identifiers(batch.slice(row - 1, 1))
            return None if texts is None else str(texts[0].as_py())
        row -= batch.num_rows
    return None
