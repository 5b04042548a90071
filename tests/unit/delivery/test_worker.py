"""One object's way on the fakes: what is read, written and settled, and what becomes of the message."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from millrace.delivery.worker import TRIED_AGAIN, Outcome, Worker, backoff
from millrace.errors import AccessDenied, BadCredentials, LostRace, ObjectArchived, ObjectChanged, ServiceUnavailable
from millrace.ledger.claims import Delivery
from millrace.ledger.entries import Branch, Failure, State, WorkEntry
from millrace.ledger.rules import RefusalKind
from millrace.ledger.table_entries import AnyEntry
from millrace.objects.lineage import Lineage
from millrace.objects.messages import Request
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef, Sequencer
from millrace.objects.store import ObjectHead, OpenedObject, Published
from tests.configurations import bulk_sync
from tests.fakes import InMemoryObjectStore, InMemoryUpload
from tests.world import CONVERTED, NOON, ORDERS, SOURCE, TARGET, World


@pytest.fixture
def world() -> World:
    return World()


class TestConverting:
    def test_an_uploaded_object_comes_out_converted(self, world: World) -> None:
        outcome = world.one(world.upload())

        assert (outcome.result, outcome.acknowledge) == (State.CONVERTED, True)
        assert world.store.data(TARGET) == CONVERTED
        assert (world.entry().rows.read, world.entry().rows.written) == (2, 2)
        assert world.entry().output(TARGET) is not None

    def test_a_small_object_costs_one_read_and_one_write_and_nothing_else(self, world: World) -> None:
        world.one(world.upload())

        assert world.store.calls == ["open", "put"]
        assert [entry.state for entry in world.ledger.works_put()] == [State.IN_FLIGHT, State.CONVERTED]

    def test_the_lease_outlives_the_invocation(self, world: World) -> None:
        world.one(world.upload())

        lease = next(world.ledger.works_put()).lease_until
        assert lease is not None
        assert lease > NOON + timedelta(seconds=world.remaining)

    def test_the_output_carries_its_lineage(self, world: World) -> None:
        world.one(world.upload())

        metadata = world.store.buckets["acme-out"][TARGET.key].metadata
        lineage = Lineage.from_metadata(metadata)
        assert lineage is not None
        assert lineage.is_of("nightly", SOURCE)
        assert (lineage.etag, lineage.fence, metadata["millrace-rows"]) == (world.entry().version.etag, 1, "2")

    def test_the_same_event_twice_writes_once(self, world: World) -> None:
        request = world.upload()
        world.one(request)
        world.store.calls.clear()

        outcome = world.one(request, "m2")

        assert (outcome.result, outcome.acknowledge) == (RefusalKind.ALREADY_DONE, True)
        assert world.store.calls == []

    def test_an_overwrite_replaces_the_output_on_the_condition_of_the_last(self, world: World) -> None:
        world.one(world.upload())
        world.store.calls.clear()

        world.one(world.upload(b"id\n7\n"))

        assert world.store.data(TARGET) == b'{"id":7}\n'
        assert world.store.calls == ["open", "put"]

    def test_events_in_the_wrong_order_leave_the_newest(self, world: World) -> None:
        old = world.upload()
        new = world.upload(b"id\n7\n")

        world.one(new)
        outcome = world.one(old)

        assert outcome.result == RefusalKind.SUPERSEDED
        assert world.store.data(TARGET) == b'{"id":7}\n'

    def test_every_sync_gets_its_output_and_its_entry(self, world: World) -> None:
        world.syncs = (bulk_sync("a", to="json", subfolder="a"), bulk_sync("b", to="csv", subfolder="b"))

        outcomes = world.work(world.upload())

        assert [outcome.sync for outcome in outcomes] == ["a", "b"]
        assert {"lake/a/orders.jsonl", "lake/b/orders.csv"} == set(world.store.buckets["acme-out"])

    def test_one_syncs_trouble_never_stops_anothers_work(self, world: World) -> None:
        world.syncs = (bulk_sync("a", to="json", subfolder="a"), bulk_sync("b", to="csv", subfolder="b"))
        world.store.put(ObjectRef("acme-out", "lake/a/orders.jsonl"), b"a stranger's")

        outcomes = world.work(world.upload())

        assert [outcome.result for outcome in outcomes] == [State.FAILED, State.CONVERTED]

    def test_an_object_that_no_sync_reads_is_acknowledged(self, world: World) -> None:
        outcome = world.one(world.event(ObjectRef("acme-in", "elsewhere/a.csv")))

        assert (outcome.result, outcome.acknowledge, outcome.entry) == (State.IGNORED, True, None)

    def test_a_foreign_extension_is_recorded_as_ignored_with_the_reason(self, world: World) -> None:
        ref = ObjectRef("acme-in", "in/readme.txt")

        outcome = world.one(world.upload(b"hello", ref))

        assert (outcome.result, outcome.acknowledge) == (State.IGNORED, True)
        assert ".csv" in (world.entry(ref).reason or "")

    def test_an_output_of_the_same_sync_is_never_its_input(self, world: World) -> None:
        world.one(world.upload())
        made = world.store.buckets["acme-out"][TARGET.key]
        ref = ObjectRef("acme-in", "in/copied.jsonl")
        world.store.put(ref, made.data, made.metadata)

        assert world.one(world.event(ref)).result == State.IGNORED

    def test_a_configuration_that_moves_the_output_deletes_the_former_one_by_name(self, world: World) -> None:
        sibling = ObjectRef("acme-out", "lake/orders.jsonl.bak")
        world.store.put(sibling, b"x")
        request = world.upload()
        world.one(request)
        world.syncs = (bulk_sync(to="csv"),)

        world.one(request, "m2")

        assert set(world.store.buckets["acme-out"]) == {"lake/orders.csv", sibling.key}
        assert world.entry().obsolete == ()


class TestWorkOnBadInput:
    def test_a_malformed_file_fails_with_its_place_and_writes_nothing(self, world: World) -> None:
        outcome = world.one(world.upload(b"id,zip\n1,2\n3\n"))

        assert (outcome.result, outcome.acknowledge) == (State.FAILED, True)
        failure = world.entry().failure
        assert failure is not None
        assert (failure.branch, failure.error, failure.row) == (Branch.DATA, "RaggedRow", 2)
        assert world.store.buckets["acme-out"] == {}

    def test_a_malformed_overwrite_leaves_the_last_good_output(self, world: World) -> None:
        world.one(world.upload())

        world.one(world.upload(b"id,zip\n1,2\n3\n"))

        assert world.store.data(TARGET) == CONVERTED
        assert world.entry().state is State.FAILED

    def test_an_object_deleted_before_it_is_read_is_removed_quietly(self, world: World) -> None:
        request = world.upload()
        world.delete()

        outcome = world.one(request)

        assert (outcome.result, outcome.acknowledge) == (State.REMOVED, True)

    def test_quarantine_sets_bad_rows_aside_and_counts_both(self, world: World) -> None:
        world.syncs = (bulk_sync(to="json", bad_rows="quarantine"),)

        outcome = world.one(world.upload(b"id,zip\n1,2\n3\n4,5\n"))

        assert outcome.result == State.QUARANTINED
        entry = world.entry()
        assert (entry.rows.read, entry.rows.written, entry.rows.quarantined) == (3, 2, 1)
        assert b'"row": 2' in world.store.data(ObjectRef("acme-out", "lake/_quarantine/orders.jsonl"))

    def test_a_good_file_leaves_no_quarantine_object(self, world: World) -> None:
        world.syncs = (bulk_sync(to="json", bad_rows="quarantine"),)

        world.one(world.upload())

        assert set(world.store.buckets["acme-out"]) == {TARGET.key}


class TestCollisions:
    def test_two_sources_of_one_output_are_an_error_of_the_later_that_names_both(self, world: World) -> None:
        world.one(world.upload())
        other = ObjectRef("acme-in", "in/orders.json")

        outcome = world.one(world.upload(b'{"a":1}\n', other))

        assert outcome.result == State.FAILED
        assert str(SOURCE) in (outcome.reason or "")
        assert str(other) in (outcome.reason or "")
        assert world.store.data(TARGET) == CONVERTED

    def test_a_strangers_object_is_never_overwritten(self, world: World) -> None:
        world.store.put(TARGET, b"theirs")

        outcome = world.one(world.upload())

        assert outcome.result == State.FAILED
        assert world.store.data(TARGET) == b"theirs"

    def test_our_own_output_of_a_lost_settle_is_taken_over(self, world: World) -> None:
        request = world.upload()
        world.one(request)
        world.ledger.entries["nightly", SOURCE] = replace(next(world.ledger.works_put()), lease_until=NOON)

        assert world.one(request).result == State.CONVERTED

    def test_a_ledger_that_lost_its_entries_catches_up_with_the_outputs_fence(self, world: World) -> None:
        for data in (b"id\n1\n", b"id\n2\n", b"id\n3\n"):
            world.one(world.upload(data))
        world.ledger.entries.clear()
        request = world.upload(b"id\n4\n")

        first, second = world.one(request), world.one(request)

        assert (first.result, first.acknowledge) == (TRIED_AGAIN, False)
        assert second.result == State.CONVERTED
        assert world.store.data(TARGET) == b'{"id":4}\n'

    def test_an_old_event_after_the_ledger_was_lost_does_not_undo_a_newer_output(self, world: World) -> None:
        old = world.upload(b"id\n1\n")
        world.one(world.upload(b"id\n2\n"))
        world.one(world.upload(b"id\n3\n"))
        world.ledger.entries.clear()

        outcome = world.one(old)

        assert (outcome.result, outcome.acknowledge) == (State.SUPERSEDED, True)
        assert world.store.data(TARGET) == b'{"id":3}\n'

    def test_an_old_event_after_the_ledger_was_lost_brings_newer_bytes_that_nobody_heard_of(self, world: World) -> None:
        """SEED=240587: superseded as it was, it left partitions of two versions beside each other."""
        old = world.upload(b"id\n1\n")
        world.one(world.upload(b"id\n2\n"))
        world.one(world.upload(b"id\n3\n"))
        world.ledger.entries.clear()
        world.store.put(SOURCE, b"id\n4\n")

        first, second = world.one(old), world.one(old)

        assert (first.result, first.acknowledge) == (TRIED_AGAIN, False)
        assert second.result == State.CONVERTED
        assert world.store.data(TARGET) == b'{"id":4}\n'


class TestDeletions:
    def test_a_deletion_keeps_the_output_by_default(self, world: World) -> None:
        world.one(world.upload())

        assert world.one(world.delete()).result == State.REMOVED
        assert TARGET.key in world.store.buckets["acme-out"]

    def test_a_deletion_removes_the_output_where_asked(self, world: World) -> None:
        world.syncs = (bulk_sync(to="json", on_delete="remove"),)
        world.one(world.upload())

        assert world.one(world.delete()).result == State.REMOVED
        assert world.store.buckets["acme-out"] == {}
        assert world.entry().outputs == ()

    def test_a_late_deletion_never_removes_a_newer_objects_output(self, world: World) -> None:
        world.syncs = (bulk_sync(to="json", on_delete="remove"),)
        world.one(world.upload())
        removal = world.delete()
        again = world.upload()
        removal = replace(removal, change=replace(removal.change, sequencer=Sequencer.parse("FFFF")))

        assert world.one(removal).acknowledge
        assert world.one(again).acknowledge
        assert world.store.data(TARGET) == CONVERTED

    def test_a_deletion_of_the_newest_version_converts_the_one_that_is_there_again(self, world: World) -> None:
        """S3 tells of a removal, and the object exists: the bucket is looked at again."""
        world.one(world.upload())
        world.one(world.upload(b"id\n7\n"))
        world.store.put(SOURCE, ORDERS)

        outcome = world.one(world.event(kind=ChangeKind.REMOVED))

        assert outcome.result == State.CONVERTED
        assert world.store.data(TARGET) == CONVERTED

    @pytest.mark.parametrize("on_delete", ["keep", "remove"])
    def test_an_undelete_converts_the_object(self, world: World, on_delete: str) -> None:
        """The deletion of a delete marker is a removal, too."""
        world.syncs = (bulk_sync(to="json", on_delete=on_delete),)
        world.one(world.upload())
        world.one(world.delete())
        world.store.put(SOURCE, ORDERS)

        outcome = world.one(world.event(kind=ChangeKind.REMOVED))

        assert (outcome.result, world.entry().state) == (State.CONVERTED, State.CONVERTED)
        assert world.store.data(TARGET) == CONVERTED

    def test_a_late_deletion_of_what_is_there_changes_nothing(self, world: World) -> None:
        world.one(world.upload())
        world.store.calls.clear()

        outcome = world.one(world.event(kind=ChangeKind.REMOVED))

        assert (outcome.result, world.store.calls) == (RefusalKind.ALREADY_DONE, ["head"])

    def test_a_removed_winner_of_a_collision_has_its_loser_looked_at(self, world: World) -> None:
        world.syncs = (bulk_sync(to="json", on_delete="remove"),)
        loser = ObjectRef("acme-in", "in/orders.csv.gz")
        world.one(world.upload())
        world.store.put(loser, gzip.compress(b"id\n7\n"))
        assert world.one(world.event(loser)).failure is not None

        world.one(world.delete())

        (asked,) = world.queue.sent
        assert asked.change.ref == loser
        assert world.one(asked).result == State.CONVERTED
        assert world.store.data(TARGET) == b'{"id":7}\n'

    def test_an_object_that_comes_back_is_converted_again(self, world: World) -> None:
        world.syncs = (bulk_sync(to="json", on_delete="remove"),)
        world.one(world.upload())
        world.one(world.delete())

        assert world.one(world.upload()).result == State.CONVERTED
        assert world.store.data(TARGET) == CONVERTED


class TestRunsOfTables:
    def test_a_key_that_never_was_leaves_nothing(self, world: World) -> None:
        request = replace(world.event(ObjectRef("acme-in", "in/typo.csv")), run_id="20261122T120000Z")

        outcome = world.one(request)

        assert (outcome.result, outcome.acknowledge) == (State.IGNORED, True)
        assert world.ledger.puts == []

    def test_what_was_asked_for_under_a_newer_deployment_is_left_to_it(self, world: World) -> None:
        request = replace(world.upload(), run_id="20261122T120000Z", deployment=1)

        outcome = world.one(request)

        assert (outcome.result, outcome.acknowledge) == (RefusalKind.OUTDATED, False)
        assert world.ledger.puts == []


class UnreadableStore(InMemoryObjectStore):
    """A bucket that tells nobody anything, as one whose role may not be assumed."""

    def head(self, ref: ObjectRef) -> ObjectHead | None:
        raise BadCredentials("the role may not be assumed")

    def open(self, ref: ObjectRef, *, tail_first: bool = False) -> Any:
        raise BadCredentials("the role may not be assumed")


class SoonUnreadableStore(InMemoryObjectStore):
    """Whose objects may be looked at once."""

    def head(self, ref: ObjectRef) -> ObjectHead | None:
        if "head" in self.calls:
            raise BadCredentials("the role may not be assumed any more")
        return super().head(ref)


class TestLooksThatFail:
    """The looks before a claim may fail: the object is accounted for all the same."""

    @pytest.mark.parametrize("run_id", ["20261122T120000Z", None], ids=["asked for", "listed"])
    def test_the_entry_says_why(self, run_id: str | None) -> None:
        world = World(store=UnreadableStore({"acme-in": {}, "acme-out": {}}))
        change = ObjectChange(kind=ChangeKind.CREATED, ref=SOURCE, etag='"e"')

        outcome = world.one(Request(change=change, run_id=run_id))

        assert (outcome.result, outcome.acknowledge) == (State.FAILED, False)
        failure = world.entry().failure
        assert failure is not None
        assert (failure.error, failure.branch) == ("BadCredentials", Branch.CONFIGURATION)

    def test_what_cannot_be_converted_is_not_taken_for_deleted(self) -> None:
        """Its key is too long for an output, so that it is not read; nobody may look any more whether it is there."""
        world = World(store=SoonUnreadableStore({"acme-in": {}, "acme-out": {}}))
        source = ObjectRef("acme-in", f"in/{'x' * 1017}.csv")
        request = world.upload(b"a\n1\n", source)
        listed = replace(request, change=replace(request.change, sequencer=None), run_id="20261122T120000Z")

        outcome = world.one(listed)

        assert outcome.result is State.FAILED
        failure = world.entry(source).failure
        assert failure is not None
        assert failure.branch is Branch.DATA


class TestLateWorkers:
    """A worker whose claim was taken over undoes what it published, although ETags let it pass."""

    def publish_late(self, world: World, request: Request, meanwhile: Callable[[], None]) -> Outcome:
        """Work on a request; just before its output is published, an hour passes and others do ``meanwhile``."""
        genuine = world.store.upload

        def upload(target: ObjectRef, metadata: Mapping[str, str]) -> InMemoryUpload:
            begun = genuine(target, metadata)
            publish = begun.publish

            def publish_later(*, expected: str | None, rows: int) -> Published:
                begun.publish = publish  # type: ignore[method-assign] # once
                world.store.upload = genuine  # type: ignore[method-assign] # for the others
                world.now += timedelta(hours=1)
                meanwhile()
                return begun.publish(expected=expected, rows=rows)

            begun.publish = publish_later  # type: ignore[method-assign] # as above
            return begun

        world.store.upload = upload  # type: ignore[method-assign] # for the first worker
        return world.one(request, "late")

    def test_an_output_that_became_older_bytes_is_written_again(self, world: World) -> None:
        """The same bytes again have the same ETag: the condition of the late write is met."""
        first = b"id\n1\n"
        world.one(world.upload(first))
        second = world.upload(b"id\n2\n")

        def overwrite() -> None:
            assert world.one(world.upload(first), "quick").result == State.CONVERTED

        late = self.publish_late(world, second, overwrite)
        assert (late.result, late.acknowledge) == (TRIED_AGAIN, False)
        assert world.entry().state is State.FAILED

        assert world.one(second, "late").result == State.CONVERTED
        assert world.store.data(TARGET) == b'{"id":1}\n'

    def test_an_output_of_an_object_that_was_removed_meanwhile_goes(self, world: World) -> None:
        world.syncs = (bulk_sync(to="json", on_delete="remove"),)
        request = world.upload()

        def remove() -> None:
            world.one(world.delete(), "quick")

        late = self.publish_late(world, request, remove)

        assert not late.acknowledge
        assert world.entry().state is State.REMOVED
        assert TARGET.key not in world.store.buckets["acme-out"]

    def test_one_who_wins_looks_at_nothing_more(self, world: World) -> None:
        world.one(world.upload())
        world.store.calls.clear()

        world.one(world.upload(b"id\n2\n"))

        assert world.store.calls == ["open", "put"]


class FaultyStore(InMemoryObjectStore):
    """Raises ``faults`` one after the other on opening, then works."""

    def __init__(self, *faults: Exception) -> None:
        super().__init__({"acme-in": {}, "acme-out": {}})
        self.faults = list(faults)

    def open(self, ref: ObjectRef, *, tail_first: bool = False) -> Any:
        if self.faults:
            raise self.faults.pop(0)
        return super().open(ref, tail_first=tail_first)


class TestFaults:
    @pytest.mark.parametrize(
        ("fault", "branch"),
        [
            (ServiceUnavailable("503"), Branch.TRANSIENT),
            (AccessDenied("s3:GetObject was denied"), Branch.CONFIGURATION),
            (RuntimeError("a bug"), Branch.TRANSIENT),
        ],
    )
    def test_what_is_not_the_datas_fault_keeps_the_message(self, fault: Exception, branch: Branch) -> None:
        world = World(store=FaultyStore(fault))
        request = world.upload()

        outcome = world.one(request)

        assert (outcome.result, outcome.retry_after) == (State.FAILED, 30)
        failure = world.entry().failure
        assert failure is not None
        assert failure.branch is branch
        assert world.one(request).result == State.CONVERTED

    def test_an_object_overwritten_while_it_is_read_is_read_once_more(self) -> None:
        world = World(store=FaultyStore(ObjectChanged("412")))

        assert world.one(world.upload()).result == State.CONVERTED

    def test_an_object_overwritten_again_and_again_is_left_for_later(self) -> None:
        world = World(store=FaultyStore(ObjectChanged("412"), ObjectChanged("412")))

        assert world.one(world.upload()).retry_after == 30

    def test_an_archived_object_waits_and_its_restore_goes_on(self) -> None:
        world = World(store=FaultyStore(ObjectArchived("restore it")))
        assert world.one(world.upload()).result == State.WAITING

        assert world.one(world.event(kind=ChangeKind.RESTORED)).result == State.CONVERTED

    def test_time_that_runs_out_early_in_the_invocation_means_too_big(self, world: World) -> None:
        ticks: Iterator[float] = iter([900.0, 900.0, 1.0, 1.0, 1.0])
        delivery = Delivery(message_id="m", remaining=lambda: next(ticks, 1.0))

        (outcome,) = world.worker.work(world.upload(), delivery)

        assert outcome.acknowledge
        assert (world.entry().failure or pytest.fail("no failure")).error == "TooBig"

    def test_time_that_was_short_from_the_start_means_later(self, world: World) -> None:
        ticks: Iterator[float] = iter([200.0, 200.0, 1.0, 1.0, 1.0])
        delivery = Delivery(message_id="m", remaining=lambda: next(ticks, 1.0))

        (outcome,) = world.worker.work(world.upload(), delivery)

        assert outcome.retry_after == 30
        assert world.store.buckets["acme-out"] == {}

    def test_a_ledger_out_of_reach_keeps_the_message(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        def throttled(*_: object) -> None:
            raise ServiceUnavailable("throttled")

        monkeypatch.setattr(world.ledger, "get", throttled)

        outcome = world.one(world.upload())

        assert (outcome.result, outcome.acknowledge, outcome.entry) == (State.FAILED, False, None)


def test_waiting_doubles_up_to_a_quarter_of_an_hour() -> None:
    assert [backoff(receives) for receives in (1, 2, 3, 6, 60)] == [30, 60, 120, 900, 900]


def test_a_worker_of_one_clock_may_have_a_shorter_lease_and_wait_less() -> None:
    world = World()
    worker = Worker.build(
        planner=world.planner,
        ledger=world.ledger,
        stores={"landing": world.store, "lake": world.store},
        queues={"landing": world.queue},
        now=lambda: world.now,
        engine="1",
        timeout_seconds=900,
        lease_margin=timedelta(seconds=2),
        first_backoff=3,
    )
    newer = replace(world.upload(), deployment=7)

    (waits,) = worker.work(newer, world.delivery(receives=2))
    list(worker.work(world.upload(), world.delivery()))
    leases = [entry.lease_until for entry in world.ledger.works_put() if entry.state is State.IN_FLIGHT]

    assert waits.retry_after == 6
    assert set(leases) == {world.now + timedelta(seconds=902)}


def test_an_output_that_is_free_again_is_offered_to_who_could_not_have_it() -> None:
    """An output's key leaves out its source's extension: two files may want one."""
    world = World(syncs=(bulk_sync(to="json", on_delete="remove"),))
    rival = ObjectRef("acme-in", "in/orders.csv.gz")
    world.one(world.upload())
    world.one(world.upload(gzip.compress(ORDERS, mtime=0), rival), "rival")
    assert world.entry(rival).state is State.FAILED
    assert world.queue.sent == []

    world.one(world.delete(), "gone")

    assert [request.change.ref for request in world.queue.sent] == [rival]


@dataclass
class TailStore(InMemoryObjectStore):
    """Remembers of what the end was asked for first."""

    tails: dict[str, bool] = field(default_factory=dict)

    @contextmanager
    def open(self, ref: ObjectRef, *, tail_first: bool = False) -> Iterator[OpenedObject]:
        self.tails[ref.key] = tail_first
        with super().open(ref, tail_first=tail_first) as opened:
            yield opened


def test_the_end_is_asked_for_first_of_what_lists_its_parts_there() -> None:
    """One request brings the footer of a Parquet file, or the list of a zip's members, and the rest of a small one."""
    world = World(store=TailStore({"acme-in": {}, "acme-out": {}}))
    for name in ("a.csv", "b.parquet", "c.ZIP", "d.jsonl", "e.tar"):
        world.one(world.upload(b"x", ObjectRef("acme-in", f"in/{name}")), name)

    assert isinstance(world.store, TailStore)
    assert {key for key, is_tail_first in world.store.tails.items() if is_tail_first} == {"in/b.parquet", "in/c.ZIP"}
    assert len(world.store.tails) == 5


