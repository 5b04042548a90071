"""Bulk syncs: one row a field, then the conditions between fields."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from millrace.config.bulk_sync import (
    BulkMode,
    BulkSync,
    DestinationConfiguration,
    Discover,
    FieldSelection,
    NormalizeNames,
    OnDelete,
    SchemaSelection,
)
from millrace.config.document import parse
from millrace.engine.options import RECORD_TIMESTAMP, RESCUED, TARGET_FORMATS, BadRows, FileFormat, SchemaEvolution
from tests.unit.config.builders import bulk_sync, connection, document, model, model_sync, parsed_bulk_sync, problems_of

# field, default, a valid value, what is kept of it, an invalid value, what the problem says
ROWS: list[tuple[str, Any, Any, Any, Any, str]] = [
    ("mode", BulkMode.REPLICATE, "snapshot", BulkMode.SNAPSHOT, "updateOrCreate", "'replicate' or 'snapshot'"),
    ("active", True, False, False, "yes", "true, false"),
    ("on_delete", OnDelete.KEEP, "remove", OnDelete.REMOVE, "drop", "'keep' or 'remove'"),
    ("bad_rows", BadRows.FAIL, "quarantine", BadRows.QUARANTINE, "skip", "'fail' or 'quarantine'"),
    ("schemas", None, ["orders"], (SchemaSelection(id="orders"),), [], "at least one item"),
    ("automatically_add_new_fields", Discover.ALL, "all", Discover.ALL, "some", "'all' or 'none'"),
    ("automatically_add_new_objects", None, "all", Discover.ALL, "some", "'all' or 'none'"),
    ("schema_evolution", SchemaEvolution.EVOLVE, "evolve", SchemaEvolution.EVOLVE, "widen", "'rescue' or 'freeze'"),
    ("normalize_names", NormalizeNames.ENABLED, "disabled", NormalizeNames.DISABLED, True, "'enabled' or 'disabled'"),
    ("disable_record_timestamps", True, False, False, "no", "true, false"),
    ("destination_configuration", DestinationConfiguration(), {}, DestinationConfiguration(), "csv", "an object"),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_field(row: tuple[str, Any, Any, Any, Any, str]) -> None:
    """Each field has the contract's default, keeps a valid value and refuses an invalid one by name."""
    field, default, valid, kept, invalid, says = row

    for blank in ("", None):
        assert getattr(parsed_bulk_sync(**{field: blank}), field) == default
    assert getattr(parsed_bulk_sync(**{field: valid}), field) == kept
    (problem,) = problems_of(document(bulk_syncs=[bulk_sync(**{field: invalid})]))
    assert problem.startswith(f"bulk_syncs[0].{field}: found ")
    assert says in problem


def test_every_field_is_tested() -> None:
    """A field added without a test is noticed; the schedule and the events have files of their own."""
    elsewhere = {"name", "source_connection", "destination_connection", "schedule", "notify"}

    assert {row[0] for row in ROWS} | elsewhere == set(BulkSync.model_fields)


@pytest.mark.parametrize("field", ["name", "source_connection", "destination_connection"])
@pytest.mark.parametrize("blank", ["", None])
def test_required_fields(field: str, blank: str | None) -> None:
    """Blank is not given."""
    assert problems_of(document(bulk_syncs=[bulk_sync() | {field: blank}])) == [
        f"bulk_syncs[0].{field}: required, but not given"
    ]


@pytest.mark.parametrize("name", TARGET_FORMATS)
def test_the_target_formats(name: str) -> None:
    """[doc] csv (default), json, json-doc, parquet; the folder is normalised."""
    made = parsed_bulk_sync(destination_configuration={"format": name, "subfolder": "/reports/daily/"})

    assert (made.format, made.subfolder) == (FileFormat(name), "reports/daily")
    assert (parsed_bulk_sync().format, parsed_bulk_sync().subfolder) == (FileFormat.CSV, "")


@pytest.mark.parametrize("subfolder", ["a//b", "../x", "a/*", 3])
def test_what_is_no_subfolder(subfolder: Any) -> None:
    """A subfolder cannot leave its folder, nor widen a grant."""
    (problem,) = problems_of(
        document(bulk_syncs=[bulk_sync(destination_configuration={"subfolder": subfolder, "format": "xlsx"})])
    )[1:]

    assert problem.startswith("bulk_syncs[0].destination_configuration.subfolder: found ")


