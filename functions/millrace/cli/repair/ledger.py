"""`millrace ledger rebuild`: what was converted, as the outputs themselves say."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from millrace.cli.completion import COMPLETE_CONNECTION
from millrace.cli.configuration import DEFAULT_CONFIG, Config
from millrace.cli.counting import counting, each_alone
from millrace.cli.deployments import Json, Name, get_deployments
from millrace.cli.interrupts import Interrupted
from millrace.cli.terminal import print_json, print_line
from millrace.config.connection import Connection
from millrace.config.document import Document, load
from millrace.errors import MillraceError, UsageError
from millrace.mappings import by_name
from millrace.operations.rebuild import Rebuilder, Trace, Traced
from millrace.planning.planner import Planner
from millrace.texts import quote_for_shell
from millrace.wording import count_of, join_names

if TYPE_CHECKING:
    from millrace.aws.dynamodb_ledger import DynamoDBLedger

_SHOWN_PROBLEMS = 20

ledger = typer.Typer(help="The ledger as a whole.", no_args_is_help=True)


DestinationOption = Annotated[
    str | None, typer.Option(help="Look at this destination connection alone.", autocompletion=COMPLETE_CONNECTION)
]
StartAfterOption = Annotated[str, typer.Option(help="Go on behind this key; with --destination.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Count, and write nothing.")]


@ledger.command()
def rebuild(
    context: typer.Context,
    *,
    config: Config = DEFAULT_CONFIG,
    destination: DestinationOption = None,
    start_after: StartAfterOption = "",
    dry_run: DryRunOption = False,
    name: Name = "millrace",
    as_json: Json = False,
) -> None:
    """Put back what a lost ledger knew, from the lineage that every output carries.

    Reads the metadata of every object below the destinations, with the credentials of their connections; writes entries
    that the ledger lacks, and none that it has. It may be stopped and started again at any time. Afterwards events that
    come again, and `millrace reconcile`, find converted objects done. Outputs of partition keys count as whole.

    The files of tables are read once more, since only they say all of their table's schema. Exit 1 where an object gave
    trouble; the others are put back.
    """
    if start_after and destination is None:
        raise UsageError("--start-after is a key of one destination: say which with --destination")
    document = load(config)
    _, store = get_deployments(context).find(name)
    rebuilder = _make_rebuilder(document, store)
    with each_alone() as alone:
        for connection in _choose_destinations(rebuilder.destinations(), destination):
            with alone():
                _rebuild(rebuilder, connection, start_after, dry_run=dry_run, as_json=as_json)


def _make_rebuilder(document: Document, store: DynamoDBLedger) -> Rebuilder:
    from millrace.aws.sessions import Sessions  # noqa: PLC0415 - boto3 takes a third of a second to import
    from millrace.delivery.schema_recovery import SchemaRecovery  # noqa: PLC0415 - pyarrow takes a while to import

    stores = Sessions(document)
    recovery = SchemaRecovery(stores=stores, ledger=store, now=lambda: datetime.now(UTC))
    return Rebuilder(
        planner=Planner(document),
        stores=stores,
        ledger=store,
        now=datetime.now(UTC),
        learn_schema=recovery.learn_schema,
    )


def _choose_destinations(destinations: list[Connection], name: str | None) -> list[Connection]:
    chosen = [connection for connection in destinations if name in (None, connection.name)]
    if not chosen:
        raise UsageError(f"no active sync writes to {name!r}; destinations are {join_names(by_name(destinations))}")
    return chosen


def _rebuild(rebuilder: Rebuilder, destination: Connection, start_after: str, *, dry_run: bool, as_json: bool) -> None:
    """Rebuild from one destination; raise MillraceError where an object of it gave trouble."""
    problems = 0
    counts: Counter[Trace] = Counter()
    last = start_after
    try:
        with counting() as show:
            for traced in rebuilder.rebuild(destination, start_after=start_after, dry_run=dry_run):
                counts[traced.trace] += 1
                last = traced.ref.key
                show(f"{destination.name}: {count_of(counts.total(), 'object')}, {counts[Trace.REBUILT]:,} put back")
                if traced.problem is not None:
                    problems += 1
                    _print_problem(traced, problems)
    except KeyboardInterrupt:
        where = f"--destination {quote_for_shell(destination.name)} --start-after {quote_for_shell(last)}"
        raise Interrupted(f"what was put back stays; go on with: millrace ledger rebuild {where}") from None
    _print_counts(destination.name, counts, dry_run=dry_run, as_json=as_json)
    if problems:
        raise MillraceError(f"{destination.name}: {count_of(problems, 'object')} gave trouble; run it again afterwards")


def _print_problem(traced: Traced, number: int) -> None:
    """The first few, one line each."""
    if number <= _SHOWN_PROBLEMS:
        print_line(f"trouble: {traced.ref}: {traced.problem}", err=True)


def _print_counts(destination: str, counts: Counter[Trace], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        by_trace = {str(trace): counts[trace] for trace in Trace}
        print_json({"destination": destination, "dry_run": dry_run, **by_trace})
        return
    done = "would put back" if dry_run else "put back"
    other_traces = ", ".join(f"{counts[trace]:,} {trace}" for trace in Trace if trace is not Trace.REBUILT)
    print_line(f"{destination}: {done} {count_of(counts[Trace.REBUILT], 'output')}; {other_traces}")
