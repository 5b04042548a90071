"""What a configuration does with rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from millrace.config.filters import Filter
from millrace.engine.transform.spec import TableTransform, Written
from millrace.objects.references import ObjectRef
from millrace.planning.planner import Planner
from millrace.planning.plans import Plan
from millrace.planning.transforms import to_filters
from tests.configurations import bulk_sync, document, model_document

FIELDS = ["id", {"id": "email", "user_output_name": "mail", "obfuscated": True}, {"id": "note", "enabled": False}]


def transform_of(schema: dict[str, Any] | None = None, **sync: Any) -> TableTransform:
    others = [{"id": "returns", "fields": ["id"]}]
    schemas: dict[str, Any] = {"schemas": [{"id": "orders", **schema}, *others]} if schema else {}
    (plan,) = Planner(document(bulk_sync(**schemas, **sync))).plan(ObjectRef("acme-in", "in/orders.csv"))
    assert isinstance(plan, Plan)
    return plan.recipe.transform


def test_chosen_fields_come_first_and_those_that_are_not_enabled_are_left_out() -> None:
    transform = transform_of({"fields": FIELDS})

    assert transform.written == (Written(source="id"), Written(source="email", name="mail", obfuscated=True))
    assert transform.left_out == ("note",)


@pytest.mark.parametrize(
    ("schema", "sync", "others"),
    [
        ({"fields": FIELDS}, {}, True),
        ({"fields": FIELDS}, {"automatically_add_new_fields": "none"}, False),
        ({"tracking_field": "at"}, {}, True),
        ({"tracking_field": "at"}, {"automatically_add_new_fields": "none"}, True),
        (None, {}, True),
    ],
)
def test_other_fields_follow_unless_only_given_ones_are_written(
    schema: dict[str, Any] | None, sync: dict[str, Any], *, others: bool
) -> None:
    assert transform_of(schema, **sync).others == others


@pytest.mark.parametrize(
    ("sync", "normalized", "synced_at"),
    [
        ({"normalize_names": "enabled", "disable_record_timestamps": True}, True, False),
        ({"normalize_names": "disabled", "disable_record_timestamps": False}, False, True),
    ],
)
def test_names_and_times_are_the_syncs(sync: dict[str, Any], *, normalized: bool, synced_at: bool) -> None:
    for schema in (None, {"tracking_field": "at"}):
        transform = transform_of(schema, **sync)

        assert (transform.normalized, transform.synced_at) == (normalized, synced_at)


def test_a_table_is_divided_filtered_and_cut_off_as_it_says() -> None:
    schema = {
        "partition_key": "country",
        "tracking_field": "at",
        "data_cutoff_timestamp": "2026-01-01T00:00:00Z",
        "filters": [{"field": "country", "function": "IsNotNull"}],
    }
    transform = transform_of(schema)

    assert (transform.partition_key, transform.tracking_field) == ("country", "at")
    assert transform.cutoff == datetime(2026, 1, 1, tzinfo=UTC)
    assert [condition.field for _, condition in transform.filters.conditions] == ["country"]
    assert transform_of(schema | {"disable_data_cutoff": True}).cutoff is None


def filters_of(count: int, **label: str) -> list[Filter]:
    return [Filter.model_validate({"field": f"f{number}", "function": "IsNull", **label}) for number in range(count)]


def test_filters_without_a_label_have_the_letters_in_their_order() -> None:
    assert [label for label, _ in to_filters(filters_of(3)).conditions] == ["A", "B", "C"]


def test_more_filters_than_letters_have_distinct_labels() -> None:
    """They are joined by AND alone, so that no logic names them."""
    conditions = to_filters(filters_of(40)).conditions

    assert len({label for label, _ in conditions}) == len(conditions) == 40
    assert [condition.field for _, condition in conditions] == [f"f{number}" for number in range(40)]


def model_transform_of(**sync: Any) -> TableTransform:
    planner = Planner(model_document({"key": "in/a.csv"}, sync, fields=["id", "name"], identifier="id"))
    (plan,) = planner.plan(ObjectRef("acme-in", "in/a.csv"))
    assert isinstance(plan, Plan)
    return plan.recipe.transform


def test_a_model_sync_writes_its_fields_alone_or_all_of_the_models() -> None:
    mapped = model_transform_of(fields=[{"source": "name", "target": "n"}, {"target": "k", "override_value": 7}])

    assert mapped.written == (Written(source="name", name="n"), Written(name="k", constant=7))
    assert not mapped.others
    assert (mapped.table, mapped.identifier) == (("id", "name"), "id")
    assert model_transform_of().others
    assert model_transform_of(override_fields=[{"target": "k", "override_value": 7}]).constants == (
        Written(name="k", constant=7),
    )