def test_schemas_as_names_and_as_objects() -> None:
    """Every option of a table and of a field is kept."""
    made = parsed_bulk_sync(
        schemas=[
            "stores",
            {
                "id": "orders",
                "enabled": False,
                "fields": ["id", {"id": "email", "enabled": True, "obfuscated": True, "user_output_name": "mail"}],
                "filters": [{"field_id": "total", "function": "GreaterThan", "value": 10}],
                "partition_key": "country",
                "tracking_field": "updated_at",
                "data_cutoff_timestamp": "2026-01-01T00:00:00Z",
                "disable_data_cutoff": True,
                "user_output_name": "sales/orders",
            },
        ]
    )

    assert made.schemas is not None
    stores, orders = made.schemas
    assert stores == SchemaSelection(id="stores")
    assert orders.fields == (
        FieldSelection(id="id"),
        FieldSelection(id="email", obfuscated=True, user_output_name="mail"),
    )
    assert [one.field for one in orders.filters] == ["total"]
    assert orders.data_cutoff_timestamp == datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    assert (orders.enabled, orders.partition_key, orders.tracking_field) == (False, "country", "updated_at")
    assert (orders.disable_data_cutoff, orders.user_output_name) == (True, "sales/orders")


_OFF = {"id": "x", "enabled": False}


def _named(name: str, output: str) -> dict[str, Any]:
    return {"id": name, "user_output_name": output}


def _is_null(field: str, **label: str) -> dict[str, Any]:
    return {"field": field, "function": "IsNull", **label}


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"schemas": ["a", {"id": "a"}]}, "schemas: named twice: a"),
        ({"schemas": [{"id": ""}]}, "schemas[0].id: required"),
        ({"schemas": [{"id": "a", "colour": 1}]}, "schemas[0].colour: unknown field"),
        ({"schemas": [{"id": "a", "fields": []}]}, "schemas[0].fields: found a list; expected at least one item"),
        ({"schemas": [{"id": "a", "fields": ["x", "x"]}]}, "schemas[0].fields: named twice: x"),
        (
            {"schemas": [{"id": "a", "data_cutoff_timestamp": "2026-01-01T00:00:00Z"}]},
            "schemas[0].data_cutoff_timestamp: needs tracking_field",
        ),
        (
            {"schemas": [{"id": "a", "tracking_field": "t", "data_cutoff_timestamp": "2026-01-01T00:00:00"}]},
            "schemas[0].data_cutoff_timestamp: found '2026-01-01T00:00:00'",
        ),
        ({"automatically_add_new_objects": "none"}, "automatically_add_new_objects: none needs schemas"),
        ({"automatically_add_new_fields": "none"}, "automatically_add_new_fields: none needs fields in schemas"),
        (
            {"automatically_add_new_fields": "none", "schemas": ["a", {"id": "b"}]},
            "automatically_add_new_fields: none needs fields in schemas",
        ),
        (
            {
                "automatically_add_new_fields": "none",
                "schemas": [{"id": "a", "fields": [{"id": "x", "enabled": False}]}],
            },
            "schemas: table 'a' has no field to write",
        ),
        (
            {"automatically_add_new_fields": "none", "schemas": [{"id": "a", "fields": ["x"], "partition_key": "y"}]},
            "schemas: table 'a' is divided by 'y', which is not among its fields",
        ),
        (
            {"schemas": [{"id": "a", "fields": [_named("x", "n"), _named("y", "n")]}]},
            "schemas[0].fields: two fields have the user_output_name 'n'",
        ),
        (
            {"schemas": [{"id": "a", "fields": [_OFF], "partition_key": "x"}]},
            "schemas[0].partition_key: names 'x', which is not enabled in fields",
        ),
        (
            {"schemas": [{"id": "a", "fields": [_OFF], "tracking_field": "x"}]},
            "schemas[0].tracking_field: names 'x', which is not enabled in fields",
        ),
        (
            {"schemas": [{"id": "a", "filters": [_is_null("x", label="B"), _is_null("y")]}]},
            "schemas[0].filters: two filters have the label B",
        ),
        (
            {"bad_rows": "quarantine", "schemas": [{"id": "a", "fields": [{"id": "x", "obfuscated": True}]}]},
            "bad_rows: quarantine writes unreadable rows as they are, and with them x of table 'a'",
        ),
        ({"schemas": [_named("a", "n"), _named("b", "/n/")]}, "schemas: two tables are written under the name 'n'"),
        ({"schemas": ["a", _named("b", "a")]}, "schemas: two tables are written under the name 'a'"),
        (
            {"disable_record_timestamps": False, "schemas": [{"id": "a", "fields": [_named("x", RECORD_TIMESTAMP)]}]},
            "schemas: table 'a' names a field '_millrace_synced_at'",
        ),
        (
            {"schema_evolution": "freeze", "mode": "snapshot"},
            "schema_evolution: found 'freeze', but a table is its newest file (mode: snapshot)",
        ),
        ({"schema_evolution": "freeze"}, "schema_evolution: found 'freeze', but every object of connection 'in' is a"),
        ({"format": "csv"}, "format: misplaced field; it belongs in bulk_syncs[].destination_configuration"),
        ({"destination_configuration": {"format": "xlsx"}}, "'csv', 'json', 'json-doc', 'parquet'"),
    ],
)
def test_contradictions_are_refused(fields: dict[str, Any], line: str) -> None:
    """Each condition is held, in words."""
    (problem,) = problems_of(document(bulk_syncs=[bulk_sync(**fields)]))

    assert line in problem


