"""A worker whose large objects are big runs, and the machine that drives them, in memory and in one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from millrace.big_runs.events import MAPS, Phase, PhaseEvent, PhaseOutcome, RunPlace
from millrace.big_runs.phases import BigRunPhases
from millrace.big_runs.run_work import RunPorts
from millrace.big_runs.runner import Runner
from millrace.big_runs.starting import BigRunStarter
from millrace.delivery.routing import Routing
from millrace.engine.parts.uploading import UploadLimits
from millrace.ledger.claims import Claims
from tests.fakes import InMemoryMachine
from tests.world import World

SMALLEST = 64
"""The smallest part of an upload, in place of S3's 5 MiB: small outputs are then copied and glued as large ones are."""


@dataclass
class RunWorld(World):
    """Every object of ``big_run_bytes`` is a run of parts of about ``part_bytes``.

    ``before`` is called before each phase: it may change the world, or raise. ``events`` are all that were asked for.
    """

    big_run_bytes: int = 1
    part_bytes: int = 200
    before: Callable[[PhaseEvent], None] = lambda _event: None
    events: list[PhaseEvent] = field(default_factory=list)
    hours: float = 0.0

    def __post_init__(self) -> None:
        self.machine = InMemoryMachine(now=lambda: self.now)
        self.store.smallest_part = SMALLEST
        self.routing = self._route

    def _route(self, claims: Claims) -> Routing:
        starter = BigRunStarter(
            machine=self.machine,
            planner=self.planner,
            claims=claims,
            stores={"landing": self.store, "lake": self.store},
            part_bytes=self.part_bytes,
        )
        return Routing(starter=starter, big_run_bytes=self.big_run_bytes)

    @property
    def phases(self) -> BigRunPhases:
        """The phases, as a function of the present configuration has them."""
        claims = Claims(ledger=self.ledger, now=lambda: self.now, engine="1")
        return BigRunPhases(
            RunPorts(
                planner=self.planner,
                claims=claims,
                stores={"landing": self.store, "lake": self.store},
                queues={"landing": self.queue},
                timeout_seconds=900,
                obfuscation_key=lambda: self.key,
                copies=1,
                limits=UploadLimits(smallest=SMALLEST, largest=10 * SMALLEST),
            )
        )

    def phase(self, event: PhaseEvent) -> PhaseOutcome:
        """One invocation of the function; each takes a second."""
        self.events.append(event)
        self.now += timedelta(seconds=1)
        self.before(event)
        return self.phases.work(event, lambda: self.remaining)

    def drive(self, name: str | None = None, *, tries: int = 5) -> str:
        """Drive an execution, or the newest one, to its end."""
        names = list(self.machine.inputs)
        return Runner(work=self.phase, tries=tries).run(self.machine.inputs[name or names[-1]])

    def drive_all(self) -> list[str]:
        """Drive all executions that were started, in their order."""
        return [self.drive(name) for name in list(self.machine.inputs)]

    def place(self) -> RunPlace:
        """The newest run's."""
        return RunPlace.from_input(list(self.machine.inputs.values())[-1])

    def answer_queue(self) -> None:
        """Work on what was asked for once more, as a delivery of the queue does."""
        sent, self.queue.sent = self.queue.sent, []
        for number, request in enumerate(sent):
            self.work(request, message=f"again-{len(self.events)}-{number}")

    def homes(self) -> list[str]:
        """What is left below the homes of runs."""
        return [key for key in self.store.buckets["acme-out"] if "/.millrace/runs/" in key]


def phases_of(world: RunWorld) -> Iterator[tuple[Phase, int]]:
    """The phases that were asked for, children with their parts."""
    for event in world.events:
        yield event.phase, event.index if event.phase in MAPS else 0


def twin_of(world: RunWorld, **fields: Any) -> World:
    """The same world before anything happened, in which one invocation does all."""
    store = replace(world.store, buckets={"acme-in": {}, "acme-out": {}}, calls=[])
    return World(store=store, syncs=world.syncs, source=world.source, configuration=world.configuration, **fields)
