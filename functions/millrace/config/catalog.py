"""Where a destination's tables are catalogued for query engines, and what a table's name is there.

Iceberg is a way to keep tables, and no format of files: the files of its tables are Parquet.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema

from millrace.config.base import Contradiction, unexpected
from millrace.engine.options import TARGET_FORMATS, FileFormat

LONGEST_NAME = 255
"""Characters of a name in Glue (AWS Glue API Reference, "TableInput")."""
_DATABASE = r"^[a-z0-9_]{1,255}$"
_TABLE_BUCKET_NAME = r"[a-z0-9]([a-z0-9_]*[a-z0-9])?"
"""What tables of a table bucket may be called, and namespaces that do not begin with aws (Amazon S3 User Guide, "Amazon
S3 table bucket, table, and namespace naming rules")."""


def _check_database(name: str) -> str:
    if not re.fullmatch(_DATABASE, name):
        raise unexpected(
            f"small letters, digits and underscores, at most {LONGEST_NAME}: Athena takes no other names without quotes"
        )
    return name


# arn:aws:s3tables:eu-central-1:123456789012:bucket/acme-tables; the bucket's name has 3 to 63 characters.
_TABLE_BUCKET = r"^arn:aws[a-z-]*:s3tables:[a-z0-9-]+:\d{12}:bucket/[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$"


def _check_table_bucket(arn: str) -> str:
    if not re.fullmatch(_TABLE_BUCKET, arn):
        raise unexpected("the ARN of an S3 table bucket: arn:aws:s3tables:us-east-1:123456789012:bucket/acme-tables")
    return arn


TableBucketArn = Annotated[
    str, AfterValidator(_check_table_bucket), WithJsonSchema({"type": "string", "pattern": _TABLE_BUCKET})
]
DatabaseName = Annotated[str, AfterValidator(_check_database), WithJsonSchema({"type": "string", "pattern": _DATABASE})]


class TableFormat(enum.StrEnum):
    """How a table is kept that is more than its files."""

    ICEBERG = "iceberg"


OUTPUT_FORMATS: tuple[FileFormat | TableFormat, ...] = (*TARGET_FORMATS, TableFormat.ICEBERG)
"""What ``format`` of a destination may be."""


def to_file_format(output_format: FileFormat | TableFormat) -> FileFormat:
    """The format of the files: that of a table's is Parquet."""
    return output_format if isinstance(output_format, FileFormat) else FileFormat.PARQUET


@dataclass(frozen=True, slots=True)
class IcebergTables:
    """Where the Iceberg tables of a sync are kept: in a database of Glue; None: in the stack's own.

    With a ``table_bucket``, the ARN of an S3 table bucket, they are in its namespace of the name ``database``.
    """

    database: str | None = None
    table_bucket: str | None = None


def find_iceberg(
    output_format: FileFormat | TableFormat, database: str | None, table_bucket: str | None
) -> IcebergTables | None:
    """Where a destination's outputs are tables of Iceberg; None: they are files."""
    return IcebergTables(database, table_bucket) if output_format is TableFormat.ICEBERG else None


def check_table_bucket(given: Mapping[str, Any]) -> Iterator[Contradiction]:
    """Yield what is wrong with a destination's table bucket; the fields are still as they were given."""
    if not given.get("table_bucket"):
        return
    namespace = given.get("database")
    if given.get("format", FileFormat.CSV) != TableFormat.ICEBERG:
        yield Contradiction("table_bucket", "keeps tables of Iceberg alone; write format: iceberg, or remove it")
    elif not namespace:
        yield Contradiction("table_bucket", "needs database, the namespace of the tables in it; add database: sales")
    # What is no database at all was said by the field itself.
    elif re.fullmatch(_DATABASE, str(namespace)) and not _is_namespace(str(namespace)):
        yield Contradiction(
            "database",
            "is the namespace in the table bucket, and those begin and end with a letter or a digit, and do not begin"
            f" with aws; found {namespace!r}",
        )


def is_table_bucket_name(name: str) -> bool:
    """Whether a table of a table bucket may have a name; it is as ``to_table_name`` made it."""
    return re.fullmatch(_TABLE_BUCKET_NAME, name) is not None


def _is_namespace(name: str) -> bool:
    return is_table_bucket_name(name) and not name.startswith("aws")


class CatalogKind(enum.StrEnum):
    """Which catalogue."""

    GLUE = "glue"


@dataclass(frozen=True, slots=True)
class GlueTables:
    """Where the tables over a sync's files are: in a database of Glue; None: in the stack's own."""

    database: str | None = None


def find_glue(catalog: CatalogKind | None, database: str | None) -> GlueTables | None:
    """Where a destination's outputs are catalogued; None: they are files, or a table format keeps them."""
    return GlueTables(database) if catalog is CatalogKind.GLUE else None


# Amazon Athena User Guide, "Open CSV SerDe for processing CSV" and "OpenX JSON SerDe", considerations and limitations.
_LOST = {
    FileFormat.CSV: "Athena's reader of CSV does not tell an empty text from a missing one, and knows no line break "
    "within quotes",
    FileFormat.JSON: "AWS says of Athena's reader of JSON (OpenX) that it may give more rows, fewer rows or other "
    "values than the files have",
    FileFormat.JSON_DOC: "Athena's readers of JSON want one record a line, and this is one array",
    FileFormat.AVRO: "the reader's schema would have to be kept beside the table",
    FileFormat.ORC: "Athena finds ORC's columns by their place, and columns of a table move",
}


def check_catalog(given: Mapping[str, Any]) -> Iterator[Contradiction]:
    """Yield what is wrong with a destination's catalogue; the fields are still as they were given."""
    yield from check_table_bucket(given)
    output_format = given.get("format", FileFormat.CSV)
    if output_format == TableFormat.ICEBERG:
        if given.get("catalog"):
            yield Contradiction(
                "catalog",
                "format iceberg keeps its tables in a catalog by itself, and a second table over the same files would"
                " show rows that were replaced; remove catalog",
            )
        return
    if given.get("database") and not given.get("catalog"):
        yield Contradiction(
            "database", "needs catalog to say where the database is; add catalog: glue, or write format: iceberg"
        )
    if given.get("catalog") and output_format in _LOST:
        lost = _LOST[FileFormat(output_format)]
        yield Contradiction("catalog", f"has tables of parquet alone, and format is {output_format}: {lost}")


def to_table_name(table: str) -> str:
    """The name of an output table in the catalogue: ``Sales/Orders 2026`` is ``sales_orders_2026``."""
    return re.sub(r"[^a-z0-9_]+", "_", table.lower())[:LONGEST_NAME].strip("_") or "_"
