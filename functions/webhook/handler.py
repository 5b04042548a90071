"""Messages of the webhooks' queues in, those that are tried again out; by hand, a test or the list."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from millrace.composition.tracing import trace_handler
from millrace.composition.webhooks import MessageResult, WebhookWorld, webhook_world
from millrace.notices.sending import parse_call

logger = Logger()
metrics = Metrics(namespace="Millrace")


@logger.inject_lambda_context(clear_state=True)
@trace_handler
@metrics.log_metrics
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Send what was received; report exactly those that must come back."""
    del context
    metrics.add_metric(name="Calls", unit=MetricUnit.Count, value=1)
    records = event.get("Records")
    if records is None:
        name = parse_call(event)
        return world().sender.test(name) if name is not None else {"webhooks": world().sender.list()}
    metrics.add_metric(name="Messages", unit=MetricUnit.Count, value=len(records))
    returning = [record["messageId"] for record in records if not _take(record)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in returning]}


def _take(record: dict[str, Any]) -> bool:
    """Whether a message may be deleted."""
    taken = world().take(record)
    loud = {MessageResult.TRIED_AGAIN: logger.warning, MessageResult.DEAD_LETTER: logger.error}
    log = loud.get(taken.result, logger.info)
    log(taken.result, extra=taken.to_log())
    metrics.add_metric(name=taken.metric, unit=MetricUnit.Count, value=1)
    return taken.acknowledge


@cache
def world() -> WebhookWorld:
    """What the function works with, made once a cold start."""
    return webhook_world()
