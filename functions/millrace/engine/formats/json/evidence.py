"""What a batch's numbers say of their types, the same as their texts would say to the exact parser."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.formats.json.types import NO_SCALE, Kept, Node
from millrace.engine.types import arrow_types
from millrace.engine.types.printing import BARE, plain


@dataclass(frozen=True, slots=True)
class FieldStep:
    """The way to a field within a node or an array: to the field of a struct, or, without a name, to a list's items."""

    name: str | None
    position: int = 0

    def into_array(self, array: pa.Array) -> pa.Array:
        """The array of the field, or of the lists' items."""
        if self.name is None:
            return array.flatten()
        return array.field(self.position)

    def into_node(self, node: Node) -> Node:
        """What is known of the field, or of the lists' items."""
        if self.name is not None:
            return node.children[self.name]
        assert node.item is not None  # noqa: S101 - the way was found by walking it
        return node.item


@dataclass(frozen=True, slots=True)
class FieldWay:
    """A field's way from the top, its type and its form."""

    steps: tuple[FieldStep, ...]
    type: pa.DataType
    form: str

    @property
    def name(self) -> str:
        """The last name on the way."""
        return next(step.name for step in reversed(self.steps) if step.name is not None)

    @property
    def is_double(self) -> bool:
        """Whether the type may not give the numbers' texts back."""
        return arrow_types.is_floating(self.type)

    @property
    def is_whole(self) -> bool:
        """Whether the numbers are integers."""
        return arrow_types.is_integer(self.type) or (arrow_types.is_decimal(self.type) and self.type.scale == 0)

    def values(self, batch: pa.RecordBatch) -> pa.Array:
        """All of the field's values that are not missing, in the order of the text."""
        array = batch.column(self.steps[0].position)
        for step in self.steps[1:]:
            array = step.into_array(array)
        if not array.null_count:
            return array
        return array.drop_null()

    def node(self, top: Node) -> Node:
        """What is known of the field."""
        node = top
        for step in self.steps:
            node = step.into_node(node)
        return node


@dataclass(frozen=True, slots=True)
class NumberTexts:
    """A field's numbers as the text has them: those with a point or an exponent, and the least and largest others."""

    numbers: pa.Array
    whole: tuple[int, ...]


def observe_values(node: Node, way: FieldWay, values: pa.Array) -> None:
    """Add numbers that are printed as the text has them to what is known of their field."""
    if way.form == BARE:
        is_whole = pc.equal(pc.floor(values), values)
        _observe_whole(node, ends_of(values.filter(is_whole)))
        _observe_doubles(node, values.filter(pc.invert(is_whole)))
    elif way.is_double:
        _observe_doubles(node, values)
    elif way.is_whole:
        _observe_whole(node, ends_of(values))
    else:
        _observe_decimals(node, values)


def observe_texts(node: Node, texts: NumberTexts) -> None:
    """Add numbers by their texts to what is known of their field."""
    _observe_whole(node, texts.whole)
    _observe_numbers(node, texts.numbers)


def ends_of(values: pa.Array) -> tuple[int, ...]:
    """The least and the largest of integers; nothing where there are none."""
    ends = pc.min_max(values)
    if not len(values):
        return ()
    return int(ends["min"].as_py()), int(ends["max"].as_py())


def _observe_whole(node: Node, ends: Iterable[int]) -> None:
    node.low = min((node.low, *ends))
    node.high = max((node.high, *ends))


def _observe_numbers(node: Node, texts: pa.Array) -> None:
    if len(texts) and node.numbers is not None:
        node.numbers = node.numbers.observe(texts)


def _observe_doubles(node: Node, values: pa.Array) -> None:
    """Add doubles that are printed as the text has them."""
    if len(values) and node.numbers is not None:
        node.numbers = node.numbers.observe_kept(values)


def _observe_decimals(node: Node, values: pa.Array) -> None:
    """Add decimals, which are printed as the text has them; the longest are at the ends where no type but theirs is."""
    numbers = node.numbers
    if numbers is not None and numbers.bare is numbers.dotted is Kept.NOT:
        if numbers.scale == NO_SCALE:
            return
        ends = pc.min_max(values)
        values = pa.array([ends["min"].as_py(), ends["max"].as_py()], values.type)
        longest = pc.max(pc.binary_length(plain(values))).as_py()
        node.numbers = replace(numbers, digits=max(numbers.digits, longest))
    else:
        _observe_numbers(node, plain(values))
