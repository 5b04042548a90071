"""Who may delete an output: what is obsolete goes by name, and only what the very claim, or an earlier one, wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from millrace.errors import AccessDenied, LostRace, ServiceUnavailable
from millrace.ledger.claims import LEASE_MARGIN, Claims, Delivery, sweep
from millrace.ledger.entries import Branch, Entry, Finish, Output, State
from millrace.ledger.rules import ClaimSubject, Refusal, RefusalKind
from millrace.ledger.table_entries import AnyEntry, TableEntry
from millrace.objects.lineage import Lineage
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef, Sequencer, SourceVersion
from tests.fakes import InMemoryLedger, InMemoryObjectStore

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOURCE = ObjectRef("acme-in", "in/a.csv")
OLD = ObjectRef("acme-out", "lake/old.parquet")
NEW = ObjectRef("acme-out", "lake/new.parquet")
HOUR = timedelta(hours=1)


def written_by(fence: int, *, source: ObjectRef = SOURCE, sync: str = "nightly") -> Mapping[str, str]:
    """The metadata of an output."""
    return Lineage.of(
        sync=sync,
        source=source,
        etag="e",
        version_id=None,
        sequencer=None,
        fence=fence,
        fingerprint="f",
        engine="1",
    ).to_metadata()


def output(ref: ObjectRef, etag: str = "t") -> Output:
    return Output(ref=ref, etag=etag, size=1, rows=1)


@dataclass
class UnluckyLedger(InMemoryLedger):
    """Fails after, or before, so many puts were made."""

    lost_answers: int = 0
    lost_races: int = 0
    unavailable: int = 0

    def put(self, entry: AnyEntry) -> None:
        """Put, and lose the answer."""
        if self.lost_races:
            self.lost_races -= 1
            raise LostRace("another was quicker")
        if self.unavailable:
            self.unavailable -= 1
            raise ServiceUnavailable("503")
        super().put(entry)
        if self.lost_answers:
            self.lost_answers -= 1
            raise ServiceUnavailable("the answer was lost")


@dataclass
class ForbiddenStore(InMemoryObjectStore):
    """Lets nobody delete."""

    def delete(self, ref: ObjectRef, *, etag: str | None = None) -> None:
        """Refuse."""
        raise AccessDenied("s3:DeleteObject was denied")


class SweepBench:
    """A ledger, a bucket and a worker's claims."""

    def __init__(self, ledger: UnluckyLedger | None = None, store: InMemoryObjectStore | None = None) -> None:
        self.ledger = ledger or UnluckyLedger()
        self.store = store or InMemoryObjectStore({"acme-out": {}})
        self.now = NOON

    @property
    def claims(self) -> Claims:
        return Claims(ledger=self.ledger, now=lambda: self.now, engine="1")

    def subject(self, sequencer: str = "0A", etag: str = "e") -> ClaimSubject:
        position = Sequencer.parse(sequencer)
        change = ObjectChange(kind=ChangeKind.CREATED, ref=SOURCE, sequencer=position, etag=etag)
        return ClaimSubject(sync="nightly", change=change, fingerprint="f", position=position)

    def claim(self, sequencer: str = "0A", etag: str = "e", message: str = "m") -> Entry:
        delivery = Delivery(message_id=message, remaining=lambda: 900.0)
        claimed = self.claims.claim(self.subject(sequencer, etag), delivery)
        assert isinstance(claimed, Entry), claimed
        return claimed

    def write(self, ref: ObjectRef, data: bytes, metadata: Mapping[str, str]) -> Output:
        self.store.put(ref, data, metadata)
        return output(ref, self.store.buckets[ref.bucket][ref.key].etag)

    def convert(self, ref: ObjectRef, data: bytes = b"1", *, sequencer: str = "0A", etag: str = "e") -> Entry:
        """One version's whole way."""
        claimed = self.claim(sequencer, etag)
        claimed = self.claims.announce_outputs(claimed, [ref])
        written = self.write(ref, data, written_by(claimed.fence))
        return self.claims.settle(claimed, Finish(state=State.CONVERTED, outputs=(written,)), self.store)

    def entry(self) -> Entry:
        entry = self.ledger.get("nightly", SOURCE)
        assert entry is not None
        return entry

    def has(self, ref: ObjectRef) -> bool:
        return ref.key in self.store.buckets[ref.bucket]


