"""Runs that people and schedules ask for are told, after their checkpoint says that they ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from millrace.errors import ServiceUnavailable
from millrace.ledger.entries import Entry, State
from millrace.notices.events import Event
from millrace.notices.levels import Levels
from millrace.objects.messages import Request
from millrace.objects.references import ObjectRef, SourceVersion
from millrace.operations.checkpoints import Checkpoint, Counts
from millrace.operations.reconcile import Reconciler, Report
from millrace.operations.run_events import RunTeller
from millrace.planning.planner import Planner
from tests.configurations import bulk_sync, document
from tests.event_schemas import check_event
from tests.fakes import InMemoryCheckpoints, InMemoryLedger, InMemoryObjectStore, InMemoryQueue

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LOST = Counts(compared=3, new=2, unaccounted=2)


@dataclass
class Bus:
    """Where events go; ``trouble`` keeps them out."""

    events: list[Event] = field(default_factory=list)
    trouble: BaseException | None = None

    def send(self, events: Any) -> None:
        """As the bus does."""
        if self.trouble is not None:
            raise self.trouble
        for event in events:
            check_event(event)
        self.events += events

    @property
    def names(self) -> list[str]:
        """What was said."""
        return [event.name for event in self.events]


@dataclass
class RememberedCheckpoints(InMemoryCheckpoints):
    """Remembers all that was put."""

    puts: list[Checkpoint] = field(default_factory=list)

    def put(self, checkpoint: Checkpoint) -> None:
        """Take note of it."""
        super().put(checkpoint)
        self.puts.append(checkpoint)


class ToldWorld:
    """One sync over a bucket with one object."""

    def __init__(self, notify: str) -> None:
        read = document(bulk_sync(notify=notify))
        self.bus = Bus()
        self.checkpoints = InMemoryCheckpoints()
        self.queue = InMemoryQueue()
        store = InMemoryObjectStore({"acme-in": {}, "acme-out": {}}, modified=NOON)
        store.put(ObjectRef("acme-in", "in/a.csv"), b"id\n1\n")
        self.ports: dict[str, Any] = {
            "planner": Planner(read),
            "stores": dict.fromkeys(("landing", "lake"), store),
            "index": InMemoryLedger(),
            "queues": {"landing": self.queue},
            "now": lambda: NOON,
        }
        self.teller = RunTeller("millrace", Levels.of(read), self.bus.send)

    def compare(self) -> Report:
        """As the schedule has it done."""
        return Reconciler(checkpoints=self.checkpoints, teller=self.teller, **self.ports).run("nightly")

    def kept(self) -> Checkpoint:
        """What is remembered of the comparison."""
        checkpoint = self.checkpoints.get("nightly")
        assert checkpoint is not None
        return checkpoint


def test_the_end_of_a_comparison_is_told_after_its_checkpoint() -> None:
    world = ToldWorld("runs")

    world.compare()

    begin, event = world.bus.events
    assert (begin.name, begin.to_detail()["kind"], begin.time) == ("run.started", "reconcile", world.kept().begun)
    assert begin.to_detail()["run"] == event.to_detail()["run"]
    assert (event.name, event.to_detail()["kind"], event.to_detail()["counts"]["new"]) == (
        "run.completed",
        "reconcile",
        1,
    )
    assert event.time == world.kept().completed
    assert not world.kept().is_untold


def test_nobody_is_told_of_a_comparison_who_asked_for_failures_alone() -> None:
    """And nothing is ever left to tell: who is killed would leave it to a configuration that asks for more."""
    world = ToldWorld("failures")
    world.checkpoints = RememberedCheckpoints()

    world.compare()

    assert world.bus.events == []
    assert not any(checkpoint.is_untold or checkpoint.is_begin_untold for checkpoint in world.checkpoints.puts)
    assert world.kept().behind_since is None


class KilledWhileTelling(BaseException):
    """The process ends here."""


class DeadlyQueue(InMemoryQueue):
    """Kills who asks for something."""

    def send(self, requests: Iterable[Request], *, delay_seconds: int = 0) -> int:
        """Not even that."""
        raise KilledWhileTelling


@pytest.mark.parametrize(("notify", "is_left"), [("runs", True), ("failures", False)])
def test_a_comparison_that_is_killed_leaves_its_beginning_to_tell_if_somebody_asked(
    notify: str, *, is_left: bool
) -> None:
    world = ToldWorld(notify)
    world.bus.trouble = KilledWhileTelling()
    world.ports["queues"] = {"landing": DeadlyQueue()}

    with pytest.raises(KilledWhileTelling):
        world.compare()

    assert world.kept().is_begin_untold is is_left


def test_what_could_not_be_told_is_told_by_the_next_comparison() -> None:
    world = ToldWorld("runs")
    world.bus.trouble = ServiceUnavailable("no bus")
    world.compare()
    assert world.kept().is_untold

    world.bus.trouble = None
    world.compare()

    assert world.bus.names == ["run.started", "run.completed", "run.started", "run.completed"]
    assert not world.kept().is_untold
    assert not world.kept().is_begin_untold


def test_a_beginning_that_could_not_be_told_is_told_with_the_end() -> None:
    world = ToldWorld("runs")
    world.bus.trouble = ServiceUnavailable("no bus")
    world.compare()

    assert world.kept().is_begin_untold


def test_a_comparison_of_0_1_0_that_kept_no_beginning_is_named_by_its_end() -> None:
    world = ToldWorld("runs")
    world.checkpoints.put(
        Checkpoint(sync="nightly", folder="s3://acme-in/in", revision=1, completed=NOON, is_untold=True)
    )

    world.compare()

    assert world.bus.events[0].to_detail()["run"] == f"nightly {NOON.isoformat()}"


class TestCaughtUp:
    """The edge: once, when a comparison finds all done after one that did not."""

    def settle(self, world: ToldWorld, state: State) -> None:
        index: InMemoryLedger = world.ports["index"]
        ref = ObjectRef("acme-in", "in/a.csv")
        (listed,) = world.ports["stores"]["landing"].list("acme-in", "in/")
        known = index.get("nightly", ref)
        revision = known.revision + 1 if known else 1
        version = SourceVersion(etag=listed.etag, size=listed.size)
        index.put(
            Entry(
                sync="nightly",
                source=ref,
                state=state,
                revision=revision,
                fence=1,
                fingerprint="f",
                engine="1",
                version=version,
                started=NOON,
                finished=None if state is State.IN_FLIGHT else NOON,
            )
        )
        self.empty(world)

    def empty(self, world: ToldWorld) -> None:
        world.queue.backlog = 0

    def names_of(self, world: ToldWorld) -> list[str]:
        world.bus.events.clear()
        world.compare()
        return [name for name in world.bus.names if name == "sync.caught_up"]

    def test_it_is_told_once_when_all_is_done(self) -> None:
        world = ToldWorld("runs")
        assert self.names_of(world) == [], "a new object was asked for"
        since = world.kept().begun
        world.ports["now"] = lambda: NOON + timedelta(minutes=15)
        self.settle(world, State.IN_FLIGHT)
        assert self.names_of(world) == [], "it is at work"
        self.settle(world, State.CONVERTED)

        assert self.names_of(world) == ["sync.caught_up"]
        (event,) = (event.to_detail() for event in world.bus.events if event.name == "sync.caught_up")
        assert (event["since"], event["objects"]) == (since.isoformat() if since else None, 1)
        assert self.names_of(world) == []

    def test_what_waits_in_the_queue_is_not_done(self) -> None:
        world = ToldWorld("runs")
        world.compare()
        self.settle(world, State.CONVERTED)
        world.queue.backlog = 1

        assert self.names_of(world) == []
        self.empty(world)
        assert self.names_of(world) == ["sync.caught_up"]

    def test_a_sync_that_was_never_behind_has_not_caught_up(self) -> None:
        world = ToldWorld("runs")
        self.settle(world, State.CONVERTED)

        assert self.names_of(world) == []

    def test_what_could_not_be_told_is_told_by_the_next_comparison(self) -> None:
        world = ToldWorld("runs")
        world.compare()
        self.settle(world, State.CONVERTED)
        world.bus.trouble = ServiceUnavailable("no bus")
        world.compare()
        world.compare()
        world.bus.trouble = None

        assert self.names_of(world) == ["sync.caught_up"]
        assert self.names_of(world) == []

    def test_nobody_is_told_who_asked_for_failures_alone(self) -> None:
        world = ToldWorld("failures")
        world.compare()
        self.settle(world, State.CONVERTED)

        assert self.names_of(world) == []


@pytest.mark.parametrize(
    ("notify", "counts", "wanted"),
    [
        ("none", LOST, []),
        ("failures", LOST, ["run.completed_with_errors", "unaccounted"]),
        ("failures", Counts(compared=3, vanished=1), ["run.completed_with_errors"]),
        ("runs", Counts(compared=3, new=3), ["run.completed"]),
    ],
)
def test_lost_news_and_lost_outputs_are_failures(notify: str, counts: Counts, wanted: list[str]) -> None:
    world = ToldWorld(notify)
    teller = world.teller
    checkpoint = Checkpoint(sync="nightly", folder="f", completed=NOON, last=counts)

    teller.tell_comparison(checkpoint)

    assert world.bus.names == wanted
    assert teller.wants_comparison("nightly", counts) is bool(wanted)
