"""Reprocesses are followed to their ends, which are told after the list of runs says so, and at least once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from millrace.errors import MillraceError, ServiceUnavailable
from millrace.notices.events import Event
from millrace.notices.levels import Levels
from millrace.objects.messages import TicketResult, compose_message, parse_message
from millrace.objects.references import ObjectRef
from millrace.operations.asked_runs import MOST_RUNS, AskedRun, AskedRuns
from millrace.operations.following import RunFollower
from millrace.operations.reprocess import STOP_SECONDS, Reprocess, Reprocessor, never_ends
from millrace.operations.run_events import RunTeller
from millrace.planning.planner import Planner
from tests.configurations import bulk_sync, document
from tests.event_schemas import check_event
from tests.fakes import InMemoryAskedRuns, InMemoryBackfills, InMemoryLedger, InMemoryObjectStore, InMemoryQueue

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
OBJECTS = 5


@dataclass
class Followed:
    """A sync over a bucket with five objects, the function of reprocesses, and the schedule that looks after runs."""

    notify: str = "runs"
    events: list[Event] = field(default_factory=list)
    trouble: MillraceError | None = None
    now: datetime = NOON
    store: InMemoryAskedRuns = field(default_factory=InMemoryAskedRuns)

    def __post_init__(self) -> None:
        read = document(bulk_sync(notify=self.notify))
        self.book, self.queue = InMemoryBackfills(), InMemoryQueue()
        objects = InMemoryObjectStore({"acme-in": {}, "acme-out": {}}, modified=NOON)
        for number in range(OBJECTS):
            objects.put(ObjectRef("acme-in", f"in/{number}.csv"), b"id\n1\n")
        self.follower = RunFollower(
            store=self.store,
            results=self.book.results,
            runs=RunTeller("millrace", Levels.of(read), self.send),
            now=lambda: self.now,
        )
        self.reprocessor = Reprocessor(
            planner=Planner(read),
            stores=dict.fromkeys(("landing", "lake"), objects),
            index=InMemoryLedger(),
            ledger=InMemoryLedger(),
            engine="1",
            queues={"landing": self.queue},
            now=lambda: self.now,
            portion=2,
            follower=self.follower,
        )

    def send(self, events: Any) -> None:
        """As the bus does."""
        if self.trouble is not None:
            raise self.trouble
        for event in events:
            check_event(event)
        self.events += events

    def ask(self, remaining: Callable[[], float] = never_ends, **wish: Any) -> dict[str, Any]:
        """One call of the function."""
        return self.reprocessor.run(Reprocess(sync="nightly", **wish), remaining)

    def settle(self, *, result: TicketResult = TicketResult.DONE, but: int = 0) -> None:
        """As workers do with what is in the queue; the last few are left in it."""
        requests = self.queue.sent[: len(self.queue.sent) - but]
        for request in requests:
            (parsed,) = parse_message(compose_message(request)).requests
            assert parsed.ticket is not None
            self.book.count([parsed.ticket], result)
        del self.queue.sent[: len(requests)]

    @property
    def names(self) -> list[str]:
        """What was told."""
        return [event.name for event in self.events]


def test_a_run_knows_the_portions_that_were_sent_and_no_others() -> None:
    world = Followed()
    world.ask()

    (run,) = world.store.kept.runs
    sent = {request.ticket.portion for request in world.queue.sent if request.ticket is not None}
    assert len(sent) == 3
    assert sorted(run.portion_names()) == sorted(sent)


def test_its_beginning_and_its_end_are_told_once() -> None:
    world = Followed()
    answer = world.ask()
    assert world.names == ["run.started"]

    world.now += timedelta(minutes=5)
    world.settle(but=1)
    world.follower.tend()
    assert world.names == ["run.started"]

    world.settle()
    for _ in range(3):
        world.follower.tend()

    started, ended = (event.to_detail() for event in world.events)
    assert world.names == ["run.started", "run.completed"]
    assert (started["run"], started["kind"], started["counts"]) == (answer["run_id"], "reprocess", {"asked": OBJECTS})
    assert (ended["run"], ended["kind"], ended["seconds"]) == (answer["run_id"], "reprocess", 300.0)
    assert ended["counts"] == {"asked": OBJECTS, "done": OBJECTS, "failed": 0, "waiting": 0, "open": 0}
    assert world.store.kept.runs == ()


@pytest.mark.parametrize(
    ("notify", "result", "wanted"),
    [
        ("none", TicketResult.FAILED, []),
        ("failures", TicketResult.FAILED, ["run.completed_with_errors"]),
        ("failures", TicketResult.DONE, []),
        ("runs", TicketResult.FAILED, ["run.started", "run.completed_with_errors"]),
        ("runs", TicketResult.WAITING, ["run.started", "run.completed"]),
    ],
)
def test_who_asks_for_it_is_told(notify: str, result: TicketResult, wanted: list[str]) -> None:
    world = Followed(notify)
    world.ask()
    if notify == "none":
        # Nothing is counted for nobody.
        assert all(request.ticket is None for request in world.queue.sent)
    else:
        world.settle(result=result)

    world.follower.tend()

    assert world.names == wanted
    assert world.store.kept.runs == ()


def test_a_dry_run_is_no_run() -> None:
    world = Followed()

    assert world.ask(dry_run=True)["selected"] == OBJECTS

    assert (world.names, world.store.kept) == ([], AskedRuns())


def test_one_that_asks_for_nothing_ends_at_once() -> None:
    world = Followed()
    world.ask(prefix="in/elsewhere/")

    world.follower.tend()

    assert world.names == ["run.started", "run.completed"]


def test_what_could_not_be_told_is_told_by_the_schedule_with_the_same_id() -> None:
    world = Followed(trouble=ServiceUnavailable("no bus"))
    answer = world.ask()
    assert (answer["sent"], answer["untold"]) == (OBJECTS, "no bus")
    world.settle()
    with pytest.raises(ServiceUnavailable):
        world.follower.tend()
    assert world.store.kept.runs[0].finished is not None

    world.trouble = None
    kept = world.store.kept
    world.follower.tend()
    # Whoever was killed before it could write down what it told tells it once more.
    world.store.kept = kept
    world.follower.tend()

    assert world.names == ["run.started", "run.completed"] * 2
    assert len({event.id for event in world.events}) == 2


def _one_portion() -> Callable[[], float]:
    """The time is over after the first portion."""
    return lambda: STOP_SECONDS - 1


def test_one_in_several_calls_is_told_when_all_is_asked_for() -> None:
    world = Followed()
    answer = world.ask(_one_portion())
    while not answer["complete"]:
        world.settle()
        world.follower.tend()
        assert world.names == []
        answer = world.ask(_one_portion(), run_id=answer["run_id"], start_after=answer["start_after"])
    assert world.names == ["run.started"]

    world.settle()
    world.follower.tend()

    assert world.names == ["run.started", "run.completed"]
    assert world.events[-1].to_detail()["counts"]["asked"] == OBJECTS


def test_a_call_that_was_killed_counts_nowhere() -> None:
    """It sent its portions, and kept nothing: the same call once more sends the same objects with other tickets."""
    world = Followed()
    first = world.ask(_one_portion())
    kept = world.store.kept
    again = {"run_id": first["run_id"], "start_after": first["start_after"]}
    world.ask(**again)
    world.store.kept = kept
    world.events.clear()
    world.now += timedelta(seconds=1)
    world.settle()

    world.ask(**again)
    world.follower.tend()
    assert world.names == ["run.started"]

    world.settle()
    world.follower.tend()
    assert world.names == ["run.started", "run.completed"]


def test_a_call_that_does_not_go_on_where_the_last_ended_says_that_nobody_is_told() -> None:
    world = Followed()
    first = world.ask(_one_portion())

    answer = world.ask(run_id=first["run_id"], start_after="in/3.csv")

    assert answer["sent"] == 1
    assert "nobody is told" in answer["untold"]
    assert [request.ticket is None for request in world.queue.sent] == [False, False, True]


def test_a_call_once_more_of_a_run_that_is_all_asked_for_says_that_nobody_is_told() -> None:
    world = Followed()
    first = world.ask()
    (run,) = world.store.kept.runs

    answer = world.ask(run_id=first["run_id"], start_after=run.reached)

    assert "nobody is told" in answer["untold"]
    assert world.store.kept.runs[0].calls == run.calls


@pytest.mark.parametrize(("over", "is_kept"), [(timedelta(0), True), (timedelta(seconds=1), False)])
def test_one_that_is_not_asked_for_to_its_end_is_forgotten_after_a_day(over: timedelta, *, is_kept: bool) -> None:
    world = Followed()
    world.ask(_one_portion())

    world.now += timedelta(days=1) + over
    world.follower.tend()

    assert (world.names, bool(world.store.kept.runs)) == ([], is_kept)


def test_the_end_of_a_run_is_when_it_was_found_and_not_when_it_was_told() -> None:
    world = Followed()
    world.ask()
    world.settle()
    world.now += timedelta(minutes=5)
    world.trouble = ServiceUnavailable("no bus")
    with pytest.raises(ServiceUnavailable):
        world.follower.tend()

    world.trouble = None
    world.now += timedelta(minutes=5)
    world.follower.tend()

    assert world.events[-1].to_detail()["seconds"] == 300.0


def test_what_is_lost_ends_it_when_no_message_can_be_left() -> None:
    world = Followed()
    world.ask()
    world.settle(but=2)
    world.now += timedelta(days=10, seconds=-1)
    world.follower.tend()
    assert world.names == ["run.started"]

    world.now += timedelta(seconds=1)
    world.follower.tend()

    assert world.names == ["run.started", "run.completed_with_errors"]
    assert world.events[-1].to_detail()["counts"]["open"] == 2


def test_too_many_at_once_are_asked_for_and_not_followed() -> None:
    world = Followed()
    runs = [AskedRun(run_id=str(number), sync="nightly", started=NOON, is_asked=True) for number in range(MOST_RUNS)]
    world.store.kept = AskedRuns(runs=tuple(runs))

    answer = world.ask()

    assert answer["sent"] == OBJECTS
    assert "200 reprocesses" in answer["untold"]
    assert world.names == []


def test_one_that_is_followed_goes_on_however_many_there_are() -> None:
    world = Followed()
    first = world.ask(_one_portion())
    runs = [AskedRun(run_id=str(number), sync="nightly", started=NOON, is_asked=True) for number in range(MOST_RUNS)]
    world.store.kept = AskedRuns(runs=(*runs, *world.store.kept.runs))

    answer = world.ask(run_id=first["run_id"], start_after=first["start_after"])

    assert "untold" not in answer
    assert world.names == ["run.started"] * (MOST_RUNS + 1)


@dataclass
class RacedRuns(InMemoryAskedRuns):
    """Somebody else changes the list before each of our puts, a few times."""

    races: int = 3

    def put_asked_runs(self, runs: AskedRuns) -> None:
        """Lose the race, until there are no more."""
        if self.races:
            self.races -= 1
            other = AskedRun(run_id=f"other {self.races}", sync="nightly", started=NOON)
            super().put_asked_runs(self.kept.with_run(other))
        super().put_asked_runs(runs)


def test_runs_that_are_asked_for_at_once_are_all_kept() -> None:
    world = Followed(store=RacedRuns())

    answer = world.ask()

    assert "untold" not in answer
    assert [run.run_id for run in world.store.kept.runs] == ["other 2", "other 1", "other 0", answer["run_id"]]