class TestSweeping:
    @pytest.mark.parametrize(
        ("metadata", "goes"),
        [
            (written_by(1), True),
            (written_by(2), True),
            (written_by(3), False),
            (written_by(1, source=ObjectRef("acme-in", "in/b.csv")), False),
            (written_by(1, sync="hourly"), False),
            ({}, False),
        ],
        ids=["earlier fence", "same fence", "higher fence", "another source's", "another sync's", "a stranger's"],
    )
    def test_only_an_output_of_this_source_under_this_or_an_earlier_fence_is_deleted(
        self, metadata: Mapping[str, str], *, goes: bool
    ) -> None:
        bench = SweepBench()
        settled = replace(bench.claim(), obsolete=(output(NEW), output(OLD)))
        bench.store.put(OLD, b"1", metadata)

        sweep(settled, 2, bench.store)

        assert bench.has(OLD) == (not goes)

    def test_what_stands_there_by_now_stays(self) -> None:
        """The delete is conditional: another may write between the look and the delete."""
        bench = SweepBench()
        settled = replace(bench.claim(), obsolete=(output(OLD),))
        bench.store.put(OLD, b"1", written_by(1))
        seen = bench.store.head(OLD)
        assert seen is not None
        bench.store.put(OLD, b"2", written_by(9))
        bench.store.head = lambda ref: seen  # type: ignore[method-assign] # what was seen is of before

        sweep(settled, 1, bench.store)

        assert bench.store.data(OLD) == b"2"

    def test_the_outputs_that_newer_work_lacks_are_deleted_before_it_settles(self) -> None:
        bench = SweepBench()
        bench.convert(OLD)

        settled = bench.convert(NEW, sequencer="0B", etag="e2")

        assert (bench.has(OLD), bench.has(NEW)) == (False, True)
        assert (settled.obsolete, bench.entry()) == ((), settled)

    @pytest.mark.parametrize("state", [State.FAILED, State.WAITING, State.SUPERSEDED])
    def test_work_that_came_to_no_end_deletes_nothing(self, state: State) -> None:
        bench = SweepBench()
        bench.convert(OLD)
        claimed = bench.claims.announce_outputs(bench.claim("0B", "e2"), [NEW])
        bench.write(NEW, b"2", written_by(claimed.fence))

        settled = bench.claims.settle(claimed, Finish(state=state), bench.store)

        assert (bench.has(OLD), bench.has(NEW)) == (True, True)
        assert [known.ref for known in settled.obsolete] == [NEW]

    def test_what_cannot_be_deleted_fails_and_is_kept_in_mind(self) -> None:
        bench = SweepBench(store=ForbiddenStore({"acme-out": {}}))
        bench.convert(OLD)

        settled = bench.convert(NEW, sequencer="0B", etag="e2")

        assert settled.state is State.FAILED
        assert settled.failure is not None
        assert settled.failure.branch is Branch.CONFIGURATION
        assert {known.ref for known in settled.obsolete} == {OLD}
        assert bench.entry() == settled


