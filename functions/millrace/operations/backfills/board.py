"""What is kept of backfills: a row for each on one board, and the key ranges that their listings are divided into.

A backfill's listing is a tree of key ranges. Each range is listed by one invocation at a time, which may give the
second half of what is left to a child::

    1        keys behind ""      up to "in/m"    500,000 listed, lease until 12:15
    1.0      keys behind "in/t"  up to the end   listed
    1.1      keys behind "in/m"  up to "in/t"    not begun: there is no item yet, its parent says what it is
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import Protocol

from millrace.errors import UsageError
from millrace.ledger.entries import holds_lease
from millrace.objects.messages import Ticket, TicketResult

MOST_WAITING = 100_000
"""Messages in the queue that are enough, where nobody asks for another number."""
_KEPT = 20
"""Backfills that have ended and are still shown."""


class BackfillState(enum.StrEnum):
    """How a backfill goes."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    """Somebody gave it up; requests that wait in the queue are passed over."""
    FINISHED = "finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillCounts:
    """Objects by what became of them; ``size`` is the bytes of those that were asked for.

    ``compared`` were listed. Of these ``known`` are converted already with this configuration, ``failed_before`` failed
    with it, ``ignored`` are not for the sync, and ``asked`` were put on the queue. ``done``, ``failed`` and ``waiting``
    are those among ``asked`` whose requests are settled; what waits does so for its restore, or for a big run.
    """

    compared: int = 0
    known: int = 0
    failed_before: int = 0
    ignored: int = 0
    asked: int = 0
    size: int = 0
    done: int = 0
    failed: int = 0
    waiting: int = 0

    @property
    def settled(self) -> int:
        """Requests that need no message any more."""
        return self.done + self.failed + self.waiting

    @property
    def open(self) -> int:
        """Requests of which nobody knows yet what became of them."""
        return self.asked - self.settled

    def __add__(self, more: BackfillCounts) -> BackfillCounts:
        return BackfillCounts(**{name: count + getattr(more, name) for name, count in asdict(self).items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """A backfill's row.

    ``prefix`` counts from the bucket's root. ``inventory`` is the address of a manifest, if that is listed and not the
    bucket. ``most_waiting`` messages in the queue are enough: the listing waits then. ``generation`` grows if all is
    listed once more because messages were lost; ``earlier`` are the counts of former generations. ``counts`` are final
    once it has ended, and ``is_listed`` says if all was listed by then. ``idle_since``: the queue is empty since then,
    and requests are not accounted for. ``trouble`` is why the last try to list something failed.
    ``told`` says what others were told of it: that it has begun, or that it has ended.
    """

    name: str
    sync: str
    prefix: str
    started: datetime
    state: BackfillState = BackfillState.RUNNING
    inventory: str | None = None
    concurrency: int | None = None
    most_waiting: int = MOST_WAITING
    deployment: int = 0
    generation: int = 1
    earlier: BackfillCounts = BackfillCounts()
    counts: BackfillCounts = BackfillCounts()
    paused_at: datetime | None = None
    paused_seconds: float = 0.0
    idle_since: datetime | None = None
    finished: datetime | None = None
    is_listed: bool = True
    trouble: str | None = None
    told: str | None = None

    @property
    def is_active(self) -> bool:
        """Whether it has not ended."""
        return self.state in {BackfillState.RUNNING, BackfillState.PAUSED}

    @property
    def root(self) -> str:
        """The name of the range that all others descend from."""
        return str(self.generation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """All backfills that go on, and the last ones that have ended; ``revision`` grows by one with every put."""

    revision: int = 0
    backfills: tuple[Backfill, ...] = ()

    def find(self, name: str) -> Backfill | None:
        """The row of a backfill."""
        return next((row for row in self.backfills if row.name == name), None)

    def newest(self, row: Backfill) -> Backfill:
        """The row as it is by now; as it was, if it is among those that are not kept any more."""
        there = self.find(row.name)
        return row if there is None else there

    def active(self) -> tuple[Backfill, ...]:
        """Those that have not ended."""
        return tuple(row for row in self.backfills if row.is_active)

    def active_of(self, sync: str) -> Backfill | None:
        """The one of a sync: there is at most one."""
        return next((row for row in self.active() if row.sync == sync), None)

    def demand_active(self, sync: str) -> Backfill:
        """The one of a sync; raise UsageError if there is none."""
        row = self.active_of(sync)
        if row is None:
            raise UsageError(f"no backfill of sync {sync!r} goes on; look with: millrace backfill --status")
        return row

    def with_row(self, row: Backfill) -> Board:
        """The board to put, with a new row or a changed one; of those that have ended only the last are kept."""
        rows = [row if there.name == row.name else there for there in self.backfills]
        if self.find(row.name) is None:
            rows.append(row)
        ended = [there.name for there in rows if not there.is_active]
        forgotten = set(ended[:-_KEPT])
        kept = tuple(there for there in rows if there.name not in forgotten)
        return Board(revision=self.revision + 1, backfills=kept)


@dataclass(frozen=True, slots=True)
class Span:
    """The keys behind ``after`` up to and with ``until`` (``""``: to the end).

    Of an inventory, the rows of its ``file`` (a number from 0) behind the row whose number ``after`` is.
    """

    after: str = ""
    until: str = ""
    file: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRange:
    """A part of a backfill's listing; ``revision`` grows by one with every put.

    All up to ``after`` is listed and asked for. ``portions`` says of each invocation, in their order, how many portions
    it sent: a portion of a worker that was killed before it could put is not among them, so its tickets count nowhere.
    ``children`` are ranges that were given away. Until ``lease_until`` somebody lists it.
    """

    backfill: str
    name: str
    span: Span
    revision: int = 0
    after: str = ""
    counts: BackfillCounts = BackfillCounts()
    portions: tuple[int, ...] = ()
    children: tuple[Span, ...] = ()
    lease_until: datetime | None = None
    is_listed: bool = False

    def is_idle(self, now: datetime) -> bool:
        """Whether something is left to list, and nobody does."""
        return not self.is_listed and not holds_lease(self.lease_until, now)

    def next_portion(self) -> str:
        """The name that the next portion of the newest invocation has: ``1.0-3-17``."""
        return f"{self.name}-{len(self.portions)}-{self.portions[-1]}"

    def portion_names(self) -> Iterator[str]:
        """The portions that were sent."""
        for run, count in enumerate(self.portions, 1):
            for number in range(count):
                yield f"{self.name}-{run}-{number}"

    def as_begun(self, lease_until: datetime) -> KeyRange:
        """The range to put when an invocation begins."""
        portions = (*self.portions, 0)
        return replace(self, revision=self.revision + 1, lease_until=lease_until, portions=portions)

    def child(self, number: int) -> KeyRange:
        """One that was given away, as it is before its first put."""
        span = self.children[number]
        return KeyRange(backfill=self.backfill, name=f"{self.name}.{number}", span=span, after=span.after)


@dataclass(frozen=True, slots=True)
class PortionResult:
    """The numbers of a portion's tickets that are settled. One that failed or waited, and was done later, is done."""

    done: frozenset[int] = frozenset()
    failed: frozenset[int] = frozenset()
    waiting: frozenset[int] = frozenset()

    def to_counts(self) -> BackfillCounts:
        """How many there are."""
        failed = self.failed - self.done
        waiting = self.waiting - self.done - failed
        return BackfillCounts(done=len(self.done), failed=len(failed), waiting=len(waiting))