def test_a_run_is_not_done_by_work_that_an_event_asked_for() -> None:
    """A run that was begun and failed for a reason that passes, then the object's own event once more."""
    world = World()
    event = world.upload()
    world.one(event)
    run = replace(event, run_id="20261122T120000000000Z", sync="nightly")
    entry = world.entry()
    begun = replace(
        entry,
        revision=entry.revision + 1,
        state=State.FAILED,
        failure=Failure.of(ServiceUnavailable("503")),
        run_id=run.run_id,
    )
    world.ledger.put(begun)

    assert world.one(event, message="event").result is State.CONVERTED
    assert world.one(run, message="run").result is State.CONVERTED
    assert world.one(run, message="copy of the run").result is RefusalKind.ALREADY_DONE


class SilentBus:
    """Satisfies Teller: what is told does not get through, until it is repaired."""

    is_broken = True

    def wants(self, _entry: WorkEntry, /) -> bool:
        return True

    def tell(self, _entry: WorkEntry, /) -> None:
        if self.is_broken:
            raise ServiceUnavailable("events:PutEvents failed")


SNAPSHOTS: dict[str, Any] = {
    "syncs": (bulk_sync(to="json", mode="snapshot"),),
    "source": {"is_single_table": True, "single_table_name": "t"},
}


