"""One schedule: a world drawn from a seed, its disturbances, its rest, and what was kept of the promises."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from millrace.ledger.entries import LONGEST_WAIT, Branch, State, WorkEntry
from millrace.objects.references import ObjectRef
from millrace.operations.backfills.board import BackfillState
from tests.fakes import InMemoryBackfills
from tests.simulation import promises
from tests.simulation.choices import Choices, Seeded
from tests.simulation.faults import Fault
from tests.simulation.queue import QueuedMessage
from tests.simulation.setups import SOURCE_BUCKET, Setup, SetupKind
from tests.simulation.world import SimulatedWorld

_RATES = (0.0, 0.0, 0.01, 0.04)
"""How often a fault meets a call, by schedule."""
_EVENT_RATES = (0.0, 0.0, 0.1, 0.3)
_CALL_FAULTS = (
    Fault.KILLED_BEFORE,
    Fault.KILLED_AFTER,
    Fault.LANDS_LATE,
    Fault.FAILED,
    Fault.ANSWER_LOST,
    Fault.TRIED_TWICE,
    Fault.SLOW,
    Fault.DENIED,
    Fault.CONFLICT,
    Fault.UNACKNOWLEDGED,
)
_EVENT_FAULTS = (
    Fault.EVENT_LOST,
    Fault.EVENT_TWICE,
    Fault.EVENT_LATE,
    Fault.EVENT_BEYOND_LEASE,
    Fault.EVENT_BEYOND_RETENTION,
    Fault.STALE,
    Fault.SKEW,
)
NEEDS_RECONCILIATION = (
    Fault.EVENT_LOST,
    Fault.ONE_EVENT_FOR_TWO,
    Fault.LEDGER_RESTORED,
    Fault.LEDGER_GONE,
    Fault.STALE,
)
"""What the queue alone cannot make whole: S3 did not tell, or the ledger forgot."""


_BETWEEN_COMPARISONS = 3700.0
_CALM = 0.3
"""How many schedules have no fault at any call: then nothing may become a dead letter."""
_CALM_PACES = (0.02, 0.02, 0.3)
_SELDOM = 0.15
"""How many schedules have one of the world's meannesses."""


class FindingRule(enum.IntEnum):
    """What a hostile look found, by its number in the table of findings, if its rule is in force.

    What a rule does not yet keep apart is not drawn: each feature of the world needs the rules that it is mean to.
    """

    RECEIPTS_ARE_NOT_ATTEMPTS = 1
    SUSPECTS_WORK_ALONE = 2
    TABLES_BY_VERSION = 4
    REMOVED_MEANS_LOOK = 5
    ONE_DENIED_OBJECT = 7
    TRUE_LIMITS = 8
    DEPLOYMENTS_ARE_ORDERED = 11
    FENCES_DECIDE = 12


IN_FORCE = frozenset(FindingRule)
"""Findings whose rules have landed; whoever lands one adds it, and the world becomes as mean."""

NEEDS_RULE = {
    Fault.KILLER: FindingRule.SUSPECTS_WORK_ALONE,
    Fault.FORBIDDEN: FindingRule.ONE_DENIED_OBJECT,
    Fault.LONG_WORK: FindingRule.RECEIPTS_ARE_NOT_ATTEMPTS,
    Fault.OLDER_TIME: FindingRule.TABLES_BY_VERSION,
    Fault.VERSION_DELETED: FindingRule.REMOVED_MEANS_LOOK,
    Fault.UNDELETED: FindingRule.REMOVED_MEANS_LOOK,
    Fault.HOSTILE_KEY: FindingRule.TRUE_LIMITS,
}
"""What is drawn only where the rule against it is in force."""
SELDOM_MET = frozenset({Fault.PAUSED})
"""What it takes a long row of other faults to bring about."""


class Mended(enum.StrEnum):
    """What it took until every promise held."""

    QUEUE = "the queue alone"
    REDRIVE = "redrive of dead letters"
    RECONCILIATION = "reconciliation"
    COMMAND = "a command: reprocess"


@dataclass(slots=True)
class Result:
    """What one schedule showed."""

    seed: int | None
    violations: list[str]
    mended: Mended
    faults: Counter[tuple[Fault, str]]
    steps: int
    world: SimulatedWorld


