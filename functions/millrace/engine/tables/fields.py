"""Fields of a table as they are compared and named."""

from __future__ import annotations

import pyarrow as pa

from millrace.engine.types import arrow_types
from millrace.engine.types.printing import JSON, form_of, with_form


def as_remembered(field: pa.Field) -> pa.Field:
    """The field with its values' type, without how a file encodes them and the numbers that it gives to fields."""
    return with_form(pa.field(field.name, _remembered_type(field.type)), form_of(field))


_OTHER_TEXTS = (arrow_types.is_large_string, arrow_types.is_string_view)
_OTHER_BINARIES = (arrow_types.is_large_binary, arrow_types.is_binary_view)


def _remembered_type(kind: pa.DataType) -> pa.DataType:
    # A dictionary of large strings is remembered as string, a list whose element is called "item" as one of "element":
    # the values are the same, and a table's schema must not change with the writer of its files.
    if arrow_types.is_encoded(kind):
        return _remembered_type(kind.value_type)
    if arrow_types.is_one_of(kind, _OTHER_TEXTS):
        return pa.string()
    if arrow_types.is_one_of(kind, _OTHER_BINARIES):
        return pa.binary()
    if arrow_types.is_struct(kind):
        return pa.struct(list(map(as_remembered, kind)))
    if arrow_types.is_list(kind):
        return pa.list_(as_remembered(kind.value_field.with_name("element")))
    return kind


def kind_of(field: pa.Field) -> str:
    """A field's type, for people."""
    if form_of(field) == JSON:
        return "JSON text"
    if arrow_types.is_null(field.type):
        return "no values yet"
    if arrow_types.is_string(field.type):
        return "text"
    return str(field.type)
