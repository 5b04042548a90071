"""Conditions on values, and the logic that joins them."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

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


def parse_logic(text: str) -> Logic:
    """Read AND, OR, NOT, letters and parentheses; NOT binds before AND, AND before OR. ValueError: what is wrong."""
    # Of "A AND(NOT b)": A, AND, (, NOT, b, ). Each function below takes tokens and gives back those that are left.
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


@dataclass(frozen=True, slots=True)
class Condition:
    """One function asked of one field."""

    field: str
    function: FilterFunction
    value: Scalar | tuple[Scalar, ...] | None = None


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions by their letters, and how they join; None: all must hold."""

    conditions: tuple[tuple[str, Condition], ...] = ()
    logic: Logic | None = None

    @property
    def tree(self) -> Logic:
        """How the conditions join."""
        return self.logic or And(tuple(Term(label) for label, _ in self.conditions))
