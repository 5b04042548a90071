"""Planning a bulk sync's objects: each has an output of its own, or its table's."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

from millrace.config.bulk_sync import BulkMode, BulkSync, Discover, OnDelete, SchemaSelection
from millrace.config.connection import Connection
from millrace.config.document import Document
from millrace.config.layout import DirectorySnapshot, Folder, MultiTable, formats_of
from millrace.engine.file_names import is_archive, recognise_told, with_extensions, without_archive_extension
from millrace.engine.options import (
    ALL_SHEETS,
    BadRows,
    Compression,
    FileFormat,
    ReadOptions,
    RecognisedKey,
    SchemaEvolution,
    recognise,
)
from millrace.engine.recipe import Recipe
from millrace.errors import BadArchive, DataError, ForeignFormat
from millrace.objects.output_names import OutputVersion
from millrace.objects.references import ObjectRef
from millrace.planning.object_filter import ObjectFilter
from millrace.planning.plans import (
    NO_EXTENSION,
    ArchivedFile,
    ArchiveTables,
    Ignored,
    OwnOutput,
    Plan,
    SharedTable,
    SnapshotTable,
    Way,
    too_long,
)
from millrace.planning.tables import TableFile, table_of
from millrace.planning.targets import QUARANTINE_FOLDER, OutputPlace
from millrace.planning.transforms import table_transform

_MOST_RECIPES = 256
"""Recipes that a route keeps: one for each table of the configuration and each way that its files are packed."""
_RecipeKey: TypeAlias = tuple[FileFormat, Compression, str | None, str | None, bool]


@dataclass(frozen=True)  # without slots, so that it keeps what all of its plans have
class BulkRoute:
    """The way of one bulk sync's objects."""

    sync: BulkSync
    source: Connection
    target: Connection
    fingerprint: str
    _recipes: dict[_RecipeKey, Recipe] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, sync: BulkSync, document: Document) -> BulkRoute:
        """The route of a sync of the document."""
        source = document.connection(sync.source_connection)
        target = document.connection(sync.destination_connection)
        return cls(sync, source, target, document.fingerprint(sync))

    @property
    def name(self) -> str:
        """The sync's."""
        return self.sync.name

    @property
    def folder(self) -> Folder:
        """What is read."""
        return self.source.root

    @property
    def is_one_table(self) -> bool:
        """Whether all files are made into one table at once: each is converted alone, whatever its table is."""
        return False

    def wants(self, ref: ObjectRef) -> bool:
        """Whether the object is in the source's folder."""
        return ref.bucket == self.source.bucket and ref.key.startswith(self.source.root.prefix)

    def plan(self, ref: ObjectRef) -> Plan | Ignored:
        """What becomes of an object that it wants."""
        if ref.key.endswith("/"):
            return self._ignore(f"{ref} is a folder marker: its key ends in a slash")
        if is_archive(ref.key):
            return self._plan_archive(ref)
        return self._plan_workbook(ref) or self._plan_file(ref)

    def plan_member(self, archive: ObjectRef, name: str) -> Plan | Ignored:
        """What becomes of an archive's member, which is planned as an object below the archive's name.

        The member ``a/x.csv`` of ``in/export.zip`` is planned as ``in/export/a/x.csv``.
        """
        ref = ObjectRef(archive.bucket, f"{without_archive_extension(archive.key)}/{name}")
        return self._plan_workbook(ref) or self._plan_file(ref)

    def plan_sheet(self, workbook: ObjectRef, stem: str, name: str) -> Plan | Ignored:
        """What becomes of a workbook's sheet, which is planned as an object below the workbook's name.

        The sheet ``Orders`` of ``in/book.xlsx`` is the table ``book/Orders``; a name says nothing of a format.
        """
        ref = ObjectRef(workbook.bucket, f"{stem}/{name}")
        file = TableFile(ref.key[len(self.source.root.prefix) :], None)
        selection = self._selection_of_sheet(stem[len(self.source.root.prefix) :], name)
        if reason := self._why_not_taken(file.table, selection):
            return self._ignore(reason)
        plan = self._plan(ref, RecognisedKey(FileFormat.EXCEL, Compression.NONE, ref.key), file, selection)
        read = plan.recipe.read
        if read.excel_sheet not in {None, ALL_SHEETS, name}:
            plan = replace(plan, problem=_to_other_sheet(file.table, str(read.excel_sheet)))
        return replace(plan, recipe=replace(plan.recipe, read=replace(read, excel_sheet=name)))

    def _selection_of_sheet(self, workbook: str, name: str) -> SchemaSelection | None:
        """A sheet's own schema, or that of its workbook, which holds for each sheet that has none."""
        table, whole = f"{workbook}/{name}", self._selections.get(workbook)
        own = self._selections.get(table)
        if own is not None or whole is None:
            return own
        output = whole.user_output_name
        return whole.model_copy(update={"id": table, "user_output_name": f"{output}/{name}" if output else None})

    def _ignore(self, reason: str) -> Ignored:
        return Ignored(sync=self.sync.name, fingerprint=self.fingerprint, reason=reason)

    def _plan_file(self, ref: ObjectRef) -> Plan | Ignored:
        recognised = self._recognise(ref.key)
        if recognised is None:
            return self._ignore(f"{ref} {self._why_left_out(ref, None) or self._why_foreign()}")
        return self._plan_recognised(ref, recognised, archived=None)

    def _recognise(self, key: str) -> RecognisedKey | None:
        """What a key says; where the configuration tells a format, an extension that says nothing is of that."""
        formats = formats_of(self.source.layout)
        if isinstance(self.source.layout, MultiTable):
            return recognise(key)
        return recognise_told(key, formats[0])

    def _why_foreign(self) -> str:
        if isinstance(self.source.layout, MultiTable):
            return NO_EXTENSION
        formats = " or ".join(formats_of(self.source.layout))
        return f"is no {formats} file: its extension says that it is something else"

    def _why_left_out(self, ref: ObjectRef, selection: SchemaSelection | None) -> str:
        return self._filter(selection).why_left_out(ref.key[len(self.source.root.prefix) :])

    def _filter(self, selection: SchemaSelection | None) -> ObjectFilter:
        return self._own_filter if selection is None else ObjectFilter.of(self.source.configuration, selection)

    @cached_property
    def _own_filter(self) -> ObjectFilter:
        """What holds for tables that are not among the schemas."""
        return ObjectFilter.of(self.source.configuration, None)

    def _plan_archive(self, ref: ObjectRef) -> Plan | Ignored:
        """An archive is as many tables as it has members, or one file of the table that it lies in."""
        formats, inner = formats_of(self.source.layout), without_archive_extension(ref.key)
        if not isinstance(self.source.layout, MultiTable):
            # Of several formats that are told the name may say one: ``orders.json.zip``.
            named = recognise(inner)
            stem, file_format = (named.stem, named.format) if named is not None else (inner, formats[0])
            archived = ArchivedFile(members_format=file_format)
            return self._plan_recognised(ref, RecognisedKey(file_format, Compression.NONE, stem), archived=archived)
        if reason := self._why_left_out(ref, None):
            return self._ignore(f"{ref} {reason}")
        file = TableFile(inner[len(self.source.root.prefix) :], None)
        plan = self._plan(ref, RecognisedKey(FileFormat.CSV, Compression.NONE, inner), file, None)
        return replace(plan, quarantine=None, way=ArchiveTables(members=MembersOf(self, ref, inner)))

    def _plan_workbook(self, ref: ObjectRef) -> Plan | Ignored | None:
        """A workbook is as many tables as it has sheets, if the options say so; None if they do not."""
        recognised = self._recognise(ref.key)
        if recognised is None or recognised.format is not FileFormat.EXCEL:
            return None
        file = table_of(recognised.stem[len(self.source.root.prefix) :], self.source.layout)
        if file is None or not isinstance(self.source.layout, MultiTable):
            return None
        selection = self._selections.get(file.table)
        if not _has_tables(self.source.file_options(selection).read):
            return None
        if reason := self._why_left_out(ref, selection):
            return self._ignore(f"{ref} {reason}")
        way = ArchiveTables(members=SheetsOf(self, ref, recognised.stem), are_sheets=True)
        return replace(self._plan(ref, recognised, file, selection), quarantine=None, way=way)

    def _plan_recognised(
        self, ref: ObjectRef, recognised: RecognisedKey, *, archived: ArchivedFile | None
    ) -> Plan | Ignored:
        file = table_of(recognised.stem[len(self.source.root.prefix) :], self.source.layout)
        selection = self._selections.get(file.table) if file is not None else None
        if reason := self._why_left_out(ref, selection):
            return self._ignore(f"{ref} {reason}")
        if file is None:
            return self._ignore(f"{ref} is in no directory that directory_glob_pattern matches")
        if reason := self._why_not_taken(file.table, selection):
            return self._ignore(reason)
        return replace(self._plan(ref, recognised, file, selection), archived=archived)

    def _why_not_taken(self, table: str, selection: SchemaSelection | None) -> str:
        """Why the sync does not write a table; empty if it does."""
        if selection is None and not self._takes_new_tables:
            return f"table {table!r} is not among the schemas of sync {self.sync.name!r}"
        if selection is not None and not selection.enabled:
            return f"table {table!r} is not enabled in sync {self.sync.name!r}"
        return ""

    def _place(self, file: TableFile, selection: SchemaSelection | None) -> OutputPlace:
        """Where a file's output goes; a selection may give its table another name."""
        name = selection.user_output_name if selection else None
        return OutputPlace(
            folder=self.target.root.child(self.sync.subfolder),
            file=replace(file, table=name or file.table),
            format=self.sync.format,
            compression=self.sync.compression,
            snapshot=self.sync.mode is BulkMode.SNAPSHOT,
        )

    def _recipe(self, recognised: RecognisedKey, selection: SchemaSelection | None, *, shared: bool) -> Recipe:
        """How a file is converted: all files of a table that are packed alike share one recipe.

        To make one takes as long as all else that is planned of an object, and a listing plans millions.
        """
        table = selection.id if selection is not None else None
        key = (recognised.format, recognised.compression, recognised.delimiter, table, shared)
        recipe = self._recipes.get(key)
        if recipe is None:
            recipe = self._make_recipe(recognised, selection, shared=shared)
            # A workbook's sheets may have any names, each of which is a table.
            if len(self._recipes) < _MOST_RECIPES:
                self._recipes[key] = recipe
        return recipe

    def _make_recipe(self, recognised: RecognisedKey, selection: SchemaSelection | None, *, shared: bool) -> Recipe:
        rescued = shared and self.sync.schema_evolution is SchemaEvolution.RESCUE
        options = self.source.file_options(selection)
        read = replace(options.read, bad_rows=self.sync.bad_rows)
        return Recipe(
            source_format=recognised.format,
            target_format=self.sync.format,
            read=with_extensions(read, recognised),
            write=replace(options.write, compression=self.sync.compression),
            transform=replace(table_transform(selection, self.sync), rescued=rescued),
        )

    def _plan(
        self, ref: ObjectRef, recognised: RecognisedKey, file: TableFile, selection: SchemaSelection | None
    ) -> Plan:
        output_place = self._place(file, selection)
        if self.sync.iceberg is not None:
            output_place = output_place.at_version(OutputVersion.planned(self.sync.name, ref))
        recipe = self._recipe(recognised, selection, shared=self._shares(output_place))
        table = ObjectRef(ref.bucket, self.source.root.prefix + file.table)
        quarantine = output_place.quarantine() if self.sync.bad_rows is BadRows.QUARANTINE else None
        # Of in/eu/2026/a.csv in the table eu: the table is in/eu, the stem in/eu/2026/a, the path in the table 2026/a,
        # so that the keys of all of the table's files begin with in/eu/.
        return Plan(
            sync=self.sync.name,
            source=ref,
            place=output_place,
            source_connection=self.source.name,
            target_connection=self.target.name,
            recipe=recipe,
            fingerprint=self.fingerprint,
            remove_outputs=self.sync.on_delete is OnDelete.REMOVE,
            quarantine=quarantine,
            problem=self._find_foreign_format(ref, recognised, file.table) or too_long(output_place, quarantine),
            way=self._way(output_place, table, recognised.stem),
            format_table=table if self._formats_vary else None,
            format_prefix=recognised.stem.removesuffix(file.path or "") if self._formats_vary else None,
            newer_than=self._filter(selection).newer_than,
        )

    def _way(self, output_place: OutputPlace, table: ObjectRef, stem: str) -> Way:
        if self._shares(output_place):
            return SharedTable(table=table, evolution=self.sync.schema_evolution)
        path = output_place.file.path
        return OwnOutput() if path is None else SnapshotTable(table=table, prefix=stem.removesuffix(path))

    def _shares(self, output_place: OutputPlace) -> bool:
        """Whether the table is read from many outputs, one a file."""
        return output_place.file.path is not None and not output_place.snapshot

    @property
    def _formats_vary(self) -> bool:
        match self.source.layout:
            case DirectorySnapshot(formats=formats):
                return len(formats) > 1
            case _:
                return False

    @cached_property
    def _selections(self) -> dict[str, SchemaSelection]:
        return {selection.id: selection for selection in self.sync.schemas or ()}

    @property
    def _takes_new_tables(self) -> bool:
        default = Discover.ALL if self.sync.schemas is None else Discover.NONE
        return (self.sync.automatically_add_new_objects or default) is Discover.ALL

    def _find_foreign_format(self, ref: ObjectRef, recognised: RecognisedKey, table: str) -> DataError | None:
        if isinstance(self.source.layout, MultiTable):
            return None
        accepted = formats_of(self.source.layout)
        if self._formats_vary and not _names_format(ref.key):
            return ForeignFormat(
                f"the name of {ref} does not say its format, and those of table {table!r} are {' or '.join(accepted)}"
                f" (connection {self.source.name!r}). Give it an extension, or name one format in the connection"
            )
        if recognised.format in accepted:
            return None
        return ForeignFormat(
            f"{ref} is a {recognised.format} file; those of table {table!r} are {' or '.join(accepted)} (connection"
            f" {self.source.name!r}). Move it elsewhere, or name its format in the connection"
        )


