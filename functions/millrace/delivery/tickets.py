"""Counts what became of a backfill's requests, each once, before its message is acknowledged.

The count is a set of numbers in the ledger's table, so that a message that comes twice changes nothing; and a worker
that dies between the work and the count leaves its message to come back, to be found done, and to be counted then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from millrace.errors import MillraceError
from millrace.objects.messages import Ticket, TicketResult

_LOOKS_AGAIN_AFTER = timedelta(seconds=30)
"""So long a process may go on after a backfill was stopped: to look for each request would cost a read."""


class TicketBook(Protocol):
    """Where the requests of backfills are counted."""

    def count(self, tickets: Iterable[Ticket], result: TicketResult) -> None:
        """Note that the requests of one portion are settled; the same once more changes nothing."""
        ...

    def stopped(self) -> frozenset[str]:
        """The names of backfills that somebody gave up."""
        ...


@dataclass(frozen=True, slots=True)
class _Settled:
    """A ticket whose request is settled, by which message."""

    ticket: Ticket
    message_id: str
    result: TicketResult


@dataclass(slots=True)
class TicketCounter:
    """Gathers settled tickets of a batch, and counts them together: a portion's with one write.

    It lives as long as its process. Nothing is asked or written where no message has a ticket.
    """

    book: TicketBook
    now: Callable[[], datetime]
    _settled: list[_Settled] = field(default_factory=list)
    _stopped: frozenset[str] = frozenset()
    _looked: datetime | None = None

    def is_stopped(self, ticket: Ticket) -> bool:
        """Whether somebody gave the ticket's backfill up; looked at every half minute."""
        if self._looked is None or self.now() - self._looked > _LOOKS_AGAIN_AFTER:
            self._looked = self.now()
            # If nobody can say, the object is converted: it is one of the sync's.
            with suppress(MillraceError):
                self._stopped = self.book.stopped()
        return ticket.backfill in self._stopped

    def settle(self, ticket: Ticket, message_id: str, result: TicketResult) -> None:
        """Take note of a ticket whose request is settled."""
        self._settled.append(_Settled(ticket, message_id, result))

    def flush(self) -> dict[str, MillraceError]:
        """Count what is gathered; the messages whose tickets could not be counted, with the reasons."""
        settled, self._settled = self._settled, []
        trouble: dict[str, MillraceError] = {}
        for tickets in _group(settled):
            try:
                self.book.count([item.ticket for item in tickets], tickets[0].result)
            except MillraceError as error:
                trouble |= {item.message_id: error for item in tickets}
        return trouble


def _group(settled: Iterable[_Settled]) -> Iterator[list[_Settled]]:
    """Those that are counted together: of one portion, with one result."""
    groups: defaultdict[tuple[str, str, TicketResult], list[_Settled]] = defaultdict(list)
    for item in settled:
        groups[item.ticket.backfill, item.ticket.portion, item.result].append(item)
    yield from groups.values()
