"""A batch of messages: each for itself, and what may kill the worker last, when nothing else can be lost with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from millrace.delivery.intake import Intake, Received, WorksAlone
from millrace.delivery.worker import backoff
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
    settled: list[Received] = []
    suspects: list[Received] = []
    returning: list[str] = []

    def take(message: Received) -> None:
        try:
            intake.take(message)
        except WorksAlone:
            suspects.append(message)
        except Exception as error:  # noqa: BLE001 - the message comes back, and the others are worked on
            comes_back(message, error)
            returning.append(message.delivery.message_id)
        else:
            settled.append(message)

    for message in batch:
        take(message)
    for message in tuple(suspects):
        try:
            _delete(settled)
        except MillraceError as error:
            with suppress(MillraceError):
                message.receipt.put_off(backoff(message.delivery.receives))
            comes_back(message, error)
            returning.append(message.delivery.message_id)
        else:
            take(message.alone())
    return returning


def _delete(settled: list[Received]) -> None:
    while settled:
        settled[-1].receipt.delete()
        settled.pop()
