"""A model sync: a model's rows, chosen and mapped, written as one object of a destination.

What others use of a ModelSync: ``name``, ``model`` (its name), ``target_connection`` (its name), ``object`` (path below
the destination's folder, without extension), ``format``, ``mode``, ``active``, ``fields``, ``override_fields``,
``overrides``, ``filters``, ``logic``, ``bad_rows``.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from millrace.config.base import AT_LEAST_ONE, Contradiction, NonEmpty, Section, doc, ours, unexpected
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
from millrace.config.filters import (
    Filter,
    OperandField,
    ScalarField,
    checked_logic,
    filter_contradictions,
    labels_of,
    operand_problem,
)
from millrace.config.notices import Notify, notify_field
from millrace.config.repeats import find_repeats
from millrace.config.schedule import ScheduleField
from millrace.engine.conditions import And, FilterFunction, Logic, Term, parse_logic
from millrace.engine.options import BadRows, FileFormat, OutputCompression, output_extension


class ModelSyncMode(enum.StrEnum):
    """What becomes of what was written before."""

    REPLACE = "replace"
    APPEND = "append"
    SNAPSHOT = "snapshot"


_IN_PLACE = frozenset({"create", "update", "updateOrCreate", "remove"})


def _supported_mode(value: object) -> object:
    if isinstance(value, str) and value in _IN_PLACE:
        raise unexpected(
            "replace (default), append or snapshot; modes that change single records in place are for databases and"
            " applications, not for files"
        )
    return value


def _bare_field(value: object) -> object:
    """Read Polytomic's ``{"field": name}`` as the name; a sync here has one model, so its id is not needed."""
    if isinstance(value, Mapping) and value.keys() == {"field"}:
        return value["field"]
    if isinstance(value, Mapping):
        raise unexpected("a field's name, or an object with field alone: the model is the sync's own")
    return value


