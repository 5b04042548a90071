"""What only the whole document can tell: names, references, and folders that must not meet. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TypeAlias, assert_never

from millrace.config.bulk_sync import BulkMode, BulkSync, SchemaSelection
from millrace.config.catalog import IcebergTables, is_table_bucket_name, to_table_name
from millrace.config.connection import Connection, ManagedQueue
from millrace.config.layout import DirectorySnapshot, Folder, Layout, MultiTable, SingleTable, formats_of
from millrace.config.model import Model, ModelConfiguration
from millrace.config.model_sync import ModelSync, ModelSyncMode
from millrace.config.notices import Webhook
from millrace.config.option_fields import (
    SHEETS_OF_MANY_TABLES,
    OptionFields,
    check_dialect,
    check_formats,
    check_records,
)
from millrace.engine.names import suggestion
from millrace.engine.options import ALL_SHEETS, FileFormat, SchemaEvolution, recognise
from millrace.mappings import by_name

Sync: TypeAlias = BulkSync | ModelSync


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What could be parsed of a document, by where it stands; and what is named in it, also by what could not.

    ``names`` are by list: path and name of each item. ``mentions`` are path, list and name of what is referred to.
    """

    connections: Mapping[str, Connection]
    models: Mapping[str, Model]
    model_syncs: Mapping[str, ModelSync]
    bulk_syncs: Mapping[str, BulkSync]
    webhooks: Mapping[str, Webhook]
    names: Mapping[str, Sequence[tuple[str, str]]]
    mentions: Sequence[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Reach:
    """What is read or written: all below a folder, or (``exact``) the one object with that path."""

    folder: Folder
    exact: bool = False

    def meets(self, reach: Reach) -> bool:
        """Tell whether some key belongs to both."""
        if self.exact and reach.exact:
            return self.folder == reach.folder
        if self.exact:
            return reach.folder.contains(self.folder)
        if reach.exact:
            return self.folder.contains(reach.folder)
        return self.folder.overlaps(reach.folder)

    def __str__(self) -> str:
        return str(self.folder) if self.exact else f"{self.folder}/"


def problems(parsed: Parsed) -> Iterator[str]:
    """Yield one line a problem between the parts of a document."""
    yield from _names_given_twice(parsed)
    yield from _unknown_references(parsed)
    yield from _regions(parsed)
    yield from _models_outside(parsed)
    yield from _tables_that_cannot_be(parsed)
    yield from _tables_without_files(parsed)
    yield from _catalogs_that_cannot_be(parsed)
    yield from _options_that_cannot_be(parsed)
    yield from _fields_outside_the_model(parsed)
    yield from _overlaps(parsed)
    yield from _overlapping_notifications(parsed)
    yield from _unknown_syncs_of_webhooks(parsed)


def source_of(sync: Sync, connections: Mapping[str, Connection], models: Mapping[str, Model]) -> Reach | None:
    """Give what a sync reads; None where a reference is unknown."""
    if isinstance(sync, BulkSync):
        connection = connections.get(sync.source_connection)
        return Reach(connection.root) if connection else None
    model = models.get(sync.model)
    connection = connections.get(model.connection) if model else None
    if model is None or connection is None:
        return None
    if model.key is not None:
        return Reach(Folder(connection.bucket, model.key), exact=True)
    return Reach(connection.root.child(model.subfolder))


def output_of(sync: Sync, connections: Mapping[str, Connection]) -> Reach | None:
    """Give what a sync writes; None where a reference is unknown."""
    if isinstance(sync, BulkSync):
        connection = connections.get(sync.destination_connection)
        return Reach(connection.root.child(sync.subfolder)) if connection else None
    connection = connections.get(sync.target_connection)
    if connection is None:
        return None
    if sync.has_folder:
        return Reach(connection.root.child(sync.object))
    return Reach(connection.root.child(sync.object + sync.extension), exact=True)


def _names_given_twice(parsed: Parsed) -> Iterator[str]:
    for listed in parsed.names.values():
        first: dict[str, str] = {}
        for path, name in listed:
            if name.casefold() in first:
                yield f"{path}.name: found {name!r}, which {first[name.casefold()]} has already; names are unique"
            first.setdefault(name.casefold(), path)


def _unknown_syncs_of_webhooks(parsed: Parsed) -> Iterator[str]:
    names = set()
    for kind in ("bulk_syncs", "model_syncs"):
        names |= {name for _, name in parsed.names[kind]}
    for path, webhook in parsed.webhooks.items():
        for name in webhook.syncs or ():
            if name not in names:
                listed = ", ".join(sorted(names)) or "none"
                yield f"{path}.syncs: found {name!r}, which is not among the syncs ({listed}){suggestion(name, names)}"


def _unknown_references(parsed: Parsed) -> Iterator[str]:
    for path, kind, name in parsed.mentions:
        names = {given for _, given in parsed.names[kind]}
        if name not in names:
            listed = ", ".join(sorted(names)) or "none"
            yield f"{path}: found {name!r}, which is not among the {kind} ({listed}){suggestion(name, names)}"


def _regions(parsed: Parsed) -> Iterator[str]:
    first: dict[str, tuple[str, str]] = {}
    for path, connection in parsed.connections.items():
        first_path, region = first.setdefault(connection.bucket, (path, connection.region))
        if region != connection.region:
            yield (
                f"{path}.configuration.s3_bucket_region: found {connection.region!r} for the bucket"
                f" {connection.bucket!r}, for which {first_path} says {region!r}; a bucket has one region"
            )


def _models_outside(parsed: Parsed) -> Iterator[str]:
    connections = by_name(parsed.connections.values())
    for path, model in parsed.models.items():
        connection = connections.get(model.connection)
        if connection is None or model.key is None:
            continue
        if not connection.root.contains(Folder(connection.bucket, model.key)):
            yield (
                f"{path}.configuration.key: found {model.key!r}, which is not below the folder of connection"
                f" {connection.name!r}; expected the whole key, beginning with '{connection.root.prefix}'"
            )


def _tables_that_cannot_be(parsed: Parsed) -> Iterator[str]:
    """A table's name that the source's layout never gives would choose nothing, and nobody would be told."""
    connections = by_name(parsed.connections.values())
    for path, sync in parsed.bulk_syncs.items():
        connection = connections.get(sync.source_connection)
        if connection is None:
            continue
        for index, selection in enumerate(sync.schemas or ()):
            if expected := _no_table(selection.id, connection.layout):
                yield (
                    f"{path}.schemas[{index}].id: found {selection.id!r}, which is no table of connection"
                    f" {sync.source_connection!r}; expected {expected}"
                )


def _tables_without_files(parsed: Parsed) -> Iterator[str]:
    """Only where a table has several outputs does its schema outlive a file."""
    connections = by_name(parsed.connections.values())
    for path, sync in parsed.bulk_syncs.items():
        connection = connections.get(sync.source_connection)
        if connection is None or sync.schema_evolution is SchemaEvolution.EVOLVE:
            continue
        prefix = f"{path}.schema_evolution: found {str(sync.schema_evolution)!r}, but "
        if sync.mode is BulkMode.SNAPSHOT:
            yield f"{prefix}a table is its newest file (mode: snapshot), and has its fields and types alone"
        elif isinstance(connection.layout, MultiTable):
            yield (
                f"{prefix}every object of connection {sync.source_connection!r} is a table of its own, and has its"
                " fields and types alone; tables of several files need is_single_table"
            )


def _options_that_cannot_be(parsed: Parsed) -> Iterator[str]:
    """A table's options are checked together with those of its connection, which it has where it gives none."""
    connections = by_name(parsed.connections.values())
    for path, sync in parsed.bulk_syncs.items():
        connection = connections.get(sync.source_connection)
        for index, selection in enumerate(sync.schemas or ()):
            yield from _table_options(f"{path}.schemas[{index}]", selection, connection)
            yield from _sheets_of_one_table(f"{path}.schemas[{index}]", selection, connection)
    for path, model in parsed.models.items():
        yield from _table_options(f"{path}.configuration", model.configuration, connections.get(model.connection))
        yield from _sheets_of_a_model(f"{path}.configuration", model.configuration, connections.get(model.connection))


def _sheets_of_one_table(path: str, selection: SchemaSelection, connection: Connection | None) -> Iterator[str]:
    """A schema of the one table of many files cannot be several tables."""
    if connection is None or isinstance(connection.layout, MultiTable):
        return
    if selection.options.get("excel_sheet") == ALL_SHEETS:
        yield f"{path}.excel_sheet: {SHEETS_OF_MANY_TABLES} (with what connection {connection.name!r} says)"


def _sheets_of_a_model(path: str, model: ModelConfiguration, connection: Connection | None) -> Iterator[str]:
    """A model is one table: neither it nor, for its workbooks, its connection may ask for one of each sheet."""
    expected = "all makes a table of each sheet, and a model is one table; name the sheet, or its number"
    sheet = model.options.get("excel_sheet")
    if sheet == ALL_SHEETS:
        yield f"{path}.excel_sheet: {expected}"
    if connection is None or sheet is not None or not _reads_workbooks(model):
        return
    if connection.configuration.options.get("excel_sheet") == ALL_SHEETS:
        yield f"{path}.excel_sheet: not given, and connection {connection.name!r} says all: {expected}"


def _reads_workbooks(model: ModelConfiguration) -> bool:
    if model.file_format is not None:
        return model.file_format is FileFormat.EXCEL
    recognised = recognise(model.key or "")
    return recognised is not None and recognised.format is FileFormat.EXCEL


def _table_options(path: str, table: OptionFields, connection: Connection | None) -> Iterator[str]:
    own_options = table.options
    if connection is None or not own_options:
        return
    together = {**connection.configuration.options, **own_options}
    wrong = [*check_dialect(together), *check_records(together)]
    if not isinstance(table, ModelConfiguration):
        wrong += check_formats(own_options, formats_of(connection.layout))
    for field, text in wrong:
        # The fault is the table's, whichever of two equal characters it gave: a connection has been checked alone.
        yield f"{path}.{field}: {text} (with what connection {connection.name!r} says)"


def _no_table(name: str, layout: Layout) -> str | None:
    """What would be a table's name, where ``name`` cannot be one."""
    match layout:
        case SingleTable(name=only):
            return None if name == only else f"{only!r}, its only table (single_table_name)"
        case DirectorySnapshot():
            return "a directory's name, or its path joined by '_'" if "/" in name else None
        case MultiTable():
            recognised = recognise(name)
            if recognised is not None:
                return f"a path below the folder without its extension: {recognised.stem.strip('/')!r}"
            return f"a path below the folder: {name.strip('/')!r}" if name != name.strip("/") else None
        case _:
            assert_never(layout)


def _catalogs_that_cannot_be(parsed: Parsed) -> Iterator[str]:
    """A catalogue's table is a folder that holds its files and no other table's."""
    connections = by_name(parsed.connections.values())
    for path, sync in parsed.bulk_syncs.items():
        source = connections.get(sync.source_connection)
        is_catalogued = sync.glue is not None or sync.iceberg is not None
        if not is_catalogued or source is None:
            continue
        if isinstance(source.layout, MultiTable):
            field = "catalog" if sync.iceberg is None else "format"
            yield (
                f"{path}.destination_configuration.{field}: query engines read folders, and each object of connection"
                f" {source.name!r} is a table of its own, in a folder with others; set is_single_table there, or"
                " is_directory_snapshot, too"
            )
        yield from _tables_in_each_other(path, sync)
    yield from _catalogued_snapshots(parsed)
    yield from _icebergs_of_other_modes(parsed)
    yield from _tables_of_two_syncs(parsed)
    yield from _icebergs_without_names(parsed)


def _catalogued_snapshots(parsed: Parsed) -> Iterator[str]:
    """Models of which each run adds a file with all rows: a table of that folder would have each row once a run."""
    for path, sync in parsed.model_syncs.items():
        if sync.glue is not None and sync.mode is ModelSyncMode.SNAPSHOT:
            yield (
                f"{path}.mode: found snapshot, and each run's file has all rows of the model, and columns of its own: a"
                " table of them in the catalog would have each row once a run; use replace, or format: iceberg, whose"
                " snapshots show what the table was"
            )


def _icebergs_of_other_modes(parsed: Parsed) -> Iterator[str]:
    for path, bulk_sync in parsed.bulk_syncs.items():
        if bulk_sync.iceberg is not None and bulk_sync.mode is not BulkMode.REPLICATE:
            yield (
                f"{path}.mode: found {bulk_sync.mode}, and a table of Iceberg is kept as replicate has it, each file of"
                " it in step with a source object; use replicate, or format: parquet"
            )
    for path, model_sync in parsed.model_syncs.items():
        if model_sync.iceberg is not None and model_sync.mode is not ModelSyncMode.REPLACE:
            yield (
                f"{path}.mode: found {model_sync.mode}, and a table of Iceberg holds what a model has now; use replace:"
                " what it was before each run, the table's own snapshots show. Or use format: parquet"
            )


def _tables_of_two_syncs(parsed: Parsed) -> Iterator[str]:
    """A table that two syncs would fill; of tables that no configuration names, the second is refused at work."""
    first: dict[tuple[IcebergTables, str], tuple[str, str]] = {}
    for path, sync_name, kept, table in (*_list_icebergs(parsed), *_list_catalogued_models(parsed)):
        earlier = first.setdefault((kept, to_table_name(table)), (path, sync_name))
        if earlier[0] != path:
            yield (
                f"{path}: its table {table!r} would be {to_table_name(table)!r}, as one of {earlier[1]!r}"
                f" ({earlier[0]}) is in the same database; name another database, or another table"
            )


def _icebergs_without_names(parsed: Parsed) -> Iterator[str]:
    """Tables of table buckets of whose names no letter is left; of others the committer refuses them."""
    for path, _sync, kept, table in _list_icebergs(parsed):
        name = to_table_name(table)
        if kept.table_bucket is not None and not is_table_bucket_name(name):
            yield (
                f"{path}: its table {table!r} would be {name!r}, and a table bucket takes names of a-z, 0-9 and _ that"
                " begin and end with a letter or a digit; give it another user_output_name, or object"
            )


def _list_icebergs(parsed: Parsed) -> Iterator[tuple[str, str, IcebergTables, str]]:
    """Path and name of each sync with tables of Iceberg, where they are kept, and those that it names."""
    for path, sync in parsed.bulk_syncs.items():
        if sync.iceberg is not None:
            for schema in sync.schemas or ():
                yield path, sync.name, sync.iceberg, schema.user_output_name or schema.id
    for path, model_sync in parsed.model_syncs.items():
        if model_sync.iceberg is not None:
            yield path, model_sync.name, model_sync.iceberg, model_sync.object


def _list_catalogued_models(parsed: Parsed) -> Iterator[tuple[str, str, IcebergTables, str]]:
    """The same of models whose files are catalogued: their tables are in databases of Glue, as some of Iceberg are."""
    for path, sync in parsed.model_syncs.items():
        if sync.glue is not None:
            yield path, sync.name, IcebergTables(sync.glue.database), sync.object


def _tables_in_each_other(path: str, sync: BulkSync) -> Iterator[str]:
    """Tables that would share a name in the catalog, or of which one lies in the folder of another."""
    remedy = "give one of them another user_output_name"
    tables: dict[str, str] = {}
    for schema in sync.schemas or ():
        table = schema.user_output_name or schema.id
        name = to_table_name(table)
        earlier = tables.setdefault(name, table)
        if earlier != table:
            yield f"{path}.schemas: tables {earlier!r} and {table!r} would both be {name!r} in the catalog; {remedy}"
    for outer, inner in permutations(tables.values(), 2):
        if inner.startswith(f"{outer}/"):
            yield (
                f"{path}.schemas: table {inner!r} lies in the folder of table {outer!r}, whose rows it would be, too;"
                f" {remedy}"
            )


def _fields_outside_the_model(parsed: Parsed) -> Iterator[str]:
    models = by_name(parsed.models.values())
    for path, sync in parsed.model_syncs.items():
        model = models.get(sync.model)
        if model is None or model.fields is None:
            continue
        for field_path, name in _fields_named(sync):
            if name not in model.fields:
                yield (
                    f"{path}.{field_path}: found {name!r}, which is not among the fields of model {model.name!r}"
                    f" ({', '.join(model.fields)}){suggestion(name, set(model.fields))}"
                )


def _fields_named(sync: ModelSync) -> Iterator[tuple[str, str]]:
    for index, mapping in enumerate(sync.fields or ()):
        if mapping.source is not None:
            yield f"fields[{index}].source", mapping.source
    for index, override in enumerate(sync.overrides):
        yield f"overrides[{index}].field", override.field
    for index, condition in enumerate(sync.filters):
        yield f"filters[{index}].field", condition.field


@dataclass(frozen=True, slots=True)
class _Flow:
    path: str
    field: str
    sync: Sync
    source: Reach
    output: Reach


def _overlaps(parsed: Parsed) -> Iterator[str]:
    flows = list(_flows(parsed))
    sound = []
    for flow in flows:
        if flow.source.meets(flow.output):
            yield (
                f"{flow.path}.{flow.field}: writes to {flow.output}, which overlaps what it reads, {flow.source}; its"
                " own output would be its input: write to another bucket, or to a folder that is not inside the other"
            )
        else:
            sound.append(flow)
    yield from _same_output(flows)
    yield from _circles(sound)
    yield from _files_of_tables(sound)
    yield from _files_in_catalogued_models(flows)


def _files_in_catalogued_models(flows: Sequence[_Flow]) -> Iterator[str]:
    """Syncs that write into the folder of a catalogued model; ``crm/eu.csv`` in that of ``crm`` would be its rows."""
    for table in flows:
        if not isinstance(table.sync, ModelSync) or table.sync.glue is None:
            continue
        for other in flows:
            is_within = other.output != table.output and table.output.folder.contains(other.output.folder)
            if other is not table and is_within:
                yield (
                    f"{other.path}.{other.field}: writes to {other.output}, in the folder of the table of"
                    f" {table.sync.name!r} ({table.path}), and query engines would read it as rows of that table; write"
                    " to another folder"
                )


def _files_of_tables(flows: Sequence[_Flow]) -> Iterator[str]:
    """Syncs that read the files of a table of Iceberg, of which the newest are beside those of earlier snapshots."""
    for table in flows:
        if table.sync.iceberg is None:
            continue
        for reader in _list_fed(table, flows):
            yield (
                f"{reader.path}: reads {reader.source}, where {table.sync.name!r} ({table.path}) keeps the files of its"
                " tables of Iceberg: rows that were replaced would be read, too; read what that sync reads, or give it"
                " format: parquet"
            )


def _flows(parsed: Parsed) -> Iterator[_Flow]:
    connections, models = by_name(parsed.connections.values()), by_name(parsed.models.values())
    both: dict[str, Sync] = {**parsed.model_syncs, **parsed.bulk_syncs}
    for path, sync in both.items():
        source, output = source_of(sync, connections, models), output_of(sync, connections)
        if source is not None and output is not None:
            field = "destination_configuration.subfolder" if isinstance(sync, BulkSync) else "target"
            yield _Flow(path, field, sync, source, output)


def _same_output(flows: Sequence[_Flow]) -> Iterator[str]:
    first: dict[Reach, _Flow] = {}
    for flow in flows:
        earlier = first.setdefault(flow.output, flow)
        if earlier is not flow:
            yield (
                f"{flow.path}.{flow.field}: writes to {flow.output}, as {earlier.sync.name!r} ({earlier.path}) does;"
                " give each sync an output of its own"
            )


def _circles(flows: Sequence[_Flow]) -> Iterator[str]:
    feeds = {flow.path: _list_fed(flow, flows) for flow in flows}
    reported: set[frozenset[str]] = set()
    for flow in flows:
        # A circle of three flows is found from each of them, and reported once.
        circle = _way_back(flow, feeds)
        members = frozenset(member.path for member in circle)
        if circle and members not in reported:
            reported.add(members)
            names = " -> ".join(repr(member.sync.name) for member in [*circle, flow])
            yield f"{flow.path}: feeds itself through another sync, {names}: each reads what the one before it writes"


def _list_fed(flow: _Flow, flows: Sequence[_Flow]) -> list[_Flow]:
    """The other flows that read what ``flow`` writes."""
    return [reader for reader in flows if reader is not flow and flow.output.meets(reader.source)]


def _way_back(start: _Flow, feeds: Mapping[str, Sequence[_Flow]]) -> list[_Flow]:
    """Find the shortest circle through ``start``, breadth first; empty where there is none."""
    ways = [[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        for following in feeds[way[-1].path]:
            if following is start:
                return way
            if following.path not in seen:
                seen.add(following.path)
                ways.append([*way, following])
    return []


def _overlapping_notifications(parsed: Parsed) -> Iterator[str]:
    """S3 refuses two notifications of one bucket whose prefixes overlap (User Guide, "Configuring notifications")."""
    read = set()
    for sync in parsed.bulk_syncs.values():
        read.add(sync.source_connection)
    for model in parsed.models.values():
        read.add(model.connection)
    managed: list[Connection] = []
    for path, connection in parsed.connections.items():
        is_managed = isinstance(connection.notifications, ManagedQueue)
        if connection.name not in read or not is_managed:
            continue
        for earlier in managed:
            if connection.root.overlaps(earlier.root):
                yield (
                    f"{path}.configuration.event_queue_arn: {connection.root} overlaps {earlier.root} of connection"
                    f" {earlier.name!r}, and S3 allows one managed notification a folder; let the syncs share one"
                    " connection"
                )
        managed.append(connection)
