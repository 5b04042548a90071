"""What people and a schedule do with backfills: start, pause, resume, stop, and see that each comes to its end.

A pause does two things: the listing stops, and the queue's event source is switched off, so that messages wait where
nothing is lost. SQS keeps a message for ten days; what a longer pause loses is noticed when the queue is empty and
requests are not accounted for: then all is listed once more, and what is not converted is asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from millrace.errors import UsageError
from millrace.ledger.races import retry_lost_race
from millrace.operations.backfills.board import (
    MOST_WAITING,
    Backfill,
    BackfillState,
    BackfillStore,
    Board,
    KeyRange,
    RangeTree,
)
from millrace.operations.backfills.listing import ListingEnd
from millrace.operations.backfills.progress import BackfillProgress, as_next_generation, read_progress
from millrace.operations.backfills.selection import demand_divisible
from millrace.operations.reconcile import CALLS
from millrace.operations.reprocess import resolve_prefix
from millrace.planning.planner import ActiveSync, Planner
from millrace.texts import quote_for_shell
from millrace.wording import join_names

MOST_LISTING = 16
"""Ranges that are listed side by side."""
MOST_GENERATIONS = 3
"""How often all is listed, at most, because requests were lost."""
_LOST_AFTER = timedelta(minutes=10)
"""How long the queue is empty before what is not accounted for is taken for lost."""
_TRIES = 10
"""The board is one item, which all backfills of a deployment are written to."""
_FEWEST_WAITING, _LARGEST_WAITING = 1000, 1_000_000
"""What a person asks for is kept within them: one portion of a listing is a thousand messages."""


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """About how many messages a queue holds: to be received, being worked on or put off."""

    waiting: int
    hidden: int

    @property
    def is_empty(self) -> bool:
        """Whether it holds none."""
        return self.waiting + self.hidden == 0


class BackfillSwitch(Protocol):
    """The queue of the backfills, and its event source."""

    def depth(self) -> QueueDepth:
        """What the queue holds."""
        ...

    def is_on(self) -> bool:
        """Whether something is received from it."""
        ...

    def turn_on(self, concurrency: int | None = None) -> None:
        """Receive from it, with so many functions at work (None: as many as before); harmless if it is on."""
        ...

    def turn_off(self) -> None:
        """Receive nothing more; harmless if it is off."""
        ...

    def find_trouble(self) -> str | None:
        """Why the breaker has switched it off, and what to do; None if it has not."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillOrder:
    """What a person asks for: all of a sync's folder, or what is below a prefix, or what an inventory names."""

    sync: str
    prefix: str = ""
    inventory: str | None = None
    concurrency: int | None = None
    most_waiting: int = MOST_WAITING

    @classmethod
    def parse(cls, event: Mapping[str, Any]) -> BackfillOrder:
        """Read the fields of an event; raise UsageError with everything that is wrong with them."""
        problems = list(_find_problems(event))
        if problems:
            raise UsageError("; ".join(problems))
        return cls(
            sync=event["sync"],
            prefix=event.get("prefix") or "",
            inventory=event.get("inventory"),
            concurrency=event.get("concurrency"),
            most_waiting=min(max(event.get("most_waiting") or MOST_WAITING, _FEWEST_WAITING), _LARGEST_WAITING),
        )

    def to_event(self) -> dict[str, Any]:
        """The event of the backfill function."""
        return {
            "action": "start",
            "sync": self.sync,
            "prefix": self.prefix,
            "inventory": self.inventory,
            "concurrency": self.concurrency,
            "most_waiting": self.most_waiting,
        }


_FIELDS = ("action", "sync", "prefix", "inventory", "concurrency", "most_waiting")


def _find_problems(event: Mapping[str, Any]) -> Iterator[str]:
    if unknown := sorted(set(event) - set(_FIELDS)):
        yield f"there is no field {join_names(unknown, before_last='or')}; accepted are {join_names(_FIELDS)}"
    sync = event.get("sync")
    if not isinstance(sync, str) or not sync:
        yield f"sync is {sync!r}; expected the name of a sync"
    for name in ("prefix", "inventory"):
        if not isinstance(event.get(name), str | None):
            yield f"{name} is {event.get(name)!r}; expected text"
    if not is_concurrency(event.get("concurrency")):
        yield f"concurrency is {event.get('concurrency')!r}; expected a whole number from 2 to 1,000"
    # Not isinstance: JSON's true is an integer to Python.
    if type(event.get("most_waiting")) not in {int, type(None)}:
        yield f"most_waiting is {event.get('most_waiting')!r}; expected a whole number"


