"""What crosses the border to C: codes, kinds and structures as in `kernel.h`, and a schema as C reads it.

Only what already has a kernel imports this, since it imports ctypes.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import pyarrow as pa

from millrace.engine.types.arrow_types import (
    is_decimal,
    is_dictionary,
    is_fixed_size_binary,
    is_fixed_size_list,
    is_map,
    is_nested,
)

PADDING = 64
"""Zero bytes behind each text: the kernel may read a word at its last byte."""
MOST_DEPTH = 64
"""Types nested deeper stay in Python."""
NULLABLE = 1
ZONED = 2


class Code(IntEnum):
    """What a function of the kernel answers; anything other than OK means "not me"."""

    OK = 0
    IRREGULAR = 1
    CONTRADICTED = 2
    NOT_UTF8 = 3
    NO_MEMORY = 4
    TOO_MUCH = 5


class TypeKind(IntEnum):
    """The types that C can meet, in the order of `kernel.h`."""

    NULL = 0
    BOOL = 1
    INT8 = 2
    INT16 = 3
    INT32 = 4
    INT64 = 5
    UINT8 = 6
    UINT16 = 7
    UINT32 = 8
    UINT64 = 9
    FLOAT16 = 10
    FLOAT32 = 11
    FLOAT64 = 12
    DECIMAL128 = 13
    DECIMAL256 = 14
    STRING = 15
    LARGE_STRING = 16
    BINARY = 17
    LARGE_BINARY = 18
    FIXED_BINARY = 19
    DATE32 = 20
    DATE64 = 21
    TIME32 = 22
    TIME64 = 23
    TIMESTAMP = 24
    DURATION = 25
    LIST = 26
    LARGE_LIST = 27
    FIXED_LIST = 28
    STRUCT = 29
    MAP = 30
    DICTIONARY = 31


class NativeFault(ctypes.Structure):
    """Where and why a function gave up."""

    _fields_ = (
        ("code", ctypes.c_int32),
        ("column", ctypes.c_int32),
        ("row", ctypes.c_int64),
        ("byte", ctypes.c_int64),
    )


class TypeEntry(ctypes.Structure):
    """One type of a schema, `MillraceType`."""

    _fields_ = tuple(
        (name, ctypes.c_int32)
        for name in (
            "kind",
            "form",
            "unit_or_scale",
            "precision",
            "first_child",
            "children",
            "name_offset",
            "name_length",
            "flags",
        )
    )


class ExportedArray(ctypes.Structure):
    """`struct ArrowArray` of Arrow's C Data Interface: filled by C, then imported by pyarrow from its address."""

    _fields_ = (
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", ctypes.c_void_p),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )

    def to_batch(self, schema: pa.Schema) -> pa.RecordBatch:
        """The record batch that C has put here, which now belongs to pyarrow: to be called once."""
        return pa.RecordBatch._import_from_c(ctypes.addressof(self), schema)  # noqa: SLF001 - the documented way for C's addresses


@dataclass(frozen=True, slots=True)
class SchemaForC:
    """A schema as C reads it: the columns' types first, then their children; and all names behind each other."""

    types: ctypes.Array[TypeEntry]
    names: bytes
    columns: int


ChooseForm = Callable[[pa.Field], int]
"""Says for a field, also of a struct or a list, in which spelling it is read or printed: `MillraceType.form`."""

_PLAIN_KINDS: dict[int, TypeKind] = {
    pa.lib.Type_NA: TypeKind.NULL,
    pa.lib.Type_BOOL: TypeKind.BOOL,
    pa.lib.Type_INT8: TypeKind.INT8,
    pa.lib.Type_INT16: TypeKind.INT16,
    pa.lib.Type_INT32: TypeKind.INT32,
    pa.lib.Type_INT64: TypeKind.INT64,
    pa.lib.Type_UINT8: TypeKind.UINT8,
    pa.lib.Type_UINT16: TypeKind.UINT16,
    pa.lib.Type_UINT32: TypeKind.UINT32,
    pa.lib.Type_UINT64: TypeKind.UINT64,
    pa.lib.Type_HALF_FLOAT: TypeKind.FLOAT16,
    pa.lib.Type_FLOAT: TypeKind.FLOAT32,
    pa.lib.Type_DOUBLE: TypeKind.FLOAT64,
    pa.lib.Type_DECIMAL128: TypeKind.DECIMAL128,
    pa.lib.Type_DECIMAL256: TypeKind.DECIMAL256,
    pa.lib.Type_STRING: TypeKind.STRING,
    pa.lib.Type_LARGE_STRING: TypeKind.LARGE_STRING,
    pa.lib.Type_BINARY: TypeKind.BINARY,
    pa.lib.Type_LARGE_BINARY: TypeKind.LARGE_BINARY,
    pa.lib.Type_FIXED_SIZE_BINARY: TypeKind.FIXED_BINARY,
    pa.lib.Type_DATE32: TypeKind.DATE32,
    pa.lib.Type_DATE64: TypeKind.DATE64,
    pa.lib.Type_TIME32: TypeKind.TIME32,
    pa.lib.Type_TIME64: TypeKind.TIME64,
    pa.lib.Type_TIMESTAMP: TypeKind.TIMESTAMP,
    pa.lib.Type_DURATION: TypeKind.DURATION,
    pa.lib.Type_LIST: TypeKind.LIST,
    pa.lib.Type_LARGE_LIST: TypeKind.LARGE_LIST,
    pa.lib.Type_FIXED_SIZE_LIST: TypeKind.FIXED_LIST,
    pa.lib.Type_STRUCT: TypeKind.STRUCT,
    pa.lib.Type_MAP: TypeKind.MAP,
    pa.lib.Type_DICTIONARY: TypeKind.DICTIONARY,
}
_UNITS = {"s": 0, "ms": 1, "us": 2, "ns": 3}
_SIMPLE_KINDS = frozenset({*range(TypeKind.NULL, TypeKind.DECIMAL128), *range(TypeKind.STRING, TypeKind.FIXED_BINARY)})
_SIMPLE = frozenset(number for number, kind in _PLAIN_KINDS.items() if kind in _SIMPLE_KINDS)
"""Types without children, unit or size: nothing more is asked of them, since small objects have many columns, too."""


def describe_schema(schema: pa.Schema, choose_form: ChooseForm) -> SchemaForC | None:
    """The schema for C; None if it has a type that C has no kind for, such as an extension or a view."""
    flat = _FlatTypes(choose_form)
    if not flat.add_fields(list(schema), depth=0):
        return None
    return SchemaForC((TypeEntry * len(flat.entries))(*flat.entries), bytes(flat.names), len(schema))


@dataclass(slots=True)
class _FlatTypes:
    """The types of a schema behind each other: siblings first, so that a parent's children are one range."""

    choose_form: ChooseForm
    entries: list[TypeEntry] = field(default_factory=list)
    names: bytearray = field(default_factory=bytearray)

    def add_fields(self, fields: list[pa.Field], depth: int) -> bool:
        """Append siblings and then all that is below them; False if C has no kind for one of them."""
        if depth > MOST_DEPTH:
            return False
        siblings = []
        for child in fields:
            entry = self._make_entry(child)
            if entry is None:
                return False
            siblings.append(entry)
        self.entries += siblings
        # For the columns a, a struct of x, and b the entries are a, b, x: the children of each parent are one range.
        for child, entry in zip(fields, siblings, strict=True):
            below = _list_children(child.type)
            entry.first_child = len(self.entries)
            entry.children = len(below)
            if below and not self.add_fields(below, depth + 1):
                return False
        return True

    def _make_entry(self, child: pa.Field) -> TypeEntry | None:
        kind = _PLAIN_KINDS.get(child.type.id)
        if kind is None:
            return None
        name = child.name.encode("utf-8", "surrogatepass")
        entry = TypeEntry(kind=kind, form=self.choose_form(child), name_offset=len(self.names), name_length=len(name))
        entry.unit_or_scale, entry.precision = _measure_type(child.type)
        entry.flags = NULLABLE if child.nullable else 0
        if kind is TypeKind.TIMESTAMP and child.type.tz is not None:
            entry.flags |= ZONED
        self.names += name
        return entry


def _list_children(kind: pa.DataType) -> list[pa.Field]:
    if kind.id in _SIMPLE:
        return []
    if is_dictionary(kind):
        return [pa.field("values", kind.value_type)]
    # Arrow's own layout of a map: a list whose items are structs of a key and a value.
    if is_map(kind):
        return [pa.field("entries", pa.struct([kind.key_field, kind.item_field]), nullable=False)]
    if is_nested(kind):
        return list(map(kind.field, range(kind.num_fields)))
    return []


def _measure_type(kind: pa.DataType) -> tuple[int, int]:
    """`unit_or_scale` and `precision`: of decimals both, of times the unit, of fixed types their size."""
    if kind.id in _SIMPLE:
        return 0, 0
    if is_decimal(kind):
        return kind.scale, kind.precision
    # A dictionary has no precision: in its place C finds the kind of the indices.
    if is_dictionary(kind):
        return 0, _PLAIN_KINDS[kind.index_type.id]
    if is_fixed_size_list(kind):
        return 0, kind.list_size
    if is_fixed_size_binary(kind):
        return 0, kind.byte_width
    unit: Any = getattr(kind, "unit", None)
    return _UNITS.get(unit, 0), 0
