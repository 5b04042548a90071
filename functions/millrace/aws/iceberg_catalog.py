"""Iceberg tables in the AWS Glue Data Catalog through pyiceberg; satisfies ``catalog.iceberg.tables``.

Of pyiceberg's own retries none is used: what lost a race is decided again, by a table and a ledger that are read again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pyarrow.parquet as pq
from botocore.exceptions import ClientError
from pyiceberg.catalog.glue import GlueCatalog as PyIcebergGlue
from pyiceberg.exceptions import (
    CommitFailedException,
    NoSuchIcebergTableError,
    NoSuchNamespaceError,
    NoSuchPropertyException,
    NoSuchTableError,
    TableAlreadyExistsError,
    ValidationError,
    ValidationException,
)
from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFile, ManifestContent, ManifestFile
from pyiceberg.schema import Schema
from pyiceberg.table import Table, TableProperties
from pyiceberg.table.name_mapping import create_mapping_from_schema
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.table.update.snapshot import ExpireSnapshots

from millrace.aws.faults import error_code, translated
from millrace.aws.iceberg_columns import to_iceberg_schema
from millrace.aws.iceberg_io import StoreFileIO
from millrace.aws.iceberg_snapshots import (
    FOREIGN,
    MERGED_FROM,
    RememberedManifests,
    ReplacingSnapshot,
    SteadyTransaction,
    has_files,
    to_data_file,
)
from millrace.catalog.columns import find_collisions
from millrace.catalog.iceberg.tables import Expired, IcebergPlace, LiveFile, NeededOutput, TableChange
from millrace.catalog.tables import CatalogName, CatalogRefused
from millrace.config.catalog import IcebergTables
from millrace.errors import ConfigurationError, LostRace
from millrace.ledger.entries import Output
from millrace.objects.output_names import OutputVersion
from millrace.objects.references import ObjectRef
from millrace.objects.store import ObjectHead, ObjectStore, Stores

OWNER, OUTPUTS, _OBJECTS = "millrace.sync", "millrace.outputs", "millrace.objects"
_MOST_NAMED = 50
"""Objects that a snapshot's summary names with their fences; a commit of more says how many they are."""
MOST_SNAPSHOTS = 300
"""Of a table: see KEPT_SNAPSHOTS."""
KEPT_SNAPSHOTS = 200
"""A table that has the most forgets the oldest with its next commit: all of them are in each metadata file, so that a
table of a commit a second would have a file of 600,000 after a week. Their files are orphans then, and go as such."""
_RACES = (CommitFailedException, ValidationException, TableAlreadyExistsError, NoSuchTableError)
# No retries of pyiceberg's own: who loses a race has to load the table and decide once more.
PROPERTIES = {
    "format-version": "2",
    TableProperties.COMMIT_NUM_RETRIES: "0",
    TableProperties.METADATA_DELETE_AFTER_COMMIT_ENABLED: "true",
    TableProperties.METADATA_PREVIOUS_VERSIONS_MAX: "100",
    TableProperties.DEFAULT_NAME_MAPPING: "[]",
    TableProperties.MANIFEST_MIN_MERGE_COUNT: str(MERGED_FROM),
}


class _GlueOfStore(PyIcebergGlue):
    """pyiceberg's Glue catalogue, whose files are read and written by one connection's store."""

    def __init__(self, client: Any, store: ObjectStore) -> None:
        super().__init__("millrace", client=client, **{"glue.skip-archive": "true"})
        self._store = store

    def _load_file_io(self, properties: Any = None, location: str | None = None) -> FileIO:
        del properties, location
        return StoreFileIO(self._store)


