"""A bulk sync: a source connection's tables, kept in step in a destination connection's folder.

What others use of a BulkSync: ``name``, ``source_connection`` and ``destination_connection`` (names), ``format``,
``subfolder``, ``mode``, ``active``, ``on_delete``, ``bad_rows``, ``schemas`` (None: all), ``schedule``.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import AwareDatetime, Field

from millrace.config.base import AT_LEAST_ONE, Contradiction, NonEmpty, Section, doc, ours, with_fields
from millrace.config.catalog import (
    CatalogKind,
    DatabaseName,
    GlueTables,
    IcebergTables,
    TableBucketArn,
    check_catalog,
    find_glue,
    find_iceberg,
    to_file_format,
)
from millrace.config.fields import Flag, Name, Path, TargetFormat, compression_of_another_format
from millrace.config.filters import Filter, labels_given_twice
from millrace.config.notices import Notify, notify_field
from millrace.config.object_filter_fields import OBJECT_FILTERS
from millrace.config.option_fields import OptionFields, table_options
from millrace.config.repeats import find_repeats
from millrace.config.schedule import ScheduleField
from millrace.engine.options import (
    RECORD_TIMESTAMP,
    RESCUED,
    BadRows,
    FileFormat,
    OutputCompression,
    SchemaEvolution,
    output_extension,
)


class BulkMode(enum.StrEnum):
    """What becomes of older objects of a table."""

    REPLICATE = "replicate"
    SNAPSHOT = "snapshot"


class OnDelete(enum.StrEnum):
    """What becomes of an output when its source is deleted."""

    KEEP = "keep"
    REMOVE = "remove"


class Discover(enum.StrEnum):
    """Whether what is new at the source joins the sync."""

    ALL = "all"
    NONE = "none"


class NormalizeNames(enum.StrEnum):
    """Whether names are brought into one form."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class DestinationConfiguration(Section):
    """Format and place of a bulk sync's outputs."""

    place: ClassVar[str] = "bulk_syncs[].destination_configuration"

    format: TargetFormat = Field(
        default=FileFormat.CSV,
        description="Format of the outputs: csv, json (newline-delimited), json-doc (one array), parquet, avro, orc, or"
        " iceberg: tables of Apache Iceberg, whose files are parquet.",
        json_schema_extra=doc(),
    )
    subfolder: Path = Field(
        default="",
        description="Subfolder of the destination's folder to write to.",
        examples=["reports"],
        json_schema_extra=doc(),
    )
    compression: OutputCompression | None = Field(
        default=None,
        description="Compression of the outputs. Of csv, json and json-doc: none (default), gz, zst or bz2, around the"
        " whole file, whose name ends in it. Inside the file, of parquet and iceberg: snappy (default), zstd or"
        " none; of orc the same or deflate; of avro: deflate (default), snappy, zstd or none.",
        examples=["gz"],
        json_schema_extra=ours(),
    )
    catalog: CatalogKind | None = Field(
        default=None,
        description="glue: each output table of Parquet has a table in the AWS Glue Data Catalog, so that Athena and"
        " others can query it. The source's connection must be a single table, or directories.",
        examples=["glue"],
        json_schema_extra=ours(when="format is parquet"),
    )
    database: DatabaseName | None = Field(
        default=None,
        description="Database of the catalog that the tables are in, which must exist;"
        " default: a database that the stack makes, named as the deployment.",
        examples=["sales"],
        json_schema_extra=ours(when="catalog is given or format is iceberg"),
    )
    table_bucket: TableBucketArn | None = Field(
        default=None,
        description="ARN of an S3 table bucket, which keeps the tables in place of the Glue Data Catalog; database is"
        " their namespace in it then, and is made if it is not there.",
        examples=["arn:aws:s3tables:us-east-1:123456789012:bucket/acme-tables"],
        json_schema_extra=ours(when="format is iceberg, with database"),
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        """Hold compression and catalog to the format."""
        yield from compression_of_another_format(given)
        yield from check_catalog(given)

    @property
    def iceberg(self) -> IcebergTables | None:
        """Where the outputs are tables of Iceberg; None: they are files."""
        return find_iceberg(self.format, self.database, self.table_bucket)

    @property
    def glue(self) -> GlueTables | None:
        """Where the outputs' tables are catalogued; None: nowhere."""
        return find_glue(self.catalog, self.database)


class FieldSelection(Section):
    """One field of a table."""

    place: ClassVar[str] = "bulk_syncs[].schemas[].fields[]"
    shorthand: ClassVar[str] = "id"

    id: str = Field(description="The field's name at the source.", examples=["email"], json_schema_extra=doc())
    enabled: Flag = Field(default=True, description="Whether the field is written.", json_schema_extra=doc())
    obfuscated: Flag = Field(
        default=False, description="Whether its values are replaced by keyed hashes.", json_schema_extra=doc()
    )
    user_output_name: str | None = Field(
        default=None, description="The field's name in the output.", examples=["mail"], json_schema_extra=doc()
    )


@with_fields(table_options(), OBJECT_FILTERS)
class SchemaSelection(OptionFields):
    """One table of the source, and how it is written."""

    place: ClassVar[str] = "bulk_syncs[].schemas[]"
    shorthand: ClassVar[str] = "id"

    id: str = Field(description="The table's name.", examples=["orders", "2026/orders"], json_schema_extra=doc())
    enabled: Flag = Field(default=True, description="Whether the table is written.", json_schema_extra=doc())
    fields: NonEmpty[FieldSelection] | None = Field(
        default=None,
        description="Fields in the order of the output: names, or objects; default: all. The others follow them,"
        " unless automatically_add_new_fields is none.",
        json_schema_extra=doc() | AT_LEAST_ONE,
    )
    filters: tuple[Filter, ...] = Field(
        default=(), description="Conditions that a row must all fulfil.", json_schema_extra=doc()
    )
    partition_key: str | None = Field(
        default=None,
        description="Field by whose values the output is divided: one file a value.",
        examples=["country"],
        json_schema_extra=doc(),
    )
    tracking_field: str | None = Field(
        default=None,
        description="Field that says when a row changed.",
        examples=["updated_at"],
        json_schema_extra=doc(),
    )
    data_cutoff_timestamp: AwareDatetime | None = Field(
        default=None,
        description="Rows whose tracking_field is older are left out; ISO 8601 with its offset.",
        examples=["2026-01-01T00:00:00Z"],
        json_schema_extra=doc(when="tracking_field is given"),
    )
    disable_data_cutoff: Flag = Field(
        default=False, description="Whether data_cutoff_timestamp is set aside.", json_schema_extra=doc()
    )
    user_output_name: Path | None = Field(
        default=None, description="The table's name in the output.", examples=["sales/orders"], json_schema_extra=doc()
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        """Hold the cut-off to a tracking field, and every name to the chosen fields."""
        if "data_cutoff_timestamp" in given and "tracking_field" not in given:
            yield Contradiction("data_cutoff_timestamp", "needs tracking_field to say which field it is compared with")
        fields = _items(given, "fields")
        yield from _check_field_names(fields)
        disabled = {_id(field) for field in fields if not _is_enabled(field)}
        for name, consequence in _NEEDS_ENABLED.items():
            if _text(given, name) in disabled:
                yield Contradiction(name, f"names {given[name]!r}, which is not enabled in fields; {consequence}")
        if twice := labels_given_twice(_items(given, "filters")):
            yield Contradiction("filters", f"two filters have the label {', '.join(twice)}")


class BulkSync(Section):
    """A source's tables, kept in step in a destination's folder."""

    place: ClassVar[str] = "bulk_syncs[]"

    name: Name = Field(description="Unique name.", examples=["orders to parquet"], json_schema_extra=doc())
    source_connection: Name = Field(
        description="Name of the connection to read from.", examples=["landing"], json_schema_extra=doc()
    )
    destination_connection: Name = Field(
        description="Name of the connection to write to.", examples=["lake"], json_schema_extra=doc()
    )
    destination_configuration: DestinationConfiguration = Field(
        default_factory=DestinationConfiguration,
        description="What is written, and where below the destination's folder.",
        json_schema_extra=doc(),
    )
    mode: BulkMode = Field(
        default=BulkMode.REPLICATE,
        description="replicate: each source object has one output object. snapshot: a table is its newest file.",
        json_schema_extra=doc(),
    )
    active: Flag = Field(default=True, description="Whether the sync runs.", json_schema_extra=doc())
    on_delete: OnDelete = Field(
        default=OnDelete.KEEP,
        description="Whether an output is kept or removed when its source object is deleted.",
        json_schema_extra=ours(),
    )
    bad_rows: BadRows = Field(
        default=BadRows.FAIL,
        description="fail: a file with an unreadable row yields no output. quarantine: good rows are written, bad ones"
        " go to a side object.",
        json_schema_extra=ours(),
    )
    schemas: NonEmpty[SchemaSelection] | None = Field(
        default=None,
        description="Tables to write: names, or objects with options; default: all.",
        json_schema_extra=doc() | AT_LEAST_ONE,
    )
    automatically_add_new_fields: Discover = Field(
        default=Discover.ALL,
        description="Whether fields that fields does not list, and so those that appear later, are written.",
        json_schema_extra=doc(),
    )
    automatically_add_new_objects: Discover | None = Field(
        default=None,
        description="Whether tables that appear at the source later are written; default: none where schemas is given,"
        " else all.",
        json_schema_extra=doc(),
    )
    schema_evolution: SchemaEvolution = Field(
        default=SchemaEvolution.EVOLVE,
        description="What becomes of a file with more fields or wider types than its table of several files has."
        " evolve: the table gets them. rescue: the table stays, what does not fit goes as JSON into the field _rescued."
        " freeze: the file fails.",
        json_schema_extra=ours(),
    )
    normalize_names: NormalizeNames = Field(
        default=NormalizeNames.ENABLED,
        description="Whether column names are brought into one form.",
        json_schema_extra=doc(),
    )
    disable_record_timestamps: Flag = Field(
        default=True,
        description="true (Millrace's default): outputs are reproducible to the byte. false: rows get"
        " _millrace_synced_at.",
        json_schema_extra=doc(),
    )
    schedule: ScheduleField | None = Field(
        default=None,
        description="When the source is listed and compared with the ledger: rate(...), cron(...), hourly, daily,"
        " weekly or manual; times are UTC. Default: rate(15 minutes), and rate(1 day) where S3 notifies of changes.",
        examples=["rate(15 minutes)"],
        json_schema_extra=doc(),
    )
    notify: Notify = notify_field()

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        """Refuse a table named or written twice, and new things left out if nothing says what is old."""
        schemas = _items(given, "schemas")
        yield from _doubled_tables(schemas)
        if not schemas and given.get("automatically_add_new_objects") == Discover.NONE:
            yield Contradiction(
                "automatically_add_new_objects", "none needs schemas to say which tables are written; give schemas"
            )
        if given.get("automatically_add_new_fields") == Discover.NONE:
            yield from _only_given_fields(schemas)
        if given.get("disable_record_timestamps") is False:
            yield from _not_the_name(schemas, RECORD_TIMESTAMP, "disable_record_timestamps: false")
        if given.get("schema_evolution") == SchemaEvolution.RESCUE:
            yield from _not_the_name(schemas, RESCUED, "schema_evolution: rescue")
        if given.get("bad_rows") == BadRows.QUARANTINE:
            yield from _not_in_the_clear(schemas)

    @property
    def format(self) -> FileFormat:
        """Format of the outputs."""
        return to_file_format(self.destination_configuration.format)

    @property
    def compression(self) -> OutputCompression | None:
        """Compression of the outputs; None: the format's default."""
        return self.destination_configuration.compression

    @property
    def extension(self) -> str:
        """What the outputs' keys end in."""
        return output_extension(self.format, self.compression)

    @property
    def iceberg(self) -> IcebergTables | None:
        """Where the outputs are tables of Iceberg; None: they are files."""
        return self.destination_configuration.iceberg

    @property
    def glue(self) -> GlueTables | None:
        """Where the outputs' tables are catalogued; None: nowhere."""
        return self.destination_configuration.glue

    @property
    def subfolder(self) -> str:
        """Path below the destination's folder, without outer slashes."""
        return self.destination_configuration.subfolder


_NEEDS_ENABLED = {
    "partition_key": "an output cannot be divided by what is not written in it: enable it, or divide by another field",
    "tracking_field": "enable it, or track another field",
}


def _check_field_names(fields: Sequence[object]) -> Iterator[Contradiction]:
    if twice := sorted(find_repeats(map(_id, fields))):
        yield Contradiction("fields", f"named twice: {', '.join(twice)}")
    if twice := sorted(find_repeats(filter(None, map(_own_output_name, fields)))):
        yield Contradiction("fields", f"two fields have the user_output_name {', '.join(map(repr, twice))}")


def _only_given_fields(schemas: Sequence[object]) -> Iterator[Contradiction]:
    """Where only the fields that are given are written, some must be, and the one that outputs are divided by."""
    if not any(_items(schema, "fields") for schema in schemas):
        yield Contradiction(
            "automatically_add_new_fields", "none needs fields in schemas to say which fields are written; give fields"
        )
    for schema in schemas:
        fields, key = _items(schema, "fields"), _text(schema, "partition_key")
        if not fields:
            continue
        if not any(map(_is_enabled, fields)):
            yield Contradiction("schemas", f"table {_id(schema)!r} has no field to write; enable at least one")
        elif key and key not in map(_id, fields):
            yield Contradiction(
                "schemas",
                f"table {_id(schema)!r} is divided by {key!r}, which is not among its fields; add it there, since"
                " automatically_add_new_fields is none",
            )


def _not_in_the_clear(schemas: Sequence[object]) -> Iterator[Contradiction]:
    """A row that cannot be read cannot be obfuscated, and is put aside as it was."""
    for schema in schemas:
        hidden = list(map(_id, filter(_is_obfuscated, _items(schema, "fields"))))
        if hidden and _is_enabled(schema):
            yield Contradiction(
                "bad_rows",
                f"quarantine writes unreadable rows as they are, and with them {', '.join(hidden)} of table"
                f" {_id(schema)!r}, which is obfuscated; use fail",
            )


def _not_the_name(schemas: Sequence[object], name: str, cause: str) -> Iterator[Contradiction]:
    for schema in schemas:
        if name in map(_own_output_name, _items(schema, "fields")):
            yield Contradiction("schemas", f"table {_id(schema)!r} names a field {name!r}, which {cause} adds")


def _doubled_tables(schemas: Sequence[object]) -> Iterator[Contradiction]:
    if twice := sorted(find_repeats(map(_id, schemas))):
        yield Contradiction("schemas", f"named twice: {', '.join(twice)}")
    elif twice := sorted(find_repeats(map(_output_name, filter(_is_enabled, schemas)))):
        yield Contradiction("schemas", f"two tables are written under the name {', '.join(map(repr, twice))}")


def _own_output_name(field: object) -> str | None:
    """The name that a field has in the output, if it is another one than in the source."""
    return _text(field, "user_output_name")


def _is_obfuscated(field: object) -> bool:
    return _at(field, "obfuscated") is True


def _items(raw: object, field: str) -> Sequence[object]:
    items = _at(raw, field)
    return items if isinstance(items, list | tuple) else ()


def _at(raw: object, field: str) -> object:
    return raw.get(field) if isinstance(raw, Mapping) else getattr(raw, field, None)


def _text(raw: object, field: str) -> str | None:
    text = _at(raw, field)
    return text if isinstance(text, str) and text else None


def _is_enabled(raw: object) -> bool:
    return _at(raw, "enabled") is not False


def _output_name(schema: object) -> str:
    return (_text(schema, "user_output_name") or _id(schema)).strip("/")


def _id(raw: object) -> str:
    return raw if isinstance(raw, str) else str(_at(raw, "id"))
