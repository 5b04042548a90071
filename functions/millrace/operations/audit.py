"""Account for every object of a sync's source: which state the ledger has it in, or that nobody knows of it.

An object is *unaccounted* where the ledger lacks it, or knows another version of it, or has it in flight under a lease
that ran out, and it has stood there for longer than news of it may take. What is younger is *expected*.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from millrace.ledger.entries import Entry, State
from millrace.ledger.stores import LedgerIndex
from millrace.objects.messages import Request
from millrace.objects.store import ListedObject, ObjectStore, Stores
from millrace.operations.comparison import GRACE, Difference, concerns, entries_below, joined, judged
from millrace.planning.planner import ActiveSync, Planner


class Standing(enum.StrEnum):
    """Where an object stands beside the ledger's states."""

    EXPECTED = "expected"
    """It changed a short while ago; its message may be on the way."""
    GONE = "gone"
    """The ledger has its output, the bucket has it no longer; the removal is asked for."""
    UNACCOUNTED = "unaccounted"


WORTH_A_LOOK = frozenset({State.FAILED, State.QUARANTINED, State.WAITING, State.IN_FLIGHT})
"""States of which a report tells more than an index carries: how many rows, how often, why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """One object: ``standing`` is a state of the ledger or a Standing; ``request`` is what would settle it, if any."""

    key: str
    standing: State | Standing
    listed: ListedObject | None
    entry: Entry | None
    request: Request | None

    def row(self, sync: str, now: datetime, whole: Entry | None) -> dict[str, object]:
        """For the report: what is not known is None; ``age_seconds`` is since the object changed or work began.

        ``entry`` is what an index carries; ``whole`` is all of it, where that was asked for.
        """
        listed, entry = self.listed, self.entry
        failure = whole.failure if whole else None
        since = whole.started if whole and self.standing is State.IN_FLIGHT else listed.modified if listed else None
        return {
            "sync": sync,
            "key": self.key,
            "standing": str(self.standing),
            "size": listed.size if listed else None,
            "etag": listed.etag if listed else None,
            "ledger_etag": entry.etag if entry else None,
            "modified": listed.modified if listed else None,
            "age_seconds": round((now - since).total_seconds()) if since else None,
            "attempts": whole.attempts if whole else None,
            "rows_read": whole.rows_read if whole else None,
            "rows_written": whole.rows_written if whole else None,
            "rows_quarantined": whole.rows_quarantined if whole else None,
            "rows_filtered": whole.rows_filtered if whole else None,
            "error": failure.error if failure else None,
            "message": failure.message if failure else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Auditor:
    """Joins a listing with the ledger, in flat memory."""

    planner: Planner
    stores: Stores | Mapping[str, ObjectStore]
    index: LedgerIndex
    grace: timedelta = GRACE

    def audit(self, sync: ActiveSync, now: datetime) -> Iterator[Audited]:
        """Every object of the sync's source, and every entry whose object is gone, in the order of their keys."""
        folder = sync.folder
        listed = self.stores[sync.source_connection].list(folder.bucket, folder.prefix)
        known = entries_below(self.index.of_sync(sync.name), folder)
        for key, here, entry in joined(listed, known):
            found = judged(here, entry, now)
            ref = here.ref if here else entry.source if entry else None
            if ref is None or not concerns(self.planner, sync.name, ref):
                continue
            standing = self._standing(found, here, entry, now)
            if standing is None:
                continue
            request = Request(change=found.change, sync=sync.name) if found else None
            yield Audited(key=key, standing=standing, listed=here, entry=entry, request=request)

    def _standing(
        self, found: Difference | None, listed: ListedObject | None, entry: Entry | None, now: datetime
    ) -> State | Standing | None:
        if listed is None:
            return Standing.GONE if found else None
        if found is None and entry is not None:
            return entry.state
        return Standing.EXPECTED if listed.modified > now - self.grace else Standing.UNACCOUNTED
