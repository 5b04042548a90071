"""The widest type of each family, from a table's first file on (``types: wide``), so that its files agree.

| family | becomes |
|---|---|
| integers of 8 to 64 bits | int64; those of 64 bits without a sign decimal(38,0) |
| decimals of up to 38 digits | decimal(38,scale) |
| longer decimals | JSON text: text in Parquet and CSV, numbers in JSON |
| floats | float64 |
| timestamps in seconds, milli- or microseconds | microseconds; in nanoseconds as they are |
| dates of 64 bits, texts, bytes and lists of any layout | those of the usual one |

Values are printed as before: a timestamp of three digits keeps three in CSV and JSON.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace

import pyarrow as pa

from millrace.engine.options import ReadOptions, TableTypes
from millrace.engine.tables.rows import PutAside, Table, TableRows
from millrace.engine.types import arrow_types
from millrace.engine.types.printing import FRACTION_DIGITS, JSON, form_of, plain, with_form
from millrace.errors import UnsupportedType

_DIGITS = 38


def widen_types(table: Table, read: ReadOptions) -> Table:
    """The table with the widest types, if the options ask for them; a type that was given stays."""
    if read.types is TableTypes.EXACT:
        return table
    return _WideTable(table, frozenset(read.type_hints))


@dataclass(frozen=True, slots=True)
class _WideTable:
    """A table with the widest type of each family."""

    inner: Table
    given: frozenset[str]

    def open(self, report: PutAside, /) -> tuple[pa.Schema, Generator[TableRows, None, None]]:
        """Read the files from their beginnings."""
        schema, pieces = self.inner.open(report)
        fields = [field if field.name in self.given else widest(field) for field in schema]
        into = pa.schema(fields, schema.metadata)
        return into, self._rows(pieces, into)

    def _rows(self, pieces: Generator[TableRows, None, None], into: pa.Schema) -> Generator[TableRows, None, None]:
        with closing(pieces):
            for rows in pieces:
                if not len(into):
                    yield rows
                    continue
                columns = []
                for column, field in zip(rows.batch.columns, into, strict=True):
                    columns.append(_cast(column, field, rows))
                yield replace(rows, batch=pa.RecordBatch.from_arrays(columns, schema=into))


def widest(field: pa.Field) -> pa.Field:
    """The field with the widest type of its family, its values printed as before."""
    kind = arrow_types.value_type(field.type)
    if isinstance(kind, pa.BaseExtensionType):
        return field
    wide = _widest_type(kind)
    if arrow_types.is_decimal256(kind):
        return with_form(field.with_type(wide), JSON)
    # Of 10:00:00.125 in milliseconds, six digits would be printed as soon as it is in microseconds; its form keeps
    # three.
    coarser = arrow_types.is_timestamp(kind) and wide.unit != kind.unit
    if coarser and not form_of(field):
        zone = "Z" if kind.tz else ""
        return with_form(field.with_type(wide), f"T{FRACTION_DIGITS[kind.unit]}{zone}")
    return field.with_type(wide)


def _widest_type(kind: pa.DataType) -> pa.DataType:
    for is_of_family, wide in _FAMILIES:
        if is_of_family(kind):
            return wide
    if arrow_types.is_decimal(kind):
        return _widest_decimal(kind)
    # Nanoseconds stay: as microseconds they would lose three digits.
    if arrow_types.is_timestamp(kind) and kind.unit != "ns":
        return pa.timestamp("us", tz=kind.tz)
    return _widest_nested(kind)


def _widest_nested(kind: pa.DataType) -> pa.DataType:
    """A struct or list with the widest members; any other type as it is."""
    if arrow_types.is_struct(kind):
        return pa.struct(list(map(_widest_member, kind)))
    if arrow_types.is_any_list(kind) and not arrow_types.is_fixed_size_list(kind):
        return pa.list_(_widest_member(kind.value_field.with_name("element")))
    return kind


def _widest_member(field: pa.Field) -> pa.Field:
    # A decimal of more than 38 digits within a struct or a list stays: Arrow cannot cast it to text there.
    return field if arrow_types.is_decimal256(field.type) else widest(field)


def _widest_decimal(kind: pa.DataType) -> pa.DataType:
    if arrow_types.is_decimal256(kind):
        return pa.string()
    # decimal(3,-2) holds 12300 as 123 hundreds; Parquet has no negative scale (LogicalTypes.md, DECIMAL), so that none
    # is widened.
    if kind.scale < 0:
        return kind
    return pa.decimal128(_DIGITS, kind.scale)


def _is_uint64(kind: pa.DataType) -> bool:
    return bool(kind == pa.uint64())


# The order matters: uint64 is an integer too, and would not fit into int64.
_FAMILIES = (
    (_is_uint64, pa.decimal128(_DIGITS, 0)),
    (arrow_types.is_integer, pa.int64()),
    (arrow_types.is_floating, pa.float64()),
    (arrow_types.is_date, pa.date32()),
    (arrow_types.is_any_text, pa.string()),
    (arrow_types.is_large_binary, pa.binary()),
    (arrow_types.is_binary_view, pa.binary()),
)


def _cast(column: pa.Array, field: pa.Field, rows: TableRows) -> pa.Array:
    if column.type == field.type:
        return column
    if arrow_types.is_encoded(column.type):
        column = column.dictionary_decode() if arrow_types.is_dictionary(column.type) else column.cast(field.type)
    if arrow_types.is_decimal256(column.type):
        return plain(column)
    try:
        return column.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        first, last = rows.row_numbers[0], rows.row_numbers[-1]
        raise UnsupportedType(
            f"rows {first:,} to {last:,}: values of the field {field.name!r} ({column.type}) do not survive as"
            f" {field.type} ({error}); leave out types: wide, or give the field a type of its own (type_hints)",
            row=first,
            column=field.name,
        ) from error