def keep_uploads(world: World) -> list[InMemoryUpload]:
    """All that are begun from here on."""
    uploads: list[InMemoryUpload] = []
    genuine = world.store.upload

    def upload(target: ObjectRef, metadata: Mapping[str, str]) -> InMemoryUpload:
        uploads.append(genuine(target, metadata))
        return uploads[-1]

    world.store.upload = upload  # type: ignore[method-assign] # remembers them
    return uploads


def test_what_was_written_for_a_claim_that_is_lost_is_discarded() -> None:
    """Parts of an upload that nobody discards stay, and cost."""
    world = World(syncs=(bulk_sync(to="json", bad_rows="quarantine"),))
    uploads, genuine = keep_uploads(world), world.ledger.put

    def put(entry: AnyEntry) -> None:
        if uploads:
            raise LostRace("somebody has claimed it since")
        genuine(entry)

    world.ledger.put = put  # type: ignore[method-assign] # once it is written, and before it is published
    with suppress(LostRace):
        world.one(world.upload(b"a,b\n1,2\n3\n"))

    assert {upload.target.key: upload.discarded for upload in uploads} == {
        "lake/orders.jsonl": True,
        "lake/_quarantine/orders.jsonl": True,
    }
    assert world.store.buckets["acme-out"] == {}


