"""Backfills and big runs, with their progress."""

from __future__ import annotations

from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from millrace.aws.dynamodb_backfills import DynamoDBBackfills
from millrace.errors import MillraceError
from millrace.operations.backfills.progress import BackfillProgress, read_progress
from millrace.remote.big_runs import RunView, describe_phase, describe_status, find_machine, read_view
from millrace.ui.rendering import PageRenderer
from millrace.ui.world import PageWorld

_MOST_RUNS = 20


def show_runs(request: Request, _world: PageWorld, renderer: PageRenderer) -> Response:
    """The frame: each run is asked for its parts, which takes a moment."""
    return renderer.render(request, "runs.html")


def list_runs(request: Request, world: PageWorld, renderer: PageRenderer) -> Response:
    """Backfills, the newest first, and the newest big runs."""
    values: dict[str, Any] = {
        "backfills": [],
        "runs": [],
        "troubles": [],
        "describe_status": describe_status,
        "describe_phase": describe_phase,
    }
    for name, read in (("backfills", _read_backfills), ("runs", _read_runs)):
        try:
            values[name] = read(world)
        except MillraceError as error:
            values["troubles"].append(error)
    return renderer.render(request, "run_list.html", values)


def _read_backfills(world: PageWorld) -> list[BackfillProgress]:
    store = DynamoDBBackfills(world.deployments.client("dynamodb"), world.deployed.ledger_table)
    rows = reversed(store.board().backfills)
    return [read_progress(store, row, world.now()) for row in rows]


def _read_runs(world: PageWorld) -> list[RunView]:
    machine = find_machine(world.deployments, world.deployed)
    if machine is None:
        return []
    return [read_view(machine, execution) for execution in islice(machine.list(None), _MOST_RUNS)]
