"""Workers, a committer and an Iceberg table in memory, which pyiceberg writes and reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.table import Table

from millrace.aws.iceberg_catalog import GlueIcebergCatalog
from millrace.catalog.iceberg.committing import CommitReport, Committer
from millrace.catalog.iceberg.expiring import ExpiryReport, TableExpiry
from millrace.catalog.iceberg.tables import TableChange, find_place
from millrace.catalog.iceberg.telling import CommitTeller
from millrace.errors import ServiceUnavailable
from millrace.ledger.entries import Entry
from millrace.objects.references import ChangeKind, ObjectRef
from tests.configurations import bulk_sync
from tests.fake_glue import FakeGlue
from tests.world import World

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

    def open_catalog(self) -> GlueIcebergCatalog:
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
        return self.open_catalog()._open("lake").load_table((DATABASE, name))

    def rows(self, snapshot: int | None = None, *, table: str = "orders", where: str = "") -> list[Mapping[str, Any]]:
        """All rows, in no order but that of their text."""
        rows: pa.Table = self.table(table).scan(row_filter=where or AlwaysTrue(), snapshot_id=snapshot).to_arrow()
        return sorted(rows.to_pylist(), key=str)

    def keys(self) -> list[str]:
        """The keys of the files that stand below the table's folder."""
        return sorted(key for key in self.world.store.buckets["acme-out"] if key.startswith("lake/Orders/"))
