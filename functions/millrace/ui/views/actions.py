"""What the page may change where it is allowed to: each action says first what it would do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from millrace.errors import UsageError
from millrace.ledger.entries import NEEDS_ATTENTION
from millrace.mappings import leave_out_empty, pick
from millrace.operations.dead_letters import LetterClass
from millrace.operations.reprocess import Reprocess
from millrace.remote.letter_boxes import MOVED_BY_DEFAULT, open_boxes
from millrace.remote.paused_sources import PausedSource, PausedWorld, end_alarm, find_paused_world
from millrace.texts import escape_controls
from millrace.ui.action_form import ActionForm
from millrace.ui.rendering import PageRenderer
from millrace.ui.views.dead_letters import parse_class
from millrace.ui.world import PageWorld
from millrace.wording import count_of, join_names, list_counts

_SHOWN_PROBLEMS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionResult:
    """What was done or would be done; ``next_step`` is the button that does it next, None if nothing is left.

    ``fields`` are those of the form, which are posted to ``path`` again; ``back`` is a link and its name.
    """

    title: str
    lines: Sequence[str]
    fields: Mapping[str, str]
    next_step: str | None
    path: str
    back: tuple[str, str]
    examples: Sequence[str] = ()


def show_result(result: ActionResult, request: Request, renderer: PageRenderer, proof: str) -> Response:
    """The result, with the form that does it next."""
    hidden = {name: value for name, value in result.fields.items() if name not in _OWN_FIELDS and value}
    return renderer.render(request, "result.html", {"result": result, "hidden": hidden, "proof": proof})


_OWN_FIELDS = frozenset({"form_key", "step", "tried"})
"""Fields that the template writes itself."""


def ask_reprocess(request: Request, world: PageWorld, renderer: PageRenderer) -> Response:
    """The form, filled in by the address."""
    names = ("sync", "key", "prefix", "state", "stale")
    given = {name: request.query_params.get(name, "") for name in names}
    # A browser changes line ends in a form's fields, and a field for text drops them.
    exact = json.dumps(given["key"]) if escape_controls(given["key"]) != given["key"] else None
    values = {
        "given": given,
        "exact": exact,
        "syncs": world.deployed.syncs,
        "states": sorted(map(str, NEEDS_ATTENTION)),
    }
    return renderer.render(request, "ask_reprocess.html", values)


def run_reprocess(request: Request, form: ActionForm, world: PageWorld, renderer: PageRenderer) -> Response:
    """Count what would be put on the queue; then put it there, an invocation's worth at a time."""
    asked = _to_event(form)
    Reprocess.parse(asked)
    is_confirmed = form.is_confirmed(asked)
    going_on = leave_out_empty({name: form.get(name) for name in _GOING_ON}) if is_confirmed else {}
    event = {**asked, **going_on, "dry_run": not is_confirmed}
    answer = world.deployments.invoke(world.deployed.reprocess_function, event)
    title, next_step = _name_reprocess(answer, is_confirmed=is_confirmed)
    result = ActionResult(
        title=title,
        lines=tuple(_describe_reprocess(answer, asked["sync"], is_confirmed=is_confirmed)),
        examples=tuple(answer["examples"]),
        fields={**form.fields, **(pick(answer, *_GOING_ON) if is_confirmed else {})},
        next_step=next_step if answer["selected"] else None,
        path="/actions/reprocess",
        back=("/objects?state=failed", "Objects that failed"),
    )
    return show_result(result, request, renderer, form.to_proof(asked))


_GOING_ON = ("run_id", "start_after")
"""What an answer that is not complete says, for the call that goes on with it."""


def _name_reprocess(answer: Mapping[str, Any], *, is_confirmed: bool) -> tuple[str, str | None]:
    """The title of an answer, and what the next button does."""
    if not is_confirmed:
        return "Would be put on the queue" + ("" if answer["complete"] else ", and more"), "Convert them again"
    if answer["complete"]:
        return "Put on the queue", None
    return "Put on the queue so far", "Go on with the rest"


def _describe_reprocess(answer: Mapping[str, Any], sync: str, *, is_confirmed: bool) -> Iterator[str]:
    yield f"{count_of(answer['selected'], 'object')} of {sync}"
    foreign, outside = answer["ignored"], answer["out_of_scope"]
    yield f"passed over: {foreign:,} of a foreign extension, {outside:,} outside the sync's folder"
    if is_confirmed:
        yield f"run {answer['run_id']}"
    if "untold" in answer:
        yield f"others are told of it later, or not at all: {answer['untold']}"


