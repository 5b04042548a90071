"""Columns of Parquet files in Iceberg's types, and what a footer says of their values.

Types are those of the second version of the format (Apache Iceberg, "Table Spec", "Schemas and Data Types"), which
Athena, Spark, Trino and DuckDB read. Files have no ids of columns: readers find them by the table's name mapping.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.conversions import to_bytes
from pyiceberg.schema import Schema
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FixedType,
    FloatType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    PrimitiveType,
    StringType,
    StructType,
    TimestampType,
    TimestamptzType,
    TimeType,
)

from millrace.catalog.columns import find_collisions
from millrace.catalog.tables import CatalogRefused
from millrace.engine.types import arrow_types

_SIMPLE: dict[pa.DataType, PrimitiveType] = {
    pa.bool_(): BooleanType(),
    pa.int8(): IntegerType(),
    pa.int16(): IntegerType(),
    pa.int32(): IntegerType(),
    # Parquet stores both as 32 bits, in which all of their values are as they are.
    pa.uint8(): IntegerType(),
    pa.uint16(): IntegerType(),
    pa.int64(): LongType(),
    pa.float32(): FloatType(),
    pa.float64(): DoubleType(),
    pa.string(): StringType(),
    pa.large_string(): StringType(),
    pa.binary(): BinaryType(),
    pa.large_binary(): BinaryType(),
    pa.date32(): DateType(),
    pa.time32("ms"): TimeType(),
    pa.time64("us"): TimeType(),
}
_MOST_DIGITS = 38
"""Of Iceberg's decimals (Iceberg table specification, "Primitive types")."""
_SHOWN = 10
_BOUND_CHARACTERS = 16
"""Texts in bounds are cut to that many (Apache Iceberg, "Configuration", default of write metrics)."""


@dataclass(slots=True)
class _Converter:
    """Converts types; each field gets the next number, which pyiceberg replaces by the table's own."""

    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def to_fields(self, columns: Iterable[pa.Field]) -> list[NestedField]:
        """Raises CatalogRefused with all columns that a table cannot have."""
        fields, problems = [], []
        for column in columns:
            number = next(self.numbers)
            try:
                kind = self.to_type(column.type)
            except CatalogRefused as refused:
                problems.append(f"{column.name!r} {refused}")
                continue
            fields.append(NestedField(field_id=number, name=column.name, field_type=kind, required=False))
        problems += find_collisions([column.name for column in fields])
        if problems:
            raise CatalogRefused("; ".join(problems[:_SHOWN]))
        return fields

    def to_type(self, kind: pa.DataType) -> IcebergType:
        if kind in _SIMPLE:
            return _SIMPLE[kind]
        for is_such, convert in _NESTED:
            if is_such(kind):
                return convert(self, kind)
        raise CatalogRefused(f"is {kind}, and Iceberg has no such type")

    def to_none(self, kind: pa.DataType) -> IcebergType:
        raise CatalogRefused(f"has no value that would give it a type ({kind}); give it one by type_hints")

    def to_decimal(self, kind: pa.DataType) -> IcebergType:
        if kind.precision > _MOST_DIGITS:
            raise CatalogRefused(f"has {kind.precision} digits; Iceberg's decimals have {_MOST_DIGITS}")
        if kind.scale < 0 or kind.scale > kind.precision:
            raise CatalogRefused(f"is {kind}, and Iceberg has no such decimals")
        return DecimalType(kind.precision, kind.scale)

    def to_timestamp(self, kind: pa.DataType) -> IcebergType:
        if kind.unit == "ns":
            raise CatalogRefused("has times to the nanosecond, and Iceberg keeps microseconds")
        return TimestamptzType() if kind.tz is not None else TimestampType()

    def to_struct(self, kind: pa.DataType) -> IcebergType:
        fields = self.to_fields(kind.field(index) for index in range(kind.num_fields))
        if not fields:
            raise CatalogRefused("is an object without fields")
        return StructType(*fields)

    def to_list(self, kind: pa.DataType) -> IcebergType:
        number = next(self.numbers)
        element = self.to_type(kind.value_type)
        return ListType(element_id=number, element_type=element, element_required=False)

    def to_map(self, kind: pa.DataType) -> IcebergType:
        key, value = next(self.numbers), next(self.numbers)
        key_type, value_type = self.to_type(kind.key_type), self.to_type(kind.item_type)
        return MapType(key_id=key, key_type=key_type, value_id=value, value_type=value_type, value_required=False)

    def to_value_type(self, kind: pa.DataType) -> IcebergType:
        return self.to_type(kind.value_type)

    def to_fixed(self, kind: pa.DataType) -> IcebergType:
        return FixedType(kind.byte_width)


