"""What stands at an output's key decides: nothing, our own, a lower fence, or somebody else's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from millrace.delivery.publishing import NewerOutput, finish_after_newer_output, publish
from millrace.errors import LostRace, OutputCollision, TargetChanged, WriteConflict
from millrace.ledger.entries import Entry, Output, State
from millrace.ledger.table_entries import TableOrder
from millrace.objects.lineage import Lineage
from millrace.objects.references import ObjectRef, Position, Sequencer
from millrace.objects.store import Published
from tests.fakes import InMemoryObjectStore

SOURCE = ObjectRef("acme-in", "in/a.csv")
TARGET = ObjectRef("acme-out", "lake/a.parquet")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
CLAIMED = replace(Entry.unseen("nightly", SOURCE, fingerprint="f", engine="1"), fence=5)


def lineage(fence: int, *, source: ObjectRef = SOURCE, sync: str = "nightly", at: Position | None = None) -> Lineage:
    return Lineage.of(
        sync=sync,
        source=source,
        etag="e",
        version_id=None,
        sequencer=at,
        fence=fence,
        fingerprint="f",
        engine="1",
    )


@dataclass
class ScriptedUpload:
    """Satisfies Upload; each publishing meets the next error, or succeeds."""

    errors: list[type[Exception] | None] = field(default_factory=list)
    expected: list[str | None] = field(default_factory=list)

    def write(self, data: bytes | memoryview, /) -> int:
        """Take it."""
        return len(data)

    def discard(self) -> None:
        """Nothing is there."""

    def publish(self, *, expected: str | None, rows: int) -> Published:
        """Remember the condition."""
        self.expected.append(expected)
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error("no")
        return Published("new", 9)


def store_with(metadata: Mapping[str, str] | None) -> InMemoryObjectStore:
    store = InMemoryObjectStore({"acme-out": {}})
    if metadata is not None:
        store.put(TARGET, b"there", metadata)
    return store


def etag_of(store: InMemoryObjectStore) -> str:
    return store.buckets[TARGET.bucket][TARGET.key].etag


def test_the_first_condition_is_what_the_ledger_knows() -> None:
    known = replace(CLAIMED, outputs=(Output(ref=TARGET, etag="old", size=1, rows=1),))
    first, again = ScriptedUpload(), ScriptedUpload()

    output = publish(first, TARGET, CLAIMED, store_with(None), rows=3)
    publish(again, TARGET, known, store_with(None), rows=3)

    assert output == Output(ref=TARGET, etag="new", size=9, rows=3)
    assert (first.expected, again.expected) == ([None], ["old"])


@pytest.mark.parametrize("fence", [1, 4, 5])
def test_our_own_output_under_this_or_a_lower_fence_is_replaced(fence: int) -> None:
    store, upload = store_with(lineage(fence).to_metadata()), ScriptedUpload([TargetChanged])

    publish(upload, TARGET, CLAIMED, store, rows=3)

    assert upload.expected == [None, etag_of(store)]


@pytest.mark.parametrize(
    ("metadata", "error", "told"),
    [
        (lineage(6).to_metadata(), NewerOutput, "under fence 6, above ours, 5"),
        ({}, OutputCollision, "was not written by Millrace"),
        (lineage(1, source=ObjectRef("acme-in", "in/b.csv")).to_metadata(), OutputCollision, "share the output"),
        (lineage(1, sync="hourly").to_metadata(), OutputCollision, "share the output"),
    ],
    ids=["higher fence", "a stranger's", "another source's", "another sync's"],
)
def test_what_is_not_ours_or_newer_stays(metadata: Mapping[str, str], error: type[Exception], told: str) -> None:
    upload = ScriptedUpload([TargetChanged])

    with pytest.raises(error, match=told):
        publish(upload, TARGET, CLAIMED, store_with(metadata), rows=3)

    assert upload.expected == [None]


def test_what_is_gone_by_now_is_written_where_nothing_is() -> None:
    known = replace(CLAIMED, outputs=(Output(ref=TARGET, etag="old", size=1, rows=1),))
    upload = ScriptedUpload([TargetChanged])

    publish(upload, TARGET, known, store_with(None), rows=3)

    assert upload.expected == ["old", None]


def test_two_writes_that_met_are_tried_again_five_times_in_all() -> None:
    lucky, unlucky = ScriptedUpload([WriteConflict] * 4), ScriptedUpload([WriteConflict] * 5)

    publish(lucky, TARGET, CLAIMED, store_with(None), rows=3)
    with pytest.raises(LostRace, match="kept changing"):
        publish(unlucky, TARGET, CLAIMED, store_with(None), rows=3)

    assert lucky.expected == [None] * 5
    assert unlucky.errors == []


A, B = Sequencer.parse("0A"), Sequencer.parse("0B")
EARLY, LATE = (TableOrder.of(NOON.replace(hour=hour), SOURCE) for hour in (1, 2))


@pytest.mark.parametrize(
    ("there", "ours", "state"),
    [
        (B, A, State.SUPERSEDED),
        (A, A, State.FAILED),
        (A, B, State.FAILED),
        (None, A, State.FAILED),
        (B, None, State.FAILED),
        (LATE, EARLY, State.SUPERSEDED),
        (EARLY, LATE, State.FAILED),
        (EARLY, EARLY, State.FAILED),
    ],
)
def test_a_newer_output_of_a_later_event_ends_the_work_and_any_other_is_tried_again(
    there: Position | None, ours: Position | None, state: State
) -> None:
    """The ledger lost entries, or a newer event was first: the entry takes over the output's fence."""
    carried = Lineage.from_metadata(lineage(6, at=there).to_metadata())
    assert carried is not None

    finish = finish_after_newer_output(NewerOutput("higher", carried), ours)

    assert (finish.state, finish.fence) == (state, 6)
    assert (finish.failure is None) == (state is State.SUPERSEDED)
    assert finish.failure is None or finish.failure.is_lost_race


def test_an_output_of_what_is_gone_ends_no_work() -> None:
    carried = Lineage.from_metadata(lineage(6, at=B).to_metadata())
    assert carried is not None

    finish = finish_after_newer_output(NewerOutput("higher", carried), A, is_current=False)

    assert (finish.state, finish.fence) == (State.FAILED, 6)
    assert finish.failure is not None
    assert finish.failure.is_lost_race
