"""Tells the committer of settled work: satisfies ``ledger.announcing.Teller``."""

from __future__ import annotations

from dataclasses import dataclass

from millrace.catalog.iceberg.messages import CommitRequest, CommitRequests, name_group, name_request
from millrace.catalog.iceberg.tables import find_place
from millrace.ledger.entries import Entry, State, WorkEntry
from millrace.planning.planner import Planner


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitTeller:
    """Tells of the objects of ``syncs``, those with Iceberg tables; ``database`` is that of syncs which name none."""

    planner: Planner
    queue: CommitRequests
    syncs: frozenset[str]
    database: str

    def wants(self, entry: WorkEntry, /) -> bool:
        """Whether the table may have to change: a file of a model's build has no output of its own."""
        if entry.sync not in self.syncs or not isinstance(entry, Entry):
            return False
        is_part = entry.build.built_etag is not None and not entry.outputs and entry.failure is None
        return entry.settled and entry.state is not State.WAITING and not is_part

    def tell(self, entry: WorkEntry, /) -> None:
        """Send the request; a configuration that has no table of it any more has none."""
        if not self.wants(entry):
            return
        place = find_place(self.planner, entry.sync, entry.source, self.database)
        if place is None:
            return
        request = CommitRequest(entry.sync, entry.source)
        self.queue.send(
            request.to_body(), group=name_group(place.name), deduplication=name_request(request, entry.revision)
        )
