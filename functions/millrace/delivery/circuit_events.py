"""The events of circuits that open and close."""

from __future__ import annotations

from datetime import datetime

from millrace.delivery.breaker import Circuit, how_to_resume
from millrace.notices.events import CircuitClosed, CircuitOpened, to_id


def to_circuit_opened(circuit: Circuit, deployment: str, now: datetime) -> CircuitOpened:
    """What is said of an event source that was paused, and how to resume it."""
    return CircuitOpened(
        id=to_id(CircuitOpened.name, deployment, circuit.queue, circuit.paused),
        time=circuit.paused or now,
        deployment=deployment,
        queue=circuit.queue,
        sync=circuit.sync,
        reason=circuit.reason,
        since=circuit.paused,
        resume=how_to_resume(circuit),
    )


def to_circuit_closed(circuit: Circuit, deployment: str, now: datetime) -> CircuitClosed:
    """What is said of an event source that somebody resumed; ``circuit`` as it was while it was open."""
    return CircuitClosed(
        id=to_id(CircuitClosed.name, deployment, circuit.queue, circuit.paused),
        time=now,
        deployment=deployment,
        queue=circuit.queue,
        sync=circuit.sync,
        reason=circuit.reason,
    )
