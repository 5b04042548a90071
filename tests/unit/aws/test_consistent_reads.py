"""Claims compare what they read with what they write: each read of the ledger is a consistent one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from millrace.aws.circuits import DynamoDBCircuits
from millrace.aws.dynamodb_checkpoints import DynamoDBCheckpoints
from millrace.aws.dynamodb_ledger import DynamoDBLedger
from millrace.objects.references import ObjectRef

TABLE = ObjectRef("acme-in", "in/orders")


class RecordingTable:
    """A DynamoDB client that has nothing, and remembers how it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def get_item(self, **words: Any) -> dict[str, Any]:
        """Nothing."""
        self.asked.append(words)
        return {}


READS: dict[str, Callable[[Any], object]] = {
    "entry": lambda client: DynamoDBLedger(client, "t").get("s", TABLE),
    "table": lambda client: DynamoDBLedger(client, "t").get_table("s", TABLE),
    "schema": lambda client: DynamoDBLedger(client, "t").get_schema("s", TABLE),
    "format": lambda client: DynamoDBLedger(client, "t").get_format("s", TABLE),
    "checkpoint": lambda client: DynamoDBCheckpoints(client, "t").get("s"),
    "circuit": lambda client: DynamoDBCircuits(client, "t").get("arn:aws:sqs:us-east-1:1:q"),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_the_ledger_is_read_consistently(read: Callable[[Any], object]) -> None:
    """An answer of before another's put would let two workers claim one object."""
    client = RecordingTable()

    assert read(cast("Any", client)) is None
    assert [asked["ConsistentRead"] for asked in client.asked] == [True]