@pytest.mark.parametrize(
    "fields",
    [
        {"schemas": [{"id": "a", "enabled": False}, _named("b", "a")]},
        {"schemas": [{"id": "a", "fields": [_named("x", "y"), _named("y", "x")]}]},
        {"schemas": [{"id": "a", "fields": [_named("x", RECORD_TIMESTAMP)]}]},
        {"schemas": [{"id": "a", "filters": [_is_null("x")] * 30}]},
        {"automatically_add_new_fields": "none", "schemas": ["a", {"id": "b", "fields": ["x"], "partition_key": "x"}]},
    ],
)
def test_what_only_looks_like_a_contradiction(fields: dict[str, Any]) -> None:
    """Names may be exchanged, and what is not written is in nobody's way."""
    assert parsed_bulk_sync(**fields)


def test_the_name_of_the_rescued_values_is_taken() -> None:
    """Where that field is added, and there alone."""
    one_table = connection("in", is_single_table=True, single_table_name="a")
    sync = bulk_sync(schemas=[{"id": "a", "fields": [_named("x", RESCUED)]}])
    raw = {"connections": [one_table, connection("out")], "bulk_syncs": [sync]}

    parse(raw)
    (problem,) = problems_of(raw | {"bulk_syncs": [sync | {"schema_evolution": "rescue"}]})
    assert "table 'a' names a field '_rescued', which schema_evolution: rescue adds" in problem


@pytest.mark.parametrize(
    ("configuration", "accepted"),
    [
        ({"compression": "snappy"}, "none, gz, zst, bz2, which is what csv may have"),
        ({"compression": "zstd", "format": "json"}, "none, gz, zst, bz2, which is what json may have"),
        ({"compression": "gz", "format": "parquet"}, "snappy, zstd, none, which is what parquet may have"),
    ],
)
def test_a_compression_of_another_format_is_refused(configuration: dict[str, Any], accepted: str) -> None:
    (problem,) = problems_of(document(bulk_syncs=[bulk_sync(destination_configuration=configuration)]))
    assert "destination_configuration.compression" in problem
    assert accepted in problem

    target = {"connection": "out", "configuration": configuration}
    (problem,) = problems_of(document(models=[model()], model_syncs=[model_sync(target=target)]))
    assert "target.configuration.compression" in problem
    assert accepted in problem


@pytest.mark.parametrize(
    ("configuration", "extension"),
    [
        ({}, ".csv"),
        ({"compression": "none"}, ".csv"),
        ({"compression": "gz"}, ".csv.gz"),
        ({"compression": "zst", "format": "json"}, ".jsonl.zst"),
        ({"compression": "bz2", "format": "json-doc"}, ".json.bz2"),
        ({"compression": "zstd", "format": "parquet"}, ".parquet"),
    ],
)
def test_outputs_are_named_by_format_and_compression(configuration: dict[str, Any], extension: str) -> None:
    assert parsed_bulk_sync(destination_configuration=configuration).extension == extension
