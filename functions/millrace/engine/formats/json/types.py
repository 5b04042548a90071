"""Types of JSON fields, by a rule that may only widen: a type holds only if every value stays the same JSON value.

What has been seen of a field is a ``Node``. A field whose values are of several types, or are numbers that no type
keeps exactly, holds the JSON text of each value instead (form ``json``).
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from itertools import accumulate, chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.formats.limits import MAX_CELLS, check_columns, leaves
from millrace.engine.types import arrow_types, inference
from millrace.engine.types.printing import BARE, JSON, form_of, plain, with_form
from millrace.errors import TooBig

MAX_DEPTH = 32
"""Values nested deeper than this are kept as JSON text."""
MAX_FIELDS = 2000
"""An object with more different names than this, below the top, is kept as JSON text: it is a map rather."""
_INT64 = (-(2**63), 2**63 - 1)
FIRST_INEXACT = 10**15
"""Integers from here on are not printed digit for digit by a double."""
NO_SCALE = -1
_MOST_CELLS = 16 * MAX_CELLS
Value = Any


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
        alone = len(kinds) == 1
        kinds.discard(type(None))
        self.kinds |= kinds
        if int in kinds:
            self._observe_integers(values if alone else [v for v in values if type(v) is int])
        if Number in kinds:
            self._observe_numbers(values if alone else [v for v in values if type(v) is Number])
        if (len(self.kinds) > 1 and not self.is_numeric) or depth > MAX_DEPTH:
            return
        if dict in kinds:
            self.observe_columns(columns_of([v for v in values if v is not None], most_names=MAX_FIELDS), depth)
        if list in kinds:
            self.item = self.item or Node()
            self.item.observe(list(chain.from_iterable(v for v in values if v is not None)), depth + 1)

    @property
    def is_numeric(self) -> bool:
        """Whether all values are numbers."""
        return bool(self.kinds) and self.kinds <= {int, Number}

    def observe_columns(self, columns: Mapping[str, Sequence[Value]], depth: int) -> None:
        """Add objects' fields; a name seen for the first time goes behind those that are known."""
        for name, values in columns.items():
            if name not in self.children:
                if not depth:
                    check_columns(len(self.children) + 1, "the file's rows together")
                if depth and len(self.children) > MAX_FIELDS:
                    return
                self.children[name] = Node()
            self.children[name].observe(values, depth + 1)

    def _observe_integers(self, values: Sequence[int]) -> None:
        self.low = min(self.low, min(values))  # noqa: PLW3301 # a block's values are too many for arguments
        self.high = max(self.high, max(values))  # noqa: PLW3301 # as above

    def _observe_numbers(self, values: Sequence[Number]) -> None:
        self.numbers = (self.numbers or Numbers()).observe(pa.array(values, pa.string()))

    def field(self, name: str, depth: int) -> pa.Field:
        """The Arrow field that holds all of the values."""
        kind, form = self._type(depth)
        return with_form(pa.field(name, kind), form)

    def _type(self, depth: int) -> tuple[pa.DataType, str]:
        if not self.kinds:
            return pa.string(), ""
        if self.is_numeric:
            kind = self._number()
            return (kind.type, kind.form) if kind else (pa.string(), JSON)
        if len(self.kinds) > 1 or depth > MAX_DEPTH:
            return pa.string(), JSON
        (only,) = self.kinds
        if only is bool:
            return pa.bool_(), ""
        if only is str:
            return pa.string(), ""
        if only is list:
            item = self.item or Node()
            return pa.list_(item.field("element", depth + 1)), ""
        if not self.children or len(self.children) > MAX_FIELDS:
            return pa.string(), JSON
        return pa.struct([child.field(name, depth + 1) for name, child in self.children.items()]), ""

    def _number(self) -> inference.Kind | None:
        if self.numbers is not None:
            return self.numbers.resolve(self.low, self.high, whole=int in self.kinds)
        if _INT64[0] <= self.low and self.high <= _INT64[1]:
            return inference.INTEGER
        return inference.decimal(max(len(str(self.low)), len(str(self.high))), 0)


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
            bare=min(self.bare, _kept(texts, BARE)) if self.bare else Kept.NOT,
            dotted=min(self.dotted, _kept(texts, "")) if self.dotted else Kept.NOT,
            scale=scale,
            digits=0 if scale == NO_SCALE else max(self.digits, pc.max(pc.binary_length(texts)).as_py()),
        )

    def observe_kept(self, values: pa.Array) -> Numbers:
        """What is known with the next numbers, of which it is known that they are printed as they were written."""
        bare = self.bare
        if bare and pc.any(pc.equal(pc.floor(values), values)).as_py():
            bare = Kept.NOT
        if self.scale in {None, NO_SCALE}:
            return replace(self, bare=bare)
        texts = plain(values)
        fits = pc.all(pc.match_substring_regex(texts, rf"\.[0-9]{{{self.scale}}}$")).as_py()
        if not fits or pc.any(pc.equal(texts, "-0.0")).as_py():
            return replace(self, bare=bare, scale=NO_SCALE, digits=0)
        return replace(self, bare=bare, digits=max(self.digits, pc.max(pc.binary_length(texts)).as_py()))

    def _scale(self, texts: pa.Array) -> int:
        scale = len(str(texts[0]).partition(".")[2]) if self.scale is None else self.scale
        if not 0 < scale < inference.MAX_DECIMAL_DIGITS:
            return NO_SCALE
        fits = inference.fit(texts, inference.Kind(pa.decimal256(inference.MAX_DECIMAL_DIGITS, scale))) is not None
        return scale if fits else NO_SCALE

    def resolve(self, low: int, high: int, *, whole: bool) -> inference.Kind | None:
        """The type that keeps all of the numbers and, where there are some, the integers from low to high."""
        bare = self.bare if max(-low, high) < FIRST_INEXACT else Kept.NOT
        dotted = Kept.NOT if whole else self.dotted
        as_decimal = inference.decimal(self.digits, self.scale) if self.scale and self.scale > 0 and not whole else None
        preferred = (
            inference.DOUBLE if dotted is Kept.AS_TEXT else None,
            inference.DOUBLE_BARE if bare is Kept.AS_TEXT else None,
            as_decimal,
            inference.DOUBLE if dotted else None,
            inference.DOUBLE_BARE if bare else None,
        )
        return next((kind for kind in preferred if kind), None)


