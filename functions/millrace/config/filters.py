"""Filters, their functions and the logic that joins them: "A AND (B OR NOT C)"."""

from __future__ import annotations

import datetime
import re
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema

from millrace.config.base import Contradiction, Section, doc, unexpected
from millrace.config.repeats import find_repeats
from millrace.engine.conditions import FilterFunction, Scalar, letters_of, parse_logic


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | int | float)


def _scalar(value: object) -> object:
    if not _is_scalar(value):
        raise unexpected("text, a number, true or false")
    return value


def _operand(value: object) -> object:
    if isinstance(value, list | tuple):
        return tuple(map(_scalar, value))
    return _scalar(value)


_SCALAR_SCHEMA = {"type": ["string", "number", "boolean"]}
ScalarField = Annotated[Scalar, PlainValidator(_scalar), WithJsonSchema(_SCALAR_SCHEMA)]
OperandField = Annotated[
    Scalar | tuple[Scalar, ...],
    PlainValidator(_operand),
    PlainSerializer(lambda value: list(value) if isinstance(value, tuple) else value),
    WithJsonSchema({"anyOf": [_SCALAR_SCHEMA, {"type": "array", "items": _SCALAR_SCHEMA}]}),
]


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) > 0 and all(map(_is_scalar, value))


def _is_pair(value: object) -> bool:
    return _is_list(value) and isinstance(value, list | tuple) and len(value) == 2


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_moment(value: object) -> bool:
    try:
        datetime.datetime.fromisoformat(str(value))
    except ValueError:
        return False
    return isinstance(value, str)


def _is_span(value: object) -> bool:
    # "7 days" and "1 hour ago": more than six digits are beyond any date.
    return isinstance(value, str) and bool(re.fullmatch(r"\d{1,6} (minute|hour|day|week|month|year)s?( ago)?", value))


@dataclass(frozen=True, slots=True)
class _Operand:
    """What a function's value must be; ``fits`` None means that it takes none."""

    fits: Callable[[object], bool] | None
    expected: str


_NOTHING = _Operand(None, "no value")
_SCALAR = _Operand(_is_scalar, "one value")
_TEXT = _Operand(_is_text, "one text")
_LIST = _Operand(_is_list, "a list of values")
_PAIR = _Operand(_is_pair, "a list of two values, the lowest and the highest")
_MOMENT = _Operand(_is_moment, "an ISO 8601 date or time, in quotes")
_SPAN = _Operand(_is_span, "a span such as '7 days' or '12 hours'")

_F = FilterFunction
_OPERANDS: Mapping[FilterFunction, _Operand] = {
    **dict.fromkeys((_F.IS_NULL, _F.IS_NOT_NULL, _F.TRUE, _F.FALSE), _NOTHING),
    **dict.fromkeys((_F.EQUALITY, _F.INEQUALITY, _F.ARRAY_CONTAINS, _F.ARRAY_DOES_NOT_CONTAIN), _SCALAR),
    **dict.fromkeys((_F.GREATER_THAN, _F.GREATER_THAN_EQUAL, _F.LESS_THAN, _F.LESS_THAN_EQUAL), _SCALAR),
    **dict.fromkeys((_F.ON_OR_AFTER, _F.ON_OR_BEFORE), _MOMENT),
    **dict.fromkeys((_F.IN_THE_LAST, _F.RELATIVE_ON_OR_BEFORE, _F.RELATIVE_ON_OR_AFTER), _SPAN),
    **dict.fromkeys((_F.STRING_CONTAINS, _F.STRING_DOES_NOT_CONTAIN, _F.STRING_STARTS_WITH), _TEXT),
    **dict.fromkeys((_F.STRING_DOES_NOT_START_WITH, _F.STRING_ENDS_WITH, _F.STRING_DOES_NOT_END_WITH), _TEXT),
    **dict.fromkeys((_F.STRING_LIKE, _F.STRING_NOT_LIKE, _F.STRING_MATCHES_TRIMMED), _TEXT),
    **dict.fromkeys((_F.STRING_ONE_OF, _F.STRING_NOT_ONE_OF), _LIST),
    _F.BETWEEN: _PAIR,
}


