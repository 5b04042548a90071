"""What every store of backfills must do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from millrace.aws.dynamodb_backfills import DynamoDBBackfills
from millrace.aws.dynamodb_ledger import DynamoDBLedger
from millrace.errors import LostRace
from millrace.objects.messages import Ticket, TicketResult
from millrace.operations.backfills.board import (
    Backfill,
    BackfillCounts,
    BackfillState,
    BackfillStore,
    Board,
    KeyRange,
    PortionResult,
    Span,
)
from tests.fakes import InMemoryBackfills

NOON = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
ROW = Backfill(
    name="20261122T120000Z-nightly",
    sync="nightly",
    prefix="in/ü ",
    started=NOON,
    state=BackfillState.PAUSED,
    inventory="s3://b/manifest.json",
    concurrency=7,
    most_waiting=5,
    deployment=3,
    generation=2,
    earlier=BackfillCounts(compared=9, asked=2, done=2),
    counts=BackfillCounts(known=2**40),
    paused_at=NOON,
    paused_seconds=12.5,
    idle_since=NOON,
)
RANGE = KeyRange(
    backfill=ROW.name,
    name="2.0.1",
    revision=1,
    span=Span("in/a\n", "in/ü+ ", file=3),
    after="in/b",
    counts=BackfillCounts(compared=3, ignored=1, failed_before=1, size=12),
    portions=(3, 0, 2),
    children=(Span("x", ""),),
    lease_until=NOON,
)


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return InMemoryBackfills()
    return DynamoDBBackfills(request.getfixturevalue("dynamodb"), "ledger")


def test_the_board_comes_back_as_it_was_put(store: BackfillStore) -> None:
    assert store.board() == Board()
    board = Board().with_row(ROW)

    store.put_board(board)

    assert store.board() == board
    stopped = board.with_row(replace(ROW, state=BackfillState.STOPPED, finished=NOON, paused_at=None))
    store.put_board(stopped)
    assert store.board() == stopped


def test_of_two_who_read_the_same_board_one_loses(store: BackfillStore) -> None:
    store.put_board(Board().with_row(ROW))

    with pytest.raises(LostRace):
        store.put_board(Board().with_row(ROW))


def test_a_range_comes_back_as_it_was_put(store: BackfillStore) -> None:
    store.put_range(RANGE)
    begun = replace(RANGE, name="2.0.2", is_listed=True, lease_until=None)
    store.put_range(begun)

    assert store.ranges(ROW.name, ["2.0.1", "2.0.2", "2.0.3"]) == {"2.0.1": RANGE, "2.0.2": begun}
    assert store.ranges("another", ["2.0.1"]) == {}


def test_of_two_who_read_the_same_range_one_loses(store: BackfillStore) -> None:
    store.put_range(RANGE)

    with pytest.raises(LostRace):
        store.put_range(RANGE)
    store.put_range(replace(RANGE, revision=2, after="in/c"))
    with pytest.raises(LostRace):
        store.put_range(replace(RANGE, revision=2))


def test_a_ticket_counts_once(store: Any) -> None:
    tickets = [Ticket(ROW.name, "2-1-0", number) for number in range(6)]
    store.count(tickets[:3], TicketResult.DONE)
    store.count(tickets[2:4], TicketResult.DONE)
    store.count([tickets[3], tickets[4]], TicketResult.FAILED)
    store.count([], TicketResult.FAILED)
    store.count(tickets, TicketResult.WAITING)
    store.count([Ticket(ROW.name, "2-1-1", 0)], TicketResult.DONE)

    results = [result for result in store.results(ROW.name, ["2-1-0", "2-1-2"]) if result != PortionResult()]

    assert results == [PortionResult(frozenset({0, 1, 2, 3}), frozenset({3, 4}), frozenset(range(6)))]
    assert results[0].to_counts() == BackfillCounts(done=4, failed=1, waiting=1)


def test_many_portions_are_read(store: Any) -> None:
    for portion in range(250):
        store.count([Ticket(ROW.name, str(portion), 0)], TicketResult.DONE)

    found = sum(
        (result.to_counts() for result in store.results(ROW.name, list(map(str, range(250))))), BackfillCounts()
    )

    assert found.done == 250


def test_who_was_stopped_is_known(store: Any) -> None:
    stopped = replace(ROW, name="other", state=BackfillState.STOPPED)
    store.put_board(Board(backfills=(ROW,)).with_row(stopped))

    assert store.stopped() == {"other"}


def test_backfills_and_entries_share_a_table_and_never_meet(dynamodb: Any) -> None:
    backfills = DynamoDBBackfills(dynamodb, "ledger")
    backfills.put_range(RANGE)
    backfills.put_board(Board().with_row(ROW))

    assert list(DynamoDBLedger(dynamodb, "ledger").of_sync("nightly")) == []


def test_only_the_last_that_have_ended_are_kept() -> None:
    board = Board()
    for number in range(30):
        board = board.with_row(replace(ROW, name=str(number), state=BackfillState.FINISHED))
    board = board.with_row(ROW)

    assert [row.name for row in board.backfills] == [*map(str, range(10, 30)), ROW.name]
