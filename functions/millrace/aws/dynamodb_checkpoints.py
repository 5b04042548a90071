"""How far comparisons have come, in the ledger's table: the functions that compare nothing do not load it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from millrace.aws.dynamodb_ledger import follows
from millrace.aws.faults import translated
from millrace.aws.ledger_items import SEPARATOR, asdict_with_time_texts, serialize_fields, to_fields
from millrace.mappings import pick
from millrace.operations.checkpoints import Checkpoint, Counts

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_CHECKPOINT_TIMES = ("lease_until", "put_off_since", "completed", "begun", "behind_since", "caught_up_since")


class DynamoDBCheckpoints:
    """Satisfies ``reconciliation.Checkpoints``: one item a sync, in the ledger's table and in none of its indexes."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, sync: str) -> Checkpoint | None:
        """One strongly consistent GetItem."""
        with translated("dynamodb:GetItem on", self._table):
            answer = self._client.get_item(TableName=self._table, Key=_checkpoint_key(sync), ConsistentRead=True)
        if "Item" not in answer:
            return None
        fields = to_fields(answer["Item"])
        del fields["pk"]
        for name, counts in pick(fields, "counts", "last").items():
            fields[name] = Counts(**counts)
        for name, text in pick(fields, *_CHECKPOINT_TIMES).items():
            fields[name] = datetime.fromisoformat(text)
        return Checkpoint(**fields)

    def put(self, checkpoint: Checkpoint) -> None:
        """One conditional PutItem."""
        fields = asdict_with_time_texts(checkpoint, _CHECKPOINT_TIMES)
        item = serialize_fields(fields)
        with translated("dynamodb:PutItem on", f"{self._table} for the checkpoint of sync {checkpoint.sync!r}"):
            self._client.put_item(
                TableName=self._table, Item=item | _checkpoint_key(checkpoint.sync), **follows(checkpoint.revision)
            )


def _checkpoint_key(sync: str) -> dict[str, Any]:
    return {"pk": {"S": f"{sync}{SEPARATOR}"}}
