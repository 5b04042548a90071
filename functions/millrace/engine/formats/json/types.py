"""Types of JSON fields, by a rule that may only widen: a type holds only if every value stays the same JSON value.

What has been seen of a field is a ``Node``. A field whose values are of several types, or are numbers that no type
keeps exactly, holds the JSON text of each value instead (form ``json``).
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from itertools import accumulate, chain, starmap
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.formats.json.cells import CellCounter, Places
from millrace.engine.formats.limits import MANY_CELLS, MAX_CELLS, check_columns, leaves, refuse_nearly_empty
from millrace.engine.types import arrow_types, inference
from millrace.engine.types.printing import BARE, JSON, form_of, plain, with_form

MAX_DEPTH = 32
"""Values nested deeper than this are kept as JSON text."""
MAX_FIELDS = 2000
"""An object with more different names than this, below the top, is kept as JSON text: it is a map rather."""
_INT64 = (-(2**63), 2**63 - 1)
FIRST_INEXACT = 10**15
"""Integers from here on are not printed digit for digit by a double."""
NO_SCALE = -1
Value = Any
_JSON_TEXT = inference.Kind(pa.string(), JSON)
_KINDS_OF_PLAIN_VALUES: Mapping[type, inference.Kind] = {bool: inference.BOOLEAN, str: inference.TEXT}


class Number(str):
    """A number as the file writes it."""

    __slots__ = ()


@dataclass(slots=True)
class Node:
    """What the values of one field have been so far; it changes as values are observed."""

    kinds: set[type] = field(default_factory=set)
    low: int = 0
    high: int = 0
    numbers: Numbers | None = None
    children: dict[str, Node] = field(default_factory=dict)
    item: Node | None = None

    def observe(self, values: Sequence[Value], depth: int) -> None:
        """Add the field's next values, missing ones as None."""
        kinds = set(map(type, values))
        kinds.discard(type(None))
        self.kinds |= kinds
        if int in kinds:
            self._observe_integers(_values_of(int, values))
        if Number in kinds:
            self._observe_numbers(_values_of(Number, values))
        if self._is_mixed or depth > MAX_DEPTH:
            return
        # All values that are not missing are of one kind from here on: [{"a": 1}, None] are objects.
        if dict in kinds:
            self.observe_columns(columns_of(_values_of(dict, values), most_names=MAX_FIELDS), depth)
        if list in kinds:
            self.item = self.item or Node()
            self.item.observe(list(chain.from_iterable(_values_of(list, values))), depth + 1)

    @property
    def _is_mixed(self) -> bool:
        return len(self.kinds) > 1 and not self.is_numeric

    @property
    def is_numeric(self) -> bool:
        """Whether all values are numbers."""
        return bool(self.kinds) and self.kinds <= {int, Number}

    def observe_columns(self, columns: Mapping[str, Sequence[Value]], depth: int) -> None:
        """Add objects' fields; a name seen for the first time goes behind those that are known."""
        for name, values in columns.items():
            child = self._find_or_add_child(name, depth)
            if child is None:
                return
            child.observe(values, depth + 1)

    def _find_or_add_child(self, name: str, depth: int) -> Node | None:
        """The field of this name; None if there are so many below the top that the object is a map rather."""
        if name not in self.children:
            if not depth:
                check_columns(len(self.children) + 1, "the file's rows together")
            if depth and len(self.children) > MAX_FIELDS:
                return None
            self.children[name] = Node()
        return self.children[name]

    def join(self, other: Node, depth: int = 0) -> None:
        """Add what other values of the field are known to be, those behind the ones that were observed here.

        What is known of two parts of a file, joined, gives the fields that the whole would. Raises TooBig where that
        has too many columns.
        """
        self.kinds |= other.kinds
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        if other.numbers is not None:
            self.numbers = other.numbers.join(self.numbers)
        # A field that is 1 in one row and {"a": 2} in another is JSON text: what is within no longer matters.
        if self._is_mixed or depth > MAX_DEPTH:
            return
        for name, child in other.children.items():
            known = self._find_or_add_child(name, depth)
            if known is None:
                return
            known.join(child, depth + 1)
        if other.item is not None:
            self.item = self.item or Node()
            self.item.join(other.item, depth + 1)

    def _observe_integers(self, values: Sequence[int]) -> None:
        self.low = min(self.low, min(values))  # noqa: PLW3301 # a block's values are too many for arguments
        self.high = max(self.high, max(values))  # noqa: PLW3301 # as above

    def _observe_numbers(self, values: Sequence[Number]) -> None:
        self.numbers = (self.numbers or Numbers()).observe(pa.array(values, pa.string()))

    def field(self, name: str, depth: int) -> pa.Field:
        """The Arrow field that holds all of the values."""
        kind = self._resolve(depth)
        return with_form(pa.field(name, kind.type), kind.form)

    def _resolve(self, depth: int) -> inference.Kind:
        if not self.kinds:
            return inference.TEXT
        if self.is_numeric:
            return self._resolve_numbers() or _JSON_TEXT
        if self._is_mixed or depth > MAX_DEPTH:
            return _JSON_TEXT
        if dict in self.kinds:
            return self._resolve_objects(depth)
        if list in self.kinds:
            return self._resolve_lists(depth)
        (only,) = self.kinds
        return _KINDS_OF_PLAIN_VALUES[only]

    def _resolve_lists(self, depth: int) -> inference.Kind:
        item = self.item or Node()
        return inference.Kind(pa.list_(item.field("element", depth + 1)))

    def _resolve_objects(self, depth: int) -> inference.Kind:
        if not self.children or len(self.children) > MAX_FIELDS:
            return _JSON_TEXT
        return inference.Kind(pa.struct(self.child_fields(depth + 1)))

    def child_fields(self, depth: int) -> list[pa.Field]:
        """The Arrow fields of the objects' members, which are so deep below the top."""
        return [child.field(name, depth) for name, child in self.children.items()]

    def _resolve_numbers(self) -> inference.Kind | None:
        if self.numbers is not None:
            return self.numbers.resolve(self.low, self.high, whole=int in self.kinds)
        if _INT64[0] <= self.low and self.high <= _INT64[1]:
            return inference.INTEGER
        return inference.decimal(max(len(str(self.low)), len(str(self.high))), 0)