class TestWithdrawing:
    """A worker whose claim was taken over, and that published before it knew."""

    def late(self, bench: SweepBench) -> Entry:
        """A claim whose lease runs out before its work ends."""
        claimed = bench.claims.announce_outputs(bench.claim("0A", "e", "a"), [OLD])
        bench.now = NOON + HOUR
        return claimed

    def settle_late(self, bench: SweepBench, claimed: Entry, written: Output) -> None:
        with pytest.raises(LostRace):
            bench.claims.settle(claimed, Finish(state=State.CONVERTED, outputs=(written,)), bench.store)

    def test_what_it_published_goes_if_newer_work_does_not_name_it(self) -> None:
        bench = SweepBench()
        claimed = self.late(bench)
        newer = bench.claim("0B", "e2", "b")
        bench.claims.settle(newer, Finish(state=State.REMOVED, outputs=()), bench.store)
        written = bench.write(OLD, b"1", written_by(claimed.fence))

        self.settle_late(bench, claimed, written)

        assert not bench.has(OLD)
        assert bench.entry().state is State.REMOVED

    @pytest.mark.parametrize("fence", [2, 3])
    def test_what_another_published_stays(self, fence: int) -> None:
        bench = SweepBench()
        claimed = self.late(bench)
        newer = bench.claim("0B", "e2", "b")
        bench.claims.settle(newer, Finish(state=State.REMOVED, outputs=()))
        written = bench.write(OLD, b"1", written_by(fence))

        self.settle_late(bench, claimed, written)

        assert bench.has(OLD)
        assert bench.entry().state is State.REMOVED

    def test_what_it_wrote_over_is_written_again(self) -> None:
        bench = SweepBench()
        claimed = self.late(bench)
        newer = bench.claim("0B", "e2", "b")
        bench.claims.settle(newer, Finish(state=State.CONVERTED, outputs=(output(OLD, "other"),)))
        written = bench.write(OLD, b"1", written_by(claimed.fence))

        self.settle_late(bench, claimed, written)

        assert bench.has(OLD)
        assert (bench.entry().state, bench.entry().sequencer) == (State.FAILED, None)

    def test_the_same_bytes_are_whole_whoever_wrote_them(self) -> None:
        bench = SweepBench()
        claimed = self.late(bench)
        newer = bench.claim("0B", "e2", "b")
        written = bench.write(OLD, b"1", written_by(claimed.fence))
        settled = bench.claims.settle(newer, Finish(state=State.CONVERTED, outputs=(written,)))

        self.settle_late(bench, claimed, written)

        assert bench.entry() == settled

    def test_work_in_flight_cannot_settle_and_does_it_again(self) -> None:
        bench = SweepBench()
        claimed = self.late(bench)
        newer = bench.claim("0B", "e2", "b")
        written = bench.write(OLD, b"1", written_by(claimed.fence))

        self.settle_late(bench, claimed, written)

        assert bench.has(OLD)
        with pytest.raises(LostRace):
            bench.claims.settle(newer, Finish(state=State.CONVERTED, outputs=()))

    def test_who_lost_only_its_place_in_a_line_undoes_nothing(self) -> None:
        """A later event of the same claim has another revision and the same fence."""
        bench = SweepBench()
        claimed = self.late(bench)
        bench.ledger.put(replace(claimed, revision=claimed.revision + 1))
        written = bench.write(OLD, b"1", written_by(claimed.fence))

        self.settle_late(bench, claimed, written)

        assert bench.has(OLD)
        assert bench.entry().revision == claimed.revision + 1

    def test_a_snapshot_of_a_model_is_kept_by_whoever_lost(self) -> None:
        bench = SweepBench()
        claimed = self.late(bench)
        bench.claims.settle(bench.claim("0B", "e2", "b"), Finish(state=State.REMOVED, outputs=()))
        written = bench.write(OLD, b"1", written_by(claimed.fence))
        finish = Finish(state=State.CONVERTED, outputs=(written,), keep_earlier=True)

        with pytest.raises(LostRace):
            bench.claims.settle(claimed, finish, bench.store)

        assert bench.has(OLD)

    def test_what_it_published_without_an_announcement_goes_as_well(self) -> None:
        bench = SweepBench()
        claimed = bench.claim("0A", "e", "a")
        bench.now = NOON + HOUR
        bench.claims.settle(bench.claim("0B", "e2", "b"), Finish(state=State.REMOVED, outputs=()))

        self.settle_late(bench, claimed, bench.write(NEW, b"1", written_by(claimed.fence)))

        assert not bench.has(NEW)

    @pytest.mark.parametrize("has_store", [True, False])
    def test_who_published_nothing_has_nothing_to_undo(self, *, has_store: bool) -> None:
        bench = SweepBench()
        claimed = self.late(bench)
        settled = bench.claims.settle(bench.claim("0B", "e2", "b"), Finish(state=State.REMOVED, outputs=()))

        with pytest.raises(LostRace):
            bench.claims.settle(claimed, Finish(state=State.FAILED), bench.store if has_store else None)

        assert bench.entry() == settled

    def test_a_late_worker_whose_entry_is_gone_leaves_all_as_it_is(self) -> None:
        """The ledger was lost meanwhile: nobody can say whose the output is."""
        bench = SweepBench()
        claimed = self.late(bench)
        bench.ledger.entries.clear()
        written = bench.write(OLD, b"1", written_by(claimed.fence))

        self.settle_late(bench, claimed, written)

        assert bench.has(OLD)


