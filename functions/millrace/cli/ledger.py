"""`millrace ledger rebuild`: what was converted, told by the outputs themselves."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Annotated

import typer

from millrace.cli.configuration import DEFAULT_CONFIG, Config
from millrace.cli.counting import counting, each_alone
from millrace.cli.deployments import Json, Name, get_deployments
from millrace.cli.terminal import print_json, print_line
from millrace.config.connection import Connection
from millrace.config.document import load
from millrace.errors import UsageError
from millrace.operations.rebuild import Rebuilder, Trace
from millrace.planning.planner import Planner

ledger = typer.Typer(help="The ledger as a whole.", no_args_is_help=True)


@ledger.command()
def rebuild(
    context: typer.Context,
    *,
    config: Config = DEFAULT_CONFIG,
    destination: Annotated[str | None, typer.Option(help="Look at this destination connection alone.")] = None,
    start_after: Annotated[str, typer.Option(help="Go on behind this key; with --destination.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and write nothing.")] = False,
    name: Name = "millrace",
    as_json: Json = False,
) -> None:
    """Put back what a lost ledger knew, from the lineage that every output carries.

    Reads the metadata of every object below the destinations, with the credentials of their connections; writes entries
    that the ledger lacks, and none that it has. It may be stopped and started again at any time. Afterwards events that
    come again, and `millrace reconcile`, find converted objects done. Outputs of partition keys count as whole.
    """
    if start_after and destination is None:
        raise UsageError("--start-after is a key of one destination: say which with --destination")
    document = load(config)
    _, store = get_deployments(context).find(name)
    from millrace.aws.sessions import Sessions  # noqa: PLC0415 - boto3 takes a third of a second to import

    rebuilder = Rebuilder(planner=Planner(document), stores=Sessions(document), ledger=store, now=datetime.now(UTC))
    with each_alone() as alone:
        for connection in _chosen(rebuilder.destinations(), destination):
            with alone():
                _rebuild(rebuilder, connection, start_after, dry_run=dry_run, as_json=as_json)


def _chosen(destinations: list[Connection], name: str | None) -> list[Connection]:
    chosen = [one for one in destinations if name in (None, one.name)]
    if not chosen:
        raise UsageError(f"no active sync writes to {name!r}; destinations are {[one.name for one in destinations]}")
    return chosen


def _rebuild(rebuilder: Rebuilder, destination: Connection, start_after: str, *, dry_run: bool, as_json: bool) -> None:
    counts: Counter[Trace] = Counter()
    last = start_after
    try:
        with counting() as show:
            for traced in rebuilder.rebuild(destination, start_after=start_after, dry_run=dry_run):
                counts[traced.trace] += 1
                last = traced.ref.key
                show(f"{destination.name}: {counts.total():,} objects, {counts[Trace.REBUILT]:,} put back")
    except KeyboardInterrupt:
        print_line(
            f"stopped; go on with: millrace ledger rebuild --destination {destination.name!r} --start-after {last!r}",
            err=True,
        )
        raise
    if as_json:
        told = {str(trace): counts[trace] for trace in Trace}
        print_json({"destination": destination.name, "dry_run": dry_run, **told})
        return
    done = "would put back" if dry_run else "put back"
    others = ", ".join(f"{counts[trace]:,} {trace}" for trace in Trace if trace is not Trace.REBUILT)
    print_line(f"{destination.name}: {done} {counts[Trace.REBUILT]:,} outputs; {others}")
