"""Claims and settles with a store that refuses what is too large."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from millrace.engine.row_counts import RowCounts
from millrace.errors import MalformedFile, NotAccepted
from millrace.ledger.claims import Claims, Delivery
from millrace.ledger.entries import Announcement, BigRunFacts, Branch, Entry, Failure, Finish, Output, State
from millrace.ledger.rules import ClaimSubject
from millrace.ledger.schema_changes import SchemaChanges
from millrace.ledger.table_entries import AnyEntry
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef
from tests.fakes import InMemoryLedger

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOURCE = ObjectRef("acme-in", "in/a.csv")
BLANK = Entry.unseen("nightly", SOURCE, fingerprint="f", engine="1")
OUTPUT = Output(ref=ObjectRef("acme-out", "lake/a.parquet"), etag="t", size=1, rows=2)


@dataclass
class StrictLedger(InMemoryLedger):
    """Refuses entries with more text, or more outputs, than it is told to take."""

    most_text: int = 10
    most_outputs: int = 1

    def put(self, entry: AnyEntry) -> None:
        """Refuse as DynamoDB does."""
        if isinstance(entry, Entry):
            message = entry.failure.message if entry.failure and entry.failure.error != "NotAccepted" else ""
            texts = (entry.reason or "", entry.schema_changes.text if entry.schema_changes else "", message)
            if sum(map(len, texts)) > self.most_text or len(entry.outputs) > self.most_outputs:
                raise NotAccepted("dynamodb:PutItem was refused: the item is too large; split the object")
        super().put(entry)


def settle(finish: Finish, *, most_outputs: int = 1) -> tuple[Entry, Entry | None]:
    """What settling answers, and what the ledger has then."""
    ledger = StrictLedger(most_outputs=most_outputs)
    claims = Claims(ledger=ledger, now=lambda: NOON, engine="1")
    change = ObjectChange(kind=ChangeKind.CREATED, ref=SOURCE, etag="e")
    subject = ClaimSubject(sync="nightly", change=change, fingerprint="f", position=None)
    claimed = claims.claim(subject, Delivery(message_id="m", remaining=lambda: 900.0))
    assert isinstance(claimed, Entry)
    return claims.settle(claimed, finish), ledger.get("nightly", SOURCE)


def test_what_is_refused_for_its_size_is_written_without_its_texts() -> None:
    answered, kept = settle(
        Finish(
            state=State.CONVERTED,
            outputs=(OUTPUT,),
            rows=RowCounts(read=2, written=2),
            reason="x" * 11,
            schema_changes=SchemaChanges("y"),
        )
    )

    assert answered == kept
    assert (answered.state, answered.outputs, answered.rows.written) == (State.CONVERTED, (OUTPUT,), 2)
    assert (answered.reason, answered.schema_changes) == (None, None)


def test_a_failure_without_its_message_still_says_what_it_is() -> None:
    answered, kept = settle(Finish(state=State.FAILED, failure=Failure.of(MalformedFile("z" * 11, row=7))))

    assert answered == kept
    assert answered.failure is not None
    assert (answered.failure.error, answered.failure.message, answered.failure.row) == ("MalformedFile", "", 7)


def test_what_is_refused_without_its_texts_too_fails_as_data() -> None:
    """It does not stay in flight, to be worked on again and again."""
    answered, kept = settle(Finish(state=State.CONVERTED, outputs=(OUTPUT,), reason="x"), most_outputs=0)

    assert answered == kept
    assert answered.state is State.FAILED
    assert answered.failure is not None
    assert answered.failure.branch is Branch.DATA
    assert "split the object" in answered.failure.message


def test_what_a_ledger_takes_is_written_once() -> None:
    answered, kept = settle(Finish(state=State.CONVERTED, outputs=(OUTPUT,), reason="short"))

    assert answered == kept
    assert answered.reason == "short"


def test_a_run_in_parts_keeps_others_away_while_its_child_may_work_and_ten_minutes_longer() -> None:
    ledger = InMemoryLedger()
    home = ObjectRef("acme-out", ".millrace/runs/nightly-1/")
    run = BigRunFacts(name="nightly-1", execution="nightly-1", connection="lake", home=home)
    ledger.put(replace(BLANK, state=State.WAITING, revision=1, fence=1, started=NOON, big_run=run))
    claims = Claims(ledger=ledger, now=lambda: NOON, engine="1")

    claimed = claims.claim_for_big_run("nightly", SOURCE, name="nightly-1", fence=1, remaining=lambda: 900.0)

    assert claimed is not None
    assert claimed.lease_until == NOON + timedelta(minutes=15 + 10)


def test_what_an_earlier_deployment_left_to_tell_hinders_no_claim_of_one_that_tells_nobody() -> None:
    ledger = InMemoryLedger()
    ledger.put(replace(BLANK, state=State.CONVERTED, revision=1, fence=1, announcement=Announcement()))
    claims = Claims(ledger=ledger, now=lambda: NOON, engine="1")

    change = ObjectChange(kind=ChangeKind.CREATED, ref=SOURCE, etag="e2")
    subject = ClaimSubject(sync="nightly", change=change, fingerprint="f", position=None)
    claimed = claims.claim(subject, Delivery(message_id="m", remaining=lambda: 900.0))

    assert isinstance(claimed, Entry)
    assert claimed.fence == 2
