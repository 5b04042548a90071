"""An archive whose members are tables: each is converted as planned, and then all are published, or none.

The members' outputs are the archive's, as the partitions of a file are the file's: they are announced together before
the first becomes visible, and those of members that a newer version lacks are removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO

from millrace.delivery.publishing import ReadyOutput, ready_outputs
from millrace.engine.destination import Converted, Destination
from millrace.engine.formats.excel.sheets import open_sheets
from millrace.engine.formats.streams.archive import Archive, Member, describe_ignored, open_archive
from millrace.engine.one_file import ConversionContext, convert
from millrace.engine.outputs import MOST_PARTITIONS
from millrace.engine.recipe import Recipe
from millrace.engine.row_counts import NO_ROWS, RowCounts
from millrace.engine.tables.rows import errors_naming
from millrace.errors import ArchiveTooBig, BadArchive
from millrace.objects.references import ObjectRef
from millrace.objects.store import Upload
from millrace.planning.plans import ArchiveTables, Ignored, Plan

MOST_OUTPUTS = MOST_PARTITIONS
"""Each holds up to a part of an upload in memory until all are published, and has a line in the archive's entry."""

DestinationOf = Callable[[Plan], Destination[Upload]]
"""Opens the outputs of a member's plan."""
OutputOf = Callable[[Plan, str | None], ObjectRef]
"""Where a member's output goes, by its partition's directory."""


@contextmanager
def open_tables(stream: BinaryIO, way: ArchiveTables, key: str) -> Iterator[Archive]:
    """The members of an opened object that are tables: an archive's files, or a workbook's sheets.

    Of a workbook in an archive, whose sheets are tables as well, these are members in its place.
    """
    if way.are_sheets:
        yield open_sheets(stream)
        return
    with open_archive(stream, key) as archive:
        yield _with_sheets(archive, way)


def _with_sheets(archive: Archive, way: ArchiveTables) -> Archive:
    members, ignored = list[Member](), list(archive.ignored)
    for member in archive.members:
        if not _is_workbook(member, way):
            members.append(member)
            continue
        with errors_naming(member.name), member.open() as file:
            sheets = open_sheets(file)
            # The workbook is unpacked again for each sheet: all of them at once might not fit into memory.
            for sheet in sheets.require_members():
                members.append(replace(member, name=f"{member.name}/{sheet.name}", workbook=member.name))
        ignored += [replace(sheet, name=f"{member.name}/{sheet.name}") for sheet in sheets.ignored]
    return replace(archive, members=tuple(members), ignored=tuple(ignored))


def _is_workbook(member: Member, way: ArchiveTables) -> bool:
    plan = way.members.plan(member.name)
    return isinstance(plan, Plan) and isinstance(plan.way, ArchiveTables)


def plan_table(member: Member, way: ArchiveTables) -> Plan | Ignored:
    """What becomes of a member that is a table; of a workbook's sheet, by the plan of its workbook."""
    if not member.workbook:
        return way.members.plan(member.name)
    plan = way.members.plan(member.workbook)
    assert isinstance(plan, Plan)  # noqa: S101 - for the type checker: what is ignored is not asked for its sheets
    assert isinstance(plan.way, ArchiveTables)  # noqa: S101 - for the type checker: neither is what is one table
    return plan.way.members.plan(member.name.removeprefix(f"{member.workbook}/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertedMembers:
    """What all members became, not yet published; ``reason`` says what was ignored, if anything was."""

    ready: tuple[ReadyOutput, ...]
    rows: RowCounts
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberConversion:
    """How each member is converted."""

    recipe_of: Callable[[Plan], Recipe]
    destination_of: DestinationOf
    output_of: OutputOf
    context_of: Callable[[Plan], ConversionContext]

    def convert_all(self, archive: Archive, way: ArchiveTables) -> ConvertedMembers:
        """Convert the members of an archive; all uploads are discarded before an error is raised.

        Raises: BadArchive if none can be read, or two have one output; ArchiveTooBig for too many outputs; what the
        conversion of a member does.
        """
        # All is planned before anything is converted: two members with one output are refused at once.
        members = archive.require_members()
        planned = [(member, plan_table(member, way)) for member in members]
        ignored = [plan.reason for _, plan in planned if isinstance(plan, Ignored)]
        ignored += archive.reasons()
        wanted = [(member, plan) for member, plan in planned if isinstance(plan, Plan)]
        _check_places(wanted, archive)
        # A table that is not divided has an output even of no rows: too many are refused before the first is read.
        _check_count(sum(not plan.recipe.transform.partition_key for _, plan in wanted), archive)
        rows, ready = NO_ROWS, list[ReadyOutput]()
        with ExitStack() as undo:
            for member, plan in wanted:
                done = self._convert(member, plan)
                undo.callback(done.discard)
                rows += done.rows
                ready += ready_outputs(done, output=_place_of(self.output_of, plan), quarantine=plan.quarantine)
                _check_count(len(ready), archive)
            # All are converted: what becomes of the uploads is decided where they are published.
            undo.pop_all()
        return ConvertedMembers(ready=tuple(ready), rows=rows, reason=describe_ignored(ignored, archive.part))

    def _convert(self, member: Member, plan: Plan) -> Converted[Upload]:
        if plan.problem is not None:
            raise plan.problem
        context = self.context_of(plan)
        origin = replace(context.origin, file=f"{context.origin.file}/{member.name}")
        with member.open() as file:
            return convert(
                file,
                self.recipe_of(plan),
                self.destination_of(plan),
                replace(context, origin=origin),
                name=member.name,
            )


def _place_of(output_of: OutputOf, plan: Plan) -> Callable[[str | None], ObjectRef]:
    return lambda directory: output_of(plan, directory)


def _check_places(planned: list[tuple[Member, Plan]], archive: Archive) -> None:
    """Raise BadArchive for members that would be written over each other, or outside of the archive's own folder."""
    noun, part = archive.noun, archive.part
    places: dict[object, str] = {}
    for member, plan in planned:
        if {"", ".", ".."} & set(member.name.split("/")):
            raise BadArchive(
                f"the {part} {member.name!r} leads out of the {noun}'s own folder, in which its table would lie;"
                f" {'pack the archive with plain paths' if part == 'member' else 'rename it'}"
            )
        earlier = places.setdefault(plan.place, member.name)
        if earlier != member.name:
            raise BadArchive(f"the {part}s {earlier!r} and {member.name!r} have the same output; rename one of them")


def _check_count(outputs: int, archive: Archive) -> None:
    if outputs <= MOST_OUTPUTS:
        return
    advice = "let the connection read it as one table (is_single_table)"
    if archive.part == "sheet":
        advice = "choose the tables in schemas, or hide sheets"
    raise ArchiveTooBig(
        f"the {archive.noun}'s {archive.part}s have more than {MOST_OUTPUTS} outputs, which is the most of one object;"
        f" split it, or {advice}"
    )
