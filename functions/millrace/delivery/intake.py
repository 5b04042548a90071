"""One queue message: read it, work on all it names, and say whether it may be deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from millrace.delivery.tickets import TicketCounter
from millrace.delivery.worker import Outcome, Worker
from millrace.errors import (
    ConfigurationError,
    MessageError,
    MillraceError,
    OutOfTime,
    TransientError,
    UnknownMessage,
)
from millrace.ledger.claims import Delivery
from millrace.ledger.entries import LONGEST_WAIT, State
from millrace.objects.messages import Message, Request, TicketResult, parse_message
from millrace.texts import shorten_text

START_SECONDS = 60.0
"""What must be left of an invocation to start another object, or a fifth of it where that is less."""
_NO_WAIT = 0


class NotSettled(TransientError):
    """Something that the message names must be tried again, so it is not acknowledged."""


class WorksAlone(TransientError):
    """A worker died over something that the message names: it waits for the end of its batch, where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """Why a message goes to the dead-letter queue, and what of it could not be settled, as far as that is known."""

    reason: str
    error: str
    sync: str | None = None
    key: str | None = None


class Receipt(Protocol):
    """What can be done with one received message, by its exact receipt handle."""

    def put_off(self, seconds: int, /) -> None:
        """Make the message invisible for that many seconds from now."""
        ...

    def delete(self) -> None:
        """Delete it; harmless if the queue deletes it once more."""
        ...

    def bury(self, body: str, grounds: Grounds, /) -> None:
        """Send the body to the dead-letter queue; return only when that has it. The message itself stays."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A message as it was received."""

    body: str
    delivery: Delivery
    receipt: Receipt

    def alone(self) -> Received:
        """The same, to be worked on as the last of its batch."""
        return replace(self, delivery=replace(self.delivery, is_alone=True))


@dataclass(slots=True)
class _Pending:
    """What of a message is not settled: its outcomes, and whether something was not even started."""

    outcomes: list[Outcome] = field(default_factory=list)
    is_cut: bool = False

    @property
    def is_empty(self) -> bool:
        return not self.outcomes and not self.is_cut

    @property
    def is_given_up(self) -> bool:
        """Whether nothing of it can end well by coming back once more."""
        return not self.is_cut and all(outcome.is_given_up for outcome in self.outcomes)

    @property
    def seconds(self) -> int:
        """When all of it is worth another look."""
        waits = [outcome.retry_after or _NO_WAIT for outcome in self.outcomes]
        # The longest wait: what is ready sooner is looked at again with the rest, since one message is all there is to
        # come back.
        return _NO_WAIT if self.is_cut else max(waits)

    def to_grounds(self) -> Grounds:
        worst = self.outcomes[0]
        # The same reason for each of a thousand objects is said once, in the order in which they came.
        reasons = dict.fromkeys(outcome.reason or outcome.result for outcome in self.outcomes)
        return Grounds(
            reason=shorten_text("; ".join(reasons)),
            error=worst.failure.error if worst.failure else str(worst.result),
            sync=worst.sync,
            key=worst.source.key,
        )


