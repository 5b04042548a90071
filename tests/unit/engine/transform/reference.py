"""The meaning of every filter function, said once more in plain Python over one value at a time.

A value is its text, or None where it is missing; a list is a list of texts. The answer is True, False or None
(unknown).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from millrace.engine.conditions import And, FilterFunction, Logic, Not, Or, Term

Text = str | None
Value = Text | list[Text]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def said(value: Any) -> str:
    if value is True or value is False:
        return str(value).lower()
    return str(value)


def number(text: str) -> Decimal | None:
    try:
        parsed = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    except ValueError:
        return None
    return parsed if isinstance(parsed, Decimal) and text == text.strip() else None


def instant(text: str) -> int | None:
    match = re.fullmatch(
        r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?:(:\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d(?::?\d\d)?)?)?", text, re.ASCII
    )
    if not match:
        return None
    day, clock, second, fraction, zone = match.groups()
    try:
        when = datetime.fromisoformat(f"{day}T{clock or '00:00'}{second or ':00'}{zone or 'Z'}")
        seconds = (when - _EPOCH) // timedelta(seconds=1)
    except (ValueError, OverflowError):
        return None
    return seconds * 10**9 + int((fraction or "").ljust(9, "0"))


def is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def compared(value: str, operand: Any) -> int | None:
    """-1, 0 or 1; None where there is no order."""
    text = said(operand)
    for read in (number, instant):
        if (bound := read(text)) is not None:
            own = read(value)
            return None if own is None else (own > bound) - (own < bound)
    return (value > text) - (value < text)


def until(value: str, bound: str) -> bool | None:
    if is_day(bound):
        own, limit = instant(value), instant(bound) or 0
        return None if own is None else own < limit + 86400 * 10**9
    return ordered(lambda sign: sign <= 0)(value, bound, None)


def ordered(accept: Callable[[int], bool]) -> Callable[[str, Any, Any], bool | None]:
    def ask(value: str, operand: Any, _now: Any) -> bool | None:
        sign = compared(value, operand)
        return None if sign is None else accept(sign)

    return ask


def like(value: str, pattern: str) -> bool:
    if not pattern:
        return not value
    first, rest = pattern[0], pattern[1:]
    if first == "%":
        return any(like(value[at:], rest) for at in range(len(value) + 1))
    if first == "\\" and rest:
        first, rest = rest[0], rest[1:]
    elif first == "_":
        return bool(value) and like(value[1:], rest)
    return value.startswith(first) and like(value[1:], rest)


def every(*parts: bool | None) -> bool | None:
    return False if False in parts else None if None in parts else True


def between(value: str, pair: tuple[Any, Any], _now: Any) -> bool | None:
    low, high = pair
    upper = until(value, said(high)) if instant(said(high)) is not None else LE(value, high, None)
    return every(GE(value, low, None), upper)


def ago(span: str, now: datetime) -> datetime:
    count, unit = span.split()[:2]
    return now - int(count) * {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(1)}[unit[0]]


def contains(value: Value, operand: Any) -> bool | None:
    if isinstance(value, str):
        try:
            parsed = json.loads(value, parse_int=str, parse_float=str)
        except ValueError:
            return None
        if not isinstance(parsed, list):
            return None
        value = [None if one is None else said(one) for one in parsed]
    return None if value is None else any(one is not None and compared(one, operand) == 0 for one in value)


LT, LE = ordered(lambda sign: sign < 0), ordered(lambda sign: sign <= 0)
GT, GE = ordered(lambda sign: sign > 0), ordered(lambda sign: sign >= 0)
F = FilterFunction
POSITIVE: dict[FilterFunction, Callable[[Any, Any, datetime], bool | None]] = {
    F.EQUALITY: lambda value, operand, _now: compared(value, operand) == 0,
    F.IS_NOT_NULL: lambda _value, _operand, _now: True,
    F.TRUE: lambda value, _operand, _now: value.lower() == "true" and value.isascii(),
    F.FALSE: lambda value, _operand, _now: value.lower() == "false" and value.isascii(),
    F.ON_OR_AFTER: GE,
    F.ON_OR_BEFORE: lambda value, operand, _now: until(value, operand),
    F.GREATER_THAN: GT,
    F.GREATER_THAN_EQUAL: GE,
    F.LESS_THAN: LT,
    F.LESS_THAN_EQUAL: LE,
    F.BETWEEN: between,
    F.STRING_CONTAINS: lambda value, operand, _now: operand in value,
    F.STRING_STARTS_WITH: lambda value, operand, _now: value.startswith(operand),
    F.STRING_ENDS_WITH: lambda value, operand, _now: value.endswith(operand),
    F.STRING_ONE_OF: lambda value, operands, _now: value in map(said, operands),
    F.STRING_LIKE: lambda value, operand, _now: like(value, operand),
    F.STRING_MATCHES_TRIMMED: lambda value, operand, _now: value.strip() == operand.strip(),
    F.IN_THE_LAST: lambda value, span, now: every(
        GE(value, ago(span, now).isoformat(), None), LE(value, now.isoformat(), None)
    ),
    F.RELATIVE_ON_OR_BEFORE: lambda value, span, now: LE(value, ago(span, now).isoformat(), None),
    F.RELATIVE_ON_OR_AFTER: lambda value, span, now: GE(value, ago(span, now).isoformat(), None),
    F.ARRAY_CONTAINS: lambda value, operand, _now: contains(value, operand),
}
NEGATIVE = {
    F.INEQUALITY: F.EQUALITY,
    F.STRING_DOES_NOT_CONTAIN: F.STRING_CONTAINS,
    F.STRING_DOES_NOT_START_WITH: F.STRING_STARTS_WITH,
    F.STRING_DOES_NOT_END_WITH: F.STRING_ENDS_WITH,
    F.STRING_NOT_ONE_OF: F.STRING_ONE_OF,
    F.STRING_NOT_LIKE: F.STRING_LIKE,
    F.ARRAY_DOES_NOT_CONTAIN: F.ARRAY_CONTAINS,
}


def answer(function: FilterFunction, value: Value, operand: Any, now: datetime) -> bool | None:
    if function is F.IS_NULL:
        return value is None
    if value is None:
        return False if function is F.IS_NOT_NULL else None
    if function in NEGATIVE:
        found = POSITIVE[NEGATIVE[function]](value, operand, now)
        return None if found is None else not found
    return POSITIVE[function](value, operand, now)


def joined(logic: Logic, answers: dict[str, bool | None]) -> bool | None:
    match logic:
        case Term(label):
            return answers[label]
        case Not(part):
            found = joined(part, answers)
            return None if found is None else not found
        case And(parts):
            return every(*(joined(part, answers) for part in parts))
        case Or(parts):
            one_of = {joined(part, answers) for part in parts}
            return True if True in one_of else None if None in one_of else False
