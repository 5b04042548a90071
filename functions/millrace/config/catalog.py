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


def _check_database(name: str) -> str:
    if not re.fullmatch(_DATABASE, name):
        raise unexpected(
            f"small letters, digits and underscores, at most {LONGEST_NAME}: Athena takes no other names without quotes"
        )
    return name


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
    """Where the Iceberg tables of a sync are kept: in a database of Glue; None: in the stack's own."""

    database: str | None = None


def find_iceberg(output_format: FileFormat | TableFormat, database: str | None) -> IcebergTables | None:
    """Where a destination's outputs are tables of Iceberg; None: they are files."""
    return IcebergTables(database) if output_format is TableFormat.ICEBERG else None


class CatalogKind(enum.StrEnum):
    """Which catalogue."""

    GLUE = "glue"


_LOST = {
    FileFormat.CSV: "Athena's readers of CSV do not tell an empty text from a missing one, and end a record at a line "
    "break within quotes",
    FileFormat.JSON: "Athena's readers of JSON lose digits of long numbers, and fields whose names differ in case",
    FileFormat.JSON_DOC: "Athena's readers of JSON want one record a line, and this is one array",
    FileFormat.AVRO: "the reader's schema would have to be kept beside the table",
    FileFormat.ORC: "Athena finds ORC's columns by their place, and columns of a table move",
}


def check_catalog(given: Mapping[str, Any]) -> Iterator[Contradiction]:
    """Yield what is wrong with a destination's catalogue; the fields are still as they were given."""
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
