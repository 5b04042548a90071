"""Which outputs may be tables of Iceberg, and where those are kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from millrace.config.catalog import OUTPUT_FORMATS, IcebergTables, to_file_format
from millrace.config.document import Document, parse
from millrace.engine.options import TARGET_FORMATS, FileFormat
from millrace.errors import InvalidConfiguration
from tests.configurations import bulk_sync, connection, document, model_document

SINGLE = {"is_single_table": True, "single_table_name": "orders"}
DIRECTORIES = {"is_single_table": True, "is_directory_snapshot": True, "directory_glob_pattern": "*"}


TABLES = "arn:aws:s3tables:us-east-1:123456789012:bucket/acme-tables"


def kept(place: dict[str, Any], *, source: dict[str, Any] | None = None, **fields: Any) -> Document:
    whole = {"format": "iceberg", **place}
    return document({**bulk_sync(), "destination_configuration": whole, **fields}, source=source or SINGLE)


def refused(place: dict[str, Any], **fields: Any) -> str:
    with pytest.raises(InvalidConfiguration) as problem:
        kept(place, **fields)
    return str(problem.value)


@pytest.mark.parametrize(
    ("place", "tables"),
    [
        ({}, IcebergTables()),
        ({"database": "sales"}, IcebergTables("sales")),
        ({"database": "sales", "table_bucket": TABLES}, IcebergTables("sales", TABLES)),
    ],
)
def test_tables_of_a_bulk_sync_say_where_they_are_kept(place: dict[str, Any], tables: IcebergTables) -> None:
    sync = kept(place).active_bulk_syncs()[0]

    assert sync.iceberg == tables


def test_a_model_sync_may_be_a_table_too() -> None:
    whole = to_table({"format": "iceberg", "database": "sales"})

    assert whole.active_model_syncs()[0].iceberg == IcebergTables("sales")


def test_files_are_parquet() -> None:
    """The engine knows nothing of Iceberg."""
    sync = kept({}).active_bulk_syncs()[0]

    assert (sync.format, sync.extension) == (FileFormat.PARQUET, ".parquet")
    assert [to_file_format(name) for name in OUTPUT_FORMATS] == [*TARGET_FORMATS, FileFormat.PARQUET]


def test_what_is_deployed_says_the_same() -> None:
    whole = kept({"database": "sales"})

    assert parse(json.loads(whole.to_json())) == whole


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ({"catalog": "glue"}, "a second table over the same files"),
        ({"compression": "gz"}, "expected snappy, zstd, none, which is what iceberg may have"),
        ({"database": "sales", "format": "parquet"}, "or write format: iceberg"),
        ({"database": "my-lake"}, "small letters, digits and underscores"),
        ({"table_bucket": TABLES}, "table_bucket: needs database, the namespace of the tables in it"),
        ({"table_bucket": TABLES, "database": "_sales"}, "begin and end with a letter or a digit"),
        ({"table_bucket": TABLES, "database": "sales_"}, "begin and end with a letter or a digit"),
        ({"table_bucket": TABLES, "database": "aws_sales"}, "do not begin with aws; found 'aws_sales'"),
        ({"table_bucket": TABLES, "database": "sales", "format": "parquet"}, "keeps tables of Iceberg alone"),
        ({"table_bucket": TABLES, "database": "sales", "catalog": "glue"}, "a second table over the same files"),
        ({"table_bucket": f"{TABLES}/table/orders", "database": "sales"}, "the ARN of an S3 table bucket"),
        ({"table_bucket": TABLES.upper(), "database": "sales"}, "the ARN of an S3 table bucket"),
        ({"table_bucket": "arn:aws:s3:::acme-tables", "database": "sales"}, "the ARN of an S3 table bucket"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(place: dict[str, Any], why: str) -> None:
    assert why in refused(place)


def test_objects_that_share_a_folder_are_refused() -> None:
    text = refused({}, source={"is_single_table": False})

    assert "destination_configuration.format" in text
    assert "each object of connection 'landing' is a table of its own" in text


def test_tables_that_would_be_one_are_shown() -> None:
    text = refused({}, source=DIRECTORIES, schemas=["Orders-2026", "orders 2026"])

    assert "would both be 'orders_2026'" in text


@pytest.mark.parametrize(
    ("configuration", "why"),
    [
        ({"format": "csv", "database": "sales"}, "write format: iceberg"),
        ({"format": "parquet", "table_bucket": TABLES}, "keeps tables of Iceberg alone"),
        ({"format": "iceberg", "table_bucket": TABLES}, "needs database"),
    ],
)
def test_a_model_syncs_fields_are_held_to_each_other(configuration: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidConfiguration, match=why):
        to_table(configuration)


@pytest.mark.parametrize("mode", ["append", "snapshot"])
def test_a_model_sync_that_writes_rows_once_more_each_run_is_no_table(mode: str) -> None:
    with pytest.raises(InvalidConfiguration, match=f"found {mode}, and a table of Iceberg holds what a model has now"):
        to_table({"format": "iceberg"}, mode=mode)


def test_a_table_of_iceberg_is_in_step_with_every_source_object() -> None:
    assert "use replicate, or format: parquet" in refused({}, mode="snapshot")


def test_no_sync_reads_the_files_of_a_table() -> None:
    """The files of earlier snapshots lie beside those of the newest, until they expire."""
    with pytest.raises(InvalidConfiguration, match="rows that were replaced"):
        parse(
            {
                "connections": [
                    connection("landing", "s3://acme-in/in", **SINGLE),
                    connection("lake", "s3://acme-out/lake"),
                    connection("mart", "s3://acme-out/mart"),
                ],
                "bulk_syncs": [
                    bulk_sync("first", to="iceberg"),
                    bulk_sync("second", source_connection="lake", destination_connection="mart"),
                ],
            }
        )


def test_a_table_has_one_owner() -> None:
    syncs = []
    for name, path in (("a", "crm/orders"), ("b", "crm_orders")):
        syncs.append({"name": name, "model": "customers", "target": target({"format": "iceberg"}, path)})

    model = {"name": "customers", "connection": "landing", "configuration": {"key": "in/customers.csv"}}

    with pytest.raises(InvalidConfiguration, match="would be 'crm_orders', as one of 'a'"):
        parse(
            {
                "connections": [connection("landing", "s3://acme-in/in"), connection("lake", "s3://acme-out/lake")],
                "models": [model],
                "model_syncs": syncs,
            }
        )


def test_another_database_wants_all_outputs_once_more() -> None:
    """A table has its files by name, so that an empty one in another database must be filled."""
    here, there = kept({"database": "here"}), kept({"database": "there"})

    assert here.fingerprint(here.active_bulk_syncs()[0]) != there.fingerprint(there.active_bulk_syncs()[0])


def test_another_table_bucket_wants_all_outputs_once_more() -> None:
    here, there = kept({"database": "sales"}), kept({"database": "sales", "table_bucket": TABLES})

    assert here.fingerprint(here.active_bulk_syncs()[0]) != there.fingerprint(there.active_bulk_syncs()[0])


def test_a_table_without_a_letter_in_its_name_is_none_of_a_table_bucket() -> None:
    text = refused({"database": "sales", "table_bucket": TABLES}, source=DIRECTORIES, schemas=["заказы"])

    assert "its table 'заказы' would be '_'" in text
    assert kept({"database": "sales"}, source=DIRECTORIES, schemas=["заказы"])


def test_one_name_in_a_database_and_in_a_table_bucket_is_of_two_tables() -> None:
    syncs = []
    for name, path, more in (("a", "crm/orders", {}), ("b", "crm_orders", {"table_bucket": TABLES})):
        place = {"format": "iceberg", "database": "sales", **more}
        syncs.append({"name": name, "model": "customers", "target": target(place, path)})
    model = {"name": "customers", "connection": "landing", "configuration": {"key": "in/customers.csv"}}
    connections = [connection("landing", "s3://acme-in/in"), connection("lake", "s3://acme-out/lake")]

    assert parse({"connections": connections, "models": [model], "model_syncs": syncs})


def to_table(configuration: dict[str, Any], **fields: Any) -> Document:
    sync = {"target": target(configuration, "crm/customers"), **fields}
    return model_document({"key": "in/customers.csv"}, sync)


def target(configuration: dict[str, Any], path: str) -> dict[str, Any]:
    return {"connection": "lake", "object": path, "configuration": configuration}
