"""Finished files in, snapshots of Iceberg tables out; old snapshots go by a schedule."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from millrace.composition.commit import CommitMessage, commit_world
from millrace.composition.tracing import trace_handler
from millrace.errors import MillraceError

logger = Logger()
metrics = Metrics(namespace="Millrace")
world = cache(commit_world)


@logger.inject_lambda_context(clear_state=True)
@trace_handler
@metrics.log_metrics
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Commit what was received, and report exactly those that must come back; or expire, for ``{"expire": "due"}``."""
    metrics.add_metric(name="Calls", unit=MetricUnit.Count, value=1)

    def remaining() -> float:
        return context.get_remaining_time_in_millis() / 1000

    return _commit(event["Records"], remaining) if "Records" in event else _expire(remaining)


def _expire(remaining: Callable[[], float]) -> dict[str, Any]:
    answer = world().expire(remaining).to_log()
    logger.info("expired", extra=answer)
    return answer


def _commit(records: list[dict[str, Any]], remaining: Callable[[], float]) -> dict[str, Any]:
    report = world().commit(list(map(CommitMessage.of, records)), remaining)
    log = logger.error if report.failed or report.refused else logger.info
    log("committed", extra=report.to_log())
    for name, count in report.metrics.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=count)
    returning = [records[index] for index in sorted(report.failed)]
    for record in returning:
        _put_off(record)
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in returning]}


def _put_off(record: dict[str, Any]) -> None:
    """Have a message come back soon, and later each time: 5, 10, 20 … 900 seconds."""
    receives = int(record["attributes"].get("ApproximateReceiveCount") or 1)
    wait = min(5 * 2 ** min(receives - 1, 10), 900)
    try:
        world().put_off(record["eventSourceARN"], record["receiptHandle"], wait)
    except MillraceError as error:
        logger.warning(f"a message comes back when its queue shows it again: {error}")
