"""Lists a backfill's key ranges and puts what is to be converted on its queue, in portions that are remembered."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from millrace.engine.parallel import in_order
from millrace.errors import (
    AccessDenied,
    LostRace,
    MillraceError,
    NoSuchBucket,
    ObjectDenied,
    ObjectGone,
    UsageError,
)
from millrace.ledger.entries import holds_lease
from millrace.ledger.stores import WholeLedger
from millrace.objects.messages import Request, Ticket
from millrace.objects.queue import RequestQueue
from millrace.objects.store import ListedObject, ObjectStore, Stores
from millrace.operations.backfills.board import (
    Backfill,
    BackfillState,
    BackfillStore,
    KeyRange,
    RangeTree,
    Span,
)
from millrace.operations.backfills.inventory import Manifest, read_inventory_file, read_manifest
from millrace.operations.backfills.selection import READERS, BackfillSelection, Looked, Selected, sum_counts
from millrace.operations.backfills.splitting import find_split
from millrace.operations.reprocess import STOP_SECONDS, never_ends, take_portion
from millrace.planning.planner import ActiveSync, Planner

MOST_RANGES = 64
"""Ranges that a listing of a bucket is divided into, so that its progress is quickly read."""
_MOST_FILES = 8000
"""Files of an inventory: each is some 45 bytes of the root's item, which DynamoDB takes up to 400 kB."""
_SPLIT_AFTER = 10
"""Portions that a range is listed for before it is divided: a small backfill needs no second invocation."""
_SENDERS = 8
_SENT_AT_ONCE = 100
"""Requests of one thread's call, which divides them into messages."""
_LEASE_MARGIN = timedelta(seconds=5)
"""So much longer than its invocation a lease is, for clocks that differ."""
_LONGEST_RUN_SECONDS = 900.0
"""Of an invocation of Lambda; a command has no end of its own."""


class BackfillQueue(RequestQueue, Protocol):
    """The queue of the backfills."""

    def waiting(self) -> int:
        """About how many messages wait to be received."""
        ...


