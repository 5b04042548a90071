"""How a bucket's listing and the ledger differ: a merge of two sorted streams."""

from __future__ import annotations

import enum
import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter

from millrace.config.layout import Folder
from millrace.errors import MillraceError
from millrace.ledger.entries import Entry, State, is_at_work
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef
from millrace.objects.store import ListedObject
from millrace.planning.planner import Planner
from millrace.planning.plans import Build

GRACE = timedelta(minutes=30)
"""How long news of an object may take: behind others, put off after a failure, or under the lease of a dead worker."""


class Finding(enum.StrEnum):
    """How an object differs."""

    NEW = "new"
    CHANGED = "changed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Difference:
    """One object that the ledger does not know as it is; ``change`` asks for what must be done.

    ``modified`` is when the object got to be as it is, None where it is gone; ``entry`` is what the ledger knows.
    """

    finding: Finding
    change: ObjectChange
    modified: datetime | None = None
    entry: Entry | None = None


class UnsortedStream(MillraceError):
    """A listing or an index did not come in key order; nothing can be concluded from it."""


Compared = tuple[str, Difference | None]
"""A key, and how it differs; None: both know it alike."""


def differences(listed: Iterable[ListedObject], entries: Iterable[Entry], now: datetime) -> Iterator[Compared]:
    """Merge a bucket's listing with the ledger's entries, both in the order of the keys' UTF-8 bytes.

    Yields every key, so that a caller can count and stop. Raises UnsortedStream.
    """
    for key, here, known in joined(listed, entries):
        yield key, judged(here, known, now)


def joined(
    listed: Iterable[ListedObject], entries: Iterable[Entry]
) -> Iterator[tuple[str, ListedObject | None, Entry | None]]:
    """Every key of a bucket's listing or of the ledger's entries, with what each has of it; sorted as both are."""
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
        items = [item for _, item in group]
        here = next((one for one in items if isinstance(one, ListedObject)), None)
        known = next((one for one in items if isinstance(one, Entry)), None)
        yield key.decode(), here, known


def judged(listed: ListedObject | None, entry: Entry | None, now: datetime) -> Difference | None:
    """How an object differs from what the ledger has of it, if it does."""
    if listed is not None and entry is None:
        return _present(listed, Finding.NEW)
    if listed is not None and entry is not None:
        return None if _is_known(listed, entry, now) else _present(listed, Finding.CHANGED, entry)
    if entry is not None and _leaves_something(entry, now):
        return Difference(Finding.GONE, ObjectChange(kind=ChangeKind.REMOVED, ref=entry.source), entry=entry)
    return None


_LEAVES_NOTHING = frozenset({State.REMOVED, State.IGNORED})


def _leaves_something(entry: Entry, now: datetime) -> bool:
    """Whether the absence of its object asks for work. Under a live lease the worker itself sees that it is gone."""
    return entry.state not in _LEAVES_NOTHING and not is_at_work(entry, now)


def _is_known(listed: ListedObject, entry: Entry, now: datetime) -> bool:
    """Work under a live lease is left alone: when it settles, the next listing compares again."""
    if entry.state in _UNSETTLED:
        return is_at_work(entry, now)
    return entry.etag == listed.etag


_UNSETTLED = frozenset({State.IN_FLIGHT, State.REMOVED})


def _present(listed: ListedObject, finding: Finding, entry: Entry | None = None) -> Difference:
    change = ObjectChange(kind=ChangeKind.CREATED, ref=listed.ref, etag=listed.etag, size=listed.size)
    return Difference(finding, change, listed.modified, entry)


def entries_below(entries: Iterable[Entry], folder: Folder) -> Iterator[Entry]:
    """Those of a folder: the others are of folders that the sync read under an earlier configuration."""
    return (
        entry
        for entry in entries
        if entry.source.bucket == folder.bucket and entry.source.key.startswith(folder.prefix)
    )


def concerns(planner: Planner, sync: str, ref: ObjectRef) -> bool:
    """Not what lies beside a model's one object, and not the entry of a run, which stands under its folder."""
    return any(not isinstance(plan, Build) for plan in planner.plan(ref, only=sync))
