"""A phase of a big run in, the next phase out."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from big_run.status_changes import read_event
from millrace.big_runs.events import PhaseEvent
from millrace.composition.big_run import BigRunWorld, big_run_world
from millrace.composition.tracing import trace_handler

logger = Logger()
metrics = Metrics(namespace="Millrace")


@logger.inject_lambda_context(clear_state=True)
@trace_handler
@metrics.log_metrics
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Do the phase that the machine asks for; raise what the machine should try again."""
    metrics.add_metric(name="Phases", unit=MetricUnit.Count, value=1)
    asked = PhaseEvent.from_event(read_event(event))
    outcome = world().work(asked, lambda: context.get_remaining_time_in_millis() / 1000)
    facts = {"run": asked.place.run, "phase": asked.phase, "index": asked.index, "next": outcome.next}
    logger.info("phase done", extra=facts)
    return outcome.to_answer()


@cache
def world() -> BigRunWorld:
    """What the function works with, made once a cold start."""
    return big_run_world(not_catalogued=_tell_not_catalogued)


def _tell_not_catalogued(reason: str) -> None:
    logger.error("not catalogued", extra={"reason": reason})
    metrics.add_metric(name="NotCatalogued", unit=MetricUnit.Count, value=1)
