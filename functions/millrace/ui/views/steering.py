"""Backfills and big runs, steered on the page: paused, stopped, gone on with, each after it is said what that does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from millrace.aws.dynamodb_backfills import DynamoDBBackfills
from millrace.big_runs.resuming import resume_run
from millrace.errors import UsageError
from millrace.objects.machine import ExecutionStatus
from millrace.operations.backfills.board import Backfill
from millrace.operations.backfills.progress import describe_progress, read_progress
from millrace.remote.big_runs import RunView, demand_resumable, describe_status, find_machine, find_run
from millrace.ui.action_form import ActionForm
from millrace.ui.rendering import PageRenderer
from millrace.ui.views.actions import ActionResult, show_result
from millrace.ui.world import PageWorld

if TYPE_CHECKING:
    from millrace.aws.step_functions import StepFunctions

_BACK = ("/runs", "Backfills and big runs")


@dataclass(frozen=True, slots=True)
class SteeringStep:
    """What can be done: the button's words, how the page calls it before and after, and what it means."""

    button: str
    would: str
    done: str
    meaning: str

    def to_title(self, subject: str, *, is_confirmed: bool) -> str:
        """The title of what it would do, or has done: ``Would be paused: backfill of orders``."""
        return f"{self.done if is_confirmed else self.would}: {subject}"


_BACKFILL = {
    "pause": SteeringStep(
        "Pause", "Would be paused", "Paused", "what is asked for stays on the queue and waits; nothing is lost"
    ),
    "resume": SteeringStep("Go on", "Would be resumed", "Resumed", "it goes on where it was paused"),
    "stop": SteeringStep(
        "Give it up",
        "Would be given up",
        "Given up",
        "what waits on the queue is passed over, and what is converted stays",
    ),
}
_RUN = {
    "stop": SteeringStep(
        "Stop it",
        "Would be stopped",
        "Stopped",
        "nothing is published, and its object fails; what is done is kept for a week",
    ),
    "resume": SteeringStep(
        "Go on",
        "Would go on",
        "Goes on",
        "it goes on under its name with a number behind, with the parts that are done",
    ),
}


def ask_backfill(request: Request, world: PageWorld, renderer: PageRenderer) -> Response:
    """How the backfill of a sync goes, and what can be done with it now."""
    row = _find_backfill(world, request.query_params.get("sync", ""))
    choices = ["pause" if row.paused_at is None else "resume", "stop"]
    values = {
        "title": f"Backfill of {row.sync}",
        "lines": [_describe_backfill(world, row)],
        "action": "/actions/backfill",
        "fields": {"sync": row.sync},
        "choices": [(name, _BACKFILL[name].button) for name in choices],
        "chosen": request.query_params.get("action", choices[0]),
    }
    return renderer.render(request, "ask_steer.html", values)


def run_backfill(request: Request, form: ActionForm, world: PageWorld, renderer: PageRenderer) -> Response:
    """Say what pausing, resuming or giving up does; then have the backfill's function do it."""
    asked = {"sync": form.get("sync"), "action": _choose(form, _BACKFILL)}
    step = _BACKFILL[asked["action"]]
    row = _find_backfill(world, asked["sync"])
    needless = "pause" if row.paused_at is not None else "resume"
    if asked["action"] == needless:
        raise UsageError(f"the backfill of {row.sync!r} is {row.state}; look at it again")
    is_confirmed = form.is_confirmed(asked)
    if is_confirmed:
        world.deployments.invoke(_demand_function(world), asked)
        row = _open_store(world).board().find(row.name) or row
    result = ActionResult(
        title=step.to_title(f"backfill of {row.sync}", is_confirmed=is_confirmed),
        lines=[_describe_backfill(world, row), step.meaning],
        fields=form.fields,
        next_step=None if is_confirmed else step.button,
        path="/actions/backfill",
        back=_BACK,
    )
    return show_result(result, request, renderer, form.to_proof(asked))


