"""Rows as text by the kernel: the same bytes as `formats/text/rendering.py` gives, or None.

A column of a type that C does not print is made text by the pure code first, and only put in its place by C.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from millrace.engine.formats.base import Text
from millrace.engine.formats.text import rendering
from millrace.engine.formats.text.shapes import RowShape
from millrace.engine.names import unique_names
from millrace.engine.native.library import Kernel
from millrace.engine.native.seam import (
    Code,
    ExportedArray,
    NativeFault,
    SchemaForC,
    TypeEntry,
    TypeKind,
    describe_schema,
)
from millrace.engine.types import arrow_types
from millrace.engine.types.printing import BARE, FORM, FRACTION_DIGITS, JSON, form_of, read_timestamp_form
from millrace.errors import MillraceError

PAGE_BYTES = 2**20
"""The text of a batch comes in pieces of this size, so that no large buffer is copied into a larger one."""
_LEAST_PAGE = 2**14
"""Of a batch that is small by its buffers, so that a row of long names fits as well."""
_MOST_PAGE = 2**30
"""A row that takes more is left to the pure code."""
# What render_columns.h has as well.
_FORM_BARE = 1
_FORM_SPACE = 4
_VERBATIM = "verbatim"
"""A form of the columns that the pure code prints, within this module alone."""
_UNKNOWN = -1
"""A form that C does not know: of a dictionary it would be one of its values."""
_TEXT_FORMS = {JSON: 1, _VERBATIM: 2}
_TEXTS = (pa.string(), pa.large_string())
_UNITS = {0: 0, 3: 1, 6: 2, 9: 3}
"""Units by how many digits of a second they show."""
_KEYS = frozenset({TypeKind.BOOL, TypeKind.STRING, TypeKind.LARGE_STRING, *range(TypeKind.INT8, TypeKind.UINT64 + 1)})
"""Types of maps' keys of which C can say whether two are the same."""
_NESTED = frozenset({TypeKind.LIST, TypeKind.LARGE_LIST, TypeKind.FIXED_LIST, TypeKind.STRUCT, TypeKind.MAP})
_MOST_SCALE = 76
"""As many digits as a decimal can have. Arrow has larger scales, too, whose zeros would be more than C has room for."""
_RECENT = 16
_Release = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


@dataclass(frozen=True, slots=True)
class _RenderPlan:
    """How batches of one schema are rendered: decided once."""

    batch: pa.Schema
    into: pa.Schema
    shape: RowShape
    types: SchemaForC
    prepared: tuple[int, ...]
    """The columns that the pure code prints."""

    def fits(self, batch: pa.Schema, into: pa.Schema, shape: RowShape) -> bool:
        """Whether it was made for these schemas, their forms in the metadata included."""
        return (
            shape is self.shape
            and self.batch.equals(batch, check_metadata=True)
            and (into is self.into or self.into.equals(into, check_metadata=True))
        )


class _Plans:
    """The plans made last: a conversion's batches share one, and threads that race at worst make one twice."""

    def __init__(self) -> None:
        self._recent: tuple[_RenderPlan, ...] = ()

    def find(self, batch: pa.Schema, into: pa.Schema, shape: RowShape) -> _RenderPlan:
        """The plan for batches of a schema."""
        for plan in self._recent:
            if plan.fits(batch, into, shape):
                return plan
        plan = _make_plan(batch, into, shape)
        self._recent = (plan, *self._recent[: _RECENT - 1])
        return plan


_plans = _Plans()


def render(
    kernel: Kernel, batch: pa.RecordBatch, into: pa.Schema, shape: RowShape, *, page_bytes: int = PAGE_BYTES
) -> Text | None:
    """The rows' text in pieces of whole rows; None if the pure code has to do it, or to say what is wrong.

    A piece has at most ``page_bytes``, at least 128, unless a single row has more.
    """
    if not len(into):
        return None
    plan = _plans.find(batch.schema, into, shape)
    pieces = list[memoryview]()
    parts = rendering.parts(batch) if plan.prepared else (batch,)
    for part in parts:
        rendered = _render_part(kernel, part, plan, page_bytes)
        if rendered is None:
            return None
        pieces += rendered
    return Text(tuple(pieces), batch.num_rows)


def _render_part(kernel: Kernel, batch: pa.RecordBatch, plan: _RenderPlan, page_bytes: int) -> list[memoryview] | None:
    try:
        batch = _prepare(batch, plan)
    except MillraceError:  # the pure code meets it again, and the faults of columns before this one first
        return None
    exported = ExportedArray()
    address = ctypes.addressof(exported)
    batch._export_to_c(address)  # noqa: SLF001 - the documented way to C's addresses
    try:
        return _Rendering(kernel, plan, address, batch.num_rows, min(page_bytes, _expect_bytes(batch))).pieces()
    finally:
        _Release(exported.release)(address)


def _prepare(batch: pa.RecordBatch, plan: _RenderPlan) -> pa.RecordBatch:
    """The batch, with texts for the columns that C does not print."""
    if not plan.prepared:
        return batch
    columns = batch.columns
    for position in plan.prepared:
        field = plan.into.field(position)
        if plan.shape is RowShape.CSV_LINES:
            columns[position] = rendering.csv_values(columns[position], field)
        else:
            columns[position] = rendering.json_values(columns[position], field)
    return pa.RecordBatch.from_arrays(columns, names=[""] * len(columns))


