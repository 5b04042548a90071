"""`millrace resume`: receive again from event sources that configuration errors paused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from millrace.cli.operate import Json, Name, deployment, session
from millrace.delivery.breaker import Circuit, Circuits
from millrace.errors import MillraceError, UsageError

if TYPE_CHECKING:
    from millrace.aws.circuits import EventSource, FunctionEventSources
    from millrace.aws.deployed import Deployed


@dataclass(frozen=True, slots=True)
class Paused:
    """An event source that is off, and the circuit that says why; None where somebody switched it off by hand."""

    source: EventSource
    circuit: Circuit | None

    @property
    def queue(self) -> str:
        """The queue's name."""
        return self.source.queue.rpartition(":")[2]

    def told(self) -> dict[str, Any]:
        """For programs; what is not known is left out."""
        circuit = self.circuit
        told = {
            "queue": self.queue,
            "sync": circuit.sync if circuit else None,
            "since": circuit.paused.isoformat() if circuit and circuit.paused else None,
            "reason": circuit.reason if circuit else "switched off by hand",
        }
        return {name: value for name, value in told.items() if value is not None}


def paused(sources: FunctionEventSources, circuits: Circuits) -> Iterator[Paused]:
    """The event sources that are off."""
    for source in sources.all():
        if not source.enabled:
            circuit = circuits.get(source.queue)
            yield Paused(source, circuit if circuit and circuit.paused else None)


def resume(
    queue: Annotated[
        list[str] | None,
        typer.Argument(help="Names of queues, as shown by --dry-run; without any: all that are paused."),
    ] = None,
    *,
    name: Name = "millrace",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what is paused and why, and resume nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Receive again from event sources that configuration errors paused, and end the alarm.

    Mend first what the reason names (a grant, a bucket, a key): messages have waited and lose nothing. Where it was not
    mended, the event source is paused again after ten more errors.
    """
    deployed, sources, circuits = _world(name)
    off = list(paused(sources, circuits))
    if unknown := sorted(set(queue or ()) - {one.queue for one in off}):
        raise UsageError(f"not paused: {unknown}; paused are {[one.queue for one in off]}")
    chosen = [one for one in off if not queue or one.queue in queue]
    for one in chosen:
        if not dry_run:
            _resume(one, sources, circuits)
        _tell(one, dry_run=dry_run, as_json=as_json)
    if not chosen and not as_json:
        typer.echo("nothing is paused")
    if chosen and not dry_run and len(chosen) == len(off):
        _end_alarm(deployed, as_json=as_json)


def _resume(one: Paused, sources: FunctionEventSources, circuits: Circuits) -> None:
    """Close the circuit, then switch on: whoever is stopped in between finds it off still, and resumes again."""
    known = circuits.get(one.source.queue)
    if known is not None:
        circuits.put(known.resumed())
    sources.resume(one.source.queue)


def _tell(one: Paused, *, dry_run: bool, as_json: bool) -> None:
    told = one.told()
    if as_json:
        typer.echo(json.dumps(told | {"resumed": not dry_run}, ensure_ascii=False))
        return
    since = f" since {told['since']}" if "since" in told else ""
    of_sync = f" by sync {told['sync']!r}" if "sync" in told else ""
    typer.echo(f"{'paused' if dry_run else 'resumed'}: {told['queue']}, paused{since}{of_sync}: {told['reason']}")


def _end_alarm(deployed: Deployed, *, as_json: bool) -> None:
    """The alarm keeps its state until it hears of a closed circuit."""
    from millrace.aws.circuits import tell_closed  # noqa: PLC0415 - boto3 takes a third of a second to import

    try:
        tell_closed(session().client("cloudwatch"), deployed.convert_function)
    except MillraceError as error:
        if not as_json:
            typer.echo(f"the alarm was not ended ({error}); it ends by itself when it is set to OK by hand", err=True)


def _world(name: str) -> tuple[Deployed, FunctionEventSources, Circuits]:
    from millrace.aws.circuits import DynamoDBCircuits, FunctionEventSources  # noqa: PLC0415 - as above

    deployed, _ = deployment(name)
    aws = session()
    sources = FunctionEventSources(aws.client("lambda"), deployed.convert_function)
    return deployed, sources, DynamoDBCircuits(aws.client("dynamodb"), deployed.ledger_table)
