"""Events that no queue brought: S3, SNS or EventBridge invokes the function itself."""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from millrace.delivery.intake import Grounds, Intake, Received
from millrace.errors import UnknownMessage
from millrace.ledger.claims import Delivery


def come_from_queue(records: list[Any]) -> bool:
    """Whether an event's records are messages of SQS."""
    return bool(records) and all(record.get("eventSource") == "aws:sqs" for record in records)


def work(event: dict[str, Any], context: LambdaContext, intake: Intake) -> None:
    """Work on an event as on one message; raise, after all that it names, if something must come back.

    Nothing can put it off. Lambda invokes again, twice, within minutes; then it gives the event up, and the next
    comparison finds its objects (AWS Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous
    invocation").
    """
    delivery = Delivery(
        # All tries of an event bear the id of the first.
        message_id=context.aws_request_id,
        remaining=lambda: context.get_remaining_time_in_millis() / 1000,
    )
    intake.take(Received(body=json.dumps(event), delivery=delivery, receipt=NoReceipt()))


class NoReceipt:
    """Satisfies ``intake.Receipt`` without a queue: nothing is put off or deleted, and Lambda hears what is wrong."""

    def put_off(self, seconds: int, /) -> None:
        """Do nothing."""

    def delete(self) -> None:
        """Do nothing."""

    def bury(self, body: str, grounds: Grounds, /) -> None:
        """Raise UnknownMessage with the grounds: what is invoked by hand is read by who invoked it."""
        del body
        raise UnknownMessage(f"{grounds.error}: {grounds.reason}")
