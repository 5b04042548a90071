"""The one way of every call to a port: others may go on first, then a fault may meet it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from millrace.errors import AccessDenied, MillraceError, ServiceUnavailable
from tests.simulation.choices import Choices
from tests.simulation.faults import Fault, Faults
from tests.simulation.scheduler import Actor, Killed, Scheduler

T = TypeVar("T")
_LAST_LOOK_SECONDS = 14.0
"""What is left of an invocation when a conversion looks at its clock for the last time."""
BEGINNING = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass(slots=True)
class Clock:
    """Seconds since the beginning: nobody's own clock but the truth."""

    now: float = 0.0

    def at(self, skew: float = 0.0) -> datetime:
        """The time on a clock that is so many seconds ahead."""
        return BEGINNING + timedelta(seconds=self.now + skew)


@dataclass(frozen=True, slots=True)
class Landing:
    """A call whose worker is gone, and which its service carries out at ``due`` all the same."""

    due: float
    name: str
    subject: str
    apply: Callable[[], object]


Step = tuple[float, str, str, str, str]
"""When, who, what, on what, what came of it."""


@dataclass(slots=True)
class Calls:
    """Carries out calls of the actor that runs."""

    clock: Clock
    scheduler: Scheduler
    choices: Choices
    faults: Faults
    answers: tuple[float, ...] = (0.2, 3.0, 40.0, 200.0, 600.0)
    """Seconds that a slow answer takes; two of the last are more than an invocation has."""
    trace: list[Step] = field(default_factory=list)
    planned: list[tuple[str, str, Fault]] = field(default_factory=list)
    """Faults that meet the next call of that name on such a subject, once each."""
    commuting: frozenset[str] = frozenset()
    """Calls before which nobody else goes on, because their order among others' calls changes nothing."""
    lateness: float = 60.0
    """Seconds at most until a call lands whose worker is gone."""
    landings: list[Landing] = field(default_factory=list)

    def demand_alive(self) -> None:
        """Stop what the code of a killed actor would do while its stack unwinds: its process is gone."""
        actor = self.scheduler.current
        if actor is not None and actor.dead:
            raise Killed

    def note(self, what: str, subject: object = "", result: object = "") -> None:
        """Add a line to the trace."""
        actor = self.scheduler.current
        self.trace.append((self.clock.now, actor.name if actor else "world", what, str(subject), str(result)))

    @property
    def may_be_stale(self) -> bool:
        """Whether the actor that runs need not rely on listings. S3's are consistent; a run over files needs that."""
        actor = self.scheduler.current
        return actor is not None and not actor.name.startswith("convert")

    def call(self, name: str, subject: object, apply: Callable[[], T]) -> T:
        """Let others go on, then apply; before, after or instead of which a fault may come."""
        self._wait(name)
        fault = self._planned(name, str(subject)) or self.faults.at_call(name)
        if fault is Fault.SLOW:
            self._slow(name, subject)
        elif fault is Fault.KILLED_BEFORE:
            self._die(name, subject, fault)
        elif fault is Fault.LANDS_LATE:
            due = self.clock.now + self.choices.between(0.0, self.lateness)
            self.landings.append(Landing(due, name, str(subject), apply))
            self._die(name, subject, fault)
        elif fault is Fault.DENIED:
            self.note(name, subject, fault)
            raise AccessDenied(f"{name}: simulated")
        elif fault is Fault.FAILED:
            self.note(name, subject, fault)
            raise ServiceUnavailable(f"{name}: simulated, not applied")
        result = self._applied(name, subject, apply, fault)
        if fault is Fault.KILLED_AFTER:
            self._die(name, subject, fault)
        if fault is Fault.ANSWER_LOST:
            raise ServiceUnavailable(f"{name}: simulated, applied")
        if fault is Fault.TRIED_TWICE:
            return self._applied(name, subject, apply, None)
        return result

    def work(self, subject: object, seconds: float, look_at_clock: Callable[[], None] | None = None) -> None:
        """Let the actor work for so long; as the engine does, it looks at its clock before its invocation ends.

        Without ``look_at_clock`` it works to the end, and is killed where its invocation ends sooner.
        """
        actor, end = self._actor(), self.clock.now + seconds
        self.note("works", subject, f"{seconds:g} s")
        self.faults.count(Fault.LONG_WORK, "engine")
        while self.clock.now < end:
            next_look = max(self.clock.now + 1.0, actor.deadline - _LAST_LOOK_SECONDS)
            actor.ready_at = end if look_at_clock is None else min(end, next_look)
            self._wait("engine")
            if look_at_clock is not None:
                look_at_clock()

    def crash(self, subject: object) -> None:
        """Kill the actor, as an object does that exhausts the memory."""
        self.faults.count(Fault.KILLER, "engine")
        self._die("reads", subject, Fault.KILLER)

    def land_due(self) -> None:
        """Carry out what is due of calls whose workers are gone; nobody hears of the answer."""
        now = self.clock.now
        due = [landing for landing in self.landings if landing.due <= now]
        if not due:
            return
        self.landings = [landing for landing in self.landings if landing.due > now]
        for landing in due:
            try:
                landing.apply()
            except MillraceError as error:
                self.note("lands late", f"{landing.name} {landing.subject}", type(error).__name__)
            else:
                self.note("lands late", f"{landing.name} {landing.subject}")

    def next_landing(self) -> float | None:
        """When the next call lands."""
        return min((landing.due for landing in self.landings), default=None)

    def _planned(self, name: str, subject: str) -> Fault | None:
        for number, (call, part, fault) in enumerate(self.planned):
            if call == name and part in subject:
                del self.planned[number]
                self.faults.count(fault, name)
                return fault
        return None

    def _applied(self, name: str, subject: object, apply: Callable[[], T], fault: Fault | None) -> T:
        try:
            result = apply()
        except MillraceError as error:
            self.note(name, subject, f"{type(error).__name__} {fault or ''}")
            raise
        self.note(name, subject, fault or "")
        return result

    def _wait(self, name: str) -> None:
        if name not in self.commuting:
            self.scheduler.switch()
        actor = self.scheduler.current
        if actor is not None and self.clock.now >= actor.deadline:
            self.faults.count(Fault.TIMED_OUT, name)
            self._die(name, "", Fault.TIMED_OUT)

    def _slow(self, name: str, subject: object) -> None:
        actor = self._actor()
        seconds = self.answers[self.choices.pick(len(self.answers))]
        self.note(name, subject, f"takes {seconds:g} s")
        actor.ready_at = self.clock.now + seconds
        self._wait(name)

    def _die(self, name: str, subject: object, fault: Fault) -> None:
        self.note(name, subject, fault)
        self._actor().dead = True
        raise Killed

    def _actor(self) -> Actor:
        actor = self.scheduler.current
        assert actor is not None
        return actor
