"""Claims: the ledger's pure rules together with its store, retried where another was quicker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from millrace.errors import LostRace
from millrace.events import Request
from millrace.ledger import Bid, Entry, Finish, LedgerStore, Refusal, claim, settle
from millrace.objects import ObjectChange

LEASE_MARGIN = timedelta(seconds=60)
"""How long a lease outlives the invocation that took it: nobody takes over while the owner can still write."""
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
        self, sync: str, change: ObjectChange, fingerprint: str, request: Request, delivery: Delivery
    ) -> Entry | Refusal:
        """Claim what ``change`` is about; raise LostRace where others are quicker again and again."""
        for _ in range(_TRIES):
            now = self.now()
            bid = Bid(
                sync=sync,
                change=change,
                message_id=delivery.message_id,
                fingerprint=fingerprint,
                engine=self.engine,
                now=now,
                lease_until=now + timedelta(seconds=delivery.remaining()) + LEASE_MARGIN,
                run_id=request.run_id,
            )
            decision = claim(self.ledger.get(sync, change.ref), bid)
            if isinstance(decision, Refusal):
                return decision
            try:
                self.ledger.put(decision)
            except LostRace:
                continue
            return decision
        raise LostRace(f"{change.ref} under sync {sync!r}: others claimed it {_TRIES} times in a row")

    def settle(self, claimed: Entry, finish: Finish) -> Entry:
        """Write down what came of the work; raise LostRace where the claim is no longer ours."""
        settled = settle(claimed, finish, self.now())
        self.ledger.put(settled)
        return settled
