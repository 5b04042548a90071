"""What planning gives: work on one object, a reason to ignore it, or a build of one table of the files of a model."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Protocol, TypeVar, assert_never

from millrace.engine.options import COMPRESSION_EXTENSIONS, READ_EXTENSIONS, FileFormat, ReadOptions, SchemaEvolution
from millrace.engine.recipe import Recipe
from millrace.errors import DataError, KeyTooLong
from millrace.objects.output_names import OutputVersion
from millrace.objects.references import ObjectRef
from millrace.planning.object_filter import ObjectFilter
from millrace.planning.output_digests import digest_shape
from millrace.planning.targets import Place, read_times

LONGEST_KEY = 1024
"""Bytes of UTF-8 (Amazon S3 User Guide, "Naming Amazon S3 objects")."""
_PACKED = " ".join(COMPRESSION_EXTENSIONS)
NO_EXTENSION = f"has none of the extensions {' '.join(READ_EXTENSIONS)} (those of text also with {_PACKED})"
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""For outputs whose keys hold no time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnOutput:
    """The object has outputs of its own. ``keep_earlier``: each version has, and none is obsolete."""

    keep_earlier: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveOutput:
    """The object's members are the files, all of ``members_format``, or each of what its name says."""

    members_format: FileFormat | None
    keep_earlier: bool = False


class MemberPlans(Protocol):
    """Plans the members of an archive, each as an object of its own below the archive's name."""

    @property
    def below(self) -> str:
        """What the keys begin with that the members are planned as: ``in/export/`` of ``in/export.zip``."""
        ...

    def plan(self, name: str) -> Plan | Ignored:
        """What becomes of the member of that name."""
        ...

    def may_write(self, ref: ObjectRef) -> bool:
        """Whether some member could have its output at a key."""
        ...

    def may_put_aside(self, ref: ObjectRef) -> bool:
        """Whether bad rows of some member could be put aside at a key."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveTables:
    """Each member of the object is a table with an output of its own; ``are_sheets``: those of a workbook are."""

    members: MemberPlans
    are_sheets: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedFile:
    """The object is an archive whose members together are one file of a table, all of ``members_format``."""

    members_format: FileFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotTable:
    """The output is not the object's own but its table's, the folder and the table's name; the newest file wins.

    ``prefix`` is what the keys of all of the table's files begin with; those of other tables may, too.
    """

    table: ObjectRef
    prefix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedTable:
    """The object has an output of its own, with the schema of ``table``; ``evolution``: what if it does not fit it."""

    table: ObjectRef
    evolution: SchemaEvolution = SchemaEvolution.EVOLVE


Way = OwnOutput | ArchiveOutput | ArchiveTables | SnapshotTable | SharedTable
"""How an object becomes output."""


@dataclass(frozen=True, kw_only=True)  # without slots, so that it keeps its digest
class Plan:
    """What one sync makes of one object. ``problem`` is set where the object is in scope and cannot be converted.

    ``format_table`` is the table whose files share one format, if they could have several; all of their keys begin with
    ``format_prefix``. ``archived`` is set if the object is an archive and one file of its table. Objects that are not
    ``newer_than`` are passed over.
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
    way: Way = field(default_factory=OwnOutput)
    format_table: ObjectRef | None = None
    format_prefix: str | None = None
    archived: ArchivedFile | None = None
    newer_than: datetime | None = None

    @cached_property
    def shape(self) -> str:
        """A digest of all that shapes this very object's output; of an archive of tables, of its whole sync's."""
        if isinstance(self.way, ArchiveTables):
            return digest_shape(self.fingerprint)
        chosen = (self.archived, self.newer_than, self.format_table)
        return digest_shape(self.recipe, _as_planned(self.place), self.quarantine, self.way, *filter(None, chosen))

    @property
    def keep_earlier(self) -> bool:
        """Whether each version has an output of its own, and none is obsolete."""
        match self.way:
            case OwnOutput(keep_earlier=keep_earlier) | ArchiveOutput(keep_earlier=keep_earlier):
                return keep_earlier
            case ArchiveTables() | SnapshotTable() | SharedTable():
                return False
            case _:
                assert_never(self.way)

    @property
    def has_several_outputs(self) -> bool:
        """Whether its output may be more than one object: partitions, tables of an archive, rows that are put aside."""
        is_divided = bool(self.recipe.transform.partition_key)
        return is_divided or self.quarantine is not None or isinstance(self.way, ArchiveTables)

    @property
    def file_of_members(self) -> ArchiveOutput | ArchivedFile | None:
        """How an archive is read whose members together are one file; None if the object is no such archive."""
        return self.way if isinstance(self.way, ArchiveOutput) else self.archived

    @property
    def is_archive(self) -> bool:
        """Whether the object is a zip or a tar, however its members are read."""
        is_of_tables = isinstance(self.way, ArchiveTables) and not self.way.are_sheets
        return is_of_tables or self.file_of_members is not None

    def output(self, directory: str | None, modified: datetime) -> ObjectRef:
        """The output of a partition, or the one where ``directory`` is None.

        Raises: KeyTooLong. How long the directories are is known only when the rows are read. Nothing is shortened
        here: readers take a field's value from the directory's name.
        """
        if directory is None:
            return self.place.target(modified)
        target = self.place.partition(directory)
        problem = _find_long_key(target)
        if problem is not None:
            raise problem
        return target


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """An object in a sync's scope that is no file of a table."""

    sync: str
    fingerprint: str
    reason: str
    shape: None = None


