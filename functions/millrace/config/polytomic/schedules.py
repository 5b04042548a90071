"""The vendor's schedules: what a file has a word for is read, the rest is named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from millrace.config.base import is_blank
from millrace.config.polytomic.fields import VendorFields
from millrace.config.schedule import Schedule
from millrace.mappings import pick

_TAKES: Mapping[str, tuple[str, ...]] = {
    "manual": (),
    "hourly": ("minute",),
    "daily": ("minute", "hour"),
    "weekly": ("minute", "hour", "day_of_week"),
    "custom": ("minute", "hour", "day_of_month", "month", "day_of_week"),
}
_DEFAULT = "it has the default: every 15 minutes, or daily if S3 notifies of changes; write schedule for another"
_INSTEAD = {
    "continuous": "there is no such schedule; with enable_event_notifications on the source objects are converted as"
    f" they land. Until then {_DEFAULT}",
    "runafter": f"a sync runs when its source changes, not after another one; {_DEFAULT}",
    "multi": f"a sync has one schedule; {_DEFAULT}",
    "builder": f"there is no such schedule; {_DEFAULT}",
    "dbtcloud": f"there is no such schedule; {_DEFAULT}",
}


def take_schedule(fields: VendorFields) -> str | None:
    """The schedule of a sync in one of our words, None for our default; what differs is among the remarks."""
    several = list(fields.take_objects("schedules"))
    schedule = fields.take_object("schedule")
    if several:
        schedule = several[0]
    if len(several) > 1:
        fields.ask_for("schedules", f"there are {len(several)}, and a sync has one here: the first one is taken")
    frequency = schedule.take("frequency")
    given = schedule.take_known(frozenset(_TAKES["custom"]))
    schedule.leave_out_rest(_REASONS)
    if frequency is None:
        return None
    if frequency not in _TAKES:
        fields.ask_for("schedule", f"{frequency}: {_INSTEAD.get(str(frequency), 'is unknown here; ' + _DEFAULT)}")
        return None
    text = _to_schedule(str(frequency), pick(given, *_TAKES[frequency]))
    if text is None:
        fields.ask_for("schedule", f"{frequency}: its times cannot be read; {_DEFAULT}")
    return text


_REASONS = {
    "multi": "a sync has one schedule here",
    "run_after": "a sync runs when its source changes, not after another one",
    "run_after_success_only": "a sync runs when its source changes, not after another one",
    "connection_id": "the schedules of other services start nothing here",
    "job_id": "the schedules of other services start nothing here",
}


def _to_schedule(frequency: str, given: Mapping[str, Any]) -> str | None:
    try:
        if frequency == "custom":
            return str(Schedule.parse(_to_cron(given)))
        return str(Schedule.parse({"frequency": frequency, **given}))
    except ValueError:
        return None


def _to_cron(given: Mapping[str, Any]) -> str:
    """EventBridge's form of five cron fields.

    It wants ``?`` for the day that is not meant, counts days of the week from 1, and steps from a number:
    minute ``*/15``, day_of_week ``1-5`` gives ``cron(0/15 * ? * 2-6 *)``. Raises ValueError where both days are given.
    """
    minute, hour, day, month, weekday = (_cron_field(given, name) for name in _TAKES["custom"])
    if weekday == "*":
        weekday = "?"
    elif day == "*":
        day, weekday = "?", _to_weekday(weekday)
    return f"cron({minute} {hour} {day} {month} {weekday} *)"


def _cron_field(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    text = "*" if is_blank(value) else str(value).strip().upper()
    return re.sub(r"^\*/", "1/" if name in {"day_of_month", "month"} else "0/", text)


def _to_weekday(text: str) -> str:
    """Days counted from 1 (Sunday) instead of 0; 7 is Sunday, too. Raises ValueError for steps."""
    if "/" in text:
        raise ValueError("a step among days of the week")
    return re.sub(r"\d+", lambda number: str(int(number[0]) % 7 + 1), text)
