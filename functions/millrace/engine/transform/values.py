"""A column as filters see it: its values as text, whatever type was found for them.

What a filter says, and what a hash is made of, is a function of a value's printed text alone. Types are an
optimisation that must not show: a column of numbers that turns to text on its last row is filtered as before.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.formats.json.types import Number, Value, text_of
from millrace.engine.formats.text import rendering
from millrace.engine.types import arrow_types
from millrace.engine.types.printing import is_raw_json, plain

_JSON_SPACE = " \t\n\r"


class TextColumn:
    """One column of a batch; what is derived of it is made once."""

    def __init__(self, array: pa.Array, field: pa.Field) -> None:
        self.array = _decoded(array)
        self.field = field.with_type(self.array.type)

    @cached_property
    def texts(self) -> pa.Array:
        """The values as text, missing as missing.

        A JSON string is its content, other JSON values are their JSON text; of objects without the members that are
        null and in the order of names, so that it is the same whether an object is kept as struct or as text.
        """
        if is_raw_json(self.field):
            return _unwrapped(_of_one_form(pc.utf8_trim(plain(self.array), _JSON_SPACE)))
        texts = rendering.cells(self.array, self.field)
        return _of_one_form(texts) if arrow_types.is_nested(self.array.type) else texts

    @cached_property
    def valid(self) -> pa.Array:
        """Which values are there."""
        return self.texts.is_valid() if is_raw_json(self.field) else self.array.is_valid()

    @property
    def type(self) -> pa.DataType:
        """The type, or text where the values are JSON text."""
        return pa.string() if is_raw_json(self.field) else self.array.type


def _decoded(array: pa.Array) -> pa.Array:
    if arrow_types.is_dictionary(array.type):
        return array.dictionary_decode()
    if arrow_types.is_run_end_encoded(array.type):
        return pc.run_end_decode(array)
    return array


def every(column: pa.Array, *, truth: bool) -> pa.Array:
    """One truth for all values that are there."""
    return pc.if_else(column.is_valid(), pa.scalar(truth), pa.scalar(None, pa.bool_()))


def replaced(texts: pa.Array, chosen: pa.Array, act: Callable[[str], str | None]) -> pa.Array:
    """The texts, those that are chosen replaced by what ``act`` makes of them, one by one."""
    chosen = pc.fill_null(chosen, fill_value=False)
    if not pc.any(chosen).as_py():
        return texts
    made = [act(text) for text in texts.filter(chosen).to_pylist()]
    return pc.replace_with_mask(texts, chosen, pa.array(made, pa.string()))


def _unwrapped(texts: pa.Array) -> pa.Array:
    quoted = pc.starts_with(texts, '"')
    escaped = pc.match_substring(texts, "\\")
    if pc.any(pc.equal(texts, "null")).as_py():
        texts = pc.if_else(pc.equal(texts, "null"), pa.scalar(None, pa.string()), texts)
    bare = pc.and_(quoted, pc.invert(escaped))
    inner = pc.if_else(bare, pc.utf8_slice_codeunits(texts, 1, -1), texts)
    return replaced(inner, pc.and_(quoted, escaped), _content)


def _content(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:  # it is no JSON after all, and stands for itself
        return text


def _of_one_form(texts: pa.Array) -> pa.Array:
    objects = pc.and_not(pc.match_substring(texts, "{"), pc.starts_with(texts, '"'))
    return replaced(texts, objects, _in_one_form)


def _in_one_form(text: str) -> str:
    try:
        return text_of(_pruned(parsed_json(text)))
    except (ValueError, RecursionError):  # it is no JSON after all, or so deep that it stands for itself
        return text


def _pruned(value: Value) -> Value:
    """A JSON value whose objects have no members that are null, the others in the order of names."""
    if isinstance(value, dict):
        return {name: _pruned(value[name]) for name in sorted(value) if value[name] is not None}
    return [_pruned(one) for one in value] if isinstance(value, list) else value


def parsed_json(text: str) -> Value:
    """A JSON text as Python values, its numbers as they are written; ValueError where it is none."""
    try:
        return json.loads(text, parse_int=Number, parse_float=Number, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _refuse(name: str) -> None:
    raise ValueError(name)


def elements_of(text: str) -> list[str] | None:
    """The elements of a JSON array as texts, missing ones left out; None where the text is no array."""
    try:
        value = parsed_json(text)
    except ValueError:
        return None
    if not isinstance(value, list):
        return None
    return [one if isinstance(one, str) else text_of(_pruned(one)) for one in value if one is not None]


def is_list(kind: pa.DataType) -> bool:
    """Whether a type is one of the lists whose elements Arrow can tell the rows of."""
    return bool(arrow_types.is_list(kind) or arrow_types.is_large_list(kind) or arrow_types.is_fixed_size_list(kind))