SourceName = Annotated[
    str,
    BeforeValidator(_bare_field),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {"field": {"type": "string"}},
                    "required": ["field"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]


class TargetConfiguration(Section):
    """Format of a model sync's output."""

    place: ClassVar[str] = "model_syncs[].target.configuration"

    format: TargetFormat = Field(
        default=FileFormat.CSV,
        description="Output file encoding: csv, json-doc (one array), json (newline-delimited), parquet, avro, orc, or"
        " iceberg: a table of Apache Iceberg, whose files are parquet.",
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
        description="glue: the output has a table in the AWS Glue Data Catalog, so that Athena and others can query it."
        " In mode replace the output is in a folder of its own then: crm/customers/customers.parquet.",
        examples=["glue"],
        json_schema_extra=ours(when="format is parquet and mode is not snapshot"),
    )
    database: DatabaseName | None = Field(
        default=None,
        description="Database of the AWS Glue Data Catalog that the table is in, which must"
        " exist; default: a database that the stack makes, named as the deployment.",
        examples=["sales"],
        json_schema_extra=ours(when="catalog is given or format is iceberg"),
    )
    table_bucket: TableBucketArn | None = Field(
        default=None,
        description="ARN of an S3 table bucket, which keeps the table in place of the Glue Data Catalog; database is"
        " its namespace in it then, and is made if it is not there.",
        examples=["arn:aws:s3tables:us-east-1:123456789012:bucket/acme-tables"],
        json_schema_extra=ours(when="format is iceberg, with database"),
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        """Hold compression and table to the format."""
        yield from compression_of_another_format(given)
        yield from check_catalog(given)

    @property
    def iceberg(self) -> IcebergTables | None:
        """Where the output is a table of Iceberg; None: it is a file."""
        return find_iceberg(self.format, self.database, self.table_bucket)

    @property
    def glue(self) -> GlueTables | None:
        """Where the output's table is catalogued; None: nowhere."""
        return find_glue(self.catalog, self.database)


class Target(Section):
    """Place of a model sync's output."""

    place: ClassVar[str] = "model_syncs[].target"

    connection: Name = Field(
        description="Name of the connection to write to.", examples=["lake"], json_schema_extra=doc()
    )
    object: Path | None = Field(
        default=None,
        description="Path of the output below the connection's folder, without extension; default: the model's name.",
        examples=["crm/customers"],
        json_schema_extra=doc(),
    )
    configuration: TargetConfiguration = Field(
        default_factory=TargetConfiguration, description="How the output is written.", json_schema_extra=doc()
    )


class FieldMapping(Section):
    """One field of the output."""

    place: ClassVar[str] = "model_syncs[].fields[]"

    source: SourceName | None = Field(
        default=None, description="Field of the model.", examples=["email"], json_schema_extra=doc()
    )
    target: str | None = Field(
        default=None,
        description="Field of the output; default: the source's name.",
        examples=["mail"],
        json_schema_extra=doc(),
    )
    override_value: ScalarField | None = Field(
        default=None,
        description="Constant to write instead of the source's value.",
        examples=["shop"],
        json_schema_extra=doc(),
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        """Demand a value and a name."""
        if "source" not in given and "override_value" not in given:
            yield Contradiction("source", "required, but not given; a constant needs override_value instead")
        if "source" not in given and "target" not in given:
            yield Contradiction("target", "required where no source names it, but not given")

    @property
    def output_name(self) -> str:
        """The field's name in the output."""
        return str(self.target or self.source)


class OverrideField(Section):
    """A constant field of the output."""

    place: ClassVar[str] = "model_syncs[].override_fields[]"

    target: str = Field(description="Field of the output.", examples=["system"], json_schema_extra=doc())
    override_value: ScalarField = Field(description="The constant.", examples=["shop"], json_schema_extra=doc())


class Override(Section):
    """Another value for a field, where a condition holds."""

    place: ClassVar[str] = "model_syncs[].overrides[]"
    synonyms: ClassVar[Mapping[str, str]] = {"field_id": "field"}

    field: SourceName = Field(
        description="Field of the model; also written field_id.", examples=["country"], json_schema_extra=doc()
    )
    function: FilterFunction = Field(
        description="What is asked of the field.", examples=["Equality", "IsNull"], json_schema_extra=doc()
    )
    value: OperandField | None = Field(
        default=None, description="What it is compared with, as in a filter.", examples=["UK"], json_schema_extra=doc()
    )
    override: ScalarField | None = Field(
        default=None,
        description="What is written where the condition holds; not given: the value becomes missing.",
        examples=["GB"],
        json_schema_extra=doc(),
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        """Hold the value to the function."""
        yield from operand_problem(given)


class ModelSync(Section):
    """A model's rows, chosen and mapped, written as one object."""

    place: ClassVar[str] = "model_syncs[]"

    name: Name = Field(description="Unique name.", examples=["customers to crm"], json_schema_extra=doc())
    model: Name = Field(description="Name of the model to read.", examples=["customers"], json_schema_extra=doc())
    target: Target = Field(description="Where the rows go.", json_schema_extra=doc())
    mode: Annotated[ModelSyncMode, BeforeValidator(_supported_mode)] = Field(
        default=ModelSyncMode.REPLACE,
        description="replace: one output object. append: one a source file. snapshot: one a run.",
        json_schema_extra=doc(),
    )
    active: Flag = Field(default=True, description="Whether the sync runs.", json_schema_extra=doc())
    fields: NonEmpty[FieldMapping] | None = Field(
        default=None,
        description="Fields of the output, in this order; default: the model's fields under their names.",
        json_schema_extra=doc() | AT_LEAST_ONE,
    )
    override_fields: tuple[OverrideField, ...] = Field(
        default=(), description="Constant fields of the output.", json_schema_extra=doc()
    )
    overrides: tuple[Override, ...] = Field(
        default=(), description="Values to write where a condition holds.", json_schema_extra=doc()
    )
    filters: tuple[Filter, ...] = Field(
        default=(), description="Conditions that choose the rows.", json_schema_extra=doc()
    )
    filter_logic: Annotated[str, AfterValidator(checked_logic)] | None = Field(
        default=None,
        description="How the filters join: their letters with AND, OR, NOT and parentheses; default: all must hold.",
        examples=["A AND (B OR NOT C)"],
        json_schema_extra=doc(when="filters is given"),
    )
    bad_rows: BadRows = Field(
        default=BadRows.FAIL,
        description="fail: a file with an unreadable row yields no output. quarantine: good rows are written, bad ones"
        " go to a side object.",
        json_schema_extra=ours(),
    )
    schedule: ScheduleField | None = Field(
        default=None,
        description="When the model's source is listed and compared with the ledger; times are UTC. Default: as of a"
        " bulk sync.",
        examples=["daily"],
        json_schema_extra=doc(),
    )
    notify: Notify = notify_field()

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        """Hold the logic to the filters, and every output field to one value."""
        yield from filter_contradictions(given)
        names = [*_targets(given, "fields"), *_targets(given, "override_fields")]
        if twice := sorted(find_repeats(names)):
            yield Contradiction("fields", f"two values for the output field {', '.join(map(repr, twice))}")

    @property
    def logic(self) -> Logic | None:
        """How the filters join; None without filters."""
        if not self.filters:
            return None
        if self.filter_logic:
            return parse_logic(self.filter_logic)
        terms = tuple(map(Term, labels_of(self.filters)))
        return terms[0] if len(terms) == 1 else And(terms)

    @property
    def target_connection(self) -> str:
        """Name of the connection to write to."""
        return self.target.connection

    @property
    def object(self) -> str:
        """Path of the output below the destination's folder, without extension."""
        return self.target.object or self.model

    @property
    def format(self) -> FileFormat:
        """Format of the output."""
        return to_file_format(self.target.configuration.format)

    @property
    def compression(self) -> OutputCompression | None:
        """Compression of the output; None: the format's default."""
        return self.target.configuration.compression

    @property
    def iceberg(self) -> IcebergTables | None:
        """Where the output is a table of Iceberg; None: it is a file."""
        return self.target.configuration.iceberg

    @property
    def glue(self) -> GlueTables | None:
        """Where the output's table is catalogued; None: nowhere."""
        return self.target.configuration.glue

    @property
    def has_folder(self) -> bool:
        """Whether the outputs lie in the folder ``object``, as several do, and as query engines want one."""
        return self.mode is not ModelSyncMode.REPLACE or self.glue is not None or self.iceberg is not None

    @property
    def extension(self) -> str:
        """What the output's key ends in."""
        return output_extension(self.format, self.compression)


def _targets(given: Mapping[str, Any], field: str) -> Iterator[str]:
    raw = given.get(field, ())
    for item in raw if isinstance(raw, list | tuple) else ():
        if not isinstance(item, Mapping):
            continue
        # Without a target a field keeps its name. A source is a name, or an object with the name in `field`.
        source = item.get("source")
        name = item.get("target") or (source.get("field") if isinstance(source, Mapping) else source)
        if isinstance(name, str) and name:
            yield name
