"""One in-process world: buckets, queue, ledger, invocations and a user, all driven by one schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from millrace.big_runs.events import RUN_STOPPED, PhaseEvent, PhaseOutcome
from millrace.big_runs.phases import BigRunPhases
from millrace.big_runs.resuming import resume_run
from millrace.big_runs.run_work import RunPorts
from millrace.big_runs.starting import BigRunStarter
from millrace.delivery.batch import take_batch
from millrace.delivery.breaker import Breaker
from millrace.delivery.intake import Grounds, Intake, Received
from millrace.delivery.routing import NO_BIG_RUNS, Routing
from millrace.delivery.schema_recovery import SchemaRecovery
from millrace.delivery.tickets import TicketCounter
from millrace.delivery.worker import Outcome, Worker
from millrace.engine.parts.uploading import UploadLimits
from millrace.errors import AccessDenied, MillraceError, ServiceUnavailable
from millrace.ledger.announcing import Teller
from millrace.ledger.claims import Claims, Delivery
from millrace.ledger.entries import DONE, Entry
from millrace.objects.messages import Request
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef
from millrace.operations.backfills.actions import BackfillActions
from millrace.operations.backfills.listing import BackfillLister
from millrace.operations.backfills.steering import BackfillSteering
from millrace.operations.following import RunFollower
from millrace.operations.lost_outputs import OutputChecker
from millrace.operations.lost_runs import LostRuns
from millrace.operations.rebuild import Rebuilder
from millrace.operations.reconcile import Progress, Reconciler, Report
from millrace.operations.reprocess import Reprocess, Reprocessor
from millrace.planning.planner import Planner
from tests.simulation.backfills import BACKFILL_QUEUE, BackfillTable, SimulatedBackfills
from tests.simulation.buckets import MOST_WRITES_LATE, SMALLEST_SIMULATED_PART, Bucket, Buckets
from tests.simulation.calls import BEGINNING, Calls, Clock
from tests.simulation.choices import Choices
from tests.simulation.faults import Fault, Faults
from tests.simulation.machine import SimulatedMachine
from tests.simulation.queue import Queue, QueuedMessage
from tests.simulation.scheduler import Actor, Scheduler
from tests.simulation.setups import SOURCE_BUCKET, SYNC, TARGET_BUCKET, Setup
from tests.simulation.sources import Sources
from tests.simulation.tables import CheckpointTable, CircuitTable, Ledger

TIMEOUT_SECONDS = 900.0
QUEUE = "arn:aws:sqs:us-east-1:111122223333:landing"
_MOST_STEPS = 20_000


class Endless(Exception):
    """The world does not come to rest."""


ENGINE = "1"


class Engine(Protocol):
    """What goes on beside the function, such as a committer."""

    def choices(self) -> list[Callable[[], None]]:
        """What can happen now."""
        ...

    def next_time(self) -> float | None:
        """When something can happen that cannot yet."""
        ...


class Listener(Protocol):
    """Who hears of settled work."""

    def teller_of(self, planner: Planner) -> Teller:
        """What tells of it, under the configuration of a planner."""
        ...


class Following(Protocol):
    """Who follows reprocesses to their ends."""

    book: BackfillTable

    def follower_of(self, now: Callable[[], datetime]) -> RunFollower:
        """As a function has it, by its clock."""
        ...


@dataclass(slots=True)
class Acknowledged:
    """A message that was deleted, and what the world looked like then."""

    message: QueuedMessage
    at: float


@dataclass(frozen=True, slots=True)
class Wish:
    """A reprocess that a person asked for: under which of the world's setups, and what there was to be asked for."""

    setup: int
    reprocess: Reprocess
    keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class SimulatedReceipt:
    """Satisfies ``intake.Receipt`` for one receipt of a message: a later one makes its handle void."""

    world: SimulatedWorld
    queue: Queue
    message: QueuedMessage
    receives: int

    def put_off(self, seconds: int, /) -> None:
        """Change the visibility."""
        self.queue.put_off(self.message, seconds)

    def delete(self) -> None:
        """Delete it as the poller does."""
        self.world.calls.call(
            "sqs:DeleteMessage",
            self.message.id,
            lambda: self.world.acknowledge(self.queue, [(self.message, self.receives)]),
        )

    def bury(self, body: str, grounds: Grounds, /) -> None:
        """Send the body to the dead-letter queue."""
        self.queue.bury(body, grounds)


