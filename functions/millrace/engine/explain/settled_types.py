"""The types that a configuration gives to columns, and the first value that one of them does not hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import BinaryIO

import pyarrow as pa

from millrace.engine.destination import Destination
from millrace.engine.explain.facts import ColumnFacts, Content
from millrace.engine.explain.json_fields import path_part
from millrace.engine.one_file import convert
from millrace.engine.options import BadRows, FileFormat, ReadOptions, TableTypes, WriteOptions
from millrace.engine.recipe import Recipe
from millrace.engine.tables.hinted import given_fields
from millrace.engine.tables.wide import widest
from millrace.errors import DataError, ValueDoesNotFit


def settle_content(content: Content, source: BinaryIO, file_format: FileFormat, options: ReadOptions) -> Content:
    """The content with the types of ``type_hints`` and ``types``; the same content without them."""
    if not options.type_hints and options.types is TableTypes.EXACT:
        return content
    given = given_fields(options)
    columns = tuple(_settle_column(column, given, options) for column in content.columns)
    schema = _settle_schema(content.schema, given, options)
    error = content.error
    if error is None and options.type_hints and options.bad_rows is BadRows.FAIL:
        error = _find_misfit(source, file_format, options)
    return replace(content, columns=columns, schema=schema, error=error)


def _settle_schema(schema: pa.Schema, given: Mapping[str, pa.Field], options: ReadOptions) -> pa.Schema:
    fields = [given.get(field.name) or _wide(field, options) for field in schema]
    return pa.schema(fields, schema.metadata)


def _settle_column(column: ColumnFacts, given: Mapping[str, pa.Field], options: ReadOptions) -> ColumnFacts:
    for name, field in given.items():
        if column.name in {name, path_part(name)}:
            note = f"its type is given (type_hints: {options.type_hints[name]})"
            return replace(column, field=field, why_not=(), notes=(*column.notes, note))
    return replace(column, field=_wide(column.field, options))


def _wide(field: pa.Field, options: ReadOptions) -> pa.Field:
    return field if options.types is TableTypes.EXACT else widest(field)


def _find_misfit(source: BinaryIO, file_format: FileFormat, options: ReadOptions) -> DataError | None:
    """The error of the first value that the type of its column does not hold."""
    recipe = Recipe(source_format=file_format, target_format=FileFormat.JSON, read=options, write=WriteOptions())
    try:
        convert(source, recipe, Destination(_open_nowhere))
    except ValueDoesNotFit as error:
        return error
    return None


def _open_nowhere(_directory: str | None) -> _DroppedBytes:
    return _DroppedBytes()


class _DroppedBytes:
    """A sink that keeps nothing."""

    def write(self, data: bytes | memoryview) -> int:
        return len(data)

    def discard(self) -> None:
        """There is nothing to forget."""
