"""Filters, their functions and the logic that joins them: "A AND (B OR NOT C)"."""

from __future__ import annotations

import datetime
import enum
import re
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema

from millrace.config.base import Contradiction, Section, doc, unexpected

Scalar: TypeAlias = str | int | float | bool


class FilterFunction(enum.StrEnum):
    """Polytomic's filter functions, under their names."""

    EQUALITY = "Equality"
    INEQUALITY = "Inequality"
    IS_NULL = "IsNull"
    IS_NOT_NULL = "IsNotNull"
    TRUE = "True"
    FALSE = "False"
    ON_OR_AFTER = "OnOrAfter"
    ON_OR_BEFORE = "OnOrBefore"
    GREATER_THAN = "GreaterThan"
    GREATER_THAN_EQUAL = "GreaterThanEqual"
    LESS_THAN = "LessThan"
    LESS_THAN_EQUAL = "LessThanEqual"
    BETWEEN = "Between"
    STRING_CONTAINS = "StringContains"
    STRING_DOES_NOT_CONTAIN = "StringDoesNotContain"
    STRING_STARTS_WITH = "StringStartsWith"
    STRING_DOES_NOT_START_WITH = "StringDoesNotStartWith"
    STRING_ENDS_WITH = "StringEndsWith"
    STRING_DOES_NOT_END_WITH = "StringDoesNotEndWith"
    STRING_ONE_OF = "StringOneOf"
    STRING_NOT_ONE_OF = "StringNotOneOf"
    STRING_LIKE = "StringLike"
    STRING_NOT_LIKE = "StringNotLike"
    STRING_MATCHES_TRIMMED = "StringMatchesTrimmed"
    IN_THE_LAST = "InTheLast"
    RELATIVE_ON_OR_BEFORE = "RelativeOnOrBefore"
    RELATIVE_ON_OR_AFTER = "RelativeOnOrAfter"
    ARRAY_CONTAINS = "ArrayContains"
    ARRAY_DOES_NOT_CONTAIN = "ArrayDoesNotContain"


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | int | float)


def _scalar(value: object) -> object:
    if not _is_scalar(value):
        raise unexpected("text, a number, true or false")
    return value


def _operand(value: object) -> object:
    if isinstance(value, list | tuple):
        return tuple(_scalar(one) for one in value)
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
    return isinstance(value, list | tuple) and len(value) > 0 and all(_is_scalar(one) for one in value)


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


@dataclass(frozen=True, slots=True)
class Term:
    """One filter, by its letter."""

    label: str


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    part: Logic


@dataclass(frozen=True, slots=True)
class And:
    """All of them."""

    parts: tuple[Logic, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of them."""

    parts: tuple[Logic, ...]


Logic: TypeAlias = Term | Not | And | Or


def labels_of(filters: Sequence[Filter]) -> tuple[str, ...]:
    """Give the letter of each filter."""
    return tuple(one.label or letter for one, letter in zip(filters, string.ascii_uppercase, strict=False))


def parse_logic(text: str) -> Logic:
    """Read AND, OR, NOT, letters and parentheses; NOT binds before AND, AND before OR. ValueError: what is wrong."""
    tokens = re.findall(r"[()]|[^\s()]+", text)
    logic, rest = _either(tokens)
    if rest:
        raise ValueError(f"AND, OR or the end before {rest[0]!r}")
    return logic


def letters_of(logic: Logic) -> Iterator[str]:
    """Yield the letters, in their order, as often as they stand there."""
    match logic:
        case Term(label):
            yield label
        case Not(part):
            yield from letters_of(part)
        case And(parts) | Or(parts):
            for part in parts:
                yield from letters_of(part)


def _either(tokens: list[str]) -> tuple[Logic, list[str]]:
    return _chain(tokens, "OR", _all, Or)


def _all(tokens: list[str]) -> tuple[Logic, list[str]]:
    return _chain(tokens, "AND", _one, And)


def _chain(
    tokens: list[str],
    word: str,
    read: Callable[[list[str]], tuple[Logic, list[str]]],
    join: Callable[[tuple[Logic, ...]], Logic],
) -> tuple[Logic, list[str]]:
    part, rest = read(tokens)
    parts = [part]
    while rest and rest[0].upper() == word:
        part, rest = read(rest[1:])
        parts.append(part)
    return (parts[0] if len(parts) == 1 else join(tuple(parts))), rest


def _one(tokens: list[str]) -> tuple[Logic, list[str]]:
    if not tokens:
        raise ValueError("a filter's letter at the end")
    first, *rest = tokens
    if first.upper() == "NOT":
        part, rest = _one(rest)
        return Not(part), rest
    if first == "(":
        part, rest = _either(rest)
        if not rest or rest[0] != ")":
            raise ValueError("a ')' for every '('")
        return part, rest[1:]
    if not re.fullmatch("[A-Za-z]", first):
        raise ValueError(f"a filter's letter instead of {first!r}")
    return Term(first.upper()), rest


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
    if not isinstance(text, str):
        return
    try:
        used = set(letters_of(parse_logic(text)))
    except (ValueError, RecursionError):
        return
    if unknown := sorted(used - set(labels)):
        known = ", ".join(labels) or "none"
        yield Contradiction("filter_logic", f"no filter has the letter {', '.join(unknown)}; there are: {known}")
    if unused := sorted(set(labels) - used):
        yield Contradiction("filter_logic", f"leaves out the filter {', '.join(unused)}; use it or remove it")


def labels_given_twice(filters: Sequence[object]) -> list[str]:
    """Give the letters that belong to more than one of ``filters``, raw; there are no more letters than 26."""
    labels = _labels(filters) if len(filters) <= len(string.ascii_uppercase) else []
    return sorted({label for label in labels if labels.count(label) > 1})


def _labels(filters: Sequence[object]) -> list[str]:
    return [_label(one) or letter for one, letter in zip(filters, string.ascii_uppercase, strict=False)]


def _label(raw: object) -> str | None:
    label = raw.get("label") if isinstance(raw, Mapping) else getattr(raw, "label", None)
    return label if isinstance(label, str) and label else None
