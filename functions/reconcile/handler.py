"""A schedule's call in, differences on the queue."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from millrace.composition.runs import reconcile_world
from millrace.composition.tracing import trace_handler
from millrace.errors import MillraceError
from millrace.operations.reconcile import Call, Progress

logger = Logger()
metrics = Metrics(namespace="Millrace")
world = cache(reconcile_world)


@logger.inject_lambda_context(clear_state=True)
@trace_handler
@metrics.log_metrics
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Compare the sync that ``{"sync": name}`` names; call itself to go on where the time was too short.

    Or export what is due of the history, for ``{"history": "due"}``, or a day of it.
    """
    metrics.add_metric(name="Calls", unit=MetricUnit.Count, value=1)
    if set(event) == {"history"}:
        return _export_history(event["history"], context)
    call = Call.parse(event)
    report = world().reconciler.run(call.sync, lambda: context.get_remaining_time_in_millis() / 1000)
    logger.info("compared", extra=report.to_json())
    for name, count in asdict(report.this_run).items():
        metrics.add_metric(name=name.capitalize(), unit=MetricUnit.Count, value=count)
    if report.progress is Progress.PARTIAL and call.calls_left:
        world().invoke_later(context.function_name, call.next())
    return report.to_json()


def _export_history(asked: object, context: LambdaContext) -> dict[str, Any]:
    """Log what was exported, and raise if a day could not be, so that the function's alarm rings."""
    answer = world().export_history(asked, lambda: context.get_remaining_time_in_millis() / 1000)
    logger.info("exported history", extra=answer)
    if answer["problems"]:
        raise MillraceError("; ".join(answer["problems"]))
    return answer
