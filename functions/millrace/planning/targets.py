"""Where outputs go: keys are a function of the table, the path in it, the mode and the configuration alone."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol, Self

from millrace.config.layout import Folder
from millrace.config.model_sync import ModelSyncMode
from millrace.engine.options import FileFormat, OutputCompression, output_extension
from millrace.objects.output_names import OutputVersion, without_version
from millrace.objects.references import ObjectRef
from millrace.planning.tables import TableFile

_SNAPSHOT_TIME = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
QUARANTINE_FOLDER = "_quarantine"
"""Below a sync's output folder; most readers of a folder pass over names that begin with an underscore."""

RECORDS_FOLDER = ".millrace"
"""Below a connection's folder: what Millrace itself remembers. It is neither output nor input, under any sync."""


def record_of(folder: Folder, sync: str) -> ObjectRef:
    """Where a sync's builds remember their files; names of syncs hold no slash."""
    return ObjectRef(folder.bucket, f"{folder.prefix}{RECORDS_FOLDER}/{sync}.files")


def runs_folder_of(folder: Folder) -> ObjectRef:
    """Where a connection's big runs keep what they need, a key that ends in a slash."""
    return ObjectRef(folder.bucket, f"{folder.prefix}{RECORDS_FOLDER}/runs/")


def tables_folder_of(folder: Folder) -> ObjectRef:
    """Where the metadata of a connection's Iceberg tables are kept, a key that ends in a slash."""
    return ObjectRef(folder.bucket, f"{folder.prefix}{RECORDS_FOLDER}/iceberg/")


def is_record(ref: ObjectRef) -> bool:
    """Whether a key is that of something that Millrace itself remembers."""
    return ref.key.startswith(f"{RECORDS_FOLDER}/") or f"/{RECORDS_FOLDER}/" in ref.key


class Place(Protocol):
    """Names the outputs of one piece of work; ``version`` is part of their names if they are never written over."""

    @property
    def folder(self) -> Folder:
        """Where the sync's outputs go."""
        ...

    @property
    def table(self) -> str:
        """The path below ``folder`` of the table that the outputs are files of: its name may hold slashes."""
        ...

    @property
    def version(self) -> OutputVersion | None:
        """Which of an object's outputs it names; None: there is one, and a newer one takes its place."""
        ...

    def at_version(self, version: OutputVersion) -> Self:
        """The same place for another version."""
        ...

    def target(self, modified: datetime) -> ObjectRef:
        """The one output; ``modified`` is the time of the newest file that it is made of."""
        ...

    def partition(self, directory: str) -> ObjectRef:
        """The output of one partition, ``directory`` being ``<field>=<value>``, escaped."""
        ...

    def partitions_like(self, ref: ObjectRef) -> tuple[ObjectRef, ...]:
        """The output of each partition that the folders of a key may be."""
        ...

    def path_like(self, ref: ObjectRef) -> str | None:
        """The path, without extension, of the source object that could have its output at a key; None if none could."""
        ...

    def quarantine(self) -> ObjectRef:
        """Where bad rows go."""
        ...


def table_root_of(place: Place) -> ObjectRef:
    """The folder of the table that outputs are files of, a key that ends in a slash."""
    return ObjectRef(place.folder.bucket, f"{place.folder.prefix}{place.table}/")


def read_times(key: str) -> list[datetime]:
    """The times in a key, in the form that snapshots of a model have: ``20261128T110500Z``."""
    times = []
    for text in _SNAPSHOT_TIME.findall(key):
        with suppress(ValueError):  # such as a 31st of February
            times.append(datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC))
    return times