@dataclass(frozen=True, kw_only=True)  # without slots, so that it keeps its digest
class Build:
    """The making of one table of all files below ``folder`` (a key that ends in a slash), as one piece of work.

    ``file_format`` is that of every file; None: each by its extension. ``read`` lacks what the extension says.
    ``record`` is where the target keeps what the last build knew of its files. ``objects`` says which are read.
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
    record: ObjectRef
    objects: ObjectFilter
    keep_earlier: bool
    quarantine: ObjectRef | None = None

    @property
    def prefix(self) -> str:
        """What the keys of its files begin with; of a whole bucket, whose folder's key is a slash, nothing."""
        return self.folder.key if self.folder.key != "/" else ""

    @cached_property
    def shape(self) -> str:
        """A digest of all that shapes the table."""
        files = (self.file_format, self.read, self.objects)
        return digest_shape(self.recipe, _as_planned(self.place), self.quarantine, *files, self.keep_earlier)


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

    @property
    def source_connection(self) -> str:
        """The build's."""
        return self.build.source_connection

    @property
    def shape(self) -> str:
        """The build's."""
        return self.build.shape


AnyPlan = Plan | Ignored | Build | SourceFile


def is_output_of(plan: Plan | Build, ref: ObjectRef) -> bool:
    """Whether planning puts an output of the plan at a key: the whole, a partition, a snapshot or the quarantine.

    A snapshot's key holds the time of its source, and a partition's the value of its rows: both are read from the key.
    """
    if isinstance(plan, Plan) and isinstance(plan.way, ArchiveTables):
        return plan.way.members.may_write(ref)
    output_place = _as_named(plan.place, ref)
    if ref == plan.quarantine or ref in output_place.partitions_like(ref):
        return True
    return any(output_place.target(time) == ref for time in (_ANY_TIME, *read_times(ref.key)))


_P = TypeVar("_P", Plan, Build)


def at_claim(plan: _P, fence: int, started: datetime | None) -> _P:
    """The plan whose outputs are named by the claim that they are written under, if they are never written over."""
    version = plan.place.version
    if version is None:
        return plan
    return replace(plan, place=plan.place.at_version(version.at_claim(fence, started)))


def _as_planned(output_place: Place) -> Place:
    """The place as it is before the claim, whose fence shapes no output."""
    version = output_place.version
    return output_place if version is None else output_place.at_version(version.as_planned())


def _as_named(output_place: Place, ref: ObjectRef) -> Place:
    """The place with the version that a key names, if it is one of the same object's."""
    version, own = OutputVersion.parse(ref.key), output_place.version
    if version is None or own is None or version.unit != own.unit:
        return output_place
    return output_place.at_version(version)


def has_moved(plan: Plan, ref: ObjectRef) -> bool:
    """Whether an output that the source had is no longer where its plan puts any, and may be another source's now."""
    return plan.place.path_like(ref) is not None and not is_output_of(plan, ref)


def is_quarantine_of(plan: Plan | Build, ref: ObjectRef) -> bool:
    """Whether planning puts bad rows of the plan aside at a key."""
    if isinstance(plan, Plan) and isinstance(plan.way, ArchiveTables):
        return plan.way.members.may_put_aside(ref)
    return plan.quarantine == ref


def too_long(output_place: Place, quarantine: ObjectRef | None) -> DataError | None:
    """The problem of an output whose key S3 would not take."""
    problem = _find_long_key(quarantine) if quarantine is not None else None
    return problem or _find_long_key(output_place.target(_ANY_TIME))


def _find_long_key(target: ObjectRef) -> DataError | None:
    length = len(target.key.encode())
    if length <= LONGEST_KEY:
        return None
    return KeyTooLong(f"the output's key would have {length} bytes, S3 allows {LONGEST_KEY}: {target}; shorten it")
