"""Bulk syncs: one row a field, then the conditions between fields."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from millrace.config import BulkMode, BulkSync, Discover, NormalizeNames, OnDelete, SchemaSelection
from millrace.config.bulk_sync import DestinationConfiguration, FieldSelection
from millrace.file_format import BadRows, FileFormat
from tests.unit.config.builders import bulk_sync, document, parsed_bulk_sync, problems_of

# field, default, a valid value, what is kept of it, an invalid value, what the problem says
ROWS: list[tuple[str, Any, Any, Any, Any, str]] = [
    ("mode", BulkMode.REPLICATE, "snapshot", BulkMode.SNAPSHOT, "updateOrCreate", "'replicate' or 'snapshot'"),
    ("active", True, False, False, "yes", "true, false"),
    ("on_delete", OnDelete.KEEP, "remove", OnDelete.REMOVE, "drop", "'keep' or 'remove'"),
    ("bad_rows", BadRows.FAIL, "quarantine", BadRows.QUARANTINE, "skip", "'fail' or 'quarantine'"),
    ("schemas", None, ["orders"], (SchemaSelection(id="orders"),), [], "at least one item"),
    ("automatically_add_new_fields", Discover.ALL, "none", Discover.NONE, "some", "'all' or 'none'"),
    ("automatically_add_new_objects", None, "all", Discover.ALL, "some", "'all' or 'none'"),
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
    """A field added without a test is noticed; the schedule has a file of its own."""
    elsewhere = {"name", "source_connection", "destination_connection", "schedule"}

    assert {row[0] for row in ROWS} | elsewhere == set(BulkSync.model_fields)


@pytest.mark.parametrize("field", ["name", "source_connection", "destination_connection"])
@pytest.mark.parametrize("blank", ["", None])
def test_required_fields(field: str, blank: str | None) -> None:
    """Blank is not given."""
    assert problems_of(document(bulk_syncs=[bulk_sync() | {field: blank}])) == [
        f"bulk_syncs[0].{field}: required, but not given"
    ]


@pytest.mark.parametrize("name", [*FileFormat])
def test_the_four_target_formats(name: str) -> None:
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
        ({"format": "csv"}, "format: misplaced field; it belongs in bulk_syncs[].destination_configuration"),
        ({"destination_configuration": {"format": "xlsx"}}, "'csv', 'json', 'json-doc' or 'parquet'"),
    ],
)
def test_contradictions_are_refused(fields: dict[str, Any], line: str) -> None:
    """Each condition is held, in words."""
    (problem,) = problems_of(document(bulk_syncs=[bulk_sync(**fields)]))

    assert line in problem