def test_what_was_written_for_a_place_that_is_anothers_is_discarded() -> None:
    world = World(syncs=(bulk_sync(to="json", bad_rows="quarantine"),))
    world.store.put(TARGET, b"mine")
    uploads = keep_uploads(world)

    outcome = world.one(world.upload(b"a,b\n1,2\n3\n"))

    assert outcome.result == State.FAILED
    assert {upload.target.key for upload in uploads if upload.discarded} >= {TARGET.key}
    assert world.store.data(TARGET) == b"mine"


@pytest.mark.parametrize("fields", [{}, SNAPSHOTS], ids=["an object", "a snapshot table"])
def test_work_that_could_not_be_told_is_done_and_its_message_comes_back_to_tell_it(fields: dict[str, Any]) -> None:
    world, bus = World(**fields), SilentBus()
    world.teller = bus
    request = world.upload()

    first = world.one(request)
    outputs = dict(world.store.buckets["acme-out"])
    bus.is_broken = False
    second = world.one(request)

    assert (first.acknowledge, first.retry_after, second.acknowledge) == (False, 30, True)
    assert len(outputs) == 1
    assert world.store.buckets["acme-out"] == outputs
    assert not any(getattr(entry, "is_untold", False) for entry in world.ledger.entries.values())


def test_of_a_whole_bucket_what_goes_gives_its_place_to_its_rival() -> None:
    """There is no folder above to look in."""
    syncs = (bulk_sync(to="json", on_delete="remove"),)
    world = World(syncs=syncs, source={"s3_bucket_name": "s3://acme-in"})
    first, rival = ObjectRef("acme-in", "x/a.csv"), ObjectRef("acme-in", "x/a.json")
    world.one(world.upload(b"a\n1\n", first))
    assert world.one(world.upload(b'{"a":2}', rival)).result == State.FAILED

    assert world.one(world.delete(first)).result == State.REMOVED

    assert [request.change.ref for request in world.queue.sent] == [rival]
