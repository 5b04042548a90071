"""The columns of a Parquet file in the words of Glue and Athena: exactly, or not at all.

Types are those that Athena documents for Parquet (Amazon Athena User Guide, "Data types in Amazon Athena").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pyarrow as pa

from millrace.catalog.tables import CatalogColumn, CatalogRefused
from millrace.config.catalog import LONGEST_NAME
from millrace.engine.types import arrow_types

_SIMPLE: dict[pa.DataType, str] = {
    pa.bool_(): "boolean",
    pa.int8(): "tinyint",
    pa.int16(): "smallint",
    pa.int32(): "int",
    pa.int64(): "bigint",
    # Parquet stores both as 32 bits, in which all of their values are as they are.
    pa.uint8(): "int",
    pa.uint16(): "int",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.string(): "string",
    pa.large_string(): "string",
    pa.binary(): "binary",
    pa.large_binary(): "binary",
    pa.date32(): "date",
}
_MOST_DIGITS = 38
"""Of Athena's decimals (Amazon Athena User Guide, "Data types")."""
_LONGEST_TYPE = 131_072
"""Characters of a column's type in Glue (AWS Glue API Reference, "Column")."""
_INNER_NAME = re.compile(r"[A-Za-z0-9_]+")
"""A field within a struct: its name stands in the type's text, where other characters end it."""


def to_catalog_columns(schema: pa.Schema, *, leave_out: str | None = None) -> tuple[CatalogColumn, ...]:
    """The columns of an output; that of its partition, which the directories say, is left out, whatever its case.

    So is a column of which no value was seen yet: it has no type before it has one.
    Raises: CatalogRefused, with every column that Athena could not read as it is.
    """
    columns, problems = [], []
    hidden = leave_out.lower() if leave_out is not None else None
    for field in schema:
        if field.name.lower() == hidden or arrow_types.is_null(field.type):
            continue
        try:
            columns.append(CatalogColumn(_check_name(field.name), to_catalog_type(field.type)))
        except CatalogRefused as refused:
            problems.append(f"{field.name!r} {refused}")
    problems += find_collisions([field.name for field in schema])
    if problems:
        raise CatalogRefused(
            f"columns that Athena could not read: {'; '.join(problems[:10])}. Leave them out, or give them other names "
            "or types"
        )
    return tuple(columns)


def _check_name(name: str) -> str:
    if len(name) > LONGEST_NAME:
        raise CatalogRefused(f"has a name of {len(name)} characters; {LONGEST_NAME} are the most")
    if any(ord(character) < 32 for character in name):
        raise CatalogRefused("has a control character in its name")
    # Athena writes names in small letters, and finds a file's columns whatever their case.
    return name.lower()


def find_collisions(names: Sequence[str]) -> list[str]:
    """Names that are one in small letters, in which Athena and others look for them: ``'Id' and 'id'``."""
    first: dict[str, str] = {}
    problems = []
    for name in names:
        earlier = first.setdefault(name.lower(), name)
        if earlier != name:
            problems.append(f"{earlier!r} and {name!r} are one name in small letters")
    return problems


def to_catalog_type(kind: pa.DataType) -> str:
    """A type. Raises: CatalogRefused if Athena has none that holds just these values."""
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    for is_such, convert in _NESTED:
        if is_such(kind):
            text = convert(kind)
            if len(text) > _LONGEST_TYPE:
                raise CatalogRefused(f"has a type of {len(text):,} characters; Glue takes {_LONGEST_TYPE:,}")
            return text
    raise CatalogRefused(f"is {kind}, and Athena has no such type")


def _to_decimal(kind: pa.DataType) -> str:
    if kind.precision > _MOST_DIGITS:
        raise CatalogRefused(f"has {kind.precision} digits; Athena's decimals have {_MOST_DIGITS}")
    if kind.scale < 0 or kind.scale > kind.precision:
        raise CatalogRefused(f"is {kind}, and Athena has no such decimals")
    return f"decimal({kind.precision},{kind.scale})"


def _to_timestamp(kind: pa.DataType) -> str:
    # A time with a zone is stored in UTC, and is shown in UTC.
    del kind
    return "timestamp"


def _to_struct(kind: pa.DataType) -> str:
    fields = list(map(kind.field, range(kind.num_fields)))
    if not fields:
        raise CatalogRefused("is an object without fields")
    names = [field.name for field in fields]
    problems = find_collisions(names)
    for name in names:
        if not _INNER_NAME.fullmatch(name):
            problems.append(f"{name!r} has other signs than letters and digits")
    if problems:
        raise CatalogRefused(f"has fields that Athena cannot name: {'; '.join(problems[:10])}")
    return f"struct<{','.join(map(_to_member, fields))}>"


def _to_member(field: pa.Field) -> str:
    return f"{field.name.lower()}:{to_catalog_type(field.type)}"


def _to_array(kind: pa.DataType) -> str:
    return f"array<{to_catalog_type(kind.value_type)}>"


def _to_map(kind: pa.DataType) -> str:
    return f"map<{to_catalog_type(kind.key_type)},{to_catalog_type(kind.item_type)}>"


def _to_value_type(kind: pa.DataType) -> str:
    return to_catalog_type(kind.value_type)


def _to_binary(kind: pa.DataType) -> str:
    del kind
    return "binary"


_NESTED: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType], str]], ...] = (
    (arrow_types.is_decimal, _to_decimal),
    (arrow_types.is_timestamp, _to_timestamp),
    (arrow_types.is_struct, _to_struct),
    (arrow_types.is_map, _to_map),
    (arrow_types.is_list, _to_array),
    (arrow_types.is_large_list, _to_array),
    (arrow_types.is_fixed_size_list, _to_array),
    (arrow_types.is_dictionary, _to_value_type),
    (arrow_types.is_fixed_size_binary, _to_binary),
)
