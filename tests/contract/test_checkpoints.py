"""What every store of checkpoints must do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from millrace.aws.dynamodb_checkpoints import DynamoDBCheckpoints
from millrace.aws.dynamodb_ledger import DynamoDBLedger
from millrace.errors import LostRace
from millrace.operations.checkpoints import Checkpoint, Checkpoints, Counts
from tests.fakes import InMemoryCheckpoints

FIRST = Checkpoint(sync="nightly", folder="s3://acme-in/in", revision=1)
FULL = Checkpoint(
    sync="nightly",
    folder="s3://acme-in/in",
    revision=2,
    after="in/2026 q1+ü\n.csv",
    counts=Counts(2**40, 3, 2, 1),
    lease_until=datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC),
    put_off_since=datetime(2026, 11, 21, 12, tzinfo=UTC),
    completed=datetime(2026, 11, 20, 12, tzinfo=UTC),
    last=Counts(5, 4, 3, 2, 1, 1),
    begun=datetime(2026, 11, 20, 11, tzinfo=UTC),
    is_begin_untold=True,
    has_backlog=True,
    behind_since=datetime(2026, 11, 19, 11, tzinfo=UTC),
    caught_up_since=datetime(2026, 11, 18, 11, tzinfo=UTC),
)


@pytest.fixture(params=["memory", "dynamodb"])
def checkpoints(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return InMemoryCheckpoints()
    return DynamoDBCheckpoints(request.getfixturevalue("dynamodb"), "ledger")


def test_what_was_never_put_is_not_there(checkpoints: Checkpoints) -> None:
    assert checkpoints.get("nightly") is None


def test_a_checkpoint_comes_back_as_it_was_put(checkpoints: Checkpoints) -> None:
    checkpoints.put(FIRST)
    assert checkpoints.get("nightly") == FIRST

    checkpoints.put(FULL)
    assert checkpoints.get("nightly") == FULL


def test_a_lease_is_given_back(checkpoints: Checkpoints) -> None:
    checkpoints.put(FIRST)
    checkpoints.put(FULL)
    back = replace(FULL, revision=3, lease_until=None)

    checkpoints.put(back)

    assert checkpoints.get("nightly") == back


def test_every_sync_has_its_own(checkpoints: Checkpoints) -> None:
    for sync in ("nightly", "nightly#table", "night"):
        checkpoints.put(replace(FIRST, sync=sync))

    assert checkpoints.get("nightly") == FIRST
    assert checkpoints.get("hourly") is None


@pytest.mark.parametrize("revision", [1, 2, 4])
def test_of_two_runs_that_read_the_same_one_loses(checkpoints: Checkpoints, revision: int) -> None:
    checkpoints.put(FIRST)
    checkpoints.put(FULL)

    with pytest.raises(LostRace):
        checkpoints.put(replace(FULL, revision=revision, after="elsewhere"))
    assert checkpoints.get("nightly") == FULL


def test_checkpoints_and_entries_share_a_table_and_never_meet(dynamodb: Any) -> None:
    """No index lists a checkpoint, and no entry has its key."""
    DynamoDBCheckpoints(dynamodb, "ledger").put(FIRST)

    assert list(DynamoDBLedger(dynamodb, "ledger").of_sync("nightly")) == []
