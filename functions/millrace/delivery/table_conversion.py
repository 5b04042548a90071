"""Convert a file as a part of its table: with the schema that is remembered of it, which the file may widen.

A wider schema is remembered before the file's output is published: what is published never lacks in what is remembered.

Of two workers who widen a schema at once, one puts its version first. The other takes that into account: where it would
have written the same, its output stands; else it converts again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from millrace.delivery.table_schema import Remembered, remembered
from millrace.engine.destination import Converted, Destination
from millrace.engine.file_names import with_extensions
from millrace.engine.file_origin import FileOrigin
from millrace.engine.one_file import ConversionContext, convert, convert_into_table, options
from millrace.engine.options import words_of
from millrace.engine.recipe import Recipe
from millrace.engine.table_sources import Source
from millrace.engine.tables.fit import Fit, FitRule, guesses_of_reader
from millrace.engine.tables.hinted import given_fields
from millrace.engine.tables.rows import Table
from millrace.errors import ForeignFormat, LostRace
from millrace.ledger.claims import Claims
from millrace.ledger.schema_changes import SchemaChanges
from millrace.objects.messages import Request
from millrace.objects.store import Upload
from millrace.planning.plans import Plan, SharedTable

if TYPE_CHECKING:
    from millrace.engine.formats.streams.archive import Archive, Member

_TRIES = 5
Within = Callable[[Table], Table]
"""How a file's rows are brought into its table's schema."""
Convert = Callable[[Within], Converted[Upload]]


@dataclass(frozen=True, slots=True)
class InTable:
    """A finished conversion, the version of the table's schema that it was written with, and what it changed of it."""

    done: Converted[Upload]
    version: int | None = None
    changes: SchemaChanges | None = None
    reason: str | None = None
    """What else is to be said of it, such as which members of an archive are ignored."""


@dataclass(frozen=True, slots=True)
class WholeFile:
    """The opened object of a plan as one file; of an archive, its members together are the file."""

    plan: Plan
    stream: BinaryIO
    archive: Archive | None = None

    @property
    def reason(self) -> str | None:
        """What is to be said of it: which members of an archive are ignored."""
        return None if self.archive is None else self.archive.describe_ignored()

    def convert(
        self, recipe: Recipe, destination: Destination[Upload], context: ConversionContext
    ) -> Converted[Upload]:
        """Convert it by itself."""
        if self.archive is None:
            return convert(self.stream, recipe, destination, context)
        from millrace.engine.many_files import convert_many  # noqa: PLC0415 - most files are no archives

        members = members_of(self.plan, self.archive, context.origin)
        return convert_many(members, recipe, destination, context)

    def into_table(self, recipe: Recipe, destination: Destination[Upload], context: ConversionContext) -> Convert:
        """What converts it as a file of its table, any number of times."""
        if self.archive is None:
            return partial(convert_into_table, self.stream, recipe, destination, context)
        from millrace.engine.many_files import convert_many_into_table  # noqa: PLC0415 - most files are no archives

        members = members_of(self.plan, self.archive, context.origin)
        return partial(convert_many_into_table, members, recipe, destination, context)


@contextmanager
def open_whole(plan: Plan, stream: BinaryIO) -> Iterator[WholeFile]:
    """The opened object of a plan as one file."""
    if plan.file_of_members is None:
        yield WholeFile(plan, stream)
        return
    from millrace.engine.formats.streams.archive import open_archive  # noqa: PLC0415 - most files are no archives

    with open_archive(stream, plan.source.key, file_format=plan.file_of_members.members_format) as archive:
        yield WholeFile(plan, stream, archive)


def members_of(plan: Plan, archive: Archive, origin: FileOrigin) -> list[Source]:
    """The members of an archive as files to convert.

    Raises: BadArchive if none of them can be read; ForeignFormat for one of another format in an archive that is a file
    of a table, as for a file of that format beside it.
    """
    if plan.archived is not None:
        for ignored in archive.ignored:
            if ignored.other_format is not None:
                raise ForeignFormat(
                    f"the member {ignored.name!r} of {plan.source} is a {ignored.other_format} file; those of its table"
                    f" are {plan.archived.members_format}. Leave it out of the archive"
                )
    return [source_of_member(plan, member, origin) for member in archive.require_members()]


def source_of_member(plan: Plan, member: Member, origin: FileOrigin) -> Source:
    """A member of a plan's archive as one of the files that are converted together; ``origin`` is the archive's."""
    return Source(
        name=f"{plan.source.key}/{member.name}",
        format=member.known.format,
        read=with_extensions(plan.recipe.read, member.known),
        open=member.open,
        find_origin=partial(replace, origin, file=f"{plan.source}/{member.name}"),
    )


def convert_in_table(plan: Plan, shared: SharedTable, request: Request, claims: Claims, convert: Convert) -> InTable:
    """Have ``convert`` write the plan's file as a part of its table, and remember what that makes of its schema.

    Raises SchemaFrozen where the file does not fit and must, LostRace where others are quicker again and again.
    """
    # No retry_lost_race here: a race that ``convert`` itself loses, as for the table's format, is another's to retry.
    for _ in range(_TRIES):
        schema = remembered(plan.sync, shared.table, request, claims.ledger)
        fit = Fit(schema.fields, fit_rule(plan, shared))
        done = convert(fit.table)
        try:
            kept = _remember(schema, fit, plan, request, claims)
        except BaseException:
            done.discard()
            raise
        if kept is not None:
            version, changes = kept
            return InTable(done, version, changes)
        done.discard()
    raise LostRace(f"the schema of table {shared.table} is being changed by others; {plan.source} is tried again later")


def _remember(
    schema: Remembered, fit: Fit, plan: Plan, request: Request, claims: Claims
) -> tuple[int | None, SchemaChanges | None] | None:
    """The version that holds what the file was written with, and what is new in it; None where it was overtaken."""
    for _ in range(_TRIES):
        fields = fit.remembered_schema()
        if not len(fields) and schema.schema is None:
            return None, None
        # No retry_lost_race here either: the first try reads nothing, and a schema may be one that ends the tries.
        with suppress(LostRace):
            version = schema.put(fields, plan.source, request, claims.ledger, claims.now())
            return version, schema.changed(fields)
        schema = remembered(plan.sync, schema.table, request, claims.ledger)
        refitted = fit.against(schema.fields)
        if refitted is None:
            return None
        fit = refitted
    return None


def fit_rule(plan: Plan, shared: SharedTable) -> FitRule:
    """What holds for all files of a table, by one file's plan."""
    read = options(plan.recipe)
    demanded = frozenset([*read.column_types, *read.type_hints])
    return FitRule(
        evolution=shared.evolution,
        transform=plan.recipe.transform,
        as_text=words_of(plan.recipe.source_format).is_text,
        is_guessed=guesses_of_reader(plan.recipe.source_format, infer=read.infer_types, demanded=demanded),
        table=str(shared.table),
        given=given_fields(read),
    )
