"""What a hostile look found, each in the smallest world that shows it; the numbers are those of ``docs/faults.md``.

A scenario whose rule has not landed is marked with ``waiting_for``; whoever lands the rule removes the mark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from unittest.mock import patch

import pytest

from millrace.delivery import table_conversion
from millrace.errors import MalformedFile
from millrace.ledger.entries import State
from tests.simulation import light, promises
from tests.simulation.buckets import FORBIDDEN, KILLER
from tests.simulation.faults import Fault
from tests.simulation.files import to_file
from tests.simulation.setups import Change, Setup, SetupKind
from tests.simulation.sources import source
from tests.simulation.test_finds import delete, wait, write
from tests.simulation.test_losses import kept, output, quiet, rows, state
from tests.simulation.world import SimulatedWorld

HOUR = 3600.0


def waiting_for(finding: int) -> pytest.MarkDecorator:
    """Its rule has not landed."""
    return pytest.mark.xfail(strict=True, reason=f"finding {finding}: its rule has not landed")


@pytest.fixture(autouse=True)
def lightly() -> Iterator[None]:
    with light.in_place():
        yield


def crowd(count: int, *, seconds: float = 0.0, kind: SetupKind = SetupKind.REPLICATE) -> SimulatedWorld:
    """Objects in a queue that gives ten at once to five workers."""
    world = quiet(Setup(kind, more=count - 3))
    world.batch, world.workers, world.fills_batches = 10, 5, True
    world.sources.durations = (seconds,)
    world.script = [write(key, rows("x", version=number)) for number, key in enumerate(world.setup.keys)]
    return world


def states(world: SimulatedWorld) -> list[State]:
    return [state(world, key) for key in world.setup.keys]


def do(act: str) -> Callable[[SimulatedWorld], None]:
    """What a user or an operator does, by the name of the world's method."""
    return lambda world: getattr(world, act)()


# 1 Receipts are not attempts


def test_sixty_objects_of_five_minutes_in_batches_of_ten_leave_no_dead_letter() -> None:
    world = crowd(60, seconds=300.0)
    world.workers = 2

    world.run()

    assert states(world) == [State.CONVERTED] * 60
    assert not world.queue.dead
    kept(world)


def test_ten_files_of_one_snapshot_table_wait_for_each_other_without_a_dead_letter() -> None:
    world = crowd(10, seconds=600.0, kind=SetupKind.SNAPSHOT)

    world.run()

    assert not world.queue.dead
    kept(world)


def test_files_that_change_while_their_run_is_at_work_leave_no_dead_letter() -> None:
    world = quiet(Setup(SetupKind.RUN, more=3))
    world.sources.durations = (285.0,)
    world.script = [write(key, rows("x")) for key in world.setup.keys[:3]]
    world.script += [wait(100.0), _write_short_files]

    world.run()

    assert not world.queue.dead
    kept(world)


def _write_short_files(world: SimulatedWorld) -> None:
    world.sources.durations = (0.0,)
    for key in world.setup.keys[3:]:
        world.sources.write(key, rows("y"))


# 2 Suspects work alone


def test_a_killer_among_forty_costs_itself_alone() -> None:
    world = crowd(41)
    world.script[20] = write(world.setup.keys[20], rows("x") + KILLER)

    world.run()

    good = [key for key in world.setup.keys if key != world.setup.keys[20]]
    assert [state(world, key) for key in good] == [State.CONVERTED] * 40
    killer = promises.entry(world, world.setup.keys[20])
    assert killer is not None
    assert killer.state is State.FAILED
    assert killer.failure is not None
    assert killer.failure.error == "Crashed"
    assert not world.queue.dead
    kept(world)


# 4 Snapshot tables by version


def test_a_later_version_whose_upload_began_earlier_becomes_the_table() -> None:
    world = quiet(Setup(SetupKind.SNAPSHOT))
    world.clock.now = HOUR
    world.script = [write("in/a.csv", rows("x", version=1)), wait(60.0), _upload_begun_before]

    world.run()

    assert output(world, "orders/orders.jsonl") == b'{"id":1,"part":"y","version":2}\n'
    kept(world)


