"""Planning: which syncs want an object, how it is read, where its output goes; from key and configuration alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

from millrace.config import (
    BulkMode,
    BulkSync,
    Connection,
    DirectorySnapshot,
    Discover,
    Document,
    MultiTable,
    OnDelete,
    SchemaSelection,
    SingleTable,
)
from millrace.conversion import Recipe
from millrace.errors import DataError, ForeignFormat, KeyTooLong, UsageError
from millrace.file_format import (
    READ_EXTENSIONS,
    BadRows,
    FileFormat,
    ReadOptions,
    RecognisedKey,
    WriteOptions,
    recognise,
)
from millrace.objects import ObjectRef
from millrace.tables import TableFile, table_of
from millrace.targets import OutputPlace
from millrace.transform import of_schema

_LONGEST_KEY = 1024
"""Bytes of UTF-8 (Amazon S3 User Guide, "Naming Amazon S3 objects")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one sync makes of one object. ``problem`` is set where the object is in scope and cannot be converted.

    ``table`` is set where the output is not the object's own but its snapshot table's: the folder and the table's name.
    """

    sync: str
    source: ObjectRef
    place: OutputPlace
    source_connection: str
    target_connection: str
    recipe: Recipe
    fingerprint: str
    remove_outputs: bool
    quarantine: ObjectRef | None = None
    problem: DataError | None = None
    table: ObjectRef | None = None

    @property
    def target(self) -> ObjectRef:
        """The output, where it is not divided."""
        return self.place.target()

    def output(self, directory: str | None) -> ObjectRef:
        """The output of a partition, or the one where ``directory`` is None."""
        return self.place.target() if directory is None else self.place.partition(directory)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """An object in a sync's scope that is no file of a table."""

    sync: str
    fingerprint: str
    reason: str


class Planner:
    """Plans for one configuration."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._routes = tuple(_Route.of(sync, document) for sync in document.bulk_syncs if sync.active)

    @property
    def document(self) -> Document:
        """The configuration that is planned for."""
        return self._document

    def active_sync(self, name: str) -> BulkSync:
        """An active bulk sync; raise UsageError with the names of those that there are."""
        active = {route.sync.name: route.sync for route in self._routes}
        if name not in active:
            raise UsageError(f"there is no active sync {name!r}; the configuration has {sorted(active)}")
        return active[name]

    def plan(self, ref: ObjectRef, *, only: str | None = None) -> tuple[Plan | Ignored, ...]:
        """One answer for each active sync whose source folder holds ``ref``; of sync ``only`` alone where given."""
        return tuple(
            route.plan(ref) for route in self._routes if route.wants(ref) and (only is None or route.sync.name == only)
        )


@dataclass(frozen=True, slots=True)
class _Route:
    sync: BulkSync
    source: Connection
    target: Connection
    fingerprint: str

    @classmethod
    def of(cls, sync: BulkSync, document: Document) -> _Route:
        source = document.connection(sync.source_connection)
        target = document.connection(sync.destination_connection)
        return cls(sync, source, target, document.fingerprint(sync))

    def wants(self, ref: ObjectRef) -> bool:
        return ref.bucket == self.source.bucket and ref.key.startswith(self.source.root.prefix)

    def plan(self, ref: ObjectRef) -> Plan | Ignored:
        if ref.key.endswith("/"):
            return self._ignored(f"{ref} is a folder marker: its key ends in a slash")
        found = recognise(ref.key)
        if found is None:
            accepted = " ".join(READ_EXTENSIONS)
            return self._ignored(f"{ref} has none of the extensions {accepted} (each but .parquet also .gz .zst .bz2)")
        return self._converting(ref, found)

    def _ignored(self, reason: str) -> Ignored:
        return Ignored(sync=self.sync.name, fingerprint=self.fingerprint, reason=reason)

    def _converting(self, ref: ObjectRef, found: RecognisedKey) -> Plan | Ignored:
        file = table_of(found.stem[len(self.source.root.prefix) :], self.source.layout)
        if file is None:
            return self._ignored(f"{ref} is in no directory that directory_glob_pattern matches")
        selection = self._selections.get(file.table)
        if selection is None and not self._takes_new_tables:
            return self._ignored(f"table {file.table!r} is not among the schemas of sync {self.sync.name!r}")
        if selection is not None and not selection.enabled:
            return self._ignored(f"table {file.table!r} is not enabled in sync {self.sync.name!r}")
        return self._plan(ref, found, file, selection)

    def _plan(self, ref: ObjectRef, found: RecognisedKey, file: TableFile, selection: SchemaSelection | None) -> Plan:
        name = selection.user_output_name if selection and selection.user_output_name else file.table
        place = OutputPlace(
            folder=self.target.root.child(self.sync.subfolder),
            file=replace(file, table=name),
            format=self.sync.format,
            snapshot=self.sync.mode is BulkMode.SNAPSHOT,
        )
        recipe = Recipe(
            source_format=found.format,
            target_format=self.sync.format,
            read=self._read_options(found),
            write=WriteOptions(),
            transform=of_schema(selection, self.sync),
        )
        quarantine = place.quarantine() if self.sync.bad_rows is BadRows.QUARANTINE else None
        return Plan(
            sync=self.sync.name,
            source=ref,
            place=place,
            source_connection=self.source.name,
            target_connection=self.target.name,
            recipe=recipe,
            fingerprint=self.fingerprint,
            remove_outputs=self.sync.on_delete is OnDelete.REMOVE,
            quarantine=quarantine,
            problem=self._foreign(ref, found, file.table) or _too_long(quarantine or place.target()),
            table=ObjectRef(ref.bucket, self.source.root.prefix + file.table)
            if place.snapshot and file.path is not None
            else None,
        )

    def _read_options(self, found: RecognisedKey) -> ReadOptions:
        """The connection's options; where they name no delimiter, the extension's (.tsv) counts."""
        options = self.source.read_options(found.compression, bad_rows=self.sync.bad_rows)
        return replace(options, delimiter=options.delimiter or found.delimiter)

    @property
    def _selections(self) -> dict[str, SchemaSelection]:
        return {selection.id: selection for selection in self.sync.schemas or ()}

    @property
    def _takes_new_tables(self) -> bool:
        default = Discover.ALL if self.sync.schemas is None else Discover.NONE
        return (self.sync.automatically_add_new_objects or default) is Discover.ALL

    def _foreign(self, ref: ObjectRef, found: RecognisedKey, table: str) -> DataError | None:
        match self.source.layout:
            case SingleTable(format=wanted):
                accepted: tuple[FileFormat, ...] = (wanted,)
            case DirectorySnapshot(formats=formats):
                accepted = formats
            case MultiTable():
                return None
        if found.format in accepted:
            return None
        return ForeignFormat(
            f"{ref} is a {found.format} file; those of table {table!r} are {' or '.join(accepted)} (connection"
            f" {self.source.name!r}). Move it elsewhere, or name its format in the connection"
        )


def _too_long(target: ObjectRef) -> DataError | None:
    length = len(target.key.encode())
    if length <= _LONGEST_KEY:
        return None
    return KeyTooLong(
        f"the output's key would have {length} bytes, S3 allows {_LONGEST_KEY}: {target}. Shorten the name"
    )
