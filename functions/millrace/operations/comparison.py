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
from millrace.planning.plans import Build, Plan

GRACE = timedelta(minutes=30)
"""How long news of an object may take: behind others, put off after a failure, or under the lease of a dead worker."""


class Finding(enum.StrEnum):
    """How an object differs."""

    NEW = "new"
    CHANGED = "changed"
    GONE = "gone"
    VANISHED = "vanished"
    """The object is as the ledger has it, and its output is not."""


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
    for pair in join_by_key(listed, entries):
        yield pair.key, compare_pair(pair, now)


@dataclass(frozen=True, slots=True)
class Pair:
    """A key, and what the bucket's listing and the ledger have of it; one of them at least."""

    ref: ObjectRef
    listed: ListedObject | None
    entry: Entry | None

    @property
    def key(self) -> str:
        """The object's."""
        return self.ref.key


def join_by_key(listed: Iterable[ListedObject], entries: Iterable[Entry]) -> Iterator[Pair]:
    """Every key of a bucket's listing or of the ledger's entries, with what each has of it; sorted as both are.

    A listing of ``a b`` and entries of ``b c`` give ``(a, None) (b, b) (None, c)``. Both come in the order of the keys'
    UTF-8 bytes, as S3 lists them: that is not the order of Python's strings, so bytes are compared.
    """
    # Each key is encoded once, and merged and grouped by its bytes: comparing is bound by the processor.
    objects = ((item.ref.key.encode(), item) for item in listed)
    listed_entries = ((item.source.key.encode(), item) for item in entries)
    merged: Iterator[tuple[bytes, ListedObject | Entry]] = heapq.merge(objects, listed_entries, key=itemgetter(0))
    last = b""
    for key, group in groupby(merged, key=itemgetter(0)):
        if key < last:
            raise UnsortedStream(f"key {key.decode()!r} came after {last.decode()!r}")
        last = key
        yield _to_pair(item for _, item in group)


def _to_pair(items: Iterable[ListedObject | Entry]) -> Pair:
    listed: ListedObject | None = None
    entry: Entry | None = None
    for item in items:
        if isinstance(item, ListedObject):
            listed, ref = item, item.ref
        else:
            entry, ref = item, item.source
    return Pair(ref, listed, entry)


def compare_planned(planner: Planner, sync: str, pair: Pair, now: datetime) -> Difference | None:
    """As ``compare_pair``; and what waits for its restore, and can be read, is news.

    The event of the restore is lost or on its way; or the same bytes were written again, and that event is.
    """
    difference = compare_pair(pair, now)
    if difference is not None or pair.listed is None or not pair.listed.is_readable:
        return difference
    if pair.entry is None or pair.entry.state is not State.WAITING:
        return None
    # A file of a model waits for its table, however readable it is.
    is_converted_alone = isinstance(planner.find_work(pair.ref, sync), Plan)
    return as_difference(pair.listed, Finding.CHANGED, pair.entry) if is_converted_alone else None


def compare_pair(pair: Pair, now: datetime) -> Difference | None:
    """How an object differs from what the ledger has of it, if it does."""
    listed, entry = pair.listed, pair.entry
    if listed is not None:
        return _compare_listed(listed, entry, now)
    if entry is not None and _leaves_something(entry, now):
        return Difference(Finding.GONE, ObjectChange(kind=ChangeKind.REMOVED, ref=entry.source), entry=entry)
    return None


def _compare_listed(listed: ListedObject, entry: Entry | None, now: datetime) -> Difference | None:
    if entry is None:
        return as_difference(listed, Finding.NEW)
    if _is_known(listed, entry, now):
        return None
    return as_difference(listed, Finding.CHANGED, entry)


_LEAVES_NOTHING = frozenset({State.REMOVED, State.IGNORED})


def _leaves_something(entry: Entry, now: datetime) -> bool:
    """Whether the absence of its object asks for work. Under a live lease the worker itself sees that it is gone."""
    return entry.state not in _LEAVES_NOTHING and not is_at_work(entry, now)


def _is_known(listed: ListedObject, entry: Entry, now: datetime) -> bool:
    """Work under a live lease is left alone: when it settles, the next listing compares again."""
    if entry.state in _UNSETTLED:
        return is_at_work(entry, now)
    return entry.version.etag == listed.etag


_UNSETTLED = frozenset({State.IN_FLIGHT, State.REMOVED})


def as_difference(listed: ListedObject, finding: Finding, entry: Entry | None = None) -> Difference:
    """What asks for an object as a listing has it."""
    change = ObjectChange(kind=ChangeKind.CREATED, ref=listed.ref, etag=listed.etag, size=listed.size)
    return Difference(finding, change, listed.modified, entry)


def entries_below(entries: Iterable[Entry], folder: Folder) -> Iterator[Entry]:
    """Those of a folder: the others are of folders that the sync read under an earlier configuration."""
    for entry in entries:
        if entry.source.bucket == folder.bucket and entry.source.key.startswith(folder.prefix):
            yield entry


def concerns(planner: Planner, sync: str, ref: ObjectRef) -> bool:
    """Not what lies beside a model's one object, and not the entry of a run, which stands under its folder."""
    return any(not isinstance(plan, Build) for plan in planner.plan(ref, only=sync))
