"""Which objects are read, by their paths, and what a told format makes of names that say nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from millrace.config.document import parse
from millrace.engine.options import FileFormat
from millrace.errors import ForeignFormat
from millrace.objects.references import ObjectRef
from millrace.planning.object_filter import ObjectFilter
from millrace.planning.planner import Planner
from millrace.planning.plans import Ignored, Plan, SourceFile
from tests.configurations import bulk_sync, connection, document

TABLE: dict[str, Any] = {"is_single_table": True, "single_table_name": "orders"}
DIRECTORIES: dict[str, Any] = {
    "is_single_table": True,
    "is_directory_snapshot": True,
    "directory_glob_pattern": "*",
}


def plan_of(key: str, *syncs: dict[str, Any], **source: Any) -> Plan | Ignored:
    (plan,) = Planner(document(*syncs, source=source)).plan(ObjectRef("acme-in", key))
    assert isinstance(plan, Plan | Ignored)
    return plan


def reason_of(plan: Plan | Ignored) -> str:
    assert isinstance(plan, Ignored), plan
    return plan.reason


@pytest.mark.parametrize(
    ("path", "left_out"),
    [
        ("a.csv", ""),
        ("_SUCCESS", "'_SUCCESS' begins with '_'"),
        (".part-0.csv", "begins with '.'"),
        ("x/_delta_log/0.json", "'_delta_log'"),
        ("x/.spark/a.csv", "'.spark'"),
        ("x_/a_.csv", ""),
        ("../a.csv", ""),
    ],
)
def test_hidden_names(path: str, left_out: str) -> None:
    reason = ObjectFilter().why_left_out(path)

    assert left_out in reason
    assert bool(reason) == bool(left_out)


@pytest.mark.parametrize(
    ("include", "exclude", "path", "is_read"),
    [
        (("*.csv",), None, "a.csv", True),
        (("*.csv",), None, "deep/down/a.csv", True),
        (("*.csv",), None, "a.json", False),
        (("*.csv",), None, "_a.csv", False),
        (("_*.csv",), None, "_a.csv", True),
        (("_*.csv",), None, "_x/_a.csv", False),
        (("_x/_*.csv",), None, "_x/_a.csv", True),
        (("_x/*.csv",), None, "_x/_a.csv", False),
        (("**/*.csv",), None, "_x/a.csv", False),
        (("_*/**/*.csv",), None, "_x/y/a.csv", True),
        (("*/a.csv",), None, "x/a.csv", True),
        (("*/a.csv",), None, "a.csv", False),
        (None, ("drafts/**",), "drafts/a.csv", False),
        (None, ("drafts/**",), "final/drafts.csv", True),
        (None, ("*_old.csv",), "x/a_old.csv", False),
        (("*.csv",), ("a*",), "a.csv", False),
        (("*.csv",), ("a*",), "b.csv", True),
    ],
)
def test_include_and_exclude(
    include: tuple[str, ...] | None, exclude: tuple[str, ...] | None, path: str, *, is_read: bool
) -> None:
    assert (ObjectFilter(include=include, exclude=exclude).why_left_out(path) == "") is is_read


def test_hidden_objects_are_ignored_in_every_layout() -> None:
    for layout in ({}, TABLE, DIRECTORIES):
        for key in ("in/x/_SUCCESS", "in/x/_a.csv", "in/_x/a.csv", "in/x/.a.csv", "in/_export.zip"):
            assert "is hidden" in reason_of(plan_of(key, **layout))


def test_only_what_is_below_the_connections_folder_can_be_hidden() -> None:
    raw = {
        "connections": [connection("landing", "s3://acme-in/_raw/.in"), connection("lake", "s3://acme-out/lake")],
        "bulk_syncs": [bulk_sync()],
    }

    (plan,) = Planner(parse(raw)).plan(ObjectRef("acme-in", "_raw/.in/a.csv"))

    assert isinstance(plan, Plan)


def test_a_tables_filter_goes_before_its_connections() -> None:
    sync = bulk_sync(schemas=[{"id": "a", "exclude": ["b*"]}, {"id": "b"}])

    assert isinstance(plan_of("in/a.csv", sync, exclude=["*.csv"]), Plan)
    assert "is left out by exclude" in reason_of(plan_of("in/b.csv", sync, exclude=["*.csv"]))


def test_newer_than_is_looked_at_with_the_object() -> None:
    sync = bulk_sync(schemas=[{"id": "a", "newer_than": "2026-02-01T00:00:00Z"}, "b"])
    plans = [plan_of(f"in/{name}.csv", sync, newer_than="2026-01-01T00:00:00Z") for name in "ab"]

    assert [plan.newer_than for plan in plans if isinstance(plan, Plan)] == [
        datetime(2026, 2, 1, tzinfo=UTC),
        datetime(2026, 1, 1, tzinfo=UTC),
    ]


def test_which_objects_there_are_changes_no_fingerprint_of_a_bulk_sync() -> None:
    plain, other = (
        Planner(document(bulk_sync(schemas=["a"]), source=source)).document for source in ({}, {"exclude": ["x"]})
    )

    assert plain.fingerprint(plain.bulk_syncs[0]) == other.fingerprint(other.bulk_syncs[0])


@pytest.mark.parametrize("layout", [TABLE, DIRECTORIES])
@pytest.mark.parametrize(
    ("name", "table_file"),
    [("a.txt", "a"), ("0000_part_00", "0000_part_00"), ("u.000", "u.000"), ("s-2026-11-28-13-uuid.gz", None)],
)
def test_a_told_format_outweighs_a_name_that_says_nothing(
    layout: dict[str, Any], name: str, table_file: str | None
) -> None:
    plan = plan_of(f"in/orders/{name}", **layout)

    assert isinstance(plan, Plan)
    assert (plan.problem, plan.recipe.source_format) == (None, FileFormat.CSV)
    if table_file is not None:
        assert plan.output(None, datetime(2026, 1, 1, tzinfo=UTC)).key.endswith(f"orders/{table_file}.parquet")


def test_other_names_are_as_before() -> None:
    assert isinstance(plan_of("in/a.json", **TABLE), Plan)
    assert isinstance(getattr(plan_of("in/a.json", **TABLE), "problem", None), ForeignFormat)
    assert "says that it is something else" in reason_of(plan_of("in/a.csv.md5", **TABLE))
    assert "has none of the extensions" in reason_of(plan_of("in/a.txt"))


def test_where_several_formats_are_told_the_name_must_say_one() -> None:
    plan = plan_of("in/x/part-0", **DIRECTORIES, single_table_file_formats=["csv", "json"])

    assert isinstance(plan, Plan)
    assert isinstance(plan.problem, ForeignFormat)
    assert "does not say its format" in str(plan.problem)


@pytest.mark.parametrize(
    ("configuration", "key", "is_file"),
    [
        ({"file_format": "csv"}, "in/a.txt", True),
        ({"file_format": "csv"}, "in/part-0", True),
        ({"file_format": "csv"}, "in/a.json", False),
        ({}, "in/a.txt", False),
        ({}, "in/a.csv", True),
        ({}, "in/_a.csv", False),
        ({"include": ["_a.csv"]}, "in/_a.csv", True),
        ({"exclude": ["a*"]}, "in/a.csv", False),
        ({"subfolder": "_sub"}, "in/_sub/a.csv", True),
        ({"subfolder": "_sub"}, "in/_sub/.a.csv", False),
        ({"file_format": "csv"}, "in/a.zip", False),
    ],
)
def test_the_files_of_a_models_folder(configuration: dict[str, Any], key: str, *, is_file: bool) -> None:
    raw = {
        "connections": [connection("landing", "s3://acme-in/in"), connection("lake", "s3://acme-out/lake")],
        "models": [{"name": "orders", "connection": "landing", "configuration": configuration}],
        "model_syncs": [{"name": "push", "model": "orders", "target": {"connection": "lake"}}],
    }
    (plan,) = Planner(parse(raw)).plan(ObjectRef("acme-in", key))

    assert isinstance(plan, SourceFile) is is_file
