"""An action in, what came of it out; a schedule calls it, too, so that no backfill is forgotten."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from millrace.composition.backfill import backfill_actions
from millrace.composition.tracing import trace_handler

logger = Logger()
world = cache(backfill_actions)


@logger.inject_lambda_context(clear_state=True)
@trace_handler
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Start, pause, resume, stop or tend backfills, or list a part of one; raise UsageError for what makes no sense."""
    answer = world().perform(event, lambda: context.get_remaining_time_in_millis() / 1000)
    logger.info("done", extra={"action": event.get("action"), "answer": answer})
    return answer
