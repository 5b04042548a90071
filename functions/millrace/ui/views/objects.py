"""Lists of objects by sync, state, day and prefix, and the way from an address to an object's story."""

from __future__ import annotations

from datetime import UTC, date
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from millrace.errors import UsageError
from millrace.ledger.entries import Entry, State
from millrace.objects.references import ObjectRef
from millrace.operations.object_pages import DAYS_BACK, ListFilter, PageCursor, read_page
from millrace.remote.entry_documents import find_entries, find_source
from millrace.ui.rendering import PageRenderer, to_address
from millrace.ui.world import PageWorld
from millrace.wording import join_names

_SCHEME = "s3://"


def show_objects(request: Request, world: PageWorld, renderer: PageRenderer) -> Response:
    """A page of a list; the filter and the place in the list are in the address."""
    wanted = parse_filter(request.query_params)
    after = request.query_params.get("after")
    cursor = PageCursor.parse(after) if after else None
    page = read_page(world.pages, wanted, today=world.now().astimezone(UTC).date(), after=cursor)
    chosen = {name: request.query_params.get(name, "") for name in ("sync", "state", "day", "prefix")}
    more = to_address("/objects", **chosen, after=page.after.to_text()) if page.after is not None else None
    values = {
        "page": page,
        "chosen": chosen,
        "more": more,
        "first": to_address("/objects", **chosen) if after else None,
        "syncs": world.deployed.syncs,
        "states": list(State),
        "days_back": DAYS_BACK,
    }
    return renderer.render(request, "objects.html", values)


def parse_filter(query: Any) -> ListFilter:
    """The filter of an address; raise UsageError for a state, a day or a prefix that is none."""
    bucket, prefix = _parse_prefix(query.get("prefix", "").strip())
    return ListFilter(
        sync=query.get("sync") or None,
        state=_parse_state(query.get("state", "")),
        day=parse_day(query.get("day", "")),
        bucket=bucket,
        prefix=prefix,
    )


def _parse_state(text: str) -> State | None:
    if not text:
        return None
    try:
        return State(text)
    except ValueError as error:
        states = join_names(State, before_last="or")
        raise UsageError(f"state is {text!r}; expected {states}") from error


def parse_day(text: str) -> date | None:
    """A UTC day of an address; None for none. Raises UsageError."""
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"day is {text!r}; expected a UTC day such as 2026-11-28") from error


def _parse_prefix(text: str) -> tuple[str | None, str]:
    """The bucket, if it is named, and the prefix: ``in/2026`` or ``s3://bucket/in/2026``."""
    if not text.startswith(_SCHEME):
        return None, text
    bucket, _, prefix = text.removeprefix(_SCHEME).partition("/")
    return bucket or None, prefix


def find_object(request: Request, world: PageWorld, renderer: PageRenderer) -> Response:
    """From an address of S3 to the story of the object, of the table, or of the source that an output was made of."""
    address = request.query_params.get("address", "").strip()
    if not address.startswith(_SCHEME):
        return RedirectResponse(to_address("/objects", prefix=address), status_code=303)
    ref = ObjectRef.parse(address)
    syncs = world.deployed.syncs
    entries = find_entries(world.ledger, syncs, ref)
    if not entries and (source := find_source(world.deployments, ref)) is not None:
        entries = find_entries(world.ledger, syncs, source)
    objects = [entry for entry in entries if isinstance(entry, Entry)]
    if len(entries) == 1 and objects:
        entry = objects[0]
        return RedirectResponse(to_address("/object", sync=entry.sync, source=entry.source), status_code=303)
    return renderer.render(request, "found.html", {"entries": entries, "address": to_address, "asked": address})
