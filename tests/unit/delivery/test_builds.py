"""Models and model syncs on the fakes: one file, a folder of files as one table, an archive's members."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from millrace.config.document import parse
from millrace.delivery.builds import DELAY_SECONDS
from millrace.delivery.worker import TRIED_AGAIN, Outcome
from millrace.ledger.claims import Delivery
from millrace.ledger.entries import Branch, Entry, Failure, State
from millrace.ledger.rules import RefusalKind
from millrace.ledger.table_entries import AnyEntry
from millrace.objects.messages import Request
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef
from millrace.objects.store import OpenedObject
from millrace.planning.planner import Planner
from millrace.planning.targets import is_record
from tests.configurations import connection
from tests.fakes import InMemoryLedger, InMemoryObjectStore
from tests.simulation import light
from tests.simulation.light import HEADER
from tests.world import NOON, World

OUT = ObjectRef("acme-out", "lake/customers.jsonl")


@dataclass
class ModelWorld(World):
    """A world with one model sync to newline-delimited JSON."""

    model: dict[str, Any] = field(default_factory=dict)
    sync: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def planner(self) -> Planner:
        return Planner(
            parse(
                {
                    "connections": [
                        connection(
                            "landing",
                            "s3://acme-in/in",
                            enable_event_notifications=True,
                            event_queue_arn="managed",
                        ),
                        connection("lake", "s3://acme-out/lake"),
                    ],
                    "models": [
                        {"name": "customers", "connection": "landing", "configuration": self.model, **self.fields}
                    ],
                    "model_syncs": [
                        {
                            "name": "nightly",
                            "model": "customers",
                            "target": {
                                "connection": "lake",
                                "object": "customers",
                                "configuration": {"format": "json"},
                            },
                            **self.sync,
                        }
                    ],
                }
            )
        )

    def put(self, key: str, data: bytes, *, day: int = 1) -> Request:
        self.store.modified = datetime(2026, 11, day, tzinfo=UTC)
        return self.upload(data, ObjectRef("acme-in", key))

    def run_asked(self, message: str = "run") -> Entry:
        """Deliver the delayed message that asks for the run."""
        outcome = self.one(self.queue.sent[-1], message)
        assert outcome.entry is not None
        return outcome.entry

    def output(self, key: str = OUT.key) -> bytes:
        return self.store.data(ObjectRef("acme-out", key))

    def keys(self) -> list[str]:
        """Outputs, without what Millrace remembers for itself."""
        keys = sorted(self.store.buckets["acme-out"])
        return [key for key in keys if not is_record(ObjectRef("acme-out", key))]


class TestSingleFile:
    KEY = "in/customers.csv"

    def world(self, **sync: Any) -> ModelWorld:
        return ModelWorld(model={"model_from": "single_file", "key": self.KEY}, sync=sync)

    def test_replace_writes_the_object_under_the_syncs_name(self) -> None:
        world = self.world()

        world.one(world.put(self.KEY, b"id\n1\n"))
        world.one(world.put(self.KEY, b"id\n2\n"))

        assert (world.keys(), world.output()) == ([OUT.key], b'{"id":2}\n')

    def test_other_objects_are_nobodys(self) -> None:
        world = self.world()

        outcome = world.one(world.put("in/other.csv", b"id\n1\n"))

        assert (outcome.result, outcome.sync) == (State.IGNORED, None)

    def test_append_names_the_output_by_its_source(self) -> None:
        world = self.world(mode="append")

        world.one(world.put(self.KEY, b"id\n1\n"))

        assert world.keys() == ["lake/customers/customers.jsonl"]

    def test_a_snapshot_keeps_every_version_under_its_time(self) -> None:
        world = self.world(mode="snapshot")

        world.one(world.put(self.KEY, b"id\n1\n", day=1))
        world.one(world.put(self.KEY, b"id\n2\n", day=2))

        assert world.keys() == ["lake/customers/20261101T000000Z.jsonl", "lake/customers/20261102T000000Z.jsonl"]

    def test_fields_constants_overrides_and_filters(self) -> None:
        world = self.world(
            fields=[{"source": "id"}, {"source": "name", "target": "customer"}],
            override_fields=[{"target": "origin", "override_value": "shop"}],
            overrides=[{"field": "name", "function": "IsNull", "override": "unknown"}],
            filters=[
                {"field": "id", "function": "GreaterThan", "value": 1},
                {"field": "id", "function": "LessThan", "value": 9},
                {"field": "name", "function": "Equality", "value": "Zoe"},
            ],
            filter_logic="(A AND B) OR C",
        )

        world.one(world.put(self.KEY, b"name,id\nAda,1\n,2\nZoe,9\nMax,10\n"))

        assert world.output() == (
            b'{"id":2,"customer":"unknown","origin":"shop"}\n{"id":9,"customer":"Zoe","origin":"shop"}\n'
        )
        assert (world.entry(ObjectRef("acme-in", self.KEY)).rows.filtered) == 2

    def test_a_duplicate_identifier_is_an_error_that_names_both_rows(self) -> None:
        world = self.world()
        world.fields = {"identifier": "id"}

        world.one(world.put(self.KEY, b"id\n1\n2\n1\n"))

        failure = world.entry(ObjectRef("acme-in", self.KEY)).failure
        assert failure is not None
        assert (failure.error, failure.row) == ("DuplicateIdentifier", 3)
        assert world.keys() == []

    def test_of_duplicate_identifiers_the_last_wins_where_asked(self) -> None:
        world = self.world()
        world.fields = {"identifier": "id", "duplicate_identifiers": "last_wins"}

        world.one(world.put(self.KEY, b"id,n\n1,a\n2,b\n1,c\n"))

        assert world.output() == b'{"id":2,"n":"b"}\n{"id":1,"n":"c"}\n'


class TestFolder:
    def world(self, **sync: Any) -> ModelWorld:
        return ModelWorld(model={"model_from": "multi_file_archive", "subfolder": "crm"}, sync=sync)

    def test_a_burst_of_changes_is_one_run(self) -> None:
        world = self.world()

        outcomes = [world.one(world.put(f"in/crm/{n}.csv", b"id\n%d\n" % n), f"m{n}") for n in range(5)]

        assert [outcome.result for outcome in outcomes] == [State.WAITING] * 5
        assert (len(world.queue.sent), world.queue.delays) == (1, [DELAY_SECONDS])
        assert world.run_asked().state is State.CONVERTED
        assert world.output() == b'{"id":0}\n{"id":1}\n{"id":2}\n{"id":3}\n{"id":4}\n'

    def test_the_files_of_a_table_are_accounted_for(self) -> None:
        world = self.world()
        world.one(world.put("in/crm/a.csv", b"id\n1\n"))
        world.one(world.put("in/crm/b.txt", b"hello"))
        world.run_asked()

        file = world.entry(ObjectRef("acme-in", "in/crm/a.csv"))
        assert (file.state, file.reason) == (State.CONVERTED, "a file of the table that s3://acme-in/in/crm/ is")
        assert world.entry(ObjectRef("acme-in", "in/crm/b.txt")).state is State.IGNORED

    def change_during_next_build(self, world: ModelWorld, change: Callable[[], object]) -> None:
        """Let somebody change the folder right after the next build has opened its first file."""
        world.store = ChangingStore(world.store.buckets, change=change)

    def test_a_change_while_a_build_is_at_work_is_built_by_the_same_message(self) -> None:
        world = self.world()
        world.one(world.put("in/crm/a.csv", b"id\n1\n"))
        results: list[str] = []
        self.change_during_next_build(
            world, lambda: results.append(world.one(world.put("in/crm/b.csv", b"id\n2\n"), "m2").result)
        )

        first = world.one(world.queue.sent[0], "build")
        assert (first.result, first.retry_after) == (State.WAITING, DELAY_SECONDS)
        assert world.entry(ObjectRef("acme-in", "in/crm/")).state is State.WAITING, "whoever looks sees so"
        assert world.output() == b'{"id":1}\n'
        second = world.one(world.queue.sent[0], "build")

        assert (second.result, second.retry_after) == (State.CONVERTED, None)
        assert world.output() == b'{"id":1}\n{"id":2}\n'
        assert (results, len(world.queue.sent)) == ([State.WAITING], 1)
        assert world.entry(ObjectRef("acme-in", "in/crm/b.csv")).state is State.CONVERTED

    def test_a_folder_that_keeps_changing_is_built_again_and_again(self) -> None:
        world = self.world()
        for name in "abc":
            world.one(world.put(f"in/crm/{name}.csv", b"id\n0\n"), name)
        version = iter(range(1, 100))

        for _ in range(5):
            self.change_during_next_build(
                world, lambda: [world.put(f"in/crm/{name}.csv", b"id\n%d\n" % next(version)) for name in "abc"]
            )
            assert world.one(world.queue.sent[0], "build").result == State.WAITING
        world.store = InMemoryObjectStore(world.store.buckets)
        assert world.one(world.queue.sent[0], "build").result == State.CONVERTED

        assert world.output() == b'{"id":13}\n{"id":14}\n{"id":15}\n'
        assert len(world.queue.sent) == 1

    def test_a_file_that_is_deleted_while_it_is_read_is_not_in_the_table(self) -> None:
        world = self.world()
        for name in "ab":
            world.one(world.put(f"in/crm/{name}.csv", b"id\n1\n"), name)
        self.change_during_next_build(world, lambda: world.delete(ObjectRef("acme-in", "in/crm/b.csv")))

        assert world.run_asked().state is State.CONVERTED
        assert world.output() == b'{"id":1}\n'

    def test_the_event_of_the_folders_marker_changes_nothing(self) -> None:
        world = self.world()
        world.one(world.put("in/crm/a.csv", b"id\n1\n"))
        built = world.run_asked()

        for request in (world.put("in/crm/", b""), world.delete(ObjectRef("acme-in", "in/crm/"))):
            assert world.one(request, "marker").result == State.IGNORED

        assert world.entry(ObjectRef("acme-in", "in/crm/")) == built

    def test_a_mark_whose_message_was_lost_is_not_trusted_for_ever(self) -> None:
        world = self.world()
        world.one(world.put("in/crm/a.csv", b"id\n1\n"))
        world.now = NOON + timedelta(hours=2)

        world.one(world.put("in/crm/b.csv", b"id\n2\n"), "m2")

        assert len(world.queue.sent) == 2

    def test_a_run_that_finds_nothing_changed_writes_nothing(self) -> None:
        world = self.world()
        world.one(world.put("in/crm/a.csv", b"id\n1\n"))
        world.run_asked()
        world.store.calls.clear()

        entry = world.run_asked("again")

        assert "put" not in world.store.calls
        assert entry.rows.written == 1

    @pytest.mark.parametrize("is_there", [True, False])
    def test_a_table_that_somebody_wrote_over_or_deleted_is_made_again(self, *, is_there: bool) -> None:
        world = self.world()
        world.one(world.put("in/crm/a.csv", b"id\n1\n"))
        world.run_asked()
        if is_there:
            world.store.put(OUT, b"mine", world.store.buckets[OUT.bucket][OUT.key].metadata)
        else:
            world.store.delete(OUT)

        world.run_asked("again")

        assert world.output() == b'{"id":1}\n'

    def test_bad_rows_of_all_files_are_put_aside_and_stay_so_while_nothing_changes(self) -> None:
        world = self.world(bad_rows="quarantine")
        for name in "ab":
            world.one(world.put(f"in/crm/{name}.csv", b"id,n\n1,2\n3\n"), name)

        entries = [world.run_asked(), world.run_asked("again")]

        assert {(entry.state, entry.rows.written, entry.rows.quarantined) for entry in entries} == {
            (State.QUARANTINED, 2, 2)
        }
        aside = [key for key in world.store.buckets["acme-out"] if "/_quarantine/" in key]
        assert [world.output(key).count(b"\n") for key in aside] == [2]

    @pytest.mark.parametrize("event", ["a change", "another build's end"])
    def test_what_is_written_to_the_builds_entry_while_its_record_is_named_is_kept(self, event: str) -> None:
        """The record is named by what asked meanwhile, too; else the next build would not believe it."""
        world = ModelWorld(
            model={"model_from": "multi_file_archive", "subfolder": "crm"},
            ledger=NamingLedger(is_change=event[2:] == "change"),
        )
        world.one(world.put("in/crm/a.csv", b"id\n1\n"))

        world.run_asked()

        entry = world.entry(ObjectRef("acme-in", "in/crm/"))
        record = world.store.buckets["acme-out"]["lake/.millrace/nightly.files"]
        if event == "a change":
            assert (entry.state, entry.build.built_etag) == (State.WAITING, record.etag)
        else:
            assert (entry.state, entry.build.built_etag) == (State.CONVERTED, None)

    @pytest.mark.parametrize(
        ("branch", "is_kept"), [(Branch.DATA, True), (Branch.TRANSIENT, False), (Branch.CONFIGURATION, False)]
    )
    def test_a_files_event_that_comes_again_is_no_old_one_for_its_table(self, branch: Branch, *, is_kept: bool) -> None:
        """It may tell what happened after the files were listed; one that is refused for good comes no more."""
        world = self.world()
        file = ObjectRef("acme-in", "in/crm/a.csv")
        world.one(world.put(file.key, b"id\n1\n"))
        entry = world.entry(file)
        failure = Failure(branch=branch, error="SomeError", message="it went wrong")
        world.ledger.put(replace(entry, state=State.FAILED, failure=failure, revision=entry.revision + 1))

        world.run_asked()

        settled = world.entry(file)
        assert (settled.state, settled.failure) == (State.CONVERTED, None)
        assert entry.sequencer is not None
        assert settled.sequencer == (entry.sequencer if is_kept else None)

    @pytest.mark.parametrize("state", [State.IN_FLIGHT, State.REMOVED])
    def test_a_file_that_somebody_is_at_work_on_is_left_to_him(self, state: State) -> None:
        world = self.world()
        file = ObjectRef("acme-in", "in/crm/a.csv")
        world.one(world.put(file.key, b"id\n1\n"))
        entry = world.entry(file)
        theirs = replace(entry, state=state, revision=entry.revision + 1)
        world.ledger.put(theirs)

        world.run_asked()

        assert world.output() == b'{"id":1}\n'
        assert world.entry(file) == theirs

    def test_a_file_that_is_overwritten_while_its_table_is_made_waits_for_the_next_build(self) -> None:
        """That build may fail for good, and the newer bytes were never converted."""
        world = self.world()
        file = ObjectRef("acme-in", "in/crm/a.csv")
        world.one(world.put(file.key, b"id\n1\n"))
        self.change_during_next_build(world, lambda: world.one(world.put(file.key, b"id\n22\n"), "m2"))

        assert world.one(world.queue.sent[0], "build").result == State.WAITING
        entry, head = world.entry(file), world.store.head(file)
        assert head is not None
        assert (entry.state, entry.version.etag) == (State.WAITING, head.etag)

        assert world.one(world.queue.sent[0], "build").result == State.CONVERTED
        entry = world.entry(file)
        assert (entry.state, entry.version.etag, entry.build.built_etag) == (State.CONVERTED, head.etag, head.etag)
        assert world.output() == b'{"id":22}\n'

    def test_a_file_whose_late_event_names_bytes_that_are_gone_is_in_the_table_as_it_is(self) -> None:
        world = self.world()
        file = ObjectRef("acme-in", "in/crm/a.csv")
        world.one(world.put(file.key, b"id\n1\n"))
        entry, head = world.entry(file), world.store.head(file)
        world.ledger.put(
            replace(entry, revision=entry.revision + 1, version=replace(entry.version, etag="of bytes that are gone"))
        )

        assert world.run_asked().state is State.CONVERTED
        assert head is not None
        assert (world.entry(file).state, world.entry(file).version.etag) == (State.CONVERTED, head.etag)

    def test_a_file_without_an_entry_gets_one_that_says_all_of_its_bytes(self) -> None:
        """Its own event was lost, or comes later."""
        world = self.world()
        file, other = ObjectRef("acme-in", "in/crm/a.csv"), ObjectRef("acme-in", "in/crm/b.csv")
        world.put(other.key, b"id\n2\n")
        world.one(world.put(file.key, b"id\n1\n"))

        build = world.run_asked()

        entry, size = world.entry(other), len(b"id\n2\n")
        assert (entry.state, entry.revision, entry.sequencer, entry.failure) == (State.CONVERTED, 1, None, None)
        assert (entry.version.size, entry.version.etag) == (size, entry.build.built_etag)
        assert (entry.fingerprint, entry.engine, entry.started) == (build.fingerprint, build.engine, build.started)
        assert "in/crm" in str(entry.reason)

    def test_a_minute_and_a_half_is_enough_to_write_the_files_down(self) -> None:
        """It is a tenth of an invocation's time; a quarter of a minute is kept for what is left to do."""
        world = self.world()
        world.remaining = 90.0
        file = ObjectRef("acme-in", "in/crm/a.csv")
        world.one(world.put(file.key, b"id\n1\n"))

        assert world.run_asked().failure is None
        assert world.entry(file).state is State.CONVERTED

    def test_a_manual_run_makes_it_again(self) -> None:
        world = self.world()
        world.one(world.put("in/crm/a.csv", b"id\n1\n"))
        world.run_asked()
        request = Request(
            change=ObjectChange(kind=ChangeKind.CREATED, ref=ObjectRef("acme-in", "in/crm/")),
            sync="nightly",
            run_id="r1",
        )
        world.store.calls.clear()

        assert world.one(request, "x").result == State.CONVERTED
        assert "put" in world.store.calls
        world.store.calls.clear()
        again = world.one(request, "y")
        assert (again.result, again.reason) == (State.CONVERTED, "nothing changed since the last run")
        assert "put" not in world.store.calls
        earlier = replace(request, run_id="r0")
        assert world.one(earlier, "z").result == RefusalKind.ALREADY_DONE

    def test_a_deleted_file_leaves_the_table(self) -> None:
        world = self.world()
        for name in "ab":
            world.one(world.put(f"in/crm/{name}.csv", b"id\n1\n"), name)
        world.run_asked()

        removed = world.one(world.delete(ObjectRef("acme-in", "in/crm/a.csv")), "d")
        world.run_asked("again")

        assert removed.result == State.REMOVED
        assert world.output() == b'{"id":1}\n'

    def test_a_broken_file_fails_the_table_names_itself_and_leaves_the_last_good_one(self) -> None:
        world = self.world()
        world.one(world.put("in/crm/a.csv", b"id,n\n1,2\n"))
        world.run_asked()

        world.one(world.put("in/crm/b.csv", b"id,n\n1\n"), "m2")
        entry = world.run_asked("again")

        assert entry.failure is not None
        assert "in/crm/b.csv" in entry.failure.message
        assert world.output() == b'{"id":1,"n":2}\n'

    def test_snapshot_keeps_every_run_under_the_time_of_its_newest_file(self) -> None:
        world = self.world(mode="snapshot")
        for day in (1, 2):
            world.one(world.put(f"in/crm/{day}.csv", b"id\n%d\n" % day, day=day), str(day))
            world.run_asked(f"run{day}")

        assert world.keys() == ["lake/customers/20261101T000000Z.jsonl", "lake/customers/20261102T000000Z.jsonl"]
        assert world.output("lake/customers/20261102T000000Z.jsonl") == b'{"id":1}\n{"id":2}\n'

    def test_what_append_writes_has_one_schema(self) -> None:
        world = self.world(mode="append")
        for key, data in {
            "a.csv": b"id,n\n1,1\n",
            "b.csv": b"n,id\nx,1\n",
            "c.jsonl": b'{"id":3}\n{"id":"y"}\n',
        }.items():
            world.one(world.put(f"in/crm/{key}", data), key)

        world.one(world.put("in/crm/d.csv", b"id\nz\n"), "d")

        outputs = {key.rpartition("/")[2]: world.output(key) for key in list(world.keys())}
        assert outputs == {
            "a.jsonl": b'{"id":1,"n":1}\n',
            "b.jsonl": b'{"id":1,"n":"x"}\n',
            "c.jsonl": b'{"id":3,"n":null}\n{"id":"y","n":null}\n',
            "d.jsonl": b'{"id":"z","n":null}\n',
        }

    def test_append_has_one_output_a_file_and_no_runs(self) -> None:
        world = self.world(mode="append")

        world.one(world.put("in/crm/eu/a.csv", b"id\n1\n"))

        assert (world.keys(), world.queue.sent) == (["lake/customers/eu/a.jsonl"], [])

    @pytest.mark.slow
    @pytest.mark.parametrize("order", list(permutations(range(3))))
    def test_the_order_of_events_changes_nothing(self, order: tuple[int, ...]) -> None:
        world = self.world()
        requests = [world.put(f"in/crm/{n}.csv", b"id,c%d\n%d,x\n" % (n, n)) for n in range(3)]

        for place in order:
            world.one(requests[place], f"m{place}")
        world.run_asked()

        assert world.output().splitlines()[0] == b'{"id":0,"c0":"x","c1":null,"c2":null}'


