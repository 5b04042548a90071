"""`millrace explain --config`: what a sync would make of one object, by the planning that the functions use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from millrace.cli.local.reading import place
from millrace.config.document import load
from millrace.delivery.archive_tables import open_tables, plan_table
from millrace.engine.explain.any_file import explain_file
from millrace.engine.explain.facts import Content, Explanation
from millrace.engine.file_names import is_archive, with_extensions
from millrace.engine.files import check_member, choose_members
from millrace.engine.formats.streams.archive import Archive, Member, open_archive
from millrace.engine.options import FileFormat, ReadOptions
from millrace.engine.recipe import Recipe
from millrace.engine.transform.binding import bind
from millrace.errors import InvalidReference, MillraceError, UsageError
from millrace.objects.references import ObjectRef
from millrace.planning.model_syncs import file_of
from millrace.planning.planner import Planner
from millrace.planning.plans import AnyPlan, ArchiveOutput, ArchiveTables, Build, Ignored, Plan, SourceFile
from millrace.planning.targets import OutputPlace

_NOW = datetime(2000, 1, 1, tzinfo=UTC)
"""In the keys of a model sync's snapshots stands the time of the object, which is not known before it is read."""
_MOST_MEMBERS = 50
_NAMES = {"bad_rows": "bad rows are"}
"""Of options, where the name of the field is another fact's."""
_KEY = b"explained"
"""Obfuscated values are not shown; any key gives their fields."""


