"""What a bucket has and the ledger lacks, or the reverse: a merge of two sorted streams, in flat memory."""

from __future__ import annotations

import enum
import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, Protocol

from millrace.config import BulkSync
from millrace.errors import MillraceError
from millrace.events import Request
from millrace.ledger import Entry, LedgerIndex, State
from millrace.object_store import ListedObject, ObjectStore
from millrace.objects import ChangeKind, ObjectChange
from millrace.plan import Planner
from millrace.requeue import STOP_SECONDS, RequestQueue, Stores

_PORTION = 10_000
"""Keys between two checkpoints."""


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


Compared = tuple[str, Difference | None]
"""A key, and how it differs; None: both know it alike."""


def differences(listed: Iterable[ListedObject], entries: Iterable[Entry], now: datetime) -> Iterator[Compared]:
    """Merge a bucket's listing with the ledger's entries, both in the order of the keys' UTF-8 bytes.

    Yields every key, so that a caller can count and stop. Raises UnsortedStream.
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
        yield key.decode(), _judged([item for _, item in group], now)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """How far the comparison of a sync has come: everything up to the key ``after`` is compared and enqueued."""

    sync: str
    after: str
    compared: int = 0
    new: int = 0
    changed: int = 0
    gone: int = 0


class Checkpoints(Protocol):
    """Where unfinished comparisons are remembered."""

    def get(self, sync: str) -> Checkpoint | None:
        """The unfinished comparison of a sync."""
        ...

    def put(self, checkpoint: Checkpoint) -> None:
        """Remember."""
        ...

    def delete(self, sync: str) -> None:
        """Forget: the comparison has come to its end."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciler:
    """Compares a sync's source folder with the ledger, and puts what differs on the source connection's queue."""

    planner: Planner
    stores: Stores | Mapping[str, ObjectStore]
    index: LedgerIndex
    queues: Mapping[str, RequestQueue]
    checkpoints: Checkpoints
    now: Callable[[], datetime]

    def run(self, sync_name: str, remaining: Callable[[], float] = lambda: float("inf")) -> dict[str, Any]:
        """Compare from where the last run stopped, until done or out of time; counts, and whether it is ``complete``.

        What was found is enqueued before the checkpoint says so: a run that is killed compares a portion twice, and
        the ledger refuses what was done meanwhile.
        """
        sync = self.planner.active_sync(sync_name)
        tally = self.checkpoints.get(sync.name) or Checkpoint(sync=sync.name, after="")
        found = self._found(sync, tally.after)
        while portion := list(islice(found, _PORTION)):
            differing = [difference for _, difference in portion if difference is not None]
            requests = [Request(change=one.change, sync=sync.name) for one in differing]
            self.queues[sync.source_connection].send(requests)
            tally = _counted(tally, portion[-1][0], len(portion), differing)
            if len(portion) == _PORTION:
                self.checkpoints.put(tally)
                if remaining() < STOP_SECONDS:
                    return asdict(tally) | {"complete": False}
        self.checkpoints.delete(sync.name)
        return asdict(tally) | {"complete": True}

    def _found(self, sync: BulkSync, after: str) -> Iterator[Compared]:
        source = self.planner.document.connection(sync.source_connection)
        listed = self.stores[source.name].list(source.bucket, source.root.prefix, start_after=after)
        known = (entry for entry in self.index.of_sync(sync.name, after=after) if self.planner.plan(entry.source))
        return differences(listed, known, self.now())


def _counted(tally: Checkpoint, after: str, compared: int, differing: list[Difference]) -> Checkpoint:
    counts = Counter(one.finding for one in differing)
    return replace(
        tally,
        after=after,
        compared=tally.compared + compared,
        new=tally.new + counts[Finding.NEW],
        changed=tally.changed + counts[Finding.CHANGED],
        gone=tally.gone + counts[Finding.GONE],
    )
