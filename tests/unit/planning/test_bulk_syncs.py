"""What a bulk sync makes of an object: which tables it takes, and whose outputs the files of a table are."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.engine.options import SchemaEvolution
from millrace.objects.references import ObjectRef
from millrace.planning.planner import Planner
from millrace.planning.plans import (
    AnyPlan,
    ArchiveTables,
    Ignored,
    OwnOutput,
    Plan,
    SharedTable,
    SnapshotTable,
    Way,
    is_output_of,
)
from tests.configurations import bulk_sync, document
from tests.world import NOON

SINGLE = {"is_single_table": True, "single_table_name": "orders"}
DIRECTORIES = {
    "is_single_table": True,
    "is_directory_snapshot": True,
    "directory_glob_pattern": "*",
    "single_table_file_formats": ["csv", "json"],
}
ONE_FORMAT = DIRECTORIES | {"single_table_file_formats": ["csv"]}


def plan_of(key: str, *, source: dict[str, Any] | None = None, **sync: Any) -> AnyPlan:
    (plan,) = Planner(document(bulk_sync(**sync), source=source)).plan(ObjectRef("acme-in", key))
    return plan


def planned(key: str, *, source: dict[str, Any] | None = None, **sync: Any) -> Plan:
    plan = plan_of(key, source=source, **sync)
    assert isinstance(plan, Plan), plan
    return plan


@pytest.mark.parametrize(
    ("sync", "reason"),
    [
        ({}, None),
        ({"schemas": ["orders"]}, None),
        ({"schemas": ["returns"]}, "not among the schemas"),
        ({"schemas": [{"id": "orders", "enabled": False}]}, "not enabled"),
        ({"schemas": [{"id": "orders", "enabled": False}], "automatically_add_new_objects": "all"}, "not enabled"),
        ({"schemas": ["returns"], "automatically_add_new_objects": "all"}, None),
        ({"schemas": ["orders"], "automatically_add_new_objects": "none"}, None),
        ({"schemas": ["returns"], "automatically_add_new_objects": "none"}, "not among the schemas"),
    ],
)
def test_a_table_is_written_if_it_is_chosen_or_new_ones_are(sync: dict[str, Any], reason: str | None) -> None:
    plan = plan_of("in/orders.csv", **sync)

    assert isinstance(plan, Ignored if reason else Plan)
    assert reason is None or (isinstance(plan, Ignored) and reason in plan.reason)


def test_an_object_in_no_directory_that_matches_is_ignored() -> None:
    plan = plan_of("in/loose.csv", source=DIRECTORIES)

    assert isinstance(plan, Ignored)
    assert "directory_glob_pattern" in plan.reason


def test_a_table_may_have_another_name_in_the_output() -> None:
    schemas = [{"id": "orders", "user_output_name": "sales/orders"}, "returns"]

    assert planned("in/orders.csv", schemas=schemas).output(None, NOON).key == "lake/sales/orders.parquet"
    assert planned("in/returns.csv", schemas=schemas).output(None, NOON).key == "lake/returns.parquet"


TABLE = ObjectRef("acme-in", "in/orders")


@pytest.mark.parametrize(
    ("key", "source", "mode", "way"),
    [
        ("in/orders.csv", None, "replicate", OwnOutput()),
        ("in/orders.csv", None, "snapshot", OwnOutput()),
        ("in/x/a.csv", SINGLE, "replicate", SharedTable(table=TABLE)),
        ("in/x/a.csv.gz", SINGLE, "snapshot", SnapshotTable(table=TABLE, prefix="in/")),
        ("in/orders/x/a.csv", DIRECTORIES, "replicate", SharedTable(table=TABLE)),
        ("in/orders/x/a.csv", DIRECTORIES, "snapshot", SnapshotTable(table=TABLE, prefix="in/orders/")),
    ],
)
def test_a_file_has_its_own_output_shares_a_table_or_is_the_tables_newest(
    key: str, source: dict[str, Any] | None, mode: str, way: Way
) -> None:
    plan = planned(key, source=source, mode=mode)

    assert plan.way == way
    assert not plan.keep_earlier


@pytest.mark.parametrize(("mode", "output"), [("replicate", "lake/orders/x/a"), ("snapshot", "lake/orders/orders")])
def test_files_of_a_table_keep_their_names_and_a_snapshot_has_the_tables(mode: str, output: str) -> None:
    plan = planned("in/x/a.csv", source=SINGLE, mode=mode)

    assert plan.output(None, NOON).key == f"{output}.parquet"


@pytest.mark.parametrize(
    ("source", "mode", "evolution", "is_rescued"),
    [
        (SINGLE, "replicate", "rescue", True),
        (SINGLE, "replicate", "evolve", False),
        (SINGLE, "snapshot", "evolve", False),
        (None, "replicate", "evolve", False),
    ],
)
def test_rows_are_rescued_only_into_a_table_of_several_outputs(
    source: dict[str, Any] | None, mode: str, evolution: str, *, is_rescued: bool
) -> None:
    plan = planned("in/a.csv", source=source, mode=mode, schema_evolution=evolution)

    assert plan.recipe.transform.rescued == is_rescued
    assert not isinstance(plan.way, SharedTable) or plan.way.evolution is SchemaEvolution(evolution)


@pytest.mark.parametrize(
    ("source", "has_one_format"), [(None, False), (SINGLE, False), (ONE_FORMAT, False), (DIRECTORIES, True)]
)
def test_the_files_of_a_directory_of_several_formats_share_one(
    source: dict[str, Any] | None, *, has_one_format: bool
) -> None:
    plan = planned("in/orders/a.csv", source=source)

    assert plan.format_table == (TABLE if has_one_format else None)
    assert plan.format_prefix == ("in/orders/" if has_one_format else None)


@pytest.mark.parametrize(("given", "removes"), [("remove", True), ("keep", False)])
def test_outputs_go_with_their_source_only_where_that_is_asked(given: str, *, removes: bool) -> None:
    assert planned("in/orders.csv", on_delete=given).remove_outputs == removes


def test_bad_rows_are_put_aside_only_where_that_is_asked() -> None:
    assert planned("in/orders.csv").quarantine is None
    assert planned("in/orders.csv", bad_rows="quarantine").quarantine is not None


@pytest.mark.parametrize(
    ("key", "source", "is_foreign"),
    [
        ("in/orders/a.json", DIRECTORIES, False),
        ("in/orders/a.json", ONE_FORMAT, True),
        ("in/orders/a.csv", ONE_FORMAT, False),
        ("in/orders/a.csv", SINGLE, False),
        ("in/orders/a.json", None, False),
    ],
)
def test_a_table_takes_its_formats_and_no_other(key: str, source: dict[str, Any] | None, *, is_foreign: bool) -> None:
    assert (planned(key, source=source).problem is not None) == is_foreign


SHEETS = {"excel_sheet": "all"}
BOOK = ObjectRef("acme-in", "in/2026/book.xlsx")


def planned_sheet(name: str, *schemas: dict[str, Any]) -> Plan | Ignored:
    plan = planned(BOOK.key, source=SHEETS, schemas=list(schemas) or None)
    assert isinstance(plan.way, ArchiveTables)
    assert plan.way.are_sheets
    return plan.way.members.plan(name)


@pytest.mark.parametrize(
    ("schemas", "output"),
    [
        ([], "2026/book/Orders"),
        ([{"id": "2026/book"}], "2026/book/Orders"),
        ([{"id": "2026/book", "user_output_name": "shop"}], "shop/Orders"),
        ([{"id": "2026/book"}, {"id": "2026/book/Orders", "user_output_name": "sales"}], "sales"),
        ([{"id": "2026/book", "user_output_name": "shop"}, {"id": "2026/book/Orders"}], "2026/book/Orders"),
    ],
)
def test_a_sheet_has_its_own_output_name_or_is_below_its_workbooks(schemas: list[dict[str, Any]], output: str) -> None:
    plan = planned_sheet("Orders", *schemas)

    assert isinstance(plan, Plan)
    assert plan.output(None, NOON).key == f"lake/{output}.parquet"
    assert plan.recipe.read.excel_sheet == "Orders"


@pytest.mark.parametrize(
    ("schemas", "is_written"),
    [
        ([{"id": "2026/book"}], True),
        ([{"id": "2026/book"}, {"id": "2026/book/Orders", "enabled": False}], False),
        ([{"id": "2026/book", "enabled": False}, {"id": "2026/book/Orders"}], True),
        ([{"id": "2026/book", "enabled": False}], False),
    ],
)
def test_a_sheet_is_written_as_its_own_schema_says_or_its_workbooks(
    schemas: list[dict[str, Any]], *, is_written: bool
) -> None:
    assert isinstance(planned_sheet("Orders", *schemas), Plan) is is_written


@pytest.mark.parametrize(("chosen", "has_problem"), [("Orders", False), ("all", False), ("Returns", True)])
def test_a_sheet_whose_schema_names_another_one_is_a_problem(chosen: str, *, has_problem: bool) -> None:
    plan = planned_sheet("Orders", {"id": "2026/book"}, {"id": "2026/book/Orders", "excel_sheet": chosen})

    assert isinstance(plan, Plan)
    assert (plan.problem is not None) is has_problem
    assert plan.problem is None or "Returns" in str(plan.problem)


def test_outputs_of_sheets_are_below_the_workbooks_name_or_a_given_one() -> None:
    schemas = [{"id": "2026/book/Orders", "user_output_name": "sales"}, {"id": "2026/other", "user_output_name": "x"}]
    workbook = planned(BOOK.key, source=SHEETS, schemas=schemas, automatically_add_new_objects="all")
    keys = ["lake/2026/book/Returns.parquet", "lake/sales.parquet", "lake/x.parquet", "lake/2026/book.parquet"]

    assert [is_output_of(workbook, ObjectRef("acme-out", key)) for key in keys] == [True, True, False, False]


def test_a_workbook_is_one_table_where_no_sheets_are_asked_for() -> None:
    assert planned(BOOK.key).way == OwnOutput()
    assert planned(BOOK.key, source={"excel_sheet": "Orders"}).recipe.read.excel_sheet == "Orders"