Facts = list[tuple[str, str]]
"""What planning says, line by line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _ToRead:
    """How a file is read and what is made of its rows."""

    file_format: FileFormat
    read: ReadOptions
    recipe: Recipe


def plan_object(config: Path, sync: str, uri: str) -> AnyPlan | None:
    """What a configuration's sync makes of an object; None: it does not read it.

    Raises: InvalidConfiguration, and UsageError for a sync that is unknown or what is no object's address.
    """
    planner = Planner(load(config))
    planner.active_sync(sync)
    try:
        ref = ObjectRef.parse(uri)
    except InvalidReference as error:
        raise UsageError(f"with --config, an object of S3 is explained: s3://bucket/key; {error}") from error
    return next(iter(planner.plan(ref, only=sync)), None)


def explain_plan(plan: AnyPlan, path: str, source: BinaryIO, member: str | None) -> tuple[Facts, Explanation | None]:
    """What a sync would make of an object that is open: what planning says, and the content, None for many members.

    Raises: UsageError for a member that there is not; BadArchive for an archive that has none to read.
    """
    match plan:
        case SourceFile(build=build):
            return _explain_source_file(build, plan.source, source)
        case Plan():
            return _explain_object(plan, path, source, member)
        case Build():
            return [("ignored", "this is the folder of a model, and no object")], None
        case Ignored(reason=reason):
            return [("ignored", reason)], None


def _explain_source_file(build: Build, ref: ObjectRef, source: BinaryIO) -> tuple[Facts, Explanation | None]:
    recognised = file_of(build, ref.key)
    assert recognised is not None  # noqa: S101 - for the type checker: planning found a file of the build
    to_read = _ToRead(file_format=recognised.format, read=with_extensions(build.read, recognised), recipe=build.recipe)
    facts: Facts = [("table", f"a file of the table that {build.folder} is"), ("output", str(build.place.target(_NOW)))]
    return _with_content(facts, to_read, source)


def _explain_object(plan: Plan, path: str, source: BinaryIO, member: str | None) -> tuple[Facts, Explanation | None]:
    opened = _open_members(plan, path, source)
    if opened is None:
        check_member(path, member)
        return _with_content(list(_facts_of(plan)), _to_read(plan), source)
    with opened as archive:
        members = choose_members(archive, member)
        facts = _facts_of_members(plan, archive, members)
        chosen = _choose(plan, members)
        if chosen is None:
            return facts, None
        to_read = chosen[1]
        with chosen[0].open() as file:
            return _with_content(facts, to_read, file)


def _open_members(plan: Plan, path: str, source: BinaryIO) -> AbstractContextManager[Archive] | None:
    """The members of the object; None if it is one file."""
    if isinstance(plan.way, ArchiveTables):
        return open_tables(source, plan.way, path)
    if not is_archive(path):
        return None
    return open_archive(source, path, file_format=_members_format(plan))


def _members_format(plan: Plan) -> FileFormat | None:
    if isinstance(plan.way, ArchiveOutput):
        return plan.way.members_format
    return plan.archived.members_format if plan.archived is not None else None


def _choose(plan: Plan, members: tuple[Member, ...]) -> tuple[Member, _ToRead] | None:
    """The one member whose content is explained; None if there are several, or it is none of a table."""
    if len(members) != 1:
        return None
    (member,) = members
    of_member: Plan | Ignored = plan
    if isinstance(plan.way, ArchiveTables):
        of_member = plan_table(member, plan.way)
    if isinstance(of_member, Ignored):
        return None
    read = with_extensions(of_member.recipe.read, member.known)
    return member, _ToRead(file_format=member.known.format, read=read, recipe=of_member.recipe)


def _facts_of_members(plan: Plan, archive: Archive, members: tuple[Member, ...]) -> Facts:
    facts: Facts = [] if isinstance(plan.way, ArchiveTables) else list(_facts_of(plan))
    for member in members[:_MOST_MEMBERS]:
        facts.append((f"{archive.part} {member.name}", _describe_member(plan, member)))
    for ignored in archive.ignored[:_MOST_MEMBERS]:
        facts.append((f"{archive.part} {ignored.name}", f"ignored: {ignored.reason}"))
    more = max(0, len(members) - _MOST_MEMBERS) + max(0, len(archive.ignored) - _MOST_MEMBERS)
    if more:
        facts.append((f"{archive.part}s", f"{more:,} more"))
    if len(members) > 1:
        facts.append(("content", f"explained of one {archive.part}: choose it with --member"))
    return facts


def _describe_member(plan: Plan, member: Member) -> str:
    if not isinstance(plan.way, ArchiveTables):
        return f"a part of the file, {member.known.format}"
    of_member = plan_table(member, plan.way)
    if isinstance(of_member, Ignored):
        return f"ignored: {of_member.reason}"
    return "; ".join(f"{name}: {value}" for name, value in _facts_of(of_member))


def _facts_of(plan: Plan) -> Iterator[tuple[str, str]]:
    if plan.problem is not None:
        yield "fails", f"{type(plan.problem).__name__}: {plan.problem}{place(plan.problem)}"
    output_place = plan.place
    if isinstance(output_place, OutputPlace):
        yield "table", output_place.file.table
    yield "format", str(plan.recipe.source_format)
    key = plan.recipe.transform.partition_key
    output = plan.place.target(_NOW) if key is None else plan.place.partition(f"{key}=...")
    yield "output", str(output)
    if plan.quarantine is not None:
        yield "bad rows", str(plan.quarantine)
    if plan.newer_than is not None:
        yield "read if", f"it was modified after {plan.newer_than.isoformat()}"
    yield from _options_that_differ(plan.recipe.read)


def _options_that_differ(read: ReadOptions) -> Iterator[tuple[str, str]]:
    default = ReadOptions()
    for field in fields(read):
        value = getattr(read, field.name)
        if field.name != "work" and value != getattr(default, field.name):
            shown = value if isinstance(value, str) and value.isprintable() and value.strip() else repr(value)
            yield _NAMES.get(field.name, field.name.replace("_", " ")), str(shown)


def _to_read(plan: Plan) -> _ToRead:
    return _ToRead(file_format=plan.recipe.source_format, read=plan.recipe.read, recipe=plan.recipe)


def _with_content(facts: Facts, to_read: _ToRead, source: BinaryIO) -> tuple[Facts, Explanation | None]:
    explanation = explain_file(source, to_read.file_format, to_read.read)
    return [*facts, *_describe_written(to_read.recipe, explanation.content)], explanation


def _describe_written(recipe: Recipe, content: Content) -> Iterator[tuple[str, str]]:
    """The names of the output's fields, or why there are none."""
    if content.error is not None:
        return
    transform = replace(recipe.transform, cutoff=None)
    try:
        bound = bind(transform, content.schema, now=_NOW, key=_KEY)
    except MillraceError as error:
        yield "fails", f"{type(error).__name__}: {error}"
        return
    yield "fields", ", ".join(bound.schema.names)
