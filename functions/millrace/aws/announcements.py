"""Events on the account's default bus, for everybody who has made a rule for them."""

from __future__ import annotations

import json
from typing import Any

from millrace.aws.faults import translated
from millrace.delivery.breaker import Circuit, how_to_resume
from millrace.deployment.settings import EVENT_SOURCE
from millrace.errors import ServiceUnavailable

CIRCUIT_OPENED = "Millrace Circuit Opened"


def put_circuit_opened(client: Any, circuit: Circuit) -> None:
    """Put one event on the default bus: the event source, the sync, the reason, and how to resume."""
    detail = {
        "queue": circuit.queue,
        "sync": circuit.sync,
        "reason": circuit.reason,
        "since": circuit.paused.isoformat() if circuit.paused else None,
        "resume": how_to_resume(circuit),
    }
    entry = {"Source": EVENT_SOURCE, "DetailType": CIRCUIT_OPENED, "Detail": json.dumps(detail)}
    with translated("events:PutEvents of", CIRCUIT_OPENED):
        answer = client.put_events(Entries=[entry])
    if answer["FailedEntryCount"]:
        raise ServiceUnavailable(f"events:PutEvents of {CIRCUIT_OPENED} was refused: {answer['Entries']}")
