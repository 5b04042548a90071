"""Failures by cause, each with the command that repairs it."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from millrace.ledger.entries import Entry
from millrace.operations.failure_causes import FailureCause, survey_failures
from millrace.operations.repair_commands import RepairAdvice, advise_repair
from millrace.planning.plans import Plan
from millrace.planning.targets import OutputPlace
from millrace.ui.rendering import PageRenderer
from millrace.ui.world import PageWorld

_MOST_READ_AT_ONCE = 5000
_MOST_READ = 100_000


@dataclass(frozen=True, slots=True)
class CauseRow:
    """A cause, the tables of its examples, if the page has the configuration, and what repairs it."""

    cause: FailureCause
    tables: tuple[str, ...]
    advice: RepairAdvice


def show_failures(request: Request, world: PageWorld, renderer: PageRenderer) -> Response:
    """Group what failed; ``all=1`` reads up to 100,000 failures instead of 5,000."""
    sync = request.query_params.get("sync") or None
    most = _MOST_READ if request.query_params.get("all") else _MOST_READ_AT_ONCE
    survey = survey_failures(world.pages, sync=sync, most=most)
    rows = [_to_row(world, cause) for cause in survey.causes]
    values = {"rows": rows, "survey": survey, "sync": sync, "syncs": world.deployed.syncs}
    return renderer.render(request, "failures.html", values)


def _to_row(world: PageWorld, cause: FailureCause) -> CauseRow:
    # An index does not carry whether a big run can be resumed, or how it was read: the example is read whole.
    whole = world.ledger.get(cause.sync, cause.example.source) or cause.example
    advice = advise_repair(whole if whole.failure else cause.example, of_all_failed=cause.count > 1)
    tables = filter(None, (find_table(world, entry) for entry in cause.newest))
    return CauseRow(cause, tuple(dict.fromkeys(tables)), advice)


def find_table(world: PageWorld, entry: Entry) -> str | None:
    """The table that an object belongs to, by the configuration; None without one."""
    if world.planner is None:
        return None
    for plan in world.planner.plan(entry.source, only=entry.sync):
        if isinstance(plan, Plan) and isinstance(plan.place, OutputPlace):
            return plan.place.file.table
    return None
