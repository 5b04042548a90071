"""Planning a bulk sync's objects: each has an output of its own, or its table's."""

from __future__ import annotations

from dataclasses import dataclass, replace

from millrace.config.bulk_sync import BulkMode, BulkSync, Discover, OnDelete, SchemaSelection
from millrace.config.connection import Connection
from millrace.config.document import Document
from millrace.config.layout import DirectorySnapshot, Folder, MultiTable, SingleTable
from millrace.engine.one_file import Recipe
from millrace.engine.options import (
    READ_EXTENSIONS,
    BadRows,
    FileFormat,
    ReadOptions,
    RecognisedKey,
    SchemaEvolution,
    WriteOptions,
    recognise,
)
from millrace.errors import DataError, ForeignFormat
from millrace.objects.references import ObjectRef
from millrace.planning.plans import Ignored, Plan, too_long, with_extensions
from millrace.planning.tables import TableFile, table_of
from millrace.planning.targets import OutputPlace
from millrace.planning.transforms import of_schema


@dataclass(frozen=True, slots=True)
class BulkRoute:
    """The way of one bulk sync's objects."""

    sync: BulkSync
    source: Connection
    target: Connection
    fingerprint: str

    @classmethod
    def of(cls, sync: BulkSync, document: Document) -> BulkRoute:
        """The route of a sync of the document."""
        source = document.connection(sync.source_connection)
        target = document.connection(sync.destination_connection)
        return cls(sync, source, target, document.fingerprint(sync))

    @property
    def name(self) -> str:
        """The sync's."""
        return self.sync.name

    @property
    def folder(self) -> Folder:
        """What is read."""
        return self.source.root

    def wants(self, ref: ObjectRef) -> bool:
        """Whether the object is in the source's folder."""
        return ref.bucket == self.source.bucket and ref.key.startswith(self.source.root.prefix)

    def plan(self, ref: ObjectRef) -> Plan | Ignored:
        """What becomes of an object that it wants."""
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
            compression=self.sync.compression,
            snapshot=self.sync.mode is BulkMode.SNAPSHOT,
        )
        recipe = Recipe(
            source_format=found.format,
            target_format=self.sync.format,
            read=self._read_options(found),
            write=WriteOptions(compression=self.sync.compression),
            transform=replace(of_schema(selection, self.sync), rescued=self._shares(place) and self._rescues),
        )
        table = ObjectRef(ref.bucket, self.source.root.prefix + file.table)
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
            problem=self._foreign(ref, found, file.table) or too_long(place, quarantine),
            table=table if place.snapshot and file.path is not None else None,
            format_table=table if self._formats_vary else None,
            shared=table if self._shares(place) else None,
            evolution=self.sync.schema_evolution,
        )

    def _shares(self, place: OutputPlace) -> bool:
        """Whether the table is read from many outputs, one a file."""
        return place.file.path is not None and not place.snapshot

    @property
    def _formats_vary(self) -> bool:
        match self.source.layout:
            case DirectorySnapshot(formats=formats):
                return len(formats) > 1
            case _:
                return False

    def _read_options(self, found: RecognisedKey) -> ReadOptions:
        return with_extensions(self.source.read_options(bad_rows=self.sync.bad_rows), found)

    @property
    def _rescues(self) -> bool:
        return self.sync.schema_evolution is SchemaEvolution.RESCUE

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
