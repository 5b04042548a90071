"""An Iceberg table as the committer sees it, the port to it, and where an object's table is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from millrace.catalog.tables import CatalogName
from millrace.config.bulk_sync import BulkSync
from millrace.config.catalog import IcebergTables, to_table_name
from millrace.config.model_sync import ModelSync
from millrace.ledger.entries import Output
from millrace.objects.output_names import OutputVersion
from millrace.objects.references import ObjectRef
from millrace.planning.planner import Planner
from millrace.planning.plans import Build, Plan
from millrace.planning.targets import table_root_of, tables_folder_of


@dataclass(frozen=True, slots=True, kw_only=True)
class IcebergPlace:
    """Where a table is: its name, the sync that owns it, and what the connection reaches.

    ``location`` is where its metadata are kept, ``outputs`` where the sync writes its files: keys that end in a slash.
    A ``table_bucket``, by its ARN, keeps the metadata by itself, and copies of the files.
    """

    name: CatalogName
    owner: str
    connection: str
    location: ObjectRef
    outputs: ObjectRef
    table_bucket: str | None = None

    @property
    def catalogued(self) -> tuple[str | None, CatalogName]:
        """What no two tables have in common."""
        return self.table_bucket, self.name


@dataclass(frozen=True, slots=True)
class LiveFile:
    """A file of a table's current snapshot; ``path`` is its address, ``s3://bucket/key``.

    ``copy`` is the name of a copy, by which it is known whatever folder it is in; None: it is the output itself.
    """

    path: str
    version: OutputVersion
    copy: str | None = None

    @property
    def name(self) -> str:
        """By what the table knows it; ``IcebergTable.name_file`` says the same of an output."""
        return self.copy or self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class TableChange:
    """One commit: files that the table gets, and files that leave it. ``units`` are the objects, with their fences."""

    add: tuple[Output, ...] = ()
    remove: tuple[str, ...] = ()
    units: tuple[tuple[str, int], ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the table is already as it should be."""
        return not self.add and not self.remove


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """What an expiry removed."""

    snapshots: int = 0
    data_files: int = 0
    metadata_files: int = 0


class IcebergTable(Protocol):
    """A table as it was when it was loaded. Whatever changed it since makes ``commit`` lose."""

    @property
    def owner(self) -> str | None:
        """The sync that made it; None: it is not Millrace's."""
        ...

    @property
    def outputs(self) -> ObjectRef | None:
        """Where its sync writes its files, a key that ends in a slash."""
        ...

    def find_files(self, units: Collection[str]) -> Mapping[str, Sequence[LiveFile]]:
        """The files of the current snapshot that are outputs of some objects, by the objects' digests."""
        ...

    def name_file(self, output: Output) -> str:
        """The name that an output has among the table's files: ``LiveFile.name``."""
        ...

    def check(self, output: Output) -> None:
        """Raise CatalogRefused if an output cannot become a file of the table, ObjectGone if there is none.

        What its footer says is kept for the commit.
        """
        ...

    def commit(self, change: TableChange) -> None:
        """Make one snapshot of a change, whose new files were checked. Raises LostRace if the table is another now."""
        ...

    def expire(self, *, before: datetime, orphans_before: datetime, is_needed: NeededOutput) -> Expired:
        """Remove the snapshots that are older, then what no snapshot names any more.

        ``is_needed`` is asked for outputs that no snapshot names: one that is not committed yet must stay. Raises
        LostRace if the table was changed meanwhile.
        """
        ...


class NeededOutput(Protocol):
    """Says whether an output of an object may still be committed."""

    def __call__(self, output: ObjectRef, /) -> bool:
        """Whether the ledger names it; raises what reading it raises."""
        ...


class IcebergCatalog(Protocol):
    """Where Iceberg tables are kept."""

    def load(self, place: IcebergPlace) -> IcebergTable | None:
        """A table as it is now; None: there is none of that name. Raises MillraceError."""
        ...

    def create(self, place: IcebergPlace) -> None:
        """Make a table without columns and rows. Raises LostRace if there is one by now."""
        ...

    def list_tables(self, kept: IcebergTables, root: ObjectRef) -> Sequence[CatalogName]:
        """The Iceberg tables of a database whose metadata are below a folder, a key that ends in a slash.

        Of a namespace in a table bucket all: their metadata are elsewhere.
        """
        ...


def find_place(planner: Planner, sync_name: str, source: ObjectRef, database: str) -> IcebergPlace | None:
    """The table that an object, or a build, is a part of; None if its sync has none, or does not read it any more."""
    sync = find_iceberg_sync(planner, sync_name)
    if sync is None:
        return None
    plan = planner.find_work(source, sync_name)
    return _to_place(planner, sync, plan, database) if plan is not None else None


def find_iceberg_sync(planner: Planner, sync_name: str) -> BulkSync | ModelSync | None:
    """The sync of a name, if its outputs are Iceberg tables."""
    for sync in planner.document.active_syncs():
        if sync.name == sync_name and sync.iceberg is not None:
            return sync
    return None


def _to_place(planner: Planner, sync: BulkSync | ModelSync, plan: Plan | Build, database: str) -> IcebergPlace:
    assert sync.iceberg is not None  # noqa: S101 - for the type checker: others have no place
    name = CatalogName(sync.iceberg.database or database, to_table_name(plan.place.table))
    root = tables_folder_of(planner.document.connection(plan.target_connection).root)
    return IcebergPlace(
        name=name,
        owner=sync.name,
        connection=plan.target_connection,
        location=ObjectRef(root.bucket, f"{root.key}{name.database}/{name.table}/"),
        outputs=table_root_of(plan.place),
        table_bucket=sync.iceberg.table_bucket,
    )


RETENTION = timedelta(days=7)
"""So long every snapshot is kept, for readers and for queries of what the table was."""
ORPHANS_AFTER = timedelta(days=10)
"""What no snapshot names is no orphan before: its message may wait in the queue for four days, and be sent again."""
