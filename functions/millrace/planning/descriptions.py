"""What planning makes of an object, in words: for people who ask before anything is done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

from millrace.engine.options import Compression
from millrace.objects.references import ObjectRef
from millrace.planning.plans import (
    AnyPlan,
    ArchiveOutput,
    ArchiveTables,
    Build,
    Ignored,
    Plan,
    SharedTable,
    SnapshotTable,
    SourceFile,
)
from millrace.planning.targets import Place

_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""For outputs whose keys hold no time."""
_TIME_TEXT = f"{_ANY_TIME:%Y%m%dT%H%M%SZ}"
"""What stands in the key of a model's snapshot; in its place people read ``<UTC time>``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What one sync makes of one object; ``table`` and ``output`` are None if it is ignored.

    ``reason`` says why it is ignored, or will fail. ``note`` says what else decides, such as that a table is made of
    many files. Objects that are not ``newer_than`` will be ignored.
    """

    source: ObjectRef
    sync: str
    reads: str | None = None
    table: str | None = None
    output: str | None = None
    quarantine: str | None = None
    note: str | None = None
    newer_than: datetime | None = None
    is_ignored: bool = False
    reason: str | None = None

    def at_time(self, modified: datetime) -> Self:
        """What becomes of a version of that time."""
        if self.newer_than is None or modified > self.newer_than:
            return self
        return replace(self, is_ignored=True, reason="is left out by newer_than")


def describe_plan(plan: AnyPlan, source: ObjectRef) -> Description:
    """What a plan of ``source`` comes to."""
    match plan:
        case Ignored(sync=sync, reason=reason):
            return Description(source=source, sync=sync, is_ignored=True, reason=reason.removeprefix(f"{source} "))
        case SourceFile(build=build):
            return _describe_build(build, source)
        case Build():
            return _describe_build(plan, source)
        case Plan():
            return _describe_object(plan)


def _describe_build(build: Build, source: ObjectRef) -> Description:
    return Description(
        source=source,
        sync=build.sync,
        reads=str(build.file_format or "each file by its extension"),
        table=build.place.table,
        output=_name_output(build.place, None),
        quarantine=_text(build.quarantine),
        note=f"one table is made of all files below {build.folder}",
        newer_than=build.objects.newer_than,
    )


def _describe_object(plan: Plan) -> Description:
    recipe = plan.recipe
    reads = str(recipe.source_format)
    if recipe.read.compression not in {None, Compression.NONE}:
        reads += f", {recipe.read.compression}"
    return Description(
        source=plan.source,
        sync=plan.sync,
        reads=reads,
        table=plan.place.table,
        output=_name_output(plan.place, recipe.transform.partition_key),
        quarantine=_text(plan.quarantine),
        note=_describe_way(plan),
        newer_than=plan.newer_than,
        reason=None if plan.problem is None else f"it will fail as {type(plan.problem).__name__}: {plan.problem}",
    )


def _describe_way(plan: Plan) -> str | None:
    match plan.way:
        case SnapshotTable():
            return "the newest file is the table; this one, unless a newer one is there"
        case SharedTable():
            return "the file is one of its table's, with the table's schema"
        case ArchiveOutput():
            return "its members are the files"
        case ArchiveTables(are_sheets=True):
            return "each of its sheets is a table, with an output below the workbook's name"
        case ArchiveTables():
            return "each of its members is a table, with an output below the archive's name"
        case _:
            return None


def _name_output(output_place: Place, partition_key: str | None) -> str:
    """The output's address, with a word in ``<>`` for what only the rows or the clock say."""
    if partition_key is not None:
        return str(output_place.partition(f"{partition_key}=<value>"))
    return str(output_place.target(_ANY_TIME)).replace(_TIME_TEXT, "<UTC time>")


def _text(ref: ObjectRef | None) -> str | None:
    return None if ref is None else str(ref)
