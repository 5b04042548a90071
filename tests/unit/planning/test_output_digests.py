"""A digest changes with what shapes an object's output, and with nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.objects.references import ObjectRef
from millrace.planning.planner import Planner
from millrace.planning.plans import Plan
from tests.configurations import bulk_sync, document

ORDERS, ITEMS = ObjectRef("acme-in", "in/orders.csv"), ObjectRef("acme-in", "in/items.csv")


def shape(ref: ObjectRef = ORDERS, source: dict[str, Any] | None = None, **fields: Any) -> str:
    (plan,) = Planner(document(bulk_sync(**fields), source=source)).plan(ref)
    assert isinstance(plan, Plan)
    return plan.shape


def table(name: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "enabled": True, **fields}


NULLS = {"csv_null_values": ["NA"]}


@pytest.mark.parametrize(
    "fields",
    [
        {"to": "json"},
        {"subfolder": "elsewhere"},
        {"source": {"csv_delimiter": "semicolon"}},
        {"bad_rows": "quarantine"},
        {"schemas": [table("orders", partition_key="region")]},
        {"schemas": [table("orders", user_output_name="sales")]},
    ],
    ids=str,
)
def test_what_shapes_the_output_changes_it(fields: dict[str, Any]) -> None:
    assert shape(**fields) != shape()


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "renamed"},
        {"on_delete": "remove"},
        {"schemas": [table("orders"), table("items", partition_key="region")]},
        {"schemas": [table("orders"), table("items", **NULLS)]},
    ],
    ids=str,
)
def test_what_shapes_others_or_nothing_does_not(fields: dict[str, Any]) -> None:
    assert shape(**fields) == shape()


def test_it_is_the_same_in_every_process() -> None:
    """It is stored, so neither the order of a set nor an object's address may be in it. A new default changes none."""
    assert shape() == "9a0d9faca44a"


def test_two_objects_of_one_sync_have_two() -> None:
    assert shape(ORDERS) != shape(ITEMS)
