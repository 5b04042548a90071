"""Fields of a table as they are compared and named."""

from __future__ import annotations

import pyarrow as pa

from millrace.engine.types.printing import JSON, form_of, with_form

_t = pa.types


def as_remembered(field: pa.Field) -> pa.Field:
    """The field without what is no matter of its values: how a file encodes them, numbers that it gives to fields."""
    return with_form(pa.field(field.name, _kind(field.type)), form_of(field))


def _kind(kind: pa.DataType) -> pa.DataType:
    if _t.is_dictionary(kind) or _t.is_run_end_encoded(kind):
        return _kind(kind.value_type)
    if _t.is_large_string(kind) or _t.is_string_view(kind):
        return pa.string()
    if _t.is_large_binary(kind) or _t.is_binary_view(kind):
        return pa.binary()
    if _t.is_struct(kind):
        return pa.struct([as_remembered(child) for child in kind])
    if _t.is_list(kind):
        return pa.list_(as_remembered(kind.value_field.with_name("element")))
    return kind


def kind_of(field: pa.Field) -> str:
    """A field's type, for people."""
    if form_of(field) == JSON:
        return "JSON text"
    if _t.is_null(field.type):
        return "no values yet"
    return "text" if _t.is_string(field.type) else str(field.type)
