"""Parquet's values of bytes as text, for files whose writers do not mark their texts (Impala, Hive, Sqoop)."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from millrace.engine.formats.base import Records
from millrace.engine.types import arrow_types
from millrace.errors import WrongEncoding


def read_as_texts(records: Records, rows_before: int = 0) -> Records:
    """The records with text in place of bytes, those within lists, structs and maps, too.

    ``rows_before`` are how many of the file's rows are not among them.

    Raises WrongEncoding, while batches are pulled, with the row and the column of the first value that is not UTF-8.
    """
    into = pa.schema(list(map(_as_text, records.schema)), records.schema.metadata)
    return Records(into, _cast_batches(records.batches, into, rows_before))


def _as_text(field: pa.Field) -> pa.Field:
    return field.with_type(_text_type(field.type))


def _text_type(kind: pa.DataType) -> pa.DataType:
    """The type with text in place of bytes. Types with a meaning of their own, such as UUID, stay."""
    if isinstance(kind, pa.BaseExtensionType):
        return kind
    if arrow_types.is_large_binary(kind):
        return pa.large_string()
    if arrow_types.is_any_binary(kind):
        return pa.string()
    if arrow_types.is_struct(kind):
        return pa.struct(list(map(_as_text, kind)))
    if arrow_types.is_map(kind):
        return pa.map_(_as_text(kind.key_field), _as_text(kind.item_field))
    return _text_type_in_list(kind)


def _text_type_in_list(kind: pa.DataType) -> pa.DataType:
    if arrow_types.is_list(kind):
        return pa.list_(_as_text(kind.value_field))
    if arrow_types.is_large_list(kind):
        return pa.large_list(_as_text(kind.value_field))
    return kind


def _cast_batches(batches: Iterator[pa.RecordBatch], into: pa.Schema, rows: int) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        columns = []
        for column, field in zip(batch.columns, into, strict=True):
            columns.append(_cast(column, field, rows))
        yield pa.RecordBatch.from_arrays(columns, schema=into)
        rows += batch.num_rows


def _cast(column: pa.Array, field: pa.Field, rows_before: int) -> pa.Array:
    try:
        return column.cast(field.type)
    except pa.ArrowInvalid as error:
        index = _find_first_failing(column, field.type)
        row = rows_before + index + 1
        raise WrongEncoding(
            f"row {row:,}: the field {field.name!r} holds bytes that are not UTF-8 text ({_shown(column[index])});"
            " read the file with parquet_binary: base64, which keeps all bytes",
            row=row,
            column=field.name,
        ) from error


def _find_first_failing(column: pa.Array, kind: pa.DataType) -> int:
    """The index of the first value that cannot be cast; there is one. Halves are tried, the first one first."""
    first, count = 0, len(column)
    while count > 1:
        half = count // 2
        if _can_cast(column.slice(first, half), kind):
            first, count = first + half, count - half
        else:
            count = half
    return first


def _can_cast(column: pa.Array, kind: pa.DataType) -> bool:
    try:
        column.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True


def _shown(value: pa.Scalar) -> str:
    return repr(value.as_py())[:80]
