"""What the deployed convert function is, for forecasts of time and money."""

from __future__ import annotations

from typing import Any

from millrace.aws.faults import translated
from millrace.operations.forecast import Machines

_CONCURRENCY = 10
"""What a deployment has if nothing else is asked for (`infra.options`)."""


def read_machines(lambda_client: Any, function: str, queue: str | None) -> Machines:
    """The function's memory and processor, and how many a queue of that name may have at work.

    Needs lambda:GetFunctionConfiguration and lambda:ListEventSourceMappings.
    """
    with translated("lambda:GetFunctionConfiguration of", function):
        answer = lambda_client.get_function_configuration(FunctionName=function)
    return Machines(
        memory_mb=int(answer["MemorySize"]),
        concurrency=_read_concurrency(lambda_client, function, queue),
        is_arm="arm64" in answer.get("Architectures", ()),
    )


def _read_concurrency(lambda_client: Any, function: str, queue: str | None) -> int:
    with translated("lambda:ListEventSourceMappings of", function):
        for page in lambda_client.get_paginator("list_event_source_mappings").paginate(FunctionName=function):
            for mapping in page["EventSourceMappings"]:
                if queue is not None and mapping["EventSourceArn"].rpartition(":")[2] == queue:
                    return int(mapping.get("ScalingConfig", {}).get("MaximumConcurrency", _CONCURRENCY))
    return _CONCURRENCY
