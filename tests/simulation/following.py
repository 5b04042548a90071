"""Reprocesses that are followed to their ends in the simulated world, by the schedule that looks after them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from unittest.mock import patch

from millrace.config.notices import Notify
from millrace.errors import MillraceError
from millrace.notices.events import Event, RunEvent, RunStarted
from millrace.notices.levels import Levels
from millrace.objects.messages import Ticket, parse_message
from millrace.operations.asked_runs import AskedRun, AskedRuns
from millrace.operations.following import RunFollower
from millrace.operations.run_events import RunTeller
from tests.fakes import InMemoryAskedRuns
from tests.simulation import promises, schedules
from tests.simulation.backfills import BackfillTable
from tests.simulation.calls import BEGINNING
from tests.simulation.faults import Fault
from tests.simulation.mutations import Mutation
from tests.simulation.scheduler import Actor
from tests.simulation.setups import SYNC
from tests.simulation.world import SimulatedWorld

_TENDED_EVERY = 600.0
_LOST_AFTER = timedelta(days=11)


@dataclass(slots=True)
class AskedRunTable:
    """Satisfies ``AskedRunStore`` for the actor that runs; ``asked`` are the ids of all that was ever asked for."""

    world: SimulatedWorld
    held: InMemoryAskedRuns = field(default_factory=InMemoryAskedRuns)
    asked: set[str] = field(default_factory=set)

    def asked_runs(self) -> AskedRuns:
        """A consistent read."""
        return self.world.calls.call("dynamodb:GetItem", "reprocesses", self.held.asked_runs)

    def put_asked_runs(self, runs: AskedRuns) -> None:
        """A conditional write."""

        def put() -> None:
            self.held.put_asked_runs(runs)
            self.asked.update(run.run_id for run in runs.runs if run.is_asked)

        self.world.calls.call("dynamodb:PutItem", f"reprocesses: {len(runs.runs)}", put)


@dataclass(slots=True)
class SimulatedFollowing:
    """Satisfies ``world.Following`` and ``world.Engine``: who counts tickets, and who looks after runs."""

    world: SimulatedWorld
    book: BackfillTable = field(init=False)
    table: AskedRunTable = field(init=False)
    begun: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    too_early: list[str] = field(default_factory=list)
    tended: float = 0.0

    def __post_init__(self) -> None:
        self.book = BackfillTable(self.world.calls)
        self.table = AskedRunTable(self.world)

    def follower_of(self, now: Callable[[], datetime]) -> RunFollower:
        """As the functions have it."""
        runs = RunTeller("millrace", Levels({SYNC: Notify.RUNS}, {}), self._send)
        return RunFollower(store=self.table, results=self.book.results, runs=runs, now=now)

    def choices(self) -> list[Callable[[], None]]:
        """The schedule comes always; a world must come to rest, so it comes if something would change."""
        time = self.next_time()
        return [self._tend] if time is not None and time <= self.world.clock.now else []

    def next_time(self) -> float | None:
        """When it changes something."""
        runs = self.table.held.kept.runs
        if any(map(self._is_due, runs)):
            return self.tended + _TENDED_EVERY
        # What expired is never settled: it is given up when no message can be left.
        if runs and not self.world.queue.messages:
            return max((run.started + _LOST_AFTER - BEGINNING).total_seconds() for run in runs)
        return None

    def hear(self, event: RunEvent) -> None:
        """Remember what was said, and whether it was true."""
        row = next((run for run in self.table.held.kept.runs if run.run_id == event.run), None)
        if isinstance(event, RunStarted):
            self.begun.add(event.run)
            if event.run not in self.table.asked:
                self.too_early.append(f"told: run {event.run} has begun, before the table says so")
            return
        is_told_before = event.run in self.ended
        self.ended.add(event.run)
        if is_told_before:
            return
        if row is None or row.finished is None:
            self.too_early.append(f"told: run {event.run} has ended, before the table says so")
        elif not event.counts["open"] and self._list_open(row):
            self.too_early.append(f"told: run {event.run} has ended, and {self._list_open(row)[0]} is open")

    def _send(self, events: Sequence[Event]) -> None:
        for event in events:
            assert isinstance(event, RunEvent)
            self.world.calls.call("events:PutEvents", f"{event.name} of {event.run}", partial(self.hear, event))

    def _is_due(self, run: AskedRun) -> bool:
        is_untold = run.is_asked and not run.is_begin_told
        return is_untold or run.finished is not None or (run.is_asked and not self._list_open(run))

    def _list_open(self, run: AskedRun) -> list[Ticket]:
        """The tickets of the run's messages that are not counted; of what is in no queue any more nobody knows."""
        portions = set(run.portion_names())
        counted = self.book.held.settled
        there = list[Ticket]()
        for message in self.world.queue.messages:
            for request in parse_message(message.body).requests:
                ticket = request.ticket
                if ticket is not None and ticket.backfill == run.name and ticket.portion in portions:
                    there.append(ticket)
        done = {(name, portion, number) for (name, portion, _), numbers in counted.items() for number in numbers}
        return [ticket for ticket in there if (ticket.backfill, ticket.portion, ticket.number) not in done]

    def _tend(self) -> None:
        self.tended = self.world.clock.now
        self.world.operate("tend", self._tend_runs)

    def _tend_runs(self, actor: Actor) -> None:
        try:
            self.follower_of(self.world.time_of(actor)).tend()
        except MillraceError as error:
            self.world.calls.note("fails", "tend", str(error)[:100])


