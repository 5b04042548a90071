"""A batch of messages: each for itself, and what may kill the worker last, when nothing else can be lost with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from millrace.delivery.intake import Intake, Received, WorksAlone
from millrace.errors import MillraceError

ComesBack = Callable[[Received, Exception], None]


def take_batch(intake: Intake, batch: Sequence[Received], comes_back: ComesBack) -> list[str]:
    """Take every message of a batch; the ids of those that must come back, of which ``comes_back`` hears why.

    Messages over which a worker died are taken last, each after all settled ones are deleted::

        receive   [a, killer, b]        the killer's entry is in flight, its lease ran out
        take      a settled, b settled, killer left for later
        delete    a, b                  by their receipt handles; Lambda would do so only after the batch
        take      killer                the worker dies: a and b do not come back with it

    A batch of one needs no second turn: its message is alone from the beginning.
    """
    turn = _Turn(intake, comes_back)
    for message in batch:
        turn.take(message)
    for message in tuple(turn.suspects):
        turn.take_last(message)
    turn.count_settled()
    return turn.returning


@dataclass(frozen=True, slots=True)
class _Turn:
    """One batch's messages, by what became of them."""

    intake: Intake
    comes_back: ComesBack
    settled: list[Received] = field(default_factory=list)
    suspects: list[Received] = field(default_factory=list)
    returning: list[str] = field(default_factory=list)

    def take(self, message: Received) -> None:
        try:
            self.intake.take(message)
        except WorksAlone:
            self.suspects.append(message)
        except Exception as error:  # noqa: BLE001 - the message comes back, and the others are worked on
            self._give_back(message, error)
        else:
            self.settled.append(message)

    def take_last(self, message: Received) -> None:
        """Take a message that may kill the worker, if what is settled could be deleted before."""
        try:
            self._delete_settled()
        except MillraceError as error:
            self._put_off(message)
            self._give_back(message, error)
        else:
            self.take(message.alone())

    def count_settled(self) -> None:
        """Count the requests of backfills; those that cannot be counted now come back, to be found done."""
        trouble = self.intake.count_tickets()
        for message in tuple(self.settled):
            error = trouble.get(message.delivery.message_id)
            if error is not None:
                self.settled.remove(message)
                self._put_off(message)
                self._give_back(message, error)

    def _put_off(self, message: Received) -> None:
        with suppress(MillraceError):
            message.receipt.put_off(self.intake.worker.backoff(message.delivery.receives))

    def _give_back(self, message: Received, error: Exception) -> None:
        self.comes_back(message, error)
        self.returning.append(message.delivery.message_id)

    def _delete_settled(self) -> None:
        # Counted before: what is deleted does not come back to be counted.
        self.count_settled()
        while self.settled:
            # Taken off after its deletion: the next call tries one again that could not be deleted.
            self.settled[-1].receipt.delete()
            self.settled.pop()
