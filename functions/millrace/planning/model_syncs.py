"""Planning a model sync's objects: one file, an archive's members, or a folder of files as one table."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from millrace.config.connection import Connection
from millrace.config.document import Document
from millrace.config.layout import Folder
from millrace.config.model import Model, ModelFrom
from millrace.config.model_sync import ModelSync, ModelSyncMode
from millrace.engine.file_names import is_archive, recognise_told, with_extensions, without_archive_extension
from millrace.engine.option_list import FileOptionValues
from millrace.engine.options import BadRows, FileFormat, ReadOptions, RecognisedKey, recognise
from millrace.engine.recipe import Recipe
from millrace.objects.output_names import OutputVersion
from millrace.objects.references import ObjectRef
from millrace.objects.store import ListedObject
from millrace.planning.object_filter import ObjectFilter
from millrace.planning.plans import (
    NO_EXTENSION,
    AnyPlan,
    ArchiveOutput,
    Build,
    Ignored,
    OwnOutput,
    Plan,
    SharedTable,
    SourceFile,
    Way,
    too_long,
)
from millrace.planning.targets import ModelPlace, record_of
from millrace.planning.transforms import model_transform


@dataclass(frozen=True)  # without slots, so that it keeps what all of its plans have
class ModelRoute:
    """The way of one model sync's objects."""

    sync: ModelSync
    model: Model
    source: Connection
    target: Connection
    fingerprint: str

    @classmethod
    def of(cls, sync: ModelSync, document: Document) -> ModelRoute:
        """The route of a sync of the document."""
        model = document.model(sync.model)
        source, target = document.connection(model.connection), document.connection(sync.target_connection)
        return cls(sync, model, source, target, document.fingerprint(sync))

    @property
    def name(self) -> str:
        """The sync's."""
        return self.sync.name

    @property
    def folder(self) -> Folder:
        """What is read: of a model of one object, the folder that it is in."""
        if self.model.key is None:
            return self.source.root.child(self.model.subfolder)
        return Folder(self.source.bucket, self.model.key.rpartition("/")[0])

    @property
    def is_one_table(self) -> bool:
        """Whether all files of the folder are one table; those that are appended are its rows each for itself."""
        return self.model.key is None and self.sync.mode is not ModelSyncMode.APPEND

    def wants(self, ref: ObjectRef) -> bool:
        """Whether the object is the model's, or one of its files."""
        if ref.bucket != self.source.bucket:
            return False
        if self.model.key:
            return ref.key == self.model.key
        return ref.key.startswith(self.folder.prefix)

    def plan(self, ref: ObjectRef) -> AnyPlan:
        """What becomes of an object that it wants."""
        build = self._build
        # Millrace asks for the build itself, by the name of its folder, which is no object.
        if self.model.key is None and ref == build.folder:
            return build
        recognised = self._recognise(ref.key)
        if isinstance(recognised, str):
            return Ignored(sync=self.name, fingerprint=self.fingerprint, reason=f"{ref} {recognised}")
        if self.is_one_table:
            return SourceFile(source=ref, build=build)
        return self._plan(ref, recognised)

    def read_options(self, recognised: RecognisedKey) -> ReadOptions:
        """How one of the model's files is read."""
        return with_extensions(self._base_options, recognised)

    def _recognise(self, key: str) -> RecognisedKey | str:
        """What the key says, or why it is no file of the model."""
        if self._is_archive:
            return self._as_named(self.model.file_format or FileFormat.CSV, key)
        if key.endswith("/"):
            return "is a folder marker: its key ends in a slash"
        if self.model.key is None:
            return self._recognise_in_folder(key)
        return self._recognise_object(key)

    def _recognise_in_folder(self, key: str) -> RecognisedKey | str:
        """Of a folder the extension chooses: a file with that of another format than the model's is passed over."""
        return recognise_file(self._build, key)

    def _recognise_object(self, key: str) -> RecognisedKey | str:
        """Of one named object the model's format goes first: ``export.txt`` with ``file_format: csv`` is CSV."""
        recognised, wanted = recognise(key), self.model.file_format
        if recognised is None:
            return NO_EXTENSION if wanted is None else self._as_named(wanted, key)
        return replace(recognised, format=wanted or recognised.format)

    @cached_property
    def _objects(self) -> ObjectFilter:
        return ObjectFilter.of(self.source.configuration, self.model.configuration)

    def _as_named(self, file_format: FileFormat, key: str) -> RecognisedKey:
        return RecognisedKey(file_format, self._base_options.compression, key)

    @property
    def _is_archive(self) -> bool:
        return self.model.key is not None and self.model.model_from is ModelFrom.MULTI_FILE_ARCHIVE

    @cached_property
    def _base_options(self) -> ReadOptions:
        return replace(self._file_options.read, bad_rows=self.sync.bad_rows)

    @cached_property
    def _file_options(self) -> FileOptionValues:
        return self.source.file_options(self.model.configuration)

    def _place(self, file: str, owner: ObjectRef) -> ModelPlace:
        """Where the outputs of an object go, or of the folder that is built."""
        version = OutputVersion.planned(self.name, owner) if self.sync.iceberg is not None else None
        return ModelPlace(
            folder=self.target.root,
            object=self.sync.object,
            format=self.sync.format,
            compression=self.sync.compression,
            mode=self.sync.mode,
            file=file,
            version=version,
            in_folder=self.sync.glue is not None and self.sync.mode is ModelSyncMode.REPLACE,
        )

    def _recipe(self, source_format: FileFormat, read: ReadOptions) -> Recipe:
        return Recipe(
            source_format=source_format,
            target_format=self.sync.format,
            read=read,
            write=replace(self._file_options.write, compression=self.sync.compression),
            transform=model_transform(self.sync, self.model),
            duplicates=self.model.duplicate_identifiers,
        )

    def _quarantine(self, model_place: ModelPlace) -> ObjectRef | None:
        return model_place.quarantine() if self.sync.bad_rows is BadRows.QUARANTINE else None

    def _plan(self, ref: ObjectRef, recognised: RecognisedKey) -> Plan:
        stem = recognised.stem[len(self.folder.prefix) :]
        model_place = self._place(without_archive_extension(stem) if self._is_archive else stem, ref)
        quarantine = self._quarantine(model_place)
        return Plan(
            sync=self.name,
            source=ref,
            place=model_place,
            source_connection=self.source.name,
            target_connection=self.target.name,
            recipe=self._recipe(recognised.format, self.read_options(recognised)),
            fingerprint=self.fingerprint,
            quarantine=quarantine,
            problem=too_long(model_place, quarantine),
            way=self._way(),
            newer_than=None if self.model.key else self._objects.newer_than,
        )

    def _way(self) -> Way:
        keep_earlier = self.sync.mode is ModelSyncMode.SNAPSHOT
        if self.model.key is None:
            return SharedTable(table=self._table())
        if self._is_archive:
            return ArchiveOutput(members_format=self.model.file_format, keep_earlier=keep_earlier)
        return OwnOutput(keep_earlier=keep_earlier)

    def _table(self) -> ObjectRef:
        """The folder, as an object that all of its files belong to."""
        return ObjectRef(self.source.bucket, self.folder.prefix or "/")

    @cached_property
    def _build(self) -> Build:
        """The build of the folder's table, which is the same for each of its files."""
        model_place = self._place("", self._table())
        options = self._base_options
        return Build(
            sync=self.name,
            folder=self._table(),
            place=model_place,
            source_connection=self.source.name,
            target_connection=self.target.name,
            recipe=self._recipe(self.model.file_format or FileFormat.CSV, options),
            fingerprint=self.fingerprint,
            file_format=self.model.file_format,
            read=options,
            record=record_of(self.target.root, self.name),
            objects=self._objects,
            keep_earlier=self.sync.mode is ModelSyncMode.SNAPSHOT,
            quarantine=self._quarantine(model_place),
        )


