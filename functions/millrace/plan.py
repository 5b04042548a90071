"""Planning: which syncs want an object, how it is read, where its output goes; from key and configuration alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

from millrace.config import BulkSync, Connection, Document, OnDelete, SingleTable
from millrace.conversion import Recipe
from millrace.errors import DataError, ForeignFormat, KeyTooLong
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

_LONGEST_KEY = 1024
"""Bytes of UTF-8 (Amazon S3 User Guide, "Naming Amazon S3 objects")."""
QUARANTINE_FOLDER = "_quarantine"
"""Below a sync's output folder; most readers of a folder pass over names that begin with an underscore."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one sync makes of one object. ``problem`` is set where the object is in scope and cannot be converted."""

    sync: str
    source: ObjectRef
    target: ObjectRef
    source_connection: str
    target_connection: str
    recipe: Recipe
    fingerprint: str
    remove_outputs: bool
    quarantine: ObjectRef | None = None
    problem: DataError | None = None


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

    def _converting(self, ref: ObjectRef, found: RecognisedKey) -> Plan:
        folder = self.target.root.child(self.sync.subfolder)
        stem = found.stem[len(self.source.root.prefix) :]
        target = ObjectRef(folder.bucket, f"{folder.prefix}{self._table()}{stem}{self.sync.format.extension}")
        quarantine = None
        if self.sync.bad_rows is BadRows.QUARANTINE:
            quarantine = ObjectRef(
                folder.bucket, f"{folder.prefix}{QUARANTINE_FOLDER}/{self._table()}{stem}{FileFormat.JSON.extension}"
            )
        recipe = Recipe(
            source_format=found.format,
            target_format=self.sync.format,
            read=self._read_options(found),
            write=WriteOptions(),
        )
        return Plan(
            sync=self.sync.name,
            source=ref,
            target=target,
            source_connection=self.source.name,
            target_connection=self.target.name,
            recipe=recipe,
            fingerprint=self.fingerprint,
            remove_outputs=self.sync.on_delete is OnDelete.REMOVE,
            quarantine=quarantine,
            problem=self._foreign(ref, found) or _too_long(quarantine or target),
        )

    def _read_options(self, found: RecognisedKey) -> ReadOptions:
        """The connection's options; where they name no delimiter, the extension's (.tsv) counts."""
        options = self.source.read_options(found.compression, bad_rows=self.sync.bad_rows)
        return replace(options, delimiter=options.delimiter or found.delimiter)

    def _table(self) -> str:
        """The table's folder of the output: for a single table its name, else nothing."""
        match self.source.layout:
            case SingleTable(name=name):
                return f"{name}/"
            case _:
                return ""

    def _foreign(self, ref: ObjectRef, found: RecognisedKey) -> DataError | None:
        match self.source.layout:
            case SingleTable(name=name, format=wanted) if wanted is not found.format:
                return ForeignFormat(
                    f"{ref} is a {found.format} file; the files of table {name!r} are {wanted} (connection "
                    f"{self.source.name!r}). Move it elsewhere, or set single_table_file_format"
                )
            case _:
                return None


def _too_long(target: ObjectRef) -> DataError | None:
    length = len(target.key.encode())
    if length <= _LONGEST_KEY:
        return None
    return KeyTooLong(
        f"the output's key would have {length} bytes, S3 allows {_LONGEST_KEY}: {target}. Shorten the name"
    )
