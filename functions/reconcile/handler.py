"""A schedule's call in, differences on the queue."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from millrace.composition import reconciler
from millrace.errors import UsageError

logger = Logger()
metrics = Metrics(namespace="Millrace")
tracer = Tracer()
world = cache(reconciler)


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Compare the sync that ``{"sync": name}`` names; call itself again where the time was too short."""
    if not isinstance(event.get("sync"), str):
        raise UsageError(f'expected {{"sync": "..."}}, found {event!r}')
    answer = world().run(event["sync"], lambda: context.get_remaining_time_in_millis() / 1000)
    logger.info("compared", extra=answer)
    for count in ("compared", "new", "changed", "gone"):
        metrics.add_metric(name=count.capitalize(), unit=MetricUnit.Count, value=answer[count])
    if not answer["complete"]:
        payload = json.dumps({"sync": event["sync"]}).encode()
        boto3.client("lambda").invoke(FunctionName=context.function_name, InvocationType="Event", Payload=payload)
    return answer
