"""What the ledger says as a whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from millrace.errors import MalformedFile
from millrace.ledger.entries import Entry, Failure, State
from millrace.objects.references import ObjectRef
from millrace.operations.status import read_status, summarise
from tests.fakes import InMemoryLedger

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def ledger(*entries: Entry) -> InMemoryLedger:
    memory = InMemoryLedger()
    for entry in entries:
        memory.put(entry)
    return memory


def entry(key: str, state: State, *, hours_ago: int = 0, **fields: Any) -> Entry:
    when = NOON - timedelta(hours=hours_ago)
    finished = None if state is State.IN_FLIGHT else when
    words: dict[str, Any] = {"sync": "nightly", "revision": 1, "fence": 1, "fingerprint": "f", "engine": "1"}
    words |= {"started": when, "finished": finished}
    return Entry(source=ObjectRef("b", key), state=state, **(words | fields))


def test_entries_are_counted_once_by_sync_and_state() -> None:
    memory = ledger(
        entry("a", State.CONVERTED),
        entry("b", State.CONVERTED),
        entry("c", State.FAILED, failure=Failure.of(MalformedFile("x"))),
        entry("d", State.CONVERTED, sync="hourly"),
    )

    status = read_status(memory, now=NOON, days=7, sync=None, newest=10)

    assert status.counts == {"nightly": {State.CONVERTED: 2, State.FAILED: 1}, "hourly": {State.CONVERTED: 1}}


def test_what_needs_attention_counts_however_old_it_is() -> None:
    memory = ledger(
        entry("a", State.CONVERTED, hours_ago=1000),
        entry("b", State.FAILED, hours_ago=1000, failure=Failure.of(MalformedFile("x"))),
        entry("c", State.IN_FLIGHT, hours_ago=3),
        entry("d", State.IN_FLIGHT, hours_ago=2),
    )

    status = read_status(memory, now=NOON, days=7, sync=None, newest=10)

    assert status.counts == {"nightly": {State.FAILED: 1, State.IN_FLIGHT: 2}}
    assert [entry.source.key for entry in status.in_flight] == ["c", "d"]


def test_failures_are_told_newest_first_and_no_more_than_asked() -> None:
    memory = ledger(*(entry(str(age), State.FAILED, hours_ago=age) for age in (3, 1, 2)))

    status = read_status(memory, now=NOON, days=7, sync="nightly", newest=2)

    assert [failure.source.key for failure in status.failures] == ["1", "2"]


def test_what_was_finished_in_the_last_hour_is_its_rate() -> None:
    memory = ledger(
        entry("a", State.CONVERTED),
        entry("b", State.FAILED, failure=Failure.of(MalformedFile("x"))),
        entry("c", State.CONVERTED, hours_ago=2),
        entry("d", State.IN_FLIGHT),
    )

    assert read_status(memory, now=NOON, days=1, sync=None, newest=1).last_hour == 2


def test_one_sync_alone() -> None:
    memory = ledger(entry("a", State.CONVERTED), entry("b", State.CONVERTED, sync="hourly"))

    assert list(read_status(memory, now=NOON, days=1, sync="hourly", newest=1).counts) == ["hourly"]


def test_the_days_that_are_asked_for_end_today() -> None:
    memory = ledger(
        entry("today", State.CONVERTED),
        entry("yesterday", State.CONVERTED, hours_ago=24, sync="y"),
        entry("before", State.CONVERTED, hours_ago=48, sync="b"),
    )

    assert list(read_status(memory, now=NOON, days=2, sync=None, newest=1).counts) == ["nightly", "y"]
    assert read_status(memory, now=NOON, days=0, sync=None, newest=1).counts == {}


def test_an_entry_of_two_indexes_counts_once_in_the_last_hour_as_well() -> None:
    """What failed an hour ago is among what finished and among what needs attention."""
    failed = entry("a", State.FAILED, hours_ago=1, failure=Failure.of(MalformedFile("x")))
    other = entry("a", State.FAILED, failure=Failure.of(MalformedFile("x")), sync="hourly")

    status = summarise([failed, other, failed], newest=9, since=NOON - timedelta(hours=1))

    assert status.last_hour == 2
    assert status.counts == {"nightly": {State.FAILED: 1}, "hourly": {State.FAILED: 1}}


def test_what_has_no_time_at_all_comes_last_among_failures() -> None:
    memory = [
        entry("a", State.FAILED, started=None, finished=None),
        entry("b", State.FAILED, finished=None, hours_ago=1),
        entry("c", State.FAILED, hours_ago=2),
    ]

    status = summarise(memory, newest=9, since=NOON)

    assert [failure.source.key for failure in status.failures] == ["b", "c", "a"]
    assert status.last_hour == 0
    assert summarise([], newest=9, since=NOON).last_hour == 0