def _upload_begun_before(world: SimulatedWorld) -> None:
    """A multipart upload that ends now, and began before all else."""
    world.sources.write("in/a.csv", rows("y", version=2), begun=0.0)


def test_a_table_whose_newest_version_is_deleted_holds_what_is_there() -> None:
    world = quiet(Setup(SetupKind.SNAPSHOT), versioned=True)
    world.script = [
        write("in/a.csv", rows("x", version=1)),
        wait(60.0),
        write("in/a.csv", rows("y", version=2)),
        wait(60.0),
        lambda world: world.sources.remove_newest("in/a.csv"),
    ]

    world.run()

    assert output(world, "orders/orders.jsonl") == b'{"id":1,"part":"x","version":1}\n'
    kept(world)


def test_a_reprocess_makes_the_table_of_what_is_there() -> None:
    world = quiet(Setup(SetupKind.SNAPSHOT), versioned=True)
    world.script = [write("in/a.csv", rows("x", version=1)), wait(60.0), write("in/a.csv", rows("y", version=2))]
    world.run()
    world.source.remove_newest("in/a.csv", world.clock.now)

    world.reprocess(keys=("in/a.csv",))
    world.run()

    assert output(world, "orders/orders.jsonl") == b'{"id":1,"part":"x","version":1}\n'


# 5 REMOVED means "look again"


@pytest.mark.parametrize("remove", [True, False])
def test_an_undelete_brings_the_output_back(*, remove: bool) -> None:
    world = quiet(Setup(SetupKind.REPLICATE, remove=remove), versioned=True)
    world.script = [
        write("in/a.csv", rows("x")),
        wait(60.0),
        delete("in/a.csv"),
        wait(60.0),
        lambda world: world.sources.remove_newest("in/a.csv"),
    ]

    world.run()

    assert output(world, "a.jsonl") == b'{"id":1,"part":"x","version":1}\n'
    assert state(world, "in/a.csv") is State.CONVERTED
    kept(world)


def test_an_undelete_brings_a_file_back_to_its_table() -> None:
    world = quiet(Setup(SetupKind.RUN), versioned=True)
    world.script = [
        write("in/a.csv", rows("x")),
        wait(300.0),
        delete("in/a.csv"),
        wait(300.0),
        lambda world: world.sources.remove_newest("in/a.csv"),
    ]

    world.run()

    assert output(world, "orders.jsonl") == b'{"id":1,"part":"x","version":1}\n'
    assert state(world, "in/a.csv") is State.CONVERTED
    kept(world)


def test_a_deletion_of_the_newest_version_brings_the_output_of_the_one_before() -> None:
    world = quiet(Setup(SetupKind.REPLICATE), versioned=True)
    world.script = [
        write("in/a.csv", rows("x", version=1)),
        wait(60.0),
        write("in/a.csv", rows("y", version=2)),
        wait(60.0),
        lambda world: world.sources.remove_newest("in/a.csv"),
    ]

    world.run()

    assert output(world, "a.jsonl") == b'{"id":1,"part":"x","version":1}\n'
    kept(world)


# 6, 8 Limits


def test_an_error_of_half_a_megabyte_settles_its_object() -> None:
    world = quiet()
    world.sources.write("in/a.csv", rows("x"))

    def refuse(*_arguments: object) -> None:
        raise MalformedFile("column " * 80_000)

    with patch.object(table_conversion, "convert", refuse):
        world.run()

    assert state(world, "in/a.csv") is State.FAILED
    assert not world.queue.messages
    assert not world.queue.dead


@pytest.mark.parametrize("kind", list(SetupKind))
def test_hostile_keys_are_converted(kind: SetupKind) -> None:
    world = quiet(Setup(kind, hostile=True))
    world.script = [write(key, to_file(key, ["1,x,1"])) for key in world.setup.keys]

    world.run()

    assert not world.queue.dead
    # Of a table of two formats, files of one are refused.
    assert (State.FAILED in states(world)) == (kind is SetupKind.MIXED)
    kept(world)