@dataclass(slots=True)
class Rest:
    """Brings a world to rest, step by step, as operators and schedules would."""

    world: SimulatedWorld
    found: list[str] = field(default_factory=list)
    mended: Mended = Mended.QUEUE

    def come(self) -> None:
        """Faults stop; messages are delivered, dead letters redriven, sources compared."""
        world = self.world
        world.run()
        world.faults.active = False
        world.run()
        self.found += promises.dead_letters(world, FindingRule.RECEIPTS_ARE_NOT_ATTEMPTS in IN_FORCE)
        for _ in range(5):
            if not _count_dead(world):
                break
            self.mended = Mended.REDRIVE
            _redrive(world)
            world.run()
        self._resume()
        self._mend_runs()
        self._resume_backfill()
        if self._told_of_all() and not _asked_meanwhile(world):
            self._check("before any reconciliation: ")
        self._reconcile()
        self._retry_failed()
        self._mend_restored()
        if len(world.setups) > 1:
            self._reprocess_all()
        self._check("")

    def again(self) -> None:
        """Deliver every event once more, and compare; nothing may change."""
        world = self.world
        before, writes = promises.fingerprint(world), len(world.buckets.written)
        for body in world.sources.told:
            world.queue.add(body)
        world.run()
        world.reconcile()
        world.run()
        if not world.has_promises:
            self._check("again: ")
            return
        self._ask_for_nothing()
        self.found += promises.again(before, world, writes if self._told_of_all() else None)

    def _told_of_all(self) -> bool:
        """Whether messages alone tell of all that happened."""
        world = self.world
        is_lost = world.faults.happened(*NEEDS_RECONCILIATION) or any(queue.expired for queue in world.queues())
        return not is_lost and (world.backfills is None or world.backfills.has_covered())

    def _resume_backfill(self) -> None:
        """Somebody remembers that a backfill is paused."""
        backfills = self.world.backfills
        if backfills is not None and any(row.state is BackfillState.PAUSED for row in backfills.rows):
            self.mended = Mended.COMMAND
            backfills.ask("resume")
            self.world.run()

    def _ask_for_nothing(self) -> None:
        """A backfill of what is converted finds nothing to do."""
        backfills = self.world.backfills
        if backfills is None:
            return
        backfills.ask("start")
        self.world.run()
        row = backfills.rows[-1]
        if row.counts.asked or row.state is not BackfillState.FINISHED:
            self.found.append(f"again: a backfill is {row.state} and asked for {row.counts.asked}, and all was done")

    def _check(self, when: str) -> None:
        self.found += [when + violation for violation in promises.violations(self.world)]

    def _reconcile(self) -> None:
        world = self.world
        for number in range(6):
            world.calls.note("compares")
            world.clock.now += _BETWEEN_COMPARISONS
            world.reconcile()
            world.run()
            if world.found_nothing():
                if number:
                    self.mended = Mended.RECONCILIATION
                return
            if _count_dead(world):
                _redrive(world)
                world.run()
        self.found.append(f"reconciliation finds something for ever: {world.reports[-1]}")

    def _resume(self) -> None:
        """Somebody mends the grants, and starts what the breaker paused."""
        for _ in range(5):
            if not self.world.resume():
                return
            self.mended = Mended.COMMAND
            self.world.run()

    def _mend_runs(self) -> None:
        """Somebody has stopped runs go on, and asks again for what runs gave up; the comparison finds what was lost."""
        world = self.world
        if not world.big_runs:
            return
        for _ in range(5):
            if not world.resume_runs():
                break
            self.mended = Mended.COMMAND
            world.run()
        if world.faults.happened(Fault.RUN_LOST):
            self._reconcile()
        if _failed(world):
            self.mended = Mended.COMMAND
            world.reprocess(state=State.FAILED)
            world.run()

    def _retry_failed(self) -> None:
        """Messages that outlived the retention leave entries that say so; the command asks for them again."""
        world = self.world
        if not (any(queue.expired for queue in world.queues()) and _failed(world)):
            return
        self.mended = Mended.COMMAND
        world.reprocess(state=State.FAILED)
        world.run()

    def _mend_restored(self) -> None:
        """What an old copy of the ledger says is not all true: the guide has outputs looked at, and time does the rest.

        For example, an object became what it had been when the copy was made, and its output is of the time between.
        """
        world = self.world
        if not world.faults.happened(Fault.LEDGER_RESTORED):
            return
        world.restore_outputs()
        world.run()
        if _failed(world):
            world.clock.now += (LONGEST_WAIT + timedelta(days=1)).total_seconds()
            self._reconcile()

    def _reprocess_all(self) -> None:
        """After a change of the configuration: what is there is brought under the new one."""
        world = self.world
        self._check("before the reprocess: ")
        if FindingRule.DEPLOYMENTS_ARE_ORDERED in IN_FORCE:
            self.found += promises.wishes(world)
        world.reprocess()
        world.run()
        self.found += promises.outdated(world)