def _expect_bytes(batch: pa.RecordBatch) -> int:
    """More than what most batches become: a small one needs no whole page."""
    held: int = batch.get_total_buffer_size()  # of a slice more than its own, but without a look at each column's rows
    return max(_LEAST_PAGE, held * 4)


@dataclass(slots=True)
class _Rendering:
    """One batch on its way through C, page after page."""

    kernel: Kernel
    plan: _RenderPlan
    address: int
    rows: int
    page_bytes: int

    def pieces(self) -> list[memoryview] | None:
        """The pages, each as far as it was written; None if a value is not for C."""
        row, fault = ctypes.c_int64(0), NativeFault()
        pieces = list[memoryview]()
        while row.value < self.rows:
            page = pa.allocate_buffer(self.page_bytes)
            written = self._write(page, row, fault)
            if written:
                pieces.append(memoryview(page)[:written])
            # Not even one row fits into the page: a larger one is tried with the same row.
            elif fault.code == Code.TOO_MUCH and self.page_bytes < _MOST_PAGE:
                self.page_bytes *= 4
            else:
                return None
        return pieces

    def _write(self, page: pa.Buffer, row: ctypes.c_int64, fault: NativeFault) -> int:
        types = self.plan.types
        written: int = _bind(self.kernel)(
            self.address,
            types.types,
            len(types.types),
            types.columns,
            types.names,
            self.plan.shape,
            page.address,
            page.size,
            ctypes.byref(row),
            ctypes.byref(fault),
        )
        return written


@functools.cache
def _bind(kernel: Kernel) -> Callable[..., int]:
    pointer, number, size = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64
    function: Callable[..., int] = kernel.bind(
        "millrace_render",
        size,
        *(pointer, pointer, number, number, ctypes.c_char_p, number),
        *(pointer, size, pointer, pointer),
    )
    return function


def _make_plan(batch: pa.Schema, into: pa.Schema, shape: RowShape) -> _RenderPlan:
    """Columns as C prints them, and those that it cannot print as texts."""
    fields, prepared = list[pa.Field](), list[int]()
    for position, (given, wanted) in enumerate(zip(batch, into, strict=True)):
        field = pa.field(wanted.name, given.type, metadata=wanted.metadata)
        if not _is_printed(field, wanted):
            field = pa.field(wanted.name, pa.string(), metadata={FORM: _VERBATIM})
            prepared.append(position)
        fields.append(field)
    types = describe_schema(pa.schema(fields), _form_number)
    if types is None:
        raise AssertionError("each column was described alone before")
    return _RenderPlan(batch, into, shape, _name_members(types), tuple(prepared))


def _is_printed(field: pa.Field, wanted: pa.Field) -> bool:
    """Whether C prints the values of a field."""
    if arrow_types.is_extension(wanted.type):
        return False
    described = describe_schema(pa.schema([field]), _form_number)
    return described is not None and all(_is_printed_type(entry, described) for entry in described.types)


def _is_printed_type(entry: TypeEntry, described: SchemaForC) -> bool:
    if entry.form == _UNKNOWN:
        return False
    match entry.kind:
        case TypeKind.DICTIONARY:
            return described.types[entry.first_child].kind not in {*_NESTED, TypeKind.DICTIONARY}
        case TypeKind.MAP:
            return described.types[described.types[entry.first_child].first_child].kind in _KEYS
        case TypeKind.DECIMAL128 | TypeKind.DECIMAL256:
            return bool(0 <= entry.unit_or_scale <= _MOST_SCALE)
        case _:
            return True


def _form_number(field: pa.Field) -> int:
    """A field's form as `render_columns.h` numbers it."""
    form = form_of(field)
    if field.type in _TEXTS:
        return _TEXT_FORMS.get(form, 0)
    if form == JSON or (form and arrow_types.is_dictionary(field.type)):
        return _UNKNOWN
    if arrow_types.is_timestamp(field.type):
        return _number_timestamp_form(field.type, form)
    return _FORM_BARE if form == BARE and arrow_types.is_floating(field.type) else 0


def _number_timestamp_form(kind: pa.TimestampType, form: str) -> int:
    separator, digits, _zone = read_timestamp_form(kind, form)
    shown = _UNITS.get(digits, _UNITS[FRACTION_DIGITS[kind.unit]])
    return shown | (_FORM_SPACE if separator == " " else 0)


def _name_members(described: SchemaForC) -> SchemaForC:
    """The same types, each name as it comes before its value in JSON: `{"id":` or `,"name":`."""
    names = bytearray()
    for members in _objects(described):
        own = [_name_of(entry, described.names) for entry in members]
        opening = b"{"
        for entry, name in zip(members, unique_names(own), strict=True):
            text = opening + rendering.quote_name(name).encode() + b":"
            entry.name_offset, entry.name_length = len(names), len(text)
            names += text
            opening = b","
    return SchemaForC(described.types, bytes(names), described.columns)


def _objects(described: SchemaForC) -> Iterator[Sequence[TypeEntry]]:
    """The members of each object: the columns of the row itself, then those of each struct, and of all else."""
    yield described.types[: described.columns]
    for entry in described.types:
        yield described.types[entry.first_child : entry.first_child + entry.children]


def _name_of(entry: TypeEntry, names: bytes) -> str:
    return names[entry.name_offset : entry.name_offset + entry.name_length].decode()
