"""Who asked to be told of everything, what was told, and what that must be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from unittest.mock import patch

from millrace.config.notices import Notify
from millrace.ledger.claims import Claims
from millrace.ledger.entries import DONE, Branch, Finish, State, WorkEntry
from millrace.ledger.rules import E
from millrace.notices.events import Event
from millrace.notices.levels import Levels, Topic, is_final_failure
from millrace.notices.telling import EntryTeller
from millrace.objects.references import ObjectRef
from millrace.planning.planner import Planner
from tests.simulation import promises, schedules
from tests.simulation.faults import Fault
from tests.simulation.mutations import Mutation
from tests.simulation.setups import SYNC
from tests.simulation.world import SimulatedWorld

Said = tuple[str, ObjectRef, int, State]
"""Of which entry something was said: its sync, its source, its fence and its state."""


def name_of(entry: WorkEntry) -> Said:
    """What is said of an entry once, however often it is put."""
    return entry.stored_sync, entry.source, entry.fence, entry.state


@dataclass(slots=True)
class SimulatedListener:
    """Satisfies ``world.Listener``: one who wants to hear of every object."""

    world: SimulatedWorld
    told: set[Said] = field(default_factory=set)
    too_early: list[str] = field(default_factory=list)

    def teller_of(self, planner: Planner) -> HeardTeller:
        """As the functions have it, by a bus that may fail."""
        levels = replace(Levels.of(planner.document), by_sync={SYNC: Notify.OBJECTS})
        return HeardTeller(self, EntryTeller("millrace", levels, planner, send=_send_nothing))

    def hear(self, entry: WorkEntry) -> None:
        """Remember what was said, and whether the ledger had said it before."""
        self.told.add(name_of(entry))
        puts = self.world.ledger.held.puts
        if not any(isinstance(put, WorkEntry) and name_of(put) == name_of(entry) for put in puts):
            self.too_early.append(f"told: {entry.source} is {entry.state}, before the ledger says so")


@dataclass(frozen=True, slots=True)
class HeardTeller:
    """Satisfies ``Teller``: the genuine one, and somebody who hears what it sends."""

    listener: SimulatedListener
    genuine: EntryTeller

    def wants(self, entry: WorkEntry, /) -> bool:
        """As the genuine one."""
        return self.genuine.wants(entry)

    def tell(self, entry: WorkEntry, /) -> None:
        """As the genuine one; who is killed after the bus has the event has told it."""
        if not self.wants(entry):
            return
        calls = self.listener.world.calls
        names = ", ".join(event.name for event in self._events(entry))
        calls.call("events:PutEvents", f"{names} of {entry.source}", lambda: self.listener.hear(entry))

    def _events(self, entry: WorkEntry) -> list[Event]:
        events: list[Event] = []
        replace(self.genuine, send=events.extend).tell(entry)
        assert events
        return events


def _send_nothing(_events: Sequence[Event]) -> None:
    """``HeardTeller`` sends."""


def with_events(world: SimulatedWorld) -> None:
    """Somebody wants to hear of everything; at rest nothing is left untold, and nothing was told too early."""
    listener = SimulatedListener(world)
    world.listener = listener
    world.demands.append(partial(_find_untold, listener))


def _find_untold(listener: SimulatedListener, world: SimulatedWorld) -> Iterator[str]:
    yield from listener.too_early
    # A lost ledger does not say what was to be told, and a message that expired has nobody come back for it.
    if promises.forgot(world) or world.queue.expired:
        return
    for put in _list_settled(world):
        said = name_of(put)
        if said not in listener.told and not _was_told_before(put, listener.told):
            yield f"untold: {said[1]} ({said[0]}) was {said[3]} under fence {said[2]}"


def _was_told_before(put: WorkEntry, told: set[Said]) -> bool:
    """Whether a configuration error was told when it was met first."""
    if put.failure is None or put.failure.branch is not Branch.CONFIGURATION:
        return False
    return any((put.stored_sync, put.source, fence, put.state) in told for fence in range(put.fence))


def _list_settled(world: SimulatedWorld) -> Iterator[WorkEntry]:
    """What the ledger ever said of work that came to its end, whoever was killed then."""
    levels = Levels.of(world.setup.planner.document)
    last: dict[tuple[str, ObjectRef], WorkEntry] = {}
    for put in world.ledger.held.puts:
        if not isinstance(put, WorkEntry):
            continue
        before = last.get((put.stored_sync, put.source))
        last[put.stored_sync, put.source] = put
        # Who demotes or rebuilds an entry does no work on its object.
        if before is not None and before.state is State.IN_FLIGHT and _is_told(put, levels.to_topic(put)):
            yield put


def _is_told(entry: WorkEntry, topic: Topic) -> bool:
    if is_final_failure(entry):
        return True
    match topic:
        case Topic.OBJECT:
            return entry.state in DONE | {State.REMOVED}
        case Topic.BUILD:
            return entry.state in DONE
        case _:
            return False


# Rules, switched off


def with_events_and_deaths(world: SimulatedWorld) -> None:
    """One object that is overwritten and deleted, by workers who die often."""
    with_events(world)
    world.faults.set({Fault.KILLED_AFTER: 0.04, Fault.KILLED_BEFORE: 0.04, Fault.EVENT_LATE: 0.2})
    world.script = []
    for seconds in (5.0, 60.0, 6000.0):
        world.script += [partial(schedules.put, world.setup.keys[0]), partial(schedules.wait, seconds)]


@contextmanager
def _telling_early() -> Iterator[None]:
    """Tells, and then writes it down."""
    genuine = Claims._put_settled

    def put_settled(self: Claims, claimed: E, finish: Finish, settled: E) -> E:
        if self.teller is not None and settled.is_untold:
            self.teller.tell(settled)
        return genuine(self, claimed, finish, settled)

    with patch.object(Claims, "_put_settled", put_settled):
        yield


@contextmanager
def _telling_once() -> Iterator[None]:
    """Writes it down, and then tells, with nothing in the ledger that says so."""
    genuine = Claims._put_settled

    def put_settled(self: Claims, claimed: E, finish: Finish, settled: E) -> E:
        put = genuine(self, claimed, finish, replace(settled, announcement=None))
        if self.teller is not None and settled.is_untold:
            self.teller.tell(settled)
        return put

    with patch.object(Claims, "_put_settled", put_settled):
        yield


def _leaving_it_untold() -> AbstractContextManager[object]:
    """The worker alone tells of what it has just settled; who claims next goes on, whatever is untold."""
    genuine = Claims._claim

    def claim(self: Claims, *rest: Any) -> Any:
        return genuine(replace(self, teller=None), *rest)

    return patch.object(Claims, "_claim", claim)


EVENT_MUTATIONS: tuple[Mutation, ...] = (
    Mutation("events follow the ledger", _telling_early, with_events_and_deaths),
    Mutation("what is to be told is written down", _telling_once, with_events_and_deaths),
    Mutation("who comes next tells first", _leaving_it_untold, with_events_and_deaths),
)
"""Rules of telling."""
