"""What EventBridge says of an execution that ended, as the phase that heals its run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def read_event(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The phase that ``event`` asks for: its own, or ``heal`` where AWS says how an execution ended.

    Source: AWS Step Functions Developer Guide, "EventBridge for Step Functions execution status changes".
    """
    if event.get("source") != "aws.states":
        return event
    detail = event["detail"]
    # The input is text within the event: {"detail": {"name": "…", "status": "ABORTED", "input": "{\"run\": …}"}}
    return {**json.loads(detail["input"]), "phase": "heal", "status": detail["status"], "execution": detail["name"]}
