"""One field for the fields that several files have under one name, by a rule that may only widen.

The type holds only if every file's values survive in it: printed, they are what they were. Where no such type is, the
values are kept as text; as JSON text where they come from files that tell numbers from texts.

Numbers are hoped to survive in the type that one long file with all of them would have: 1 and 2.5 as doubles, 10.10 and
19.99 as decimals. Whether they do is seen when they are converted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.formats.json.types import MAX_FIELDS
from millrace.engine.formats.text import rendering
from millrace.engine.transform.values import Column
from millrace.engine.types import arrow_types, inference
from millrace.engine.types.printing import BARE, FRACTION_DIGITS, JSON, form_of, is_raw_json, plain, with_form

_INTEGER_DIGITS = {8: 3, 16: 5, 32: 10, 64: 20}
_UNITS = ("s", "ms", "us", "ns")
Types = Sequence[pa.DataType]


class Lossy(Exception):
    """The values of a column do not survive in its type; ``column`` is its name."""

    def __init__(self, column: str) -> None:
        super().__init__(f"values of {column!r} do not survive in their type")
        self.column = column


def unify(fields: Sequence[pa.Field], *, as_text: bool, typed: bool = True) -> pa.Field:
    """The field that holds the values of all; the order of the fields changes nothing.

    Fields of the type null have no values. ``as_text``: what has no common type becomes plain text even where numbers
    and texts meet, since one of the files is of text alone. ``typed`` False: types are not widened to each other.
    """
    known = [field for field in fields if not arrow_types.is_null(field.type)]
    if not known:
        return pa.field(fields[0].name, pa.null())
    first = min(known, key=str)
    if len({_signature(field) for field in known}) == 1:
        same = all(field.metadata == first.metadata for field in known)
        kept = first if same else with_form(first.remove_metadata(), form_of(first))
        return kept.with_nullable(any(field.nullable for field in fields))
    wider = (_typed(known, as_text=as_text) or _nested(known)) if typed else None
    if wider is not None:
        return wider
    if as_text or all(map(_is_written_as_text, known)):
        return pa.field(first.name, pa.string())
    return with_form(pa.field(first.name, pa.string()), JSON)


def are_the_same(one: pa.Field, other: pa.Field) -> bool:
    """Whether values of both are printed alike, so that neither is wider."""
    return _signature(one) == _signature(other)


def _typed(fields: Sequence[pa.Field], *, as_text: bool) -> pa.Field | None:
    """The one field in whose type the values of all are, or are hoped to be."""
    types = [_plain_type(field) for field in fields]
    name = min(field.name for field in fields)
    if not any(form_of(field) for field in fields) and (wider := _wider(types)) is not None:
        return pa.field(name, wider)
    doubles = [field for field in fields if arrow_types.is_float64(_plain_type(field))]
    others = [kind for kind in types if not arrow_types.is_float64(kind)]
    if not doubles or not {form_of(field) for field in fields} <= {"", BARE}:
        return None
    return _numbers(name, {form_of(field) for field in doubles}, others, as_text=as_text)


def _numbers(name: str, forms: set[str], others: Types, *, as_text: bool) -> pa.Field | None:
    """Doubles of these forms beside numbers of other types.

    Text has a double's form of ``.0`` only where some value ends in it, JSON only where no number is whole.
    """
    if others and all(map(arrow_types.is_decimal, others)):
        kind = _decimals(others) if min(one.scale for one in others) > 0 else None
        return pa.field(name, kind) if kind is not None else None
    if not all(map(arrow_types.is_integer, others)) or (as_text and others and forms != {BARE}):
        return None
    return with_form(pa.field(name, pa.float64()), BARE if others or not as_text else "")


def _nested(fields: Sequence[pa.Field]) -> pa.Field | None:
    """Of structs the one with the members of all, in the order of the first; of lists that of all their values."""
    types = [field.type for field in fields]
    if all(map(arrow_types.is_list, types)):
        return pa.field(fields[0].name, pa.list_(unify([_element(kind) for kind in types], as_text=False)))
    if not all(arrow_types.is_struct(kind) and _is_mergeable(kind) for kind in types):
        return None
    members: dict[str, list[pa.Field]] = {}
    for kind in types:
        for child in kind:
            members.setdefault(child.name, []).append(child)
    if len(members) > MAX_FIELDS:
        return None
    merged = [unify(children, as_text=False).with_nullable(nullable=True) for children in members.values()]
    return pa.field(fields[0].name, pa.struct(merged))


def _element(kind: pa.DataType) -> pa.Field:
    return kind.value_field.with_name("element").with_nullable(nullable=True)


def _is_mergeable(kind: pa.DataType) -> bool:
    names = [child.name for child in kind]
    return bool(names) and len(set(names)) == len(names)


def _signature(field: pa.Field) -> tuple[object, ...]:
    """What makes values of two fields the same when they are printed."""
    kind = field.type
    if isinstance(kind, pa.BaseExtensionType) or not kind.num_fields:
        return str(kind), _form(field)
    named = arrow_types.is_struct(kind) or arrow_types.is_union(kind)
    children = [kind.field(place) for place in range(kind.num_fields)]
    inner = tuple((child.name if named else "", child.nullable, _signature(child)) for child in children)
    return kind.id, getattr(kind, "list_size", None), inner


def _form(field: pa.Field) -> str:
    form, kind = form_of(field), field.type
    if arrow_types.is_timestamp(kind):
        return form or f"T{FRACTION_DIGITS[kind.unit]}{'Z' if kind.tz else ''}"
    return JSON if is_raw_json(field) else form


def _plain_type(field: pa.Field) -> pa.DataType:
    kind = field.type
    return kind.value_type if arrow_types.is_encoded(kind) else kind


def _wider(types: Types) -> pa.DataType | None:
    for holds, widen in _FAMILIES:
        if all(map(holds, types)):
            return widen(types)
    return None


def _integers(types: Types) -> pa.DataType | None:
    signed = [kind.bit_width for kind in types if arrow_types.is_signed_integer(kind)]
    unsigned = [kind.bit_width for kind in types if arrow_types.is_unsigned_integer(kind)]
    if not signed:
        return {8: pa.uint8(), 16: pa.uint16(), 32: pa.uint32(), 64: pa.uint64()}[max(unsigned)]
    bits = max(signed + [2 * width for width in unsigned])
    return {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}.get(bits, pa.decimal128(38, 0))


def _decimals(types: Types) -> pa.DataType | None:
    """Integers join decimals without a fraction alone: 1 is not 1.00 to who tells integers by their look."""
    scales = [kind.scale for kind in types if arrow_types.is_decimal(kind)]
    whole_numbers = len(scales) < len(types)
    if min(scales) < 0 or (whole_numbers and max(scales) > 0):
        return None
    whole = max(
        kind.precision - kind.scale if arrow_types.is_decimal(kind) else _INTEGER_DIGITS[kind.bit_width]
        for kind in types
    )
    kind = inference.decimal(whole + max(scales), max(scales))
    return kind.type if kind else None


def _timestamps(types: Types) -> pa.DataType | None:
    if len({kind.tz is None for kind in types}) > 1:
        return None
    zones = {kind.tz for kind in types}
    unit = max((kind.unit for kind in types), key=_UNITS.index)
    return pa.timestamp(unit, tz=zones.pop() if len(zones) == 1 else "UTC")


def _is_text(kind: pa.DataType) -> bool:
    return bool(arrow_types.is_string(kind) or arrow_types.is_large_string(kind) or arrow_types.is_string_view(kind))


def _is_binary(kind: pa.DataType) -> bool:
    return bool(
        arrow_types.is_binary(kind)
        or arrow_types.is_large_binary(kind)
        or arrow_types.is_fixed_size_binary(kind)
        or arrow_types.is_binary_view(kind)
    )


_FAMILIES: tuple[tuple[Callable[[Any], bool], Callable[[Types], pa.DataType | None]], ...] = (
    (_is_text, lambda _types: pa.string()),
    (arrow_types.is_integer, _integers),
    (lambda kind: arrow_types.is_integer(kind) or arrow_types.is_decimal(kind), _decimals),
    (arrow_types.is_floating, lambda _types: pa.float64()),
    (arrow_types.is_timestamp, _timestamps),
    (arrow_types.is_date, lambda _types: pa.date32()),
    (_is_binary, lambda _types: pa.binary()),
)
_TEXTS: tuple[Callable[[Any], bool], ...] = (_is_text, _is_binary, arrow_types.is_temporal)


def _is_written_as_text(field: pa.Field) -> bool:
    """Whether JSON writes the field's values as strings, so that they stay what they are as text."""
    kind = _plain_type(field)
    if isinstance(kind, pa.BaseExtensionType):
        return bool(kind.extension_name == "arrow.uuid")
    return not is_raw_json(field) and any(holds(kind) for holds in _TEXTS)