def _values_of(kind: type, values: Sequence[Value]) -> Sequence[Value]:
    """The values of one kind; the same sequence if there are no others."""
    # A block's column has up to 8,192 values, most often of one type: the set is quick to build, and nothing is copied.
    if set(map(type, values)) == {kind}:
        return values
    return [value for value in values if type(value) is kind]


class Kept(enum.IntEnum):
    """How well a double keeps written numbers."""

    NOT = 0
    AS_VALUE = 1
    """What is printed is the same number, seen as no integer, without a digit less."""
    AS_TEXT = 2
    """What is printed is what was written."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """What is known of numbers that are written with a point or an exponent (or as ``-0``).

    ``bare`` and ``dotted`` say how the two forms of doubles keep them, ``scale`` how many digits follow each point
    (-1: not as many everywhere, or there are exponents), ``digits`` the most characters of one, where that matters.
    """

    bare: Kept = Kept.AS_TEXT
    dotted: Kept = Kept.AS_TEXT
    scale: int | None = None
    digits: int = 0

    def observe(self, texts: pa.Array) -> Numbers:
        """What is known with the next numbers' texts."""
        scale = self._scale(texts)
        return Numbers(
            bare=min(self.bare, _how_kept(texts, BARE)) if self.bare else Kept.NOT,
            dotted=min(self.dotted, _how_kept(texts, "")) if self.dotted else Kept.NOT,
            scale=scale,
            digits=0 if scale == NO_SCALE else max(self.digits, pc.max(pc.binary_length(texts)).as_py()),
        )

    def join(self, other: Numbers | None) -> Numbers:
        """What is known with other numbers, of which this is known; in either order."""
        if other is None:
            return self
        bare, dotted = min(self.bare, other.bare), min(self.dotted, other.dotted)
        if self.scale != other.scale or self.scale == NO_SCALE:
            return Numbers(bare, dotted, NO_SCALE)
        return Numbers(bare, dotted, self.scale, max(self.digits, other.digits))

    def observe_kept(self, values: pa.Array) -> Numbers:
        """What is known with the next numbers, of which it is known that they are printed as they were written."""
        bare = self.bare
        # A whole number that is kept as it is was written 5.0. Printed bare it would be 5, which reads as an integer.
        if bare and pc.any(pc.equal(pc.floor(values), values)).as_py():
            bare = Kept.NOT
        if self.scale in {None, NO_SCALE}:
            return replace(self, bare=bare)
        texts = plain(values)
        fits = pc.all(pc.match_substring_regex(texts, rf"\.[0-9]{{{self.scale}}}$")).as_py()
        # -0.0 has as many digits as the others, but a decimal has no minus for a zero.
        if not fits or pc.any(pc.equal(texts, "-0.0")).as_py():
            return replace(self, bare=bare, scale=NO_SCALE, digits=0)
        return replace(self, bare=bare, digits=max(self.digits, pc.max(pc.binary_length(texts)).as_py()))

    def _scale(self, texts: pa.Array) -> int:
        scale = self.scale
        if scale is None:
            scale = len(str(texts[0]).partition(".")[2])
        if not 0 < scale < inference.MAX_DECIMAL_DIGITS:
            return NO_SCALE
        if inference.fit(texts, inference.Kind(pa.decimal256(inference.MAX_DECIMAL_DIGITS, scale))) is None:
            return NO_SCALE
        return scale

    def resolve(self, low: int, high: int, *, whole: bool) -> inference.Kind | None:
        """The type that keeps all of the numbers and the integers from low to high; ``whole``: there are some."""
        # A double that keeps the text comes first, then a decimal, which keeps it too but which fewer programs read,
        # then a double that keeps the value: 1.5 and 2.25 are doubles, 1.50 and 2.25 decimals, 1e3 a double again.
        doubles = self._doubles(low, high, whole=whole)
        for double, kept in doubles:
            if kept is Kept.AS_TEXT:
                return double
        if not whole and (as_decimal := self._decimal()):
            return as_decimal
        for double, kept in doubles:
            if kept is not Kept.NOT:
                return double
        return None

    def _decimal(self) -> inference.Kind | None:
        if self.scale is None or self.scale == NO_SCALE:
            return None
        return inference.decimal(self.digits, self.scale)

    def _doubles(self, low: int, high: int, *, whole: bool) -> tuple[tuple[inference.Kind, Kept], ...]:
        """The two forms of doubles, the preferred first, and how well each keeps the numbers."""
        bare, dotted = self.bare, self.dotted
        if max(-low, high) >= FIRST_INEXACT:
            bare = Kept.NOT
        if whole:
            dotted = Kept.NOT
        return (inference.DOUBLE, dotted), (inference.DOUBLE_BARE, bare)


