"""Seconds and peak memory of comparing a listing with the ledger: ``python bench/listing.py [keys]``.

Store, ledger and queue are in memory and make what they are asked for one by one: what is measured is the comparison.
The ledger's entries are read from items as DynamoDB sends them. Of a thousand objects one is new, one
changed, one gone.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
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
from millrace.objects.references import ObjectRef
from millrace.objects.store import ListedObject
from millrace.operations.checkpoints import Checkpoint
from millrace.operations.reconcile import Reconciler
from millrace.planning.planner import Planner

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
BUCKET, EVERY = "acme-in", 1000


def key(number: int) -> str:
    """A key as many buckets have them, sorted like its number."""
    return f"landing/2026/11/22/part-{number:09}.csv.gz"


class Store:
    """Lists; all but the gone objects."""

    def __init__(self, keys: int) -> None:
        self.keys = keys

    def list(self, bucket: str, prefix: str, *, start_after: str = "") -> Iterator[ListedObject]:  # noqa: ARG002 - the port's
        """Make what is listed, one by one."""
        for number in range(self.keys):
            if number % EVERY != 2:
                yield ListedObject(ObjectRef(bucket, key(number)), f"{number % EVERY == 1}{number:031x}", 1_000_000)


class Index:
    """Knows all but the new objects."""

    def __init__(self, keys: int) -> None:
        self.keys = keys

    def of_sync(self, sync: str, *, after: str = "") -> Iterator[Entry]:  # noqa: ARG002 - the port's
        """Read entries from items, one by one."""
        template = _item(sync)
        for number in range(self.keys):
            if number % EVERY != 0:
                yield entry_of(template | {"key": {"S": key(number)}, "etag": {"S": f"False{number:031x}"}})


def _item(sync: str) -> Mapping[str, Any]:
    entry = Entry(
        sync=sync,
        source=ObjectRef(BUCKET, "k"),
        state=State.CONVERTED,
        revision=2,
        fence=1,
        fingerprint="2f5ff312b30f",
        engine="0.1.0",
        etag="e",
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
        began = time.perf_counter()
        total = reconciler.run("nightly").total
        seconds = time.perf_counter() - began
        print(
            f"{total.compared:,} keys in {seconds:.1f} s ({total.compared / seconds:,.0f} a second), "
            f"peak {peak_mb()} MB: {total.new:,} new, {total.changed:,} changed, {total.gone:,} gone, "
            f"{queue.sent:,} messages"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
