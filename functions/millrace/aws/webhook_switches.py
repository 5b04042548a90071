"""The switches of webhooks in the ledger's table: one item each, in none of its indexes."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from millrace.aws.dynamodb_ledger import follows
from millrace.aws.faults import translated
from millrace.aws.ledger_items import to_fields, to_time_text
from millrace.deployment.settings import SWITCH_MARK
from millrace.notices.sending import Switch

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoDBSwitches:
    """Satisfies ``sending.Switches``."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, webhook: str) -> Switch | None:
        """One strongly consistent GetItem."""
        with translated("dynamodb:GetItem on", self._table):
            answer = self._client.get_item(TableName=self._table, Key=_key(webhook), ConsistentRead=True)
        if "Item" not in answer:
            return None
        fields = to_fields(answer["Item"])
        since = fields.get("since")
        return Switch(
            webhook=webhook,
            url=fields["url"],
            since=datetime.fromisoformat(since) if since else None,
            revision=fields["revision"],
        )

    def put(self, switch: Switch) -> None:
        """One conditional PutItem."""
        item: dict[str, Any] = {"revision": {"N": str(switch.revision)}, "url": {"S": switch.url}}
        since = to_time_text(switch.since)
        if since is not None:
            item["since"] = {"S": since}
        with translated("dynamodb:PutItem on", f"{self._table} for the switch of webhook {switch.webhook!r}"):
            self._client.put_item(TableName=self._table, Item=item | _key(switch.webhook), **follows(switch.revision))


def _key(webhook: str) -> dict[str, Any]:
    return {"pk": {"S": f"{SWITCH_MARK}{webhook}"}}
