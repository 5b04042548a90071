"""`millrace resume`: receive again from event sources that configuration errors paused."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated

import typer

from millrace.cli.deployments import Json, Name, get_deployments
from millrace.cli.terminal import print_json, print_line
from millrace.errors import UsageError
from millrace.remote.paused_sources import PausedSource, end_alarm, find_paused_world
from millrace.wording import join_names

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
    world = find_paused_world(deployments, name)
    paused = list(world.list_paused())
    selected = _choose_sources(paused, queue or ())
    if not selected:
        if not as_json:
            print_line("nothing is paused")
        return
    for source in selected:
        if not dry_run:
            _complain(world.resume(source), "it is resumed, and its event was not sent: ", as_json=as_json)
        _print_source(source, dry_run=dry_run, as_json=as_json)
    if not dry_run and len(selected) == len(paused):
        _complain(end_alarm(deployments, world.function), "", as_json=as_json)


def _complain(trouble: str | None, before: str, *, as_json: bool) -> None:
    """Say what did not work beside what did."""
    if trouble is not None and not as_json:
        print_line(f"{before}{trouble}", err=True)


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
