"""A digest changes with what shapes an object's output, and with nothing else."""

from __future__ import annotations

import dataclasses
import datetime as dt
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest

from millrace.engine.options import FileFormat
from millrace.objects.references import ObjectRef
from millrace.planning.output_digests import digest_shape
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
    assert digest_shape("Zürich", {"ü": [1]}) == "374156df64f9"


@dataclasses.dataclass(frozen=True)
class _Shape:
    """What a digest may be made of."""

    name: str = "orders"
    sizes: tuple[int, ...] = ()
    fields: dict[str, Any] = dataclasses.field(default_factory=dict)
    inner: _Shape | None = None


VALUES: list[Any] = [
    None,
    True,
    1,
    1.5,
    "a",
    "1",
    [],
    ["a"],
    ["a", "b"],
    ["b", "a"],
    {"a": 1},
    {"a": 2},
    {"b": 1},
    {"a": {"b": 1}},
    {"a": {"b": 2}},
    {1: "x"},
    frozenset({"x", "y"}),
    dt.date(2026, 11, 29),
    dt.datetime(2026, 11, 29, tzinfo=dt.UTC),
    Decimal("1.50"),
    FileFormat.ORC,
    _Shape(),
    _Shape(name="items"),
    _Shape(sizes=(1,)),
    _Shape(sizes=(2,)),
    _Shape(fields={"a": 1}),
    _Shape(fields={"a": 2}),
    _Shape(inner=_Shape()),
    _Shape(inner=_Shape(sizes=(1,))),
]


def test_whatever_differs_has_another_digest() -> None:
    digests = [digest_shape(value) for value in VALUES]

    assert [value for value, count in zip(VALUES, map(digests.count, digests), strict=True) if count > 1] == []
    assert digest_shape(*VALUES) != digest_shape(*VALUES[::-1])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"x", "y", "z"}, {"z", "y", "x"}),
        ({"x", "y"}, frozenset({"y", "x"})),
        (("a",), ["a"]),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (FileFormat.ORC, FileFormat.ORC.value),
        (_Shape(), _Shape(name="orders", fields={})),
    ],
    ids=["keys in another order", "a set", "a frozen set", "a list", "a proxy", "an enumeration", "defaults"],
)
def test_what_is_the_same_has_the_same_digest(one: object, other: object) -> None:
    assert digest_shape(one) == digest_shape(other)


def test_two_objects_of_one_sync_have_two() -> None:
    assert shape(ORDERS) != shape(ITEMS)
