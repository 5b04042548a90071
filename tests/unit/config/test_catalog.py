"""Which tables may be catalogued, and what they are called there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from millrace.config.catalog import GlueTables, to_table_name
from millrace.config.document import Document, parse
from millrace.errors import InvalidConfiguration
from tests.configurations import bulk_sync, document, model_document

SINGLE = {"is_single_table": True, "single_table_name": "orders"}
DIRECTORIES = {"is_single_table": True, "is_directory_snapshot": True, "directory_glob_pattern": "*"}


def catalogued(source: dict[str, Any], *, to: str = "parquet", **fields: Any) -> Document:
    place = {"format": to, "catalog": "glue", **fields.pop("place", {})}
    return document({**bulk_sync(), "destination_configuration": place, **fields}, source=source)


def refused(source: dict[str, Any], **fields: Any) -> str:
    with pytest.raises(InvalidConfiguration) as problem:
        catalogued(source, **fields)
    return str(problem.value)


@pytest.mark.parametrize("source", [SINGLE, DIRECTORIES])
def test_tables_with_folders_of_their_own_may_be(source: dict[str, Any]) -> None:
    sync = catalogued(source).active_bulk_syncs()[0]

    assert sync.destination_configuration.catalog == "glue"


def test_objects_that_share_a_folder_are_refused() -> None:
    assert "each object of connection 'landing' is a table of its own" in refused({})


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ("csv", "an empty text from a missing one"),
        ("json", "more rows, fewer rows or other values"),
        ("json-doc", "this is one array"),
        ("avro", "the reader's schema"),
        ("orc", "by their place"),
    ],
)
def test_other_formats_are_refused_by_name(to: str, why: str) -> None:
    """What Athena would read of them is not what was written."""
    text = refused(SINGLE, to=to)

    assert f"format is {to}" in text
    assert why in text


def test_a_database_without_a_catalog_says_nothing() -> None:
    with pytest.raises(InvalidConfiguration, match="needs catalog"):
        document({**bulk_sync(), "destination_configuration": {"format": "parquet", "database": "sales"}})


@pytest.mark.parametrize("database", ["Sales", "my-lake", "a b", "ä", "x" * 256])
def test_a_database_that_athena_cannot_name_is_refused(database: str) -> None:
    assert "database" in refused(SINGLE, place={"database": database})


def test_tables_that_would_be_one_are_shown() -> None:
    text = refused(DIRECTORIES, schemas=["Orders-2026", "orders 2026"])

    assert "'Orders-2026' and 'orders 2026' would both be 'orders_2026'" in text


def test_a_table_in_anothers_folder_is_shown() -> None:
    schemas = [{"id": "a", "user_output_name": "sales"}, {"id": "b", "user_output_name": "sales/orders"}]

    assert "'sales/orders' lies in the folder of table 'sales'" in refused(DIRECTORIES, schemas=schemas)


def test_being_catalogued_changes_no_fingerprint() -> None:
    """No output is another for it, so nothing is converted again."""
    plain = document({**bulk_sync(), "destination_configuration": {"format": "parquet"}}, source=SINGLE)
    found = catalogued(SINGLE, place={"database": "sales"})

    assert plain.fingerprint(plain.active_bulk_syncs()[0]) == found.fingerprint(found.active_bulk_syncs()[0])


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("orders", "orders"),
        ("Sales/Orders 2026", "sales_orders_2026"),
        ("_x_", "x"),
        ("ü", "_"),
        ("a" * 300, "a" * 255),
    ],
)
def test_a_name_has_small_letters_digits_and_underscores(table: str, name: str) -> None:
    assert to_table_name(table) == name


def to_object(path: str, name: str = "nightly", *, mode: str = "replace", **place: Any) -> dict[str, Any]:
    """A model sync to Parquet, catalogued if nothing else is said."""
    configuration = {"format": "parquet", "catalog": "glue"} | place
    target = {"connection": "lake", "object": path, "configuration": configuration}
    return {"name": name, "model": "customers", "mode": mode, "target": target}


def of_models(*syncs: dict[str, Any]) -> Document:
    """Model syncs of one model."""
    plain = json.loads(model_document({"model_from": "multi_file_archive"}).to_json())
    return parse({**plain, "model_syncs": list(syncs)})


class TestCataloguedModels:
    def test_a_model_is_in_the_folder_of_its_name(self) -> None:
        whole = of_models(to_object("crm/all", database="sales"))
        sync = whole.model_syncs[0]

        assert sync.glue == GlueTables("sales")
        assert str(whole.output_of(sync)) == "s3://acme-out/lake/crm/all/"
        assert parse(json.loads(whole.to_json())) == whole

    def test_a_catalog_moves_what_is_replaced_and_a_database_nothing(self) -> None:
        plain, here, there = (
            of_models(to_object("all", catalog=None)),
            of_models(to_object("all")),
            of_models(to_object("all", database="sales")),
        )
        digests = [whole.fingerprint(whole.model_syncs[0]) for whole in (plain, here, there)]

        assert digests[0] != digests[1] == digests[2]

    @pytest.mark.parametrize(
        ("sync", "why"),
        [
            (to_object("all", mode="snapshot"), "would have each row once a run; use replace"),
            (to_object("all", format="csv"), "an empty text from a missing one"),
            (to_object("all", format="json"), "more rows, fewer rows or other values"),
            (to_object("all", format="iceberg"), "a second table over the same files"),
            (to_object("all", catalog=None, database="sales"), "needs catalog"),
            (to_object("all", catalog="hive"), "'glue'"),
        ],
    )
    def test_what_cannot_be_is_refused_with_what_to_do(self, sync: dict[str, Any], why: str) -> None:
        with pytest.raises(InvalidConfiguration, match=why):
            of_models(sync)

    @pytest.mark.parametrize("mode", ["replace", "append"])
    def test_who_writes_into_a_models_folder_is_refused(self, mode: str) -> None:
        """Query engines read a folder with all that is below it."""
        other = to_object("crm/customers/eu", "other", catalog=None)

        with pytest.raises(
            InvalidConfiguration, match=r"customers/eu.parquet, in the folder of the table of 'nightly'"
        ):
            of_models(to_object("crm/customers", mode=mode), other)
        assert of_models(to_object("crm/customers", mode=mode, catalog=None), other)
        assert of_models(to_object("crm/custom", mode=mode), other), "a folder of another name"

    @pytest.mark.parametrize("other", [{"format": "iceberg", "catalog": None}, {}])
    def test_two_tables_of_one_name_are_shown(self, other: dict[str, Any]) -> None:
        first, second = to_object("crm/all"), to_object("CRM all", "other", **other)

        with pytest.raises(InvalidConfiguration, match=r"would be 'crm_all', as one of '(nightly|other)'"):
            of_models(first, second)
        assert of_models(first, to_object("CRM all", "other", database="sales", **other))
