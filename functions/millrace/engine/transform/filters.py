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
from functools import partial, reduce
from typing import TypeAlias, assert_never, cast

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.conditions import And, Condition, FilterFunction, Logic, Not, Or, Scalar, Term
from millrace.engine.transform.comparison import (
    DAY,
    Moment,
    Operand,
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


def join_answers(logic: Logic, answers: Mapping[str, pa.Array]) -> pa.Array:
    """The answer of the whole; ``answers`` are those of the letters."""
    match logic:
        case Term(label):
            return answers[label]
        case Not(part):
            return pc.invert(join_answers(part, answers))
        # As in SQL a missing value answers neither yes nor no. With status missing, `status = new OR id > 5` is decided
        # by the id; `status = new AND id > 5` is unknown or false, and the row goes.
        case And(parts):
            return reduce(pc.and_kleene, [join_answers(part, answers) for part in parts])
        case Or(parts):
            return reduce(pc.or_kleene, [join_answers(part, answers) for part in parts])
        case _:
            assert_never(logic)


def answer_of(condition: Condition, *, now: datetime) -> Answer:
    """What a condition says of columns; ``now`` is the instant that relative functions count from."""
    return _FUNCTIONS[condition.function](_ConditionValue(condition.value, now))


@dataclass(frozen=True, slots=True)
class _ConditionValue:
    """A condition's value, in the shape that its function takes: the configuration has checked it."""

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


_Builder: TypeAlias = Callable[[_ConditionValue], Answer]
# "7 days", "1 hour ago"; the configuration has refused what is no span.
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
        # Compared before it is subtracted: Python has no date before the year 1.
        distance = _FIXED[unit] * count
        return now - distance if now - _FIRST > distance else _FIRST
    # Months are counted from the year 0: one month before 2024-03-31 is the month 24290, so 2024-02, whose last is 29.
    year, month = divmod(now.year * 12 + now.month - 1 - _MONTHS[unit] * count, 12)
    if year < 1:
        return _FIRST
    day = min(now.day, calendar.monthrange(year, month + 1)[1])
    return now.replace(year=year, month=month + 1, day=day)


# Builders: each takes a condition's value once, and gives the answer that is then asked of column after column.


def _negation(build: _Builder, value: _ConditionValue) -> Answer:
    return partial(_invert, build(value))


def _invert(inner: Answer, column: TextColumn) -> pa.Array:
    return pc.invert(inner(column))


def _both(first: Answer, second: Answer, column: TextColumn) -> pa.Array:
    return pc.and_kleene(first(column), second(column))


def _equality(value: _ConditionValue) -> Answer:
    return _equal_to(operand_of(value.scalar))


def _equal_to(operand: Operand) -> Answer:
    return partial(_is_equal, operand)


def _is_equal(operand: Operand, column: TextColumn) -> pa.Array:
    return _false_if_unknown(column, order(column, operand).equal)


def _false_if_unknown(column: TextColumn, truths: pa.Array) -> pa.Array:
    """The truths, false if nothing could be compared, unknown if the value is missing."""
    return pc.if_else(column.valid, pc.fill_null(truths, fill_value=False), pa.scalar(None, pa.bool_()))


def _is_less(values: Order) -> pa.Array:
    return values.less


def _is_at_most(values: Order) -> pa.Array:
    return pc.or_(values.less, values.equal)


def _is_more(values: Order) -> pa.Array:
    return pc.invert(_is_at_most(values))


def _is_at_least(values: Order) -> pa.Array:
    return pc.invert(values.less)


_OrderTest: TypeAlias = Callable[[Order], pa.Array]


def _comparison(test: _OrderTest, value: _ConditionValue) -> Answer:
    return partial(_compare, test, operand_of(value.scalar))


def _compare(test: _OrderTest, operand: Operand, column: TextColumn) -> pa.Array:
    return test(order(column, operand))


def _from(operand: Operand) -> Answer:
    return partial(_compare, _is_at_least, operand)


def _until(operand: Operand) -> Answer:
    """On or before; the whole day if the bound is a day."""
    if isinstance(operand, Moment) and operand.is_day:
        return partial(_compare, _is_less, Moment(operand.nanoseconds + DAY))
    return partial(_compare, _is_at_most, operand)


def _on_or_after(value: _ConditionValue) -> Answer:
    return _from(moment_of(value.text))


def _on_or_before(value: _ConditionValue) -> Answer:
    return _until(moment_of(value.text))


def _relative_on_or_after(value: _ConditionValue) -> Answer:
    return _from(value.span_ago)


def _relative_on_or_before(value: _ConditionValue) -> Answer:
    return _until(value.span_ago)


def _between(value: _ConditionValue) -> Answer:
    lowest, highest = map(operand_of, value.scalars)
    return partial(_both, _from(lowest), _until(highest))


def _in_the_last(value: _ConditionValue) -> Answer:
    return partial(_both, _from(value.span_ago), _until(moment_at(value.now)))


def _is_null(_value: _ConditionValue) -> Answer:
    return partial(_invert, _is_valid)


def _is_not_null(_value: _ConditionValue) -> Answer:
    return _is_valid


def _is_valid(column: TextColumn) -> pa.Array:
    return column.valid


def _truth(text: str, _value: _ConditionValue) -> Answer:
    return partial(_has_lower_text, text)


def _has_lower_text(text: str, column: TextColumn) -> pa.Array:
    return pc.equal(pc.ascii_lower(column.texts), text)


_TextTest: TypeAlias = Callable[[pa.Array, str], pa.Array]


def _text_test(test: _TextTest, value: _ConditionValue) -> Answer:
    return partial(_test_texts, test, value.text)


def _test_texts(test: _TextTest, text: str, column: TextColumn) -> pa.Array:
    return test(column.texts, text)


def _one_of(value: _ConditionValue) -> Answer:
    return partial(_is_one_of, pa.array(map(text_of_scalar, value.scalars), pa.string()))


def _is_one_of(accepted: pa.Array, column: TextColumn) -> pa.Array:
    return _false_if_unknown(column, pc.is_in(column.texts, value_set=accepted))


def like_pattern(pattern: str) -> str:
    r"""The regular expression of a LIKE pattern: % any text, _ any one character, \ takes the next as it is."""
    # Every character is written by its code point, so that none has a meaning: a% becomes \x{61}.*
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    expressions = [_LIKE.get(part) or f"\\x{{{ord(part[-1]):x}}}" for part in parts]
    return f"(?s)^{''.join(expressions)}$"


_LIKE = {"%": ".*", "_": "."}


def _is_like(texts: pa.Array, text: str) -> pa.Array:
    return pc.match_substring_regex(texts, like_pattern(text))


def _matches_trimmed(texts: pa.Array, text: str) -> pa.Array:
    return pc.equal(pc.utf8_trim_whitespace(texts), text.strip())


def _has_element(value: _ConditionValue) -> Answer:
    return partial(_any_element_is, _equal_to(operand_of(value.scalar)))


def _any_element_is(equal: Answer, column: TextColumn) -> pa.Array:
    if is_list(column.type):
        return _any_in_lists(column.array, equal)
    return _any_in_json(column.texts, equal)


def _any_in_lists(lists: pa.Array, equal: Answer) -> pa.Array:
    # Of the lists [1, 2], [] and [2, 2] the elements 1, 2, 2, 2 belong to the rows 0, 0, 2, 2: 2 is in the rows 0, 2.
    items = TextColumn(pc.list_flatten(lists), lists.type.value_field)
    rows = pc.list_parent_indices(lists).filter(pc.fill_null(equal(items), fill_value=False))
    every_row = pa.array(range(len(lists)), pa.int64())
    has_element = pc.is_in(every_row, value_set=rows.cast(pa.int64()))
    return pc.if_else(lists.is_valid(), has_element, pa.scalar(None, pa.bool_()))


def _any_in_json(texts: pa.Array, equal: Answer) -> pa.Array:
    """Elements of the texts that are JSON arrays; of other texts nothing is known."""
    is_array = pc.fill_null(pc.starts_with(pc.utf8_ltrim(texts, " \t\n\r"), "["), fill_value=False)
    parsed = map(elements_of, texts.filter(is_array).to_pylist())
    answers = _any_in_lists(pa.array(parsed, pa.list_(pa.string())), equal)
    return pc.replace_with_mask(pa.nulls(len(texts), pa.bool_()), is_array, answers)


_F = FilterFunction
_contains = partial(_text_test, pc.match_substring)
_starts = partial(_text_test, pc.starts_with)
_ends = partial(_text_test, pc.ends_with)
_like = partial(_text_test, _is_like)
_FUNCTIONS: Mapping[FilterFunction, _Builder] = {
    _F.EQUALITY: _equality,
    _F.INEQUALITY: partial(_negation, _equality),
    _F.IS_NULL: _is_null,
    _F.IS_NOT_NULL: _is_not_null,
    _F.TRUE: partial(_truth, "true"),
    _F.FALSE: partial(_truth, "false"),
    _F.ON_OR_AFTER: _on_or_after,
    _F.ON_OR_BEFORE: _on_or_before,
    _F.GREATER_THAN: partial(_comparison, _is_more),
    _F.GREATER_THAN_EQUAL: partial(_comparison, _is_at_least),
    _F.LESS_THAN: partial(_comparison, _is_less),
    _F.LESS_THAN_EQUAL: partial(_comparison, _is_at_most),
    _F.BETWEEN: _between,
    _F.STRING_CONTAINS: _contains,
    _F.STRING_DOES_NOT_CONTAIN: partial(_negation, _contains),
    _F.STRING_STARTS_WITH: _starts,
    _F.STRING_DOES_NOT_START_WITH: partial(_negation, _starts),
    _F.STRING_ENDS_WITH: _ends,
    _F.STRING_DOES_NOT_END_WITH: partial(_negation, _ends),
    _F.STRING_ONE_OF: _one_of,
    _F.STRING_NOT_ONE_OF: partial(_negation, _one_of),
    _F.STRING_LIKE: _like,
    _F.STRING_NOT_LIKE: partial(_negation, _like),
    _F.STRING_MATCHES_TRIMMED: partial(_text_test, _matches_trimmed),
    _F.IN_THE_LAST: _in_the_last,
    _F.RELATIVE_ON_OR_BEFORE: _relative_on_or_before,
    _F.RELATIVE_ON_OR_AFTER: _relative_on_or_after,
    _F.ARRAY_CONTAINS: _has_element,
    _F.ARRAY_DOES_NOT_CONTAIN: partial(_negation, _has_element),
}
