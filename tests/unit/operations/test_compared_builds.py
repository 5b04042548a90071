"""A model folder's build in the comparison and in the audit: asked for if nobody does it, or its files are others."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from millrace.ledger.entries import State
from millrace.objects.messages import Request
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef
from millrace.operations.audit import Auditor, Standing
from millrace.operations.reconcile import Reconciler
from tests.fakes import InMemoryCheckpoints
from tests.unit.delivery.test_builds import ModelWorld

FOLDER = ObjectRef("acme-in", "in/crm/")
BAD = ObjectRef("acme-in", "in/crm/bad.csv")


def build(*files: tuple[str, bytes]) -> ModelWorld:
    """A folder whose files have asked for a build, which has run."""
    world = ModelWorld(model={"model_from": "multi_file_archive", "subfolder": "crm"})
    for key, data in files:
        world.one(world.put(key, data))
    world.run_asked()
    world.queue.sent.clear()
    world.now += timedelta(hours=2)
    return world


def compare(world: ModelWorld) -> list[str]:
    """Keys that a comparison asks for."""
    reconciler = Reconciler(
        planner=world.planner,
        stores={"landing": world.store},
        index=world.ledger,
        queues={"landing": world.queue},
        checkpoints=InMemoryCheckpoints(),
        now=lambda: world.now,
    )
    reconciler.run("nightly")
    return [request.change.ref.key for request in world.queue.sent]


def audit(world: ModelWorld) -> dict[str, str]:
    """Where each key stands."""
    auditor = Auditor(planner=world.planner, stores={"landing": world.store}, index=world.ledger)
    audited = auditor.audit(world.planner.active_sync("nightly"), world.now)
    return {item.key: str(item.standing) for item in audited}


@pytest.fixture
def failed() -> ModelWorld:
    """One of its files cannot be converted."""
    world = build(("in/crm/a.csv", b"id\n1\n"), (BAD.key, b"id\n1,2\n"))
    assert world.entry(FOLDER).state is State.FAILED
    return world


def test_one_that_failed_is_left_alone_while_its_files_are_the_same(failed: ModelWorld) -> None:
    assert compare(failed) == []
    assert audit(failed)[FOLDER.key] == State.FAILED


def test_one_that_failed_is_asked_for_if_the_bad_file_is_gone_and_nobody_heard(failed: ModelWorld) -> None:
    entry = failed.entry(BAD)
    failed.ledger.entries.pop((entry.stored_sync, BAD))
    failed.store.delete(BAD)

    assert compare(failed) == [FOLDER.key]

    failed.run_asked()
    assert failed.entry(FOLDER).state is State.CONVERTED
    assert failed.entry(ObjectRef("acme-in", "in/crm/a.csv")).state is State.CONVERTED


def test_one_over_which_workers_died_is_left_alone_while_its_files_are_the_same(failed: ModelWorld) -> None:
    entry = failed.entry(FOLDER)
    deadly = replace(
        entry,
        revision=entry.revision + 1,
        state=State.IN_FLIGHT,
        failure=None,
        build=replace(entry.build, refused_etag=None),
        deaths=2,
        lease_until=failed.now,
    )
    failed.ledger.put(deadly)
    failed.one(Request(change=ObjectChange(kind=ChangeKind.CREATED, ref=FOLDER), sync="nightly"), "killer")
    crash = failed.entry(FOLDER).failure
    assert crash is not None
    assert crash.error == "Crashed"

    assert compare(failed) == []
    failed.store.delete(BAD)
    assert FOLDER.key in compare(failed)


@pytest.mark.parametrize(
    ("state", "hours", "is_readable", "is_asked"),
    [
        (State.WAITING, 0, True, True),
        (State.WAITING, -2, True, False),
        (State.WAITING, 0, False, False),
        (State.CONVERTED, 0, True, False),
    ],
    ids=["left out", "its build is just over", "archived since", "in the table"],
)
def test_a_file_that_the_last_table_left_out_is_asked_for(
    state: State, hours: int, *, is_readable: bool, is_asked: bool
) -> None:
    """It was deleted when the build listed its folder, and undeleted, and the news of both are lost."""
    world = build(("in/crm/a.csv", b"id\n1\n"))
    file = ObjectRef("acme-in", "in/crm/a.csv")
    entry = world.entry(file)
    world.ledger.put(replace(entry, revision=entry.revision + 1, state=state))
    world.now += timedelta(hours=hours)
    world.store.is_readable = is_readable

    assert compare(world) == ([file.key] if is_asked else [])


def test_one_that_waits_is_asked_for_only_when_its_message_must_be_lost() -> None:
    """The index of a sync's keys does not say since when it waits: the entry itself is read."""
    world = build(("in/crm/a.csv", b"id\n1\n"))
    world.one(world.put("in/crm/b.csv", b"id\n2\n"))
    world.queue.sent.clear()
    assert world.entry(FOLDER).state is State.WAITING

    soon, world.now = (compare(world), audit(world)[FOLDER.key]), world.now + timedelta(hours=2)

    assert soon == ([], State.WAITING)
    assert compare(world) == [FOLDER.key]
    assert audit(world)[FOLDER.key] == Standing.UNACCOUNTED


def test_an_object_outside_of_the_model_hides_no_other_from_an_audit() -> None:
    world = build(("in/crm/b.csv", b"id\n1\n"))
    world.put("in/a.csv", b"id\n1\n")

    assert audit(world) == {FOLDER.key: State.CONVERTED, "in/crm/b.csv": State.CONVERTED}


def test_one_that_failed_before_and_whose_worker_died_now_is_asked_for(failed: ModelWorld) -> None:
    """The files may be those that were refused: a person asked for the run, and its message is lost."""
    entry = failed.entry(FOLDER)
    assert entry.build.refused_etag is not None
    lease = failed.now - timedelta(hours=2)
    failed.ledger.put(replace(entry, revision=entry.revision + 1, state=State.IN_FLIGHT, lease_until=lease))

    assert compare(failed) == [FOLDER.key]


def test_a_file_whose_build_is_not_in_the_ledger_hinders_no_comparison() -> None:
    """Somebody has deleted the build's entry; what was lost besides is asked for all the same."""
    world = build(("in/crm/a.csv", b"id\n1\n"))
    world.one(world.put("in/crm/b.csv", b"id\n2\n"))
    world.put("in/crm/c.csv", b"id\n3\n")
    world.queue.sent.clear()
    world.put(FOLDER.key, b"")
    world.queue.sent.clear()
    world.ledger.entries.pop(("nightly", FOLDER))

    assert compare(world) == ["in/crm/c.csv"]
