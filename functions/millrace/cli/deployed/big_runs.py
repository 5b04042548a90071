"""`millrace runs`: big runs, which one invocation could not do: look, stop, go on."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from millrace.big_runs.resuming import resume_run
from millrace.cli.deployments import Json, Name, get_deployments
from millrace.cli.terminal import print_json, print_line
from millrace.errors import UsageError
from millrace.objects.machine import ExecutionStatus
from millrace.remote.big_runs import (
    RunView,
    demand_resumable,
    describe_phase,
    describe_status,
    find_machine,
    find_run,
    find_run_entry,
    read_view,
)
from millrace.remote.entry_documents import entry_to_json

if TYPE_CHECKING:
    from millrace.aws.step_functions import StepFunctions
    from millrace.ledger.entries import Entry
    from millrace.ledger.stores import LedgerStore

Run = Annotated[str, typer.Argument(help="The run's name, as `millrace runs list` shows it.")]

runs = typer.Typer(
    help="Big runs: objects and tables that are more than one invocation can do, converted in parts side by side.",
    no_args_is_help=True,
)


def _find(context: typer.Context, name: str) -> tuple[StepFunctions, LedgerStore]:
    deployments = get_deployments(context)
    deployed, ledger = deployments.find(name)
    machine = find_machine(deployments, deployed)
    if machine is None:
        raise UsageError(f"{name!r} has no machine for big runs; deploy this version with `millrace deploy`")
    return machine, ledger


@runs.command("list")
def list_runs(
    context: typer.Context,
    *,
    running: Annotated[bool, typer.Option("--running", help="Those that are at work alone.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Show so many, the newest first.")] = 20,
    name: Name = "millrace",
    as_json: Json = False,
) -> None:
    """Show big runs, the newest first: what each converts, how far it is, how it ended.

    A run is remembered for 90 days. The ledger says what came of its object: millrace show.

    Example: millrace runs list --running
    """
    machine, _ = _find(context, name)
    status = ExecutionStatus.RUNNING if running else None
    views = [read_view(machine, execution) for execution in islice(machine.list(status), limit)]
    for view in views:
        if as_json:
            print_json(view.to_json())
        else:
            print_line(_describe_line(view))
    if not views and not as_json:
        print_line("no big run is at work" if running else "there was no big run in the last 90 days")


def _describe_line(view: RunView) -> str:
    progress = view.describe_progress()
    at_work = f", {progress}" if progress and view.execution.status is ExecutionStatus.RUNNING else ""
    of_sync = f": {view.source} ({view.sync})" if view.source else ""
    return f"{view.execution.name}: {describe_status(view)}{at_work}{of_sync}"


@runs.command()
def show(context: typer.Context, run: Run, *, name: Name = "millrace", as_json: Json = False) -> None:
    """Show one big run: its phases with parts done of parts, and what the ledger says of its object.

    Example: millrace runs show orders-2f1e0c5b7a9d4e6f8a1b3c5d7e9f0a2b
    """
    machine, ledger = _find(context, name)
    view = find_run(machine, run)
    entry = find_run_entry(view, ledger)
    if as_json:
        of_ledger = {"entry": entry_to_json(entry)} if entry is not None else {}
        print_json(view.to_json() | of_ledger)
        return
    print_line(_describe_line(view))
    for phase in view.progress:
        print_line(f"  {describe_phase(phase)}")
    if view.execution.cause:
        print_line(f"  ended by: {view.execution.cause}")
    if entry is not None:
        print_line(f"  ledger: {_describe_entry(entry)}")


def _describe_entry(entry: Entry) -> str:
    why = f": {entry.failure.error}: {entry.failure.message}" if entry.failure else ""
    return f"{entry.source} is {entry.state}{why}"


@runs.command()
def stop(
    context: typer.Context,
    run: Run,
    *,
    reason: Annotated[str, typer.Option(help="Why, for those who look later.")] = "stopped by hand",
    name: Name = "millrace",
    as_json: Json = False,
) -> None:
    """Stop a big run; what it has done so far is kept for a week, and `millrace runs resume` goes on with it.

    Parts that are being converted are converted to their end, and nothing is published. The object's entry then says
    that it failed, and why. A run that has ended already is left as it is.

    Example: millrace runs stop orders-2f1e0c5b7a9d4e6f8a1b3c5d7e9f0a2b --reason "the export was the wrong one"
    """
    machine, _ = _find(context, name)
    view = find_run(machine, run)
    is_running = view.execution.status is ExecutionStatus.RUNNING
    if is_running:
        machine.stop(run, reason)
    if as_json:
        print_json({"run": run, "stopped": is_running, "was": str(view.execution.status)})
        return
    if is_running:
        print_line(f"stopped: {run}; go on with it: millrace runs resume {run}")
    else:
        print_line(f"not stopped: {run} is over, {describe_status(view)}")


@runs.command()
def resume(context: typer.Context, run: Run, *, name: Name = "millrace", as_json: Json = False) -> None:
    """Go on with a big run that was stopped, timed out or failed, with the parts that are done.

    It goes on under its name with a number behind. What failed for its data would fail again: change the file or the
    sync and run `millrace reprocess`, which begins anew.

    Example: millrace runs resume orders-2f1e0c5b7a9d4e6f8a1b3c5d7e9f0a2b
    """
    machine, ledger = _find(context, name)
    view = find_run(machine, run)
    entry = demand_resumable(machine, view, ledger)
    facts = resume_run(entry, ledger=ledger, machine=machine, now=datetime.now(UTC))
    if as_json:
        print_json({"run": facts.execution, "resumes": run})
    else:
        print_line(f"goes on as {facts.execution}: millrace runs show {facts.execution}")
