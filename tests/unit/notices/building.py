"""Entries, and what makes events of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from millrace.engine.row_counts import RowCounts
from millrace.ledger.entries import Announcement, BigRunFacts, Entry, Failure, Output, State
from millrace.ledger.table_entries import TableEntry
from millrace.notices.entry_events import EntryEvents
from millrace.notices.levels import Levels
from millrace.objects.references import ObjectRef, SourceVersion
from tests.configurations import bulk_sync, document

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOURCE = ObjectRef("acme-in", "in/a.csv")
RUN = BigRunFacts(name="nightly-1", execution="nightly-1", connection="lake", home=ObjectRef("acme-out", "lake/r/"))
WORK: dict[str, Any] = {
    "sync": "nightly",
    "revision": 3,
    "fence": 2,
    "fingerprint": "f",
    "engine": "1",
    "version": SourceVersion(etag="e", version_id="v", size=10),
    "attempts": 1,
    "started": NOON - timedelta(seconds=1.5),
    "finished": NOON,
    "outputs": (Output(ref=ObjectRef("acme-out", "lake/a.parquet"), etag="t", size=7, rows=2),),
    "rows": RowCounts(read=3, written=2, quarantined=1),
}


def entry(state: State = State.CONVERTED, **fields: Any) -> Entry:
    """An object's, settled."""
    source = fields.pop("source", SOURCE)
    return Entry(**(WORK | {"source": source, "state": state, "announcement": Announcement(has_written=True)} | fields))


def failed(error: Exception, **fields: Any) -> Entry:
    """One that failed."""
    return entry(State.FAILED, failure=Failure.of(error), outputs=(), **fields)


def table() -> TableEntry:
    """A snapshot table's, written."""
    place = ObjectRef("acme-in", "in/orders")
    fields = WORK | {"source": place, "state": State.CONVERTED, "announcement": Announcement(has_written=True)}
    return TableEntry(**fields)


def events_of(notify: str = "objects", *, found: ObjectRef | None = None) -> EntryEvents:
    """For one bulk sync."""
    levels = Levels.of(document(bulk_sync(notify=notify)))
    return EntryEvents(deployment="millrace", levels=levels, find_table=lambda _entry: found)
