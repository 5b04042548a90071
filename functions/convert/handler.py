"""SQS batch in, failed message ids out; S3, SNS and EventBridge may invoke it directly, too."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from convert import direct
from convert.witness import LoggedWitness
from millrace.composition.convert import ConvertWorld, convert_world
from millrace.delivery.batch import take_batch
from millrace.delivery.intake import Received
from millrace.ledger.claims import Delivery

logger = Logger()
metrics = Metrics(namespace="Millrace")
tracer = Tracer()
witness = LoggedWitness(logger, metrics)


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Work on every message there is time for; report exactly those that must come back."""
    records = event.get("Records") or []
    if not direct.come_from_queue(records):
        metrics.add_metric(name="Messages", unit=MetricUnit.Count, value=1)
        direct.work(event, context, world().direct_intake(tell=witness.outcome, note=witness.passed_over))
        return {"batchItemFailures": []}
    metrics.add_metric(name="Messages", unit=MetricUnit.Count, value=len(records))
    queue = records[0]["eventSourceARN"]
    intake = world().intake(queue, tell=witness.outcome, note=witness.passed_over)
    batch = [_receive(record, context, is_alone=len(records) == 1) for record in records]
    # Powertools' BatchProcessor takes messages one after another, too, but knows nothing of those that work alone; and
    # it loads 70 modules of other event sources.
    returning = take_batch(intake, batch, witness.comes_back)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in returning]}


def _receive(record: dict[str, Any], context: LambdaContext, *, is_alone: bool) -> Received:
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
        receipt=world().receipt(record["eventSourceARN"], record["receiptHandle"]),
    )


@cache
def world() -> ConvertWorld:
    """What the function works with, made once a cold start."""
    return convert_world(witness)
