"""When a sync runs by the clock: EventBridge expressions, and Polytomic's frequencies read into them. Times are UTC."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from millrace.config.base import drop_blanks, unexpected

MANUAL = "manual"

# EventBridge refuses `rate(1 minutes)` and `rate(5 minute)`, and a rate of 0 (User Guide, "Rate expressions").
_RATE = re.compile(r"rate\((?:1 (?:minute|hour|day)|(?!0+ |1 )\d+ (?:minutes|hours|days))\)")
# Six fields, each of letters, digits and signs: `cron(0 6 ? * MON-FRI *)`. What they mean EventBridge checks itself.
_CRON_FIELD = r"[A-Z0-9*?,/#LW-]+"
_CRON = re.compile(rf"cron\({_CRON_FIELD}(?: {_CRON_FIELD}){{5}}\)")
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_FORMS = "rate(15 minutes), cron(0 6 * * ? *), hourly, daily, weekly, manual, or an object with frequency, minute, hour"
_FREQUENCIES = ("hourly", "daily", "weekly", MANUAL)
_ELSEWHERE = {
    "continuous": "not a schedule here: set enable_event_notifications on the source connection instead",
    "custom": "written as cron(minute hour day-of-month month day-of-week year) here",
    "builder": "not available",
    "runafter": "not available: a sync runs when its source changes",
    "multi": "not available: give one schedule",
    "dbtcloud": "not available",
}


@dataclass(frozen=True, slots=True)
class Schedule:
    """``expression`` is what EventBridge takes; None means: by hand only."""

    expression: str | None

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read an expression, a frequency, or Polytomic's object; raise ValueError with what was expected."""
        if isinstance(value, Mapping):
            return cls(_expression_of_object(value))
        if isinstance(value, str) and (_RATE.fullmatch(value) or _is_cron(value)):
            return cls(value)
        return cls(_expression(value, {}))

    def __str__(self) -> str:
        return self.expression or MANUAL


LISTING = Schedule("rate(15 minutes)")
"""How often a folder is listed whose changes nobody reports."""
RECONCILIATION = Schedule("rate(1 day)")
"""How often a folder is listed whose changes S3 reports: events may be lost."""


def _expression_of_object(value: Mapping[Any, Any]) -> str | None:
    """The expression of ``{"frequency": "daily", "hour": 6}`` and its like; blank members mean nothing."""
    given = drop_blanks(value)
    if unknown := sorted(map(str, given.keys() - {"frequency", "minute", "hour", "day_of_week"})):
        raise ValueError(f"an object with frequency, minute, hour, day_of_week and no {', '.join(unknown)}")
    frequency = given.pop("frequency", None)
    if str(frequency) not in {*_FREQUENCIES, *_ELSEWHERE}:
        raise ValueError(f"its frequency as one of {', '.join(_FREQUENCIES)}, and not {frequency!r}")
    return _expression(frequency, given)


def _is_cron(text: str) -> bool:
    if not _CRON.fullmatch(text):
        return False
    _, _, day_of_month, _, day_of_week, _ = text[5:-1].split(" ")
    return (day_of_month == "?") != (day_of_week == "?")


def _expression(frequency: object, given: Mapping[str, Any]) -> str | None:
    minute = _number(given, "minute", 59)
    hour = _number(given, "hour", 23)
    # EventBridge's cron has six fields, and a ? for that one of day of the month and day of the week which is not said.
    expressions: dict[str, tuple[tuple[str, ...], Callable[[], str] | None]] = {
        MANUAL: ((), None),
        "hourly": (("minute",), lambda: f"cron({minute} * * * ? *)"),
        "daily": (("minute", "hour"), lambda: f"cron({minute} {hour} * * ? *)"),
        "weekly": (("minute", "hour", "day_of_week"), lambda: f"cron({minute} {hour} ? * {_day(given)} *)"),
    }
    if not isinstance(frequency, str) or frequency not in expressions:
        instead = _ELSEWHERE.get(frequency) if isinstance(frequency, str) else None
        raise ValueError(f"{_FORMS}; {frequency} is {instead}" if instead else _FORMS)
    takes, expression = expressions[frequency]
    if surplus := sorted(given.keys() - set(takes)):
        raise ValueError(f"no {', '.join(surplus)} with frequency {frequency}")
    return expression() if expression else None


def _number(given: Mapping[str, Any], field: str, highest: int) -> int:
    text = str(given.get(field, 0))
    if not re.fullmatch(r"\d{1,2}", text) or int(text) > highest:
        raise ValueError(f"{field} from 0 to {highest}")
    return int(text)


def _day(given: Mapping[str, Any]) -> str:
    text = str(given.get("day_of_week", "monday")).lower()
    for number, day in enumerate(_DAYS):
        if text in {str(number), day[:3], day}:
            return day[:3].upper()
    raise ValueError(f"day_of_week as one of {', '.join(_DAYS)}, or a number from 0 (sunday) to 6")


def _validate(value: object) -> Schedule:
    if isinstance(value, Schedule):
        return value
    try:
        return Schedule.parse(value)
    except ValueError as error:
        expected = str(error)
    raise unexpected(expected)


ScheduleField = Annotated[
    Schedule,
    BeforeValidator(_validate),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "examples": ["rate(15 minutes)", "cron(0 6 * * ? *)", "daily"]},
                {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["frequency"],
                    "properties": {
                        "frequency": {"enum": list(_FREQUENCIES)},
                        "minute": {"type": ["integer", "string", "null"]},
                        "hour": {"type": ["integer", "string", "null"]},
                        "day_of_week": {"type": ["integer", "string", "null"]},
                    },
                },
            ]
        }
    ),
]
