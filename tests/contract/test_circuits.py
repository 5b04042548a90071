"""What every store of circuits must do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from millrace.aws.circuits import DynamoDBCircuits
from millrace.delivery.breaker import Circuit, Circuits
from millrace.errors import LostRace
from tests.fakes import InMemoryCircuits

QUEUE = "arn:aws:sqs:us-east-1:111122223333:landing"
OPEN = Circuit(
    queue=QUEUE,
    revision=2,
    failures={"orders ü": ("0a", "1b"), "others": ("2c",)},
    paused=datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC),
    sync="orders ü",
    reason="s3:PutObject was denied",
)


@pytest.fixture(params=["memory", "dynamodb"])
def circuits(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return InMemoryCircuits()
    return DynamoDBCircuits(request.getfixturevalue("dynamodb"), "ledger")


def test_what_was_never_put_is_not_there(circuits: Circuits) -> None:
    assert circuits.get(QUEUE) is None


def test_a_circuit_comes_back_as_it_was_put(circuits: Circuits) -> None:
    first = Circuit(queue=QUEUE, revision=1)
    circuits.put(first)
    assert circuits.get(QUEUE) == first

    circuits.put(OPEN)
    assert circuits.get(QUEUE) == OPEN


@pytest.mark.parametrize("revision", [1, 2, 4])
def test_another_revision_than_the_next_is_refused(circuits: Circuits, revision: int) -> None:
    circuits.put(Circuit(queue=QUEUE, revision=1))
    circuits.put(OPEN)

    with pytest.raises(LostRace):
        circuits.put(Circuit(queue=QUEUE, revision=revision))
