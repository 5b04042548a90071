"""What every catalogue of tables must do.

moto's Glue does not compare revisions: that is tried on the fake here, and on the emulator by the end-to-end suite.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import boto3
import pytest

from millrace.aws.glue_catalog import GlueCatalog
from millrace.catalog.tables import (
    Catalog,
    CatalogColumn,
    CatalogName,
    CatalogPartition,
    CatalogTable,
    CatalogVersion,
    StoredTable,
)
from millrace.errors import ConfigurationError, LostRace
from tests.fakes import InMemoryCatalog

NAME = CatalogName("lake", "orders")
TABLE = CatalogTable(
    name=NAME,
    owner="nightly ü",
    location="s3://acme-out/lake/Orders/",
    columns=(CatalogColumn("id", "bigint"), CatalogColumn("order id", "struct<a:decimal(38,9)>")),
    version=CatalogVersion(1764374400, 7),
)


@pytest.fixture(params=["memory", "glue"])
def catalog(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return InMemoryCatalog()
    request.getfixturevalue("aws")
    client = boto3.client("glue")
    client.create_database(DatabaseInput={"Name": "lake"})
    return GlueCatalog(client)


def find(catalog: Catalog) -> StoredTable:
    stored = catalog.find(NAME)
    assert stored is not None
    return stored


def test_what_was_never_made_is_not_there(catalog: Catalog) -> None:
    assert catalog.find(NAME) is None
    assert catalog.find(CatalogName("nowhere", "orders")) is None


def test_a_table_comes_back_as_it_was_made(catalog: Catalog) -> None:
    catalog.create(TABLE)
    stored = find(catalog)

    assert stored.is_as(TABLE)
    assert stored.owner == "nightly ü"


def test_a_second_maker_loses(catalog: Catalog) -> None:
    catalog.create(TABLE)
    with pytest.raises(LostRace):
        catalog.create(TABLE)


def test_without_its_database_no_table_is_made(catalog: Catalog) -> None:
    with pytest.raises(ConfigurationError, match="there is no database"):
        catalog.create(replace(TABLE, name=CatalogName("nowhere", "orders")))


def test_a_table_is_replaced_whole(catalog: Catalog) -> None:
    catalog.create(TABLE)
    wider = replace(TABLE, columns=(CatalogColumn("note", "string"),), partition=CatalogPartition("region", "Region"))
    catalog.replace(wider, find(catalog))

    assert find(catalog).is_as(wider)


class TestGlue:
    """What only Glue has."""

    def test_what_others_wrote_of_a_table_stays(self, aws: None) -> None:
        client = boto3.client("glue")
        client.create_database(DatabaseInput={"Name": "lake"})
        catalog = GlueCatalog(client)
        catalog.create(TABLE)
        table = client.get_table(DatabaseName="lake", Name="orders")["Table"]
        table["StorageDescriptor"]["Columns"][0]["Comment"] = "of the till"
        given = {name: table[name] for name in ("Name", "TableType", "PartitionKeys", "StorageDescriptor")}
        client.update_table(
            DatabaseName="lake", TableInput=given | {"Parameters": table["Parameters"] | {"team": "sales"}}
        )
        catalog.replace(replace(TABLE, version=CatalogVersion(1764374400, 8)), find(catalog))

        kept = client.get_table(DatabaseName="lake", Name="orders")["Table"]
        assert kept["Parameters"]["team"] == "sales"
        assert kept["StorageDescriptor"]["Columns"][0]["Comment"] == "of the till"

    def test_a_divided_table_is_projected_by_the_query_itself(self, aws: None) -> None:
        """No list of values would stay right, and a range would leave rows out without a word."""
        client = boto3.client("glue")
        client.create_database(DatabaseInput={"Name": "lake"})
        catalog = GlueCatalog(client)
        catalog.create(replace(TABLE, partition=CatalogPartition("region", "Region")))
        table = client.get_table(DatabaseName="lake", Name="orders")["Table"]

        assert table["PartitionKeys"] == [{"Name": "region", "Type": "string"}]
        assert table["Parameters"]["projection.region.type"] == "injected"
        assert table["Parameters"]["storage.location.template"] == "s3://acme-out/lake/Orders/Region=${region}"
        catalog.replace(TABLE, find(catalog))
        parameters = client.get_table(DatabaseName="lake", Name="orders")["Table"]["Parameters"]
        assert not [name for name in parameters if name.startswith(("projection", "storage"))]
