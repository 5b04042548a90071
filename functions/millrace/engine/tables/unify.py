"""One field for the fields that several files have under one name, by a rule that may only widen.

The type holds only if every file's values survive in it: printed, they are what they were. Without such a type the
values are kept as text; as JSON text if they come from files that distinguish numbers and texts.

Numbers are hoped to survive in the type that one long file with all of them would have: 1 and 2.5 as doubles, 10.10 and
19.99 as decimals. Whether they do is seen when they are converted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.formats.json.types import MAX_FIELDS
from millrace.engine.formats.text import rendering
from millrace.engine.transform.values import TextColumn
from millrace.engine.types import arrow_types, inference
from millrace.engine.types.printing import BARE, FRACTION_DIGITS, JSON, form_of, is_raw_json, plain, with_form

# Digits of the greatest value: 255, 65,535, 4,294,967,295 and 18,446,744,073,709,551,615.
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
    # Before everything else: files that agree keep their type even if it is of no family that can be widened.
    if len(set(map(_signature, valued))) == 1:
        return _keep_common(valued).with_nullable(any(map(_is_nullable, fields)))
    if typed and (wider := _find_wider(valued, as_text=as_text)):
        return wider
    return _as_texts(valued, as_text=as_text)


def _is_nullable(field: pa.Field) -> bool:
    return bool(field.nullable)


def are_the_same(first: pa.Field, second: pa.Field) -> bool:
    """Whether values of both are printed alike, so that neither is wider."""
    return _signature(first) == _signature(second)


def _as_texts(fields: Sequence[pa.Field], *, as_text: bool) -> pa.Field:
    """Plain text if no file says whether 7 was a number or a text; else JSON text, in which 7 and "7" differ."""
    text = pa.field(min(fields, key=str).name, pa.string())
    if as_text or all(map(_is_written_as_text, fields)):
        return text
    return with_form(text, JSON)


def _keep_common(fields: Sequence[pa.Field]) -> pa.Field:
    """Fields whose values are printed alike as one, with the metadata that all of them have."""
    first = min(fields, key=str)
    if all(field.metadata == first.metadata for field in fields):
        return first
    return with_form(first.remove_metadata(), form_of(first))


def _find_wider(fields: Sequence[pa.Field], *, as_text: bool) -> pa.Field | None:
    """The one field in whose type the values of all are, or are hoped to be."""
    return _widest_of_family(fields) or _join_doubles(fields, as_text=as_text) or _join_nested(fields)


def _widest_of_family(fields: Sequence[pa.Field]) -> pa.Field | None:
    """The widest of types that are of one family, such as integers."""
    if any(map(form_of, fields)):
        return None
    types = _value_types(fields)
    for is_of_family, widest in _FAMILIES:
        if all(map(is_of_family, types)):
            return _field_or_none(_first_name(fields), widest(types))
    return None


def _value_types(fields: Sequence[pa.Field]) -> Types:
    return list(map(arrow_types.value_type, _types(fields)))


def _types(fields: Iterable[pa.Field]) -> Types:
    return [field.type for field in fields]


def _names(fields: Iterable[pa.Field]) -> list[str]:
    return [field.name for field in fields]


def _field_or_none(name: str, kind: pa.DataType | None) -> pa.Field | None:
    if kind is None:
        return None
    return pa.field(name, kind)


def _first_name(fields: Sequence[pa.Field]) -> str:
    return min(_names(fields))


def _join_doubles(fields: Sequence[pa.Field], *, as_text: bool) -> pa.Field | None:
    """Doubles beside numbers of other types.

    Text has a double's form of ``.0`` only where some value ends in it, JSON only where no number is whole.
    Worked example: doubles beside decimals of two digits are hoped to be such decimals; 1.25 is one, 2.5 is not.
    """
    doubles, rest = _doubles_apart(fields)
    if not doubles or not _NUMBER_FORMS.issuperset(map(form_of, fields)):
        return None
    name, types = _first_name(fields), _value_types(rest)
    if not rest:
        return _field_of_doubles(name, bare=not as_text)
    if all(map(arrow_types.is_decimal, types)):
        return _as_decimals(name, types)
    # Beside integers of a text file doubles must print 2.0 as 2, as they do only if none of them ends in ".0".
    may_be_bare = not as_text or {BARE}.issuperset(map(form_of, doubles))
    if may_be_bare and all(map(arrow_types.is_integer, types)):
        return _field_of_doubles(name, bare=True)
    return None


_NUMBER_FORMS = frozenset({"", BARE})


def _doubles_apart(fields: Sequence[pa.Field]) -> tuple[list[pa.Field], list[pa.Field]]:
    """The fields of doubles, and the others."""
    doubles, rest = list[pa.Field](), list[pa.Field]()
    for field in fields:
        if arrow_types.is_float64(arrow_types.value_type(field.type)):
            doubles.append(field)
        else:
            rest.append(field)
    return doubles, rest


def _field_of_doubles(name: str, *, bare: bool) -> pa.Field:
    field = pa.field(name, pa.float64())
    if bare:
        return with_form(field, BARE)
    return field


def _scale_of(decimal: pa.DataType) -> int:
    return int(decimal.scale)


def _bit_width(integer: pa.DataType) -> int:
    return int(integer.bit_width)


def _as_decimals(name: str, decimals: Types) -> pa.Field | None:
    if min(map(_scale_of, decimals)) <= 0:
        return None
    return _field_or_none(name, _widest_decimal(decimals))


def _join_nested(fields: Sequence[pa.Field]) -> pa.Field | None:
    """Of structs the one with the members of all, in the order of the first; of lists that of all their values."""
    types = _types(fields)
    if all(map(arrow_types.is_list, types)):
        elements = list(map(_element, types))
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
    return pa.field(name, pa.struct(map(_join_members, members.values())))


def _join_members(fields: Sequence[pa.Field]) -> pa.Field:
    return unify(fields, as_text=False).with_nullable(nullable=True)


def _element(kind: pa.DataType) -> pa.Field:
    return kind.value_field.with_name("element").with_nullable(nullable=True)


def _is_mergeable(kind: pa.DataType) -> bool:
    """Whether a type is a struct that has members, each of another name."""
    if not arrow_types.is_struct(kind):
        return False
    names = _names(kind)
    return bool(names) and len(set(names)) == len(names)


def _signature(field: pa.Field) -> tuple[object, ...]:
    """What makes values of two fields the same when they are printed."""
    kind = field.type
    if isinstance(kind, pa.BaseExtensionType) or not kind.num_fields:
        return str(kind), _form(field)
    named = arrow_types.is_struct(kind) or arrow_types.is_union(kind)
    inner = list[tuple[object, ...]]()
    for child in map(kind.field, range(kind.num_fields)):
        # The element of a list has a name, too, but "item" and "element" are printed alike.
        name = ""
        if named:
            name = child.name
        inner.append((name, child.nullable, _signature(child)))
    return kind.id, getattr(kind, "list_size", None), tuple(inner)


def _form(field: pa.Field) -> str:
    form, kind = form_of(field), field.type
    if is_raw_json(field):
        return JSON
    if form or not arrow_types.is_timestamp(kind):
        return form
    # Seconds without a zone are T0: 2026-01-31 10:00:00; milliseconds with one are T3Z: 2026-01-31 10:00:00.000Z.
    if kind.tz:
        return f"T{FRACTION_DIGITS[kind.unit]}Z"
    return f"T{FRACTION_DIGITS[kind.unit]}"


_UNSIGNED = {8: pa.uint8(), 16: pa.uint16(), 32: pa.uint32(), 64: pa.uint64()}
_SIGNED = {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}


def _widest_integer(types: Types) -> pa.DataType | None:
    if all(map(arrow_types.is_unsigned_integer, types)):
        return _UNSIGNED[max(map(_bit_width, types))]
    # The greatest uint8, 255, is beyond int8: among signed integers it needs 16 bits, a uint64 a decimal.
    bits = max(kind.bit_width * (1 + arrow_types.is_unsigned_integer(kind)) for kind in types)
    return _SIGNED.get(bits, pa.decimal128(38, 0))


def _is_whole_or_decimal(kind: pa.DataType) -> bool:
    return arrow_types.is_integer(kind) or arrow_types.is_decimal(kind)


def _widest_decimal(types: Types) -> pa.DataType | None:
    """A decimal for all; with integers only if none has a fraction: the integer 1 must not be printed as 1.00."""
    scales = list(map(_scale_of, filter(arrow_types.is_decimal, types)))
    has_integers = len(scales) < len(types)
    if min(scales) < 0 or (has_integers and max(scales) > 0):
        return None
    digits = max(map(_whole_digits, types))
    decimal = inference.decimal(digits + max(scales), max(scales))
    if decimal is None:
        return None
    return decimal.type


def _whole_digits(kind: pa.DataType) -> int:
    """The most digits that a number of the type has before the point."""
    if arrow_types.is_decimal(kind):
        return int(kind.precision - kind.scale)
    return _INTEGER_DIGITS[kind.bit_width]


def _finest_timestamp(types: Types) -> pa.DataType | None:
    zones = {kind.tz for kind in types}
    # 10:00 in no zone and 10:00 in UTC may be one instant or hours apart: no type holds both.
    if None in zones and len(zones) > 1:
        return None
    unit = max((kind.unit for kind in types), key=_UNITS.index)
    # Times of Paris and of Rome are instants both: together they are written in UTC.
    if len(zones) > 1:
        return pa.timestamp(unit, tz="UTC")
    return pa.timestamp(unit, tz=zones.pop())


@dataclass(frozen=True, slots=True)
class _Always:
    """One type for a whole family."""

    kind: pa.DataType

    def __call__(self, _types: Types) -> pa.DataType:
        return self.kind


_FAMILIES: tuple[tuple[arrow_types.TypeQuestion, Callable[[Types], pa.DataType | None]], ...] = (
    (arrow_types.is_any_text, _Always(pa.string())),
    (arrow_types.is_integer, _widest_integer),
    (_is_whole_or_decimal, _widest_decimal),
    (arrow_types.is_floating, _Always(pa.float64())),
    (arrow_types.is_timestamp, _finest_timestamp),
    (arrow_types.is_date, _Always(pa.date32())),
    (arrow_types.is_any_binary, _Always(pa.binary())),
)
_TEXTS = (arrow_types.is_any_text, arrow_types.is_any_binary, arrow_types.is_temporal)


def _is_written_as_text(field: pa.Field) -> bool:
    """Whether JSON writes the field's values as strings, so that they stay what they are as text."""
    kind = arrow_types.value_type(field.type)
    if isinstance(kind, pa.BaseExtensionType):
        return bool(kind.extension_name == "arrow.uuid")
    return not is_raw_json(field) and arrow_types.is_one_of(kind, _TEXTS)