def _to_event(form: ActionForm) -> dict[str, Any]:
    """The event of the reprocess function, without what an empty field does not ask for."""
    key = _read_key(form)
    fields = {
        "sync": form.get("sync"),
        "keys": [key] if key else None,
        "prefix": form.fields.get("prefix"),
        "state": form.get("state"),
        "stale": form.get("stale") == "1",
    }
    return leave_out_empty(fields)


def _read_key(form: ActionForm) -> str:
    """The key as it is, with blanks at its ends. Raises UsageError."""
    if not form.get("exact_key"):
        return form.fields.get("key", "")
    try:
        return str(json.loads(form.get("exact_key")))
    except ValueError as error:
        raise UsageError("the form's key cannot be read; open the form again") from error


def ask_redrive(request: Request, _world: PageWorld, renderer: PageRenderer) -> Response:
    """The form: which class of letters."""
    chosen = request.query_params.get("class", "")
    parse_class(chosen)
    values = {"chosen": chosen, "classes": list(LetterClass), "by_default": join_names(sorted(MOVED_BY_DEFAULT))}
    return renderer.render(request, "ask_redrive.html", values)


def run_redrive(request: Request, form: ActionForm, world: PageWorld, renderer: PageRenderer) -> Response:
    """Count the letters that would be moved; then move those that are there."""
    chosen = parse_class(form.get("class"))
    classes = MOVED_BY_DEFAULT if chosen is None else frozenset({chosen})
    asked = {"class": form.get("class")}
    is_confirmed = form.is_confirmed(asked)
    warnings: list[str] = []
    with ExitStack() as held:
        boxes = open_boxes(world.deployments, world.name, held, warnings.append)
        counts, problems = boxes.redrive(classes, dry_run=not is_confirmed)
    lines = [_describe_letters(counts), *warnings]
    if problems:
        lines.append(f"{count_of(len(problems), 'message')} stayed where it was:")
        lines += problems[:_SHOWN_PROBLEMS]
    result = ActionResult(
        title="Moved" if is_confirmed else "Would be moved",
        lines=lines,
        fields=form.fields,
        next_step=None if is_confirmed or not counts else "Move them back",
        path="/actions/redrive",
        back=("/dead-letters", "Dead letters"),
    )
    return show_result(result, request, renderer, form.to_proof(asked))


def _describe_letters(counts: Counter[LetterClass]) -> str:
    if not counts:
        return "no message"
    return f"{count_of(counts.total(), 'message')}: {list_counts(sorted(counts.items()))}"


def ask_resume(request: Request, world: PageWorld, renderer: PageRenderer) -> Response:
    """What is paused, and the form to choose one of them."""
    paused = list(find_paused_world(world.deployments, world.name).list_paused())
    return renderer.render(
        request, "ask_resume.html", {"paused": paused, "chosen": request.query_params.get("queue", "")}
    )


def run_resume(request: Request, form: ActionForm, world: PageWorld, renderer: PageRenderer) -> Response:
    """Say why a queue is paused; then receive from it again, and end the alarm if nothing else is paused."""
    asked = {"queue": form.get("queue")}
    is_confirmed = form.is_confirmed(asked)
    paused_world = find_paused_world(world.deployments, world.name)
    paused = list(paused_world.list_paused())
    source = _choose_paused(paused, asked["queue"])
    lines = [source.to_json()["reason"]]
    if is_confirmed:
        lines += _resume(world, paused_world, source, is_last=len(paused) == 1)
    result = ActionResult(
        title=f"{'Resumed' if is_confirmed else 'Would be resumed'}: {source.queue}",
        lines=lines,
        fields=form.fields,
        next_step=None if is_confirmed else "Receive again",
        path="/actions/resume",
        back=("/", "Overview"),
    )
    return show_result(result, request, renderer, form.to_proof(asked))


def _choose_paused(paused: Iterable[PausedSource], queue: str) -> PausedSource:
    for source in paused:
        if source.queue == queue:
            return source
    raise UsageError(f"{queue!r} is not paused, or no longer")


def _resume(world: PageWorld, paused_world: PausedWorld, source: PausedSource, *, is_last: bool) -> list[str]:
    """Do it; what did not work beside it."""
    troubles = [paused_world.resume(source)]
    if is_last:
        troubles.append(end_alarm(world.deployments, paused_world.function))
    return list(filter(None, troubles))