class TestPutting:
    def test_a_claim_is_tried_three_times(self) -> None:
        assert SweepBench(UnluckyLedger(lost_races=2)).claim().state is State.IN_FLIGHT
        with pytest.raises(LostRace, match="others claimed it 3 times in a row"):
            SweepBench(UnluckyLedger(lost_races=3)).claim()

    def test_a_put_whose_answer_was_lost_was_made(self) -> None:
        bench = SweepBench(UnluckyLedger(lost_answers=1))

        claimed = bench.claim()

        assert bench.entry() == claimed

    def test_a_put_that_was_not_made_is_told(self) -> None:
        with pytest.raises(ServiceUnavailable):
            SweepBench(UnluckyLedger(unavailable=1)).claim()

    def test_outputs_that_the_ledger_knows_cost_no_put(self) -> None:
        bench = SweepBench()
        bench.convert(OLD)
        claimed = bench.claim("0B", "e2")
        puts = len(bench.ledger.puts)

        assert bench.claims.announce_outputs(claimed, [OLD]) is claimed
        assert len(bench.ledger.puts) == puts

    def test_a_later_event_of_what_is_done_is_written_down(self) -> None:
        """So that events in between count as older."""
        bench = SweepBench()
        bench.convert(OLD)

        refusal = bench.claims.claim(bench.subject("0C"), Delivery(message_id="m2", remaining=lambda: 900.0))

        assert isinstance(refusal, Refusal)
        assert refusal.kind is RefusalKind.ALREADY_DONE
        assert bench.entry().sequencer == Sequencer.parse("0C")

    @pytest.mark.parametrize(("receives", "is_first"), [(1, True), (2, False)])
    def test_only_the_first_receipt_is_a_first_one(self, receives: int, *, is_first: bool) -> None:
        request = SweepBench().claims._request(
            SweepBench().subject(), Delivery(message_id="m", remaining=lambda: 60.0, receives=receives, is_alone=False)
        )

        assert (request.is_first_receipt, request.is_alone) == (is_first, False)
        assert request.lease_until == NOON + timedelta(seconds=60) + LEASE_MARGIN

    def test_a_delivery_is_by_itself_and_of_a_first_deployment_unless_it_says_otherwise(self) -> None:
        delivery = Delivery(message_id="m", remaining=lambda: 60.0)
        request = SweepBench().claims._request(SweepBench().subject(), delivery)

        assert (delivery.receives, delivery.is_alone) == (1, True)
        assert (request.deployment, request.hidden_for) == (0, timedelta(0))


class TestTables:
    TABLE = ObjectRef("acme-in", "in/orders")

    def subject(self, etag: str = "e") -> ClaimSubject:
        change = ObjectChange(kind=ChangeKind.CREATED, ref=self.TABLE, etag=etag)
        return ClaimSubject(sync="nightly", change=change, fingerprint="f", position=None)

    def delivery(self, message: str = "m") -> Delivery:
        return Delivery(message_id=message, remaining=lambda: 900.0, is_alone=False)

    def claim(self, bench: SweepBench, message: str = "m") -> TableEntry:
        claimed = bench.claims.claim_table(self.subject(), self.delivery(message))
        assert isinstance(claimed, TableEntry), claimed
        return claimed

    def test_a_table_whose_worker_died_is_no_suspect(self) -> None:
        """The worker died over one of its files, whose own entry says so."""
        bench = SweepBench()
        self.claim(bench)
        bench.now = NOON + HOUR

        assert self.claim(bench, "m2").fence == 2

    def test_a_table_is_claimed_as_it_was_read_or_not_at_all(self) -> None:
        bench = SweepBench()
        read = bench.claims.settle(self.claim(bench), Finish(state=State.WAITING))

        claimed = bench.claims.claim_table_as_read(read, self.subject(), self.delivery())

        assert isinstance(claimed, TableEntry)
        assert bench.ledger.get_table("nightly", self.TABLE) == claimed
        with pytest.raises(LostRace):
            bench.claims.claim_table_as_read(read, self.subject(), self.delivery("m2"))

    def test_a_table_in_flight_is_refused_and_nothing_is_put(self) -> None:
        bench = SweepBench()
        live = self.claim(bench)

        refusal = bench.claims.claim_table_as_read(live, self.subject("e2"), self.delivery("m2"))

        assert isinstance(refusal, Refusal)
        assert refusal.kind is RefusalKind.BUSY
        assert bench.ledger.get_table("nightly", self.TABLE) == live

    def test_a_late_worker_of_a_table_looks_at_the_tables_entry(self) -> None:
        bench = SweepBench()
        late = bench.claims.announce_outputs(self.claim(bench), [OLD])
        bench.now = NOON + HOUR
        bench.claims.settle(self.claim(bench, "m2"), Finish(state=State.REMOVED, outputs=()))
        lineage = Lineage.from_metadata(written_by(late.fence, source=self.TABLE, sync=late.stored_sync))
        assert lineage is not None
        written = bench.write(OLD, b"1", lineage.to_metadata())

        with pytest.raises(LostRace):
            bench.claims.settle(late, Finish(state=State.CONVERTED, outputs=(written,)), bench.store)

        assert not bench.has(OLD)


def test_the_version_of_a_claim_is_what_the_event_said_of_it() -> None:
    assert SweepBench().claim(etag="e7").version == SourceVersion(etag="e7")


def test_only_entries_that_can_be_claimed_are_written() -> None:
    class Strange:
        """No entry."""

    with pytest.raises(TypeError, match="Strange is no entry"):
        SweepBench().claims._write(Strange())  # type: ignore[arg-type] # that is the point
