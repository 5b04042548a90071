"""A batch of the queue, as Lambda hands it over: one value for each message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from millrace.delivery.intake import Receipt, Received
from millrace.ledger.claims import Delivery


def receive_all(
    records: Sequence[dict[str, Any]], context: LambdaContext, find_receipt: Callable[[str, str], Receipt]
) -> list[Received]:
    """The messages of a batch, in its order. ``find_receipt`` takes a queue's ARN and a receipt handle."""
    is_alone = len(records) == 1
    return [_receive(record, context, find_receipt, is_alone=is_alone) for record in records]


def _receive(
    record: dict[str, Any], context: LambdaContext, find_receipt: Callable[[str, str], Receipt], *, is_alone: bool
) -> Received:
    attributes = record["attributes"]
    sent = attributes.get("SentTimestamp")
    return Received(
        body=record["body"],
        delivery=Delivery(
            message_id=record["messageId"],
            remaining=lambda: context.get_remaining_time_in_millis() / 1000,
            receives=int(attributes.get("ApproximateReceiveCount") or 1),
            # SQS counts milliseconds since 1970.
            sent=datetime.fromtimestamp(int(sent) / 1000, UTC) if sent else None,
            is_alone=is_alone,
        ),
        receipt=find_receipt(record["eventSourceARN"], record["receiptHandle"]),
    )
