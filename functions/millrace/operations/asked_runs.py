"""The reprocesses whose ends are told: what each has asked for, and what became of it. Others are not kept.

Each request has a ticket, as those of a backfill have, and workers count what becomes of it in the same way. A run's
row is put when a call of the function has sent all that it was to send: a call that was killed counts nowhere::

    call 1: send portions 0 to 4 ... put "calls: 5 portions"
    call 2: send portions 0 to 2 ... put "calls: 5 and 3 portions, all asked for" ... tell that it has begun
    schedule: read the portions: all are settled ... put "finished" ... tell that it has ended ... put without the row
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from millrace.objects.messages import Request, Ticket
from millrace.operations.backfills.board import BackfillCounts

MOST_RUNS = 200
"""Rows of some 500 bytes each: an item of DynamoDB has room for 400 kB."""


@dataclass(frozen=True, slots=True)
class AskingCall:
    """A call of the function that asked for a part of a run: a word of its own, and how many portions it sent."""

    mark: str
    portions: int

    def portion_names(self) -> Iterator[str]:
        """The portions, as their tickets name them."""
        for number in range(self.portions):
            yield f"{self.mark}-{number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedRun:
    """A reprocess. ``reached`` is the key that the last call ended with; ``is_asked``: no other call follows.

    ``counts`` are final once it has ``finished``; until then they say how many objects were asked for.
    ``is_begin_told`` says that others know that it has begun.
    """

    run_id: str
    sync: str
    started: datetime
    calls: tuple[AskingCall, ...] = ()
    counts: BackfillCounts = field(default_factory=BackfillCounts)
    reached: str = ""
    is_asked: bool = False
    finished: datetime | None = None
    is_begin_told: bool = False

    @property
    def name(self) -> str:
        """What its tickets name it by, as if it were a backfill: no backfill's name begins so."""
        return f"reprocess-{self.run_id}-{self.sync}"

    @property
    def is_amiss(self) -> bool:
        """Whether objects failed, or nobody knows what became of them."""
        return bool(self.counts.failed or self.counts.open)

    def portion_names(self) -> list[str]:
        """All portions that were sent."""
        names: list[str] = []
        for call in self.calls:
            names += call.portion_names()
        return names


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedRuns:
    """The runs whose ends are still to be told; ``revision`` grows by one with every put."""

    revision: int = 0
    runs: tuple[AskedRun, ...] = ()

    def find(self, name: str) -> AskedRun | None:
        """The run that tickets name so."""
        return next((run for run in self.runs if run.name == name), None)

    def with_run(self, run: AskedRun) -> AskedRuns:
        """Those to put, with a new run or a changed one."""
        others = [there for there in self.runs if there.name != run.name]
        return self.with_runs((*others, run))

    def with_runs(self, runs: Sequence[AskedRun]) -> AskedRuns:
        """Those to put."""
        return AskedRuns(revision=self.revision + 1, runs=tuple(runs))


class AskedRunStore(Protocol):
    """Where they are kept; what is read is the newest."""

    def asked_runs(self) -> AskedRuns:
        """All, none if there are none yet."""
        ...

    def put_asked_runs(self, runs: AskedRuns) -> None:
        """Replace revision ``runs.revision - 1`` (0: none yet); raise LostRace if another revision is there."""
        ...


@dataclass(slots=True)
class RunTickets:
    """Gives the requests of one call their tickets. ``before`` is the run as it was before the call."""

    before: AskedRun
    mark: str
    portions: int = 0
    asked: int = 0

    def give(self, requests: Sequence[Request]) -> list[Request]:
        """The requests of a portion, each with a ticket."""
        if not requests:
            return []
        portion = f"{self.mark}-{self.portions}"
        self.portions += 1
        self.asked += len(requests)
        name = self.before.name
        return [replace(request, ticket=Ticket(name, portion, number)) for number, request in enumerate(requests)]

    def to_run(self, *, reached: str, is_asked: bool) -> AskedRun:
        """The run with what this call has sent."""
        before = self.before
        return replace(
            before,
            calls=(*before.calls, AskingCall(self.mark, self.portions)),
            counts=replace(before.counts, asked=before.counts.asked + self.asked),
            reached=reached,
            is_asked=is_asked,
        )
