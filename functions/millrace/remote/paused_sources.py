"""Event sources that configuration errors paused, and how they are resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from millrace.delivery.breaker import Circuit, Circuits
from millrace.errors import MillraceError
from millrace.ledger.races import retry_lost_race
from millrace.mappings import leave_out_none
from millrace.operations.queue_facts import name_of_queue

if TYPE_CHECKING:
    from millrace.aws.circuits import EventSource, FunctionEventSources
    from millrace.remote.deployments import Deployments

_TRIES = 5


@dataclass(frozen=True, slots=True)
class PausedSource:
    """An event source that is off, and the circuit that says why; None if somebody switched it off by hand."""

    source: EventSource
    circuit: Circuit | None

    @property
    def queue(self) -> str:
        """The queue's name."""
        return self.source.queue.rpartition(":")[2]

    def to_json(self) -> dict[str, Any]:
        """For programs; a field without a value is left out."""
        circuit = self.circuit
        if circuit is None:
            return {"queue": self.queue, "reason": "switched off by hand"}
        since = circuit.paused.isoformat() if circuit.paused else None
        fields = {"queue": self.queue, "sync": circuit.sync, "since": since, "reason": circuit.reason}
        return leave_out_none(fields)


@dataclass(frozen=True, slots=True)
class PausedWorld:
    """A deployment's event sources, their circuits, and the function that they feed.

    ``backfill_queue`` is a URL. ``tell`` sends the event of a circuit that was closed.
    """

    function: str
    sources: FunctionEventSources
    circuits: Circuits
    backfill_queue: str | None = None
    tell: Callable[[Circuit], None] | None = None

    @property
    def _backfill_queue_name(self) -> str | None:
        return name_of_queue(self.backfill_queue) if self.backfill_queue else None

    def list_paused(self) -> Iterator[PausedSource]:
        """The event sources that are off."""
        for source in self.sources.all():
            if source.enabled:
                continue
            circuit = self.circuits.get(source.queue)
            is_paused = circuit is not None and circuit.paused
            # That of the backfills is off while none runs: `millrace backfill --resume` is what goes on with one.
            if not is_paused and name_of_queue(source.queue) == self._backfill_queue_name:
                continue
            yield PausedSource(source, circuit if is_paused else None)

    def resume(self, paused: PausedSource) -> str | None:
        """Close the circuit, then switch on: stopped in between, it is still off, and can be resumed again.

        Then others are told; the answer is why that could not be. Raises LostRace if workers change the circuit again
        and again.
        """
        queue = paused.source.queue
        # A worker whose message was in flight may still count its failure.
        retry_lost_race(
            lambda: self._close(queue),
            tries=_TRIES,
            problem=f"the circuit of {queue} was changed by others {_TRIES} times in a row; resume it again",
        )
        self.sources.resume(queue)
        if self.tell is None or paused.circuit is None:
            return None
        try:
            self.tell(paused.circuit)
        except MillraceError as error:
            return str(error)
        return None

    def _close(self, queue: str) -> None:
        circuit = self.circuits.get(queue)
        if circuit is not None:
            self.circuits.put(circuit.resumed())


def find_paused_world(deployments: Deployments, name: str) -> PausedWorld:
    """That of the deployment of that name."""
    from millrace.aws.circuits import (  # noqa: PLC0415 - boto3 takes a third of a second to import
        DynamoDBCircuits,
        FunctionEventSources,
    )

    deployed, _ = deployments.find(name)
    sources = FunctionEventSources(deployments.client("lambda"), deployed.convert_function)
    circuits = DynamoDBCircuits(deployments.client("dynamodb"), deployed.ledger_table)

    def tell(circuit: Circuit) -> None:
        from millrace.aws.event_bus import EventBus  # noqa: PLC0415 - needs botocore, which is slow to import
        from millrace.delivery.circuit_events import to_circuit_closed  # noqa: PLC0415 - circuits close seldom

        bus = EventBus(lambda: deployments.client("events"))
        bus.send([to_circuit_closed(circuit, name, datetime.now(UTC))])

    return PausedWorld(deployed.convert_function, sources, circuits, deployed.backfill_queue, tell)


def end_alarm(deployments: Deployments, function: str) -> str | None:
    """Say that no circuit is open, as the alarm keeps its state until it hears of it; why that could not be said."""
    from millrace.aws.circuits import tell_closed  # noqa: PLC0415 - boto3 takes a third of a second to import

    try:
        tell_closed(deployments.client("cloudwatch"), function)
    except MillraceError as error:
        return f"the alarm was not ended ({error}); it ends by itself when it is set to OK by hand"
    return None