class TracedIntake(Intake):
    """Knows how long the chain of messages is that it works on the last of."""

    def take(self, message: Received) -> None:
        """As the function does."""
        receipt = message.receipt
        assert isinstance(receipt, SimulatedReceipt)
        actor = receipt.world.scheduler.current
        assert actor is not None
        actor.hops = receipt.message.hops
        super().take(message)


@dataclass(frozen=True, slots=True)
class _EventSources:
    """Satisfies ``breaker.EventSources`` with the queues of a world."""

    world: SimulatedWorld

    def pause(self, queue: str) -> None:
        """Receive no more from a queue."""
        backfills = self.world.backfills
        paused = backfills.queue if backfills is not None and queue == BACKFILL_QUEUE else self.world.queue
        paused.pause(queue)


@dataclass(eq=False)
class SimulatedWorld:
    """See the module. ``script`` holds what the user and the operator do, in this order."""

    choices: Choices
    setup: Setup
    rates: dict[Fault, float] = field(default_factory=dict)
    versioned: bool = False
    workers: int = 2
    batch: int = 2
    fills_batches: bool = False
    """Whether the poller always hands over as many messages as it may."""
    skew: float = 0.0
    paces: tuple[float, ...] = (0.02, 0.02, 0.3, 5.0)
    """Seconds between two steps."""
    visibility: float | None = None
    timeout: float = TIMEOUT_SECONDS
    reads_at_once: bool = False
    big_runs: bool = False
    """Whether there is a machine, and everything that can be divided is more than one invocation can do."""
    listener: Listener | None = None
    """Who is told of settled work; None: nobody asked."""
    following: Following | None = None
    """Who follows reprocesses; None: nobody asked."""
    script: list[Callable[[SimulatedWorld], None]] = field(default_factory=list)
    on_acknowledge: Callable[[SimulatedWorld, QueuedMessage], None] = lambda _world, _message: None
    on_delete: Callable[[SimulatedWorld, ObjectRef], None] = lambda _world, _ref: None
    demands: list[Callable[[SimulatedWorld], Iterator[str]]] = field(default_factory=list)
    """What must hold at rest in this world beside the promises; each gives what does not."""
    engines: list[Engine] = field(default_factory=list)
    has_promises: bool = True
    """Whether outputs lie where the promises look for them; else the demands are all that must hold."""

    def __post_init__(self) -> None:
        self.clock = Clock()
        self.faults = Faults(self.choices, self.rates)
        self.scheduler = Scheduler(self._choose)
        self.calls = Calls(self.clock, self.scheduler, self.choices, self.faults)
        source, target = Bucket(versioned=self.versioned), Bucket(versioned=self.versioned)
        self.buckets = Buckets(
            self.calls, {SOURCE_BUCKET: source, TARGET_BUCKET: target}, reads_at_once=self.reads_at_once
        )
        self.buckets.on_delete = partial(self.on_delete, self)
        self.ledger = Ledger(self.calls)
        self.checkpoints = CheckpointTable(self.calls)
        self.circuits = CircuitTable(self.calls)
        self.queue = Queue(self.calls)
        if self.visibility is not None:
            self.queue.visibility = self.visibility
        self.sources = Sources(self.calls, source, self.queue)
        self.breaker = Breaker(
            circuits=self.circuits,
            sources=_EventSources(self),
            now=self.clock.at,
            announce=lambda circuit: self.calls.note("announces", circuit.queue, circuit.reason),
            trouble=lambda reason: self.calls.note("trouble", reason),
        )
        self.machine = SimulatedMachine(self.calls, self._spawn_child, self._work_on_phase)
        self.backfills: SimulatedBackfills | None = None
        self.strangers: dict[str, bytes] = {}
        """What strangers put into the target, by key."""
        self.wishes: list[Wish] = []
        self.reports: list[Report] = []
        self.setups = [self.setup]
        self.waits_until = 0.0
        self.skews: list[float] = []
        """How far the next actors' clocks are off, before any is drawn."""
        self.yesterday = dict(self.ledger.held.entries)
        self._steps = 0
        self._names = 0

    @property
    def source(self) -> Bucket:
        """Where objects land."""
        return self.buckets.buckets[SOURCE_BUCKET]

    @property
    def target(self) -> Bucket:
        """Where outputs go."""
        return self.buckets.buckets[TARGET_BUCKET]

    @contextmanager
    def decided_by(self, choices: Choices) -> Iterator[None]:
        """Let somebody else decide for a while."""
        before = self.choices
        self.choices = self.calls.choices = self.faults.choices = choices
        try:
            yield
        finally:
            self.choices = self.calls.choices = self.faults.choices = before

    def run(self) -> None:
        """Go on until nothing is left to do."""
        self._steps = 0
        self.scheduler.run()

    # What happens next

    def _choose(self) -> Actor | None:
        while True:
            self._steps += 1
            if self._steps > _MOST_STEPS:
                raise Endless(f"no rest after {_MOST_STEPS:,} steps")
            self.sources.deliver_due()
            self.calls.land_due()
            now, others = self.clock.now, self._others()
            # After the others: the machine may have begun a child meanwhile.
            ready = [actor for actor in self.scheduler.actors if actor.ready_at <= now]
            if not ready and not others:
                following = self._next_time()
                if following is None:
                    return None
                self.clock.now = max(now, following)
                continue
            names = [actor.name for actor in ready]
            names += [self._exchangeable_name(other) for other in others]
            choice = self.choices.step(names)
            self.clock.now += self.paces[self.choices.pick(len(self.paces))] if self.faults.active else self.paces[0]
            if choice < len(ready):
                return ready[choice]
            others[choice - len(ready)]()

    def _exchangeable_name(self, other: Callable[[], None]) -> str:
        """What ``orders`` may exchange with calls has a name: that a message is received."""
        return "invoke" if isinstance(other, partial) and other.func == self._invoke else ""

    def _others(self) -> list[Callable[[], None]]:
        """What can happen beside the actors' going on."""
        found: list[Callable[[], None]] = []
        if self.script and self.waits_until <= self.clock.now:
            found.append(self._next_of_script)
        found += self.machine.choices()
        for engine in self.engines:
            found += engine.choices()
        if self.backfills is not None:
            found += self.backfills.choices()
        if len(self.scheduler.actors) < self.workers:
            for queue in self.queues():
                visible = queue.visible()
                if visible:
                    found.append(partial(self._invoke, queue, visible))
        return found

    def queues(self) -> tuple[Queue, ...]:
        """Those that the function receives from."""
        return (self.queue,) if self.backfills is None else (self.queue, self.backfills.queue)

    def _next_of_script(self) -> None:
        self.script.pop(0)(self)

    def _next_time(self) -> float | None:
        times = [actor.ready_at for actor in self.scheduler.actors if actor.ready_at > self.clock.now]
        dues = (
            self.queue.next_visible(),
            self.sources.next_due(),
            self.calls.next_landing(),
            self.machine.next_time(),
        )
        times += [time for time in dues if time is not None]
        times += [time for engine in self.engines if (time := engine.next_time()) is not None]
        if self.backfills is not None:
            more = (self.backfills.queue.next_visible(), self.backfills.next_time())
            times += [time for time in more if time is not None]
        times += [self.waits_until] if self.script else []
        later = [time for time in times if time > self.clock.now]
        return min(later, default=None)

    # Invocations

    def _invoke(self, queue: Queue, visible: list[QueuedMessage]) -> None:
        """Lambda's poller: receive some messages, in any order, and hand them to the function."""
        batch = []
        most = self.batch if self.fills_batches else 1 + (self.choices.pick(self.batch) if len(visible) > 1 else 0)
        for _ in range(most):
            if visible:
                message = visible.pop(self.choices.pick(len(visible)))
                if queue.receive(message):
                    batch.append(message)
        if batch:
            actor = self._actor("convert")
            told = ", ".join(f"{one.id} (receipt {one.receives})" for one in batch)
            self.calls.note("invokes", actor.name, told)
            self.scheduler.spawn(actor, partial(self._convert, actor, queue, batch, self._worker(actor)))

    def _actor(self, name: str) -> Actor:
        self._names += 1
        skew = self.skews.pop(0) if self.skews else 0.0
        if self.faults.draw(Fault.SKEW, name):
            skew = self.choices.between(-self.skew, self.skew)
        now = self.clock.now
        return Actor(f"{name} {self._names}", now, now + self.timeout, skew, ready_at=now)

    def _time(self, actor: Actor) -> Callable[[], datetime]:
        return lambda: self.clock.at(actor.skew)

    def _ports(self, actor: Actor) -> dict[str, Any]:
        return {
            "planner": self.setup.planner,
            "stores": {"landing": self.buckets, "lake": self.buckets},
            "queues": {"landing": self.queue},
            "now": self._time(actor),
        }

    def _worker(self, actor: Actor) -> Worker:
        return Worker.build(
            ledger=self.ledger,
            engine=ENGINE,
            timeout_seconds=self.timeout,
            deployment=len(self.setups),
            routing=self._route,
            teller=self._teller(),
            **self._ports(actor),
        )

    def _teller(self) -> Teller | None:
        """As its deployment has it: another configuration may ask for other events."""
        return self.listener.teller_of(self.setup.planner) if self.listener is not None else None

    # Big runs

    def _route(self, claims: Claims) -> Routing:
        if not self.big_runs:
            return NO_BIG_RUNS
        starter = BigRunStarter(
            machine=self.machine,
            planner=self.setup.planner,
            claims=claims,
            stores={"landing": self.buckets, "lake": self.buckets},
            part_bytes=12,
        )
        return Routing(starter=starter, big_run_bytes=1)

    def _spawn_child(self, name: str, body: Callable[[Actor], None]) -> Actor:
        actor = self._actor(name)
        self.scheduler.spawn(actor, partial(body, actor))
        return actor

    def _work_on_phase(self, event: PhaseEvent, actor: Actor) -> PhaseOutcome:
        ports = self._ports(actor)
        claims = Claims(
            ledger=self.ledger,
            now=ports["now"],
            engine=ENGINE,
            deployment=len(self.setups),
            teller=self._teller(),
        )
        phases = BigRunPhases(
            RunPorts(
                planner=ports["planner"],
                claims=claims,
                stores=ports["stores"],
                queues=ports["queues"],
                timeout_seconds=self.timeout,
                copies=1,
                limits=UploadLimits(smallest=SMALLEST_SIMULATED_PART, largest=4 * SMALLEST_SIMULATED_PART),
            )
        )
        return phases.work(event, lambda: actor.deadline - self.clock.now)

    def resume_runs(self) -> bool:
        """Have every run go on that somebody stopped; whether there was any."""
        stopped = [entry for entry in self.ledger.held.works() if entry.failure and entry.failure.error == RUN_STOPPED]
        for entry in stopped:
            self._operate("resume", partial(self._resume_run, entry))
        return bool(stopped)

    def _resume_run(self, entry: Entry, actor: Actor) -> None:
        resume_run(entry, ledger=self.ledger, machine=self.machine, now=self._time(actor)())

    def _convert(self, actor: Actor, queue: Queue, batch: list[QueuedMessage], worker: Worker) -> None:
        """The handler: who raises comes back; the poller deletes the others."""
        intake = TracedIntake(
            worker=worker,
            tell=partial(self._hear, self._name_of(queue)),
            note=lambda note: self.calls.note("note", note),
            tickets=self._tickets(actor),
        )
        receives = {message.id: message.receives for message in batch}
        received = [self._receive(actor, queue, message, batch) for message in batch]
        returning = take_batch(intake, received, self._comes_back)
        done = [(message, receives[message.id]) for message in batch if message.id not in returning]
        with suppress(ServiceUnavailable, AccessDenied):
            self.calls.call("lambda:response", actor.name, lambda: self.acknowledge(queue, done))

    def _tickets(self, actor: Actor) -> TicketCounter | None:
        holder = self.backfills.table if self.backfills is not None else None
        if self.following is not None:
            holder = self.following.book
        return None if holder is None else TicketCounter(holder, self._time(actor))

    def _receive(self, actor: Actor, queue: Queue, message: QueuedMessage, batch: list[QueuedMessage]) -> Received:
        delivery = Delivery(
            message_id=message.id,
            remaining=lambda: actor.deadline - self.clock.now,
            receives=message.receives,
            sent=BEGINNING + timedelta(seconds=message.sent),
            is_alone=len(batch) == 1,
        )
        receipt = SimulatedReceipt(self, queue, message, message.receives)
        return Received(body=message.body, delivery=delivery, receipt=receipt)

    def _name_of(self, queue: Queue) -> str:
        return QUEUE if queue is self.queue else BACKFILL_QUEUE

    def _hear(self, queue: str, outcome: Outcome) -> None:
        self.calls.note("outcome", outcome.source, f"{outcome.result} ({outcome.reason})"[:160])
        self.breaker.hear(outcome, queue)

    def _comes_back(self, message: Received, error: Exception) -> None:
        self.calls.note("comes back", message.delivery.message_id, f"{type(error).__name__}: {error}"[:100])

    def acknowledge(self, queue: Queue, done: list[tuple[QueuedMessage, int]]) -> None:
        """Delete messages by their handles."""
        for message, receives in done:
            if message not in queue.messages:
                continue
            if self.faults.draw(Fault.UNACKNOWLEDGED, "sqs:DeleteMessage") or message.receives != receives:
                self.calls.note("sqs forgets", message.id, Fault.UNACKNOWLEDGED)
                continue
            self.calls.note("sqs deletes", message.id)
            queue.delete(message)
            self.on_acknowledge(self, message)

    # Backfills

    def open_backfills(self, *, most_waiting: int) -> None:
        """Have the function of backfills, its queue and its schedule."""
        self.backfills = SimulatedBackfills(
            self.calls,
            SYNC,
            self.circuits,
            spawn=self._spawn_child,
            act=self._act_on_backfills,
            most_waiting=most_waiting,
        )

    def _act_on_backfills(self, actor: Actor) -> BackfillActions:
        backfills, ports = self.backfills, self._ports(actor)
        assert backfills is not None
        steering = BackfillSteering(
            planner=ports["planner"],
            backfills=backfills.table,
            switch=backfills.switch,
            call=backfills.call,
            now=ports["now"],
            deployment=len(self.setups),
        )
        lister = BackfillLister(
            planner=ports["planner"],
            stores=ports["stores"],
            ledger=self.ledger,
            backfills=backfills.table,
            queue=backfills.queue,
            inventories=self.buckets,
            now=ports["now"],
            deployment=len(self.setups),
            portion=2,
            split_after=2,
            # The baton allows one thread alone.
            senders=1,
            readers=1,
        )
        return BackfillActions(steering, lister)

    # What operators and schedules do

    def reconcile(self) -> None:
        """Invoke the reconcile function."""
        self._operate("reconcile", self._reconcile)

    def _reconcile(self, actor: Actor) -> None:
        runs = LostRuns(machine=self.machine, ledger=self.ledger, now=self._time(actor)) if self.big_runs else None
        reconciler = Reconciler(index=self.ledger, checkpoints=self.checkpoints, runs=runs, **self._ports(actor))
        report = reconciler.run(SYNC, lambda: actor.deadline - self.clock.now)
        self.reports.append(report)
        self.calls.note("compared", SYNC, f"{report.progress} {report.total}")

    def reprocess(self, **wish: Any) -> None:
        """Invoke the reprocess function."""
        self._operate("reprocess", partial(self._reprocess, Reprocess(sync=SYNC, **wish)))

    def _reprocess(self, wish: Reprocess, actor: Actor) -> None:
        setup, writes = len(self.setups) - 1, len(self.source.earlier)
        follower = None if self.following is None else self.following.follower_of(self._time(actor))
        reprocessor = Reprocessor(
            index=self.ledger,
            ledger=self.ledger,
            engine=ENGINE,
            deployment=len(self.setups),
            follower=follower,
            **self._ports(actor),
        )
        answer = reprocessor.run(wish, lambda: actor.deadline - self.clock.now)
        self.calls.note("asked for", SYNC, f"{answer['sent']} in run {answer['run_id']}")
        # Who asks for what failed wishes nothing of the rest.
        if answer["complete"] and wish.state is None:
            self.wishes.append(Wish(setup, wish, self._surely_listed(writes)))

    def _surely_listed(self, writes: int) -> frozenset[str]:
        """The keys that every listing had since the source bucket had seen so many writes; a stale one is older."""
        if self.faults.happened(Fault.STALE):
            writes = max(0, writes - MOST_WRITES_LATE)
        states = [*self.source.earlier[writes:], self.source.live()]
        return frozenset.intersection(*map(frozenset, states))

    def restore_outputs(self) -> None:
        """Run `millrace audit --outputs --restore`: what has lost an output is asked for again."""
        self._operate("audit", self._restore_outputs)

    def _restore_outputs(self, actor: Actor) -> None:
        ports = self._ports(actor)
        checker = OutputChecker(planner=ports["planner"], stores=ports["stores"], ledger=self.ledger)
        for entry in list(self.ledger.held.entries.values()):
            if isinstance(entry, Entry) and entry.state in DONE and checker.find_lost(entry):
                change = ObjectChange(kind=ChangeKind.CREATED, ref=entry.source)
                self.queue.send([Request(change=change, sync=SYNC, run_id=f"audit-{self.clock.now}")])

    def rebuild(self) -> None:
        """Rebuild the ledger from the outputs' lineage."""
        self._operate("rebuild", self._rebuild)

    def _rebuild(self, actor: Actor) -> None:
        ports = self._ports(actor)
        rebuilder = Rebuilder(
            planner=ports["planner"],
            stores=ports["stores"],
            ledger=self.ledger,
            now=self._time(actor)(),
            learn_schema=SchemaRecovery(stores=ports["stores"], ledger=self.ledger, now=self._time(actor)).learn_schema,
            # The baton allows one thread alone.
            heads_at_once=1,
        )
        for destination in rebuilder.destinations():
            for traced in rebuilder.rebuild(destination):
                self.calls.note("traced", traced.ref, traced.trace)

    def operate(self, name: str, work: Callable[[Actor], None]) -> None:
        """Have somebody do some work; that it fails is noted."""
        self._operate(name, work)

    def time_of(self, actor: Actor) -> Callable[[], datetime]:
        """The clock of one who works."""
        return self._time(actor)

    def _operate(self, name: str, work: Callable[[Actor], None]) -> None:
        actor = self._actor(name)

        def body() -> None:
            try:
                work(actor)
            except MillraceError as error:
                self.calls.note("fails", name, f"{type(error).__name__}: {error}"[:100])

        self.scheduler.spawn(actor, body)

    def resume(self) -> bool:
        """Let event sources receive again, as ``millrace resume`` does; whether one was paused by the breaker."""
        resumed = list(map(self._resume, self.queues()))
        return any(resumed)

    def _resume(self, queue: Queue) -> bool:
        name = self._name_of(queue)
        circuit = self.circuits.held.get(name)
        # The queue of the backfills is off as a rule: that is nothing to mend.
        is_broken = circuit is not None and circuit.paused is not None
        if not queue.paused or (queue is not self.queue and not is_broken):
            return False
        if circuit is not None:
            self.circuits.held.put(circuit.resumed())
        self.calls.note("resumes", name)
        queue.paused = False
        return True

    def copy_output(self) -> None:
        """A stranger copies an output; S3 copies its metadata, too (Amazon S3 API Reference, "CopyObject")."""
        live = self.target.live()
        own = sorted(live.keys() - self.strangers.keys())
        if not own:
            return
        key = own[self.choices.pick(len(own))]
        version, copy = live[key], f"lake/copies/{len(self.strangers)}-{key.rpartition('/')[2]}"
        self.faults.count(Fault.COPIED, "the target's bucket")
        self.calls.note("stranger copies", key, copy)
        self.target.put(copy, version.data, self.clock.now, version.metadata)
        self.strangers[copy] = version.data or b""

    def reconfigure(self, setup: Setup) -> None:
        """Deploy another configuration; invocations at work keep theirs."""
        self.faults.count(Fault.RECONFIGURED)
        self.calls.note("deploys", setup.change)
        self.setup = setup
        self.setups.append(setup)

    def found_nothing(self) -> bool:
        """Whether the last comparison was complete, from the first key on, and all alike."""
        last = self.reports[-1] if self.reports else None
        total = last.total if last else None
        return (
            last is not None
            and total is not None
            and last.this_run == total
            and last.progress is Progress.COMPLETE
            and total.new + total.changed + total.gone == 0
        )