class GlueIcebergCatalog:
    """The tables of the account and region of a client; ``stores`` reach their files."""

    def __init__(self, client: Any, stores: Stores | Mapping[str, ObjectStore]) -> None:
        self._client = client
        self._stores = stores
        self._manifests = RememberedManifests()

    def _open(self, connection: str) -> _GlueOfStore:
        return _GlueOfStore(self._client, self._stores[connection])

    def load(self, place: IcebergPlace) -> LoadedTable | None:
        """One GetTable, and the metadata that it names."""
        with translated("glue:GetTable of", place.name):
            try:
                table = self._open(place.connection).load_table((place.name.database, place.name.table))
            except (NoSuchIcebergTableError, NoSuchPropertyException) as error:
                raise CatalogRefused(
                    f"table {place.name} is not an Iceberg table; it is left alone. Give the sync another database, or "
                    "the table another user_output_name"
                ) from error
            except NoSuchTableError:
                return None
        return LoadedTable(table, self._stores[place.connection], self._manifests)

    def create(self, place: IcebergPlace) -> None:
        """One CreateTable, after its first metadata are written."""
        properties = PROPERTIES | {OWNER: place.owner, OUTPUTS: str(place.outputs)}
        with translated("glue:CreateTable of", place.name), _races(place.name):
            try:
                self._open(place.connection).create_table(
                    (place.name.database, place.name.table),
                    schema=Schema(),
                    location=str(place.location).rstrip("/"),
                    properties=properties,
                )
            except NoSuchNamespaceError as error:
                raise ConfigurationError(
                    f"there is no database {place.name.database!r} in the catalogue of this account and region; create "
                    "it, or name another one as database"
                ) from error

    def list_tables(self, kept: IcebergTables, root: ObjectRef) -> Sequence[CatalogName]:
        """All pages of GetTables."""
        names = []
        database = kept.database or ""
        with translated("glue:GetTables of", database):
            try:
                for page in self._client.get_paginator("get_tables").paginate(DatabaseName=database):
                    names += [table["Name"] for table in page["TableList"] if _is_below(table, root)]
            except ClientError as error:
                if error_code(error) != "EntityNotFoundException":
                    raise
        return [CatalogName(database, name) for name in names]


def _is_below(table: Mapping[str, Any], root: ObjectRef) -> bool:
    return str(table.get("Parameters", {}).get("metadata_location", "")).startswith(str(root))


@contextmanager
def _races(name: CatalogName | str) -> Iterator[None]:
    """Name what pyiceberg raises if the table is not as it was."""
    try:
        yield
    except _RACES as error:
        raise LostRace(f"table {name} was changed by another meanwhile: {error}") from error


