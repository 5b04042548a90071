"""Who asks for a build, and when nobody has to."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from millrace.delivery.builds import DELAY_SECONDS
from millrace.errors import LostRace, ServiceUnavailable
from millrace.ledger.entries import STALE_MARK, Entry, Failure, State
from millrace.ledger.table_entries import AnyEntry
from millrace.objects.references import ChangeKind, ObjectRef
from millrace.planning.plans import SourceFile
from tests.fakes import InMemoryLedger
from tests.unit.delivery.test_builds import ModelWorld
from tests.world import NOON

FOLDER = ObjectRef("acme-in", "in/")
FILE = ObjectRef("acme-in", "in/a.csv")
SECOND = timedelta(seconds=1)
BUILD = Entry.unseen("nightly", FOLDER, fingerprint="f", engine="1")
FAILED = Failure.of(ServiceUnavailable("503"))


def world_with(build: Entry | None) -> ModelWorld:
    world = ModelWorld(model={"model_from": "multi_file_archive"})
    if build is not None:
        world.ledger.entries["nightly", FOLDER] = replace(build, revision=1)
    return world


@pytest.mark.parametrize(
    ("build", "is_asked"),
    [
        (None, True),
        (replace(BUILD, state=State.WAITING, started=NOON), False),
        (replace(BUILD, state=State.WAITING, started=NOON - STALE_MARK), False),
        (replace(BUILD, state=State.WAITING, started=NOON - STALE_MARK - SECOND), True),
        (replace(BUILD, state=State.WAITING, started=None), True),
        (replace(BUILD, state=State.IN_FLIGHT, lease_until=NOON + SECOND), False),
        (replace(BUILD, state=State.IN_FLIGHT, lease_until=NOON), True),
        (replace(BUILD, state=State.CONVERTED, started=NOON), True),
        (replace(BUILD, state=State.FAILED, failure=FAILED, started=NOON), True),
    ],
)
def test_a_build_is_asked_for_unless_it_is_at_work_or_was_asked_for_a_short_while_ago(
    build: Entry | None, *, is_asked: bool
) -> None:
    """The first file of a burst asks. A mark is not believed for ever: its message may be lost."""
    world = world_with(build)

    outcome = world.one(world.put(FILE.key, b"id\n1\n"))

    assert (outcome.result, outcome.acknowledge) == (State.WAITING, True)
    assert [request.change.ref for request in world.queue.sent] == ([FOLDER] if is_asked else [])
    assert world.queue.delays == ([DELAY_SECONDS] if is_asked else [])
    marked = world.entry(FOLDER)
    assert (marked.state is State.WAITING and marked.started == NOON) == (
        is_asked or (build is not None and build.state is State.WAITING and build.started == NOON)
    )


@pytest.mark.parametrize(
    ("file_state", "build", "is_asked"),
    [
        (State.WAITING, replace(BUILD, state=State.CONVERTED), True),
        (State.REMOVED, replace(BUILD, state=State.CONVERTED), True),
        (State.CONVERTED, replace(BUILD, state=State.CONVERTED), False),
        (State.FAILED, replace(BUILD, state=State.CONVERTED), False),
        (State.WAITING, replace(BUILD, state=State.WAITING, started=NOON - 9 * STALE_MARK), False),
        (State.WAITING, replace(BUILD, state=State.IN_FLIGHT, lease_until=NOON), False),
        (State.WAITING, replace(BUILD, state=State.FAILED, failure=FAILED), False),
        (State.WAITING, None, False),
    ],
)
def test_a_run_is_asked_for_again_if_it_was_over_before_its_file_was_written_down(
    file_state: State, build: Entry | None, *, is_asked: bool
) -> None:
    """Each writes first and reads then, so that one of the two sees the other."""
    world = world_with(build)
    request = world.event(FILE)
    (plan,) = world.planner.plan(FILE)
    assert isinstance(plan, SourceFile)
    settled = replace(Entry.unseen("nightly", FILE, fingerprint="f", engine="1"), state=file_state)

    world.worker.builds.ask_again(plan, request, settled)

    assert bool(world.queue.sent) == is_asked


class BusyLedger(InMemoryLedger):
    """Others are quicker to mark the build."""

    def put(self, entry: AnyEntry) -> None:
        """Refuse the mark."""
        if entry.source == FOLDER:
            raise LostRace("another file marked it")
        super().put(entry)


def test_a_file_that_cannot_ask_fails_and_comes_back() -> None:
    world = world_with(None)
    world.ledger = BusyLedger()

    outcome = world.one(world.put(FILE.key, b"id\n1\n"))

    assert (outcome.acknowledge, outcome.failure is not None and outcome.failure.is_lost_race) == (False, True)
    assert len(world.queue.sent) == 5


def test_a_deleted_file_is_removed_at_once_and_has_its_table_made_again() -> None:
    world = world_with(None)
    world.one(world.put(FILE.key, b"id\n1\n"))
    world.queue.sent.clear()
    world.now = NOON + 2 * STALE_MARK
    world.store.delete(FILE)

    outcome = world.one(world.event(FILE, kind=ChangeKind.REMOVED))

    assert outcome.result == State.REMOVED
    assert [request.change.ref for request in world.queue.sent] == [FOLDER]


class TestBuiltVersions:
    """A file whose version the table has is done, though a person asks for it; the build is asked all the same."""

    @staticmethod
    def built_world() -> ModelWorld:
        world = world_with(None)
        world.one(world.put(FILE.key, b"id\n1\n"))
        assert world.run_asked().state is State.CONVERTED
        world.queue.sent.clear()
        return world

    @staticmethod
    def wish(world: ModelWorld) -> State | str:
        return world.one(replace(world.event(FILE), run_id="20270101T000000Z")).result

    def test_it_does_not_wait(self) -> None:
        world = self.built_world()

        assert self.wish(world) == State.CONVERTED
        assert [request.change.ref for request in world.queue.sent] == [FOLDER]

    def test_a_newer_version_waits(self) -> None:
        world = self.built_world()

        assert world.one(world.put(FILE.key, b"id\n2\n")).result == State.WAITING
        assert [request.change.ref for request in world.queue.sent] == [FOLDER]

    def test_one_that_was_never_built_waits_whoever_asks(self) -> None:
        world = world_with(None)
        world.put(FILE.key, b"id\n1\n")

        assert self.wish(world) == State.WAITING


class TestOldFiles:
    """What `newer_than` leaves out asks for nothing."""

    @pytest.mark.parametrize(
        ("modified", "expected"),
        [(NOON, State.IGNORED), (NOON - SECOND, State.IGNORED), (NOON + SECOND, State.WAITING)],
    )
    def test_a_file_of_that_time_or_before_is_ignored(self, modified: datetime, expected: State) -> None:
        world = world_with(None)
        world.model |= {"newer_than": NOON.isoformat()}
        world.store.modified = modified

        outcome = world.one(world.upload(b"id\n1\n", FILE))

        assert outcome.result == expected
        assert bool(world.queue.sent) == (expected is State.WAITING)
        if expected is State.IGNORED:
            assert world.entry(FILE).reason == "newer_than leaves the object out"

    def test_one_that_is_gone_has_no_time(self) -> None:
        world = world_with(None)
        world.model |= {"newer_than": NOON.isoformat()}
        world.store.modified = NOON + SECOND
        world.one(world.upload(b"id\n1\n", FILE))

        assert world.one(world.delete(FILE)).result == State.REMOVED
