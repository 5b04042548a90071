"""An object's story: its entry, its outputs, its first rows, why each column has its type, and rows put aside."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from millrace.engine.options import FileFormat, ReadOptions
from millrace.errors import MillraceError, UsageError
from millrace.ledger.entries import Entry, State, is_at_work
from millrace.mappings import pick
from millrace.objects.references import ObjectRef
from millrace.operations.previews import PREVIEW_ROWS, Preview, preview_file, read_quarantined
from millrace.operations.repair_commands import advise_repair
from millrace.planning.plans import Plan
from millrace.planning.targets import QUARANTINE_FOLDER
from millrace.remote.entry_documents import entry_to_json
from millrace.texts import quote_for_shell
from millrace.ui.rendering import PageRenderer
from millrace.ui.views.failures import find_table
from millrace.ui.world import PageWorld

_READ_FROM_THEIR_END = (".parquet", ".orc")
_MOST_EXPLAINED = 200_000_000
"""Bytes of a file that the page explains; all of it is read through this machine."""
_FACTS = (
    "reason",
    "rows_read",
    "rows_written",
    "rows_quarantined",
    "rows_filtered",
    "source_bytes",
    "source_etag",
    "sequencer",
    "fence",
    "attempts",
    "fingerprint",
    "engine",
    "run_id",
    "schema_version",
    "schema_changes",
    "started",
    "finished",
    "milliseconds",
)
"""Fields of an entry's document in their order; the others have places of their own on the page."""


def show_story(request: Request, world: PageWorld, renderer: PageRenderer) -> Response:
    """All that the ledger says of one object under one sync; its rows are asked for apart."""
    entry = _demand_entry(request, world)
    facts = pick(entry_to_json(entry), *_FACTS)
    aside = [output for output in entry.outputs if is_quarantine(output.ref)]
    is_working = is_at_work(entry, world.now())
    values = {
        "entry": entry,
        "facts": facts,
        "outputs": [output for output in entry.outputs if output not in aside],
        "aside": aside,
        "advice": advise_repair(entry) if entry.failure is not None else None,
        "table": find_table(world, entry),
        "is_abandoned": entry.state is State.IN_FLIGHT and not is_working,
        "folder": entry.source.key.rpartition("/")[0],
    }
    return renderer.render(request, "object.html", values)


def is_quarantine(ref: ObjectRef) -> bool:
    """Whether an output holds rows that were put aside, by its folder."""
    return f"/{QUARANTINE_FOLDER}/" in f"/{ref.key}"


def _demand_entry(request: Request, world: PageWorld) -> Entry:
    """The entry that the address names. Raises UsageError if there is none."""
    query = request.query_params
    sync, source = query.get("sync", ""), query.get("source", "")
    if not sync or not source:
        raise UsageError("an object's address has a sync and a source: /object?sync=…&source=s3://bucket/key")
    ref = ObjectRef.parse(source)
    entry = world.ledger.get(sync, ref)
    if entry is None:
        raise UsageError(f"the ledger has no entry for {ref} under {sync!r}: it was forgotten, or never came")
    return entry


def show_preview(request: Request, world: PageWorld, renderer: PageRenderer) -> Response:
    """First rows of the source, or of the output that ``of`` names; only what the entry names is read."""
    entry = _demand_entry(request, world)
    ref = _choose_ref(entry, request.query_params.get("of", ""))
    values: dict[str, Any] = {"ref": ref, "preview": None, "trouble": None, "rows": PREVIEW_ROWS}
    try:
        values["preview"] = _read_preview(world, entry, ref)
    except MillraceError as error:
        values["trouble"] = error
    return renderer.render(request, "preview.html", values)


def _choose_ref(entry: Entry, address: str) -> ObjectRef:
    """The source, or one of its outputs; any other object is refused, or the page would read what it never lists."""
    if not address:
        return entry.source
    ref = ObjectRef.parse(address)
    if entry.output(ref) is None:
        raise UsageError(f"{ref} is no output of {entry.source} under {entry.sync!r}")
    return ref


def _read_preview(world: PageWorld, entry: Entry, ref: ObjectRef) -> Preview:
    planned = _find_planned(world, entry) if ref == entry.source else {}
    tail_first = ref.key.lower().endswith(_READ_FROM_THEIR_END)
    with world.store.open(ref, tail_first=tail_first) as opened:
        return preview_file(opened.stream, ref.key, **planned)


def _find_planned(world: PageWorld, entry: Entry) -> Mapping[str, Any]:
    """How the sync reads an object, by the configuration; nothing without one, or for what is no single file."""
    if world.planner is None:
        return {}
    for plan in world.planner.plan(entry.source, only=entry.sync):
        if isinstance(plan, Plan):
            file_format: FileFormat = plan.recipe.source_format
            read: ReadOptions = plan.recipe.read
            return {"file_format": file_format, "read": read}
    return {}


def show_quarantined(request: Request, world: PageWorld, renderer: PageRenderer) -> Response:
    """The first rows that were put aside, with their text."""
    entry = _demand_entry(request, world)
    ref = _choose_ref(entry, request.query_params.get("of", ""))
    values: dict[str, Any] = {"ref": ref, "quarantined": (), "trouble": None}
    try:
        with world.store.open(ref) as opened:
            values["quarantined"] = read_quarantined(opened.stream)
    except MillraceError as error:
        values["trouble"] = error
    return renderer.render(request, "quarantined.html", values)


def show_explanation(request: Request, world: PageWorld, renderer: PageRenderer) -> Response:
    """What each column is, and which value keeps it from a narrower type; all of the file is read."""
    entry = _demand_entry(request, world)
    values: dict[str, Any] = {"ref": entry.source, "explanation": None, "trouble": None}
    try:
        values["explanation"] = _explain(world, entry)
    except MillraceError as error:
        values["trouble"] = error
    return renderer.render(request, "explained.html", values)


def _explain(world: PageWorld, entry: Entry) -> Any:
    from millrace.engine.explain.any_file import explain_file  # noqa: PLC0415 - pyarrow takes a while to import
    from millrace.engine.files import how_to_read  # noqa: PLC0415 - it needs pyarrow, too

    planned = _find_planned(world, entry)
    if planned:
        file_format, read = planned["file_format"], planned["read"]
    else:
        file_format, read = how_to_read(entry.source.key, None, None, ReadOptions())
    opened = world.store.open(entry.source)
    with opened as source, closing(source.stream):
        if source.head.size > _MOST_EXPLAINED:
            raise UsageError(
                f"the file has {source.head.size:,} bytes, and all of them would be read through this machine; run it "
                f"where they are near: millrace explain {quote_for_shell(str(entry.source))}"
            )
        return explain_file(source.stream, file_format, read)
