"""What the simulator found wrong, and was mended: each in the smallest world that showed it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from millrace.ledger.entries import State
from millrace.ledger.rules import MOST_DEATHS
from millrace.objects.messages import Request, compose_message
from millrace.objects.references import ChangeKind, ObjectChange
from tests.simulation import light, promises, schedules
from tests.simulation.buckets import KILLER
from tests.simulation.faults import Fault
from tests.simulation.files import to_file
from tests.simulation.setups import SYNC, Setup, SetupKind
from tests.simulation.test_losses import kept, output, quiet, rows, state
from tests.simulation.world import SimulatedWorld

FIRST_WAIT = 30.0
"""Seconds until a message that failed is seen again."""


@pytest.fixture(autouse=True)
def lightly() -> Iterator[None]:
    with light.in_place():
        yield


def wait(seconds: float) -> Callable[[SimulatedWorld], None]:
    return lambda world: schedules.wait(seconds, world)


def write(key: str, data: bytes) -> Callable[[SimulatedWorld], None]:
    return lambda world: world.sources.write(key, data)


def delete(key: str) -> Callable[[SimulatedWorld], None]:
    return lambda world: world.sources.delete(key)


def send(body: str) -> Callable[[SimulatedWorld], None]:
    def act(world: SimulatedWorld) -> None:
        world.queue.add(body)

    return act


def test_an_output_whose_worker_was_killed_before_it_settled_goes_with_its_source() -> None:
    world = quiet(Setup(SetupKind.REPLICATE, remove=True))
    world.calls.planned.append(("s3:PutObject", "lake/a", Fault.KILLED_AFTER))
    world.script = [write("in/a.csv", rows("x")), wait(60.0), delete("in/a.csv")]

    world.run()

    assert promises.held(world) == {}
    kept(world)


def test_cleaning_up_takes_no_partition_that_came_back_meanwhile() -> None:
    world = quiet(Setup(SetupKind.PARTITIONED))
    world.calls.answers = (200.0,)
    world.calls.planned.append(("s3:DeleteObject", "part=x", Fault.SLOW))
    world.script = [
        write("in/a.csv", rows("x", "y", version=1)),
        wait(60.0),
        write("in/a.csv", rows("y", version=2)),
        wait(60.0),
        write("in/a.csv", rows("x", "y", version=3)),
    ]

    world.run()

    assert output(world, "a/part=x/a.jsonl") == b'{"id":1,"part":"x","version":3}\n'
    kept(world)


def test_a_rebuild_takes_no_partition_for_all_of_them() -> None:
    """SEED=227654: one of two was published, its worker killed, the ledger lost; then the message came back."""
    world = quiet(Setup(SetupKind.PARTITIONED))
    world.calls.planned.append(("s3:PutObject", "part=x", Fault.KILLED_AFTER))
    world.script = [write("in/a.csv", rows("x", "y")), wait(60.0)]
    world.script += [lambda world: world.ledger.held.entries.clear(), lambda world: world.rebuild()]

    world.run()

    assert not world.calls.planned
    assert output(world, "a/part=x/a.jsonl") == b'{"id":1,"part":"x","version":1}\n'
    assert output(world, "a/part=y/a.jsonl") == b'{"id":2,"part":"y","version":1}\n'


def test_a_cleanup_that_fails_is_done_again() -> None:
    world = quiet(Setup(SetupKind.PARTITIONED))
    world.calls.planned.append(("s3:DeleteObject", "part=x", Fault.FAILED))
    world.script = [write("in/a.csv", rows("x", "y")), wait(60.0), write("in/a.csv", rows("y"))]

    world.run()

    assert output(world, "a/part=x/a.jsonl") is None
    kept(world)


def test_a_copy_of_a_message_is_kept_while_the_work_is_in_flight() -> None:
    world = quiet()
    world.calls.planned.append(("dynamodb:PutItem", "in flight", Fault.KILLED_AFTER))
    world.sources.write("in/a.csv", rows("x"))
    world.script = [wait(60.0), lambda world: world.queue.messages.clear(), _send_anew]

    world.run()

    assert state(world, "in/a.csv") is State.CONVERTED
    kept(world)


def test_a_restore_that_is_heard_of_before_its_version_is_not_taken_for_done() -> None:
    """The event of the version itself is older by then, and asks for nothing."""
    world = quiet()
    world.sources.write("in/a.csv", rows("x", version=1))
    world.run()
    world.sources.write("in/a.csv", rows("y", version=2))
    late = world.sources.on_the_way.pop()
    world.sources.archive("in/a.csv")
    world.sources.restore("in/a.csv")
    world.run()
    world.queue.add(late.body)

    world.run()

    assert output(world, "a.jsonl") == b'{"id":1,"part":"y","version":2}\n'
    kept(world)


@pytest.mark.parametrize("kind", [SetupKind.REPLICATE, SetupKind.SNAPSHOT, SetupKind.SHARED])
def test_a_worker_whose_ledger_refuses_to_write_down_what_came_of_its_work_is_not_dead(kind: SetupKind) -> None:
    world = quiet(Setup(kind))
    world.calls.planned += [("dynamodb:PutItem", "in/a.csv (nightly) -> converted", Fault.FAILED)] * 4
    world.sources.write("in/a.csv", rows("x"))

    world.run()

    assert world.faults.done[Fault.FAILED, "dynamodb:PutItem"] == 4
    assert state(world, "in/a.csv") is State.CONVERTED
    kept(world)


def test_a_run_killed_before_it_wrote_its_files_down_goes_on_with_them() -> None:
    """SEED=104523."""
    world = quiet(Setup(SetupKind.RUN))
    world.sources.write("in/a.csv", rows("x"))
    world.sources.on_the_way[0].due = 600.0
    world.calls.planned.append(("dynamodb:PutItem", "in/ (nightly) -> converted", Fault.KILLED_AFTER))
    world.script = [lambda world: world.reprocess()]

    world.run()

    assert state(world, "in/a.csv") is State.CONVERTED
    kept(world)


def test_a_file_that_failed_is_known_by_the_bytes_that_were_read() -> None:
    """SEED=304712: earlier bytes, whose event was slow, come back, and nothing tells of it."""
    world = quiet()
    first = rows("x")
    world.sources.write("in/a.csv", first)
    world.sources.write("in/a.csv", light.HEADER + b"1,x\n")
    world.sources.on_the_way.pop()
    world.run()
    assert state(world, "in/a.csv") is State.FAILED
    world.sources.write("in/a.csv", first)
    world.sources.on_the_way.clear()

    world.clock.now += 4000.0
    world.reconcile()
    world.run()

    assert output(world, "a.jsonl") == b'{"id":1,"part":"x","version":1}\n'
    kept(world)


@pytest.mark.parametrize("kind", [SetupKind.REPLICATE, SetupKind.SNAPSHOT, SetupKind.SHARED])
def test_a_restore_whose_event_is_lost_is_found_by_the_comparison(kind: SetupKind) -> None:
    world = quiet(Setup(kind))
    world.sources.write("in/a.csv", rows("x"))
    world.sources.archive("in/a.csv")
    world.run()
    assert state(world, "in/a.csv") is State.WAITING
    world.sources.restore("in/a.csv")
    world.sources.on_the_way.clear()

    world.clock.now += 4000.0
    world.reconcile()
    world.run()

    assert state(world, "in/a.csv") is State.CONVERTED
    kept(world)


def test_what_failed_for_a_while_in_a_restored_ledger_is_asked_for_when_its_message_must_be_gone() -> None:
    world = quiet(Setup(SetupKind.REPLICATE))
    world.calls.planned.append(("s3:GetObject", "in/a.", Fault.DENIED))
    world.script = [write("in/a.csv", rows("x")), wait(20.0), _copy_ledger, wait(600.0), _restore_copy]
    world.run()
    assert state(world, "in/a.csv") is State.FAILED

    for days in (8, 2):
        assert state(world, "in/a.csv") is State.FAILED
        world.clock.now += days * 86_400.0
        world.reconcile()
        world.run()

    assert state(world, "in/a.csv") is State.CONVERTED
    kept(world)


def test_what_is_again_as_an_old_copy_knows_gets_its_output_back() -> None:
    world = quiet(Setup(SetupKind.REPLICATE))
    first, between = rows("x"), rows("y", version=2)
    world.script = [write("in/a.csv", first), wait(20.0), _copy_ledger, write("in/a.csv", between), wait(600.0)]
    world.script += [_restore_copy, write("in/a.csv", first), wait(600.0)]
    world.run()
    assert promises.violations(world), "the ledger believes that all is done"

    world.restore_outputs()
    world.run()

    kept(world)


def _copy_ledger(world: SimulatedWorld) -> None:
    world.yesterday = dict(world.ledger.held.entries)


def _restore_copy(world: SimulatedWorld) -> None:
    world.ledger.restore(world.yesterday)


def test_files_do_not_wait_for_a_bad_one_that_came_and_went_unheard() -> None:
    world = quiet(Setup(SetupKind.RUN))
    world.sources.write("in/a.csv", rows("x"))
    world.sources.write("in/b.csv", light.HEADER + b"1,x\n")
    world.sources.on_the_way.pop()
    world.run()
    assert state(world, "in/a.csv") is State.WAITING
    world.sources.delete("in/b.csv")
    world.sources.on_the_way.clear()

    world.clock.now += 4000.0
    world.reconcile()
    world.run()

    assert state(world, "in/a.csv") is State.CONVERTED
    kept(world)


def _send_anew(world: SimulatedWorld) -> None:
    world.queue.add(world.sources.told[0])


def test_a_snapshot_table_takes_the_later_of_two_versions_of_one_second() -> None:
    world = quiet(Setup(SetupKind.SNAPSHOT))
    world.clock.now, world.paces = 0.1, (0.02,)
    world.script = [write("in/a.csv", rows("x", version=1)), wait(0.6), write("in/a.csv", rows("y", version=2))]

    world.run()

    assert output(world, "orders/orders.jsonl") == b'{"id":1,"part":"y","version":2}\n'
    kept(world)


def test_the_same_bytes_again_make_a_file_the_newest_of_its_snapshot_table() -> None:
    world = quiet(Setup(SetupKind.SNAPSHOT))
    world.script = [
        write("in/a.csv", rows("x", version=1)),
        wait(60.0),
        write("in/b.csv", rows("y", version=2)),
        wait(60.0),
        write("in/a.csv", rows("x", version=1)),
    ]

    world.run()

    assert output(world, "orders/orders.jsonl") == b'{"id":1,"part":"x","version":1}\n'
    kept(world)


def test_who_takes_a_table_over_from_the_dead_asks_for_its_newest_file() -> None:
    """SEED=702775: an old version of its file came back, and the worker died before it asked for the others."""
    world = quiet(Setup(SetupKind.SNAPSHOT, remove=True), versioned=True)
    world.script = [write("in/a.csv", rows("x")), wait(60.0), unheard(write("in/c.csv", rows("z"))), wait(60.0)]
    world.script += [write("in/b.csv", rows("y")), wait(60.0), write("in/a.csv", rows("x", "x")), wait(60.0)]
    world.script += [_kill_who_asks, lambda world: world.sources.remove_newest("in/a.csv"), wait(1800.0)]
    world.script += [_send_event_of_c, wait(60.0), delete("in/a.csv")]

    world.run()

    assert not world.calls.planned
    assert output(world, "orders/orders.jsonl") == b'{"id":1,"part":"y","version":1}\n'
    kept(world)


def _kill_who_asks(world: SimulatedWorld) -> None:
    world.calls.planned.append(("sqs:SendMessage", "in/b.csv", Fault.KILLED_BEFORE))


def _send_event_of_c(world: SimulatedWorld) -> None:
    world.queue.add(next(body for body in world.sources.told if "c.csv" in body))


def _send_first_event(world: SimulatedWorld) -> None:
    world.queue.add(world.sources.told[0])


@pytest.mark.parametrize("newest", ["in/a.csv", "in/b.csv"])
def test_without_its_ledger_a_snapshot_table_is_not_left_to_a_version_that_is_gone(newest: str) -> None:
    """SEED=522497: the ledger is lost, and the version that the table is made of is deleted; an older one is back."""
    world = quiet(Setup(SetupKind.SNAPSHOT, remove=True), versioned=True)
    writes = [("in/a.csv", "x"), (newest, "y"), (newest, "z")]
    world.script = [act for key, part in writes for act in (write(key, rows(part)), wait(60.0))]
    world.script += [
        lambda world: world.ledger.restore({}),
        lambda world: world.sources.remove_newest(newest),
    ]

    world.run()

    assert output(world, "orders/orders.jsonl") == b'{"id":1,"part":"y","version":1}\n'


def test_without_its_ledger_a_snapshot_table_is_not_left_to_a_file_that_is_gone() -> None:
    world = quiet(Setup(SetupKind.SNAPSHOT, remove=True))
    world.script = [write("in/a.csv", rows("x")), wait(60.0), write("in/b.csv", rows("y")), wait(60.0)]
    world.script += [
        lambda world: world.ledger.restore({}),
        lambda world: world.sources.delete("in/b.csv"),
        _send_first_event,
    ]

    world.run()

    assert output(world, "orders/orders.jsonl") == b'{"id":1,"part":"x","version":1}\n'


def test_without_its_ledger_a_snapshot_table_stays_its_newest_files() -> None:
    world = quiet(Setup(SetupKind.SNAPSHOT, remove=True))
    world.script = [write("in/a.csv", rows("x")), wait(60.0), write("in/b.csv", rows("y")), wait(60.0)]
    world.script += [
        lambda world: world.ledger.restore({}),
        _send_first_event,
    ]

    world.run()

    assert state(world, "in/a.csv") is State.SUPERSEDED
    assert output(world, "orders/orders.jsonl") == b'{"id":1,"part":"y","version":1}\n'


def test_a_newer_file_that_cannot_be_converted_supersedes_none() -> None:
    world = quiet(Setup(SetupKind.SNAPSHOT))
    world.sources.write("in/a.csv", rows("x"))
    world.sources.on_the_way[0].due = 120.0
    world.script = [wait(60.0), write("in/b.csv", light.HEADER + b"1,x\n")]

    world.run()

    assert output(world, "orders/orders.jsonl") == b'{"id":1,"part":"x","version":1}\n'
    assert (state(world, "in/a.csv"), state(world, "in/b.csv")) == (State.CONVERTED, State.FAILED)


def test_what_a_file_published_before_its_tables_format_was_decided_goes_if_it_waits_for_a_restore() -> None:
    world = quiet(Setup(SetupKind.MIXED))
    first = world.setup.keys[0]
    world.calls.planned.append(("s3:PutObject", "lake/eu/a.", Fault.KILLED_AFTER))
    world.script = [write(first, rows("x")), wait(60.0), lambda world: world.sources.archive(first)]

    world.run()

    assert state(world, first) is State.WAITING
    assert promises.held(world) == {}
    kept(world)


def test_a_quarantined_row_of_an_archive_names_its_member() -> None:
    world = quiet(Setup(SetupKind.ARCHIVE, quarantine=True))
    world.script = [write("in/a.zip", to_file("in/a.zip", ["1,x,7", "8,x", "3,z,7"]))]

    world.run()

    assert output(world, "_quarantine/a/x.jsonl") == b"x.csv: 8,x\n"
    kept(world)


def test_a_deletion_during_a_run_is_not_taken_for_done() -> None:
    world = quiet(Setup(SetupKind.RUN))
    world.calls.answers = (40.0,)
    world.calls.planned.append(("s3:PutObject", "lake/orders", Fault.SLOW))
    world.script = [write("in/a.csv", rows("x")), wait(80.0), delete("in/a.csv")]

    world.run()

    assert output(world, "orders.jsonl") == b""
    kept(world)


def test_a_run_killed_after_it_published_is_not_taken_for_unchanged() -> None:
    world = quiet(Setup(SetupKind.RUN))
    first = rows("x", version=1)
    world.script = [write("in/a.csv", first), wait(200.0), _kill_the_next_run, write("in/a.csv", rows("y", version=2))]
    world.script += [wait(100.0), write("in/a.csv", first)]

    world.run()

    assert output(world, "orders.jsonl") == b'{"id":1,"part":"x","version":1}\n'
    kept(world)


def _kill_the_next_run(world: SimulatedWorld) -> None:
    world.calls.planned.append(("s3:PutObject", "lake/orders", Fault.KILLED_AFTER))


def test_a_lost_run_is_asked_for_again_by_the_comparison() -> None:
    world = quiet(Setup(SetupKind.RUN))
    world.sources.write("in/a.csv", rows("x"))
    world.script = [wait(30.0), lambda world: world.queue.messages.clear()]
    world.run()
    assert state(world, "in/a.csv") is State.WAITING

    world.clock.now += 4000.0
    world.reconcile()
    world.run()

    assert state(world, "in/a.csv") is State.CONVERTED
    kept(world)


@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.TRIED_TWICE])
@pytest.mark.parametrize("put", ["in flight", "converted"])
def test_a_put_whose_answer_was_lost_is_believed(fault: Fault, put: str) -> None:
    world = quiet()
    world.calls.planned.append(("dynamodb:PutItem", put, fault))
    world.sources.write("in/a.csv", rows("x"))

    world.run()

    assert state(world, "in/a.csv") is State.CONVERTED
    assert world.clock.now < FIRST_WAIT
    assert len(world.buckets.written) == 1


def test_a_deleted_file_removes_no_table_that_is_another_files_by_now() -> None:
    """SEED=103105: the file is deleted while its table is made of it, and another is quicker than its removal."""
    world = quiet(Setup(SetupKind.SNAPSHOT, remove=True))
    world.calls.answers = (20.0,)
    world.calls.planned += [
        ("s3:GetObject range", "in/a.csv", Fault.SLOW),
        ("dynamodb:PutItem", "(nightly#table) -> in flight, revision 3", Fault.SLOW),
    ]
    world.script = [write("in/a.csv", rows("x", version=1)), wait(5.0), delete("in/a.csv"), wait(25.0)]
    world.script += [write("in/b.csv", rows("y", version=2))]

    world.run()

    assert not world.calls.planned
    assert output(world, "orders/orders.jsonl") == b'{"id":1,"part":"y","version":2}\n'
    assert state(world, "in/a.csv") is State.REMOVED
    kept(world)


def test_an_output_that_goes_while_its_source_comes_back_is_made_again() -> None:
    """SEED=100373: the worker was right to delete it, which the promise did not see in the version's time."""
    world = quiet(Setup(SetupKind.REPLICATE, remove=True), versioned=True)
    world.calls.answers = (200.0,)
    world.calls.planned.append(("s3:DeleteObject", "lake/a", Fault.SLOW))
    world.script = [write("in/a.csv", rows("x")), wait(60.0), delete("in/a.csv"), wait(100.0)]
    world.script += [lambda world: world.sources.remove_newest("in/a.csv")]

    world.run()

    assert not world.calls.planned
    assert output(world, "a.jsonl") == b'{"id":1,"part":"x","version":1}\n'
    kept(world)


