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
    memory_mb, is_arm = read_memory(lambda_client, function)
    return Machines(memory_mb=memory_mb, concurrency=_read_concurrency(lambda_client, function, queue), is_arm=is_arm)


def read_memory(lambda_client: Any, function: str) -> tuple[int, bool]:
    """A function's memory in MB, and whether its processor is Arm's. Needs lambda:GetFunctionConfiguration."""
    with translated("lambda:GetFunctionConfiguration of", function):
        answer = lambda_client.get_function_configuration(FunctionName=function)
    return int(answer["MemorySize"]), "arm64" in answer.get("Architectures", ())


def _read_concurrency(lambda_client: Any, function: str, queue: str | None) -> int:
    with translated("lambda:ListEventSourceMappings of", function):
        for page in lambda_client.get_paginator("list_event_source_mappings").paginate(FunctionName=function):
            for mapping in page["EventSourceMappings"]:
                if queue is not None and mapping["EventSourceArn"].rpartition(":")[2] == queue:
                    return int(mapping.get("ScalingConfig", {}).get("MaximumConcurrency", _CONCURRENCY))
    return _CONCURRENCY