def convert(array: pa.Array, field: pa.Field, into: pa.Field) -> pa.Array:
    """A file's column of ``field`` as one of the unified field ``into``; raise Lossy if values would not survive.

    Worked example: of text and integers as JSON text, the text 7 becomes "7" and the integer 7 becomes 7.
    """
    if array.null_count == len(array):
        return pa.nulls(len(array), into.type)
    if array.type == into.type and are_the_same(field, into):
        return array
    if _form(into) == JSON:
        return _convert_to_json(array, field)
    types = (array.type, into.type)
    if all(map(arrow_types.is_struct, types)):
        return _convert_struct(array, into)
    if all(map(arrow_types.is_list, types)):
        return _convert_list(array, into)
    return _convert_plain(TextColumn(array, field), into)


def _convert_to_json(array: pa.Array, field: pa.Field) -> pa.Array:
    texts = rendering.json_values(array, field)
    if not array.null_count:
        return texts
    return pc.if_else(array.is_valid(), texts, pa.scalar(None, pa.string()))


def _convert_plain(column: TextColumn, into: pa.Field) -> pa.Array:
    if arrow_types.is_string(into.type):
        return column.texts
    kind = column.array.type
    # Text is never cast to a type here, though Arrow could: "007" would become 7.
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
    values = dict(zip(_names(array.type), array.flatten(), strict=True))
    children = []
    for child in into.type:
        if child.name in values:
            member = array.type.field(child.name)
            children.append(_convert_inner(values[child.name], member, child, into))
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


def _convert_proven(column: TextColumn, into: pa.Field) -> pa.Array:
    """Numbers in a type that they were only hoped to survive in: they must be printed as before."""
    # A float's text is that of the double which it equals: 0.1 as a float is 0.10000000149011612 in both.
    only_widens = arrow_types.is_float32(column.array.type) and arrow_types.is_float64(into.type)
    if only_widens and form_of(into) == _form(column.field):
        return pc.cast(column.array, into.type)
    texts = plain(column.array, form_of(column.field))
    try:
        values = pc.cast(texts, into.type)
    except pa.ArrowInvalid as error:
        raise Lossy(into.name) from error
    if not plain(values, form_of(into)).equals(texts):
        raise Lossy(into.name)
    return values