def _has_tables(read: ReadOptions) -> bool:
    """Whether each sheet of a workbook is a table."""
    return read.excel_sheet == ALL_SHEETS


def _to_other_sheet(table: str, sheet: str) -> DataError:
    return BadArchive(
        f"the schema of table {table!r}, which is a sheet of that name, says excel_sheet: {sheet}; leave that out, or"
        " choose the other sheet by its own schema"
    )


def _names_format(key: str) -> bool:
    return recognise(without_archive_extension(key)) is not None


@dataclass(frozen=True, slots=True)
class MembersOf:
    """The members of one archive, planned by the route of their sync."""

    route: BulkRoute
    archive: ObjectRef
    stem: str
    """The key without its extension."""

    @property
    def below(self) -> str:
        """What the keys begin with that the members are planned as."""
        return f"{self.stem}/"

    def plan(self, name: str) -> Plan | Ignored:
        """What becomes of the member of that name."""
        return self.route.plan_member(self.archive, name)

    def may_write(self, ref: ObjectRef) -> bool:
        """Whether some member could have its output at a key: below the archive's name, or a name that is given one."""
        path = self._path_of(ref)
        return path is not None and path.removeprefix(f"{QUARANTINE_FOLDER}/").startswith(self.output_prefixes())

    def may_put_aside(self, ref: ObjectRef) -> bool:
        """Whether bad rows of some member could be put aside at a key."""
        path = self._path_of(ref)
        return path is not None and path.startswith(f"{QUARANTINE_FOLDER}/") and self.may_write(ref)

    def _path_of(self, ref: ObjectRef) -> str | None:
        folder = self.route.target.root.child(self.route.sync.subfolder)
        if ref.bucket != folder.bucket or not ref.key.startswith(folder.prefix):
            return None
        return ref.key[len(folder.prefix) :]

    def output_prefixes(self) -> tuple[str, ...]:
        """What the paths of the members' outputs begin with."""
        # Below `exports/2026/` for the archive `exports/2026.zip`.
        below = self.below[len(self.route.source.root.prefix) :]
        tables = [selection for selection in self.route.sync.schemas or () if selection.id.startswith(below)]
        return (below, *(selection.user_output_name for selection in tables if selection.user_output_name))


@dataclass(frozen=True, slots=True)
class SheetsOf(MembersOf):
    """The sheets of one workbook, planned by the route of their sync."""

    def plan(self, name: str) -> Plan | Ignored:
        """What becomes of the sheet of that name."""
        return self.route.plan_sheet(self.archive, self.stem, name)

    def output_prefixes(self) -> tuple[str, ...]:
        """What the paths of the sheets' outputs begin with; a workbook's table may be given another name."""
        table = self.stem[len(self.route.source.root.prefix) :]
        # A workbook's table is its name: if that is given another one, its sheets are below that, too.
        whole = [selection for selection in self.route.sync.schemas or () if selection.id == table]
        outputs = [f"{selection.user_output_name}/" for selection in whole if selection.user_output_name]
        return (*MembersOf.output_prefixes(self), *outputs)
