"""Events that no queue brought: S3, SNS or EventBridge invokes the function itself."""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from millrace.delivery.intake import Intake
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
    intake.take(json.dumps(event), delivery, _stay)


def _stay(seconds: int, /) -> None:
    """Put nothing off: there is no queue."""