def test_a_run_over_a_deleted_file_that_its_table_would_refuse_leaves_it_removed() -> None:
    """SEED=102528: the run asked for it before it was deleted, and its message came after the deletion's."""
    world = quiet(Setup(SetupKind.MIXED, remove=True))
    first, other = world.setup.keys[:2]
    world.script = [write(first, rows("x")), wait(60.0), write(other, to_file(other, ["1,y,2"])), wait(60.0)]
    world.script += [delete(other), wait(60.0), lambda world: world.reprocess(keys=(other,))]

    world.run()

    assert state(world, other) is State.REMOVED
    kept(world)


def test_a_listing_of_a_deleted_file_leaves_it_removed_from_its_model() -> None:
    """The comparison listed it before it was deleted, and its message came after the deletion's."""
    world = quiet(Setup(SetupKind.RUN))
    world.script = [write("in/a.csv", rows("x")), write("in/b.csv", rows("y")), wait(300.0)]
    world.run()
    listed = promises.entry(world, "in/b.csv")
    assert listed is not None
    change = ObjectChange(kind=ChangeKind.CREATED, ref=listed.source, etag="another")
    body = compose_message(Request(change=change, sync=SYNC))
    world.script = [delete("in/b.csv"), wait(300.0), send(body)]

    world.run()

    assert state(world, "in/b.csv") is State.REMOVED
    kept(world)


