"""SQS batch in, failed message ids out; S3, SNS and EventBridge may invoke it directly, too."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from convert import direct
from convert.witness import LoggedWitness
from millrace.composition.convert import ConvertWorld, convert_world
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
    records, failures = event.get("Records") or [], []
    if not direct.come_from_queue(records):
        metrics.add_metric(name="Messages", unit=MetricUnit.Count, value=1)
        direct.work(event, context, world().direct_intake(tell=witness.outcome, note=witness.passed_over))
        return {"batchItemFailures": []}
    metrics.add_metric(name="Messages", unit=MetricUnit.Count, value=len(records))
    queue = records[0]["eventSourceARN"]
    intake = world().intake(queue, tell=witness.outcome, note=witness.passed_over)
    # Powertools' BatchProcessor does the same loop, and loads 70 modules of other event sources for it.
    for record in records:
        delivery = Delivery(
            message_id=record["messageId"],
            remaining=lambda: context.get_remaining_time_in_millis() / 1000,
            receives=int(record["attributes"].get("ApproximateReceiveCount") or 1),
        )
        try:
            intake.take(record["body"], delivery, partial(world().delay.delay, queue, record["receiptHandle"]))
        except Exception as error:  # noqa: BLE001 - the message comes back, and the others are worked on
            witness.comes_back(delivery.message_id, error)
            failures.append({"itemIdentifier": delivery.message_id})
    return {"batchItemFailures": failures}


@cache
def world() -> ConvertWorld:
    """What the function works with, made once a cold start."""
    return convert_world(witness)
