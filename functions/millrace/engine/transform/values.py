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
_LISTS = (arrow_types.is_list, arrow_types.is_large_list, arrow_types.is_fixed_size_list)


class TextColumn:
    """One column of a batch; what is derived of it is made once."""

    def __init__(self, array: pa.Array, field: pa.Field) -> None:
        self.array = _decode(array)
        self.field = field.with_type(self.array.type)

    @cached_property
    def texts(self) -> pa.Array:
        """The values as text, missing as missing.

        A JSON string is its content, other JSON values are their JSON text; of objects without the members that are
        null and in the order of names, so that it is the same whether an object is kept as struct or as text.
        """
        if is_raw_json(self.field):
            return _unwrap_strings(_in_canonical_form(pc.utf8_trim(plain(self.array), _JSON_SPACE)))
        texts = rendering.cells(self.array, self.field)
        if arrow_types.is_nested(self.array.type):
            return _in_canonical_form(texts)
        return texts

    @cached_property
    def valid(self) -> pa.Array:
        """Which values are there."""
        if is_raw_json(self.field):
            return self.texts.is_valid()
        return self.array.is_valid()

    @property
    def type(self) -> pa.DataType:
        """The type, or text where the values are JSON text."""
        if is_raw_json(self.field):
            return pa.string()
        return self.array.type


def _decode(array: pa.Array) -> pa.Array:
    if arrow_types.is_dictionary(array.type):
        return array.dictionary_decode()
    if arrow_types.is_run_end_encoded(array.type):
        return pc.run_end_decode(array)
    return array


def every(column: pa.Array, *, truth: bool) -> pa.Array:
    """One truth for all values that are there."""
    return pc.if_else(column.is_valid(), pa.scalar(truth), pa.scalar(None, pa.bool_()))


def replace_chosen(texts: pa.Array, chosen: pa.Array, act: Callable[[str], str | None]) -> pa.Array:
    """The texts, those that are chosen replaced by what ``act`` makes of them, one by one."""
    chosen = pc.fill_null(chosen, fill_value=False)
    if not pc.any(chosen).as_py():
        return texts
    replacements = map(act, texts.filter(chosen).to_pylist())
    return pc.replace_with_mask(texts, chosen, pa.array(replacements, pa.string()))


def _unwrap_strings(texts: pa.Array) -> pa.Array:
    """JSON texts with strings as their content: "x" becomes x, null is missing, 7 and [1] stay."""
    # A string without a backslash is cut out of its quotes by Arrow at once; only the others need a JSON parser.
    quoted = pc.starts_with(texts, '"')
    escaped = pc.match_substring(texts, "\\")
    if pc.any(pc.equal(texts, "null")).as_py():
        texts = pc.if_else(pc.equal(texts, "null"), pa.scalar(None, pa.string()), texts)
    bare = pc.and_(quoted, pc.invert(escaped))
    inner = pc.if_else(bare, pc.utf8_slice_codeunits(texts, 1, -1), texts)
    return replace_chosen(inner, pc.and_(quoted, escaped), _content)


def _content(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:  # it is no JSON after all, and stands for itself
        return text


def _in_canonical_form(texts: pa.Array) -> pa.Array:
    """JSON texts of which those with objects are written in one way: {"b":1, "a":null} becomes {"b":1}."""
    have_objects = pc.and_not(pc.match_substring(texts, "{"), pc.starts_with(texts, '"'))
    return replace_chosen(texts, have_objects, _to_canonical_form)


def _to_canonical_form(text: str) -> str:
    try:
        return text_of(_prune(parse_json(text)))
    except (ValueError, RecursionError):  # it is no JSON after all, or so deep that it stands for itself
        return text


def _prune(value: Value) -> Value:
    """A JSON value whose objects have no members that are null, the others in the order of names."""
    if isinstance(value, dict):
        return {name: _prune(value[name]) for name in sorted(value) if value[name] is not None}
    if isinstance(value, list):
        return list(map(_prune, value))
    return value


def parse_json(text: str) -> Value:
    """A JSON text as Python values, its numbers as they are written; raise ValueError if it is none."""
    try:
        return json.loads(text, parse_int=Number, parse_float=Number, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _refuse(name: str) -> None:
    raise ValueError(name)


def elements_of(text: str) -> list[str] | None:
    """The elements of a JSON array as texts, missing ones left out; None if the text is no array."""
    try:
        elements = parse_json(text)
    except ValueError:
        return None
    if not isinstance(elements, list):
        return None
    return [_text_of_element(element) for element in elements if element is not None]


def _text_of_element(element: Value) -> str:
    if isinstance(element, str):
        return element
    return text_of(_prune(element))


def is_list(kind: pa.DataType) -> bool:
    """Whether a type is one of the lists for whose elements Arrow finds the rows."""
    return arrow_types.is_one_of(kind, _LISTS)