def test_an_object_that_kills_is_given_up_though_its_event_and_a_run_ask_by_turns() -> None:
    """SEED=114738: each of the run's receipts was news, so no three deaths were in a row."""
    world = quiet()
    world.script = [write("in/a.csv", rows("x") + KILLER), wait(60.0), lambda world: world.reprocess()]

    world.run()

    entry = promises.entry(world, "in/a.csv")
    assert entry is not None
    assert entry.failure is not None
    assert entry.failure.error == "Crashed"
    # The event's first work was before the run asked. Then three die and the fourth gives up, for each of the two.
    assert entry.fence <= 1 + 2 * (MOST_DEATHS + 1)
    assert not world.queue.dead
    kept(world)


def test_an_object_that_kills_is_given_up_though_two_messages_name_other_bytes_of_it_by_turns() -> None:
    """SEED=604359: the event of a version was late, and a comparison had listed the next one."""
    world = quiet(Setup(SetupKind.SNAPSHOT))
    world.script = [unheard(write("in/a.csv", rows("x"))), unheard(write("in/a.csv", rows("y") + KILLER))]
    world.script += [lambda world: world.reconcile(), wait(900.0), _send_first_event]

    world.run()

    entry = promises.entry(world, "in/a.csv")
    assert entry is not None
    assert entry.failure is not None
    assert entry.failure.error == "Crashed"
    assert not world.queue.dead


