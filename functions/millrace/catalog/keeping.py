"""Keeps a destination's tables right in the catalogue, by what was written: called when an object is settled.

What a table's columns are, its newest output says: its footer is read, so that the catalogue never says what no file
has. Of two workers the one that comes later finds the revision changed, and looks again::

    worker A   finds revision 7, reads its output's footer ............... replaces 7: refused, looks again
    worker B        finds revision 7, reads its output's footer, replaces 7

A worker remembers which version of a table it has seen in the catalogue, so that most objects ask nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import unquote

from millrace.catalog.tables import (
    Catalog,
    CatalogName,
    CatalogPartition,
    CatalogRefused,
    CatalogTable,
    CatalogVersion,
    demand_own,
)
from millrace.config.bulk_sync import BulkSync
from millrace.config.catalog import to_table_name
from millrace.config.model_sync import ModelSync
from millrace.engine.options import FileFormat
from millrace.errors import ObjectGone
from millrace.ledger.entries import DONE, Entry
from millrace.ledger.races import retry_lost_race
from millrace.objects.references import ObjectRef
from millrace.objects.store import ObjectStore, Stores
from millrace.planning.planner import Planner
from millrace.planning.plans import Build, Plan, SharedTable
from millrace.planning.targets import ModelPlace, table_root_of

if TYPE_CHECKING:
    import pyarrow as pa

_TRIES = 5
PATIENCE = timedelta(minutes=1)
"""So long a table is left alone after trouble: a catalogue that is away must not slow every object down."""


class FilesOfTable(enum.Enum):
    """Which files are a table's, in its folder."""

    SHARED = "the outputs of many objects, with one remembered schema"
    NEWEST = "that of the newest of many objects, whose entry is the table's own"
    ALONE = "the one output of an object or of a build"


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePlace:
    """Where an object's table lies, and what it is called in the catalogue; ``root`` is a key that ends in a slash."""

    name: CatalogName
    owner: str
    root: ObjectRef
    is_divided: bool
    files: FilesOfTable
    connection: str

    @property
    def has_versions(self) -> bool:
        """Whether its schema is remembered; a table of one file is as that file, whatever it was before."""
        return self.files is FilesOfTable.SHARED


