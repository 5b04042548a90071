"""Avro's schemas: JSON into columns that decode themselves, with the Arrow types in which every value survives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from millrace.engine.formats.avro import columns as avro
from millrace.engine.formats.limits import check_columns
from millrace.engine.names import unique_names
from millrace.engine.types.inference import MAX_DECIMAL_DIGITS
from millrace.errors import MalformedFile, UnsupportedType

NAME = "millrace.name"
"""The attribute of a field whose name is none in Avro: what it is called."""
FORM = "millrace.form"
"""The attribute of a field, or of an array, whose values are printed in a form of their own."""
_DEEPEST = 128
"""Types within types: each takes some calls of Python within the other, whose stack has an end."""
_UNITS = {"millis": "ms", "micros": "us", "nanos": "ns"}
_VALUE = "value"
"""The column of a file whose schema is no record."""


@dataclass(slots=True)
class _NamedTypes:
    """The named types that were defined so far, and those that are being read, which may not be met again."""

    types: dict[str, Any] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    fields: int = 0


@dataclass(frozen=True, slots=True)
class _SchemaPlace:
    """Where in the schema: the namespace that names without one are in, the path for messages, and how deep."""

    namespace: str
    path: str
    depth: int = 0

    def below(self, name: str, namespace: str | None = None) -> _SchemaPlace:
        return _SchemaPlace(self.namespace if namespace is None else namespace, f"{self.path}.{name}", self.depth + 1)


def to_columns(schema: Any) -> avro.RowColumn:
    """What decodes the rows of a schema.

    Raises MalformedFile for what is no schema, UnsupportedType for one that is defined by itself.
    """
    names = _NamedTypes()
    column = _column(schema, names, _SchemaPlace("", "the schema"))
    check_columns(names.fields, "the Avro file")
    if isinstance(column, avro.RecordColumn):
        return avro.RowColumn(column)
    return avro.RowColumn(avro.RecordColumn([avro.NamedColumn(_VALUE, column)]))


def _column(schema: Any, names: _NamedTypes, place: _SchemaPlace) -> avro.Column:
    if place.depth > _DEEPEST:
        raise MalformedFile(f"{place.path[:200]}: types are nested more than {_DEEPEST} deep")
    match schema:
        case list():
            return _column_of_union(schema, names, place)
        case str():
            return _column_of_name(schema, names, place)
        case {"type": _}:
            return _column_of_object(schema, names, place)
    raise MalformedFile(f"{place.path}: {str(schema)[:80]!r} is no type of Avro")


def _column_of_object(schema: Mapping[str, Any], names: _NamedTypes, place: _SchemaPlace) -> avro.Column:
    kind = schema["type"]
    if not isinstance(kind, str):
        return _column(kind, names, place)
    if kind in _NAMED:
        return _define(schema, names, place)
    if kind == "array":
        return avro.ListColumn(_column(schema.get("items"), names, place.below("[]")), _form(schema))
    if kind == "map":
        return avro.MapColumn(_column(schema.get("values"), names, place.below("{}")))
    return _logical(schema) or _column_of_name(kind, names, place)


def _column_of_name(name: str, names: _NamedTypes, place: _SchemaPlace) -> avro.Column:
    if name in _PRIMITIVES:
        primitive: avro.Column = _PRIMITIVES[name]()
        return primitive
    full = _full_name(name, place.namespace)
    if full in names.open:
        raise UnsupportedType(f"{place.path}: the type {full!r} holds itself; no column can hold that")
    if full not in names.types:
        raise MalformedFile(f"{place.path}: the type {name!r} is defined nowhere")
    schema, namespace = names.types[full]
    return _build(schema, full, names, _SchemaPlace(namespace, place.path, place.depth))


def _full_name(name: str, namespace: str) -> str:
    if "." in name or not namespace:
        return name
    return f"{namespace}.{name}"


def _define(schema: Mapping[str, Any], names: _NamedTypes, place: _SchemaPlace) -> avro.Column:
    name = schema.get("name")
    if not isinstance(name, str):
        raise MalformedFile(f"{place.path}: a {schema['type']} needs a name")
    namespace = schema.get("namespace", place.namespace)
    if not isinstance(namespace, str):
        raise MalformedFile(f"{place.path}: the namespace of {name!r} is no text")
    full = _full_name(name, namespace)
    namespace = full.rpartition(".")[0]
    names.types[full] = (schema, namespace)
    return _build(schema, full, names, _SchemaPlace(namespace, place.path, place.depth))


def _build(schema: Mapping[str, Any], full: str, names: _NamedTypes, place: _SchemaPlace) -> avro.Column:
    names.open.add(full)
    column: avro.Column = _NAMED[schema["type"]](schema, names, place)
    names.open.discard(full)
    return column


def _record(schema: Mapping[str, Any], names: _NamedTypes, place: _SchemaPlace) -> avro.Column:
    fields = schema.get("fields")
    if not isinstance(fields, list):
        raise MalformedFile(f"{place.path}: the record {schema['name']!r} has no list of fields")
    columns = list[avro.NamedColumn]()
    for entry in fields:
        match entry:
            case {"name": str(name), "type": kind}:
                called = str(entry.get(NAME, name))
            case _:
                raise MalformedFile(f"{place.path}: {str(entry)[:80]!r} is no field; it needs name and type")
        names.fields += 1
        check_columns(names.fields, "the Avro file")
        columns.append(avro.NamedColumn(called, _column(kind, names, place.below(called)), _form(entry)))
    return avro.RecordColumn(columns)


def _form(described: Mapping[str, Any]) -> str:
    form = described.get(FORM)
    return form if isinstance(form, str) else ""


def _enum(schema: Mapping[str, Any], _names: _NamedTypes, place: _SchemaPlace) -> avro.Column:
    symbols = schema.get("symbols")
    if not isinstance(symbols, list) or not all(isinstance(symbol, str) for symbol in symbols):
        raise MalformedFile(f"{place.path}: the enum {schema['name']!r} has no list of symbols")
    return avro.EnumColumn(tuple(symbols))


def _size(schema: Mapping[str, Any], place: _SchemaPlace) -> int:
    size = schema.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 2**31:
        raise MalformedFile(f"{place.path}: the fixed {schema['name']!r} has no size")
    return size


def _fixed(schema: Mapping[str, Any], _names: _NamedTypes, place: _SchemaPlace) -> avro.Column:
    size = _size(schema, place)
    logical = schema.get("logicalType")
    # A logical type that its size contradicts is ignored, as Avro's specification demands.
    if logical == "uuid" and size == 16:
        return avro.UuidColumn()
    if logical == "duration" and size == 12:
        return avro.DurationColumn()
    kind = _decimal(schema)
    if kind is not None:
        return avro.DecimalColumn(kind, size)
    return avro.FixedColumn(size)


def _column_of_union(branches: list[Any], names: _NamedTypes, place: _SchemaPlace) -> avro.Column:
    """A union with null is a column whose values may be missing; one of several types has a column for each.

    Worked example: ``["null", "string"]`` is text, ``["int", "string"]`` a struct of ``int`` and ``string``, one of
    which has the value.
    """
    columns = list[avro.Column | None]()
    labels = list[str]()
    for branch in branches:
        if isinstance(branch, list):
            raise MalformedFile(f"{place.path}: a union holds a union, which Avro does not have")
        label, column = _label(branch), None
        if label != "null":
            labels.append(label)
            column = _column(branch, names, _SchemaPlace(place.namespace, f"{place.path}.{label}", place.depth))
        columns.append(column)
    values = [column for column in columns if column is not None]
    if not values:
        return avro.UnionColumn(columns, avro.NullColumn())
    if len(values) == 1:
        return avro.UnionColumn(columns, values[0])
    return avro.ChoiceColumn(columns, unique_names(labels))


def _label(branch: Any) -> str:
    if isinstance(branch, dict):
        kind = branch.get("type")
        return str(branch.get("name") if kind in _NAMED else kind)
    return str(branch)


def _logical(schema: Mapping[str, Any]) -> avro.Column | None:
    """The column of a logical type that is known and fits its type, else None: the specification ignores others."""
    kind, logical = schema["type"], schema.get("logicalType")
    if logical == "decimal" and kind == "bytes" and (decimal := _decimal(schema)) is not None:
        return avro.DecimalColumn(decimal, None)
    found = _LOGICAL.get((kind, str(logical)))
    return None if found is None else avro.IntegerColumn(*found)


def _decimal(schema: Mapping[str, Any]) -> pa.DataType | None:
    precision, scale = schema.get("precision"), schema.get("scale", 0)
    if schema.get("logicalType") != "decimal" or not isinstance(precision, int) or not isinstance(scale, int):
        return None
    # Avro 1.11, "Logical Types": one that is invalid, such as a decimal of precision 3 and scale 5, is ignored.
    if not precision > 0 or not 0 <= scale <= precision:
        return None
    if precision > MAX_DECIMAL_DIGITS:
        raise UnsupportedType(f"a decimal of {precision:,} digits; {MAX_DECIMAL_DIGITS} are the most that are kept")
    return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)


def _timestamps() -> Mapping[tuple[str, str], tuple[pa.DataType, pa.DataType]]:
    found: dict[tuple[str, str], tuple[pa.DataType, pa.DataType]] = {}
    for word, unit in _UNITS.items():
        found["long", f"timestamp-{word}"] = (pa.int64(), pa.timestamp(unit, tz="UTC"))
        found["long", f"local-timestamp-{word}"] = (pa.int64(), pa.timestamp(unit))
    return found


_LOGICAL: Mapping[tuple[str, str], tuple[pa.DataType, pa.DataType]] = {
    ("int", "date"): (pa.int32(), pa.date32()),
    ("int", "time-millis"): (pa.int32(), pa.time32("ms")),
    ("long", "time-micros"): (pa.int64(), pa.time64("us")),
    **_timestamps(),
}
_PRIMITIVES: Mapping[str, Any] = {
    "null": avro.NullColumn,
    "boolean": avro.BooleanColumn,
    "int": lambda: avro.IntegerColumn(pa.int32(), pa.int32()),
    "long": lambda: avro.IntegerColumn(pa.int64(), pa.int64()),
    "float": lambda: avro.FloatColumn(pa.float32(), "<f"),
    "double": lambda: avro.FloatColumn(pa.float64(), "<d"),
    "bytes": avro.BytesColumn,
    "string": avro.Utf8Column,
}
_NAMED: Mapping[str, Any] = {"record": _record, "error": _record, "enum": _enum, "fixed": _fixed}
