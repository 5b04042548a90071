"""Backfills in the simulated world: people steer them, invocations that may die list, and a schedule looks after all.

Their queue is beside that of the events. The same convert function receives from both, if the switch is on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from millrace.delivery.breaker import how_to_resume
from millrace.errors import MillraceError
from millrace.objects.messages import Ticket, TicketResult
from millrace.operations.backfills.actions import BackfillActions
from millrace.operations.backfills.board import Backfill, BackfillState, Board, KeyRange, PortionResult
from millrace.operations.backfills.steering import BackfillOrder, QueueDepth
from tests.fakes import InMemoryBackfills
from tests.simulation.calls import Calls
from tests.simulation.queue import Queue
from tests.simulation.scheduler import Actor
from tests.simulation.tables import CircuitTable

BACKFILL_QUEUE = "arn:aws:sqs:us-east-1:111122223333:backfills"
_TENDED_EVERY = 600.0
"""Seconds; the deployed schedule comes every five minutes."""
_TRIES = 3
"""Lambda tries an asynchronous invocation twice again (Lambda Developer Guide, "Asynchronous invocation")."""
_SMALL_QUEUE, _LARGE_QUEUE = 2, 1000

Steps = list[Callable[[], None]]


@dataclass(slots=True)
class BackfillTable:
    """Satisfies ``BackfillStore`` and ``TicketBook`` for the actor that runs."""

    calls: Calls
    held: InMemoryBackfills = field(default_factory=InMemoryBackfills)

    def board(self) -> Board:
        """A consistent read."""
        return self.calls.call("dynamodb:GetItem", "board of the backfills", self.held.board)

    def put_board(self, board: Board) -> None:
        """A conditional write."""
        subject = ", ".join(f"{row.state} {row.generation}" for row in board.backfills)
        self.calls.call("dynamodb:PutItem", f"board of the backfills: {subject}", lambda: self.held.put_board(board))

    def ranges(self, backfill: str, names: Sequence[str]) -> Mapping[str, KeyRange]:
        """A consistent read."""
        subject = f"ranges {', '.join(names)}"
        return self.calls.call("dynamodb:BatchGetItem", subject, lambda: self.held.ranges(backfill, names))

    def put_range(self, key_range: KeyRange) -> None:
        """A conditional write."""
        subject = f"range {key_range.name} behind {key_range.after!r}, {sum(key_range.portions)} portions"
        self.calls.call("dynamodb:PutItem", subject, lambda: self.held.put_range(key_range))

    def count(self, tickets: Iterable[Ticket], result: TicketResult) -> None:
        """An addition to a set."""
        counted = list(tickets)
        subject = ", ".join(f"{ticket.portion}/{ticket.number} {result}" for ticket in counted)
        self.calls.call("dynamodb:UpdateItem", subject, lambda: self.held.count(counted, result))

    def results(self, backfill: str, portions: Sequence[str]) -> Iterator[PortionResult]:
        """What was counted."""
        yield from self.calls.call(
            "dynamodb:BatchGetItem", "portions", lambda: list(self.held.results(backfill, portions))
        )

    def stopped(self) -> frozenset[str]:
        """Those that somebody gave up."""
        return self.calls.call("dynamodb:GetItem", "board of the backfills", self.held.stopped)


@dataclass(slots=True)
class SimulatedSwitch:
    """Satisfies ``BackfillSwitch`` for the actor that runs."""

    calls: Calls
    queue: Queue
    circuits: CircuitTable

    def depth(self) -> QueueDepth:
        """What the queue holds."""

        def count() -> QueueDepth:
            now, messages = self.calls.clock.now, self.queue.messages
            waiting = sum(message.visible_at <= now for message in messages)
            return QueueDepth(waiting=waiting, hidden=len(messages) - waiting)

        return self.calls.call("sqs:GetQueueAttributes", BACKFILL_QUEUE, count)

    def is_on(self) -> bool:
        """Whether messages are received."""
        return self.calls.call("lambda:ListEventSourceMappings", BACKFILL_QUEUE, lambda: not self.queue.paused)

    def turn_on(self, concurrency: int | None = None) -> None:
        """Receive."""
        del concurrency
        self._set(is_paused=False)

    def turn_off(self) -> None:
        """Receive no more."""
        self._set(is_paused=True)

    def find_trouble(self) -> str | None:
        """What the breaker says."""
        circuit = self.circuits.get(BACKFILL_QUEUE)
        return how_to_resume(circuit) if circuit is not None and circuit.paused is not None else None

    def _set(self, *, is_paused: bool) -> None:
        def change() -> None:
            self.queue.paused = is_paused

        word = "off" if is_paused else "on"
        self.calls.call("lambda:UpdateEventSourceMapping", f"{BACKFILL_QUEUE} {word}", change)


@dataclass(eq=False, slots=True)
class Invocation:
    """An asynchronous invocation of the function that lists; it is tried again if it raises or dies."""

    event: Mapping[str, Any]
    actor: Actor | None = None
    tries: int = 0
    is_done: bool = False
    error: Exception | None = None


Invocations = list[Invocation]


@dataclass(eq=False, slots=True)
class SimulatedBackfills:
    """All of it; ``act`` makes the function for an invocation, and ``spawn`` begins one."""

    calls: Calls
    sync: str
    circuits: CircuitTable
    spawn: Callable[[str, Callable[[Actor], None]], Actor]
    act: Callable[[Actor], BackfillActions]
    most_waiting: int = _LARGE_QUEUE
    table: BackfillTable = field(init=False)
    queue: Queue = field(init=False)
    switch: SimulatedSwitch = field(init=False)
    invocations: Invocations = field(default_factory=list)
    yesterday: InMemoryBackfills = field(default_factory=InMemoryBackfills)
    tended: float = 0.0

    def __post_init__(self) -> None:
        self.table = BackfillTable(self.calls)
        self.queue = Queue(self.calls, letter="b", paused=True)
        self.switch = SimulatedSwitch(self.calls, self.queue, self.circuits)

    @property
    def rows(self) -> tuple[Backfill, ...]:
        """The backfills that there were."""
        return self.table.held.kept.backfills

    def ask(self, action: str) -> None:
        """A person's command, which waits for its answer and is not tried again."""
        event = {"action": action, "sync": self.sync}
        if action == "start":
            event = BackfillOrder(sync=self.sync, most_waiting=self.most_waiting).to_event()
        self.spawn("backfill", partial(self._perform, event))

    def call(self, event: Mapping[str, Any]) -> None:
        """The function asks for an invocation of itself."""
        subject = " ".join(map(str, event.values()))
        self.calls.call("lambda:InvokeFunction", subject, lambda: self.invocations.append(Invocation(event)))

    def choices(self) -> Steps:
        """What can happen next of itself."""
        self._reap()
        found = list[Callable[[], None]]()
        found += [partial(self._begin, invocation) for invocation in self.invocations if invocation.actor is None]
        if self._is_to_be_tended() and self.tended + _TENDED_EVERY <= self.calls.clock.now:
            found.append(self._tend)
        return found

    def next_time(self) -> float | None:
        """When the schedule comes next, if there is something to tend."""
        return self.tended + _TENDED_EVERY if self._is_to_be_tended() else None

    def has_covered(self) -> bool:
        """Whether a backfill came to its end, so that no listing is needed for what it found."""
        return any(row.state is BackfillState.FINISHED for row in self.rows)

    def has_stopped(self, backfill: str) -> bool:
        """Whether somebody gave a backfill up."""
        return backfill in self.table.held.stopped()

    def remember(self) -> None:
        """Back the table up."""
        self.yesterday = deepcopy(self.table.held)

    def restore(self, held: InMemoryBackfills) -> None:
        """What a restored table holds."""
        self.table.held = deepcopy(held)

    def _is_to_be_tended(self) -> bool:
        """Whether the schedule would change anything: it comes always, but a world must come to rest."""
        circuit = self.circuits.held.get(BACKFILL_QUEUE)
        if circuit is not None and circuit.paused is not None:
            return False
        active = [row for row in self.rows if row.is_active]
        if active:
            return any(row.state is BackfillState.RUNNING for row in active)
        # Something is left and nobody receives it, or nothing is left and somebody pays for it.
        return bool(self.queue.messages) == self.queue.paused

    def _tend(self) -> None:
        self.tended = self.calls.clock.now
        self._begin(Invocation({"action": "tend"}, tries=_TRIES))

    def _begin(self, invocation: Invocation) -> None:
        invocation.tries += 1

        def body(actor: Actor) -> None:
            try:
                self.act(actor).perform(invocation.event, lambda: actor.deadline - self.calls.clock.now)
            except MillraceError as error:
                self.calls.note("raises", invocation.event["action"], f"{type(error).__name__}: {error}"[:100])
                invocation.error = error
            else:
                invocation.is_done = True

        invocation.actor = self.spawn("backfill", body)

    def _perform(self, event: Mapping[str, Any], actor: Actor) -> None:
        self.calls.note("asks", event["action"])
        try:
            self.act(actor).perform(event)
        except MillraceError as error:
            self.calls.note("fails", event["action"], f"{type(error).__name__}: {error}"[:100])

    def _reap(self) -> None:
        """Take note of invocations that have ended, and have those tried again that came to nothing."""
        for invocation in list(self.invocations):
            actor = invocation.actor
            is_over = actor is not None and (invocation.is_done or invocation.error is not None or actor.dead)
            if not is_over:
                continue
            if invocation.is_done or invocation.tries >= _TRIES:
                self.invocations.remove(invocation)
            else:
                invocation.actor, invocation.error = None, None
