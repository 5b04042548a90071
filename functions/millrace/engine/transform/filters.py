"""Filters over record batches: each function's meaning, and the logic that joins them.

Three answers, as in SQL: true, false and unknown. A missing value gives unknown with every function but IsNull and
IsNotNull, the negations included; so does a value that the operand cannot be put in order with. NOT of unknown is
unknown. A row stays where the whole is true.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias, assert_never, cast

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.conditions import And, FilterFunction, Logic, Not, Or, Scalar, Term
from millrace.engine.transform.comparison import (
    DAY,
    Moment,
    Order,
    moment_at,
    moment_of,
    operand_of,
    order,
    text_of_scalar,
)
from millrace.engine.transform.values import TextColumn, elements_of, is_list

Answer: TypeAlias = Callable[[TextColumn], pa.Array]
"""What a condition says of a column: for each value true, false, or null for unknown."""


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


def joined(logic: Logic, answers: Mapping[str, pa.Array]) -> pa.Array:
    """The answer of the whole; ``answers`` are those of the letters."""
    match logic:
        case Term(label):
            return answers[label]
        case Not(part):
            return pc.invert(joined(part, answers))
        case And(parts):
            return _fold(pc.and_kleene, parts, answers)
        case Or(parts):
            return _fold(pc.or_kleene, parts, answers)
        case _:
            assert_never(logic)


def _fold(
    join: Callable[[pa.Array, pa.Array], pa.Array], parts: tuple[Logic, ...], answers: Mapping[str, pa.Array]
) -> pa.Array:
    first, *rest = (joined(part, answers) for part in parts)
    for one in rest:
        first = join(first, one)
    return first


def answer(condition: Condition, *, now: datetime) -> Answer:
    """What a condition says of columns; ``now`` is the instant that relative functions count from."""
    return _FUNCTIONS[condition.function](_Asked(condition.value, now))


@dataclass(frozen=True, slots=True)
class _Asked:
    """A condition's value, in the shape that its function takes; the configuration has seen to it."""

    value: Scalar | tuple[Scalar, ...] | None
    now: datetime

    @property
    def scalar(self) -> Scalar:
        return cast("Scalar", self.value)

    @property
    def text(self) -> str:
        return str(self.value)

    @property
    def scalars(self) -> tuple[Scalar, ...]:
        return cast("tuple[Scalar, ...]", self.value)

    @property
    def span_ago(self) -> Moment:
        return moment_at(ago(self.text, self.now))


_SPAN = re.compile(r"(\d+) (minute|hour|day|week|month|year)s?(?: ago)?")
_FIXED = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
_MONTHS = {"month": 1, "year": 12}
_FIRST = datetime(1, 1, 1, tzinfo=UTC)


def ago(span: str, now: datetime) -> datetime:
    """The instant a span before now, in UTC; a month back is the same day, or the last one of a shorter month."""
    now = now.astimezone(UTC)
    match = _SPAN.fullmatch(span)
    if match is None:
        raise ValueError(f"{span!r} is no span such as '7 days'")
    count, unit = int(match[1]), match[2]
    if unit in _FIXED:
        return now - _FIXED[unit] * count if now - _FIRST > _FIXED[unit] * count else _FIRST
    year, month = divmod(now.year * 12 + now.month - 1 - _MONTHS[unit] * count, 12)
    if year < 1:
        return _FIRST
    day = min(now.day, calendar.monthrange(year, month + 1)[1])
    return now.replace(year=year, month=month + 1, day=day)


def _negated(make: Callable[[_Asked], Answer]) -> Callable[[_Asked], Answer]:
    def negated(asked: _Asked) -> Answer:
        inner = make(asked)
        return lambda column: pc.invert(inner(column))

    return negated


def _equal(value: Scalar) -> Answer:
    operand = operand_of(value)
    return lambda column: _known(column, order(column, operand).equal)


def _known(column: TextColumn, truths: pa.Array) -> pa.Array:
    """The truths, false where nothing could be compared, unknown where the value is missing."""
    return pc.if_else(column.valid, pc.fill_null(truths, fill_value=False), pa.scalar(None, pa.bool_()))


def _less(found: Order) -> pa.Array:
    return found.less


def _at_most(found: Order) -> pa.Array:
    return pc.or_(found.less, found.equal)


def _more(found: Order) -> pa.Array:
    return pc.invert(_at_most(found))


def _at_least(found: Order) -> pa.Array:
    return pc.invert(found.less)


def _ordered(pick: Callable[[Order], pa.Array]) -> Callable[[_Asked], Answer]:
    def make(asked: _Asked) -> Answer:
        operand = operand_of(asked.scalar)
        return lambda column: pick(order(column, operand))

    return make


def _from(moment: Moment) -> Answer:
    return lambda column: _at_least(order(column, moment))


def _until(moment: Moment) -> Answer:
    """On or before: the whole day where the bound is a day."""
    if moment.is_day:
        return lambda column: _less(order(column, Moment(moment.nanoseconds + DAY)))
    return lambda column: _at_most(order(column, moment))


def _between(asked: _Asked) -> Answer:
    lowest, highest = (operand_of(one) for one in asked.scalars)
    until = _until(highest) if isinstance(highest, Moment) else lambda column: _at_most(order(column, highest))
    return lambda column: pc.and_kleene(_at_least(order(column, lowest)), until(column))


