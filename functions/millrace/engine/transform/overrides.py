"""Other values where conditions hold, and constants; a column's type makes room for them where it must."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.conditions import Scalar
from millrace.engine.formats.text import rendering
from millrace.engine.transform.comparison import text_of_scalar
from millrace.engine.transform.filters import Answer, answer_of
from millrace.engine.transform.spec import ValueOverride
from millrace.engine.transform.values import TextColumn
from millrace.engine.types import arrow_types, inference
from millrace.engine.types.printing import FORM, JSON, form_of, is_raw_json, with_form
from millrace.errors import UnsupportedType

_INT64 = range(-(2**63), 2**63)


def constant(name: str, value: Scalar | None) -> tuple[pa.Field, pa.Scalar]:
    """A constant's field and value; integers beyond 64 bits are decimals, or text beyond those."""
    kind = _type_of(value)
    if kind == pa.string() and value is not None:
        value = text_of_scalar(value)
    return pa.field(name, kind), pa.scalar(value, kind)


def _type_of(value: Scalar | None) -> pa.DataType:
    # First, since True is an integer to Python.
    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, float):
        return pa.float64()
    if isinstance(value, int) and value in _INT64:
        return pa.int64()
    if isinstance(value, int) and abs(value) < 10**inference.MAX_DECIMAL_DIGITS:
        return pa.decimal256(inference.MAX_DECIMAL_DIGITS, 0)
    return pa.string()


@dataclass(frozen=True, slots=True)
class OverriddenField:
    """A field whose values are overridden: what it becomes, and how. Of several conditions the first that holds."""

    field: pa.Field
    convert: Callable[[TextColumn], pa.Array]
    cases: tuple[tuple[Answer, pa.Scalar], ...]

    def values(self, column: TextColumn) -> pa.Array:
        """The column's values, overridden; conditions are asked of what they were."""
        array = self.convert(column)
        for holds, value in reversed(self.cases):
            array = pc.if_else(pc.fill_null(holds(column), fill_value=False), value, array)
        return array


def override_field(field: pa.Field, overrides: Sequence[ValueOverride], *, now: datetime) -> OverriddenField:
    """How a field is overridden.

    It keeps its type if every new value, printed from that type, is what it was; else it becomes JSON text if it
    holds objects, lists or JSON text, or if it and all new values are numbers or booleans; else text.
    Worked example: integers with the new value 0 stay integers; with 0.5 they become JSON text, with "none" text.
    """
    into = field.with_type(arrow_types.value_type(field.type)).with_nullable(True)  # noqa: FBT003 - Arrow takes it so
    values = [override.value for override in overrides]
    answers = [answer_of(override.condition, now=now) for override in overrides]
    fitting = _fit_all(values, into)
    if fitting is not None:
        return OverriddenField(into, _as_it_is, tuple(zip(answers, fitting, strict=True)))
    text_field = _as_text_field(into)
    if _becomes_json(into, values):
        return OverriddenField(
            with_form(text_field, JSON), _as_json, tuple(zip(answers, map(_json_of, values), strict=True))
        )
    return OverriddenField(text_field, _as_text, tuple(zip(answers, map(_text_of, values), strict=True)))


def _fit_all(values: Sequence[Scalar | None], field: pa.Field) -> list[pa.Scalar] | None:
    """The values in the field's type; None if one of them does not survive in it, or the type has no such values."""
    if is_raw_json(field) or isinstance(field.type, pa.BaseExtensionType):
        return None
    scalars = []
    for value in values:
        scalar = _fit_value(value, field)
        if scalar is None:
            return None
        scalars.append(scalar)
    return scalars


def _fit_value(value: Scalar | None, field: pa.Field) -> pa.Scalar | None:
    if value is None:
        return pa.scalar(None, field.type)
    texts = pa.array([text_of_scalar(value)], pa.string())
    try:
        values = inference.fit(texts, inference.Kind(field.type, form_of(field)))
    except (pa.ArrowNotImplementedError, UnsupportedType):
        return None
    return None if values is None else values[0]


def _becomes_json(field: pa.Field, values: Sequence[Scalar | None]) -> bool:
    if is_raw_json(field) or arrow_types.is_nested(field.type):
        return True
    # Beside a text all values are printed as texts. Without one, 1 and true stay a number and a truth value in JSON.
    has_text = any(isinstance(value, str) for value in values)
    return not has_text and (arrow_types.is_number(field.type) or arrow_types.is_boolean(field.type))


def _as_text_field(field: pa.Field) -> pa.Field:
    metadata = dict(field.metadata or {})
    metadata.pop(FORM, None)
    return pa.field(field.name, pa.string(), metadata=metadata or None)


def _text_of(value: Scalar | None) -> pa.Scalar:
    if value is None:
        return pa.scalar(None, pa.string())
    return pa.scalar(text_of_scalar(value), pa.string())


def _json_of(value: Scalar | None) -> pa.Scalar:
    # JSON has no NaN and no infinities: they become strings.
    is_text = isinstance(value, str) or (isinstance(value, float) and not math.isfinite(value))
    if is_text and value is not None:
        return pa.scalar(json.dumps(text_of_scalar(value), ensure_ascii=False), pa.string())
    return _text_of(value)


def _as_it_is(column: TextColumn) -> pa.Array:
    return column.array


def _as_text(column: TextColumn) -> pa.Array:
    return column.texts


def _as_json(column: TextColumn) -> pa.Array:
    texts = rendering.json_values(column.array, column.field)
    return pc.if_else(column.valid, texts, pa.scalar(None, pa.string()))