def _find_result(outcomes: Iterable[Outcome]) -> TicketResult:
    """What counts of a request that is settled: the worst."""
    results = {outcome.result for outcome in outcomes}
    if State.FAILED in results:
        return TicketResult.FAILED
    return TicketResult.WAITING if State.WAITING in results else TicketResult.DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Takes messages in for a worker. ``tell`` hears every outcome and ``note`` what was passed over by rule.

    ``tickets`` counts the requests of backfills; None where none come.
    """

    worker: Worker
    tell: Callable[[Outcome], None]
    note: Callable[[str], None]
    tickets: TicketCounter | None = None

    def take(self, message: Received) -> None:
        """Return if the message is settled or a dead letter by now; raise if it comes back, after putting it off.

        Receipts are no attempts: a message may come back a thousand times while it waits for a grant, for other work or
        for time. It is a dead letter if nobody can read it, if all that is left of it failed five times (the ledger
        counts), or if it is nine days old.

        Raises: OutOfTime (not started), NotSettled, WorksAlone (not put off: the batch's end is its turn).
        """
        # Visible again at once: another invocation may be free, while this one would be killed in the middle of its
        # work.
        if not self._has_time(message.delivery):
            message.receipt.put_off(_NO_WAIT)
            raise OutOfTime("the message was not started: too little is left of the invocation")
        try:
            parsed = parse_message(message.body)
        except MessageError as error:
            self._bury(message, Grounds(reason=shorten_text(str(error)), error=type(error).__name__))
            return
        pending = self._work(parsed, message.delivery)
        if not pending.is_empty:
            self._keep(message, pending)
            # It is a dead letter by now, or this line is not reached.
            self._settle_tickets(parsed.requests, message.delivery, TicketResult.FAILED)
        elif parsed.unreadable:
            reason = shorten_text("; ".join(parsed.unreadable))
            self._bury(message, Grounds(reason=reason, error=UnknownMessage.__name__))

    def _has_time(self, delivery: Delivery) -> bool:
        return delivery.remaining() >= min(START_SECONDS, self.worker.timeout_seconds / 5)

    def _work(self, parsed: Message, delivery: Delivery) -> _Pending:
        """Work on all records that there is time for; what was settled is found settled when the others come back."""
        for note in parsed.notes:
            self.note(note)
        pending = _Pending()
        for request in parsed.requests:
            if not self._has_time(delivery):
                pending.is_cut = True
                break
            if self._is_given_up(request):
                self.note(f"{request.change.ref}: the backfill that asked for it was stopped")
                continue
            self._work_on(request, delivery, pending)
        return pending

    def _work_on(self, request: Request, delivery: Delivery, pending: _Pending) -> None:
        outcomes = []
        for outcome in self.worker.work(request, delivery):
            self.tell(outcome)
            outcomes.append(outcome)
        returning = [outcome for outcome in outcomes if not outcome.acknowledge]
        pending.outcomes += returning
        if not returning:
            self._settle_tickets([request], delivery, _find_result(outcomes))

    def _is_given_up(self, request: Request) -> bool:
        """Whether nobody wants a request's work any more, and nobody has begun it: what was begun comes to its end."""
        if self.tickets is None or request.ticket is None:
            return False
        return self.tickets.is_stopped(request.ticket) and not self.worker.is_begun(request)

    def _settle_tickets(self, requests: Iterable[Request], delivery: Delivery, result: TicketResult) -> None:
        for request in requests:
            if self.tickets is not None and request.ticket is not None:
                self.tickets.settle(request.ticket, delivery.message_id, result)

    def count_tickets(self) -> dict[str, MillraceError]:
        """Count what is settled since the last call; the messages that must come back for it, with the reasons."""
        return {} if self.tickets is None else self.tickets.flush()

    def _keep(self, message: Received, pending: _Pending) -> None:
        if any(outcome.is_suspect for outcome in pending.outcomes):
            raise WorksAlone("a worker died over something that the message names")
        # What the time was too short for has no outcome: it was never tried, so that no age makes a dead letter of it.
        if pending.is_given_up or (pending.outcomes and self._is_too_old(message.delivery)):
            self._bury(message, pending.to_grounds())
            return
        message.receipt.put_off(pending.seconds)
        raise NotSettled(f"{len(pending.outcomes)} of what the message names must be tried again")

    def _is_too_old(self, delivery: Delivery) -> bool:
        return delivery.sent is not None and self._now() - delivery.sent > LONGEST_WAIT

    def _now(self) -> datetime:
        return self.worker.claims.now()

    def _bury(self, message: Received, grounds: Grounds) -> None:
        """Make a dead letter of the message; if that cannot be done now, it comes back."""
        try:
            message.receipt.bury(message.body, grounds)
        except (TransientError, ConfigurationError) as error:
            message.receipt.put_off(self.worker.backoff(message.delivery.receives))
            raise NotSettled(f"the message is no dead letter yet, and comes back: {error}") from error
