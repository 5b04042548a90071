"""Workers, a committer and an Iceberg table in memory, which pyiceberg writes and reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
from pyiceberg.catalog.noop import NoopCatalog
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.serializers import FromInputFile
from pyiceberg.table import Table

from millrace.aws.iceberg_catalog import GlueIcebergCatalog
from millrace.aws.iceberg_io import StoreFileIO
from millrace.aws.iceberg_table_buckets import TableBucketCatalog
from millrace.catalog.iceberg.catalogs import IcebergCatalogs
from millrace.catalog.iceberg.committing import CommitReport, Committer
from millrace.catalog.iceberg.expiring import ExpiryReport, TableExpiry
from millrace.catalog.iceberg.tables import IcebergCatalog, TableChange, find_place
from millrace.catalog.iceberg.telling import CommitTeller
from millrace.config.document import Document, parse
from millrace.errors import ServiceUnavailable
from millrace.ledger.entries import Entry, State
from millrace.objects.references import ChangeKind, ObjectRef
from tests.configurations import bulk_sync, connection
from tests.fake_glue import FakeGlue
from tests.fake_table_buckets import TABLE_BUCKET, FakeTableBuckets
from tests.world import NOON, World

DATABASE = "lake"
ONE_TABLE = {"is_single_table": True, "single_table_name": "Orders"}


def iceberg_sync(**fields: Any) -> dict[str, Any]:
    """A bulk sync whose tables are Iceberg's."""
    return {**bulk_sync(to="iceberg"), "on_delete": "remove", **fields}


@dataclass
class CommitLetters:
    """Satisfies ``CommitRequests``: keeps what was sent; ``is_away``: it cannot be reached."""

    bodies: list[str] = field(default_factory=list)
    sent: list[tuple[str, str]] = field(default_factory=list)
    is_away: bool = False

    def send(self, body: str, *, group: str, deduplication: str) -> None:
        """Keep it."""
        if self.is_away:
            raise ServiceUnavailable("the queue is away")
        self.bodies.append(body)
        self.sent.append((group, deduplication))


def table_bucket_sync(**fields: Any) -> dict[str, Any]:
    """A bulk sync whose tables are in a table bucket."""
    place = {"format": "iceberg", "table_bucket": TABLE_BUCKET, "database": DATABASE}
    return iceberg_sync(**{"destination_configuration": place, **fields})


@dataclass
class IcebergWorld:
    """See the module. ``sync`` is the configuration's one bulk sync."""

    sync: dict[str, Any] = field(default_factory=iceberg_sync)
    source: dict[str, Any] = field(default_factory=lambda: dict(ONE_TABLE))
    glue: FakeGlue = field(default_factory=lambda: FakeGlue({DATABASE: {}}))
    letters: CommitLetters = field(default_factory=CommitLetters)
    configuration: Any = None

    def __post_init__(self) -> None:
        self.world = World(syncs=(self.sync,), source=self.source, configuration=self.configuration)
        self.planner = self.world.planner
        name = self.planner.document.active_syncs()[0].name
        self.world.teller = CommitTeller(
            planner=self.planner, queue=self.letters, syncs=frozenset({name}), database=DATABASE
        )
        self.catalog = self.open_catalog()
        self.committer = self.make_committer()

    def open_catalog(self) -> IcebergCatalog:
        """That of another process: it remembers nothing."""
        return GlueIcebergCatalog(self.glue, {"lake": self.world.store})

    def make_committer(self) -> Committer:
        """One of another process."""
        return Committer(planner=self.planner, ledger=self.world.ledger, catalog=self.open_catalog(), database=DATABASE)

    def convert(self, name: str, text: str) -> Entry:
        """Put an object and convert it; its entry."""
        outcome = self.world.one(self.world.upload(text.encode(), ObjectRef("acme-in", f"in/{name}")), message=name)
        assert outcome.entry is not None
        return outcome.entry

    def remove(self, name: str) -> Entry:
        """Delete an object and what becomes of it."""
        outcome = self.world.one(self.world.delete(ObjectRef("acme-in", f"in/{name}")), message=f"{name} removed")
        assert outcome.entry is not None
        return outcome.entry

    def redeliver(self, name: str) -> None:
        """The object's event once more."""
        self.world.work(self.world.event(ObjectRef("acme-in", f"in/{name}"), ChangeKind.CREATED), message=name)

    def commit(self, bodies: Sequence[str] | None = None) -> CommitReport:
        """Commit what was asked for since, or what is given."""
        asked = list(self.letters.bodies) if bodies is None else list(bodies)
        if bodies is None:
            self.letters.bodies.clear()
        return self.committer.commit(asked, lambda: 900.0)

    def take(self, name: str, text: str) -> CommitReport:
        """Convert an object and commit it."""
        self.convert(name, text)
        return self.commit()

    def expire(self, after: timedelta) -> ExpiryReport:
        """Expire, so long from the real now: snapshots have that time, and the store's objects are older."""
        expiry = TableExpiry(
            planner=self.planner,
            ledger=self.world.ledger,
            catalog=self.open_catalog(),
            stores={"lake": self.world.store},
            database=DATABASE,
            now=lambda: datetime.now().astimezone() + after,
        )
        return expiry.expire(lambda: 900.0)

    def change(self, change: TableChange) -> None:
        """What another program does to the table."""
        (place,) = {find_place(self.planner, entry.sync, entry.source, DATABASE) for entry in self.entries()}
        assert place is not None
        loaded = self.catalog.load(place)
        assert loaded is not None
        for output in change.add:
            loaded.check(output)
        loaded.commit(change)

    def entries(self) -> list[Entry]:
        """All that the ledger has of objects."""
        return [entry for entry in self.world.ledger.entries.values() if isinstance(entry, Entry)]

    def table(self, name: str = "orders") -> Table:
        """As pyiceberg loads it."""
        return GlueIcebergCatalog(self.glue, {"lake": self.world.store})._open("lake").load_table((DATABASE, name))

    def rows(self, snapshot: int | None = None, *, table: str = "orders", where: str = "") -> list[Mapping[str, Any]]:
        """All rows, in no order but that of their text."""
        rows: pa.Table = self.table(table).scan(row_filter=where or AlwaysTrue(), snapshot_id=snapshot).to_arrow()
        return sorted(rows.to_pylist(), key=str)

    def keys(self) -> list[str]:
        """The keys of the files that stand below the table's folder."""
        return sorted(key for key in self.world.store.buckets["acme-out"] if key.startswith("lake/Orders/"))


