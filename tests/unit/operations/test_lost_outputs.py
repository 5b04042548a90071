"""Whether outputs lie where they were written is asked of the buckets, and told of finished work alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from millrace.ledger.entries import State
from millrace.objects.references import ObjectRef
from millrace.objects.store import ObjectHead
from millrace.operations.lost_outputs import Loss, LostOutput, OutputChecker
from millrace.operations.reconcile import LOOK_AT_ONE_IN, Reconciler
from tests.configurations import bulk_sync
from tests.fakes import InMemoryCheckpoints, InMemoryLedger, InMemoryObjectStore
from tests.world import TARGET, World


def converted() -> World:
    world = World()
    world.one(world.upload())
    return world


def lost(world: World, store: InMemoryObjectStore | None = None, **parts: frozenset[str]) -> tuple[LostOutput, ...]:
    stores = {"landing": world.store, "lake": store or world.store}
    return OutputChecker(planner=world.planner, stores=stores, ledger=world.ledger, **parts).find_lost(world.entry())


def test_an_output_as_it_was_written_is_not_lost() -> None:
    assert lost(converted()) == ()


@pytest.mark.parametrize(("connection", "is_asked"), [("lake", True), ("landing", False)])
def test_only_the_destinations_that_may_be_asked_are_asked(connection: str, *, is_asked: bool) -> None:
    world = converted()
    world.store.delete(TARGET)

    assert bool(lost(world, connections=frozenset({connection}))) == is_asked


@pytest.mark.parametrize("state", [State.IN_FLIGHT, State.FAILED, State.REMOVED])
def test_outputs_of_work_that_is_not_done_are_not_looked_at(state: State) -> None:
    world = converted()
    world.store.delete(TARGET)
    entry = world.entry()
    world.ledger.put(replace(entry, state=state, revision=entry.revision + 1))

    assert lost(world) == ()


def test_a_sync_that_makes_nothing_of_the_object_any_more_has_lost_nothing() -> None:
    world = converted()
    world.store.delete(TARGET)
    world.syncs = (bulk_sync(to="json", schemas=["returns"]),)

    assert lost(world) == ()


@dataclass
class RewritingStore(InMemoryObjectStore):
    """While it is asked, a worker writes the output again, and settles."""

    ledger: InMemoryLedger | None = None

    def head(self, ref: ObjectRef) -> ObjectHead | None:
        """What was there before."""
        assert self.ledger is not None
        (entry,) = self.ledger.works()
        (output,) = entry.outputs
        self.ledger.put(replace(entry, revision=entry.revision + 1, outputs=(replace(output, etag="new"),)))
        return None


def test_what_is_written_again_while_it_is_looked_at_is_looked_at_the_next_time() -> None:
    world = converted()

    assert lost(world, RewritingStore(ledger=world.ledger)) == ()
    assert lost(world) == (LostOutput(TARGET, Loss.ALTERED),)


def snapshots() -> World:
    world = World(
        syncs=(bulk_sync(to="json", mode="snapshot"),), source={"is_single_table": True, "single_table_name": "t"}
    )
    world.one(world.upload(ref=ObjectRef("acme-in", "in/a.csv")))
    (target,) = world.store.buckets["acme-out"]
    world.store.delete(ObjectRef("acme-out", target))
    return world


@pytest.mark.parametrize(("state", "is_told"), [(State.CONVERTED, True), (State.IN_FLIGHT, False)])
def test_a_tables_output_is_told_of_when_the_table_is_done(state: State, *, is_told: bool) -> None:
    world = snapshots()
    source, table = ObjectRef("acme-in", "in/a.csv"), ObjectRef("acme-in", "in/t")
    entry = world.ledger.get_table("nightly", table)
    assert entry is not None
    world.ledger.put(replace(entry, state=state, revision=entry.revision + 1))
    stores = {"landing": world.store, "lake": world.store}
    checker = OutputChecker(planner=world.planner, stores=stores, ledger=world.ledger)

    assert bool(checker.find_lost(world.entry(source))) == is_told


def test_a_table_of_another_file_is_not_the_files_to_lose() -> None:
    """The other file has taken the table over, and this one's entry does not say so yet."""
    world = snapshots()
    source = ObjectRef("acme-in", "in/a.csv")
    entry = world.ledger.get_table("nightly", ObjectRef("acme-in", "in/t"))
    assert entry is not None
    world.ledger.put(replace(entry, file=ObjectRef("acme-in", "in/b.csv"), revision=entry.revision + 1))
    stores = {"landing": world.store, "lake": world.store}
    checker = OutputChecker(planner=world.planner, stores=stores, ledger=world.ledger)

    assert world.entry(source).state is State.CONVERTED
    assert checker.find_lost(world.entry(source)) == ()


def test_what_the_ledger_has_lost_since_it_was_listed_has_no_outputs_to_lose() -> None:
    world = converted()
    world.store.delete(TARGET)
    entry = world.entry()
    del world.ledger.entries[entry.stored_sync, entry.source]
    checker = OutputChecker(planner=world.planner, stores={"lake": world.store}, ledger=world.ledger)

    assert checker.find_lost(entry) == ()


def test_a_table_that_the_ledger_has_lost_has_no_outputs_to_lose() -> None:
    world = snapshots()
    table = world.ledger.get_table("nightly", ObjectRef("acme-in", "in/t"))
    assert table is not None
    del world.ledger.entries[table.stored_sync, table.source]
    stores = {"landing": world.store, "lake": world.store}
    checker = OutputChecker(planner=world.planner, stores=stores, ledger=world.ledger)

    assert checker.find_lost(world.entry(ObjectRef("acme-in", "in/a.csv"))) == ()


@pytest.mark.parametrize("is_lost", [True, False])
@pytest.mark.parametrize("is_looked_for", [True, False])
def test_the_comparison_counts_what_is_lost_and_asks_for_nothing(*, is_lost: bool, is_looked_for: bool) -> None:
    """It looks at one output in a hundred, at the next ones a minute later; who deleted it may have meant to."""
    world = converted()
    if is_lost:
        world.store.delete(TARGET)
    stores = {"landing": world.store, "lake": world.store}
    checker = OutputChecker(planner=world.planner, stores=stores, ledger=world.ledger)

    comparison = Reconciler(
        planner=world.planner,
        stores=stores,
        index=world.ledger,
        queues={"landing": world.queue},
        checkpoints=InMemoryCheckpoints(),
        now=lambda: world.now,
        outputs=checker if is_looked_for else None,
    )
    vanished = 0
    for _ in range(LOOK_AT_ONE_IN):
        vanished += comparison.run("nightly").to_json().get("vanished", 0)
        world.now += timedelta(minutes=1)

    assert vanished == (1 if is_lost and is_looked_for else 0)
    assert world.queue.sent == []