def _asked_meanwhile(world: SimulatedWorld) -> bool:
    """Whether a listing may have asked a run for a file that was gone by then; the next listing settles that."""
    return world.setup.kind is SetupKind.RUN and world.faults.happened(Fault.RECONCILED, Fault.REPROCESSED)


def _count_dead(world: SimulatedWorld) -> int:
    return sum(len(queue.dead) for queue in world.queues())


def _redrive(world: SimulatedWorld) -> None:
    world.calls.note("redrives", _count_dead(world))
    for queue in world.queues():
        queue.redrive()


def _failed(world: SimulatedWorld) -> bool:
    entries = (one for one in world.ledger.held.entries.values() if isinstance(one, WorkEntry))
    return any(one.failure is not None and one.failure.branch is not Branch.DATA for one in entries)


def drawn(choices: Choices) -> SimulatedWorld:
    """A world, its faults and its script."""
    kind = list(SetupKind)[choices.pick(len(SetupKind))]
    crowd = choices.chance(_SELDOM)
    setup = Setup(
        kind,
        remove=bool(choices.pick(2)),
        quarantine=bool(choices.pick(2)),
        hostile=FindingRule.TRUE_LIMITS in IN_FORCE and choices.chance(_SELDOM),
        more=3 + choices.pick(8) if crowd else 0,
    )
    calm = choices.chance(_CALM)
    rates = {fault: 0.0 if calm else _RATES[choices.pick(len(_RATES))] for fault in _CALL_FAULTS}
    rates |= {fault: _EVENT_RATES[choices.pick(len(_EVENT_RATES))] for fault in _EVENT_FAULTS}
    rates[Fault.SAME_BYTES_AGAIN] = 0.3
    world = SimulatedWorld(
        choices,
        setup,
        rates=rates,
        versioned=bool(choices.pick(2)),
        workers=1 + choices.pick(3),
        batch=10 if crowd else 1 + choices.pick(3),
        skew=300.0,
        on_acknowledge=on_acknowledge,
        on_delete=on_delete,
    )
    if calm:
        world.paces = _CALM_PACES
    world.sources.bad_rows = (0.0, 0.2)[choices.pick(2)]
    _make_mean(world)
    world.script = _script(world)
    return world


def _make_mean(world: SimulatedWorld) -> None:
    """Draw what makes this world mean beside its faults, of what the rules in force keep apart."""
    choices, sources = world.choices, world.sources
    if FindingRule.RECEIPTS_ARE_NOT_ATTEMPTS in IN_FORCE and choices.chance(_SELDOM):
        sources.durations = _DURATIONS
    if FindingRule.SUSPECTS_WORK_ALONE in IN_FORCE and choices.chance(_SELDOM):
        sources.killers = 0.1
    if FindingRule.ONE_DENIED_OBJECT in IN_FORCE and choices.chance(_SELDOM):
        sources.forbidden = 0.1
    if FindingRule.TABLES_BY_VERSION in IN_FORCE and choices.chance(_SELDOM):
        sources.multipart = 0.5
    if world.setup.hostile:
        world.faults.count(Fault.HOSTILE_KEY, "the source's bucket")