def is_concurrency(value: object) -> bool:
    """Whether Lambda takes it as the most functions of an event source; None asks for what is there."""
    return value is None or (type(value) is int and 2 <= value <= 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillSteering:
    """Steers all backfills of a deployment. ``call`` has the function that lists called with an event, later."""

    planner: Planner
    backfills: BackfillStore
    switch: BackfillSwitch
    call: Callable[[Mapping[str, Any]], None]
    now: Callable[[], datetime]
    deployment: int

    def start(self, order: BackfillOrder) -> Backfill:
        """Begin a backfill; raise UsageError if the sync has one already, or is not there."""
        sync = self.planner.active_sync(order.sync)
        demand_divisible(sync)
        self._demand_open_circuit()
        row = self._make_row(order, sync)
        tried = set[str]()

        def add(board: Board) -> Backfill:
            active = board.active_of(sync.name)
            # At a second try its own row may be there: the answer to the put was lost, and the client put it again.
            if active is not None and active.name not in tried:
                raise UsageError(
                    f"a backfill of sync {sync.name!r} is {active.state} since {active.started:%Y-%m-%d %H:%M} UTC; "
                    f"look at it with: millrace backfill {quote_for_shell(sync.name)} --status; "
                    "or give it up with --stop"
                )
            tried.add(row.name)
            return row

        self._change(add)
        self.switch.turn_on(order.concurrency)
        self.begin_ranges(row)
        return row

    def _make_row(self, order: BackfillOrder, sync: ActiveSync) -> Backfill:
        return Backfill(
            name=f"{self.now():%Y%m%dT%H%M%S%fZ}-{sync.name}",
            sync=sync.name,
            prefix=resolve_prefix(order.prefix, sync.folder),
            started=self.now(),
            inventory=order.inventory,
            concurrency=order.concurrency,
            most_waiting=order.most_waiting,
            deployment=self.deployment,
        )

    def pause(self, sync: str) -> Backfill:
        """Stop listing, and receiving if no other backfill runs; harmless if it is paused. Raises UsageError."""

        def as_paused(board: Board) -> Backfill:
            row = board.demand_active(sync)
            if row.state is BackfillState.PAUSED:
                return row
            return replace(row, state=BackfillState.PAUSED, paused_at=self.now())

        row = self._change(as_paused)
        self._set_switch()
        return row

    def resume(self, sync: str, concurrency: int | None = None) -> Backfill:
        """Go on; harmless if it runs. Raises UsageError, also if the breaker has switched the queue off."""
        self._demand_open_circuit()

        def as_running(board: Board) -> Backfill:
            row = board.demand_active(sync)
            since = row.paused_at
            paused = (self.now() - since).total_seconds() if since else 0.0
            changed = replace(row, state=BackfillState.RUNNING, paused_at=None, idle_since=None)
            changed = replace(changed, concurrency=concurrency or row.concurrency)
            return replace(changed, paused_seconds=row.paused_seconds + paused)

        row = self._change(as_running)
        self.switch.turn_on(concurrency)
        self.begin_ranges(row)
        return row

    def stop(self, sync: str) -> Backfill:
        """Give a backfill up: what is in the queue is passed over, what is converted stays. Raises UsageError."""
        row = self.backfills.board().demand_active(sync)
        progress = read_progress(self.backfills, row, self.now())
        ended = replace(
            row,
            state=BackfillState.STOPPED,
            counts=progress.counts,
            finished=self.now(),
            is_listed=progress.is_listed,
        )

        def as_stopped(board: Board) -> Backfill:
            there = board.newest(row)
            # It ended by itself meanwhile, and perhaps another of the sync has begun, which nobody gave up.
            return ended if there.is_active else there

        stopped = self._change(as_stopped)
        self._set_switch()
        return stopped

    def progress(self) -> list[BackfillProgress]:
        """How all of them go, the oldest first."""
        return [read_progress(self.backfills, row, self.now()) for row in self.backfills.board().backfills]

    def tend(self) -> list[BackfillProgress]:
        """See that each comes to its end: begin what nobody lists, end what is done, notice what is lost.

        Called by a schedule, so that a lost invocation, or a worker that died, needs no person.
        """
        depth = self.switch.depth()
        running = [row for row in self.backfills.board().active() if row.state is BackfillState.RUNNING]
        progress = [self._tend_one(row, depth) for row in running]
        self._set_switch()
        return progress

    def begin_ranges(self, row: Backfill, calls_left: int = CALLS) -> None:
        """Have ranges listed that nobody lists, as many as may be listed side by side and as the queue has room for."""
        if calls_left <= 0 or self.switch.depth().waiting >= row.most_waiting:
            return
        tree = RangeTree.read(self.backfills, row)
        room = MOST_LISTING - tree.count_live(self.now())
        for key_range in tree.idle(self.now())[: max(0, room)]:
            self._begin_range(row, key_range, calls_left)

    def go_on(self, name: str, range_name: str, end: ListingEnd, calls_left: int) -> None:
        """Have the listing carried on behind an invocation that ended."""
        row = self.backfills.board().find(name)
        if row is None or row.state is not BackfillState.RUNNING:
            return
        if end is ListingEnd.PARTIAL and calls_left > 0:
            tree = RangeTree.read(self.backfills, row)
            key_range = tree.find(range_name)
            if key_range is not None:
                self._begin_range(row, key_range, calls_left - 1)
        # The range is done: another one, which nobody lists yet, may take its place.
        elif end is ListingEnd.LISTED:
            self.begin_ranges(row, calls_left - 1)

    def note_trouble(self, name: str, trouble: str | None) -> None:
        """Keep why a backfill's listing fails, for those who look how it goes; None: it goes on."""
        row = self.backfills.board().find(name)
        if row is None:
            return

        def as_noted(board: Board) -> Backfill:
            return replace(board.newest(row), trouble=trouble)

        self._change(as_noted)

    def _begin_range(self, row: Backfill, key_range: KeyRange, calls_left: int) -> None:
        event = {"action": "list", "backfill": row.name, "range": key_range.name, "calls_left": calls_left}
        self.call(event)

    def _tend_one(self, row: Backfill, depth: QueueDepth) -> BackfillProgress:
        self.begin_ranges(row)
        progress = read_progress(self.backfills, row, self.now())
        if not progress.is_listed:
            return progress
        changed = self._judge(row, progress, depth)
        if changed == row:
            return progress

        def as_judged(board: Board) -> Backfill:
            there = board.newest(row)
            # Somebody paused or stopped it meanwhile: what was judged is old.
            return changed if there == row else there

        now_there = self._change(as_judged)
        if now_there.generation != row.generation:
            self.begin_ranges(now_there)
        return replace(progress, backfill=now_there)

    def _judge(self, row: Backfill, progress: BackfillProgress, depth: QueueDepth) -> Backfill:
        """The row as it should be: ended, listed once more, or watched."""
        counts = progress.counts
        if not counts.open:
            return replace(row, state=BackfillState.FINISHED, counts=counts, finished=self.now(), idle_since=None)
        # Somebody may be at work on what is not accounted for.
        if not depth.is_empty:
            return replace(row, idle_since=None)
        # Empty for the first time: SQS's counts are about right, so that it is watched for a while.
        if row.idle_since is None:
            return replace(row, idle_since=self.now())
        if self.now() - row.idle_since < _LOST_AFTER:
            return row
        # Lost. What was converted is in the ledger, and is not asked for again.
        if row.generation < MOST_GENERATIONS:
            return as_next_generation(row, counts)
        return replace(row, state=BackfillState.FINISHED, counts=counts, finished=self.now())

    def _set_switch(self) -> None:
        """Receive while a backfill runs, or while something is left of one that ended; not while all are paused."""
        active = self.backfills.board().active()
        if not self._is_wanted(active):
            self.switch.turn_off()
        elif self.switch.find_trouble() is None and not self.switch.is_on():
            asked = [row.concurrency for row in active if row.concurrency is not None]
            # There is one event source for all of them: the newest wish counts.
            self.switch.turn_on(asked[-1] if asked else None)

    def _is_wanted(self, active: Sequence[Backfill]) -> bool:
        if not active:
            # A dead letter that somebody put back waits there, too.
            return not self.switch.depth().is_empty
        return any(row.state is BackfillState.RUNNING for row in active)

    def _demand_open_circuit(self) -> None:
        trouble = self.switch.find_trouble()
        if trouble is not None:
            raise UsageError(trouble)

    def _change(self, make_row: Callable[[Board], Backfill]) -> Backfill:
        def attempt() -> Backfill:
            board = self.backfills.board()
            row = make_row(board)
            if board.find(row.name) != row:
                self.backfills.put_board(board.with_row(row))
            return row

        problem = f"the board of the backfills was changed by others {_TRIES} times in a row; try again"
        return retry_lost_race(attempt, tries=_TRIES, problem=problem)
