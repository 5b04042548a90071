"""Removes old snapshots of all Iceberg tables, and the files that no snapshot names any more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from millrace.catalog.iceberg.committing import LEAST_SECONDS, EntryReader
from millrace.catalog.iceberg.tables import (
    ORPHANS_AFTER,
    RETENTION,
    Expired,
    IcebergCatalog,
    IcebergPlace,
    IcebergTable,
    find_iceberg_sync,
)
from millrace.errors import MillraceError
from millrace.objects.lineage import Lineage
from millrace.objects.references import ObjectRef
from millrace.objects.store import ObjectStore, Stores
from millrace.planning.planner import Planner
from millrace.planning.targets import tables_folder_of


@dataclass(slots=True, kw_only=True)
class ExpiryReport:
    """What was removed of each table; ``troubles`` are those of tables that come with the next schedule again."""

    tables: dict[str, Expired] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)

    def to_log(self) -> dict[str, object]:
        """Counts over all tables, and what went wrong."""
        return {
            "tables": len(self.tables),
            "snapshots": sum(expired.snapshots for expired in self.tables.values()),
            "data_files": sum(expired.data_files for expired in self.tables.values()),
            "metadata_files": sum(expired.metadata_files for expired in self.tables.values()),
            **({"troubles": self.troubles} if self.troubles else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TableExpiry:
    """Expires snapshots that are older than a week; ``database`` is that of syncs which name none."""

    planner: Planner
    ledger: EntryReader
    catalog: IcebergCatalog
    stores: Stores
    database: str
    now: Callable[[], datetime]

    def expire(self, remaining: Callable[[], float]) -> ExpiryReport:
        """Look at every table of the configuration, as long as there is time; what was cut is done the next time."""
        report = ExpiryReport()
        for place in self._list_places():
            if remaining() < LEAST_SECONDS:
                report.troubles[str(place.name)] = "too little was left of the invocation"
                continue
            try:
                self._expire_table(place, report)
            except MillraceError as error:
                report.troubles[str(place.name)] = f"{type(error).__name__}: {error}"
        return report

    def _list_places(self) -> list[IcebergPlace]:
        """The tables of all syncs; the names of a connection's tables are the catalogue's, as its folders come.

        Those of a table bucket come once for each sync that has some there, and are of the one that owns them.
        """
        places: dict[object, IcebergPlace] = {}
        for sync in self.planner.document.active_syncs():
            if sync.iceberg is None:
                continue
            kept = replace(sync.iceberg, database=sync.iceberg.database or self.database)
            connection = self.planner.document.destination_connection_of(sync)
            root = tables_folder_of(self.planner.document.connection(connection).root)
            for name in self.catalog.list_tables(kept, root):
                location = ObjectRef(root.bucket, f"{root.key}{name.database}/{name.table}/")
                place = IcebergPlace(
                    name=name,
                    owner=sync.name,
                    connection=connection,
                    location=location,
                    outputs=location,
                    table_bucket=kept.table_bucket,
                )
                places.setdefault(name if kept.table_bucket is None else (*place.catalogued, sync.name), place)
        return list(places.values())

    def _expire_table(self, place: IcebergPlace, report: ExpiryReport) -> None:
        table = self.catalog.load(place)
        # A table of a sync that the configuration has no longer is its user's by now.
        if table is None or table.owner is None or find_iceberg_sync(self.planner, table.owner) is None:
            return
        if place.table_bucket is not None and not self._has_outputs_of(place, table):
            return
        now = self.now()
        report.tables[str(place.name)] = table.expire(
            before=now - RETENTION,
            orphans_before=now - ORPHANS_AFTER,
            is_needed=partial(self._is_needed, self.stores[place.connection]),
        )

    def _has_outputs_of(self, place: IcebergPlace, table: IcebergTable) -> bool:
        """Whether a table of a table bucket is this very sync's: another deployment may have tables beside it."""
        root = self.planner.document.connection(place.connection).root
        outputs = table.outputs
        is_below = outputs is not None and outputs.bucket == root.bucket and outputs.key.startswith(root.prefix)
        return table.owner == place.owner and is_below

    def _is_needed(self, store: ObjectStore, output: ObjectRef) -> bool:
        """Whether the ledger names an output; one that does not say whose it is stays."""
        head = store.head(output)
        if head is None:
            return False
        lineage = Lineage.from_metadata(head.metadata)
        if lineage is None:
            return True
        entry = self.ledger.get(lineage.sync, lineage.source_ref())
        if entry is None:
            return True
        return any(known.ref == output for known in (*entry.outputs, *entry.obsolete))
