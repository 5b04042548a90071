"""Metrics that the functions write, summed for those who look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from millrace.aws.faults import translated

NAMESPACE = "Millrace"


def sum_last_day(cloudwatch: Any, name: str, services: tuple[str, ...]) -> int:
    """The sum of a metric over the last 24 hours; ``services`` are functions as their metrics call them.

    A service is the deployment's name and the function's: ``millrace-convert``.
    """
    now = datetime.now(UTC)
    total = 0.0
    for service in services:
        with translated("cloudwatch:GetMetricStatistics of", f"{name} of {service}"):
            answer = cloudwatch.get_metric_statistics(
                Namespace=NAMESPACE,
                MetricName=name,
                Dimensions=[{"Name": "service", "Value": service}],
                StartTime=now - timedelta(days=1),
                EndTime=now,
                Period=3600,
                Statistics=["Sum"],
            )
        total += sum(point["Sum"] for point in answer.get("Datapoints", ()))
    return round(total)