@dataclass
class ChangingStore(InMemoryObjectStore):
    """Somebody changes what it holds, once, right after a file was opened."""

    change: Callable[[], object] | None = None

    @contextmanager
    def open(self, ref: ObjectRef, *, tail_first: bool = False) -> Iterator[OpenedObject]:
        with super().open(ref, tail_first=tail_first) as opened:
            change, self.change = self.change, None
            if ref.key.startswith("in/") and change is not None:
                change()
            elif change is not None:
                self.change = change
            yield opened


@dataclass
class NamingLedger(InMemoryLedger):
    """Somebody is quicker, once, where a build names its record: a file that asks for a build, or another build."""

    is_change: bool = True
    is_over: bool = False

    def put(self, entry: AnyEntry) -> None:
        if isinstance(entry, Entry) and entry.source.key.endswith("/") and entry.build.built_etag and not self.is_over:
            self.is_over = True
            quicker = self.get(entry.sync, entry.source)
            assert quicker is not None
            state = State.WAITING if self.is_change else quicker.state
            super().put(replace(quicker, revision=quicker.revision + 1, state=state))
        super().put(entry)


@dataclass
class CountingLedger(InMemoryLedger):
    """Counts its calls; of a slow one, each takes a second."""

    calls: int = 0

    @property
    def remaining(self) -> float:
        """What is left of an invocation of 900 seconds."""
        return 900.0 - self.calls

    def get(self, sync: str, source: ObjectRef) -> Entry | None:
        self.calls += 1
        return super().get(sync, source)

    def put(self, entry: AnyEntry) -> None:
        self.calls += 1
        super().put(entry)


