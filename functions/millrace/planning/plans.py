"""What planning gives: work on one object, a reason to ignore it, or a build of one table of the files of a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from millrace.engine.one_file import Recipe
from millrace.engine.options import FileFormat, ReadOptions, RecognisedKey, SchemaEvolution
from millrace.errors import DataError, KeyTooLong
from millrace.objects.references import ObjectRef
from millrace.planning.targets import Place

LONGEST_KEY = 1024
"""Bytes of UTF-8 (Amazon S3 User Guide, "Naming Amazon S3 objects")."""
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one sync makes of one object. ``problem`` is set where the object is in scope and cannot be converted.

    ``table`` is set where the output is not the object's own but its snapshot table's: the folder and the table's name.
    ``format_table`` is the table whose files share one format, where they could have several.
    ``shared`` is the table whose files share one schema, each with an output of its own; ``evolution`` what becomes of
    a file that does not fit it.
    ``archive``: the object's members are the files, all of ``members_format``, or each of what its name says.
    ``keep_earlier``: each version has an output of its own, and none is obsolete.
    """

    sync: str
    source: ObjectRef
    place: Place
    source_connection: str
    target_connection: str
    recipe: Recipe
    fingerprint: str
    remove_outputs: bool = False
    quarantine: ObjectRef | None = None
    problem: DataError | None = None
    table: ObjectRef | None = None
    format_table: ObjectRef | None = None
    shared: ObjectRef | None = None
    evolution: SchemaEvolution = SchemaEvolution.EVOLVE
    archive: bool = False
    members_format: FileFormat | None = None
    keep_earlier: bool = False

    def output(self, directory: str | None, modified: datetime) -> ObjectRef:
        """The output of a partition, or the one where ``directory`` is None."""
        return self.place.target(modified) if directory is None else self.place.partition(directory)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """An object in a sync's scope that is no file of a table."""

    sync: str
    fingerprint: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """The making of one table of all files below ``folder`` (a key that ends in a slash), as one piece of work.

    ``file_format`` is that of every file; None: each by its extension. ``read`` lacks what the extension says.
    """

    sync: str
    folder: ObjectRef
    place: Place
    source_connection: str
    target_connection: str
    recipe: Recipe
    fingerprint: str
    file_format: FileFormat | None
    read: ReadOptions
    keep_earlier: bool = False
    quarantine: ObjectRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file of a model: that it changed asks for a build, soon, together with what else changes meanwhile."""

    source: ObjectRef
    build: Build

    @property
    def sync(self) -> str:
        """The build's."""
        return self.build.sync

    @property
    def fingerprint(self) -> str:
        """The build's."""
        return self.build.fingerprint


AnyPlan = Plan | Ignored | Build | SourceFile


def too_long(place: Place, quarantine: ObjectRef | None) -> DataError | None:
    """The problem of an output whose key S3 would not take."""
    target = quarantine or place.target(_ANY_TIME)
    length = len(target.key.encode())
    if length <= LONGEST_KEY:
        return None
    return KeyTooLong(f"the output's key would have {length} bytes, S3 allows {LONGEST_KEY}: {target}; shorten it")


def with_extensions(options: ReadOptions, found: RecognisedKey) -> ReadOptions:
    """Options with what a key's extensions add: its compression, and its delimiter where none is given."""
    return replace(options, compression=found.compression, delimiter=options.delimiter or found.delimiter)
