"""Tables with a remembered schema, and what changed each of them."""

from __future__ import annotations

from itertools import islice

from starlette.requests import Request
from starlette.responses import Response

from millrace.errors import UsageError
from millrace.objects.references import ObjectRef
from millrace.remote.entry_documents import schema_to_json
from millrace.ui.rendering import PageRenderer
from millrace.ui.world import PageWorld

_MOST_TABLES = 500


def show_tables(request: Request, world: PageWorld, renderer: PageRenderer) -> Response:
    """The tables of each sync, or of one."""
    sync = request.query_params.get("sync") or None
    tables: dict[str, list[ObjectRef]] = {}
    for name in world.deployed.syncs:
        if sync in {None, name}:
            tables[name] = list(islice(world.pages.tables_of(name), _MOST_TABLES + 1))
    values = {"tables": tables, "sync": sync, "syncs": world.deployed.syncs, "most": _MOST_TABLES}
    return renderer.render(request, "tables.html", values)


def show_table(request: Request, world: PageWorld, renderer: PageRenderer) -> Response:
    """A table's fields, and its versions, the newest first."""
    sync, table = request.query_params.get("sync", ""), request.query_params.get("table", "")
    if not sync or not table:
        raise UsageError("a table's address has a sync and a table: /table?sync=…&table=s3://bucket/folder")
    ref = ObjectRef.parse(table)
    entry = world.ledger.get_schema(sync, ref)
    if entry is None:
        raise UsageError(f"no schema of {ref} is remembered under {sync!r}")
    document = schema_to_json(entry.schema)
    values = {"entry": entry, "fields": document["fields"], "versions": document["versions"][::-1]}
    return renderer.render(request, "table.html", values)