# 7 One denied object is no configuration


def test_an_object_that_nobody_may_read_pauses_nothing() -> None:
    world = crowd(3)
    world.script = [write("in/b.csv", rows("x")), wait(60.0), write("in/a.csv", rows("x") + FORBIDDEN)]
    world.script += [wait(HOUR), write("in/b.csv", rows("y", version=2))]

    world.run()

    assert not world.faults.happened(Fault.PAUSED)
    assert state(world, "in/b.csv") is State.CONVERTED
    assert state(world, "in/a.csv") is State.FAILED
    assert not world.queue.dead


# 9 No chain of own messages


def test_what_waits_for_a_grant_is_never_sent_anew() -> None:
    world = quiet()
    world.faults.set({Fault.DENIED: 1.0})
    world.sources.write("in/a.csv", rows("x"))
    world.script = [wait(8 * HOUR), _grant]

    world.run()
    world.resume()
    world.run()

    assert state(world, "in/a.csv") is State.CONVERTED
    assert not [step for step in world.calls.trace if step[2] == "sqs:SendMessage"]
    assert not world.queue.dead


def _grant(world: SimulatedWorld) -> None:
    world.faults.active = False


# 10 A folder that keeps changing


def test_a_folder_that_keeps_changing_is_made_into_a_table() -> None:
    world = quiet(Setup(SetupKind.RUN))
    world.sources.durations = (50.0,)
    world.script = [write("in/a.csv", rows("x"))]
    for number in range(60):
        world.script += [write("in/b.csv", rows("x", version=number)), wait(40.0)]
    changes_end = 60 * 40.0

    world.run()

    written = [when for when, ref, data in world.buckets.written if data and "orders" in ref.key]
    assert [when for when in written if when < changes_end]
    kept(world)


# 11 Deployments are ordered


@pytest.mark.parametrize("kind", [SetupKind.REPLICATE, SetupKind.PARTITIONED, SetupKind.SHARED, SetupKind.APPEND])
def test_an_invocation_of_before_a_deployment_undoes_no_reprocess(kind: SetupKind) -> None:
    world = quiet(Setup(kind))
    world.calls.answers = (200.0,)
    world.script = [write("in/a.csv", rows("x", "y")), wait(60.0), _deliver_slowly, wait(20.0)]
    world.script += [_add_filter, do("reprocess")]

    world.run()

    known = promises.entry(world, "in/a.csv")
    (plan,) = world.setup.planner.plan(source("in/a.csv"))
    assert known is not None
    assert known.fingerprint == plan.fingerprint
    assert not list(promises.wishes(world))


def _deliver_slowly(world: SimulatedWorld) -> None:
    """The same event once more, to an invocation that is slow to begin."""
    world.queue.add(world.sources.told[0])
    world.calls.planned.append(("dynamodb:GetItem", "in/a.csv", Fault.SLOW))


def _add_filter(world: SimulatedWorld) -> None:
    world.reconfigure(replace(world.setup, change=Change.FILTER))


# 12 A late worker whose conditions pass, since the bytes it expects are back


def test_older_bytes_do_not_stay_where_the_earlier_ones_came_back() -> None:
    world = late_worker(Setup(SetupKind.REPLICATE))
    first = rows("x", version=1)
    world.script = [write("in/a.csv", first), wait(60.0), slow_down("lake/a"), write("in/a.csv", rows("y", version=2))]
    world.script += [wait(60.0), write("in/a.csv", first)]

    world.run()

    assert world.faults.happened(Fault.SLOW)
    assert output(world, "a.jsonl") == b'{"id":1,"part":"x","version":1}\n'
    kept(world)


