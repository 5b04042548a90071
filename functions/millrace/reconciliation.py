"""What a bucket has and the ledger lacks, or the reverse: a merge of two sorted streams, in flat memory."""

from __future__ import annotations

import enum
import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from millrace.errors import MillraceError
from millrace.ledger import Entry, State
from millrace.object_store import ListedObject
from millrace.objects import ChangeKind, ObjectChange


class Finding(enum.StrEnum):
    """How an object differs."""

    NEW = "new"
    CHANGED = "changed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Difference:
    """One object that the ledger does not know as it is; ``change`` asks for what must be done."""

    finding: Finding
    change: ObjectChange


class UnsortedStream(MillraceError):
    """A listing or an index did not come in key order; nothing can be concluded from it."""


def differences(listed: Iterable[ListedObject], entries: Iterable[Entry], now: datetime) -> Iterator[Difference | None]:
    """Merge a bucket's listing with the ledger's entries, both in the order of the keys' UTF-8 bytes.

    Yields None for an object that both know alike, so that a caller can count and stop. Raises UnsortedStream.
    """
    pairs: Iterator[tuple[bytes, ListedObject | Entry]] = heapq.merge(
        ((one.ref.key.encode(), one) for one in listed),
        ((one.source.key.encode(), one) for one in entries),
        key=itemgetter(0),
    )
    last = b""
    for key, group in groupby(pairs, key=itemgetter(0)):
        if key < last:
            raise UnsortedStream(f"key {key.decode()!r} came after {last.decode()!r}")
        last = key
        yield _judged([item for _, item in group], now)


def _judged(items: list[ListedObject | Entry], now: datetime) -> Difference | None:
    listed = next((one for one in items if isinstance(one, ListedObject)), None)
    entry = next((one for one in items if isinstance(one, Entry)), None)
    if listed is not None and entry is None:
        return _present(listed, Finding.NEW)
    if listed is not None and entry is not None:
        return None if _is_known(listed, entry, now) else _present(listed, Finding.CHANGED)
    if entry is not None and entry.state not in _ABSENT:
        return Difference(Finding.GONE, ObjectChange(kind=ChangeKind.REMOVED, ref=entry.source))
    return None


_ABSENT = frozenset({State.REMOVED})


def _is_known(listed: ListedObject, entry: Entry, now: datetime) -> bool:
    """Work under a live lease is left alone: when it settles, the next listing compares again."""
    if entry.state is State.IN_FLIGHT:
        return entry.lease_until is not None and entry.lease_until > now
    return entry.state is not State.REMOVED and entry.etag == listed.etag


def _present(listed: ListedObject, finding: Finding) -> Difference:
    change = ObjectChange(kind=ChangeKind.CREATED, ref=listed.ref, etag=listed.etag, size=listed.size)
    return Difference(finding, change)