def recognise_file(build: Build, key: str) -> RecognisedKey | str:
    """What the key of an object below a model's folder says, or why it is no file of the model."""
    if key.endswith("/"):
        return "is a folder marker: its key ends in a slash"
    if reason := build.objects.why_left_out(key[len(build.prefix) :]):
        return reason
    if is_archive(key):
        return "is an archive, which a model reads if its key names it"
    wanted = build.file_format
    recognised = recognise_told(key, wanted) if wanted else recognise(key)
    if recognised is None:
        return f"is no {wanted} file: its extension says that it is something else" if wanted else NO_EXTENSION
    if wanted not in {None, recognised.format}:
        return f"is a {recognised.format} file, and the model's files are {wanted}"
    return recognised


def file_of(build: Build, key: str) -> RecognisedKey | None:
    """What the key of a source file says; None for what is no file of it."""
    recognised = recognise_file(build, key)
    return None if isinstance(recognised, str) else recognised


def select_files(build: Build, listed: Iterable[ListedObject]) -> list[ListedObject]:
    """The files of a build among what a listing of its folder shows."""
    return [file for file in listed if _is_read(build, file)]


def _is_read(build: Build, file: ListedObject) -> bool:
    newer_than = build.objects.newer_than
    is_new = newer_than is None or file.modified > newer_than
    return is_new and file_of(build, file.ref.key) is not None


def digest_files(build: Build, files: Iterable[ListedObject]) -> str:
    """What a build's table is made of, in 32 digits: its files with their ETags, and the configuration."""
    digest = hashlib.sha256(build.fingerprint.encode())
    for file in files:
        digest.update(f"\n{file.ref.key}\0{file.etag}".encode())
    return digest.hexdigest()[:32]