def test_a_partition_that_only_a_late_worker_wrote_does_not_stay() -> None:
    world = late_worker(Setup(SetupKind.PARTITIONED))
    first = rows("x")
    world.script = [write("in/a.csv", first), wait(60.0), slow_down("part=y"), write("in/a.csv", rows("x", "y"))]
    world.script += [wait(60.0), write("in/a.csv", first)]

    world.run()

    assert world.faults.happened(Fault.SLOW)
    assert output(world, "a/part=y/a.jsonl") is None
    kept(world)


@pytest.mark.parametrize("kind", [SetupKind.REPLICATE, SetupKind.PARTITIONED, SetupKind.SHARED])
def test_a_late_worker_leaves_no_output_of_an_object_that_was_removed(kind: SetupKind) -> None:
    world = late_worker(Setup(kind, remove=True))
    world.script = [
        write("in/a.csv", rows("x")),
        wait(60.0),
        slow_down("lake/"),
        write("in/a.csv", rows("x", version=2)),
    ]
    world.script += [wait(60.0), delete("in/a.csv")]

    world.run()

    assert world.faults.happened(Fault.SLOW)
    assert promises.held(world) == {}
    kept(world)


def late_worker(setup: Setup) -> SimulatedWorld:
    """The clock of the third worker says that the lease of the second has run out."""
    world = quiet(setup)
    world.calls.answers = (600.0,)
    world.skews = [0.0, 0.0, HOUR]
    return world


def slow_down(place: str) -> Callable[[SimulatedWorld], None]:
    """From now on, the first write of a place takes ten minutes."""
    return lambda world: world.calls.planned.append(("s3:PutObject", place, Fault.SLOW))


# 13 Rebuilding the ledger


@pytest.mark.parametrize("kind", [SetupKind.REPLICATE, SetupKind.PARTITIONED, SetupKind.SHARED])
def test_a_rebuilt_ledger_leaves_a_strangers_copy_alone(kind: SetupKind) -> None:
    world = quiet(Setup(kind))
    world.script = [write("in/a.csv", rows("x", "y")), wait(60.0), do("copy_output")]
    world.run()
    world.ledger.restore({})

    world.rebuild()
    world.script = [wait(60.0), write("in/a.csv", rows("z", version=2))]
    world.run()

    known = promises.entry(world, "in/a.csv")
    assert known is not None
    assert known.rows.read == 1
    kept(world)


def test_a_rebuilt_ledger_knows_the_schema_of_a_table() -> None:
    world = quiet(Setup(SetupKind.SHARED))
    world.sources.write("in/a.csv", rows("x"))
    world.run()
    table = source("in/orders")
    before = world.ledger.held.get_schema("nightly", table)
    world.ledger.restore({})

    world.rebuild()
    world.run()

    assert before is not None
    assert world.ledger.held.get_schema("nightly", table) is not None


# 18 Losers of a collision, keys that never were, files of a table


def test_the_loser_of_a_collision_is_converted_when_the_winner_goes() -> None:
    world = quiet(Setup(SetupKind.REPLICATE, remove=True))
    world.script = [
        write("in/a.csv", rows("x", version=1)),
        wait(60.0),
        write("in/a.tsv", rows("y", version=2)),
        wait(60.0),
        delete("in/a.csv"),
    ]

    world.run()

    assert output(world, "a.jsonl") == b'{"id":1,"part":"y","version":2}\n'


def test_a_reprocess_of_a_key_that_never_was_leaves_nothing() -> None:
    world = quiet()

    world.reprocess(keys=("in/never.csv",))
    world.run()

    assert promises.entry(world, "in/never.csv") is None


def test_one_file_alone_says_that_a_table_is_made_of_it() -> None:
    world = quiet(Setup(SetupKind.SNAPSHOT))
    world.script = [write("in/a.csv", rows("x")), wait(60.0), write("in/b.csv", rows("y"))]

    world.run()

    entries = [promises.entry(world, key) for key in ("in/a.csv", "in/b.csv")]
    reasons = [entry.reason or "" for entry in entries if entry is not None]
    assert [reason.endswith("is made of this file") for reason in reasons] == [False, True]
