"""The page as an ASGI application: its addresses, and what becomes of errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from millrace.errors import AccessDenied, BadCredentials, ConfigurationError, MillraceError, UsageError
from millrace.ui.action_form import ActionForm
from millrace.ui.guard import Guard
from millrace.ui.rendering import PageRenderer
from millrace.ui.views.actions import (
    ask_redrive,
    ask_reprocess,
    ask_resume,
    run_redrive,
    run_reprocess,
    run_resume,
)
from millrace.ui.views.dead_letters import list_letters, show_dead_letters
from millrace.ui.views.failures import show_failures
from millrace.ui.views.history import list_history_days, show_history
from millrace.ui.views.objects import find_object, show_objects
from millrace.ui.views.overview import show_overview
from millrace.ui.views.runs import list_runs, show_runs
from millrace.ui.views.steering import ask_backfill, ask_run, run_backfill, run_run
from millrace.ui.views.story import show_explanation, show_preview, show_quarantined, show_story
from millrace.ui.views.tables import show_table, show_tables
from millrace.ui.world import PageWorld

View = Callable[[Request, PageWorld, PageRenderer], Response]
Action = Callable[[Request, ActionForm, PageWorld, PageRenderer], Response]
_STATIC = Path(__file__).parent / "static"
_VIEWS: Sequence[tuple[str, View]] = (
    ("/", show_overview),
    ("/failures", show_failures),
    ("/objects", show_objects),
    ("/find", find_object),
    ("/object", show_story),
    ("/object/preview", show_preview),
    ("/object/quarantined", show_quarantined),
    ("/object/explained", show_explanation),
    ("/tables", show_tables),
    ("/table", show_table),
    ("/dead-letters", show_dead_letters),
    ("/dead-letters/list", list_letters),
    ("/runs", show_runs),
    ("/runs/list", list_runs),
    ("/history", show_history),
    ("/history/days", list_history_days),
)
_ACTIONS: Sequence[tuple[str, View, Action]] = (
    ("/actions/reprocess", ask_reprocess, run_reprocess),
    ("/actions/redrive", ask_redrive, run_redrive),
    ("/actions/resume", ask_resume, run_resume),
    ("/actions/backfill", ask_backfill, run_backfill),
    ("/actions/run", ask_run, run_run),
)


def create_app(world: PageWorld) -> Starlette:
    """The application for a deployment; every request is answered in a thread of its own."""
    renderer = PageRenderer(world)
    routes: list[BaseRoute] = [Mount("/static", StaticFiles(directory=_STATIC))]
    for path, view in _VIEWS:
        routes.append(Route(path, _to_endpoint(view, world, renderer)))
    if world.allow_actions:
        for path, view, action in _ACTIONS:
            routes.append(Route(path, _to_endpoint(view, world, renderer), methods=["GET"]))
            routes.append(Route(path, _to_form_endpoint(action, world, renderer), methods=["POST"]))
    guard = Middleware(Guard, secret=world.secret, allow_actions=world.allow_actions)
    return Starlette(routes=routes, middleware=[guard], exception_handlers={404: _to_not_found(renderer)})


def _to_endpoint(view: View, world: PageWorld, renderer: PageRenderer) -> Callable[[Request], Response]:
    @wraps(view)
    def answer(request: Request) -> Response:
        try:
            return view(request, world, renderer)
        except MillraceError as error:
            return _show_error(error, request, renderer)

    return answer


def _to_form_endpoint(
    action: Action, world: PageWorld, renderer: PageRenderer
) -> Callable[[Request], Awaitable[Response]]:
    @wraps(action)
    async def answer(request: Request) -> Response:
        fields = parse_qsl((await request.body()).decode("utf-8", errors="replace"))
        form = ActionForm(dict(fields), world.secret)

        def act(request: Request, world: PageWorld, renderer: PageRenderer) -> Response:
            form.demand_own()
            return action(request, form, world, renderer)

        # What is asked of AWS may take minutes; other requests are answered meanwhile.
        return await run_in_threadpool(_to_endpoint(act, world, renderer), request)

    return answer


def _show_error(error: MillraceError, request: Request, renderer: PageRenderer) -> Response:
    title, hint, status = _explain_error(error)
    return renderer.render(request, "error.html", {"title": title, "hint": hint, "error": error}, status=status)


def _explain_error(error: MillraceError) -> tuple[str, str, int]:
    """A title, what to do, and the status of HTTP."""
    for kind, explanation in _EXPLAINED.items():
        if isinstance(error, kind):
            return explanation
    return "AWS gave no answer that helps", "Load the page again; if it stays so, the message says why.", 502


_EXPLAINED: Mapping[type[MillraceError], tuple[str, str, int]] = {
    BadCredentials: (
        "AWS does not know who asks",
        "Sign in (aws sso login), or choose a profile with AWS_PROFILE, and start `millrace ui` again.",
        502,
    ),
    AccessDenied: (
        "AWS does not let you see this",
        "The page asks with your own rights: ask for what the message names. Other views may work without it.",
        502,
    ),
    UsageError: ("This address cannot be shown", "Go back, or begin at the overview.", 400),
    ConfigurationError: (
        "The deployment was not found",
        "Name it with --name, and choose its account and region with AWS_PROFILE and AWS_REGION.",
        404,
    ),
}
"""Errors by their class; of a class and the one it is derived from, the class comes first."""


def _to_not_found(renderer: PageRenderer) -> Callable[[Request, Exception], Response]:
    def answer(request: Request, _error: Exception) -> Response:
        values = {
            "title": "There is no such page",
            "hint": "Begin at the overview.",
            "error": HTTPException(404, f"nothing is at {request.url.path}").detail,
        }
        return renderer.render(request, "error.html", values, status=404)

    return answer
