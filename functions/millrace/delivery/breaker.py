"""Circuit breakers: configuration errors in a row pause the event source, and messages wait where nothing is lost.

One circuit an event source, kept in the ledger's table; what it counts is of one sync at a time. A sync that converts
something counts from nought again. A paused event source starts again by ``millrace resume`` alone: whoever mends the
configuration or the grants knows when.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from millrace.delivery.worker import Outcome
from millrace.errors import MillraceError
from millrace.ledger.entries import DONE
from millrace.ledger.races import retry_lost_race

TRIPS_AT = 10
"""Configuration errors of one sync in a row."""
_TRIES = 5
_LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """What is known of one event source; ``failures`` counts by sync, ``paused`` is since when it is open.

    ``revision`` grows by one with every put; ``sync`` and ``reason`` tell what paused it.
    """

    queue: str
    revision: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    paused: datetime | None = None
    sync: str | None = None
    reason: str | None = None

    def failed(self, sync: str, reason: str, now: datetime) -> Circuit:
        """With one more configuration error; open where that was the last it stands."""
        count = self.failures.get(sync, 0) + 1
        counted = replace(self, revision=self.revision + 1, failures={**self.failures, sync: count})
        if self.paused is not None or count < TRIPS_AT:
            return counted
        return replace(counted, paused=now, sync=sync, reason=reason[:_LONGEST_REASON])

    def succeeded(self, sync: str) -> Circuit:
        """With nothing counted of a sync; what is open stays so."""
        failures = {name: count for name, count in self.failures.items() if name != sync}
        return replace(self, revision=self.revision + 1, failures=failures)

    def resumed(self) -> Circuit:
        """Closed, and nothing counted."""
        return Circuit(queue=self.queue, revision=self.revision + 1)


def how_to_resume(circuit: Circuit) -> str:
    """What to do about an open circuit, in a sentence."""
    return (
        f"sync {circuit.sync!r} failed again and again because of its configuration, so nothing is received from "
        f"{circuit.queue} until somebody mends that ({circuit.reason}) and runs: millrace resume"
    )


class Circuits(Protocol):
    """Where circuits are kept."""

    def get(self, queue: str) -> Circuit | None:
        """The newest circuit, read consistently."""
        ...

    def put(self, circuit: Circuit) -> None:
        """Replace revision ``circuit.revision - 1`` (0: none yet); raise LostRace where another revision stands."""
        ...


class EventSources(Protocol):
    """The queues that feed the convert function."""

    def pause(self, queue: str) -> None:
        """Stop receiving from the queue of that ARN; harmless where it is stopped."""
        ...


class Breaker:
    """Hears what becomes of messages, and pauses an event source whose messages cannot succeed.

    ``announce`` hears of a circuit that opens, once but for rare races; ``trouble`` hears why the breaker itself could
    not do its work, which never stops anybody else's.
    """

    def __init__(
        self,
        *,
        circuits: Circuits,
        sources: EventSources,
        now: Callable[[], datetime],
        announce: Callable[[Circuit], None],
        trouble: Callable[[str], None],
    ) -> None:
        self._circuits = circuits
        self._sources = sources
        self._now = now
        self._announce = announce
        self._trouble = trouble
        self._counted: Counter[tuple[str, str]] = Counter()

    def hear(self, outcome: Outcome, queue: str) -> None:
        """Count a configuration error, or what speaks against one, of the event source ``queue``, an ARN."""
        if outcome.sync is None:
            return
        try:
            if outcome.misconfigured:
                self._failed(queue, outcome.sync, str(outcome.reason))
            elif outcome.result in DONE:
                self._succeeded(queue, outcome.sync)
        except MillraceError as error:
            self._trouble(str(error))

    def _failed(self, queue: str, sync: str, reason: str) -> None:
        self._counted[queue, sync] += 1
        try:
            self._move(queue, lambda known: known.failed(sync, reason, self._now()))
        except MillraceError:
            # Where even the ledger is out of reach, what this process has seen must do.
            if self._counted[queue, sync] >= TRIPS_AT:
                self._open(Circuit(queue=queue, paused=self._now(), sync=sync, reason=reason))
            raise

    def _succeeded(self, queue: str, sync: str) -> None:
        """Only who has seen a failure since the last success writes: good days cost nothing."""
        if self._counted.pop((queue, sync), 0):
            self._move(queue, lambda known: known.succeeded(sync))

    def _move(self, queue: str, change: Callable[[Circuit], Circuit]) -> None:
        retry_lost_race(
            lambda: self._move_once(queue, change),
            tries=_TRIES,
            problem=f"the circuit of {queue} was changed by others {_TRIES} times in a row",
        )

    def _move_once(self, queue: str, change: Callable[[Circuit], Circuit]) -> None:
        circuit = self._circuits.get(queue) or Circuit(queue=queue)
        changed = change(circuit)
        # Paused and announced first: a worker that is killed before the put leaves it to be done again, not undone.
        if changed.paused is not None and circuit.paused is None:
            self._open(changed)
        elif changed.paused is not None:
            self._sources.pause(queue)
        self._circuits.put(changed)

    def _open(self, circuit: Circuit) -> None:
        try:
            self._sources.pause(circuit.queue)
        finally:
            self._announce(circuit)
