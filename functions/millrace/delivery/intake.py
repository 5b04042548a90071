"""One queue message: read it, work on all it names, and say whether it may be deleted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from millrace.delivery.worker import Outcome, Worker
from millrace.errors import MessageError, OutOfTime, TransientError, UnknownMessage
from millrace.ledger.claims import Delivery
from millrace.objects.messages import parse_message

START_SECONDS = 60.0
"""What must be left of an invocation to start another message, or a fifth of it where that is less."""


ASKED_ANEW_AT = 3
"""The receipt from which on a message that only waits for another configuration is sent anew, as a message of its own:
its receipts are counted from the first again, so that it never gets to the dead-letter queue."""


class NotSettled(TransientError):
    """Something that the message names must be tried again, so it is not acknowledged."""


class PutOff(Protocol):
    """Makes the message invisible for that many seconds from now."""

    def __call__(self, seconds: int, /) -> None:
        """Put the message off."""
        ...


class AskAnew(Protocol):
    """Puts a message on the queue once more, to be seen after a delay."""

    def __call__(self, body: str, seconds: int, /) -> None:
        """Send it; return only when the queue has it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Takes messages in for a worker. ``tell`` hears every outcome and ``note`` what was passed over by rule.

    ``ask_anew`` None: what only waits for another configuration comes back like everything else that waits.
    """

    worker: Worker
    tell: Callable[[Outcome], None]
    note: Callable[[str], None]
    ask_anew: AskAnew | None = None

    def take(self, body: str, delivery: Delivery, put_off: PutOff) -> None:
        """Return where the message is settled or sent anew; raise where it must come back, after having put it off.

        Raises OutOfTime (not started), UnknownMessage (nobody can read it) or NotSettled.
        """
        if delivery.remaining() < min(START_SECONDS, self.worker.timeout_seconds / 5):
            put_off(0)
            raise OutOfTime("the message was not started: too little is left of the invocation")
        try:
            message = parse_message(body)
        except MessageError:
            put_off(0)
            raise
        for note in message.notes:
            self.note(note)
        waits, misconfigured = list[int](), True
        for request in message.requests:
            for outcome in self.worker.work(request, delivery):
                self.tell(outcome)
                if outcome.retry_after is not None:
                    waits.append(outcome.retry_after)
                    misconfigured &= outcome.misconfigured
        if waits:
            late = delivery.receives >= ASKED_ANEW_AT and not message.unreadable
            if misconfigured and late and self.ask_anew is not None:
                self.ask_anew(body, max(waits))
                return
            put_off(max(waits))
            raise NotSettled(f"{len(waits)} of what the message names must be tried again")
        if message.unreadable:
            put_off(0)
            raise UnknownMessage("; ".join(message.unreadable))
