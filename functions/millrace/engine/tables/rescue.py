"""Values that do not fit their column: which they are, and the JSON object that keeps them beside their row."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.formats.text import rendering
from millrace.engine.options import RESCUED
from millrace.engine.transform.values import TextColumn
from millrace.engine.types import arrow_types, inference
from millrace.engine.types.inference import Kind
from millrace.engine.types.printing import BARE, JSON, form_of, is_raw_json, with_form

FIELD = with_form(pa.field(RESCUED, pa.string()), JSON)


def divide(array: pa.Array, field: pa.Field, into: pa.Field, *, as_text: bool) -> tuple[pa.Array, pa.Array | None]:
    """The values that fit ``into``, and as JSON those that do not, each missing where the other is.

    A value fits if it is printed as before. ``as_text``: the file is of text alone, in which 7 and "7" are the same.
    The second is None if all fit. Worked example: of ``1``, ``x`` and ``007`` as integers the first array has ``1``,
    the second ``"x"`` and ``"007"``, since 7 is not printed as 007.
    """
    texts = array
    if not (as_text and _is_plain_text(field)):
        texts = _to_json(array, field)
    fits = _find_fitting(texts, field, into)
    if fits is None:
        return pa.nulls(len(array), into.type), _to_json(array, field)
    fitting = pc.if_else(fits, texts, _missing_text())
    if arrow_types.is_string(into.type):
        values = TextColumn(fitting, field).texts
    else:
        values = inference.fit(fitting, _kind(into))
    misfits = pc.and_(array.is_valid(), pc.invert(fits))
    rest = pc.if_else(misfits, _to_json(array, field), _missing_text())
    if rest.null_count == len(rest):
        return values, None
    return values, rest


def all_of(array: pa.Array, field: pa.Field) -> pa.Array:
    """All values as JSON, missing as missing."""
    return _to_json(array, field)


def column(rest: Mapping[str, pa.Array], rows: int) -> pa.Array:
    """For each row a JSON object of the values that did not fit, by their fields; missing where all did."""
    if not rest:
        return pa.nulls(rows, FIELD.type)
    members = []
    for name, values in rest.items():
        key = "," + json.dumps(name, ensure_ascii=False)
        members.append(pc.fill_null(pc.binary_join_element_wise(key, values, ":"), ""))
    # Each member begins with a comma, so that a row's first one is cut off: ,"a":1,"b":2 becomes {"a":1,"b":2}.
    joined = pc.binary_join_element_wise(*members, "")
    objects = pc.binary_join_element_wise("{", pc.utf8_slice_codeunits(joined, 1), "}", "")
    return pc.if_else(pc.equal(joined, ""), _missing_text(), objects)


@cache
def _missing_text() -> pa.Scalar:
    """A missing text. Made at its first use: to make a scalar, pyarrow imports pandas if that is installed."""
    return pa.scalar(None, pa.string())


def _to_json(array: pa.Array, field: pa.Field) -> pa.Array:
    return pc.if_else(array.is_valid(), rendering.json_values(array, field), _missing_text())


def _is_plain_text(field: pa.Field) -> bool:
    return bool(arrow_types.is_string(field.type)) and not is_raw_json(field)


def _kind(into: pa.Field) -> Kind:
    return Kind(into.type, form_of(into))


def _find_fitting(texts: pa.Array, field: pa.Field, into: pa.Field) -> pa.Array | None:
    """Which texts fit; None where none does, since values of the type cannot be known by their texts."""
    if _is_plain_text(into):
        # Of JSON text the strings fit into text, such as "x": 7 and true are to stay what they are.
        if not is_raw_json(field):
            return None
        return pc.starts_with(pc.fill_null(texts, ""), '"')
    pattern = _pattern_of(into)
    if pattern is None:
        return None
    # A pattern over the distinct texts is one fast pass. What looks right and is not, such as 2026-02-30, is rare.
    distinct = pc.unique(texts).drop_null()
    hopeful = distinct.filter(pc.match_substring_regex(distinct, f"^({pattern})$"))
    sound = hopeful.filter(pa.array(_are_sound(hopeful, _kind(into)), pa.bool_()))
    return pc.is_in(texts, value_set=sound, skip_nulls=True)


def _are_sound(texts: pa.Array, kind: Kind) -> list[bool]:
    """Whether each text is one of the kind; those that are not are found by halving."""
    if not len(texts) or inference.fit(texts, kind) is not None:
        return [True] * len(texts)
    if len(texts) == 1:
        return [False]
    half = len(texts) // 2
    return _are_sound(texts.slice(0, half), kind) + _are_sound(texts.slice(half), kind)


def _pattern_of(into: pa.Field) -> str | None:
    """What the texts of a field's type look like; None if no pattern says it."""
    if arrow_types.is_timestamp(into.type) and not form_of(into):
        return None
    for is_of_type, pattern in _PATTERNS:
        if is_of_type(into.type):
            return pattern(into)
    return None


@dataclass(frozen=True, slots=True)
class _OnePattern:
    """One pattern for all fields of a type."""

    pattern: str

    def __call__(self, _into: pa.Field) -> str:
        return self.pattern


_WHOLE = "-?(0|[1-9][0-9]*)"
_EXPONENT = "-?[0-9]([.][0-9]+)?e[+-]?[0-9]+"


def _pattern_of_doubles(into: pa.Field) -> str:
    # A bare double has no ".0": 2 and 2.5. Another one always has a fraction: 2.0 and 2.5, never 2.50.
    fraction = "[.]([0-9]*[1-9]|0)"
    if form_of(into) == BARE:
        fraction = "([.][0-9]*[1-9])?"
    return f"{_WHOLE}{fraction}|{_EXPONENT}"


def _pattern_of_decimals(into: pa.Field) -> str:
    if into.type.scale > 0:
        return f"{_WHOLE}[.][0-9]{{{into.type.scale}}}"
    return _WHOLE


_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_PATTERNS: tuple[tuple[arrow_types.TypeQuestion, Callable[[pa.Field], str]], ...] = (
    (arrow_types.is_boolean, _OnePattern("true|false")),
    (arrow_types.is_date32, _OnePattern(_DAY)),
    (arrow_types.is_timestamp, _OnePattern(f"{_DAY}[T ][0-9:.]+Z?")),
    (arrow_types.is_integer, _OnePattern(_WHOLE)),
    (arrow_types.is_decimal, _pattern_of_decimals),
    (arrow_types.is_floating, _pattern_of_doubles),
)
"""What the texts of a type look like; of those that look so, few do not fit, and are found by halving."""
