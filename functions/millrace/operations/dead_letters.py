"""Messages that were given up: what each one names, and why it did not get there."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from millrace.errors import MessageError
from millrace.ledger.entries import Branch, Entry, State
from millrace.ledger.stores import LedgerStore
from millrace.objects.messages import Request, parse_message
from millrace.objects.references import ObjectRef

GROUNDS = ("reason", "error", "connection", "sync", "key")
"""The attributes that the function puts on a message beside the queue's name."""


class LetterClass(enum.StrEnum):
    """Why a message is there."""

    UNREADABLE = "unreadable"
    """Nobody can read it, or a part of it: it comes back until a version of Millrace does."""
    TRANSIENT = "transient"
    """Something that it names failed for reasons that pass, or was never begun."""
    CONFIGURATION = "configuration"
    """Something that it names needs another configuration, or a grant."""
    SETTLED = "settled"
    """All that it names is settled by now: the next receipt acknowledges it."""
    WEBHOOK = "webhook"
    """An event that the receiver of a webhook did not take, five times."""
    COMMIT = "commit"
    """A finished file that could not be committed to its Iceberg table."""


WEBHOOK_FAILED = "WebhookFailed"
"""The error of such a letter, by which it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message of the dead-letter queue ``box``.

    ``queue`` is the name of the one that it came from, if that is known. ``grounds`` are what the function said when it
    gave the message up, by the names of GROUNDS; empty for one that SQS moved by itself. ``group`` is the one that it
    belongs to in a queue that keeps an order.
    """

    id: str
    body: str
    box: str = ""
    sent: datetime | None = None
    receives: int = 0
    queue: str | None = None
    group: str | None = None
    grounds: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """A letter, its class, the objects that it names, and the reason that the ledger knows."""

    letter: Letter
    letter_class: LetterClass
    objects: tuple[str, ...] = ()
    reason: str | None = None


def examine(letter: Letter, *, syncs: Iterable[str], ledger: LedgerStore) -> Examined:
    """Ask the ledger about all that a letter names, under the sync that it names or under each."""
    if letter.grounds.get("error") == WEBHOOK_FAILED:
        return Examined(letter=letter, letter_class=LetterClass.WEBHOOK, reason=letter.grounds.get("reason"))
    try:
        message = parse_message(letter.body)
    except MessageError as error:
        return Examined(letter=letter, letter_class=LetterClass.UNREADABLE, reason=str(error))
    names = tuple(syncs)
    objects = tuple(str(request.change.ref) for request in message.requests)
    if message.unreadable:
        reason = "; ".join(message.unreadable)
        return Examined(letter=letter, letter_class=LetterClass.UNREADABLE, objects=objects, reason=reason)
    judged: list[_Verdict] = []
    for request in message.requests:
        judged += _verdicts(request, names, ledger)
    # A letter is moved or thrown away as a whole, so that the worst of what it names decides.
    worst, why = min(judged, key=lambda verdict: _WORST_FIRST.index(verdict[0]), default=_NOTHING_LEFT)
    return Examined(letter=letter, letter_class=worst, objects=objects, reason=why)


_Verdict = tuple[LetterClass, str | None]
_WORST_FIRST = (LetterClass.CONFIGURATION, LetterClass.TRANSIENT, LetterClass.SETTLED)
_NOTHING_LEFT: _Verdict = (LetterClass.SETTLED, None)


def _verdicts(request: Request, syncs: tuple[str, ...], ledger: LedgerStore) -> Iterator[_Verdict]:
    is_known = False
    for sync in [request.sync] if request.sync else syncs:
        entry = ledger.get(sync, request.change.ref)
        if entry is not None:
            is_known = True
            yield _verdict(entry)
    if not is_known:
        yield LetterClass.TRANSIENT, f"the ledger has no entry for {request.change.ref}"


def describe_entry(ledger: LedgerStore, sync: str, source: ObjectRef) -> str:
    """What the ledger says of an object now: ``orders: converted``."""
    entry = ledger.get(sync, source)
    return f"the ledger has no entry for {source}" if entry is None else str(_verdict(entry)[1])


def _verdict(entry: Entry) -> _Verdict:
    failure = entry.failure
    if failure is not None and failure.branch is Branch.CONFIGURATION:
        return LetterClass.CONFIGURATION, f"{entry.sync}: {failure.error}: {failure.message}"
    if failure is not None and failure.branch is Branch.TRANSIENT:
        return LetterClass.TRANSIENT, f"{entry.sync}: {failure.error}: {failure.message}"
    if entry.state is State.IN_FLIGHT:
        return LetterClass.TRANSIENT, f"{entry.sync}: in flight since {entry.started}"
    # A failure for what the object holds is settled, too: the same bytes fail again.
    return LetterClass.SETTLED, f"{entry.sync}: {entry.state}"
