"""The one format of a directory's table, on the fakes: the first file that is converted decides, and no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from millrace.delivery.worker import Outcome
from millrace.engine.options import FileFormat
from millrace.errors import ServiceUnavailable
from millrace.ledger.entries import DONE, Failure, State
from millrace.ledger.table_entries import AnyEntry, FormatBid, FormatEntry
from millrace.objects.messages import Request
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef
from tests.configurations import bulk_sync
from tests.fakes import InMemoryLedger
from tests.world import World

TABLE = ObjectRef("acme-in", "in/eu")
CSV, JSON = ObjectRef("acme-in", "in/eu/a.csv"), ObjectRef("acme-in", "in/eu/b.jsonl")
CSV_TOO = ObjectRef("acme-in", "in/eu/c.csv")
DATA = {CSV: b"id,v\n1,x\n", JSON: b'{"id":2,"v":"y"}\n', CSV_TOO: b"id,v\n3,z\n"}
BROKEN = {CSV: b"id,v\n1,x,too,many\n", JSON: b'{"id":\n'}
SOURCE: dict[str, Any] = {
    "is_single_table": True,
    "is_directory_snapshot": True,
    "directory_glob_pattern": "*",
    "single_table_file_formats": ["csv", "json"],
}


@dataclass
class WatchedLedger(InMemoryLedger):
    """Lets something happen once, just before a format's entry is put or just after."""

    before: Callable[[], object] | None = None
    after: Callable[[], object] | None = None
    looks: int = 0

    def get_format(self, sync: str, table: ObjectRef) -> FormatEntry | None:
        self.looks += 1
        return super().get_format(sync, table)

    def put(self, entry: AnyEntry) -> None:
        if not isinstance(entry, FormatEntry):
            super().put(entry)
            return
        before, self.before = self.before, None
        if before is not None:
            before()
        super().put(entry)
        after, self.after = self.after, None
        if after is not None:
            after()


def build(mode: str) -> World:
    fields = {"mode": "snapshot"} if mode == "snapshot" else {}
    return World(syncs=(bulk_sync(to="json", **fields),), source=SOURCE, ledger=WatchedLedger())


@pytest.fixture(params=["a file each", "snapshot"])
def world(request: pytest.FixtureRequest) -> World:
    """Of files that have an output each, or with the newest file as the table."""
    return build(request.param)


@pytest.fixture
def shared() -> World:
    """Of files that have an output each, so that two may be converted at the same time."""
    return build("a file each")


def ledger_of(world: World) -> WatchedLedger:
    assert isinstance(world.ledger, WatchedLedger)
    return world.ledger


def put(world: World, file: ObjectRef, data: bytes | None = None) -> Outcome:
    """Upload a file, and have it converted."""
    return world.one(world.upload(data or DATA[file], file), file.key)


def ask(world: World, file: ObjectRef, run: str | None = None, *, whole: bool = True) -> Outcome:
    """Have a file looked at once more, as by its message that comes back, or by a run over the whole table."""
    change = ObjectChange(kind=ChangeKind.CREATED, ref=file)
    request = Request(change=change, sync="nightly", run_id=run, decides_format=whole and run is not None)
    return world.one(request, file.key)


def kept(world: World) -> FormatEntry:
    entry = world.ledger.get_format("nightly", TABLE)
    assert entry is not None
    return entry


def error(outcome: Outcome) -> str | None:
    return outcome.failure.error if outcome.failure else None


@pytest.mark.parametrize(("first", "second"), [(CSV, JSON), (JSON, CSV_TOO)])
def test_a_first_file_that_fails_decides_nothing(world: World, first: ObjectRef, second: ObjectRef) -> None:
    assert put(world, first, BROKEN[first]).result is State.FAILED

    assert world.ledger.get_format("nightly", TABLE) is None
    assert put(world, second).result in DONE
    assert error(put(world, first)) == "ForeignFormat"


def test_a_first_file_whose_output_cannot_be_published_decides_nothing(world: World) -> None:
    for key in ("lake/eu/a.jsonl", "lake/eu/eu.jsonl"):
        world.store.put(ObjectRef("acme-out", key), b"somebody's")
    assert error(put(world, CSV)) == "OutputCollision"
    world.store.buckets["acme-out"].clear()

    assert put(world, JSON).result in DONE
    assert kept(world).format is FileFormat.JSON


def test_a_file_of_another_format_is_refused_and_both_are_named(world: World) -> None:
    put(world, CSV)

    outcome = put(world, JSON)

    assert error(outcome) == "ForeignFormat"
    assert outcome.reason is not None
    assert outcome.reason.startswith(f"{JSON} is a json file, and those of table {TABLE} are csv")
    assert (kept(world).format, kept(world).bid) == (FileFormat.CSV, None)