def _how_kept(texts: pa.Array, form: str) -> Kept:
    """How well doubles of a form keep the numbers that are written so."""
    values = pc.cast(texts, pa.float64())
    if not pc.all(pc.is_finite(values)).as_py():
        return Kept.NOT
    printed = plain(values, form)
    differ = pc.not_equal(printed, texts)
    if not pc.any(differ).as_py():
        return Kept.AS_TEXT
    pairs = zip(texts.filter(differ).to_pylist(), printed.filter(differ).to_pylist(), strict=True)
    if all(starmap(_says_the_same, pairs)):
        return Kept.AS_VALUE
    return Kept.NOT


def _says_the_same(written: str, back: str) -> bool:
    """Whether both are the same number, still seen as no integer, and no digit was dropped, even a zero."""
    # 1e3 and 1000.0 say the same; 1.50 and 1.5 do not (a zero is lost), nor do 1e3 and 1000 (now an integer).
    if not _has_no_digit_to_lose(written) or not ("." in back or "e" in back):
        return False
    try:
        return Decimal(written) == Decimal(back)
    except InvalidOperation:  # an exponent beyond all bounds
        return False


def _has_no_digit_to_lose(written: str) -> bool:
    mantissa, exponent, _ = written.lower().partition("e")
    fraction = mantissa.partition(".")[2]
    if exponent or fraction == "0":
        return True
    return fraction != "" and not fraction.endswith("0")


def build(values: Sequence[Value], into: pa.Field) -> pa.Array:
    """The values as an array of the field's type, which they are known to fit."""
    kind = into.type
    if form_of(into) == JSON:
        return _build_json_texts(values)
    if arrow_types.is_struct(kind):
        return _build_structs(values, kind)
    if arrow_types.is_list(kind):
        return _build_lists(values, kind)
    if arrow_types.is_floating(kind) or arrow_types.is_decimal(kind):
        # Texts, because Arrow reads each digit of them: 0.1 as a decimal is 0.1, and not what a double has of it.
        return pc.cast(pa.array(map(_as_digits, values), pa.string()), kind)
    return pa.array(values, kind)


def _as_digits(number: Value) -> Value:
    if type(number) is int:
        return str(number)
    return number


