"""A worker with its surroundings in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from millrace.config.document import Document
from millrace.delivery.routing import NO_BIG_RUNS, Routing
from millrace.delivery.worker import Outcome, Worker
from millrace.ledger.announcing import Teller
from millrace.ledger.claims import Claims, Delivery
from millrace.ledger.entries import Entry
from millrace.objects.messages import Request
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef, Sequencer
from millrace.planning.planner import Planner
from tests.configurations import bulk_sync, document
from tests.fakes import InMemoryLedger, InMemoryObjectStore, InMemoryQueue

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOURCE = ObjectRef("acme-in", "in/orders.csv")
TARGET = ObjectRef("acme-out", "lake/orders.jsonl")
ORDERS = b'id,zip,note\n1,00501,"a"\n2,90210,\n'
CONVERTED = b'{"id":1,"zip":"00501","note":"a"}\n{"id":2,"zip":"90210","note":null}\n'


@dataclass
class World:
    """A worker with its surroundings; time stands still unless told."""

    store: InMemoryObjectStore = field(default_factory=lambda: InMemoryObjectStore({"acme-in": {}, "acme-out": {}}))
    ledger: InMemoryLedger = field(default_factory=InMemoryLedger)
    syncs: tuple[dict[str, Any], ...] = (bulk_sync(to="json"),)
    now: datetime = NOON
    remaining: float = 900.0
    sequence: int = 0
    source: dict[str, Any] | None = None
    key: bytes | None = None
    queue: InMemoryQueue = field(default_factory=InMemoryQueue)
    configuration: Document | None = None
    routing: Callable[[Claims], Routing] = field(default=lambda _claims: NO_BIG_RUNS)
    teller: Teller | None = None
    deployment: int = 0
    _planner: Planner | None = field(default=None, init=False, repr=False)

    @property
    def planner(self) -> Planner:
        """That of the present configuration, which a test may change."""
        configuration = self.configuration or document(*self.syncs, source=self.source)
        if self._planner is None or self._planner.document is not configuration:
            self._planner = Planner(configuration)
        return self._planner

    @property
    def worker(self) -> Worker:
        return Worker.build(
            planner=self.planner,
            ledger=self.ledger,
            stores={"landing": self.store, "lake": self.store},
            queues={"landing": self.queue},
            now=lambda: self.now,
            engine="1",
            timeout_seconds=900,
            obfuscation_key=lambda: self.key,
            routing=self.routing,
            teller=self.teller,
            deployment=self.deployment,
        )

    def upload(self, data: bytes = ORDERS, ref: ObjectRef = SOURCE) -> Request:
        self.store.put(ref, data)
        return self.event(ref, etag=self.store.buckets[ref.bucket][ref.key].etag)

    def delete(self, ref: ObjectRef = SOURCE) -> Request:
        self.store.buckets[ref.bucket].pop(ref.key, None)
        return self.event(ref, kind=ChangeKind.REMOVED)

    def event(self, ref: ObjectRef = SOURCE, kind: ChangeKind = ChangeKind.CREATED, etag: str | None = None) -> Request:
        self.sequence += 1
        sequencer = Sequencer.parse(f"{self.sequence:04X}")
        return Request(change=ObjectChange(kind=kind, ref=ref, sequencer=sequencer, etag=etag))

    def delivery(self, message: str = "m1", receives: int = 1) -> Delivery:
        return Delivery(message_id=message, remaining=lambda: self.remaining, receives=receives)

    def work(self, request: Request, message: str = "m1", receives: int = 1) -> list[Outcome]:
        return list(self.worker.work(request, self.delivery(message, receives)))

    def one(self, request: Request, message: str = "m1") -> Outcome:
        (outcome,) = self.work(request, message)
        return outcome

    def entry(self, ref: ObjectRef = SOURCE, sync: str = "nightly") -> Entry:
        entry = self.ledger.get(sync, ref)
        assert entry is not None
        return entry
