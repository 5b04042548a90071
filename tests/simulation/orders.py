"""All orders of a world's steps, each once: of two orders that no step can tell apart only one is run.

Two steps of different actors commute if neither touches what the other one writes: a reading of the source and a write
of the ledger, say. After one of them was run first, the other one "sleeps" in the branches behind: it is not begun
there until a step comes that it does not commute with. These are the sleep sets of P. Godefroid's "Partial-Order
Methods for the Verification of Concurrent Systems" (1996), which keep every final state.

    actor 1 reads the source, actor 2 writes the entry      is run
    actor 2 writes the entry, actor 1 reads the source      is not: it leads to the same world
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.simulation.calls import Step

READS = frozenset({"dynamodb:GetItem", "s3:GetObject", "s3:GetObject range", "s3:HeadObject"})
WRITES = frozenset({"dynamodb:PutItem", "s3:PutObject"})
"""Calls on one object each. Everything else that is traced commutes with nothing: deletions and acknowledgements, at
which the promises are looked at, listings, and what the world does."""

INVOKES, QUEUE = "invokes", "the queue"
"""A message is received. Calls on objects and entries touch no queue."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a step touched."""

    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    commutes: bool = True

    def is_independent(self, other: Footprint) -> bool:
        """Whether the two steps may be exchanged."""
        if not (self.commutes and other.commutes):
            return False
        touched = other.reads | other.writes
        return not (self.writes & touched or other.writes & self.reads)


def to_footprint(trace: Sequence[Step]) -> Footprint:
    """What the lines of a trace say that a step touched."""
    reads, writes = set[str](), set[str]()
    for _, _, what, subject, _ in trace:
        # An entry's line goes on with what became of it: "s3://in/a.csv (nightly) -> in flight, revision 1".
        name = f"{what.partition(':')[0]} {subject.partition(' -> ')[0]}"
        if what in READS:
            reads.add(name)
        elif what in WRITES:
            writes.add(name)
        elif what == INVOKES:
            writes.add(QUEUE)
        else:
            return Footprint(commutes=False)
    return Footprint(frozenset(reads), frozenset(writes))


class Redundant(BaseException):
    """Every step that is possible here was run before, in an order that leads to the same world."""


@dataclass(slots=True)
class Fork:
    """A point of a schedule where something was chosen."""

    names: Sequence[str]
    taken: int
    asleep: dict[str, Footprint]
    done: dict[str, Footprint] = field(default_factory=dict)
    begins: int = 0
    ends: int = 0
    """The lines of the trace that its step left are from the one up to the other."""
    is_divided: bool = False
    """Whether something was chosen within its step, so that the step is more than one."""

    def find_free(self, first: int) -> int | None:
        """The first possibility from there on that is neither asleep nor done."""
        for index in range(first, len(self.names)):
            name = self.names[index]
            if not name or (name not in self.asleep and name not in self.done):
                return index
        return None


@dataclass(slots=True)
class AllOrders:
    """Choices in depth-first order; one instance for all schedules of a world."""

    forks: list[Fork] = field(default_factory=list)
    trace: list[Step] = field(default_factory=list)
    _at: int = 0

    def begin(self, trace: list[Step]) -> None:
        """Begin a schedule, whose steps are traced there."""
        self.trace, self._at = trace, 0

    def rest(self) -> None:
        """The schedule is over; what is traced from now on is no step."""
        if self.forks:
            self.forks[-1].ends = len(self.trace)

    def pick(self, count: int) -> int:
        """A choice within a step, which has no names: all are run."""
        if count == 1:
            return 0
        return self._choose([""] * count, is_within=True)

    def step(self, names: Sequence[str]) -> int:
        """The next step, if it is not asleep; raise Redundant if all are."""
        return self._choose(names)

    def chance(self, probability: float) -> bool:
        """Nothing fails by chance."""
        del probability
        return False

    def between(self, low: float, high: float) -> float:
        """Always the lower."""
        del high
        return low

    def go_on(self) -> bool:
        """Turn to the next schedule; False if there is none."""
        while self.forks:
            fork = self.forks[-1]
            if name := fork.names[fork.taken]:
                fork.done[name] = self._to_footprint(fork)
            following = fork.find_free(fork.taken + 1)
            if following is not None:
                fork.taken, fork.is_divided = following, False
                return True
            self.forks.pop()
        return False

    def _choose(self, names: Sequence[str], *, is_within: bool = False) -> int:
        at, self._at = self._at, self._at + 1
        if at < len(self.forks):
            return self.forks[at].taken
        fork = Fork(names, 0, {}, begins=len(self.trace))
        if self.forks:
            before = self.forks[-1]
            before.ends, before.is_divided = len(self.trace), is_within
            fork.asleep = self._find_asleep(before)
        free = fork.find_free(0)
        if free is None:
            raise Redundant
        fork.taken = free
        self.forks.append(fork)
        return free

    def _find_asleep(self, before: Fork) -> dict[str, Footprint]:
        """What sleeps behind a fork: what commutes with the step that was taken there."""
        step, known = self._to_footprint(before), before.asleep | before.done
        return {name: footprint for name, footprint in known.items() if footprint.is_independent(step)}

    def _to_footprint(self, fork: Fork) -> Footprint:
        """Of the step that was taken at a fork."""
        if not fork.names[fork.taken] or fork.is_divided:
            return Footprint(commutes=False)
        return to_footprint(self.trace[fork.begins : fork.ends])
