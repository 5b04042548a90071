"""JSON text as record batches by the native kernel, which proves each value while it reads it.

The kernel is given the fields' types and forms as they are known. It answers with a batch that has every value as the
exact parser would have it and with what it saw of the numbers, or with nothing: then somebody else reads the piece.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.formats.json.cells import MOST_CELLS
from millrace.engine.formats.json.evidence import (
    FieldStep,
    FieldWay,
    NumberTexts,
    ends_of,
    observe_texts,
    observe_values,
)
from millrace.engine.formats.json.feed import DividedPiece, JsonPiece
from millrace.engine.formats.json.planned_rows import Doubt, PlannedRows
from millrace.engine.formats.json.types import Kept, Node, Number, Numbers, fields_of
from millrace.engine.formats.limits import leaves
from millrace.engine.native.json import (
    JsonEvidence,
    JsonForm,
    JsonLayout,
    ProvenRows,
    RowCutter,
    RowsReader,
    SeenKind,
)
from millrace.engine.native.library import Kernel
from millrace.engine.native.seam import Code, SchemaForC, describe_schema
from millrace.engine.types import arrow_types
from millrace.engine.types.printing import BARE, JSON, form_of

_KINDS: tuple[tuple[SeenKind, type], ...] = (
    (SeenKind.BOOL, bool),
    (SeenKind.WHOLE, int),
    (SeenKind.NUMBER, Number),
    (SeenKind.TEXT, str),
    (SeenKind.OBJECT, dict),
    (SeenKind.LIST, list),
)


class _UnfitForKernel(Exception):
    """The kernel cannot read fields like these."""


@dataclass(frozen=True, slots=True)
class _ObservedField:
    """A field whose values say something of its type, and its number among the types that the kernel is given."""

    number: int
    way: FieldWay


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelRows(PlannedRows):
    """A piece's rows as the kernel read them, and what it saw of each type of their schema."""

    observed: tuple[_ObservedField, ...]
    seen: ctypes.Array[JsonEvidence]

    def observe(self, node: Node) -> bool:
        """See ``PlannedRows``."""
        has_changed = False
        for column in self.observed:
            evidence, known = self.seen[column.number], column.way.node(node)
            before = len(known.kinds), known.low, known.high, known.numbers
            _observe(known, column.way, evidence, self.batch)
            has_changed |= before != (len(known.kinds), known.low, known.high, known.numbers)
        return has_changed


def _observe(node: Node, way: FieldWay, evidence: JsonEvidence, batch: pa.RecordBatch) -> None:
    if way.form == JSON:
        _observe_json(node, way, evidence.kinds, batch)
    elif arrow_types.is_decimal(way.type):
        values = way.values(batch)
        if len(values):
            observe_values(node, way, values)
    else:
        _observe_numbers(node, evidence)


def _observe_numbers(node: Node, evidence: JsonEvidence) -> None:
    node.low, node.high = min(node.low, evidence.low), max(node.high, evidence.high)
    if evidence.numbers:
        digits = evidence.longest if evidence.scale > 0 else 0
        seen = Numbers(Kept(evidence.bare), Kept(evidence.dotted), evidence.scale, digits)
        node.numbers = seen.join(node.numbers)


def _observe_json(node: Node, way: FieldWay, kinds: int, batch: pa.RecordBatch) -> None:
    """Add JSON values: of a field of several kinds nothing more can be learned, one of numbers has others' digits."""
    node.kinds |= {kind for seen, kind in _KINDS if kinds & seen}
    if not node.is_numeric or not kinds:
        return
    texts = way.values(batch)
    # -0 is none of them: as an integer it would lose its sign, so that it counts with 1.5 and 1e3.
    is_whole = pc.match_substring_regex(texts, "^(-?[1-9][0-9]*|0)$")
    numbers = texts.filter(pc.invert(is_whole))
    if len(numbers):
        node.numbers = node.numbers or Numbers()
    observe_texts(node, NumberTexts(numbers, _ends_of_texts(texts.filter(is_whole))))


def _ends_of_texts(texts: pa.Array) -> tuple[int, ...]:
    """The least and the largest of integers of any length."""
    try:
        return ends_of(texts.cast(pa.int64()))
    except pa.ArrowInvalid:
        whole = list(map(int, texts.to_pylist()))
        return min(whole), max(whole)