@dataclass(slots=True)
class _Known:
    """What this worker knows of a table: the version that the catalogue has, and when there was trouble last."""

    version: CatalogVersion | None = None
    trouble: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogKeeper:
    """Keeps the tables of syncs with ``catalog: glue``; ``database`` is that of syncs which name none."""

    planner: Planner
    stores: Stores | Mapping[str, ObjectStore]
    catalog: Catalog
    database: str
    now: Callable[[], datetime]
    known: dict[CatalogName, _Known] = field(default_factory=dict)

    def keep(self, entry: Entry) -> bool:
        """Bring the table of a settled object into the catalogue, if it is not; whether anything was written there.

        Raises: MillraceError if it cannot be done; after trouble, nothing is tried for a minute.
        """
        place = self.find_place(entry)
        if place is None:
            return False
        known = self.known.setdefault(place.name, _Known())
        version = CatalogVersion(entry.deployment, entry.schema_version or 0)
        is_known = place.has_versions and known.version is not None and known.version >= version
        if is_known or self._is_in_trouble(known):
            return False
        try:
            is_written = retry_lost_race(
                lambda: self._keep_once(place, entry, version),
                tries=_TRIES,
                problem=f"table {place.name} is being changed by others in the catalogue",
            )
        except Exception:
            known.trouble = self.now()
            raise
        known.version, known.trouble = version, None
        return is_written

    def _is_in_trouble(self, known: _Known) -> bool:
        return known.trouble is not None and self.now() - known.trouble < PATIENCE

    def find_place(self, entry: Entry) -> TablePlace | None:
        """The table that a settled object is a file of, if it is catalogued."""
        sync = find_catalogued(self.planner, entry.sync)
        if sync is None or entry.state not in DONE:
            return None
        plan = self.planner.find_work(entry.source, entry.sync)
        return self._to_place(sync, plan) if plan is not None else None

    def _to_place(self, sync: BulkSync | ModelSync, plan: Plan | Build) -> TablePlace:
        assert sync.glue is not None  # noqa: S101 - for the type checker: others have no place
        return TablePlace(
            name=CatalogName(sync.glue.database or self.database, to_table_name(plan.place.table)),
            owner=plan.sync,
            root=table_root_of(plan.place),
            is_divided=plan.recipe.transform.partition_key is not None,
            files=_which_files(plan),
            connection=plan.target_connection,
        )

    def _keep_once(self, place: TablePlace, entry: Entry, version: CatalogVersion) -> bool:
        """Raises: LostRace if another has changed the table since it was found."""
        # Found first, read then: what is read is at least as new as what was found.
        stored = self.catalog.find(place.name)
        if stored is not None:
            demand_own(stored, place.name, place.owner)
            if stored.version > version:
                return False
        output = self._find_output(entry, place)
        table = self._define(place, output, version) if output is not None else None
        if table is None or (stored is not None and stored.is_as(table)):
            return False
        if stored is None:
            self.catalog.create(table)
        else:
            self.catalog.replace(table, stored)
        return True

    def _find_output(self, entry: Entry, place: TablePlace) -> ObjectRef | None:
        """An output of the table; None if there is none: the object had no rows to write.

        The outputs of a snapshot table are its own entry's, and not its files'; so its folder is listed.
        """
        refs = (output.ref for output in entry.outputs)
        if place.files is FilesOfTable.NEWEST:
            listed = self.stores[place.connection].list(place.root.bucket, place.root.key)
            refs = (one.ref for one in listed)
        return next((ref for ref in refs if is_output(ref, place)), None)

    def _demand_alone(self, place: TablePlace, output: ObjectRef) -> None:
        """Raise CatalogRefused if another file is in the folder, such as one that an earlier mode wrote."""
        for listed in self.stores[place.connection].list(place.root.bucket, place.root.key):
            if listed.ref != output and _is_read(listed.ref.key.removeprefix(place.root.key)):
                raise CatalogRefused(
                    f"{listed.ref} lies in the folder of table {place.name}, whose one file is {output}; query engines "
                    "would read its rows, too. Move it away, or give the sync another object"
                )

    def _define(self, place: TablePlace, output: ObjectRef, version: CatalogVersion) -> CatalogTable | None:
        """What the table should be, by an output; None if that is gone: who removed it, or replaced it, comes too."""
        from millrace.catalog.columns import to_catalog_columns  # noqa: PLC0415 - pyarrow takes 0.3 s to import

        if place.files is FilesOfTable.ALONE:
            self._demand_alone(place, output)
        partition = find_partition(place, output)
        try:
            schema = self._read_schema(place, output)
        except ObjectGone:
            return None
        return CatalogTable(
            name=place.name,
            owner=place.owner,
            location=str(place.root),
            columns=to_catalog_columns(schema, leave_out=partition.name if partition is not None else None),
            version=version,
            partition=partition,
        )

    def _read_schema(self, place: TablePlace, output: ObjectRef) -> pa.Schema:
        """The schema of a Parquet file; one GET of its end."""
        import pyarrow.parquet as pq  # noqa: PLC0415 - takes 0.3 s to import

        with self.stores[place.connection].open(output, tail_first=True) as opened:
            return pq.read_schema(opened.stream)


def find_catalogued(planner: Planner, sync_name: str) -> BulkSync | ModelSync | None:
    """The sync of a name, if its tables are catalogued."""
    for sync in planner.document.active_syncs():
        if sync.name == sync_name and sync.glue is not None:
            return sync
    return None


def _which_files(plan: Plan | Build) -> FilesOfTable:
    if isinstance(plan, Plan) and isinstance(plan.way, SharedTable):
        return FilesOfTable.SHARED
    return FilesOfTable.ALONE if isinstance(plan.place, ModelPlace) else FilesOfTable.NEWEST


def _is_read(path: str) -> bool:
    """Whether query engines read a key in a table's folder: they pass over markers, ``_SUCCESS`` and ``.tmp/a``."""
    is_hidden = any(name.startswith(("_", ".")) for name in path.split("/"))
    return not is_hidden and path != "" and not path.endswith("/")


def is_output(ref: ObjectRef, place: TablePlace) -> bool:
    """Whether a key is that of one of the table's outputs; bad rows that were put aside lie elsewhere."""
    return ref.key.startswith(place.root.key) and ref.key.endswith(FileFormat.PARQUET.extension)


def find_partition(place: TablePlace, output: ObjectRef) -> CatalogPartition | None:
    """The field that outputs are divided by, as the first folder below the table names it: ``region=EU/a.parquet``."""
    if not place.is_divided:
        return None
    directory = output.key.removeprefix(place.root.key).partition("/")[0].partition("=")[0]
    return CatalogPartition(name=unquote(directory).lower(), directory=directory)
