"""`millrace reprocess` and `reconcile`: steer a deployment."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from millrace.cli.completion import COMPLETE_ATTENTION, COMPLETE_SYNC
from millrace.cli.deployments import Json, Keys, Name, get_deployments
from millrace.cli.repair.staleness import By, parse_reasons
from millrace.cli.terminal import print_json, print_line
from millrace.errors import MillraceError, UsageError
from millrace.mappings import leave_out_none, pick
from millrace.operations.reprocess import Reprocess
from millrace.remote.deployments import Deployments
from millrace.wording import count_of, join_names

SyncArgument = Annotated[
    str, typer.Argument(help="The sync whose objects are converted again.", autocompletion=COMPLETE_SYNC)
]
PrefixOption = Annotated[str | None, typer.Option(help="All objects below this prefix.")]
StateOption = Annotated[
    str | None,
    typer.Option(help="All objects in this state: failed, waiting or in flight.", autocompletion=COMPLETE_ATTENTION),
]
StaleOption = Annotated[
    bool, typer.Option("--stale", help="Only what a change made stale; `millrace plan --stale` counts it first.")
]
ResetSchemaOption = Annotated[
    bool, typer.Option("--reset-schema", help="Forget the tables' schemas: what is converted makes new ones.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Count, and put nothing on the queue.")]


def reprocess(
    context: typer.Context,
    sync: SyncArgument,
    *,
    key: Keys = None,
    prefix: PrefixOption = None,
    state: StateOption = None,
    stale: StaleOption = False,
    by: By = None,
    name: Name = "millrace",
    reset_schema: ResetSchemaOption = False,
    dry_run: DryRunOption = False,
    as_json: Json = False,
) -> None:
    """Convert objects again, also what is converted; without a choice: all objects of the sync.

    Examples: millrace reprocess to-parquet --state failed
              millrace reprocess to-parquet --key "in/2026 q1.csv"
              millrace reprocess to-parquet --stale --by configuration
    """
    event: dict[str, Any] = {"sync": sync, "keys": key, "prefix": prefix, "state": state, "dry_run": dry_run}
    event |= {"reset_schema": reset_schema or None, "stale": sorted(parse_reasons(by, is_stale=stale)) or None}
    event = leave_out_none(event)
    Reprocess.parse(event)
    _call_until_complete(get_deployments(context), name, event, as_json=as_json)


def _call_until_complete(deployments: Deployments, name: str, event: dict[str, Any], *, as_json: bool) -> None:
    """Call the function, and again behind what it has asked for while its time was too short."""
    deployed, _ = deployments.find(name)
    answer = deployments.invoke(deployed.reprocess_function, event)
    # An invocation has fifteen minutes: a bucket of millions of objects needs several.
    while not answer["complete"]:
        _print_answer(answer, as_json=as_json)
        answer = deployments.invoke(deployed.reprocess_function, event | pick(answer, "run_id", "start_after"))
    _print_answer(answer, as_json=as_json)


def _print_answer(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    done = "would put" if answer["dry_run"] else "put"
    print_line(
        f"run {answer['run_id']}: {done} {count_of(answer['selected'], 'object')} on the queue; passed over: "
        f"{answer['ignored']:,} of a foreign extension, {answer['out_of_scope']:,} outside the sync's folder"
    )
    if "stale" in answer:
        by_reason = ", ".join(f"{count:,} by {reason}" for reason, count in answer["stale"].items())
        print_line(f"stale: {by_reason}; not stale: {answer['not_stale']:,}")
    for example in answer["examples"]:
        print_line(f"  {example}")
    if "untold" in answer:
        print_line(f"warning: others are told of this run later, or not at all: {answer['untold']}", err=True)


def reconcile(
    context: typer.Context,
    sync: Annotated[
        str, typer.Argument(help="The sync whose source is compared with the ledger.", autocompletion=COMPLETE_SYNC)
    ],
    *,
    name: Name = "millrace",
    as_json: Json = False,
) -> None:
    """Compare a sync's source with the ledger now: what is new, changed or gone is put on the queue.

    Each line is what the deployed function has done so far; a long comparison takes several calls. Exit 1 where another
    comparison of the sync is at work, or too many messages wait.

    Example: millrace reconcile to-parquet
    """
    deployments = get_deployments(context)
    deployed, _ = deployments.find(name)
    if sync not in deployed.syncs or deployed.reconcile_function is None:
        raise UsageError(f"there is no active sync {sync!r}; the deployment has {join_names(sorted(deployed.syncs))}")
    progress = "partial"
    while progress == "partial":
        answer = deployments.invoke(deployed.reconcile_function, {"sync": sync, "calls_left": 0})
        progress = answer["progress"]
        if as_json:
            print_json(answer)
        elif progress in {"partial", "complete"}:
            print_line(_describe_comparison(answer))
    if progress != "complete":
        raise MillraceError(f"sync {sync!r} was not compared ({progress}): {answer['reason']}. Try again later")


def _describe_comparison(answer: dict[str, Any]) -> str:
    done = "compared" if answer["progress"] == "complete" else "so far"
    return (
        f"{answer['sync']}: {done} {count_of(answer['compared'], 'object')}; put on the queue: {answer['new']:,} new, "
        f"{answer['changed']:,} changed, {answer['gone']:,} gone"
    )
