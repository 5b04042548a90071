"""Dead letters: what they name and why they were given up."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from millrace.errors import MillraceError, UsageError
from millrace.operations.dead_letters import Examined, LetterClass
from millrace.remote.letter_boxes import LetterBoxes, open_boxes
from millrace.ui.rendering import PageRenderer
from millrace.ui.world import PageWorld
from millrace.wording import join_names

_MOST_LETTERS = 100


def show_dead_letters(request: Request, _world: PageWorld, renderer: PageRenderer) -> Response:
    """The frame: letters are received apart, which takes some seconds."""
    chosen = request.query_params.get("class", "")
    parse_class(chosen)
    return renderer.render(request, "dead_letters.html", {"chosen": chosen, "classes": list(LetterClass)})


def parse_class(text: str) -> LetterClass | None:
    """A class of letters; None for none. Raises UsageError."""
    if not text:
        return None
    try:
        return LetterClass(text)
    except ValueError as error:
        names = join_names(LetterClass, before_last="or")
        raise UsageError(f"class is {text!r}; expected {names}") from error


def list_letters(request: Request, world: PageWorld, renderer: PageRenderer) -> Response:
    """The letters; each is hidden from others while they are looked at, and then let go."""
    chosen = parse_class(request.query_params.get("class", ""))
    values: dict[str, Any] = {"letters": [], "waiting": 0, "trouble": None, "warnings": [], "most": _MOST_LETTERS}
    try:
        with ExitStack() as held:
            boxes = open_boxes(world.deployments, world.name, held, values["warnings"].append)
            values["letters"] = _take_letters(boxes, chosen)
            values["waiting"] = boxes.count_waiting()
    except MillraceError as error:
        values["trouble"] = error
    return renderer.render(request, "letters.html", values)


def _take_letters(boxes: LetterBoxes, chosen: LetterClass | None) -> list[Examined]:
    classes = frozenset(LetterClass) if chosen is None else frozenset({chosen})
    return list(islice(boxes.examine_letters(classes), _MOST_LETTERS))