@pytest.mark.parametrize(
    ("moment", "winner", "loser"), [("before", JSON, CSV), ("after", CSV, JSON)], ids=["before its bid", "after it"]
)
def test_of_two_first_files_of_different_formats_one_is_converted(
    shared: World, moment: str, winner: ObjectRef, loser: ObjectRef
) -> None:
    others: list[Outcome] = []
    setattr(ledger_of(shared), moment, lambda: others.append(put(shared, JSON)))

    put(shared, CSV)

    assert [error(other) for other in others] == [None if winner is JSON else "WorkInFlight"]
    assert error(ask(shared, loser)) == "ForeignFormat"
    assert shared.entry(winner).state is State.CONVERTED
    outputs = {key for key in shared.store.buckets["acme-out"] if key.startswith("lake/")}
    assert outputs == {f"lake/eu/{winner.key.removeprefix('in/eu/').partition('.')[0]}.jsonl"}


def test_a_file_that_waits_for_a_decision_comes_back_and_costs_no_attempt(shared: World) -> None:
    others: list[Outcome] = []
    ledger_of(shared).after = lambda: others.append(put(shared, JSON))

    put(shared, CSV)

    (other,) = others
    assert other.retry_after is not None
    assert other.entry is not None
    assert other.entry.attempts == 0


@pytest.mark.parametrize("moment", ["before", "after"])
def test_two_first_files_of_one_format_do_not_wait_for_each_other(shared: World, moment: str) -> None:
    others: list[Outcome] = []
    setattr(ledger_of(shared), moment, lambda: others.append(put(shared, CSV_TOO)))

    first = put(shared, CSV)

    assert [first.result, others[0].result] == [State.CONVERTED, State.CONVERTED]
    assert (kept(shared).format, kept(shared).bid) == (FileFormat.CSV, None)


def leave_bid(world: World, **fields: Any) -> None:
    """As CSV's worker leaves the ledger that got no further than its bid; ``fields`` of the file's own entry."""
    put(world, CSV)
    entry, table = world.entry(CSV), kept(world)
    world.ledger.put(replace(entry, revision=entry.revision + 1, **fields))
    bid = FormatBid(format=FileFormat.CSV, file=CSV)
    world.ledger.put(replace(table, revision=table.revision + 1, format=None, bid=bid))


def test_the_bid_of_a_file_that_is_settled_as_failed_decides_nothing(world: World) -> None:
    leave_bid(world)
    put(world, CSV, BROKEN[CSV])

    assert put(world, JSON).result in DONE
    assert kept(world).format is FileFormat.JSON


def test_the_bid_of_a_file_that_the_ledger_has_forgotten_decides_nothing(world: World) -> None:
    leave_bid(world)
    del world.ledger.entries["nightly", CSV]

    assert put(world, JSON).result in DONE
    assert kept(world).format is FileFormat.JSON


def test_the_bid_of_a_file_whose_worker_died_holds_until_it_is_settled(shared: World) -> None:
    """It may have published: its message comes back, and decides."""
    leave_bid(shared, state=State.IN_FLIGHT, lease_until=shared.now)
    shared.now += timedelta(hours=2)

    assert error(put(shared, JSON)) == "WorkInFlight"
    assert ask(shared, CSV).result in DONE
    assert error(ask(shared, JSON)) == "ForeignFormat"


@pytest.mark.parametrize(
    ("attempts", "hours", "holds"), [(1, 0.5, True), (1, 2.0, False), (5, 0.5, False)], ids=["soon", "lost", "given up"]
)
def test_the_bid_of_a_file_that_failed_holds_while_it_is_tried_again(
    shared: World, *, attempts: int, hours: float, holds: bool
) -> None:
    failure = Failure.of(ServiceUnavailable("S3 is slow"))
    finished = shared.now - timedelta(hours=hours)
    leave_bid(shared, state=State.FAILED, failure=failure, attempts=attempts, finished=finished)

    outcome = put(shared, JSON)

    assert error(outcome) == ("WorkInFlight" if holds else None)


def test_a_worker_whose_bid_was_replaced_decides_nothing(shared: World) -> None:
    """It was slow; its file comes back, and is refused."""

    def replace_bid() -> None:
        entry = kept(shared)
        bid = FormatBid(format=FileFormat.JSON, file=JSON)
        shared.ledger.put(replace(entry, revision=entry.revision + 1, bid=bid))

    ledger_of(shared).after = replace_bid

    assert error(put(shared, CSV)) == "WorkInFlight"
    assert kept(shared).format is None
    assert outputs(shared) == set()
    assert put(shared, JSON).result in DONE
    assert error(ask(shared, CSV)) == "ForeignFormat"
    assert outputs(shared) == {"lake/eu/b.jsonl"}


def test_a_run_decides_again_with_its_first_file_that_is_converted(world: World) -> None:
    put(world, CSV)
    world.store.put(JSON, BROKEN[JSON])
    assert ask(world, JSON, run="r1").result is State.FAILED
    assert kept(world).format is FileFormat.CSV

    world.store.put(JSON, DATA[JSON])
    assert ask(world, JSON, run="r2").result in DONE

    assert (kept(world).format, kept(world).run_id) == (FileFormat.JSON, "r2")
    assert error(ask(world, CSV, run="r2")) == "ForeignFormat"