class TestManyFiles:
    """A build of as many files as a folder may well have: the ledger is asked for those that changed."""

    MANY = int(os.environ.get("MANY_FILES", "6000"))
    """120,000 files take 36 s, and every count below is a formula: `MANY_FILES=120000 make unit` runs them all."""
    SOME = 1_200
    FEW = 50
    CALLS_OF_A_BUILD = 5
    """Claim (a read and a write), outputs announced, settled, record named."""
    KEY = "in/crm/{:06}.csv"
    MOST_CALLS = 20

    @pytest.fixture(autouse=True)
    def lightly(self) -> Iterator[None]:
        with light.in_place():
            yield

    def world(self, files: int) -> ModelWorld:
        world = ModelWorld(model={"model_from": "multi_file_archive", "subfolder": "crm"}, ledger=CountingLedger())
        world.now = NOON + timedelta(days=30)
        for number in range(files):
            world.put(self.KEY.format(number), HEADER + b"%d,x,1\n" % number)
        return world

    def build(self, world: ModelWorld, run_id: str | None = None, *, is_slow: bool = False) -> tuple[Outcome, int]:
        """Deliver the request for the build; what came of it, and how often the ledger was asked."""
        assert isinstance(world.ledger, CountingLedger)
        world.ledger.calls = 0
        change = ObjectChange(kind=ChangeKind.CREATED, ref=ObjectRef("acme-in", "in/crm/"))
        request = Request(change=change, sync="nightly", run_id=run_id)
        ledger = world.ledger
        delivery = Delivery(message_id="build", remaining=lambda: ledger.remaining if is_slow else 900.0)
        (outcome,) = world.worker.work(request, delivery)
        return outcome, ledger.calls

    @pytest.mark.slow
    def test_settling_asks_the_ledger_for_files_that_changed_alone(self) -> None:
        world = self.world(self.MANY)
        first, calls = self.build(world)
        assert (first.result, calls) == (State.CONVERTED, 2 * self.MANY + self.CALLS_OF_A_BUILD)
        for number in (0, 7, self.MANY - 1):
            world.put(self.KEY.format(number), HEADER + b"%d,x,2\n" % number, day=20)

        second, calls = self.build(world)

        assert second.result == State.CONVERTED
        assert calls <= self.MOST_CALLS
        changed = world.store.buckets["acme-in"][self.KEY.format(7)]
        assert world.entry(ObjectRef("acme-in", self.KEY.format(7))).version.etag == changed.etag

    @pytest.mark.parametrize(("run_id", "is_thorough"), [(None, False), ("r2", True)], ids=["an event", "a run"])
    def test_only_what_somebody_asks_for_looks_at_every_file(self, run_id: str | None, *, is_thorough: bool) -> None:
        """Also behind another run: what that wrote down of the files is believed."""
        world = self.world(self.FEW)
        self.build(world, run_id="r1")
        world.put(self.KEY.format(0), HEADER + b"0,x,2\n", day=20)

        outcome, calls = self.build(world, run_id=run_id)

        assert outcome.result == State.CONVERTED
        assert (calls >= self.FEW) is is_thorough
        assert is_thorough or calls <= self.MOST_CALLS

    def test_a_build_whose_files_are_not_all_written_down_says_so_and_goes_on(self) -> None:
        world = self.world(self.FEW)
        ledger = world.ledger
        assert isinstance(ledger, CountingLedger)
        change = ObjectChange(kind=ChangeKind.CREATED, ref=ObjectRef("acme-in", "in/crm/"))
        request = Request(change=change, sync="nightly")
        hurried = Delivery(message_id="build", remaining=lambda: 900.0 - 10 * ledger.calls)

        (first,) = world.worker.work(request, hurried)
        waiting = world.entry(ObjectRef("acme-in", "in/crm/"))
        second, _ = self.build(world)

        assert (first.result, first.acknowledge, first.entry) == (TRIED_AGAIN, False, waiting)
        assert waiting.failure is not None
        assert waiting.failure.error == "OutOfTime"
        assert (len(waiting.outputs), second.result, second.acknowledge) == (1, State.CONVERTED, True)
        assert {entry.state for entry in ledger.works()} == {State.CONVERTED}

    @pytest.mark.slow
    def test_what_there_is_no_time_for_is_settled_when_the_message_comes_back(self) -> None:
        world = self.world(self.SOME)
        ledger = world.ledger
        assert isinstance(ledger, CountingLedger)
        receipts, outcome = 0, None
        while outcome is None or not outcome.acknowledge:
            receipts += 1
            outcome, _ = self.build(world, run_id="r1", is_slow=True)

        assert (outcome.result, receipts) == (State.CONVERTED, 3)
        assert world.store.calls.count("put") == 1 + receipts
        assert {entry.state for entry in ledger.works()} == {State.CONVERTED}

    @pytest.mark.slow
    def test_a_ledger_that_lost_its_entries_gets_them_back(self) -> None:
        world = self.world(self.SOME)
        self.build(world)
        self.build(world)
        world.ledger.entries.clear()

        self.build(world)

        assert len(world.ledger.entries) == self.SOME + 1

    @pytest.mark.slow
    def test_a_record_that_nobody_can_read_is_made_again(self) -> None:
        world = self.world(self.SOME)
        self.build(world)
        world.store.put(ObjectRef("acme-out", "lake/.millrace/nightly.files"), b"no record")

        outcome, calls = self.build(world)

        assert (outcome.result, calls) == (State.CONVERTED, self.SOME + self.CALLS_OF_A_BUILD - 2)
        assert self.build(world)[1] <= self.MOST_CALLS


class TestArchive:
    KEY = "in/export.zip"

    def archive(self, **members: bytes) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, data in members.items():
                archive.writestr(name.replace("_", "."), data)
        return buffer.getvalue()

    def world(self, **sync: Any) -> ModelWorld:
        return ModelWorld(model={"model_from": "multi_file_archive", "key": self.KEY}, sync=sync)

    def test_members_are_files_of_one_table(self) -> None:
        world = self.world()

        world.one(world.put(self.KEY, self.archive(b_csv=b"id\n2\n", a_jsonl=b'{"id":1,"x":"y"}\n', read_me=b"hi")))

        assert world.output() == b'{"id":1,"x":"y"}\n{"id":2,"x":null}\n'

    def test_append_names_the_output_by_the_archive(self) -> None:
        world = self.world(mode="append")

        world.one(world.put(self.KEY, self.archive(a_csv=b"id\n1\n")))

        assert world.keys() == ["lake/customers/export.jsonl"]

    def test_a_broken_member_is_named(self) -> None:
        world = self.world()

        world.one(world.put(self.KEY, self.archive(a_csv=b"id,n\n1\n")))

        failure = world.entry(ObjectRef("acme-in", self.KEY)).failure
        assert failure is not None
        assert "a.csv" in failure.message
