"""The machine of big runs in the simulated world: it lasts, and its children are invocations that may die.

It goes from phase to phase as ``big_runs.runner`` does, but everything happens whenever the world chooses: two children
of a map are at work at once, one that dies is repeated, one may run twice, an execution may be stopped or lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from millrace.big_runs.events import AFTER_MAP, DONE, FAILED, MAPS, Phase, PhaseEvent, PhaseOutcome, RunPlace
from millrace.objects.machine import Execution, ExecutionStatus
from tests.simulation.calls import Calls
from tests.simulation.faults import Fault
from tests.simulation.scheduler import Actor

_TRIES = 5
_SIDE_BY_SIDE = 2
_HEALINGS = 3

Work = Callable[[PhaseEvent, Actor], PhaseOutcome]


@dataclass(eq=False, slots=True)
class Child:
    """An invocation of one phase, and what came of it; both None: it is at work, or it died."""

    event: PhaseEvent
    actor: Actor
    outcome: PhaseOutcome | None = None
    error: Exception | None = None


@dataclass(slots=True)
class SimulatedExecution:
    """An execution: the phase that it is in, what is left of it, and who is at work."""

    name: str
    place: RunPlace
    started: datetime
    status: ExecutionStatus = ExecutionStatus.RUNNING
    phase: Phase = Phase.PLAN
    error: Mapping[str, Any] | None = None
    left: list[int] = field(default_factory=lambda: [0])
    tries: dict[int, int] = field(default_factory=dict)
    children: list[Child] = field(default_factory=list)
    waits_until: float = 0.0


Items = list[int]
Healing = list[tuple[Child, int]]
Steps = list[Callable[[], None]]
Executions = list[SimulatedExecution]


@dataclass(eq=False)
class SimulatedMachine:
    """Satisfies ``objects.machine.Machine`` for the actor that runs; ``work`` is one invocation of the function."""

    calls: Calls
    spawn: Callable[[str, Callable[[Actor], None]], Actor]
    work: Work
    executions: dict[str, SimulatedExecution] = field(default_factory=dict)
    healing: Healing = field(default_factory=list)

    def start(self, name: str, argument: Mapping[str, Any]) -> None:
        """Begin, unless there is an execution of that name."""

        def begin() -> None:
            if name not in self.executions:
                place = RunPlace.from_input(argument)
                self.executions[name] = SimulatedExecution(name, place, self.calls.clock.at())

        self.calls.call("states:StartExecution", name, begin)

    def describe(self, name: str) -> Execution | None:
        """Where an execution is."""

        def find() -> Execution | None:
            execution = self.executions.get(name)
            if execution is None:
                return None
            return Execution(name=name, status=execution.status, started=execution.started)

        return self.calls.call("states:DescribeExecution", name, find)

    def stop(self, name: str, reason: str) -> None:
        """End an execution from outside; its children go on, as Lambda's do."""
        execution = self.executions[name]
        self.calls.note("stops", name, reason)
        execution.status = ExecutionStatus.ABORTED

    def list(self, status: ExecutionStatus | None = None) -> Iterator[Execution]:
        """Not asked for here."""
        raise NotImplementedError(status)

    def next_time(self) -> float | None:
        """When an execution that waits goes on."""
        waits = [one.waits_until for one in self._running() if one.waits_until > self.calls.clock.now]
        return min(waits, default=None)

    def choices(self) -> Steps:
        """What can happen next of itself."""
        found: Steps = []
        if not (self.executions or self.healing):
            return found  # as in most worlds, at each of a hundred thousand steps
        self._repeat_healing()
        for execution in self._running():
            self._reap(execution)
            if execution.status is not ExecutionStatus.RUNNING or execution.waits_until > self.calls.clock.now:
                continue
            if execution.left and len(execution.children) < _SIDE_BY_SIDE:
                found.append(partial(self._begin_child, execution))
        return found

    def _running(self) -> Executions:
        return [one for one in self.executions.values() if one.status is ExecutionStatus.RUNNING]

    def _begin_child(self, execution: SimulatedExecution) -> None:
        if self._ends_from_outside(execution):
            return
        index = execution.left.pop(0)
        event = PhaseEvent(phase=execution.phase, place=execution.place, index=index, error=execution.error)
        execution.children.append(self._invoke(event))
        if self.calls.faults.draw(Fault.CHILD_TWICE, execution.phase):
            self._invoke(event)

    def _ends_from_outside(self, execution: SimulatedExecution) -> bool:
        """Somebody stops it, which the function hears of, as a rule; or it is gone and nobody says so."""
        if self.calls.faults.draw(Fault.RUN_LOST, execution.phase):
            self.calls.note("loses", execution.name)
            execution.status = ExecutionStatus.FAILED
            return True
        if not self.calls.faults.draw(Fault.RUN_STOPPED, execution.phase):
            return False
        self.stop(execution.name, "simulated")
        self.heal(execution)
        return True

    def heal(self, execution: SimulatedExecution) -> None:
        """What the rule on ends of executions invokes."""
        event = PhaseEvent(
            phase=Phase.HEAL, place=execution.place, status=str(execution.status), execution=execution.name
        )
        self.healing.append((self._invoke(event), 1))

    def _repeat_healing(self) -> None:
        """Lambda tries an asynchronous invocation twice again (Lambda Developer Guide, "Asynchronous invocation")."""
        for child, tries in list(self.healing):
            if child.outcome is None and child.error is None and not child.actor.dead:
                continue
            self.healing.remove((child, tries))
            if child.outcome is None and tries < _HEALINGS:
                self.healing.append((self._invoke(child.event), tries + 1))
            elif child.outcome is None:
                self.calls.faults.count(Fault.RUN_LOST, "heal")

    def _invoke(self, event: PhaseEvent) -> Child:
        child: Child

        def body(actor: Actor) -> None:
            try:
                child.outcome = self.work(event, actor)
            except Exception as error:  # noqa: BLE001 - as Lambda does, whatever it is
                self.calls.note("raises", event.phase, f"{type(error).__name__}: {error}"[:100])
                child.error = error

        child = Child(event, self.spawn(f"{event.phase} {event.index} of {event.place.run[-6:]}", body))
        return child

    def _reap(self, execution: SimulatedExecution) -> None:
        """Take note of children that have ended; go on where all of a phase have."""
        for child in list(execution.children):
            is_over = child.outcome is not None or child.error is not None or child.actor.dead
            if is_over:
                execution.children.remove(child)
                self._take(execution, child)
        if execution.phase in MAPS and not execution.left and not execution.children:
            self._enter(execution, AFTER_MAP[execution.phase], [0])

    def _take(self, execution: SimulatedExecution, child: Child) -> None:
        if child.event.phase is not execution.phase:
            return
        if child.outcome is None:
            self._repeat(execution, child)
        elif execution.phase not in MAPS:
            self._follow(execution, child.outcome)

    def _repeat(self, execution: SimulatedExecution, child: Child) -> None:
        index = child.event.index
        tries = execution.tries[index] = execution.tries.get(index, 1) + 1
        if tries <= _TRIES:
            execution.left.append(index)
        elif execution.phase is Phase.FAIL:
            execution.status = ExecutionStatus.FAILED
            self.heal(execution)
        else:
            name = type(child.error).__name__ if child.error is not None else "Runtime.ExitError"
            execution.error = {"Error": name, "Cause": str(child.error or "the process is gone")}
            execution.children.clear()
            self._enter(execution, Phase.FAIL, [0])

    def _follow(self, execution: SimulatedExecution, outcome: PhaseOutcome) -> None:
        if outcome.next in {DONE, FAILED}:
            is_done = outcome.next == DONE
            execution.status = ExecutionStatus.SUCCEEDED if is_done else ExecutionStatus.FAILED
            return
        following = Phase(outcome.next)
        execution.waits_until = self.calls.clock.now + outcome.wait
        if following in MAPS and not outcome.items:
            self._enter(execution, AFTER_MAP[following], [0])
        else:
            self._enter(execution, following, list(outcome.items) if following in MAPS else [0])

    def _enter(self, execution: SimulatedExecution, phase: Phase, items: Items) -> None:
        execution.phase, execution.left, execution.tries = phase, items, {}