_DURATIONS = (0.0, 30.0, 300.0, 600.0, 850.0)
"""Seconds that a conversion takes where it takes long: the last is nearly all that an invocation has."""


_RUN_FAULTS = (Fault.CHILD_TWICE, Fault.RUN_STOPPED, Fault.RUN_LOST)


def with_big_runs(world: SimulatedWorld) -> None:
    """Everything that can be divided is a big run, whose executions and children have faults of their own."""
    world.big_runs = True
    rates = dict(world.faults.rates)
    for fault in _RUN_FAULTS:
        rates[fault] = (0.0, 0.0, 0.02, 0.1)[world.choices.pick(4)]
    world.faults.set(rates)


def with_backfills(world: SimulatedWorld) -> None:
    """Objects were there before the notifications: a backfill asks for them, people steer it, and live events overlap.

    A table that is made of all files of a folder has none.
    """
    if world.setup.kind is SetupKind.RUN:
        return
    choices, keys = world.choices, world.setup.keys
    world.open_backfills(most_waiting=_MOST_WAITING[choices.pick(len(_MOST_WAITING))])
    # The crowd comes without news: of three keys a listing is one portion.
    there = keys[choices.pick(len(keys)) :]
    script, world.script = world.script, [*(partial(put_untold, key) for key in there), partial(ask_backfill, "start")]
    for act in script:
        if choices.chance(_STEERED):
            world.script.append(partial(ask_backfill, _STEERING[choices.pick(len(_STEERING))]))
        world.script.append(act)


_MOST_WAITING = (2, 1000)
_STEERED = 0.4
_STEERING = ("pause", "resume", "pause", "resume", "start", "stop")


def put_untold(key: str, world: SimulatedWorld) -> None:
    """The user writes an object before the bucket tells of anything."""
    world.faults.count(Fault.UNTOLD, "the source's bucket")
    world.sources.put(key, tell=False)


def ask_backfill(action: str, world: SimulatedWorld) -> None:
    """Somebody starts or steers a backfill."""
    assert world.backfills is not None
    world.backfills.ask(action)


Act = Callable[[SimulatedWorld], None]


def on_acknowledge(world: SimulatedWorld, message: QueuedMessage) -> None:
    """Look whether the message that was just deleted is settled."""
    world_violations(world).extend(promises.acknowledged(world, message))


def on_delete(world: SimulatedWorld, ref: ObjectRef) -> None:
    """Look whether the output that is being deleted is still wanted."""
    world_violations(world).extend(promises.deleted(world, ref))


def world_violations(world: SimulatedWorld) -> list[str]:
    """Violations seen while the world ran."""
    found: list[str] = world.__dict__.setdefault("violations", [])
    return found


def _script(world: SimulatedWorld) -> list[Act]:
    choices, setup = world.choices, world.setup
    keys = setup.keys[: 1 + choices.pick(2)]
    acts: list[Act] = [partial(put, key) for key in (keys[0], *setup.keys[_USUAL_KEYS:])]
    of_user = _OF_USER if not (world.versioned and FindingRule.REMOVED_MEANS_LOOK in IN_FORCE) else _OF_VERSIONS
    for _ in range(1 + choices.pick(4)):
        key = keys[choices.pick(len(keys))]
        acts.append(partial(of_user[choices.pick(len(of_user))], key))
        if choices.chance(0.4):
            acts.append(partial(wait, (1.0, 100.0, 1000.0, 6000.0)[choices.pick(4)]))
        if choices.chance(0.3):
            acts.append(_OF_OPERATORS[choices.pick(len(_OF_OPERATORS))])
    return acts


def put(key: str, world: SimulatedWorld) -> None:
    """The user writes new bytes."""
    world.sources.put(key)


def _put_twice(key: str, world: SimulatedWorld) -> None:
    world.sources.put_twice(key)


def delete(key: str, world: SimulatedWorld) -> None:
    world.sources.delete(key)


def _remove_newest(key: str, world: SimulatedWorld) -> None:
    world.sources.remove_newest(key)


def _archive(key: str, world: SimulatedWorld) -> None:
    """A lifecycle rule archives the object; somebody restores it some time after, or never."""
    if world.setup.kind is SetupKind.RUN:
        return
    world.sources.archive(key)
    if world.choices.pick(3):
        world.script.append(partial(_restore, key))


