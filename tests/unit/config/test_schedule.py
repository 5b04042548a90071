"""Schedules: EventBridge expressions and Polytomic's frequencies."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.config.document import parse
from millrace.config.schedule import Schedule
from tests.unit.config.builders import bulk_sync, connection, document, parsed_bulk_sync, problems_of


@pytest.mark.parametrize(
    ("value", "expression"),
    [
        ("rate(1 minute)", "rate(1 minute)"),
        ("rate(15 minutes)", "rate(15 minutes)"),
        ("cron(0 6 * * ? *)", "cron(0 6 * * ? *)"),
        ("cron(0/5 8-17 ? * MON-FRI *)", "cron(0/5 8-17 ? * MON-FRI *)"),
        ("hourly", "cron(0 * * * ? *)"),
        ("manual", None),
        ({"frequency": "hourly", "minute": "15", "hour": "", "day_of_week": None}, "cron(15 * * * ? *)"),
        ({"frequency": "daily", "hour": 6}, "cron(0 6 * * ? *)"),
        ({"frequency": "weekly", "hour": "23", "minute": 59, "day_of_week": "Sunday"}, "cron(59 23 ? * SUN *)"),
        ({"frequency": "weekly", "day_of_week": "6"}, "cron(0 0 ? * SAT *)"),
        ("weekly", "cron(0 0 ? * MON *)"),
    ],
)
def test_what_is_a_schedule(value: Any, expression: str | None) -> None:
    """Every form becomes what EventBridge takes, or nothing."""
    assert parsed_bulk_sync(schedule=value).schedule == Schedule(expression)


@pytest.mark.parametrize("blank", ["", None])
def test_no_schedule(blank: str | None) -> None:
    """Blank is not given."""
    assert parsed_bulk_sync(schedule=blank).schedule is None


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("rate(1 minutes)", "rate(15 minutes)"),
        ("rate(2 minute)", "rate(15 minutes)"),
        ("rate(0 minutes)", "rate(15 minutes)"),
        ("cron(0 6 * * * *)", "cron(0 6 * * ? *)"),
        ("cron(0 6 * * ?)", "cron(0 6 * * ? *)"),
        ("sometimes", "hourly"),
        ("continuous", "enable_event_notifications"),
        ({"frequency": "custom"}, "cron(minute hour"),
        ({"frequency": "runafter"}, "not available"),
        ({"frequency": "daily", "day_of_week": 1}, "no day_of_week with frequency daily"),
        ({"frequency": "daily", "hour": 24}, "hour from 0 to 23"),
        ({"frequency": "daily", "hour": "x"}, "hour from 0 to 23"),
        ({"frequency": "hourly", "minute": 60}, "minute from 0 to 59"),
        ({"frequency": "weekly", "day_of_week": "someday"}, "sunday, monday"),
        ({"frequency": "daily", "at": 3}, "no at"),
        ({}, "its frequency as one of hourly, daily, weekly, manual, and not None"),
        ({"frequency": "hourlyish"}, "its frequency as one of hourly, daily, weekly, manual, and not 'hourlyish'"),
        ({"frequency": ["daily"]}, "and not ['daily']"),
        (5, "hourly"),
    ],
)
def test_what_is_no_schedule(value: Any, says: str) -> None:
    """The problem says what is accepted, and what a frequency that is not offered is replaced by."""
    (problem,) = problems_of(document(bulk_syncs=[bulk_sync(schedule=value)]))

    assert problem.startswith("bulk_syncs[0].schedule: found ")
    assert says in problem


@pytest.mark.parametrize(
    ("given", "told", "expression"),
    [
        (None, False, "rate(15 minutes)"),
        (None, True, "rate(1 day)"),
        ("hourly", False, "cron(0 * * * ? *)"),
        ("hourly", True, "cron(0 * * * ? *)"),
        ("manual", False, None),
        ("manual", True, None),
    ],
)
def test_when_a_source_is_listed(given: str | None, *, told: bool, expression: str | None) -> None:
    """As the sync says; else often where nobody tells of changes, and daily where S3 does, which may lose some."""
    notifications = {"enable_event_notifications": True, "event_queue_arn": "managed"} if told else {}
    made = parse(
        document(
            connections=[connection("in", **notifications), connection("out")], bulk_syncs=[bulk_sync(schedule=given)]
        )
    )

    assert made.schedule_of(made.bulk_syncs[0]) == Schedule(expression)
