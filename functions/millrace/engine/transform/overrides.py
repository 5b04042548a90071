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
from millrace.engine.transform.filters import Answer, answer
from millrace.engine.transform.spec import Override
from millrace.engine.transform.values import TextColumn
from millrace.engine.types import arrow_types, inference
from millrace.engine.types.printing import FORM, JSON, form_of, is_raw_json, with_form
from millrace.errors import UnsupportedType

_INT64 = range(-(2**63), 2**63)


def constant(name: str, value: Scalar | None) -> tuple[pa.Field, pa.Scalar]:
    """A constant's field and value; integers beyond 64 bits are decimals, or text beyond those."""
    kind = _type_of(value)
    scalar = pa.scalar(text_of_scalar(value) if kind == pa.string() and value is not None else value, kind)
    return pa.field(name, kind), scalar


def _type_of(value: Scalar | None) -> pa.DataType:
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
class Overridden:
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


def overridden(field: pa.Field, overrides: Sequence[Override], *, now: datetime) -> Overridden:
    """How a field is overridden.

    It keeps its type where every new value, printed from that type, is what it was; else it becomes JSON text if it
    holds objects, lists or JSON text, or if it and all new values are numbers or booleans; else text.
    """
    into = field.with_type(arrow_types.value_type(field.type)).with_nullable(True)  # noqa: FBT003 - Arrow takes it so
    values = [override.value for override in overrides]
    answers = [answer(override.condition, now=now) for override in overrides]
    fitting = _fit_all(values, into)
    if fitting is not None:
        return Overridden(into, _as_it_is, tuple(zip(answers, fitting, strict=True)))
    as_json = _is_json(into, values)
    form, convert = (JSON, _as_json) if as_json else ("", _as_text)
    texts = [_text(value, as_json=as_json) for value in values]
    return Overridden(with_form(_without_form(into), form), convert, tuple(zip(answers, texts, strict=True)))


def _fit_all(values: Sequence[Scalar | None], field: pa.Field) -> list[pa.Scalar] | None:
    """The values in the field's type; None if one of them does not survive in it, or the type has no such values."""
    if is_raw_json(field) or isinstance(field.type, pa.BaseExtensionType):
        return None
    scalars = []
    for value in values:
        scalar = pa.scalar(None, field.type) if value is None else _fitting(value, field)
        if scalar is None:
            return None
        scalars.append(scalar)
    return scalars


def _plain_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if arrow_types.is_encoded(kind) else kind


def _fitting(value: Scalar, field: pa.Field) -> pa.Scalar | None:
    texts = pa.array([text_of_scalar(value)], pa.string())
    try:
        values = inference.fit(texts, inference.Kind(field.type, form_of(field)))
    except (pa.ArrowNotImplementedError, UnsupportedType):
        return None
    return None if values is None else values[0]


def _is_json(field: pa.Field, values: Sequence[Scalar | None]) -> bool:
    kind = field.type
    if is_raw_json(field) or arrow_types.is_nested(kind):
        return True
    is_bare = any(
        holds(kind)
        for holds in (arrow_types.is_integer, arrow_types.is_floating, arrow_types.is_decimal, arrow_types.is_boolean)
    )
    return is_bare and not any(isinstance(value, str) for value in values)


def _without_form(field: pa.Field) -> pa.Field:
    metadata = {key: value for key, value in (field.metadata or {}).items() if key != FORM}
    return pa.field(field.name, pa.string(), metadata=metadata or None)


def _text(value: Scalar | None, *, as_json: bool) -> pa.Scalar:
    if value is None:
        return pa.scalar(None, pa.string())
    text = text_of_scalar(value)
    quoted = isinstance(value, str) or (isinstance(value, float) and not math.isfinite(value))
    return pa.scalar(json.dumps(text, ensure_ascii=False) if as_json and quoted else text, pa.string())


def _as_it_is(column: TextColumn) -> pa.Array:
    return column.array


def _as_text(column: TextColumn) -> pa.Array:
    return column.texts


def _as_json(column: TextColumn) -> pa.Array:
    texts = rendering.json_values(column.array, column.field)
    return pc.if_else(column.valid, texts, pa.scalar(None, pa.string()))
