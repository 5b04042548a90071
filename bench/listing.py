"""Seconds and peak memory of comparing a listing with the ledger: ``python bench/listing.py [keys]``.

First as `millrace reconcile` does it, then as a backfill does: of objects that are nearly all converted already, and of
objects that are all new, in ranges that are divided while they are listed. Store, ledger and queue are in memory and
make what they are asked for one by one: what is measured is the comparison. The ledger's entries are read from items as
DynamoDB sends them. Of a thousand objects one is new, one changed, one gone. Seconds are the processor's.
"""

from __future__ import annotations

import bisect
import os
import resource
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "functions"))
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from millrace.aws.ledger_items import entry_of, item_of
from millrace.config.document import parse
from millrace.deployment.settings import LEDGER_INDEXES
from millrace.ledger.entries import Entry, State
from millrace.objects.messages import Request, compose_message
from millrace.objects.references import ObjectRef, SourceVersion
from millrace.objects.store import ListedObject
from millrace.operations.backfills.board import Backfill, Board, KeyRange, RangeTree
from millrace.operations.backfills.listing import BackfillLister
from millrace.operations.checkpoints import Checkpoint
from millrace.operations.reconcile import Reconciler
from millrace.planning.planner import Planner

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
BUCKET, EVERY = "acme-in", 1000


def key(number: int) -> str:
    """A key as many buckets have them, sorted like its number."""
    return f"landing/2026/11/22/part-{number:09}.csv.gz"


def find_number(start_after: str, keys: int) -> int:
    """The number of the first key behind another."""
    return bisect.bisect_right(range(keys), start_after, key=key) if start_after else 0


class Store:
    """Lists; all but the gone objects."""

    def __init__(self, keys: int) -> None:
        self.keys = keys

    calls = 0

    def list(self, bucket: str, prefix: str, *, start_after: str = "") -> Iterator[ListedObject]:  # noqa: ARG002 - the port's
        """Make what is listed, one by one."""
        self.calls += 1
        for number in range(find_number(start_after, self.keys), self.keys):
            if number % EVERY != 2:
                yield ListedObject(ObjectRef(bucket, key(number)), f"{number % EVERY == 1}{number:031x}", 1_000_000)


class Index:
    """Knows all but the new objects."""

    def __init__(self, keys: int, fingerprint: str = "2f5ff312b30f") -> None:
        self.keys = keys
        self.fingerprint = fingerprint

    def get(self, sync: str, source: ObjectRef) -> Entry | None:
        """Nothing more than the index has."""

    def of_sync(self, sync: str, *, after: str = "") -> Iterator[Entry]:
        """Read entries from items, one by one."""
        template = _item(sync, self.fingerprint)
        for number in range(find_number(after, self.keys), self.keys):
            if number % EVERY != 0:
                yield entry_of(template | {"key": {"S": key(number)}, "etag": {"S": f"False{number:031x}"}})


def _item(sync: str, fingerprint: str) -> Mapping[str, Any]:
    entry = Entry(
        sync=sync,
        source=ObjectRef(BUCKET, "k"),
        state=State.CONVERTED,
        revision=2,
        fence=1,
        fingerprint=fingerprint,
        engine="0.1.0",
        version=SourceVersion(etag="e"),
    )
    carried = {*LEDGER_INDEXES["sources"], "pk", "sources_pk", "sources_sk"}
    return {name: value for name, value in item_of(entry).items() if name in carried}


class Queue:
    """Writes the messages and keeps none."""

    sent = 0

    def send(self, requests: Iterable[Request], *, delay_seconds: int = 0) -> int:  # noqa: ARG002 - the port's
        """Compose each."""
        number = sum(1 for request in requests if compose_message(request))
        self.sent += number
        return number

    def waiting(self) -> int:
        """Nothing waits."""
        return 0


class Checkpoints:
    """Keeps the newest."""

    newest: Checkpoint | None = None

    def get(self, sync: str) -> Checkpoint | None:  # noqa: ARG002 - the port's
        """The newest."""
        return self.newest

    def put(self, checkpoint: Checkpoint) -> None:
        """Keep."""
        self.newest = checkpoint


class Ranges:
    """Keeps a backfill's row and ranges."""

    def __init__(self, row: Backfill) -> None:
        self.kept_board = Board().with_row(row)
        self.kept: dict[str, KeyRange] = {}

    def board(self) -> Board:
        """The row alone."""
        return self.kept_board

    def ranges(self, backfill: str, names: Sequence[str]) -> dict[str, KeyRange]:  # noqa: ARG002 - the port's
        """Those that were put."""
        return {name: self.kept[name] for name in names if name in self.kept}

    def put_range(self, key_range: KeyRange) -> None:
        """Keep."""
        self.kept[key_range.name] = key_range


def list_backfill(planner: Planner, keys: int, index: Index) -> str:
    """List all ranges of a backfill, one after the other; the figures."""
    row = Backfill(name="b", sync="nightly", prefix="landing/", started=NOON)
    ranges, queue, store = Ranges(row), Queue(), Store(keys)
    lister = BackfillLister(
        planner=planner,
        stores={"landing": store},
        ledger=index,
        backfills=ranges,
        queue=queue,
        inventories=store,
        now=lambda: NOON,
    )
    began = time.process_time()
    while idle := RangeTree.read(ranges, row).idle(NOON):
        lister.run(row.name, idle[0].name)
    seconds = time.process_time() - began
    tree = RangeTree.read(ranges, row)
    sizes = sorted(key_range.counts.compared for key_range in tree.ranges)
    total = sum(sizes)
    return (
        f"backfill: {total:,} keys in {seconds:.1f} s ({total / seconds:,.0f} a second), peak {peak_mb()} MB: "
        f"{queue.sent:,} messages, {len(sizes)} ranges of {sizes[0]:,} to {sizes[-1]:,}, {store.calls:,} listings begun"
    )


def peak_mb() -> int:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def main(keys: int = 1_000_000) -> None:
    """Compare a hundredth, then all, and print the figures."""
    connections = [
        {
            "name": name,
            "type": "s3",
            "configuration": {
                "auth_mode": "execution_role",
                "s3_bucket_name": f"s3://{bucket}",
                "s3_bucket_region": "us-east-1",
            },
        }
        for name, bucket in (("landing", f"{BUCKET}/landing"), ("lake", "acme-out"))
    ]
    sync = {"name": "nightly", "source_connection": "landing", "destination_connection": "lake"}
    planner = Planner(parse({"connections": connections, "bulk_syncs": [sync]}))
    print(f"imported: peak {peak_mb()} MB")
    for number in (keys // 100, keys):
        queue = Queue()
        reconciler = Reconciler(
            planner=planner,
            stores={"landing": Store(number)},
            index=Index(number),
            queues={"landing": queue},
            checkpoints=Checkpoints(),
            now=lambda: NOON,
        )
        began = time.process_time()
        total = reconciler.run("nightly").total
        seconds = time.process_time() - began
        print(
            f"{total.compared:,} keys in {seconds:.1f} s ({total.compared / seconds:,.0f} a second), "
            f"peak {peak_mb()} MB: {total.new:,} new, {total.changed:,} changed, {total.gone:,} gone, "
            f"{queue.sent:,} messages"
        )
    fingerprint = next(iter(planner.plan(ObjectRef(BUCKET, key(0)), only="nightly"))).fingerprint
    print(f"nearly all known, {list_backfill(planner, keys, Index(keys, fingerprint))}")
    # Planning is what takes the time of a new object: a tenth shows it.
    print(f"all new, {list_backfill(planner, keys // 10, Index(0))}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