def test_a_run_over_a_part_of_a_table_decides_nothing(world: World) -> None:
    put(world, CSV)
    assert error(put(world, JSON)) == "ForeignFormat"

    assert error(ask(world, JSON, run="r1", whole=False)) == "ForeignFormat"

    assert kept(world).format is FileFormat.CSV
    assert put(world, CSV_TOO).result in DONE


def test_a_run_over_a_part_of_a_table_decides_what_nobody_has_decided(world: World) -> None:
    world.store.put(JSON, DATA[JSON])

    assert ask(world, JSON, run="r1", whole=False).result in DONE
    assert kept(world).format is FileFormat.JSON


@pytest.mark.parametrize("lost", [1, 2], ids=["of the bid", "of the decision"])
def test_a_format_is_decided_whose_answer_of_the_ledger_was_lost(shared: World, lost: int) -> None:
    """The output that is there stays, and is written once."""
    ledger, puts = ledger_of(shared), []

    def lose_answer() -> None:
        puts.append(1)
        ledger.after = lose_answer
        if len(puts) == lost:
            raise ServiceUnavailable("no answer")

    ledger.after = lose_answer

    assert put(shared, CSV).result is State.CONVERTED
    assert kept(shared).format is FileFormat.CSV
    assert shared.entry(CSV).attempts == 1


def test_a_format_is_not_decided_if_the_ledger_did_not_hear_of_it(shared: World) -> None:
    def refuse() -> None:
        raise ServiceUnavailable("the ledger is slow")

    ledger_of(shared).before = refuse

    assert error(put(shared, CSV)) == "ServiceUnavailable"
    assert shared.ledger.get_format("nightly", TABLE) is None
    assert outputs(shared) == set()


def test_a_file_of_a_table_whose_format_is_decided_costs_one_look_at_it(world: World) -> None:
    put(world, CSV)
    ledger_of(world).looks, puts = 0, len(world.ledger.puts)

    put(world, CSV_TOO)

    assert ledger_of(world).looks == 1
    assert not [entry for entry in world.ledger.puts[puts:] if isinstance(entry, FormatEntry)]


def outputs(world: World) -> set[str]:
    return set(world.store.buckets["acme-out"])


def die_after_publishing(world: World) -> None:
    """As CSV's worker leaves the ledger and the table that published and came no further."""
    put(world, CSV)
    (begun,) = [entry for entry in world.ledger.works_put() if entry.source == CSV and entry.state is State.IN_FLIGHT]
    settled, table = world.entry(CSV), kept(world)
    announced = tuple(replace(output, etag="", size=0, rows=0) for output in settled.outputs)
    world.ledger.put(replace(begun, revision=settled.revision + 1, obsolete=announced))
    bid = FormatBid(format=FileFormat.CSV, file=CSV)
    world.ledger.put(replace(table, revision=table.revision + 1, format=None, bid=bid))
    world.now += timedelta(hours=2)


def test_what_a_dead_worker_published_goes_if_its_file_fails_before_the_format_is_decided(
    shared: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bid of a file that fails again and again counts no more, and another file decides."""
    die_after_publishing(shared)
    assert outputs(shared) == {"lake/eu/a.jsonl"}

    def refuse(*_: object, **__: object) -> None:
        raise ServiceUnavailable("S3 is slow")

    with monkeypatch.context() as patched:
        patched.setattr(shared.store, "open", refuse)
        assert error(ask(shared, CSV)) == "ServiceUnavailable"

    assert outputs(shared) == set()
    assert ask(shared, CSV).result in DONE
    assert outputs(shared) == {"lake/eu/a.jsonl"}


def test_what_workers_published_that_died_over_a_file_goes_when_it_is_given_up(shared: World) -> None:
    die_after_publishing(shared)
    entry = shared.entry(CSV)
    shared.ledger.put(replace(entry, revision=entry.revision + 1, deaths=2))

    assert error(ask(shared, CSV)) == "Crashed"
    assert outputs(shared) == set()
    assert put(shared, JSON).result in DONE
    assert outputs(shared) == {"lake/eu/b.jsonl"}


def test_what_a_dead_worker_published_goes_if_another_format_was_decided_meanwhile(shared: World) -> None:
    die_after_publishing(shared)
    table = kept(shared)
    shared.ledger.put(replace(table, revision=table.revision + 1, format=FileFormat.JSON, bid=None))

    assert error(ask(shared, CSV)) == "ForeignFormat"
    assert outputs(shared) == set()


def test_an_output_stays_of_a_file_that_fails_once_the_format_is_decided(shared: World) -> None:
    put(shared, CSV)

    assert put(shared, CSV, BROKEN[CSV]).result is State.FAILED

    assert outputs(shared) == {"lake/eu/a.jsonl"}
