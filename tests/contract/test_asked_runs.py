"""What every store of followed reprocesses must do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from millrace.aws.dynamodb_asked_runs import DynamoDBAskedRuns
from millrace.errors import LostRace
from millrace.operations.asked_runs import AskedRun, AskedRuns, AskedRunStore, AskingCall
from millrace.operations.backfills.board import BackfillCounts
from tests.fakes import InMemoryAskedRuns

NOON = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
BEGUN = AskedRun(run_id="r1", sync="nightly", started=NOON)
ENDED = AskedRun(
    run_id="r2",
    sync="nightly ü",
    started=NOON,
    calls=(AskingCall("0-20261122", 3), AskingCall("1-20261122", 0)),
    counts=BackfillCounts(asked=2**40, done=7, failed=1, waiting=2),
    reached="in/ü\n+ ",
    is_asked=True,
    finished=NOON,
    is_begin_told=True,
)


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return InMemoryAskedRuns()
    return DynamoDBAskedRuns(request.getfixturevalue("dynamodb"), "ledger")


def test_at_first_there_are_none(store: AskedRunStore) -> None:
    assert store.asked_runs() == AskedRuns()


def test_they_come_back_as_they_were_put(store: AskedRunStore) -> None:
    first = AskedRuns().with_run(BEGUN)
    store.put_asked_runs(first)
    assert store.asked_runs() == first

    both = first.with_run(ENDED)
    store.put_asked_runs(both)

    assert store.asked_runs() == both
    assert (both.find(ENDED.name), both.find("backfill")) == (ENDED, None)


def test_of_two_who_change_them_at_once_the_second_loses(store: AskedRunStore) -> None:
    mine, theirs = AskedRuns().with_run(BEGUN), AskedRuns().with_run(replace(BEGUN, run_id="r3"))
    store.put_asked_runs(theirs)

    with pytest.raises(LostRace):
        store.put_asked_runs(mine)

    assert store.asked_runs() == theirs
