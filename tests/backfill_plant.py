"""A deployment's backfills in memory: the function that lists, the queue, the convert function, the schedule."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from millrace.delivery.batch import take_batch
from millrace.delivery.intake import Grounds, Intake, Received
from millrace.delivery.tickets import TicketCounter
from millrace.ledger.claims import Delivery
from millrace.objects.messages import Request, compose_message
from millrace.objects.references import ObjectRef
from millrace.operations.backfills.actions import BackfillActions
from millrace.operations.backfills.board import Backfill, BackfillCounts
from millrace.operations.backfills.listing import BackfillLister
from millrace.operations.backfills.progress import read_progress
from millrace.operations.backfills.steering import BackfillOrder, BackfillSteering, QueueDepth
from millrace.operations.reprocess import never_ends
from tests.fakes import InMemoryBackfills
from tests.world import World

SYNC = "nightly"


@dataclass
class PlantQueue:
    """A queue of bodies; ``lost`` are taken away by a test."""

    bodies: deque[str] = field(default_factory=deque)
    ever_sent: int = 0
    is_on: bool = False
    concurrency: int | None = None
    trouble: str | None = None

    def send(self, requests: Iterable[Request], *, delay_seconds: int = 0) -> int:
        """Keep each."""
        del delay_seconds
        bodies = [compose_message(request) for request in requests]
        self.bodies += bodies
        self.ever_sent += len(bodies)
        return len(bodies)

    def waiting(self) -> int:
        """How many there are."""
        return len(self.bodies)


@dataclass
class PlantSwitch:
    """The event source of a queue."""

    queue: PlantQueue

    def depth(self) -> QueueDepth:
        """What it holds."""
        return QueueDepth(waiting=self.queue.waiting(), hidden=0)

    def is_on(self) -> bool:
        """Whether it is."""
        return self.queue.is_on

    def turn_on(self, concurrency: int | None = None) -> None:
        """Turn on."""
        self.queue.is_on = True
        self.queue.concurrency = concurrency or self.queue.concurrency

    def turn_off(self) -> None:
        """Turn off."""
        self.queue.is_on = False

    def find_trouble(self) -> str | None:
        """What the breaker says."""
        return self.queue.trouble


@dataclass
class PlantReceipt:
    """A received message, which goes back to its queue or to the dead letters."""

    dead_letters: list[str]

    def put_off(self, seconds: int, /) -> None:
        """Nothing: time stands still."""

    def delete(self) -> None:
        """Nothing: it is taken off already."""

    def bury(self, body: str, grounds: Grounds, /) -> None:
        """Keep it."""
        del grounds
        self.dead_letters.append(body)


@dataclass
class Plant:
    """All of it. ``calls`` are the events that the function that lists was called with and has not had yet."""

    world: World = field(default_factory=World)
    backfills: InMemoryBackfills = field(default_factory=InMemoryBackfills)
    queue: PlantQueue = field(default_factory=PlantQueue)
    calls: deque[Mapping[str, Any]] = field(default_factory=deque)
    dead_letters: list[str] = field(default_factory=list)
    portion: int = 10
    split_after: int = 3
    deployment: int = 0
    receipts: int = 0
    tickets: TicketCounter = field(init=False)

    def __post_init__(self) -> None:
        self.tickets = TicketCounter(self.backfills, lambda: self.world.now)

    @property
    def steering(self) -> BackfillSteering:
        """The function's steering part."""
        return BackfillSteering(
            planner=self.world.planner,
            backfills=self.backfills,
            switch=PlantSwitch(self.queue),
            call=self.calls.append,
            now=lambda: self.world.now,
            deployment=self.deployment,
        )

    @property
    def lister(self) -> BackfillLister:
        """The function's listing part."""
        return BackfillLister(
            planner=self.world.planner,
            stores={"landing": self.world.store},
            ledger=self.world.ledger,
            backfills=self.backfills,
            queue=self.queue,
            inventories=self.world.store,
            now=lambda: self.world.now,
            deployment=self.deployment,
            portion=self.portion,
            split_after=self.split_after,
        )

    @property
    def actions(self) -> BackfillActions:
        """The function."""
        return BackfillActions(self.steering, self.lister)

    def put(self, number: int, text: str = "a\n1\n") -> ObjectRef:
        """Put a source object that no event tells of."""
        ref = ObjectRef("acme-in", f"in/{number:05}.csv")
        self.world.store.put(ref, text.encode())
        return ref

    def fill(self, numbers: Iterable[int]) -> None:
        """Put many."""
        for number in numbers:
            self.put(number)

    def start(self, **fields: Any) -> Backfill:
        """Ask for a backfill."""
        return self.steering.start(BackfillOrder(sync=SYNC, **fields))

    def list_once(self, remaining: Callable[[], float] = never_ends) -> None:
        """One invocation of the function that lists."""
        self.actions.perform(self.calls.popleft(), remaining)

    def list_all(self) -> None:
        """Every invocation that was asked for."""
        while self.calls:
            self.list_once()

    def convert(self, most: int = 10**9) -> int:
        """Receive from the queue while it is on; how many were received."""
        received = 0
        while self.queue.is_on and self.queue.bodies and received < most:
            size = min(10, len(self.queue.bodies), most - received)
            self._take([self.queue.bodies.popleft() for _ in range(size)])
            received += size
        return received

    def _take(self, bodies: list[str]) -> None:
        batch = list(map(self._receive, bodies))
        intake = Intake(worker=self.world.worker, tell=_ignore, note=_ignore, tickets=self.tickets)
        returning = set(take_batch(intake, batch, _ignore))
        self.queue.bodies += [each.body for each in batch if each.delivery.message_id in returning]

    def _receive(self, body: str) -> Received:
        self.receipts += 1
        delivery = Delivery(message_id=f"m{self.receipts}", remaining=lambda: 900.0, receives=1)
        return Received(body=body, delivery=delivery, receipt=PlantReceipt(self.dead_letters))

    def wait(self, minutes: float) -> None:
        """Let time go by."""
        self.world.now += timedelta(minutes=minutes)

    def run(self) -> None:
        """Everything until nothing moves any more, with the schedule every five minutes."""
        for _ in range(20):
            self.list_all()
            self.convert()
            self.steering.tend()
            self.wait(5)

    def counts(self) -> BackfillCounts:
        """Those of the newest backfill."""
        row = self.backfills.board().backfills[-1]
        return read_progress(self.backfills, row, self.world.now).counts

    def outputs(self) -> list[str]:
        """The keys of all outputs."""
        return sorted(self.world.store.buckets["acme-out"])


def _ignore(*_args: object) -> None:
    """Nobody listens."""