@dataclass
class TableBucketWorld(IcebergWorld):
    """The same with tables in a table bucket; ``today`` is the committers' time."""

    sync: dict[str, Any] = field(default_factory=table_bucket_sync)
    buckets: FakeTableBuckets = field(default_factory=FakeTableBuckets)
    today: datetime = NOON

    def open_catalog(self) -> IcebergCatalog:
        """That of another process, which could reach Glue, too."""
        stores = {"lake": self.world.store}
        of_buckets = TableBucketCatalog(
            stores,
            client_of=lambda _region: self.buckets,
            warehouse_of=lambda _region: self.buckets.warehouse,
            now=lambda: self.today,
        )
        return IcebergCatalogs(GlueIcebergCatalog(self.glue, stores), of_buckets)

    def table(self, name: str = "orders") -> Table:
        """As pyiceberg reads it from its metadata alone."""
        stored = self.buckets.namespaces[DATABASE][name]
        io = StoreFileIO(self.buckets.warehouse)
        metadata = FromInputFile.table_metadata(io.new_input(stored["metadataLocation"]))
        return Table((DATABASE, name), metadata, stored["metadataLocation"], io, NoopCatalog("tests"))

    def copies(self) -> list[str]:
        """The addresses of all copies, also of those that no snapshot names."""
        return sorted(
            f"s3://{bucket}/{key}"
            for bucket, objects in self.buckets.warehouse.buckets.items()
            for key in objects
            if key.startswith("data/")
        )


def model_table(place: dict[str, Any]) -> Document:
    """A model of all files of ``s3://acme-in/in``, whose output is a table ``sales`` in a place."""
    notified = {"enable_event_notifications": True, "event_queue_arn": "managed"}
    model = {"name": "orders", "connection": "landing", "configuration": {"file_format": "csv"}}
    target = {"connection": "lake", "object": "sales", "configuration": place}
    return parse(
        {
            "connections": [
                connection("landing", "s3://acme-in/in", **notified),
                connection("lake", "s3://acme-out/lake"),
            ],
            "models": [model],
            "model_syncs": [{"name": "nightly", "model": "orders", "target": target, "mode": "replace"}],
        }
    )


def build_model(world: IcebergWorld, text: bytes) -> None:
    """Build ``model_table`` of one file."""
    world.world.upload(text, ObjectRef("acme-in", "in/a.csv"))
    request = replace(world.world.event(ObjectRef("acme-in", "in/")), sync="nightly")
    (outcome,) = world.world.worker.work(request, world.world.delivery(message=str(text)))
    assert outcome.result == State.CONVERTED, outcome
