"""Where outputs go: keys are a function of the table, the path in it, the mode and the configuration alone."""

from __future__ import annotations

from dataclasses import dataclass

from millrace.config import Folder
from millrace.file_format import FileFormat
from millrace.objects import ObjectRef
from millrace.tables import TableFile

QUARANTINE_FOLDER = "_quarantine"
"""Below a sync's output folder; most readers of a folder pass over names that begin with an underscore."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPlace:
    """Names a sync's outputs of one file. ``snapshot``: the table has one output, whichever file it came from."""

    folder: Folder
    file: TableFile
    format: FileFormat
    snapshot: bool

    def target(self) -> ObjectRef:
        """The one output of the file."""
        if self.snapshot:
            return self._at(f"{self.file.table}/{self._table_name()}")
        return self._at(self._path())

    def partition(self, directory: str) -> ObjectRef:
        """The output of one partition, ``directory`` being ``<field>=<value>``, escaped."""
        name = self._table_name() if self.snapshot or self.file.path is None else self.file.path
        return self._at(f"{self.file.table}/{directory}/{name}")

    def quarantine(self) -> ObjectRef:
        """Where the file's bad rows go."""
        key = f"{self.folder.prefix}{QUARANTINE_FOLDER}/{self._path()}{FileFormat.JSON.extension}"
        return ObjectRef(self.folder.bucket, key)

    def _at(self, path: str) -> ObjectRef:
        return ObjectRef(self.folder.bucket, f"{self.folder.prefix}{path}{self.format.extension}")

    def _path(self) -> str:
        file = self.file
        return file.table if file.path is None else f"{file.table}/{file.path}"

    def _table_name(self) -> str:
        """The table's name as a file's: of a table named by a path, its last segment."""
        return self.file.table.rpartition("/")[2]
