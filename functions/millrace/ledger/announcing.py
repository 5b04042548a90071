"""Whom settled work is told to: never before the ledger says so, and at least once after.

The entry that settles says with the same put that something is to be told. It is told then, and a further put says so.
A worker that is killed in between leaves an entry that is untold, and its message: who claims the object next, with
that message or for a newer version, tells of it first::

    settle: put "converted, untold" ... tell ... put "converted"
                          killed here ^          its message comes back: tell ... put "converted"
                              killed here ^      told twice, with the same id
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from millrace.errors import ServiceUnavailable
from millrace.ledger.entries import Announcement, Branch, Finish, WorkEntry
from millrace.ledger.rules import E


class Teller(Protocol):
    """Tells others of settled work."""

    def wants(self, entry: WorkEntry, /) -> bool:
        """Whether somebody asked to be told of an entry and its announcement."""
        ...

    def tell(self, entry: WorkEntry, /) -> None:
        """Tell of it; return only when it is on its way. Raises MillraceError."""
        ...


@dataclass(frozen=True, slots=True)
class Tellers:
    """Several that tell of the same work; if one of them could not, all are asked again."""

    tellers: tuple[Teller, ...]

    def wants(self, entry: WorkEntry, /) -> bool:
        """Whether one of them does."""
        return any(teller.wants(entry) for teller in self.tellers)

    def tell(self, entry: WorkEntry, /) -> None:
        """Let each tell what it has to. Raises what the first raises that cannot."""
        for teller in self.tellers:
            if teller.wants(entry):
                teller.tell(entry)


def with_announcement(settled: E, claimed: E, finish: Finish, teller: Teller) -> E:
    """The entry to put for settled work, with what is to be told of it.

    A configuration error is told once, and not again while every attempt meets the same one.
    """
    announcement = Announcement(
        run=claimed.run_in_parts,
        has_written=finish.outputs is not None,
        error=_find_configuration_error(settled),
    )
    candidate = replace(settled, announcement=announcement)
    if not teller.wants(candidate):
        # After an attempt that fails for another reason, which passes, the same configuration error is no news.
        return replace(settled, announcement=None) if settled.settled else settled
    return settled if _is_told(claimed.announcement, announcement) else candidate


def _find_configuration_error(settled: WorkEntry) -> str | None:
    failure = settled.failure
    return failure.error if failure is not None and failure.branch is Branch.CONFIGURATION else None


def _is_told(remembered: Announcement | None, announcement: Announcement) -> bool:
    """Whether it is the configuration error that was told last; who claims tells what is untold first."""
    return remembered is not None and remembered.error == announcement.error


def demand_told(settled: WorkEntry) -> None:
    """Raise ServiceUnavailable if nobody could be told of settled work: whoever comes back for it tells first."""
    if settled.is_untold:
        raise ServiceUnavailable(
            f"{settled.source} (sync {settled.sync!r}) is settled, and its event could not be sent; it is tried again"
        )


def as_told(entry: E) -> E:
    """The entry to put when it was told; what need not be remembered is forgotten."""
    last = entry.announcement
    told = replace(last, is_sent=True) if last is not None and last.error is not None else None
    return replace(entry, revision=entry.revision + 1, announcement=told)