def _demand_function(world: PageWorld) -> str:
    function = world.deployed.backfill_function
    if function is None:
        raise UsageError("the deployment has no backfills; deploy this version with `millrace deploy`")
    return function


def _find_backfill(world: PageWorld, sync: str) -> Backfill:
    _demand_function(world)
    for row in reversed(_open_store(world).board().backfills):
        if row.sync == sync and row.is_active:
            return row
    raise UsageError(f"no backfill of {sync!r} goes on, or is paused")


def _describe_backfill(world: PageWorld, row: Backfill) -> str:
    return describe_progress(read_progress(_open_store(world), row, world.now()))


def _open_store(world: PageWorld) -> DynamoDBBackfills:
    return DynamoDBBackfills(world.deployments.client("dynamodb"), world.deployed.ledger_table)


def ask_run(request: Request, world: PageWorld, renderer: PageRenderer) -> Response:
    """How a big run goes, and what can be done with it now."""
    view = find_run(_demand_machine(world), request.query_params.get("run", ""))
    choice = "stop" if view.execution.status is ExecutionStatus.RUNNING else "resume"
    values = {
        "title": f"Big run {view.execution.name}",
        "lines": _describe_run(view),
        "action": "/actions/run",
        "fields": {"run": view.execution.name},
        "choices": [(choice, _RUN[choice].button)],
        "chosen": choice,
    }
    return renderer.render(request, "ask_steer.html", values)


def run_run(request: Request, form: ActionForm, world: PageWorld, renderer: PageRenderer) -> Response:
    """Say what stopping or resuming does, and whether it can be; then do it."""
    asked = {"run": form.get("run"), "action": _choose(form, _RUN)}
    step = _RUN[asked["action"]]
    machine = _demand_machine(world)
    view = find_run(machine, asked["run"])
    is_confirmed = form.is_confirmed(asked)
    lines = [*_describe_run(view), step.meaning]
    if asked["action"] == "stop":
        _stop(machine, view, is_confirmed=is_confirmed)
    else:
        lines += _resume(world, machine, view, is_confirmed=is_confirmed)
    result = ActionResult(
        title=step.to_title(asked["run"], is_confirmed=is_confirmed),
        lines=lines,
        fields=form.fields,
        next_step=None if is_confirmed else step.button,
        path="/actions/run",
        back=_BACK,
    )
    return show_result(result, request, renderer, form.to_proof(asked))


def _stop(machine: StepFunctions, view: RunView, *, is_confirmed: bool) -> None:
    if view.execution.status is not ExecutionStatus.RUNNING:
        raise UsageError(f"{view.execution.name} is over: {describe_status(view)}")
    if is_confirmed:
        machine.stop(view.execution.name, "stopped on the page")


def _resume(world: PageWorld, machine: StepFunctions, view: RunView, *, is_confirmed: bool) -> list[str]:
    """Go on with a run, if that is confirmed; its new name. Raises UsageError if it cannot go on."""
    ledger = world.deployments.find(world.name)[1]
    entry = demand_resumable(machine, view, ledger)
    if not is_confirmed:
        return []
    facts = resume_run(entry, ledger=ledger, machine=machine, now=world.now())
    return [f"goes on as {facts.execution}"]


def _demand_machine(world: PageWorld) -> StepFunctions:
    machine = find_machine(world.deployments, world.deployed)
    if machine is None:
        raise UsageError("the deployment has no machine for big runs; deploy this version with `millrace deploy`")
    return machine


def _describe_run(view: RunView) -> list[str]:
    lines = [describe_status(view), view.describe_progress(), view.source or ""]
    return list(filter(None, lines))


def _choose(form: ActionForm, accepted: Mapping[str, SteeringStep]) -> str:
    action = form.get("action")
    if action not in accepted:
        raise UsageError(f"action is {action!r}; expected {' or '.join(accepted)}")
    return action
