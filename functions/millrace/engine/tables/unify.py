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
    Worked example: int8 and int16 give int16; int64 and text give JSON text, or plain text beside a CSV file.
    """
    valued = [field for field in fields if not arrow_types.is_null(field.type)]
    if not valued:
        return pa.field(fields[0].name, pa.null())
    if len({_signature(field) for field in valued}) == 1:
        return _keep_common(valued).with_nullable(any(field.nullable for field in fields))
    wider = _widen(valued, as_text=as_text) if typed else None
    if wider is not None:
        return wider
    text = pa.field(min(valued, key=str).name, pa.string())
    if as_text or all(map(_is_written_as_text, valued)):
        return text
    return with_form(text, JSON)


def are_the_same(one: pa.Field, other: pa.Field) -> bool:
    """Whether values of both are printed alike, so that neither is wider."""
    return _signature(one) == _signature(other)


def _keep_common(fields: Sequence[pa.Field]) -> pa.Field:
    """Fields whose values are printed alike as one, with the metadata that all of them have."""
    first = min(fields, key=str)
    if all(field.metadata == first.metadata for field in fields):
        return first
    return with_form(first.remove_metadata(), form_of(first))


def _widen(fields: Sequence[pa.Field], *, as_text: bool) -> pa.Field | None:
    """The one field in whose type the values of all are, or are hoped to be."""
    return _widen_family(fields) or _join_doubles(fields, as_text=as_text) or _join_nested(fields)


def _widen_family(fields: Sequence[pa.Field]) -> pa.Field | None:
    """The widest of types that are of one family, such as integers."""
    if any(form_of(field) for field in fields):
        return None
    types = [_plain_type(field) for field in fields]
    for is_of_family, widest in _FAMILIES:
        if all(map(is_of_family, types)):
            wider = widest(types)
            return None if wider is None else pa.field(_first_name(fields), wider)
    return None


def _first_name(fields: Sequence[pa.Field]) -> str:
    names: list[str] = [field.name for field in fields]
    return min(names)


def _join_doubles(fields: Sequence[pa.Field], *, as_text: bool) -> pa.Field | None:
    """Doubles beside numbers of other types.

    Text has a double's form of ``.0`` only where some value ends in it, JSON only where no number is whole.
    Worked example: doubles beside decimals of two digits are hoped to be such decimals; 1.25 is one, 2.5 is not.
    """
    doubles = [field for field in fields if arrow_types.is_float64(_plain_type(field))]
    forms_of_numbers = {form_of(field) for field in fields} <= {"", BARE}
    if not doubles or not forms_of_numbers:
        return None
    types = [_plain_type(field) for field in fields]
    others = [kind for kind in types if not arrow_types.is_float64(kind)]
    name = _first_name(fields)
    if not others:
        return with_form(pa.field(name, pa.float64()), "" if as_text else BARE)
    if all(map(arrow_types.is_decimal, others)):
        return _as_decimals(name, others)
    all_bare = {form_of(field) for field in doubles} == {BARE}
    if not all(map(arrow_types.is_integer, others)) or (as_text and not all_bare):
        return None
    return with_form(pa.field(name, pa.float64()), BARE)


def _as_decimals(name: str, decimals: Types) -> pa.Field | None:
    if min(kind.scale for kind in decimals) <= 0:
        return None
    wider = _decimals(decimals)
    return None if wider is None else pa.field(name, wider)


def _join_nested(fields: Sequence[pa.Field]) -> pa.Field | None:
    """Of structs the one with the members of all, in the order of the first; of lists that of all their values."""
    types = [field.type for field in fields]
    if all(map(arrow_types.is_list, types)):
        elements = [_element(kind) for kind in types]
        return pa.field(fields[0].name, pa.list_(unify(elements, as_text=False)))
    if all(map(_is_mergeable, types)):
        return _join_structs(fields[0].name, types)
    return None


def _join_structs(name: str, types: Types) -> pa.Field | None:
    members: dict[str, list[pa.Field]] = {}
    for kind in types:
        for child in kind:
            members.setdefault(child.name, []).append(child)
    if len(members) > MAX_FIELDS:
        return None
    merged = [unify(children, as_text=False).with_nullable(nullable=True) for children in members.values()]
    return pa.field(name, pa.struct(merged))


def _element(kind: pa.DataType) -> pa.Field:
    return kind.value_field.with_name("element").with_nullable(nullable=True)


def _is_mergeable(kind: pa.DataType) -> bool:
    """Whether a type is a struct that has members, each of another name."""
    if not arrow_types.is_struct(kind):
        return False
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
        zone = "Z" if kind.tz else ""
        return form or f"T{FRACTION_DIGITS[kind.unit]}{zone}"
    return JSON if is_raw_json(field) else form


def _plain_type(field: pa.Field) -> pa.DataType:
    kind = field.type
    return kind.value_type if arrow_types.is_encoded(kind) else kind


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
    has_integers = len(scales) < len(types)
    if min(scales) < 0 or (has_integers and max(scales) > 0):
        return None
    digits = max(map(_whole_digits, types))
    kind = inference.decimal(digits + max(scales), max(scales))
    return kind.type if kind else None


def _whole_digits(kind: pa.DataType) -> int:
    """The most digits that a number of the type has before the point."""
    return int(kind.precision - kind.scale if arrow_types.is_decimal(kind) else _INTEGER_DIGITS[kind.bit_width])


def _timestamps(types: Types) -> pa.DataType | None:
    if len({kind.tz is None for kind in types}) > 1:
        return None
    zones = {kind.tz for kind in types}
    unit = max((kind.unit for kind in types), key=_UNITS.index)
    return pa.timestamp(unit, tz=zones.pop() if len(zones) == 1 else "UTC")


_FAMILIES: tuple[tuple[Callable[[Any], bool], Callable[[Types], pa.DataType | None]], ...] = (
    (arrow_types.is_any_text, lambda _types: pa.string()),
    (arrow_types.is_integer, _integers),
    (lambda kind: arrow_types.is_integer(kind) or arrow_types.is_decimal(kind), _decimals),
    (arrow_types.is_floating, lambda _types: pa.float64()),
    (arrow_types.is_timestamp, _timestamps),
    (arrow_types.is_date, lambda _types: pa.date32()),
    (arrow_types.is_any_binary, lambda _types: pa.binary()),
)
_TEXTS: tuple[Callable[[Any], bool], ...] = (
    arrow_types.is_any_text,
    arrow_types.is_any_binary,
    arrow_types.is_temporal,
)


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
        return _convert_to_json(array, field)
    if arrow_types.is_struct(array.type) and arrow_types.is_struct(into.type):
        return _convert_struct(array, into)
    if arrow_types.is_list(array.type) and arrow_types.is_list(into.type):
        return _convert_list(array, into)
    return _convert_plain(Column(array, field), into)


def _convert_to_json(array: pa.Array, field: pa.Field) -> pa.Array:
    texts = rendering.json_values(array, field)
    if not array.null_count:
        return texts
    return pc.if_else(array.is_valid(), texts, pa.scalar(None, pa.string()))


def _convert_plain(column: Column, into: pa.Field) -> pa.Array:
    if arrow_types.is_string(into.type):
        return column.texts
    kind = column.array.type
    if arrow_types.is_any_text(kind):
        raise Lossy(into.name)
    has_doubles = arrow_types.is_floating(kind) or arrow_types.is_floating(into.type)
    if arrow_types.is_number(kind) and has_doubles:
        return _convert_proven(column, into)
    try:
        return pc.cast(column.array, into.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise Lossy(into.name) from error


def _convert_struct(array: pa.StructArray, into: pa.Field) -> pa.Array:
    members = {child.name: (values, child) for values, child in zip(array.flatten(), array.type, strict=True)}
    children = []
    for child in into.type:
        if child.name in members:
            children.append(_convert_inner(*members[child.name], child, into))
        else:
            children.append(pa.nulls(len(array), child.type))
    return pa.StructArray.from_arrays(children, fields=list(into.type), mask=array.is_null())


def _convert_list(array: pa.ListArray, into: pa.Field) -> pa.Array:
    values = _convert_inner(pc.list_flatten(array), array.type.value_field, into.type.value_field, into)
    # The values of missing lists are gone after flattening: lists of 2, none and 1 values end at 2, 2 and 3.
    ends = pc.cumulative_sum(pc.fill_null(pc.list_value_length(array), 0))
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends.cast(pa.int32())])
    return pa.ListArray.from_arrays(offsets, values, type=into.type, mask=array.is_null())


def _convert_inner(values: pa.Array, field: pa.Field, into: pa.Field, column: pa.Field) -> pa.Array:
    """Values within those of a column, which is what an error names."""
    try:
        return convert(values, field, into)
    except Lossy as error:
        raise Lossy(column.name) from error


def _convert_proven(column: Column, into: pa.Field) -> pa.Array:
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
