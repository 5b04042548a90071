"""Tells others of settled work: satisfies ``ledger.announcing.Teller``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from millrace.ledger.entries import Entry, WorkEntry
from millrace.notices.levels import Levels
from millrace.objects.references import ObjectRef
from millrace.planning.planner import Planner
from millrace.planning.plans import Plan, SharedTable, SnapshotTable

if TYPE_CHECKING:
    from millrace.notices.events import Event

Send = Callable[[Sequence["Event"]], None]
"""Sends events, and returns only when they are on their way; raises MillraceError."""


@dataclass(frozen=True, slots=True)
class EntryTeller:
    """Tells of what each sync's ``notify`` asks for, by ``send``."""

    deployment: str
    levels: Levels
    planner: Planner
    send: Send

    def wants(self, entry: WorkEntry, /) -> bool:
        """Whether anything is to be said of settled work."""
        return self.levels.wants(entry)

    def tell(self, entry: WorkEntry, /) -> None:
        """Send the events of settled work; a configuration that asks for none any more has none."""
        # Most functions never say anything: a failure, or a sync that asks for more, loads it.
        from millrace.notices.entry_events import EntryEvents  # noqa: PLC0415 - of no use to most cold starts

        made = EntryEvents(deployment=self.deployment, levels=self.levels, find_table=self._find_table)
        events = made.wanted(entry)
        if events:
            self.send(events)

    def _find_table(self, entry: Entry) -> ObjectRef | None:
        """The table that an object is a file of, by its folder and name."""
        for plan in self.planner.plan(entry.source, only=entry.sync):
            if isinstance(plan, Plan) and isinstance(plan.way, SnapshotTable | SharedTable):
                return plan.way.table
        return None
