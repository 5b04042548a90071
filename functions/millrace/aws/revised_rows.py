"""Rows that change as a whole: JSON in one item of the ledger's table, under a revision that grows by one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from millrace.aws.dynamodb_ledger import follows
from millrace.aws.faults import translated

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def read_rows(client: DynamoDBClient, table: str, key: str) -> tuple[int, list[dict[str, Any]]]:
    """The revision and the rows: one strongly consistent GetItem; 0 and none if nobody has put any."""
    with translated("dynamodb:GetItem on", table):
        answer = client.get_item(TableName=table, Key={"pk": {"S": key}}, ConsistentRead=True)
    if "Item" not in answer:
        return 0, []
    return int(answer["Item"]["revision"]["N"]), json.loads(answer["Item"]["rows"]["S"])


def to_rows_attribute(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Rows as ``put_revised`` keeps them for ``read_rows``."""
    return {"rows": {"S": json.dumps(rows)}}


def put_revised(
    client: DynamoDBClient, table: str, key: str, revision: int, attributes: Mapping[str, Any], *, purpose: str
) -> None:
    """One conditional PutItem; errors name its ``purpose``. Raises LostRace if another revision is there."""
    item = {"pk": {"S": key}, "revision": {"N": str(revision)}, **attributes}
    with translated("dynamodb:PutItem on", f"{table} for the {purpose}"):
        client.put_item(TableName=table, Item=item, **follows(revision))