def _restore(key: str, world: SimulatedWorld) -> None:
    world.sources.restore(key)


_USUAL_KEYS = 3
_OF_USER = (put, put, put, put, delete, delete, _put_twice, _put_twice, _archive)
_OF_VERSIONS = (*_OF_USER, _remove_newest, _remove_newest, _remove_newest)
"""What users do in versioned buckets."""


def wait(seconds: float, world: SimulatedWorld) -> None:
    """The user takes his time."""
    world.waits_until = world.clock.now + seconds


def _reconcile(world: SimulatedWorld) -> None:
    world.faults.count(Fault.RECONCILED)
    world.reconcile()


def reprocess(world: SimulatedWorld) -> None:
    """Somebody has all objects converted again."""
    world.faults.count(Fault.REPROCESSED)
    world.reprocess()


def _reconfigure(world: SimulatedWorld) -> None:
    changes = world.setup.changes
    change = changes[world.choices.pick(len(changes))]
    world.reconfigure(replace(world.setup, change=change))


def _remember_ledger(world: SimulatedWorld) -> None:
    world.calls.note("backs the ledger up")
    world.yesterday = dict(world.ledger.held.entries)
    if world.backfills is not None:
        world.backfills.remember()


_A_WHILE = 20.0


def _restore_ledger(world: SimulatedWorld) -> None:
    """As an operator would: with nobody at work."""
    if world.scheduler.actors:
        world.script.insert(0, _restore_ledger)
        wait(_A_WHILE, world)
        return
    world.faults.count(Fault.LEDGER_RESTORED)
    world.calls.note("restores the ledger")
    world.ledger.restore(world.yesterday)
    if world.backfills is not None:
        world.backfills.restore(world.backfills.yesterday)


def _lose_ledger(world: SimulatedWorld) -> None:
    if world.scheduler.actors:
        world.script.insert(0, _lose_ledger)
        wait(_A_WHILE, world)
        return
    world.faults.count(Fault.LEDGER_GONE)
    world.calls.note("loses the ledger")
    world.ledger.restore({})
    if world.backfills is not None:
        world.backfills.restore(InMemoryBackfills())


def _rebuild_ledger(world: SimulatedWorld) -> None:
    """Nobody has to wait for this: it leaves alone what the ledger knows, and whoever is at work."""
    world.faults.count(Fault.REBUILT)
    world.rebuild()


def _copy_output(world: SimulatedWorld) -> None:
    world.copy_output()


_OF_OPERATORS: tuple[Act, ...] = (
    _copy_output,
    _reconcile,
    _reconcile,
    reprocess,
    reprocess,
    _reconfigure,
    _remember_ledger,
    _restore_ledger,
    _lose_ledger,
    _rebuild_ledger,
)


def run(seed: int, change: Callable[[SimulatedWorld], None] = lambda _world: None) -> Result:
    """Run the schedule of a seed."""
    world = drawn(Seeded(seed))
    change(world)
    return finish(world, seed)


def finish(world: SimulatedWorld, seed: int | None = None, *, twice: bool = True) -> Result:
    """Run a world to its rest; ``twice``: and deliver all its events again."""
    rest = Rest(world)
    try:
        rest.come()
        if twice and not rest.found and not promises.left_open(world):
            rest.again()
    except Exception as error:  # noqa: BLE001 - whatever breaks out is a finding of this schedule
        rest.found.append(f"broke out: {type(error).__name__}: {error}")
    found = [*world_violations(world), *rest.found]
    return Result(seed, found, rest.mended, world.faults.done, len(world.calls.trace), world)


def told(result: Result) -> str:
    """A readable trace: one line a step."""
    world = result.world
    lines = [
        f"{when:12.2f}  {who:<14} {what:<28} {subject}  {outcome}"
        for when, who, what, subject, outcome in world.calls.trace
    ]
    head = f"seed {result.seed}: {world.setup}, versioned={world.versioned}, source {SOURCE_BUCKET}"
    return "\n".join([head, *lines, *(f"VIOLATED  {one}" for one in result.violations)])
