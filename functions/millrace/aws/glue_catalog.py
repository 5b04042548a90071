"""Tables in the AWS Glue Data Catalog, under its optimistic locking; satisfies ``catalog.tables.Catalog``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any

from botocore.exceptions import ClientError

from millrace.aws.faults import error_code, translated
from millrace.catalog.tables import CatalogColumn, CatalogName, CatalogTable, CatalogVersion, StoredTable
from millrace.errors import ConfigurationError, LostRace

_OWNER, _VERSION = "millrace.sync", "millrace.version"
_PARQUET = "org.apache.hadoop.hive.ql.io.parquet"
_RACES = frozenset({"AlreadyExistsException", "ConcurrentModificationException"})
_PROJECTION = "projection."
_TEMPLATE = "storage.location.template"


class GlueCatalog:
    """The catalogue of the account and region of a client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def find(self, name: CatalogName) -> StoredTable | None:
        """One GetTable."""
        with translated("glue:GetTable of", name):
            try:
                answer = self._client.get_table(DatabaseName=name.database, Name=name.table)
            except ClientError as error:
                # Also if there is no such database, which is for ``create`` to say.
                if error_code(error) == "EntityNotFoundException":
                    return None
                raise
        return _to_stored(answer["Table"])

    def count_tables(self, database: str, owner: str) -> int | None:
        """How many tables of a sync a database has; None: there is no such database."""
        with translated("glue:GetTables of", database):
            try:
                pages = list(self._client.get_paginator("get_tables").paginate(DatabaseName=database))
                self._client.get_database(Name=database)
            except ClientError as error:
                if error_code(error) == "EntityNotFoundException":
                    return None
                raise
        tables = chain.from_iterable(page["TableList"] for page in pages)
        return sum(1 for table in tables if table.get("Parameters", {}).get(_OWNER) == owner)

    def has_database(self, database: str) -> bool:
        """Whether there is a database."""
        with translated("glue:GetDatabase of", database):
            try:
                self._client.get_database(Name=database)
            except ClientError as error:
                if error_code(error) == "EntityNotFoundException":
                    return False
                raise
        return True

    def create(self, table: CatalogTable) -> None:
        """One CreateTable."""
        with translated("glue:CreateTable of", table.name), _explained(table.name):
            self._client.create_table(DatabaseName=table.name.database, TableInput=_to_input(table, None))

    def replace(self, table: CatalogTable, stored: StoredTable) -> None:
        """One UpdateTable of just that revision; no copy of the one before is kept, since the ledger has the story."""
        with translated("glue:UpdateTable of", table.name), _explained(table.name):
            self._client.update_table(
                DatabaseName=table.name.database,
                TableInput=_to_input(table, stored),
                VersionId=stored.revision,
                SkipArchive=True,
            )


@contextmanager
def _explained(name: CatalogName) -> Iterator[None]:
    """Name the errors that only a write of tables meets."""
    try:
        yield
    except ClientError as error:
        if error_code(error) in _RACES:
            raise LostRace(f"table {name} was changed by another meanwhile") from error
        if error_code(error) == "EntityNotFoundException":
            raise ConfigurationError(
                f"there is no database {name.database!r} in the catalogue of this account and region, or table {name} "
                "was just deleted; create the database, or name another one beside catalog: glue"
            ) from error
        raise


def _to_stored(table: Mapping[str, Any]) -> StoredTable:
    descriptor, parameters = table.get("StorageDescriptor", {}), table.get("Parameters", {})
    columns = descriptor.get("Columns", ())
    keys = table.get("PartitionKeys", ())
    return StoredTable(
        revision=str(table["VersionId"]),
        owner=parameters.get(_OWNER),
        version=CatalogVersion.parse(parameters.get(_VERSION, "")),
        location=descriptor.get("Location", ""),
        columns=tuple(CatalogColumn(column["Name"], column.get("Type", "")) for column in columns),
        partition=keys[0]["Name"] if keys else None,
        parameters=parameters,
        comments={column["Name"]: column["Comment"] for column in columns if column.get("Comment")},
    )


def _to_input(table: CatalogTable, stored: StoredTable | None) -> dict[str, Any]:
    comments = stored.comments if stored is not None else {}
    keys = [{"Name": table.partition.name, "Type": "string"}] if table.partition is not None else []
    return {
        "Name": table.name.table,
        "Description": f"Written by Millrace, sync {table.owner}",
        "TableType": "EXTERNAL_TABLE",
        "Parameters": _to_parameters(table, stored),
        "PartitionKeys": keys,
        "StorageDescriptor": {
            "Columns": [_to_column(column, comments) for column in table.columns],
            "Location": table.location,
            "InputFormat": f"{_PARQUET}.MapredParquetInputFormat",
            "OutputFormat": f"{_PARQUET}.MapredParquetOutputFormat",
            "SerdeInfo": {
                "SerializationLibrary": f"{_PARQUET}.serde.ParquetHiveSerDe",
                "Parameters": {"serialization.format": "1"},
            },
        },
    }


def _to_column(column: CatalogColumn, comments: Mapping[str, str]) -> dict[str, str]:
    comment = comments.get(column.name)
    return {"Name": column.name, "Type": column.kind} | ({"Comment": comment} if comment else {})


def _to_parameters(table: CatalogTable, stored: StoredTable | None) -> dict[str, str]:
    """Ours, and what others wrote beside them.

    A partition's values are whatever the rows hold, so no list or range of them would stay right: ``injected`` takes
    them from the query, and refuses a query that names none (Amazon Athena User Guide, "Supported types for partition
    projection").
    """
    earlier = stored.parameters if stored is not None else {}
    kept = {name: text for name, text in earlier.items() if not name.startswith((_PROJECTION, _TEMPLATE))}
    ours = {"classification": "parquet", "EXTERNAL": "TRUE", _OWNER: table.owner, _VERSION: str(table.version)}
    if table.partition is not None:
        name, directory = table.partition.name, table.partition.directory
        ours |= {
            "projection.enabled": "true",
            f"projection.{name}.type": "injected",
            _TEMPLATE: f"{table.location}{directory}=${{{name}}}",
        }
    return kept | ours