def test_a_file_that_was_away_while_its_table_was_made_is_found_by_the_comparison() -> None:
    """SEED=113878: the events of its deletion and of its undeletion are lost."""
    world = quiet(Setup(SetupKind.RUN), versioned=True)
    world.script = [write("in/a.csv", rows("x")), write("in/b.csv", rows("y", version=2)), wait(20.0)]
    world.script += [unheard(delete("in/a.csv")), wait(300.0)]
    world.run()
    assert state(world, "in/a.csv") is State.WAITING
    unheard(lambda world: world.sources.remove_newest("in/a.csv"))(world)

    world.clock.now += 4000.0
    world.reconcile()
    world.run()

    assert state(world, "in/a.csv") is State.CONVERTED
    kept(world)


def test_a_bad_version_with_an_older_time_leaves_the_table_to_the_newest_file() -> None:
    """SEED=247135: the version before it, which is no more, went on superseding the other file."""
    world = quiet(Setup(SetupKind.SNAPSHOT))
    bad = light.HEADER + b"1,x\n"
    world.script = [wait(3600.0), write("in/b.csv", rows("y", version=1)), wait(60.0)]
    world.script += [write("in/a.csv", rows("x", version=2)), wait(60.0)]
    world.script += [lambda world: world.sources.write("in/a.csv", bad, begun=world.clock.now - 3000.0)]

    world.run()

    assert output(world, "orders/orders.jsonl") == b'{"id":1,"part":"y","version":1}\n'
    assert (state(world, "in/a.csv"), state(world, "in/b.csv")) == (State.FAILED, State.CONVERTED)
    kept(world)


def test_deletions_wait_for_their_table_without_a_dead_letter() -> None:
    """SEED=206104: the wait was taken for races that were lost, and each of those counted as an attempt."""
    world = quiet(Setup(SetupKind.SNAPSHOT, remove=True))
    world.workers = 3
    world.calls.answers = (800.0,)
    world.calls.planned.append(("s3:GetObject range", "in/a.csv", Fault.SLOW))
    world.script = [write("in/a.csv", rows("x")), wait(5.0), write("in/b.csv", rows("y", version=2))]
    world.script += [unheard(write("in/ab.csv", rows("z", version=3))), delete("in/ab.csv")]

    world.run()

    assert not world.calls.planned
    assert not world.queue.dead
    assert state(world, "in/ab.csv") is State.REMOVED
    kept(world)


def unheard(act: Callable[[SimulatedWorld], None]) -> Callable[[SimulatedWorld], None]:
    """The same, but its event is lost."""

    def act_unheard(world: SimulatedWorld) -> None:
        act(world)
        world.sources.on_the_way.pop()

    return act_unheard
