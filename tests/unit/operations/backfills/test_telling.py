"""Backfills are told of when they begin and end, once, after the board says so."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from millrace.config.notices import Notify
from millrace.errors import MillraceError, ServiceUnavailable
from millrace.notices.events import Event
from millrace.notices.levels import Levels
from millrace.operations.backfills.telling import BackfillTeller
from millrace.operations.run_events import RunTeller
from tests.backfill_plant import SYNC, Plant
from tests.event_schemas import check_event


@dataclass
class HeardBackfills:
    """A plant whose actions are told."""

    notify: Notify = Notify.RUNS
    plant: Plant = field(default_factory=Plant)
    events: list[Event] = field(default_factory=list)
    trouble: MillraceError | None = None

    def __post_init__(self) -> None:
        runs = RunTeller("millrace", Levels({SYNC: self.notify}, {}), self.send)
        now = lambda: self.plant.world.now  # noqa: E731 - read anew at each call
        teller = BackfillTeller(backfills=self.plant.backfills, runs=runs, now=now)
        self.actions = replace(self.plant.actions, teller=teller)
        self.plant.fill(range(4))

    def send(self, events: Any) -> None:
        """As the bus does."""
        if self.trouble is not None:
            raise self.trouble
        for event in events:
            check_event(event)
        self.events += events

    def perform(self, action: str) -> None:
        """One event of the function."""
        self.actions.perform({"action": action, "sync": SYNC} if action != "tend" else {"action": action})

    @property
    def names(self) -> list[str]:
        """What was told."""
        return [event.name for event in self.events]


def test_its_beginning_and_its_end_are_told_once() -> None:
    heard = HeardBackfills()
    heard.perform("start")
    heard.plant.list_all()
    heard.plant.convert()

    for _ in range(3):
        heard.perform("tend")

    assert heard.names == ["run.started", "run.completed"]
    started, ended = (event.to_detail() for event in heard.events)
    assert started["run"] == ended["run"]
    assert (ended["kind"], ended["counts"]["done"]) == ("backfill", 4)


def test_what_could_not_be_told_is_told_by_the_schedule() -> None:
    heard = HeardBackfills(trouble=ServiceUnavailable("no bus"))
    heard.perform("start")
    assert heard.names == []

    heard.trouble = None
    heard.perform("tend")

    assert heard.names == ["run.started"]


@pytest.mark.parametrize(
    ("notify", "wanted"),
    [(Notify.NONE, []), (Notify.FAILURES, ["run.failed"]), (Notify.RUNS, ["run.started", "run.failed"])],
)
def test_one_that_is_given_up_has_failed(notify: Notify, wanted: list[str]) -> None:
    heard = HeardBackfills(notify)
    heard.perform("start")
    heard.plant.list_all()

    heard.perform("stop")
    heard.perform("tend")

    assert heard.names == wanted


def test_what_an_older_version_ended_long_ago_is_not_told() -> None:
    heard = HeardBackfills()
    heard.plant.actions.perform({"action": "start", "sync": SYNC})
    heard.plant.actions.perform({"action": "stop", "sync": SYNC})
    heard.plant.world.now += timedelta(days=2)

    heard.perform("tend")

    assert heard.names == []


@pytest.mark.parametrize(("action", "tells", "follows"), [("start", 1, 0), ("tend", 1, 1), ("list", 0, 0)])
def test_the_schedule_looks_after_everything_and_a_listing_after_nothing_else(
    action: str, tells: int, follows: int
) -> None:
    """A backfill of millions is listed by hundreds of invocations, which have enough to do."""
    plant = Plant()
    if action != "start":
        plant.start()
    event = {"action": action, "sync": SYNC} if action == "start" else {"action": action}
    calls: list[str] = []
    teller, follower = CountingHelper(calls, "told"), CountingHelper(calls, "followed")
    actions = replace(plant.actions, teller=teller, follower=follower)  # type: ignore[arg-type] # they only count

    actions.perform(plant.calls.popleft() if action == "list" else event)

    assert (calls.count("told"), calls.count("followed")) == (tells, follows)


@dataclass
class CountingHelper:
    """In place of what tells of backfills, and of what looks after reprocesses."""

    calls: list[str]
    name: str

    def tell_all(self) -> None:
        """Count."""
        self.calls.append(self.name)

    tend = tell_all
