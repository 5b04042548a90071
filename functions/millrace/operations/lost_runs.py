"""Big runs that nobody does any more: their objects wait, and the machine knows of no execution that is at work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from millrace.errors import LostRace
from millrace.ledger.entries import BigRunFacts, Branch, Entry, Failure, State
from millrace.ledger.stores import LedgerStore
from millrace.objects.machine import RUN_LOST, ExecutionStatus, Machine
from millrace.objects.references import ObjectRef


@dataclass(frozen=True, slots=True, kw_only=True)
class LostRuns:
    """Looks after the objects that wait for a run, when the daily comparison meets them."""

    machine: Machine
    ledger: LedgerStore
    now: Callable[[], datetime]

    def is_at_work(self, sync: str, source: ObjectRef, ask: Callable[[], object]) -> bool:
        """Whether a run works on an object. One that is lost is settled as failed, and the object asked for.

        The machine's rule has an execution that ends badly healed at once. This is for the news that were lost, and for
        a run that was written down to be resumed and never started.
        """
        entry = self.ledger.get(sync, source)
        if entry is None or entry.big_run is None or entry.state is not State.WAITING:
            return False
        execution = self.machine.describe(entry.big_run.execution)
        if execution is not None and execution.status is ExecutionStatus.RUNNING:
            return True
        return self._has_moved(entry, entry.big_run, ask)

    def _has_moved(self, entry: Entry, facts: BigRunFacts, ask: Callable[[], object]) -> bool:
        """Put that a run is lost; whether another has changed the entry since it was read, or before that."""
        # Read once more: a run settles its entry before its execution ends, so that one that ended just now has.
        if self.ledger.get(entry.sync, entry.source) != entry:
            return True
        # Before it is put: whoever is killed in between is repeated, and asks twice. The other way round the next
        # comparison would find bytes that failed, and leave them alone.
        ask()
        failure = Failure(
            branch=Branch.TRANSIENT, error=RUN_LOST, message=f"the big run {facts.name} is no more; it begins again"
        )
        lost = replace(entry, state=State.FAILED, revision=entry.revision + 1, failure=failure, finished=self.now())
        try:
            self.ledger.put(lost)
        except LostRace:
            return True
        return False