@dataclass(frozen=True, slots=True)
class KernelPlan:
    """How the kernel is asked for rows of a schema."""

    reader: RowsReader
    observed: tuple[_ObservedField, ...]
    leaves: int

    @property
    def schema(self) -> pa.Schema:
        """The schema of the rows."""
        return self.reader.schema

    def looking_at(self, _odd: frozenset[str]) -> Self:
        """The same plan: the kernel looks at all numbers."""
        return self

    def parse(self, piece: JsonPiece) -> KernelRows | Doubt:
        """See ``PiecePlan``."""
        if not piece.whole:
            return Doubt()
        answer = self.reader.read(piece.data, _layout_of(piece))
        if isinstance(answer, ProvenRows):
            return KernelRows(
                piece=piece, batch=answer.batch, leaves=self.leaves, observed=self.observed, seen=answer.evidence
            )
        # A piece with origins is no part of the file's own text, so that its parts would have no place in it.
        if answer.code == Code.TOO_MUCH or piece.origins is not None:
            return Doubt()
        return _DoubtfulRow(self.reader.kernel, answer.byte if answer.row else 0)


@dataclass(frozen=True, slots=True)
class _DoubtfulRow(Doubt):
    """The kernel could not read the row that begins at this byte of a piece."""

    kernel: Kernel
    byte: int

    def divide(self, piece: JsonPiece, doubtful_bytes: int, /) -> DividedPiece:
        """See ``Doubt``."""
        rest = piece.data[self.byte :]
        length = RowCutter(self.kernel).end_of_rows(rest, doubtful_bytes, in_array=piece.in_array)
        return piece.divide(self.byte, self.byte + (length or len(rest)))


def _layout_of(piece: JsonPiece) -> JsonLayout:
    layout = JsonLayout.LINES
    if piece.in_array:
        layout |= JsonLayout.IN_ARRAY
        if piece.first:
            layout |= JsonLayout.FIRST_OF_ARRAY
        if piece.last:
            layout |= JsonLayout.LAST_OF_ARRAY
    return layout


def plan(kernel: Kernel, node: Node) -> KernelPlan | None:
    """How to read rows that are like those which a node has observed; None where the kernel cannot."""
    schema = fields_of(node)
    description = describe_schema(schema, _plain_form)
    if description is None or not node.children:
        return None
    try:
        fields = _describe_fields(description, schema, node)
    except _UnfitForKernel:
        return None
    reader = RowsReader(kernel, schema, description, MOST_CELLS)
    return KernelPlan(reader, fields, max(1, leaves(schema)))


def _plain_form(_field: pa.Field) -> int:
    return JsonForm.PLAIN


def _describe_fields(description: SchemaForC, schema: pa.Schema, top: Node) -> tuple[_ObservedField, ...]:
    """Sets the forms of all fields, which depend on what was seen of them; gives those to observe."""
    description_of = _FlatFields(description, [])
    description_of.add_children(schema, top, (), first=0)
    return tuple(description_of.observed)


@dataclass(frozen=True, slots=True)
class _FlatFields:
    """A schema's description in the making, and the fields whose values say something of their types."""

    flat: SchemaForC
    observed: list[_ObservedField]

    def add_children(self, fields: Iterable[pa.Field], node: Node, steps: tuple[FieldStep, ...], first: int) -> None:
        """Describe an object's fields, which the flat types have from ``first`` on."""
        for position, child in enumerate(fields):
            step = FieldStep(child.name, position)
            self.add_field(child, node.children[child.name], (*steps, step), first + position)

    def add_field(self, into: pa.Field, node: Node, steps: tuple[FieldStep, ...], number: int) -> None:
        """Describe a field and those within it."""
        entry, kind = self.flat.types[number], into.type
        entry.form = _form_for_kernel(into, node)
        if entry.form == JsonForm.ANY or (node.is_numeric and form_of(into) != JSON):
            self.observed.append(_ObservedField(number, FieldWay(steps, kind, form_of(into))))
        elif arrow_types.is_struct(kind):
            self.add_children(kind, node, steps, entry.first_child)
        elif arrow_types.is_list(kind):
            assert node.item is not None  # noqa: S101 - a list was observed
            self.add_field(kind.value_field, node.item, (*steps, FieldStep(None)), entry.first_child)


def _form_for_kernel(into: pa.Field, node: Node) -> JsonForm:
    form = form_of(into)
    if not node.kinds:
        return JsonForm.NULLS
    if form == JSON:
        is_empty = node.kinds == {dict} and not node.children
        return JsonForm.EMPTY_OBJECTS if is_empty else JsonForm.ANY
    if not arrow_types.is_floating(into.type):
        return JsonForm.PLAIN
    # Doubles printed as 5 of a field without integers (it has a -0), or printed as 5.0 of a field with some: the form
    # does not say which whole numbers fit.
    if (form == BARE) != (int in node.kinds):
        raise _UnfitForKernel
    return JsonForm.BARE if form == BARE else JsonForm.PLAIN