def _in_the_last(asked: _Asked) -> Answer:
    since, now = asked.span_ago, moment_at(asked.now)
    return lambda column: pc.and_kleene(_at_least(order(column, since)), _at_most(order(column, now)))


def _truth(text: str) -> Callable[[_Asked], Answer]:
    return lambda _asked: lambda column: pc.equal(pc.ascii_lower(column.texts), text)


def _on_texts(act: Callable[[pa.Array, str], pa.Array]) -> Callable[[_Asked], Answer]:
    def make(asked: _Asked) -> Answer:
        text = asked.text
        return lambda column: act(column.texts, text)

    return make


def _one_of(asked: _Asked) -> Answer:
    accepted = pa.array([text_of_scalar(one) for one in asked.scalars], pa.string())
    return lambda column: _known(column, pc.is_in(column.texts, value_set=accepted))


def like_pattern(pattern: str) -> str:
    r"""The regular expression of a LIKE pattern: % any text, _ any one character, \ takes the next as it is."""
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    return "(?s)^" + "".join(_LIKE.get(part) or f"\\x{{{ord(part[-1]):x}}}" for part in parts) + "$"


_LIKE = {"%": ".*", "_": "."}


def _matches_trimmed(texts: pa.Array, text: str) -> pa.Array:
    return pc.equal(pc.utf8_trim_whitespace(texts), text.strip())


def _contains_element(asked: _Asked) -> Answer:
    equal = _equal(asked.scalar)

    def contains(column: TextColumn) -> pa.Array:
        if is_list(column.type):
            return _any_element(column.array, equal)
        return _any_in_json(column.texts, equal)

    return contains


def _any_element(lists: pa.Array, equal: Answer) -> pa.Array:
    items = TextColumn(pc.list_flatten(lists), lists.type.value_field)
    found = pc.list_parent_indices(lists).filter(pc.fill_null(equal(items), fill_value=False))
    places = pa.array(range(len(lists)), pa.int64())
    return pc.if_else(lists.is_valid(), pc.is_in(places, value_set=found.cast(pa.int64())), pa.scalar(None, pa.bool_()))


def _any_in_json(texts: pa.Array, equal: Answer) -> pa.Array:
    """Elements of the texts that are JSON arrays; of other texts nothing is known."""
    is_array = pc.fill_null(pc.starts_with(pc.utf8_ltrim(texts, " \t\n\r"), "["), fill_value=False)
    parsed = [elements_of(text) for text in texts.filter(is_array).to_pylist()]
    answers = _any_element(pa.array(parsed, pa.list_(pa.string())), equal)
    return pc.replace_with_mask(pa.nulls(len(texts), pa.bool_()), is_array, answers)


_F = FilterFunction
_starts = _on_texts(pc.starts_with)
_ends = _on_texts(pc.ends_with)
_contains = _on_texts(pc.match_substring)
_like = _on_texts(lambda texts, text: pc.match_substring_regex(texts, like_pattern(text)))


def _equality(asked: _Asked) -> Answer:
    return _equal(asked.scalar)


_FUNCTIONS: Mapping[FilterFunction, Callable[[_Asked], Answer]] = {
    _F.EQUALITY: _equality,
    _F.INEQUALITY: _negated(_equality),
    _F.IS_NULL: lambda _asked: lambda column: pc.invert(column.valid),
    _F.IS_NOT_NULL: lambda _asked: lambda column: column.valid,
    _F.TRUE: _truth("true"),
    _F.FALSE: _truth("false"),
    _F.ON_OR_AFTER: lambda asked: _from(moment_of(asked.text)),
    _F.ON_OR_BEFORE: lambda asked: _until(moment_of(asked.text)),
    _F.GREATER_THAN: _ordered(_more),
    _F.GREATER_THAN_EQUAL: _ordered(_at_least),
    _F.LESS_THAN: _ordered(_less),
    _F.LESS_THAN_EQUAL: _ordered(_at_most),
    _F.BETWEEN: _between,
    _F.STRING_CONTAINS: _contains,
    _F.STRING_DOES_NOT_CONTAIN: _negated(_contains),
    _F.STRING_STARTS_WITH: _starts,
    _F.STRING_DOES_NOT_START_WITH: _negated(_starts),
    _F.STRING_ENDS_WITH: _ends,
    _F.STRING_DOES_NOT_END_WITH: _negated(_ends),
    _F.STRING_ONE_OF: _one_of,
    _F.STRING_NOT_ONE_OF: _negated(_one_of),
    _F.STRING_LIKE: _like,
    _F.STRING_NOT_LIKE: _negated(_like),
    _F.STRING_MATCHES_TRIMMED: _on_texts(_matches_trimmed),
    _F.IN_THE_LAST: _in_the_last,
    _F.RELATIVE_ON_OR_BEFORE: lambda asked: _until(asked.span_ago),
    _F.RELATIVE_ON_OR_AFTER: lambda asked: _from(asked.span_ago),
    _F.ARRAY_CONTAINS: _contains_element,
    _F.ARRAY_DOES_NOT_CONTAIN: _negated(_contains_element),
}