_NESTED: tuple[tuple[Callable[[pa.DataType], bool], Callable[[_Converter, pa.DataType], IcebergType]], ...] = (
    (arrow_types.is_null, _Converter.to_none),
    (arrow_types.is_decimal, _Converter.to_decimal),
    (arrow_types.is_timestamp, _Converter.to_timestamp),
    (arrow_types.is_struct, _Converter.to_struct),
    (arrow_types.is_map, _Converter.to_map),
    (arrow_types.is_list, _Converter.to_list),
    (arrow_types.is_large_list, _Converter.to_list),
    (arrow_types.is_fixed_size_list, _Converter.to_list),
    (arrow_types.is_dictionary, _Converter.to_value_type),
    (arrow_types.is_fixed_size_binary, _Converter.to_fixed),
)


def to_iceberg_schema(columns: pa.Schema) -> Schema:
    """The columns of a file. Raises: CatalogRefused, with every column that a table cannot have."""
    try:
        return Schema(*_Converter().to_fields(columns))
    except CatalogRefused as refused:
        raise CatalogRefused(
            f"columns that an Iceberg table cannot have: {refused}. Leave them out, or give them other names or types"
        ) from refused


@dataclass(slots=True)
class _ColumnStatistics:
    """What a footer says of one column: all of its row groups together; bounds only if each of them has some."""

    values: int = 0
    size: int = 0
    nulls: int | None = 0
    """None: a row group does not say."""
    low: Any = None
    high: Any = None
    has_bounds: bool = True

    def add(self, chunk: pq.ColumnChunkMetaData) -> None:
        """Take a row group's column into account."""
        self.values += chunk.num_values
        self.size += chunk.total_compressed_size
        statistics = chunk.statistics
        nulls = statistics.null_count if statistics is not None and statistics.has_null_count else None
        self.nulls = None if nulls is None or self.nulls is None else self.nulls + nulls
        if statistics is not None and statistics.has_min_max:
            self._widen(statistics.min, statistics.max)
        elif nulls != chunk.num_values:
            # A row group of nothing but nulls has no bounds, and needs none.
            self.has_bounds = False

    def _widen(self, low: Any, high: Any) -> None:
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)


@dataclass(frozen=True, slots=True)
class FileStatistics:
    """What the manifest says of a file's columns, by the ids of the table's fields."""

    sizes: dict[int, int] = field(default_factory=dict)
    values: dict[int, int] = field(default_factory=dict)
    nulls: dict[int, int] = field(default_factory=dict)
    lows: dict[int, bytes] = field(default_factory=dict)
    highs: dict[int, bytes] = field(default_factory=dict)


def sum_up_statistics(metadata: pq.FileMetaData, schema: Schema) -> FileStatistics:
    """The statistics of a file's plain columns. Those within others have none: a reader looks into the file then."""
    columns = {column.name: column for column in schema.fields if column.field_type.is_primitive}
    statistics = FileStatistics()
    for index in range(metadata.num_columns):
        # A name with a dot in it looks like a path: which of the two it is, the file's own schema says.
        stored = metadata.schema.column(index)
        is_plain = stored.max_repetition_level == 0 and stored.path == stored.name
        if is_plain and stored.name in columns:
            _put_statistics(columns[stored.name], _sum_up_column(metadata, index), statistics)
    return statistics


def _sum_up_column(metadata: pq.FileMetaData, index: int) -> _ColumnStatistics:
    figures = _ColumnStatistics()
    for group in range(metadata.num_row_groups):
        figures.add(metadata.row_group(group).column(index))
    return figures


def _put_statistics(column: NestedField, figures: _ColumnStatistics, statistics: FileStatistics) -> None:
    number = column.field_id
    statistics.sizes[number] = figures.size
    statistics.values[number] = figures.values
    if figures.nulls is not None:
        statistics.nulls[number] = figures.nulls
    if not figures.has_bounds or figures.low is None:
        return
    low, high = _to_bounds(column.field_type, figures.low, figures.high)
    if low is not None:
        statistics.lows[number] = low
    if high is not None:
        statistics.highs[number] = high


def _to_bounds(kind: IcebergType, low: Any, high: Any) -> tuple[bytes | None, bytes | None]:
    """The bounds of a column in Iceberg's bytes; of types whose order or form could be doubted there are none.

    A text is cut: ``aaaa…`` of 20 letters is at least its first 16. As an upper bound it would be too low, and is left
    out.
    """
    match kind:
        case IntegerType() | LongType() if type(low) is type(high) is int:
            return to_bytes(kind, low), to_bytes(kind, high)
        case StringType() if type(low) is type(high) is str:
            whole = len(high) <= _BOUND_CHARACTERS
            return to_bytes(kind, low[:_BOUND_CHARACTERS]), to_bytes(kind, high) if whole else None
        case DateType() | TimestampType() | TimestamptzType():
            return to_bytes(kind, low), to_bytes(kind, high)
        case _:
            return None, None
