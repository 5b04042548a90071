"""`millrace resume`: receive again from event sources that configuration errors paused."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from millrace.cli.deployments import Deployments, Json, Name, get_deployments
from millrace.cli.terminal import print_json, print_line
from millrace.delivery.breaker import Circuit, Circuits
from millrace.errors import MillraceError, UsageError
from millrace.mappings import leave_out_none
from millrace.operations.queue_facts import name_of_queue
from millrace.wording import join_names

if TYPE_CHECKING:
    from millrace.aws.circuits import EventSource, FunctionEventSources


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
    """A deployment's event sources, their circuits, and the function that they feed; ``backfill_queue`` is a URL."""

    function: str
    sources: FunctionEventSources
    circuits: Circuits
    backfill_queue: str | None = None

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

    def resume(self, paused: PausedSource) -> None:
        """Close the circuit, then switch on: stopped in between, it is still off, and can be resumed again."""
        circuit = self.circuits.get(paused.source.queue)
        if circuit is not None:
            self.circuits.put(circuit.resumed())
        self.sources.resume(paused.source.queue)


QueuesArgument = Annotated[
    list[str] | None,
    typer.Argument(help="Names of queues, as shown by --dry-run; without any: all that are paused."),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what is paused and why, and resume nothing.")]


def resume(
    context: typer.Context,
    queue: QueuesArgument = None,
    *,
    name: Name = "millrace",
    dry_run: DryRunOption = False,
    as_json: Json = False,
) -> None:
    """Receive again from event sources that configuration errors paused, and end the alarm.

    Mend first what the reason names (a grant, a bucket, a key): messages have waited and lose nothing. Where it was not
    mended, the event source is paused again after ten more errors.
    """
    deployments = get_deployments(context)
    world = _find_world(deployments, name)
    paused = list(world.list_paused())
    selected = _choose_sources(paused, queue or ())
    if not selected:
        if not as_json:
            print_line("nothing is paused")
        return
    for source in selected:
        if not dry_run:
            world.resume(source)
        _print_source(source, dry_run=dry_run, as_json=as_json)
    if not dry_run and len(selected) == len(paused):
        _end_alarm(deployments, world.function, as_json=as_json)


def _choose_sources(paused: Sequence[PausedSource], queues: Collection[str]) -> Sequence[PausedSource]:
    """The paused sources of the queues; without queues, all. Raises: UsageError for a queue that is not paused."""
    if not queues:
        return paused
    names = [source.queue for source in paused]
    if unknown := sorted(set(queues) - set(names)):
        raise UsageError(f"not paused: {join_names(unknown)}; paused are {join_names(names)}")
    return [source for source in paused if source.queue in queues]


def _print_source(source: PausedSource, *, dry_run: bool, as_json: bool) -> None:
    fields = source.to_json()
    if as_json:
        print_json(fields | {"resumed": not dry_run})
        return
    since = f" since {fields['since']}" if "since" in fields else ""
    of_sync = f" by sync {fields['sync']!r}" if "sync" in fields else ""
    state = "paused" if dry_run else "resumed"
    print_line(f"{state}: {fields['queue']}, paused{since}{of_sync}: {fields['reason']}")


def _end_alarm(deployments: Deployments, function: str, *, as_json: bool) -> None:
    """The alarm keeps its state until it hears of a closed circuit."""
    from millrace.aws.circuits import tell_closed  # noqa: PLC0415 - boto3 takes a third of a second to import

    try:
        tell_closed(deployments.client("cloudwatch"), function)
    except MillraceError as error:
        if not as_json:
            print_line(f"the alarm was not ended ({error}); it ends by itself when it is set to OK by hand", err=True)


def _find_world(deployments: Deployments, name: str) -> PausedWorld:
    from millrace.aws.circuits import (  # noqa: PLC0415 - boto3 takes a third of a second to import
        DynamoDBCircuits,
        FunctionEventSources,
    )

    deployed, _ = deployments.find(name)
    sources = FunctionEventSources(deployments.client("lambda"), deployed.convert_function)
    circuits = DynamoDBCircuits(deployments.client("dynamodb"), deployed.ledger_table)
    return PausedWorld(deployed.convert_function, sources, circuits, deployed.backfill_queue)
