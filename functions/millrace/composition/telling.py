"""How the functions tell others of what they did: by events on the account's default bus, and the committer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING

from millrace.composition.base import Foundation
from millrace.ledger.announcing import Teller, Tellers
from millrace.notices.levels import Levels
from millrace.notices.telling import EntryTeller
from millrace.planning.planner import Planner

if TYPE_CHECKING:
    from millrace.aws.event_bus import EventBus
    from millrace.catalog.iceberg.telling import CommitTeller
    from millrace.notices.events import Event


@dataclass
class LazyBus:
    """Sends events; what that needs is loaded for the first."""

    base: Foundation = field(repr=False)

    def send(self, events: Sequence[Event]) -> None:
        """As ``EventBus.send``."""
        self._bus.send(events)

    @cached_property
    def _bus(self) -> EventBus:
        from millrace.aws.event_bus import EventBus  # noqa: PLC0415 - most functions never send any

        return EventBus(partial(self.base.sessions.client, "events"))


def entry_teller(base: Foundation, planner: Planner) -> Teller:
    """Tells of settled work as the configuration asks; no client is made before there is something to say."""
    events = event_teller(base, planner)
    commits = commit_teller(base, planner)
    return events if commits is None else Tellers((commits, events))


def commit_teller(base: Foundation, planner: Planner) -> CommitTeller | None:
    """Tells the committer of what its tables consist of; None without Iceberg tables, or before there is a queue."""
    syncs = [sync.name for sync in base.document.active_syncs() if sync.iceberg is not None]
    url = base.settings.commit_queue
    # A deployment of an earlier version has no such queue until the next one.
    if not syncs or url is None:
        return None
    from millrace.aws.commit_queue import SQSCommitQueue  # noqa: PLC0415 - most deployments have no such tables
    from millrace.catalog.iceberg.telling import CommitTeller  # noqa: PLC0415 - most deployments have no such tables

    return CommitTeller(
        planner=planner,
        queue=SQSCommitQueue(partial(base.sessions.client, "sqs"), url),
        syncs=frozenset(syncs),
        database=base.settings.database or "",
    )


def event_teller(base: Foundation, planner: Planner) -> EntryTeller:
    """Tells of settled work by events."""
    return EntryTeller(
        deployment=base.settings.name,
        levels=Levels.of(base.document),
        planner=planner,
        send=LazyBus(base).send,
    )
