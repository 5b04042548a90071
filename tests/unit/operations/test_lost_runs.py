"""The daily comparison finds runs that nobody does, and leaves those alone that somebody does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from millrace.big_runs.events import Phase, PhaseEvent
from millrace.errors import ServiceUnavailable
from millrace.ledger.entries import BigRunFacts, Entry, State
from millrace.objects.machine import ExecutionStatus
from millrace.objects.messages import Request
from millrace.objects.references import ObjectRef
from millrace.operations.lost_runs import LostRuns
from millrace.operations.reconcile import Reconciler
from millrace.operations.reprocess import never_ends
from tests.configurations import bulk_sync
from tests.fakes import InMemoryCheckpoints, InMemoryLedger, InMemoryMachine
from tests.unit.big_runs.running import RunWorld
from tests.unit.big_runs.test_equal_outputs import to_csv
from tests.unit.big_runs.test_tables import FOLDER, ask, fill, folder_world
from tests.world import NOON, SOURCE

BLANK = Entry.unseen("nightly", SOURCE, fingerprint="f", engine="1")
FACTS = BigRunFacts(
    name="nightly-1", execution="nightly-1", connection="lake", home=ObjectRef("acme-out", ".millrace/runs/nightly-1/")
)


@pytest.fixture
def in_run() -> RunWorld:
    begun = RunWorld(syncs=(bulk_sync(to="json"),))
    begun.one(begun.upload(to_csv()))
    return begun


def compare(world: RunWorld) -> None:
    """One whole comparison, and the work on what it asks for."""
    runs = LostRuns(machine=world.machine, ledger=world.ledger, now=lambda: world.now)
    Reconciler(
        planner=world.planner,
        stores={"landing": world.store, "lake": world.store},
        index=world.ledger,
        queues={"landing": world.queue},
        checkpoints=InMemoryCheckpoints(),
        now=lambda: world.now,
        runs=runs,
    ).run("nightly", never_ends)
    world.answer_queue()


@pytest.mark.parametrize(
    "entry",
    [
        None,
        replace(BLANK, state=State.WAITING),
        replace(BLANK, state=State.CONVERTED, big_run=FACTS),
        replace(BLANK, state=State.IN_FLIGHT, big_run=FACTS),
    ],
    ids=["not there", "waits for its restore", "done by a run", "in flight"],
)
def test_a_run_is_at_work_only_on_what_waits_for_it(entry: Entry | None) -> None:
    ledger, asked = InMemoryLedger(), list[str]()
    if entry is not None:
        ledger.put(replace(entry, revision=1))
    runs = LostRuns(machine=InMemoryMachine(lambda: NOON), ledger=ledger, now=lambda: NOON)

    assert not runs.is_at_work("nightly", SOURCE, lambda: asked.append("asked"))
    assert asked == []
    assert ledger.get("nightly", SOURCE) == (None if entry is None else replace(entry, revision=1))


def test_a_run_that_is_at_work_is_left_alone(in_run: RunWorld) -> None:
    compare(in_run)

    assert in_run.queue.sent == []
    assert in_run.entry().state is State.WAITING
    assert len(in_run.machine.executions) == 1


@pytest.mark.slow
@pytest.mark.parametrize("status", [ExecutionStatus.FAILED, ExecutionStatus.TIMED_OUT, None])
def test_a_run_that_vanished_begins_again(in_run: RunWorld, status: ExecutionStatus | None) -> None:
    (name,) = in_run.machine.executions
    if status is None:
        del in_run.machine.executions[name]
    else:
        in_run.machine.end(name, status)

    compare(in_run)

    assert in_run.entry().attempts == 2
    assert in_run.drive() == "done"
    assert in_run.entry().state is State.CONVERTED


@pytest.mark.slow
def test_a_comparison_that_is_killed_once_it_put_that_a_run_is_lost_has_asked_for_the_object(in_run: RunWorld) -> None:
    in_run.machine.end(next(iter(in_run.machine.executions)), ExecutionStatus.FAILED)
    genuine = in_run.queue.send

    def send_later_alone(requests: Iterable[Request], *, delay_seconds: int = 0) -> int:
        if not delay_seconds:
            raise ServiceUnavailable("killed")
        return genuine(requests, delay_seconds=delay_seconds)

    in_run.queue.send = send_later_alone  # type: ignore[method-assign] # what the comparison found is never sent
    with pytest.raises(ServiceUnavailable):
        compare(in_run)
    assert in_run.entry().state is State.FAILED

    in_run.answer_queue()

    assert in_run.drive() == "done"


def test_the_lost_run_of_a_folder_begins_again() -> None:
    world = folder_world(part_bytes=100)
    fill(world, 5)
    ask(world)
    world.phase(PhaseEvent(phase=Phase.PLAN, place=world.place()))
    world.machine.end(next(iter(world.machine.executions)), ExecutionStatus.ABORTED)

    compare(world)

    assert len(world.machine.executions) == 2
    assert world.drive() == "done"
    assert world.entry(FOLDER).rows.written == 5


def test_newer_bytes_take_the_object_from_a_run_that_is_at_work(in_run: RunWorld) -> None:
    in_run.store.put(SOURCE, to_csv() + b"99,00099,1,new,2026-11-01\n")

    compare(in_run)

    assert len(in_run.machine.executions) == 2
