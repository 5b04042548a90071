"""Questions about Arrow's types: the one place that asks ``pyarrow.types``.

The names without ``any`` are Arrow's own, with their types; those with it join what is the same for us: Arrow has
three layouts of text, four of bytes and five of lists, and no question that covers them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pyarrow as pa

TypeQuestion = Callable[[pa.DataType], bool]

is_null: TypeQuestion = pa.types.is_null
is_boolean: TypeQuestion = pa.types.is_boolean
is_integer: TypeQuestion = pa.types.is_integer
is_signed_integer: TypeQuestion = pa.types.is_signed_integer
is_unsigned_integer: TypeQuestion = pa.types.is_unsigned_integer
is_floating: TypeQuestion = pa.types.is_floating
is_float16: TypeQuestion = pa.types.is_float16
is_float32: TypeQuestion = pa.types.is_float32
is_float64: TypeQuestion = pa.types.is_float64
is_decimal: TypeQuestion = pa.types.is_decimal
is_decimal128: TypeQuestion = pa.types.is_decimal128
is_decimal256: TypeQuestion = pa.types.is_decimal256
is_primitive: TypeQuestion = pa.types.is_primitive
is_temporal: TypeQuestion = pa.types.is_temporal
is_date: TypeQuestion = pa.types.is_date
is_date32: TypeQuestion = pa.types.is_date32
is_date64: TypeQuestion = pa.types.is_date64
is_time: TypeQuestion = pa.types.is_time
is_timestamp: TypeQuestion = pa.types.is_timestamp
is_duration: TypeQuestion = pa.types.is_duration
is_string: TypeQuestion = pa.types.is_string
is_large_string: TypeQuestion = pa.types.is_large_string
is_string_view: TypeQuestion = pa.types.is_string_view
is_binary: TypeQuestion = pa.types.is_binary
is_large_binary: TypeQuestion = pa.types.is_large_binary
is_fixed_size_binary: TypeQuestion = pa.types.is_fixed_size_binary
is_binary_view: TypeQuestion = pa.types.is_binary_view
is_list: TypeQuestion = pa.types.is_list
is_large_list: TypeQuestion = pa.types.is_large_list
is_fixed_size_list: TypeQuestion = pa.types.is_fixed_size_list
is_struct: TypeQuestion = pa.types.is_struct
is_map: TypeQuestion = pa.types.is_map
is_union: TypeQuestion = pa.types.is_union
is_nested: TypeQuestion = pa.types.is_nested
is_dictionary: TypeQuestion = pa.types.is_dictionary
is_run_end_encoded: TypeQuestion = pa.types.is_run_end_encoded

_TEXTS = (is_string, is_large_string, is_string_view)
_BINARIES = (is_binary, is_large_binary, is_fixed_size_binary, is_binary_view)
_LISTS = (is_list, is_large_list, is_fixed_size_list, pa.types.is_list_view, pa.types.is_large_list_view)
_NUMBERS = (is_integer, is_floating, is_decimal)
_HOLDERS = (is_struct, is_map, is_union)


def is_one_of(kind: pa.DataType, questions: Iterable[TypeQuestion]) -> bool:
    """Whether one of the questions has the answer yes."""
    return any(question(kind) for question in questions)


def is_any_text(kind: pa.DataType) -> bool:
    """Whether values are texts, in any of Arrow's layouts."""
    return is_one_of(kind, _TEXTS)


def is_any_binary(kind: pa.DataType) -> bool:
    """Whether values are bytes, in any of Arrow's layouts."""
    return is_one_of(kind, _BINARIES)


def is_any_list(kind: pa.DataType) -> bool:
    """Whether values are lists, in any of Arrow's layouts; a map is none."""
    return is_one_of(kind, _LISTS)


def is_number(kind: pa.DataType) -> bool:
    """Whether values are integers, decimals or floating."""
    return is_one_of(kind, _NUMBERS)


def is_extension(kind: pa.DataType) -> bool:
    """Whether a type gives another one a meaning: a UUID is 16 bytes that are printed in their own way."""
    return isinstance(kind, pa.BaseExtensionType)


def is_encoded(kind: pa.DataType) -> bool:
    """Whether values that repeat are stored once: a dictionary, or run ends."""
    return is_dictionary(kind) or is_run_end_encoded(kind)


def value_type(kind: pa.DataType) -> pa.DataType:
    """The type of the values, without the encoding that stores them."""
    if is_encoded(kind):
        return kind.value_type
    return kind


def holds_values(kind: pa.DataType) -> bool:
    """Whether a value holds other values: a struct, a map, a union or a list, under any extension's name."""
    if isinstance(kind, pa.BaseExtensionType):
        return holds_values(kind.storage_type)
    return is_any_list(kind) or is_one_of(kind, _HOLDERS)