class ListingEnd(enum.StrEnum):
    """How an invocation's listing of a range ended."""

    LISTED = "listed"
    PARTIAL = "partial"
    """Out of time; another invocation goes on."""
    BUSY = "busy"
    """Somebody else lists the range."""
    HELD = "held"
    """The backfill is paused or has ended, or enough waits in the queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillLister:
    """Lists one range at a time. ``inventories`` opens what an inventory consists of.

    ``senders`` send messages side by side, and ``readers`` read entries of the ledger.
    """

    planner: Planner
    stores: Stores | Mapping[str, ObjectStore]
    ledger: WholeLedger
    backfills: BackfillStore
    queue: BackfillQueue
    inventories: ObjectStore
    now: Callable[[], datetime]
    deployment: int
    portion: int = 1000
    split_after: int = _SPLIT_AFTER
    senders: int = _SENDERS
    readers: int = READERS

    def run(self, name: str, range_name: str, remaining: Callable[[], float] = never_ends) -> ListingEnd:
        """List a range from where its last invocation stopped, until done or out of time.

        What is to be converted is sent before the range says so: an invocation that is killed sends a portion twice,
        and the ledger refuses what was done meanwhile.
        """
        backfill = self.backfills.board().find(name)
        if backfill is None or backfill.state is not BackfillState.RUNNING:
            return ListingEnd.HELD
        key_range = RangeTree.read(self.backfills, backfill).find(range_name)
        # A range of a former generation is nobody's any more.
        if key_range is None or key_range.is_listed:
            return ListingEnd.LISTED
        if holds_lease(key_range.lease_until, self.now()):
            return ListingEnd.BUSY
        try:
            return self._run(backfill, key_range, remaining)
        except LostRace:
            return ListingEnd.BUSY

    def demand_inventory(self, sync: str, address: str) -> None:
        """Raise UsageError if an inventory can't be listed for a sync: it is of another bucket, or can't be read."""
        bucket = self.planner.active_sync(sync).folder.bucket
        try:
            manifest = read_manifest(self.inventories, address)
        except (AccessDenied, ObjectDenied, ObjectGone, NoSuchBucket) as error:
            raise UsageError(
                f"the backfill function cannot read {address} ({error}); give the address of a manifest that is there, "
                "below a folder that the deployment's option inventories names"
            ) from error
        manifest.demand_bucket(bucket, address)
        if len(manifest.files) > _MOST_FILES:
            raise UsageError(
                f"{address} names {len(manifest.files):,} files; a backfill takes at most {_MOST_FILES:,}. "
                "Leave --inventory out: the bucket is listed then"
            )

    def _run(self, backfill: Backfill, key_range: KeyRange, remaining: Callable[[], float]) -> ListingEnd:
        span = timedelta(seconds=min(remaining(), _LONGEST_RUN_SECONDS))
        held = HeldRange(self.backfills, key_range)
        held.begin(self.now() + span + _LEASE_MARGIN)
        try:
            return self._list(backfill, held, remaining)
        except LostRace:
            raise
        except Exception:
            # Given back, so that the next try need not wait for the lease to end.
            with suppress(MillraceError):
                held.move(lease_until=None)
            raise

    def _list(self, backfill: Backfill, held: HeldRange, remaining: Callable[[], float]) -> ListingEnd:
        if backfill.inventory is not None and held.key_range.span.file is None:
            return self._list_files(backfill, held)
        looked = self._look(backfill, held)
        number = 0
        while portion := take_portion(looked, self.portion, remaining):
            self._send(backfill, held, portion)
            number += 1
            if number % self.split_after == 0:
                self._split(backfill, held)
            end = self._find_end(backfill, remaining)
            if end is not None:
                held.move(lease_until=None)
                return end
        held.move(lease_until=None, is_listed=True)
        return ListingEnd.LISTED

    def _list_files(self, backfill: Backfill, held: HeldRange) -> ListingEnd:
        """Give each file of an inventory to a range of its own."""
        manifest = self._read_manifest(backfill)
        children = tuple(Span(file=number) for number in range(len(manifest.files)))
        held.move(lease_until=None, children=children, is_listed=True)
        return ListingEnd.LISTED

    def _read_manifest(self, backfill: Backfill) -> Manifest:
        address = backfill.inventory or ""
        manifest = read_manifest(self.inventories, address)
        manifest.demand_bucket(self._find_sync(backfill).folder.bucket, address)
        return manifest

    def _find_sync(self, backfill: Backfill) -> ActiveSync:
        return self.planner.active_sync(backfill.sync)

    def _look(self, backfill: Backfill, held: HeldRange) -> Iterator[Looked]:
        sync = self._find_sync(backfill)
        selection = BackfillSelection(
            planner=self.planner, ledger=self.ledger, sync=sync, now=self.now, readers=self.readers
        )
        key_range = held.key_range
        if key_range.span.file is None:
            store = self.stores[sync.source_connection]
            return held.within(selection.look_at_bucket(store, backfill.prefix, after=key_range.after))
        manifest = self._read_manifest(backfill)
        rows = read_inventory_file(self.inventories, manifest, key_range.span.file, backfill.prefix)
        begin = int(key_range.after or 0)
        left = ((str(row.number), row.listed) for row in rows if row.number > begin)
        return selection.look_at_objects(left)

    def _send(self, backfill: Backfill, held: HeldRange, portion: Sequence[Looked]) -> None:
        """Put a portion on the queue, then remember it."""
        asked = [item for item in portion if item.selected is Selected.ASKED]
        name = held.key_range.next_portion()
        requests = [self._to_request(backfill, name, number, item) for number, item in enumerate(asked)]
        self._send_all(requests)
        held.sent(portion[-1].place, portion, has_requests=bool(asked))

    def _to_request(self, backfill: Backfill, portion: str, number: int, item: Looked) -> Request:
        return Request(
            change=item.change,
            sync=backfill.sync,
            deployment=self.deployment,
            ticket=Ticket(backfill.name, portion, number),
        )

    def _send_all(self, requests: Sequence[Request]) -> None:
        """A message takes 10 to 20 ms, ten at a time; several threads send a thousand in half a second."""
        starts = range(0, len(requests), _SENT_AT_ONCE)
        batches = (requests[start : start + _SENT_AT_ONCE] for start in starts)
        for _ in in_order(self.queue.send, batches, workers=self.senders):
            pass

    def _find_end(self, backfill: Backfill, remaining: Callable[[], float]) -> ListingEnd | None:
        if remaining() < STOP_SECONDS:
            return ListingEnd.PARTIAL
        row = self.backfills.board().newest(backfill)
        is_running = row.state is BackfillState.RUNNING and row.root == backfill.root
        if not is_running or self.queue.waiting() >= backfill.most_waiting:
            return ListingEnd.HELD
        return None

    def _split(self, backfill: Backfill, held: HeldRange) -> None:
        """Give away the second half of what is left, if there are not too many ranges yet."""
        key_range = held.key_range
        if key_range.span.file is not None:
            return
        if len(RangeTree.read(self.backfills, backfill).ranges) >= MOST_RANGES:
            return
        sync, prefix = self._find_sync(backfill), backfill.prefix
        store = self.stores[sync.source_connection]

        def find_next(place: str) -> str | None:
            listed = store.list(sync.folder.bucket, prefix, start_after=prefix + place)
            key = _find_first(listed, key_range.span.until)
            return None if key is None else key.removeprefix(prefix)

        # All keys begin with the prefix: the place is looked for in what is behind it.
        place = find_split(key_range.after.removeprefix(prefix), find_next)
        if place is not None:
            held.give_away(prefix + place)


def _find_first(listed: Iterable[ListedObject], until: str) -> str | None:
    """The first key of a listing, unless it lies behind the end."""
    first = next(iter(listed), None)
    return None if first is None or is_behind(first.ref.key, until) else first.ref.key


def is_behind(key: str, until: str) -> bool:
    """Whether a key lies behind a range's end, by the order of UTF-8 bytes."""
    return until != "" and key.encode() > until.encode()


@dataclass(slots=True)
class HeldRange:
    """A range that this invocation alone moves, as it was last put."""

    backfills: BackfillStore
    key_range: KeyRange

    def begin(self, lease_until: datetime) -> None:
        """Take the lease."""
        self._put(self.key_range.as_begun(lease_until))

    def within(self, looked: Iterable[Looked]) -> Iterator[Looked]:
        """What is not behind the range's end, which comes nearer each time that a part is given away."""
        for item in looked:
            if is_behind(item.place, self.key_range.span.until):
                return
            yield item

    def sent(self, place: str, portion: Iterable[Looked], *, has_requests: bool) -> None:
        """Remember a portion."""
        sent = self.key_range.portions
        portions = (*sent[:-1], sent[-1] + has_requests)
        self.move(after=place, counts=self.key_range.counts + sum_counts(portion), portions=portions)

    def give_away(self, place: str) -> None:
        """Make a child of what is behind a place; one put says both, so that nothing is listed by nobody."""
        span = self.key_range.span
        children = (*self.key_range.children, Span(after=place, until=span.until))
        self.move(span=replace(span, until=place), children=children)

    def move(self, **changes: Any) -> None:
        """Put the range with changes."""
        self._put(replace(self.key_range, revision=self.key_range.revision + 1, **changes))

    def _put(self, key_range: KeyRange) -> None:
        self.backfills.put_range(key_range)
        self.key_range = key_range
