"""SQS batch in, failed message ids out; S3, SNS and EventBridge may invoke it directly, too."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from convert import direct, queue_records
from convert.log_and_metrics import LoggedWitness
from millrace.composition.convert import ConvertWorld, convert_world
from millrace.composition.tracing import trace_handler
from millrace.delivery.batch import take_batch

logger = Logger()
metrics = Metrics(namespace="Millrace")
witness = LoggedWitness(logger, metrics)


@logger.inject_lambda_context(clear_state=True)
@trace_handler
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
    batch = queue_records.receive_all(records, context, world().receipt)
    # Powertools' BatchProcessor takes messages one after another, too, but knows nothing of those that work alone; and
    # it loads 70 modules of other event sources.
    returning = take_batch(intake, batch, witness.comes_back)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in returning]}


@cache
def world() -> ConvertWorld:
    """What the function works with, made once a cold start."""
    return convert_world(witness)