class LoadedTable:
    """A table as it was loaded; satisfies ``catalog.iceberg.tables.IcebergTable``. Its files are the outputs.

    ``store`` reaches the outputs.
    """

    commit_action = "glue:UpdateTable of"
    mending = "Roll it back to the snapshot before, or drop the table (its files stay) and reprocess the sync"
    """What to do about a file that another program has put into the table."""

    def __init__(self, table: Table, store: ObjectStore, manifests: RememberedManifests) -> None:
        self._table, self._store, self._manifests = table, store, manifests
        # Somebody may have given the table retries: one of pyiceberg's would commit what was decided by an older table.
        table.metadata.properties[TableProperties.COMMIT_NUM_RETRIES] = "0"
        self._transaction = SteadyTransaction(table)
        self._footers: dict[ObjectRef, pq.FileMetaData] = {}

    @property
    def owner(self) -> str | None:
        """A property of the table."""
        return self._table.properties.get(OWNER)

    @property
    def outputs(self) -> ObjectRef | None:
        """A property of the table."""
        stored = self._table.properties.get(OUTPUTS)
        return ObjectRef.parse(stored) if stored is not None else None

    def find_files(self, units: Collection[str]) -> Mapping[str, Sequence[LiveFile]]:
        """By the names of all files of the current snapshot; manifests that were read before are not read again."""
        files: dict[str, list[LiveFile]] = {}
        with _translated_files(self._table):
            for manifest in self._list_manifests(self._table.current_snapshot()):
                for file in self._manifests.read(manifest, self._table.io):
                    if file.version == FOREIGN:
                        raise self._to_foreign(file)
                    if file.version.unit in units:
                        files.setdefault(file.version.unit, []).append(file)
        return files

    def _to_foreign(self, file: LiveFile) -> CatalogRefused:
        """If rows were written together anew, nobody knows which of them are whose, and a new version would double."""
        return CatalogRefused(
            f"table {self._name} has a file that Millrace did not write, {file.path}: was it compacted (OPTIMIZE), or "
            f"written to? {self.mending}"
        )

    def _list_manifests(self, snapshot: Snapshot | None) -> Iterator[ManifestFile]:
        """The manifests of a snapshot that have files."""
        if snapshot is None:
            return
        for manifest in snapshot.manifests(self._table.io):
            if manifest.content == ManifestContent.DATA and has_files(manifest):
                yield manifest

    def name_file(self, output: Output) -> str:
        """Its address."""
        return str(output.ref)

    def bring_file(self, output: Output) -> str:
        """The address of an output as a file of the table: it is where it always was."""
        return str(output.ref)

    def check_head(self, output: Output, head: ObjectHead) -> None:
        """Nothing: the name of an output is never used again. Raises CatalogRefused otherwise."""

    def check(self, output: Output) -> None:
        """Read a file's footer, and widen the table's columns by it, for the commit."""
        if output.ref in self._footers:
            return
        with self._store.open(output.ref, tail_first=True) as opened:
            self.check_head(output, opened.head)
            footer = pq.read_metadata(opened.stream)
        schema = to_iceberg_schema(footer.schema.to_arrow_schema())
        self._widen(schema, output)
        self._footers[output.ref] = footer

    def _widen(self, schema: Schema, output: Output) -> None:
        before = self._transaction.table_metadata.schema()
        if _has_all(before, schema):
            return
        try:
            with self._transaction.update_schema() as update:
                update.union_by_name(schema)
        except (ValidationError, ValueError) as error:
            raise CatalogRefused(
                f"{output.ref} has other types than table {self._name} can have by now: {error}. Iceberg widens int to "
                "long, float to double, and decimals. Convert all objects with the present schema in a table of "
                "another name, or drop the table (its files stay) and reprocess the sync"
            ) from error
        after = self._transaction.table_metadata.schema()
        if problems := find_collisions([column.name for column in after.fields]):
            raise CatalogRefused(f"{output.ref} and table {self._name}: {'; '.join(problems)}; rename one of them")

    @property
    def _name(self) -> str:
        return ".".join(self._table.name())

    def commit(self, change: TableChange) -> None:
        """One commit with one snapshot: of files, of columns, and of the names by which readers find those."""
        transaction = self._transaction
        with translated(self.commit_action, self._name), _translated_files(self._table), _races(self._name):
            schema = transaction.table_metadata.schema()
            mapping = create_mapping_from_schema(schema).model_dump_json()
            if transaction.table_metadata.properties.get(TableProperties.DEFAULT_NAME_MAPPING) != mapping:
                transaction.set_properties({TableProperties.DEFAULT_NAME_MAPPING: mapping})
            producer = ReplacingSnapshot(transaction, self._table.io, _to_summary(change))
            for output in change.add:
                path, footer = self.bring_file(output), self._footers[output.ref]
                producer.append_data_file(to_data_file(path, output.size, footer, schema))
            for data_file in self._find_data_files(change.remove):
                producer.delete_data_file(data_file)
            producer.commit()
            surplus = self._find_surplus()
            if surplus:
                ExpireSnapshots(transaction).by_ids(surplus).commit()
            transaction.commit_transaction()

    def _find_surplus(self) -> list[int]:
        """The oldest snapshots, if there are too many; none that a branch or a tag holds."""
        snapshots = sorted(self._table.snapshots(), key=_to_time)
        if len(snapshots) < MOST_SNAPSHOTS:
            return []
        heads = self._list_heads()
        oldest = snapshots[: len(snapshots) - KEPT_SNAPSHOTS]
        return [snapshot.snapshot_id for snapshot in oldest if snapshot.snapshot_id not in heads]

    def _list_heads(self) -> set[int]:
        """The snapshots that a branch or a tag holds."""
        return {ref.snapshot_id for ref in self._table.metadata.refs.values()}

    def _find_data_files(self, paths: Sequence[str]) -> Iterator[DataFile]:
        """The entries of files by their paths; raise LostRace if one is not there."""
        wanted = set(paths)
        for manifest in self._list_manifests(self._table.current_snapshot()):
            names = {file.path for file in self._manifests.read(manifest, self._table.io)}
            # Which files a manifest has is remembered. Whole entries are only read of those that have one that is
            # wanted.
            if not names & wanted:
                continue
            for entry in manifest.fetch_manifest_entry(io=self._table.io, discard_deleted=True):
                if entry.data_file.file_path in wanted:
                    wanted.discard(entry.data_file.file_path)
                    yield entry.data_file
        if wanted:
            raise LostRace(f"table {self._name} has no file {min(wanted)} any more")

    def expire(self, *, before: datetime, orphans_before: datetime, is_needed: NeededOutput) -> Expired:
        """Delete what only old snapshots name, then forget them, then look for what nobody names.

        The files first: killed in between, it leaves snapshots that are old still, and the next one goes on. A reader
        of such a snapshot was promised no more than a week.
        """
        with translated("expiry of", self._name), _translated_files(self._table), _races(self._name):
            old = self._find_old(before)
            kept = [snapshot for snapshot in self._table.snapshots() if snapshot.snapshot_id not in old]
            named = self._list_paths(kept)
            gone = self._list_paths(old.values()) - named
            for path in sorted(gone):
                self._store.delete(ObjectRef.parse(path))
            if old:
                with self._table.transaction() as transaction:
                    ExpireSnapshots(transaction).by_ids(list(old)).commit()
            orphans = self.delete_orphans(named, orphans_before, is_needed)
            metadata = self._delete_metadata(kept, orphans_before)
        return Expired(snapshots=len(old), data_files=len(gone) + orphans, metadata_files=metadata)

    def _find_old(self, before: datetime) -> dict[int, Snapshot]:
        """The snapshots that are older, but the heads of branches and what is tagged."""
        heads = self._list_heads()
        old = {}
        for snapshot in self._table.snapshots():
            made = datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC)
            if made < before and snapshot.snapshot_id not in heads:
                old[snapshot.snapshot_id] = snapshot
        return old

    def _list_paths(self, snapshots: Collection[Snapshot]) -> set[str]:
        """The files that some of the snapshots name."""
        paths = set()
        for snapshot in snapshots:
            for manifest in self._list_manifests(snapshot):
                for file in self._manifests.read(manifest, self._table.io):
                    if file.version != FOREIGN:
                        paths.add(file.path)
        return paths

    def delete_orphans(self, named: set[str], before: datetime, is_needed: NeededOutput) -> int:
        """Delete outputs that no snapshot names, and the ledger neither; of an old claim that was never committed."""
        if self.outputs is None:
            return 0
        deleted = 0
        for listed in self._store.list(self.outputs.bucket, self.outputs.key):
            if OutputVersion.parse(listed.ref.key) is None or str(listed.ref) in named or listed.modified >= before:
                continue
            if not is_needed(listed.ref):
                self._store.delete(listed.ref, etag=listed.etag)
                deleted += 1
        return deleted

    def _delete_metadata(self, kept: Sequence[Snapshot], before: datetime) -> int:
        """Delete files of metadata that nothing names: of commits that lost, and of snapshots that are gone."""
        table = self._table
        named = {table.metadata_location, *(log.metadata_file for log in table.metadata.metadata_log)}
        for snapshot in kept:
            named.add(snapshot.manifest_list)
            named |= {manifest.manifest_path for manifest in snapshot.manifests(table.io)}
        root = ObjectRef.parse(f"{table.location()}/metadata/")
        deleted = 0
        for listed in self._store.list(root.bucket, root.key):
            if listed.modified < before and str(listed.ref) not in named:
                self._store.delete(listed.ref, etag=listed.etag)
                deleted += 1
        return deleted


@contextmanager
def _translated_files(table: Table) -> Iterator[None]:
    """A metadata file that is gone was expired meanwhile: what needs it begins again."""
    try:
        yield
    except FileNotFoundError as error:
        raise LostRace(f"table {'.'.join(table.name())} was changed by another meanwhile: {error} is gone") from error


def _to_time(snapshot: Snapshot) -> int:
    return snapshot.timestamp_ms


def _has_all(table: Schema, file: Schema) -> bool:
    """Whether a file brings the table nothing: the usual case, which costs no update."""
    by_name = {column.name: column.field_type for column in table.fields}
    return all(
        column.field_type.is_primitive and by_name.get(column.name) == column.field_type for column in file.fields
    )


def _to_summary(change: TableChange) -> dict[str, str]:
    named = [f"{unit}:{fence}" for unit, fence in change.units[:_MOST_NAMED]]
    more = len(change.units) - len(named)
    return {_OBJECTS: ",".join(named) + (f",and {more} more" if more else "")}
