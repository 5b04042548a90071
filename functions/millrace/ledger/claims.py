"""Claims: the ledger's pure rules together with its store, retried where another was quicker."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from millrace.errors import LostRace, TransientError
from millrace.ledger.entries import Entry, Failure, State
from millrace.ledger.rules import ClaimRequest, Finish, Refusal, advance_sequencer, announce_outputs, claim, settle
from millrace.ledger.stores import LedgerStore
from millrace.objects.lineage import Lineage
from millrace.objects.messages import Request
from millrace.objects.references import ObjectChange, ObjectRef
from millrace.objects.store import ObjectStore

LEASE_MARGIN = timedelta(minutes=10)
"""How long a lease outlives the invocation that took it: by so much two workers' clocks may differ before one takes
over while the other can still write. It costs nothing: a killed worker's message is invisible for longer."""
_KEEP_OBSOLETE = frozenset({State.FAILED, State.WAITING, State.SUPERSEDED})
"""States in which it is left open what of it stands: the work is done again, goes on, or was another's."""
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One receipt of one message; ``remaining`` tells the seconds left to this invocation."""

    message_id: str
    remaining: Callable[[], float]
    receives: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Claims and settles for one engine on one clock."""

    ledger: LedgerStore
    now: Callable[[], datetime]
    engine: str

    def claim(
        self,
        sync: str,
        change: ObjectChange,
        fingerprint: str,
        request: Request,
        delivery: Delivery,
        *,
        intends: tuple[ObjectRef, ...] = (),
        bytes_decide: bool = True,
        provisional: bool = False,
    ) -> Entry | Refusal:
        """Claim what ``change`` is about; raise LostRace where others are quicker again and again."""
        for _ in range(_TRIES):
            now = self.now()
            claim_request = ClaimRequest(
                sync=sync,
                change=change,
                message_id=delivery.message_id,
                fingerprint=fingerprint,
                engine=self.engine,
                now=now,
                lease_until=now + timedelta(seconds=delivery.remaining()) + LEASE_MARGIN,
                run_id=request.run_id,
                intends=intends,
                bytes_decide=bytes_decide,
                provisional=provisional,
            )
            decision = claim(self.ledger.get(sync, change.ref), claim_request)
            if isinstance(decision, Refusal):
                self._remember(decision, change)
                return decision
            try:
                self._put(decision)
            except LostRace:
                continue
            return decision
        raise LostRace(f"{change.ref} under sync {sync!r}: others claimed it {_TRIES} times in a row")

    def _remember(self, refusal: Refusal, change: ObjectChange) -> None:
        known = advance_sequencer(refusal, change)
        if known is not None:
            with suppress(LostRace):
                self.ledger.put(known)

    def announce_outputs(self, claimed: Entry, refs: Iterable[ObjectRef]) -> Entry:
        """Write down what is about to be published, where the ledger does not know it; raise LostRace as ``settle``."""
        intending = announce_outputs(claimed, refs)
        if intending is not claimed:
            self._put(intending)
        return intending

    def settle(self, claimed: Entry, finish: Finish, store: ObjectStore | None = None) -> Entry:
        """Write down what came of the work; raise LostRace where the claim is no longer ours.

        What is obsolete then is deleted from ``store`` first: under the claim nobody else writes there.
        """
        settled = settle(claimed, finish, self.now())
        if store is not None and settled.obsolete and settled.state not in _KEEP_OBSOLETE:
            try:
                sweep(settled, claimed.fence, store)
            except Exception as error:  # noqa: BLE001 - what cannot be deleted now is tried again with the message
                failed = replace(finish, state=State.FAILED, failure=Failure.of(error))
                settled = settle(claimed, failed, self.now())
            else:
                settled = replace(settled, obsolete=())
        self._put(settled)
        return settled

    def _put(self, entry: Entry) -> None:
        """Put; where that fails, look whether it was done after all and only the answer was lost."""
        try:
            self.ledger.put(entry)
        except TransientError:
            if self.ledger.get(entry.sync, entry.source) != entry:
                raise


def sweep(settled: Entry, fence: int, store: ObjectStore) -> None:
    """Delete by name what is obsolete; nothing that is another's, or was written under a higher fence."""
    for output in settled.obsolete:
        there = store.head(output.ref)
        lineage = Lineage.from_metadata(there.metadata) if there else None
        if lineage is not None and lineage.is_of(settled.sync, settled.source) and lineage.fence <= fence:
            store.delete(output.ref)
