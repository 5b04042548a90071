"""How values become text of the page: escaped, cut where they are long, times for the reader's zone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from millrace.mappings import leave_out_empty
from millrace.operations.backfills.progress import describe_progress
from millrace.texts import escape_controls, quote_for_shell
from millrace.ui.world import PageWorld
from millrace.wording import count_of, describe_seconds, describe_size

_PART_HEADER = "millrace-part"
"""Set by the page's script: it replaces the middle of the page and needs no head."""


def _finalize(value: Any) -> Any:
    """What every value passes through: no key may steer a browser's text direction, or hide in a line end."""
    if value is None:
        return ""
    if isinstance(value, Markup):
        return value
    return escape_controls(value) if isinstance(value, str) else value


def show_time(moment: datetime | str | None) -> Markup:
    """A time; the page's script writes it in the reader's zone and leaves UTC in the title."""
    if moment is None:
        return Markup("")
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    text = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(moment.isoformat(), text, text)


def show_number(number: float | None) -> str:
    """``12,034``; nothing for None."""
    return "" if number is None else f"{number:,.0f}"


def show_size(size: int | None) -> str:
    """``3.1 GB``; nothing for None."""
    return "" if size is None else describe_size(size)


def to_address(path: str, /, **query: Any) -> str:
    """An address of the page; what is None or empty is left out."""
    given = {name: str(value) for name, value in leave_out_empty(query).items()}
    return f"{path}?{urlencode(given)}" if given else path


@pass_context
def _show_age(context: Context, moment: datetime | None) -> Markup:
    """``12 min`` since then, with the time in the title."""
    if moment is None:
        return Markup("an unknown time")
    world: PageWorld = context["world"]
    age = describe_seconds((world.now() - moment).total_seconds())
    text = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return Markup('<span title="since {}">{}</span>').format(text, age)


@cache
def _load_templates() -> Environment:
    """The templates, each compiled when it is first used, which takes 20 ms: nothing in them is one page's alone."""
    environment = Environment(
        loader=PackageLoader("millrace.ui"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "time": show_time,
        "number": show_number,
        "size": show_size,
        "seconds": describe_seconds,
        "age": _show_age,
        "plain": escape,
        "backfill": describe_progress,
        "shell": quote_for_shell,
    }
    environment.globals |= {"address": to_address, "count_of": count_of, "version": version("millrace")}
    return environment


class PageRenderer:
    """The templates of one page, with what all of them show."""

    def __init__(self, world: PageWorld) -> None:
        self._world = world

    def render(
        self, request: Request, template: str, values: Mapping[str, Any] | None = None, *, status: int = 200
    ) -> HTMLResponse:
        """A view as a whole page, or its middle alone if the page's script asks for that."""
        layout = "part.html" if request.headers.get(_PART_HEADER) else "page.html"
        page = _load_templates().get_template(template)
        here = _address_of(request)
        text = page.render(layout=layout, path=request.url.path, here=here, world=self._world, **(values or {}))
        return HTMLResponse(text, status_code=status)


def _address_of(request: Request) -> str:
    query = request.url.query
    return f"{request.url.path}?{query}" if query else request.url.path
