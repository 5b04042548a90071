"""A bulk sync: a source connection's tables, kept in step in a destination connection's folder.

What others use of a BulkSync: ``name``, ``source_connection`` and ``destination_connection`` (names), ``format``,
``subfolder``, ``mode``, ``active``, ``on_delete``, ``bad_rows``, ``schemas`` (None: all), ``schedule``.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic import AwareDatetime, Field

from millrace.config.base import AT_LEAST_ONE, Contradiction, NonEmpty, Section, doc, ours
from millrace.config.fields import Flag, Name, Path
from millrace.config.filters import Filter
from millrace.config.schedule import ScheduleField
from millrace.file_format import BadRows, FileFormat


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

    format: FileFormat = Field(
        default=FileFormat.CSV,
        description="Format of the outputs: csv, json (newline-delimited), json-doc (one array) or parquet.",
        json_schema_extra=doc(),
    )
    subfolder: Path = Field(
        default="",
        description="Subfolder of the destination's folder to write to.",
        examples=["reports"],
        json_schema_extra=doc(),
    )


class FieldSelection(Section):
    """One field of a table."""

    place: ClassVar[str] = "bulk_syncs[].schemas[].fields[]"
    shorthand: ClassVar[str] = "id"

    id: str = Field(description="The field's name at the source.", json_schema_extra=doc())
    enabled: Flag = Field(default=True, description="Whether the field is written.", json_schema_extra=doc())
    obfuscated: Flag = Field(
        default=False, description="Whether its values are replaced by keyed hashes.", json_schema_extra=doc()
    )
    user_output_name: str | None = Field(
        default=None, description="The field's name in the output.", json_schema_extra=doc()
    )


class SchemaSelection(Section):
    """One table of the source, and how it is written."""

    place: ClassVar[str] = "bulk_syncs[].schemas[]"
    shorthand: ClassVar[str] = "id"

    id: str = Field(description="The table's name.", json_schema_extra=doc())
    enabled: Flag = Field(default=True, description="Whether the table is written.", json_schema_extra=doc())
    fields: NonEmpty[FieldSelection] | None = Field(
        default=None,
        description="Fields to write: names, or objects; default: all.",
        json_schema_extra=doc() | AT_LEAST_ONE,
    )
    filters: tuple[Filter, ...] = Field(
        default=(), description="Conditions that a row must all fulfil.", json_schema_extra=doc()
    )
    partition_key: str | None = Field(
        default=None,
        description="Field by whose values the output is divided: one file a value.",
        json_schema_extra=doc(),
    )
    tracking_field: str | None = Field(
        default=None, description="Field that says when a row changed.", json_schema_extra=doc()
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
        default=None, description="The table's name in the output.", json_schema_extra=doc()
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        """Hold the cut-off to a tracking field, and every name to the chosen fields."""
        if "data_cutoff_timestamp" in given and "tracking_field" not in given:
            yield Contradiction("data_cutoff_timestamp", "needs tracking_field to say which field it is compared with")
        fields = given.get("fields")
        if isinstance(fields, list | tuple):
            names = [_id(one) for one in fields]
            if twice := sorted({name for name in names if names.count(name) > 1}):
                yield Contradiction("fields", f"named twice: {', '.join(twice)}")


class BulkSync(Section):
    """A source's tables, kept in step in a destination's folder."""

    place: ClassVar[str] = "bulk_syncs[]"

    name: Name = Field(description="Unique name.", json_schema_extra=doc())
    source_connection: Name = Field(description="Name of the connection to read from.", json_schema_extra=doc())
    destination_connection: Name = Field(description="Name of the connection to write to.", json_schema_extra=doc())
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
        description="Whether fields that appear at the source later are written.",
        json_schema_extra=doc(),
    )
    automatically_add_new_objects: Discover | None = Field(
        default=None,
        description="Whether tables that appear at the source later are written; default: none where schemas is given,"
        " else all.",
        json_schema_extra=doc(),
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
        description="When the source is listed and compared with the ledger: rate(...), cron(...), hourly, daily, weekly"
        " or manual; times are UTC. Default: rate(15 minutes), and rate(1 day) where S3 notifies of changes.",
        examples=["rate(15 minutes)"],
        json_schema_extra=doc(),
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        """Refuse a table named twice, and new objects left out where all are asked for."""
        schemas = given.get("schemas")
        if isinstance(schemas, list | tuple):
            names = [_id(one) for one in schemas]
            if twice := sorted({name for name in names if names.count(name) > 1}):
                yield Contradiction("schemas", f"named twice: {', '.join(twice)}")
        if schemas is None and given.get("automatically_add_new_objects") == Discover.NONE:
            yield Contradiction(
                "automatically_add_new_objects", "none needs schemas to say which tables are written; give schemas"
            )

    @property
    def format(self) -> FileFormat:
        """Format of the outputs."""
        return self.destination_configuration.format

    @property
    def subfolder(self) -> str:
        """Path below the destination's folder, without outer slashes."""
        return self.destination_configuration.subfolder


def _id(raw: object) -> str:
    if isinstance(raw, Mapping):
        raw = raw.get("id")
    return str(getattr(raw, "id", raw))
