"""How the functions tell others of what they did: by events on the account's default bus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING

from millrace.composition.base import Foundation
from millrace.notices.levels import Levels
from millrace.notices.telling import EntryTeller
from millrace.planning.planner import Planner

if TYPE_CHECKING:
    from millrace.aws.event_bus import EventBus
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


def entry_teller(base: Foundation, planner: Planner) -> EntryTeller:
    """Tells of settled work as the configuration asks; no client is made before there is something to say."""
    return EntryTeller(
        deployment=base.settings.name,
        levels=Levels.of(base.document),
        planner=planner,
        send=LazyBus(base).send,
    )
