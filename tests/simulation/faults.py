"""What goes wrong, how often, and a tally of it."""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass, field

from tests.simulation.choices import Choices


class Fault(enum.StrEnum):
    """Everything that the world does to the program."""

    KILLED_BEFORE = "killed before the call"
    KILLED_AFTER = "killed after the call"
    LANDS_LATE = "killed, and the call lands later"
    TIMED_OUT = "invocation timed out"
    KILLER = "object that kills its worker"
    FORBIDDEN = "object that nobody may read"
    ARCHIVED = "object in an archive tier"
    LONG_WORK = "work of minutes"
    FAILED = "5xx or throttle, not applied"
    ANSWER_LOST = "5xx or no answer, applied"
    TRIED_TWICE = "answer lost, repeated by the client"
    DENIED = "access denied"
    CONFLICT = "409, two writes at once"
    SLOW = "slow call"
    STALE = "stale listing or index"
    SKEW = "clock off by minutes"
    EVENT_LOST = "event lost"
    EVENT_TWICE = "event twice"
    EVENT_LATE = "event late by minutes"
    EVENT_BEYOND_LEASE = "event later than a lease"
    EVENT_BEYOND_RETENTION = "event later than the retention"
    ONE_EVENT_FOR_TWO = "two writes, one event"
    OVERWRITTEN = "source overwritten"
    DELETED = "source deleted"
    SAME_BYTES_AGAIN = "earlier bytes again"
    VERSION_DELETED = "newest version deleted"
    UNDELETED = "delete marker removed"
    OLDER_TIME = "multipart upload, with the time of its beginning"
    HOSTILE_KEY = "hostile key"
    COPIED = "output copied by a stranger"
    UNACKNOWLEDGED = "acknowledgement lost"
    LEDGER_RESTORED = "ledger of yesterday"
    LEDGER_GONE = "ledger gone"
    RECONFIGURED = "configuration changed"
    REPROCESSED = "reprocess into live work"
    RECONCILED = "reconcile into live work"
    REBUILT = "ledger rebuilt into live work"
    PAUSED = "event source paused by the breaker"
    UNTOLD = "object from before the notifications"
    CHILD_TWICE = "child of a big run invoked twice"
    RUN_STOPPED = "big run stopped by a person"
    RUN_LOST = "big run lost without a word"


AT_CALLS = (
    Fault.KILLED_BEFORE,
    Fault.KILLED_AFTER,
    Fault.LANDS_LATE,
    Fault.FAILED,
    Fault.ANSWER_LOST,
    Fault.TRIED_TWICE,
    Fault.SLOW,
    Fault.DENIED,
)
"""Faults that may meet any call of any port."""


@dataclass(slots=True)
class Faults:
    """The rates of one schedule, and what was done. ``active`` ends when the world comes to rest."""

    choices: Choices
    rates: dict[Fault, float] = field(default_factory=dict)
    done: Counter[tuple[Fault, str]] = field(default_factory=Counter)
    active: bool = True
    _at_calls: float = 0.0

    def __post_init__(self) -> None:
        self.set(self.rates)

    def set(self, rates: dict[Fault, float]) -> None:
        """Let these be the rates."""
        self.rates = rates
        self._at_calls = sum(self.rates.get(fault, 0.0) for fault in AT_CALLS)

    def draw(self, fault: Fault, where: str = "") -> bool:
        """Whether this fault happens here and now."""
        happens = self.active and self.choices.chance(self.rates.get(fault, 0.0))
        if happens:
            self.count(fault, where)
        return happens

    def at_call(self, call: str) -> Fault | None:
        """The fault that meets a call, if any: one draw for all kinds."""
        if not (self.active and self.choices.chance(self._at_calls)):
            return None
        kinds = [fault for fault in AT_CALLS if self.rates.get(fault)]
        fault = kinds[self.choices.pick(len(kinds))]
        self.count(fault, call)
        return fault

    def count(self, fault: Fault, where: str = "") -> None:
        """Write down that it was done."""
        self.done[fault, where] += 1

    def happened(self, *faults: Fault) -> bool:
        """Whether one of these was done."""
        return any(fault in faults for fault, _ in self.done)
