"""Fields of a table as they are compared and named."""

from __future__ import annotations

import pyarrow as pa

from millrace.engine.types import arrow_types
from millrace.engine.types.printing import JSON, form_of, with_form


def as_remembered(field: pa.Field) -> pa.Field:
    """The field without what is no matter of its values: how a file encodes them, numbers that it gives to fields."""
    return with_form(pa.field(field.name, _kind(field.type)), form_of(field))


def _kind(kind: pa.DataType) -> pa.DataType:
    if arrow_types.is_encoded(kind):
        return _kind(kind.value_type)
    if arrow_types.is_large_string(kind) or arrow_types.is_string_view(kind):
        return pa.string()
    if arrow_types.is_large_binary(kind) or arrow_types.is_binary_view(kind):
        return pa.binary()
    if arrow_types.is_struct(kind):
        return pa.struct([as_remembered(child) for child in kind])
    if arrow_types.is_list(kind):
        return pa.list_(as_remembered(kind.value_field.with_name("element")))
    return kind


def kind_of(field: pa.Field) -> str:
    """A field's type, for people."""
    if form_of(field) == JSON:
        return "JSON text"
    if arrow_types.is_null(field.type):
        return "no values yet"
    return "text" if arrow_types.is_string(field.type) else str(field.type)