def _build_json_texts(values: Sequence[Value]) -> pa.Array:
    return pa.array(map(_text_or_none, values), pa.string())


def _text_or_none(value: Value) -> str | None:
    if value is None:
        return None
    return text_of(value)


def _build_structs(values: Sequence[Value], kind: pa.DataType) -> pa.Array:
    objects = [value or {} for value in values]
    children = _build_all(columns_of(objects), kind, len(objects))
    return pa.StructArray.from_arrays(children, fields=list(kind), mask=_are_missing(values))


def _build_all(columns: Mapping[str, Sequence[Value]], fields: Iterable[pa.Field], rows: int) -> list[pa.Array]:
    """An array of so many rows for each field, of missing values if no object has it."""
    absent: Sequence[Value] = [None] * rows
    missing = dict[pa.DataType, pa.Array]()
    arrays = list[pa.Array]()
    for field_ in fields:
        kind = field_.type
        if field_.name in columns or kind.num_fields:
            arrays.append(build(columns.get(field_.name, absent), field_))
            continue
        # Of 20,000 columns most rows have a few: what is missing of one type is made once for all of its columns.
        if kind not in missing:
            missing[kind] = build(absent, field_)
        arrays.append(missing[kind])
    return arrays


def _are_missing(values: Sequence[Value]) -> pa.Array:
    return pa.array([value is None for value in values], pa.bool_())


def _build_lists(values: Sequence[Value], kind: pa.DataType) -> pa.Array:
    """The lists as an array: [1, 2], None and [3] are the items 1, 2, 3 and the offsets 0, 2, 2, 3."""
    lists = [value or () for value in values]
    items = build(list(chain.from_iterable(lists)), kind.value_field)
    offsets = pa.array(list(accumulate(map(len, lists), initial=0)), pa.int32())
    missing = _are_missing(values)
    return pa.ListArray.from_arrays(offsets, items, type=kind, mask=missing)


def text_of(value: Value) -> str:
    """A parsed value as JSON text, its numbers as the file writes them."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return "{" + ",".join(map(_member_text, value.items())) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(text_of, value)) + "]"
    return json.dumps(value)


def _member_text(member: tuple[str, Value]) -> str:
    name, value = member
    return f"{text_of(name)}:{text_of(value)}"


def fields_of(top: Node) -> pa.Schema:
    """The schema of rows that are the objects which a node has observed."""
    schema = pa.schema(top.child_fields(1))
    check_columns(leaves(schema), "the file's rows together")
    return schema


def columns_of(objects: Sequence[dict[str, Value]], *, most_names: int | None = None) -> dict[str, Sequence[Value]]:
    """Objects' values by name, missing ones as None; names in the order of their first appearance.

    Where there are more than ``most_names`` their values are left out. Raises TooBig where there were far more missing
    values than others.
    """
    shapes = set(map(tuple, objects))
    if len(shapes) == 1:
        # Most often all objects have the same names in the same order: a and b of {"a": 1, "b": 2} and
        # {"a": 3, "b": 4} are the columns (1, 3) and (2, 4), which zip transposes faster than any loop.
        columns = zip(*map(dict.values, objects), strict=True)
        return dict(zip(shapes.pop(), columns, strict=True))
    names = dict.fromkeys(chain.from_iterable(objects))
    if most_names is not None and len(names) > most_names:
        return dict.fromkeys(names, ())
    if len(objects) * len(names) > MANY_CELLS:
        refuse_nearly_empty(len(objects), len(names))
    return {name: [o.get(name) for o in objects] for name in names}


def as_batches(
    columns: Mapping[str, Sequence[Value]], rows: int, into: pa.Schema, places: Places
) -> Iterator[pa.RecordBatch]:
    """Columns of so many rows as record batches of a schema that holds them, of no more cells than may be.

    Raises TooBig for a single row that has more.
    """
    counter = CellCounter.of(into)
    most = max(1, MAX_CELLS // counter.leaves)
    for first in range(0, max(1, rows), most):
        part = columns
        if rows > most:
            part = {name: values[first : first + most] for name, values in columns.items()}
        for few, count in counter.divide(part, min(most, rows - first), places, first):
            yield _as_batch(few, count, into)


def _as_batch(columns: Mapping[str, Sequence[Value]], rows: int, into: pa.Schema) -> pa.RecordBatch:
    if not len(into):
        return pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([])))
    return pa.RecordBatch.from_arrays(_build_all(columns, into, rows), schema=into)
