"""Traces of X-Ray, where they are on."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

Handler = Callable[[dict[str, Any], Any], Any]
_TRUE = frozenset({"1", "true", "yes", "on", "y", "t"})


def trace_handler(handler: Handler) -> Handler:
    """The handler with a trace of each call; as it is where nothing is traced.

    Importing X-Ray's SDK takes longer than all the rest of a cold start, so it is left alone unless it is used.
    """
    if not is_traced(os.environ):
        return handler
    from aws_lambda_powertools import Tracer  # noqa: PLC0415 - X-Ray's SDK takes half a second to import

    traced: Handler = Tracer().capture_lambda_handler(handler, capture_response=False)
    return traced


def is_traced(environment: Mapping[str, str]) -> bool:
    """Whether the process is a function of Lambda whose traces are not switched off; Powertools' own rule."""
    is_off = environment.get("POWERTOOLS_TRACE_DISABLED", "").lower() in _TRUE
    return "LAMBDA_TASK_ROOT" in environment and not is_off