def convert(array: pa.Array, field: pa.Field, into: pa.Field) -> pa.Array:
    """A file's column of ``field`` as one of the unified field ``into``; raise Lossy where values would not survive."""
    if array.null_count == len(array):
        return pa.nulls(len(array), into.type)
    if array.type == into.type and are_the_same(field, into):
        return array
    if _form(into) == JSON:
        texts = rendering.json_values(array, field)
        return pc.if_else(array.is_valid(), texts, pa.scalar(None, pa.string())) if array.null_count else texts
    if arrow_types.is_struct(array.type) and arrow_types.is_struct(into.type):
        return _struct(array, into)
    if arrow_types.is_list(array.type) and arrow_types.is_list(into.type):
        return _list(array, into)
    column = Column(array, field)
    if arrow_types.is_string(into.type):
        return column.texts
    if _is_text(column.array.type):
        raise Lossy(into.name)
    if _is_number(column.array.type) and (
        arrow_types.is_floating(column.array.type) or arrow_types.is_floating(into.type)
    ):
        return _proven(column, into)
    try:
        return pc.cast(column.array, into.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise Lossy(into.name) from error


def _struct(array: pa.StructArray, into: pa.Field) -> pa.Array:
    own = {child.name: (values, child) for values, child in zip(array.flatten(), array.type, strict=True)}
    children = [
        _inner(*own[child.name], child, into) if child.name in own else pa.nulls(len(array), child.type)
        for child in into.type
    ]
    return pa.StructArray.from_arrays(children, fields=list(into.type), mask=array.is_null())


def _list(array: pa.ListArray, into: pa.Field) -> pa.Array:
    values = _inner(pc.list_flatten(array), array.type.value_field, into.type.value_field, into)
    ends = pc.cumulative_sum(pc.fill_null(pc.list_value_length(array), 0))
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends.cast(pa.int32())])
    return pa.ListArray.from_arrays(offsets, values, type=into.type, mask=array.is_null())


def _inner(values: pa.Array, field: pa.Field, into: pa.Field, column: pa.Field) -> pa.Array:
    """Values within those of a column, which is what an error names."""
    try:
        return convert(values, field, into)
    except Lossy as error:
        raise Lossy(column.name) from error


def _is_number(kind: pa.DataType) -> bool:
    return bool(arrow_types.is_integer(kind) or arrow_types.is_floating(kind) or arrow_types.is_decimal(kind))


def _proven(column: Column, into: pa.Field) -> pa.Array:
    """Numbers in a type that they were only hoped to survive in: they must be printed as before."""
    if (
        arrow_types.is_float32(column.array.type)
        and arrow_types.is_float64(into.type)
        and form_of(into) == _form(column.field)
    ):
        return pc.cast(column.array, into.type)
    texts = plain(column.array, form_of(column.field))
    try:
        values = pc.cast(texts, into.type)
    except pa.ArrowInvalid as error:
        raise Lossy(into.name) from error
    if not plain(values, form_of(into)).equals(texts):
        raise Lossy(into.name)
    return values