def _kept(texts: pa.Array, form: str) -> Kept:
    values = pc.cast(texts, pa.float64())
    if not pc.all(pc.is_finite(values)).as_py():
        return Kept.NOT
    printed = plain(values, form)
    differ = pc.not_equal(printed, texts)
    if not pc.any(differ).as_py():
        return Kept.AS_TEXT
    pairs = zip(texts.filter(differ).to_pylist(), printed.filter(differ).to_pylist(), strict=True)
    return Kept.AS_VALUE if all(_says_the_same(written, back) for written, back in pairs) else Kept.NOT


def _says_the_same(written: str, back: str) -> bool:
    """Whether both are the same number, still seen as no integer, and no digit was dropped, were it a zero."""
    mantissa, exponent, _ = written.lower().partition("e")
    fraction = mantissa.partition(".")[2]
    digits_kept = bool(exponent) or fraction == "0" or (bool(fraction) and not fraction.endswith("0"))
    if not digits_kept or not ("." in back or "e" in back):
        return False
    try:
        return Decimal(written) == Decimal(back)
    except InvalidOperation:  # an exponent beyond all bounds
        return False


def build(values: Sequence[Value], into: pa.Field) -> pa.Array:
    """The values as an array of the field's type, which they are known to fit."""
    kind = into.type
    if form_of(into) == JSON:
        return pa.array([None if value is None else text_of(value) for value in values], pa.string())
    if arrow_types.is_struct(kind):
        missing = pa.array([value is None for value in values], pa.bool_())
        objects = [value or {} for value in values]
        columns = columns_of(objects)
        children = [build(columns.get(child.name, [None] * len(objects)), child) for child in kind]
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=missing)
    if arrow_types.is_list(kind):
        return _list(values, kind)
    if arrow_types.is_floating(kind) or arrow_types.is_decimal(kind):
        texts = [str(value) if type(value) is int else value for value in values]
        return pc.cast(pa.array(texts, pa.string()), kind)
    return pa.array(values, kind)


def _list(values: Sequence[Value], kind: pa.DataType) -> pa.Array:
    items = build(list(chain.from_iterable(value for value in values if value)), kind.value_field)
    offsets = pa.array(list(accumulate((len(value) if value else 0 for value in values), initial=0)), pa.int32())
    missing = pa.array([value is None for value in values], pa.bool_())
    return pa.ListArray.from_arrays(offsets, items, type=kind, mask=missing)


def text_of(value: Value) -> str:
    """A parsed value as JSON text, its numbers as the file writes them."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return "{" + ",".join(f"{text_of(name)}:{text_of(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(text_of, value)) + "]"
    return json.dumps(value)


def fields_of(top: Node) -> pa.Schema:
    """The schema of rows that are the objects which a node has observed."""
    schema = pa.schema([child.field(name, 1) for name, child in top.children.items()])
    check_columns(leaves(schema), "the file's rows together")
    return schema


def columns_of(objects: Sequence[dict[str, Value]], *, most_names: int | None = None) -> dict[str, Sequence[Value]]:
    """Objects' values by name, missing ones as None; names in the order of their first appearance.

    Where there are more than ``most_names`` their values are left out. Raises TooBig where there were far more missing
    values than others.
    """
    shapes = set(map(tuple, objects))
    if len(shapes) == 1:
        return dict(zip(shapes.pop(), zip(*(o.values() for o in objects), strict=True), strict=True))
    names = dict.fromkeys(chain.from_iterable(objects))
    if most_names is not None and len(names) > most_names:
        return dict.fromkeys(names, ())
    if len(objects) * len(names) > _MOST_CELLS:
        raise TooBig(
            f"{len(objects):,} objects have {len(names):,} different names together, each but a few of them: as columns"
            " they would be nearly empty; write name and value as two fields"
        )
    return {name: [o.get(name) for o in objects] for name in names}


def as_batches(columns: Mapping[str, Sequence[Value]], rows: int, into: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Columns of so many rows as record batches of a schema that holds them, of no more cells than may be."""
    most = max(1, MAX_CELLS // max(1, leaves(into)))
    if rows <= most:
        yield _as_batch(columns, rows, into)
        return
    for first in range(0, rows, most):
        part = {name: values[first : first + most] for name, values in columns.items()}
        yield _as_batch(part, min(most, rows - first), into)


def _as_batch(columns: Mapping[str, Sequence[Value]], rows: int, into: pa.Schema) -> pa.RecordBatch:
    if not len(into):
        return pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([])))
    missing = [None] * rows
    arrays = [build(columns.get(field.name, missing), field) for field in into]
    return pa.RecordBatch.from_arrays(arrays, schema=into)