class BackfillStore(Protocol):
    """Where all of this is kept; what is read is the newest."""

    def board(self) -> Board:
        """The board, an empty one if there is none yet."""
        ...

    def put_board(self, board: Board) -> None:
        """Replace revision ``board.revision - 1`` (0: none yet); raise LostRace if another revision is there."""
        ...

    def ranges(self, backfill: str, names: Sequence[str]) -> Mapping[str, KeyRange]:
        """Those of a backfill's ranges that somebody has begun, by name."""
        ...

    def put_range(self, key_range: KeyRange) -> None:
        """As ``put_board``."""
        ...

    def count(self, tickets: Iterable[Ticket], result: TicketResult) -> None:
        """Note that the requests of one portion are settled; the same once more changes nothing."""
        ...

    def results(self, backfill: str, portions: Sequence[str]) -> Iterator[PortionResult]:
        """What is noted of portions, in any order."""
        ...


@dataclass(frozen=True, slots=True)
class RangeTree:
    """All ranges of a backfill's generation."""

    ranges: tuple[KeyRange, ...] = field(default=())

    @classmethod
    def read(cls, store: BackfillStore, backfill: Backfill) -> RangeTree:
        """Read the root, its children, theirs, and so on."""
        level = [KeyRange(backfill=backfill.name, name=backfill.root, span=Span())]
        ranges: list[KeyRange] = []
        while level:
            # One request for each floor of the tree: the names of ranges are known by their parents alone.
            begun = store.ranges(backfill.name, [key_range.name for key_range in level])
            level = [begun.get(key_range.name, key_range) for key_range in level]
            ranges += level
            level = list(chain.from_iterable(map(_list_children, level)))
        return cls(tuple(ranges))

    def find(self, name: str) -> KeyRange | None:
        """The range of a name."""
        return next((key_range for key_range in self.ranges if key_range.name == name), None)

    def idle(self, now: datetime) -> list[KeyRange]:
        """The ranges that somebody has to list."""
        return [key_range for key_range in self.ranges if key_range.is_idle(now)]

    def count_live(self, now: datetime) -> int:
        """How many are being listed."""
        return sum(holds_lease(key_range.lease_until, now) for key_range in self.ranges)


def _list_children(key_range: KeyRange) -> Iterator[KeyRange]:
    return map(key_range.child, range(len(key_range.children)))
