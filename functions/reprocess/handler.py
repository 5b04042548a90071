"""A manual invocation in, counts and a run id out."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from millrace.composition.runs import reprocessor
from millrace.composition.tracing import trace_handler
from millrace.operations.reprocess import Reprocess

logger = Logger()
world = cache(reprocessor)


@logger.inject_lambda_context(clear_state=True)
@trace_handler
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Put what the event names on the queue again; raise UsageError for an event that makes no sense."""
    answer = world().run(Reprocess.parse(event), lambda: context.get_remaining_time_in_millis() / 1000)
    logger.info("enqueued", extra={name: value for name, value in answer.items() if name != "examples"})
    return answer
