"""Circuit breakers: configuration errors in a row pause the event source, and messages wait where nothing is lost.

One circuit an event source, kept in the ledger's table; what it counts is distinct objects of one sync at a time: one
object that comes back ten times says nothing of the others. An object that alone may not be read does not count at all
(see ``read_evidence``). A sync that converts something counts from nought again. A paused event source starts again by
``millrace resume`` alone: whoever mends the configuration or the grants knows when.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from millrace.delivery.worker import Outcome
from millrace.errors import MillraceError
from millrace.ledger.entries import DONE
from millrace.ledger.races import retry_lost_race
from millrace.objects.references import ObjectRef
from millrace.texts import shorten_text

TRIPS_AT = 10
"""Distinct objects of one sync with a configuration error, without a success between."""
_TRIES = 5
_LONGEST_REASON = 1000
"""Bytes: the reason is in an alarm's text and on a command's screen, and the failures' own entries have it whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """What is known of one event source: the failed objects of each sync, and since when it is paused.

    ``failures`` holds a short hash of each object. ``revision`` grows by one with every put; ``sync`` and ``reason``
    say what paused it.
    """

    queue: str
    revision: int = 0
    failures: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    paused: datetime | None = None
    sync: str | None = None
    reason: str | None = None

    def failed(self, sync: str, source: ObjectRef, reason: str, now: datetime) -> Circuit:
        """With one more object that failed, and open if that was one too many; itself if the object is known."""
        objects = self.failures.get(sync, ())
        # Objects are counted, not attempts: one bad object that comes back ten times must not stop all others.
        mark = _mark_of(source)
        if mark in objects:
            return self
        counted = replace(self, revision=self.revision + 1, failures={**self.failures, sync: (*objects, mark)})
        if self.paused is not None or len(objects) + 1 < TRIPS_AT:
            return counted
        return replace(counted, paused=now, sync=sync, reason=shorten_text(reason, _LONGEST_REASON))

    def succeeded(self, sync: str) -> Circuit:
        """With nothing counted of a sync; what is open stays so."""
        failures = {name: objects for name, objects in self.failures.items() if name != sync}
        return replace(self, revision=self.revision + 1, failures=failures)

    def resumed(self) -> Circuit:
        """Closed, and nothing counted."""
        return Circuit(queue=self.queue, revision=self.revision + 1)


def _mark_of(source: ObjectRef) -> str:
    """A short name of an object: ten keys of a kilobyte for each sync would make the circuit's item costly."""
    return hashlib.sha256(str(source).encode(errors="replace")).hexdigest()[:16]


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
        self._failed_objects: defaultdict[tuple[str, str], set[ObjectRef]] = defaultdict(set)

    def hear(self, outcome: Outcome, queue: str) -> None:
        """Count a configuration error, or what speaks against one, of the event source ``queue``, an ARN."""
        if outcome.sync is None:
            return
        try:
            if outcome.misconfigured:
                self._failed(queue, outcome.sync, outcome.source, str(outcome.reason))
            elif outcome.result in DONE:
                self._succeeded(queue, outcome.sync)
        except MillraceError as error:
            self._trouble(str(error))

    def _failed(self, queue: str, sync: str, source: ObjectRef, reason: str) -> None:
        objects = self._failed_objects[queue, sync]
        # No more are kept than are needed: a process may live for hours.
        if len(objects) < TRIPS_AT:
            objects.add(source)
        try:
            self._move(queue, lambda circuit: circuit.failed(sync, source, reason, self._now()))
        except MillraceError:
            # Where even the ledger is out of reach, what this process has seen must do.
            if len(objects) >= TRIPS_AT:
                self._open(Circuit(queue=queue, paused=self._now(), sync=sync, reason=reason))
            raise

    def _succeeded(self, queue: str, sync: str) -> None:
        """Only who has seen a failure since the last success writes: good days cost nothing."""
        if self._failed_objects.pop((queue, sync), None):
            self._move(queue, lambda circuit: circuit.succeeded(sync))

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
        # Paused once more: somebody may have switched the event source on by hand, or the first call was lost.
        elif changed.paused is not None:
            self._sources.pause(queue)
        if changed is not circuit:
            self._circuits.put(changed)

    def _open(self, circuit: Circuit) -> None:
        try:
            self._sources.pause(circuit.queue)
        # Announced even if it could not be paused: then a person has to do it.
        finally:
            self._announce(circuit)