def operand_problem(given: Mapping[str, Any]) -> Iterator[Contradiction]:
    """Hold ``value`` to what ``function`` takes."""
    name = given.get("function")
    # An unknown function is refused by its own field.
    if not isinstance(name, str) or name not in list(FilterFunction):
        return
    operand = _OPERANDS[FilterFunction(name)]
    if operand.fits is None:
        if "value" in given:
            yield Contradiction("value", f"{name} takes no value; remove it")
    elif "value" not in given:
        hint = "; for empty text write StringOneOf with ['']" if operand in {_SCALAR, _TEXT} else ""
        yield Contradiction("value", f"{name} needs {operand.expected}, but none is given{hint}")
    elif not operand.fits(given["value"]):
        yield Contradiction("value", f"{name} needs {operand.expected}")


class Filter(Section):
    """One condition on a field."""

    place: ClassVar[str] = "filters[]"
    synonyms: ClassVar[Mapping[str, str]] = {"field_id": "field"}

    field: str = Field(
        description="Field to look at; also written field_id.", examples=["country"], json_schema_extra=doc()
    )
    function: FilterFunction = Field(
        description="What is asked of the field.", examples=["Equality", "IsNotNull"], json_schema_extra=doc()
    )
    value: OperandField | None = Field(
        default=None,
        description="What the field is compared with: nothing, one value, a list, a list of two (Between), a date, or"
        " a span such as '7 days', as the function wants it.",
        examples=["DE", 100, ["DE", "FR"], "7 days"],
        json_schema_extra=doc(),
    )
    label: str | None = Field(
        default=None,
        description="Letter of the filter in filter_logic; default: A for the first, B for the second, and so on.",
        pattern="^[A-Z]$",
        examples=["A"],
        json_schema_extra=doc(),
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        """Hold the value to the function."""
        yield from operand_problem(given)


def labels_of(filters: Sequence[Filter]) -> tuple[str, ...]:
    """Give the letter of each filter."""
    return tuple(one.label or letter for one, letter in zip(filters, string.ascii_uppercase, strict=False))


def checked_logic(text: str) -> str:
    """Refuse logic that cannot be read."""
    try:
        parse_logic(text)
    except (ValueError, RecursionError) as error:
        expected = str(error) if isinstance(error, ValueError) else "fewer parentheses"
    else:
        return text
    raise unexpected(f"{expected}; logic is written like A AND (B OR NOT C)")


def filter_contradictions(given: Mapping[str, Any]) -> Iterator[Contradiction]:
    """Hold ``filter_logic`` to the letters of ``filters``; both raw."""
    filters = given.get("filters", ())
    if not isinstance(filters, list | tuple):
        return
    if len(filters) > len(string.ascii_uppercase):
        yield Contradiction("filters", f"found {len(filters)} filters; at most 26, one a letter")
        return
    labels = _labels(filters)
    if twice := labels_given_twice(filters):
        yield Contradiction("filters", f"two filters have the label {', '.join(twice)}")
    text = given.get("filter_logic")
    if isinstance(text, str):
        yield from _check_letters(text, labels)


def _check_letters(text: str, labels: Sequence[str]) -> Iterator[Contradiction]:
    """Compare the letters of ``text`` with those of the filters; text that cannot be read is refused elsewhere."""
    try:
        used = set(letters_of(parse_logic(text)))
    except (ValueError, RecursionError):
        return
    if unknown := sorted(used - set(labels)):
        names = ", ".join(labels) or "none"
        yield Contradiction("filter_logic", f"no filter has the letter {', '.join(unknown)}; there are: {names}")
    if unused := sorted(set(labels) - used):
        yield Contradiction("filter_logic", f"leaves out the filter {', '.join(unused)}; use it or remove it")


def labels_given_twice(filters: Sequence[object]) -> list[str]:
    """Give the letters that belong to more than one of ``filters``, raw; there are no more letters than 26."""
    labels = _labels(filters) if len(filters) <= len(string.ascii_uppercase) else []
    return sorted(find_repeats(labels))


def _labels(filters: Sequence[object]) -> list[str]:
    return [_label(one) or letter for one, letter in zip(filters, string.ascii_uppercase, strict=False)]


def _label(raw: object) -> str | None:
    label = raw.get("label") if isinstance(raw, Mapping) else getattr(raw, "label", None)
    return label if isinstance(label, str) and label else None