def with_followed_runs(world: SimulatedWorld) -> None:
    """People have all converted again, and want to hear when it is done."""
    following = SimulatedFollowing(world)
    world.following = following
    world.engines.append(following)
    world.demands.append(partial(_find_untold, following))
    # Each schedule has one at least.
    world.script.append(schedules.reprocess)


def _find_untold(following: SimulatedFollowing, world: SimulatedWorld) -> Iterator[str]:
    yield from following.too_early
    if promises.forgot(world):
        return
    for run_id in following.table.asked:
        if run_id not in following.begun:
            yield f"untold: run {run_id} has begun"
        if run_id not in following.ended:
            yield f"untold: run {run_id} has ended"


def with_runs_and_deaths(world: SimulatedWorld) -> None:
    """Objects that are asked for again and again, by functions that die often."""
    with_followed_runs(world)
    world.faults.set({Fault.KILLED_AFTER: 0.03, Fault.KILLED_BEFORE: 0.03})
    world.script = [partial(schedules.put, key) for key in world.setup.keys]
    for seconds in (60.0, 6000.0, 6000.0):
        world.script += [schedules.reprocess, partial(schedules.wait, seconds)]


@contextmanager
def _telling_before_it_is_written() -> Iterator[None]:
    genuine = RunFollower._judge

    def judge(self: RunFollower, run: AskedRun) -> AskedRun:
        judged = genuine(self, run)
        if judged.finished is not None and run.finished is None:
            self.runs.tell_reprocess_end(judged)
        return judged

    with patch.object(RunFollower, "_judge", judge):
        yield


def _forgetting_before_it_is_told() -> AbstractContextManager[object]:
    """The list forgets a run as soon as it has ended, and then it is told."""
    genuine = RunFollower._tell

    def tell(self: RunFollower, run: AskedRun) -> list[AskedRun]:
        if run.finished is not None:
            board = self.store.asked_runs()
            self.store.put_asked_runs(board.with_runs([there for there in board.runs if there.name != run.name]))
        return genuine(self, run)

    return patch.object(RunFollower, "_tell", tell)


def _ending_with_the_first() -> AbstractContextManager[object]:
    def judge(self: RunFollower, run: AskedRun) -> AskedRun:
        results = [result.to_counts() for result in self.results(run.name, run.portion_names())]
        if run.finished is None and any(counts.settled for counts in results):
            return replace(run, counts=replace(run.counts, done=run.counts.asked), finished=self.now())
        return run

    return patch.object(RunFollower, "_judge", judge)


FOLLOWING_MUTATIONS: tuple[Mutation, ...] = (
    Mutation("the end of a run follows the list", _telling_before_it_is_written, with_runs_and_deaths),
    Mutation("a run is forgotten when its end is told", _forgetting_before_it_is_told, with_runs_and_deaths),
    Mutation("a run ends with its last object", _ending_with_the_first, with_runs_and_deaths),
)
"""Rules of following runs."""