def _to_ending(version: OutputVersion | None, extension: str) -> str:
    return extension if version is None else f"{version}{extension}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPlace:
    """Names a sync's outputs of one file. ``snapshot``: the table has one output, whichever file it came from."""

    folder: Folder
    file: TableFile
    format: FileFormat
    compression: OutputCompression | None
    snapshot: bool
    version: OutputVersion | None = None

    @property
    def table(self) -> str:
        """The file's table."""
        return self.file.table

    def at_version(self, version: OutputVersion) -> Self:
        """The same place for another version."""
        return replace(self, version=version)

    def target(self, modified: datetime) -> ObjectRef:
        """The one output of the file, whenever it was written."""
        del modified
        if self.snapshot:
            return self._at(f"{self.file.table}/{self._table_name()}")
        return self._at(self._path())

    def partition(self, directory: str) -> ObjectRef:
        """The output of one partition, ``directory`` being ``<field>=<value>``, escaped."""
        name = self._table_name() if self.snapshot or self.file.path is None else self.file.path
        return self._at(f"{self.file.table}/{directory}/{name}")

    def partitions_like(self, ref: ObjectRef) -> tuple[ObjectRef, ...]:
        """The output of each partition that the folders of a key may be."""
        return tuple(self.partition(name) for name in ref.key.split("/")[:-1] if "=" in name)

    def path_like(self, ref: ObjectRef) -> str | None:
        """The key below the sync's folder, without the sync's extension; None if it has another, or is elsewhere."""
        extension, prefix = output_extension(self.format, self.compression), self.folder.prefix
        is_below = ref.bucket == self.folder.bucket and ref.key.startswith(prefix)
        if not is_below or not ref.key.endswith(extension):
            return None
        path = ref.key if self.version is None else without_version(ref.key)
        return path.removeprefix(prefix).removesuffix(extension)

    def quarantine(self) -> ObjectRef:
        """Where the file's bad rows go."""
        key = f"{self.folder.prefix}{QUARANTINE_FOLDER}/{self._path()}{FileFormat.JSON.extension}"
        return ObjectRef(self.folder.bucket, key)

    def _at(self, path: str) -> ObjectRef:
        ending = _to_ending(self.version, output_extension(self.format, self.compression))
        return ObjectRef(self.folder.bucket, f"{self.folder.prefix}{path}{ending}")

    def _path(self) -> str:
        file = self.file
        return file.table if file.path is None else f"{file.table}/{file.path}"

    def _table_name(self) -> str:
        """The table's name as a file's: of a table named by a path, its last segment."""
        return self.file.table.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPlace:
    """Names a model sync's outputs. ``file`` is the source file's path below the model's folder, without extensions.

    ``in_folder``: the one output of replace is in a folder of its own, which query engines find it by.
    """

    folder: Folder
    object: str
    format: FileFormat
    compression: OutputCompression | None
    mode: ModelSyncMode
    file: str
    version: OutputVersion | None = None
    in_folder: bool = False

    @property
    def table(self) -> str:
        """The sync's object."""
        return self.object

    def at_version(self, version: OutputVersion) -> Self:
        """The same place for another version."""
        return replace(self, version=version)

    def target(self, modified: datetime) -> ObjectRef:
        """``<object>``, ``<object>/<source name>`` or ``<object>/<UTC time>``, by the mode.

        Of a table that query engines read it is ``<object>/<last part of object>``, and the version if its files are
        never written over.
        """
        match self.mode:
            case ModelSyncMode.REPLACE if self.version is not None or self.in_folder:
                path = f"{self.object}/{self.object.rpartition('/')[2]}"
            case ModelSyncMode.REPLACE:
                path = self.object
            case ModelSyncMode.APPEND:
                path = f"{self.object}/{self.file}"
            case ModelSyncMode.SNAPSHOT:
                path = f"{self.object}/{modified:%Y%m%dT%H%M%SZ}"
        ending = _to_ending(self.version, output_extension(self.format, self.compression))
        return ObjectRef(self.folder.bucket, f"{self.folder.prefix}{path}{ending}")

    def partition(self, directory: str) -> ObjectRef:
        """Not divided: model syncs have no partition key."""
        raise NotImplementedError(directory)

    def partitions_like(self, ref: ObjectRef) -> tuple[ObjectRef, ...]:
        """None."""
        del ref
        return ()

    def path_like(self, ref: ObjectRef) -> str | None:
        """None: the object's name is the configuration's, whatever the source is called."""
        del ref
        return None

    def quarantine(self) -> ObjectRef:
        """Below the destination's folder, by the object's and the file's names."""
        name = f"{self.object}/{self.file}" if self.mode is ModelSyncMode.APPEND else self.object
        key = f"{self.folder.prefix}{QUARANTINE_FOLDER}/{name}{FileFormat.JSON.extension}"
        return ObjectRef(self.folder.bucket, key)
