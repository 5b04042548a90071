"""Which syncs want an object, and where its output goes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from millrace.engine.options import BadRows, Compression, FileFormat
from millrace.errors import ForeignFormat, KeyTooLong
from millrace.objects.references import ObjectRef
from millrace.planning.planner import Planner
from millrace.planning.plans import Ignored, Plan
from tests.configurations import bulk_sync, document


def planned(key: str, *syncs: dict[str, Any], source: dict[str, Any] | None = None, bucket: str = "acme-in") -> Plan:
    (plan,) = Planner(document(*syncs, source=source)).plan(ObjectRef(bucket, key))
    assert isinstance(plan, Plan), plan
    return plan


def target_of(plan: Plan) -> ObjectRef:
    return plan.output(None, datetime(2026, 11, 22, tzinfo=UTC))


@pytest.mark.parametrize(
    ("key", "to", "subfolder", "target"),
    [
        ("in/orders.csv", "parquet", "", "lake/orders.parquet"),
        ("in/orders.csv", "json", "", "lake/orders.jsonl"),
        ("in/orders.csv", "json-doc", "", "lake/orders.json"),
        ("in/orders.jsonl", "csv", "reports", "lake/reports/orders.csv"),
        ("in/eu/2026 q1+ü.csv.gz", "parquet", "reports/daily", "lake/reports/daily/eu/2026 q1+ü.parquet"),
        ("in//odd.v2.csv", "parquet", "", "lake//odd.v2.parquet"),
    ],
)
def test_the_output_key_follows_the_path_below_the_source_folder(
    key: str, to: str, subfolder: str, target: str
) -> None:
    plan = planned(key, bulk_sync(to=to, subfolder=subfolder))

    assert target_of(plan) == ObjectRef("acme-out", target)


def test_a_single_table_has_a_folder_of_its_name() -> None:
    plan = planned("in/2026/01.csv", source={"is_single_table": True, "single_table_name": "orders"})

    assert target_of(plan).key == "lake/orders/2026/01.parquet"


def test_a_file_of_another_format_in_a_single_table_is_a_problem_that_names_both() -> None:
    plan = planned("in/a.json", source={"is_single_table": True, "single_table_name": "orders"})

    assert isinstance(plan.problem, ForeignFormat)
    assert "json" in str(plan.problem)
    assert "csv" in str(plan.problem)


def test_reading_follows_the_connection_and_the_extension() -> None:
    plan = planned("in/a.csv.zst", source={"skip_lines": 2, "csv_has_headers": False, "csv_delimiter": ";"})

    assert (plan.recipe.source_format, plan.recipe.target_format) == (FileFormat.CSV, FileFormat.PARQUET)
    assert plan.recipe.read.compression is Compression.ZSTD
    assert (plan.recipe.read.skip_lines, plan.recipe.read.has_headers, plan.recipe.read.delimiter) == (2, False, ";")


def test_a_tsv_is_divided_by_tabs_unless_the_connection_says_otherwise() -> None:
    assert planned("in/a.tsv").recipe.read.delimiter == "\t"
    assert planned("in/a.tsv", source={"csv_delimiter": "bar"}).recipe.read.delimiter == "|"
    assert planned("in/a.csv").recipe.read.delimiter is None


@pytest.mark.parametrize(
    ("key", "told"), [("in/", "folder marker"), ("in/a/", "folder marker"), ("in/a.txt", ".jsonl")]
)
def test_what_is_no_file_of_a_table_is_ignored_with_the_reason(key: str, told: str) -> None:
    (plan,) = Planner(document()).plan(ObjectRef("acme-in", key))

    assert isinstance(plan, Ignored)
    assert told in plan.reason


@pytest.mark.parametrize(
    ("bucket", "key"), [("acme-in", "other/a.csv"), ("acme-in", "inn/a.csv"), ("else", "in/a.csv")]
)
def test_what_is_outside_the_folder_is_nobodys(bucket: str, key: str) -> None:
    assert Planner(document()).plan(ObjectRef(bucket, key)) == ()


def test_every_active_sync_plans_for_itself() -> None:
    planner = Planner(
        document(
            bulk_sync("a", subfolder="a"),
            bulk_sync("b", to="csv", subfolder="b"),
            bulk_sync("c", subfolder="c", active=False),
        )
    )

    assert [plan.sync for plan in planner.plan(ObjectRef("acme-in", "in/x.csv"))] == ["a", "b"]
    assert [plan.sync for plan in planner.plan(ObjectRef("acme-in", "in/x.csv"), only="b")] == ["b"]


def test_quarantined_rows_go_beside_the_table_out_of_readers_sight() -> None:
    plan = planned("in/eu/a.csv", bulk_sync(bad_rows="quarantine", subfolder="r"))

    assert plan.recipe.read.bad_rows is BadRows.QUARANTINE
    assert plan.quarantine == ObjectRef("acme-out", "lake/r/_quarantine/eu/a.jsonl")


def test_a_key_that_would_be_too_long_for_s3_is_a_problem() -> None:
    assert isinstance(planned("in/" + "ü" * 509 + ".csv").problem, KeyTooLong)
    assert planned("in/" + "a" * 1000 + ".csv").problem is None


def test_a_partition_whose_output_would_have_too_long_a_key_is_refused() -> None:
    """The directory is at most 255 bytes, so it is the sum that counts."""
    plan = planned("in/" + "a" * 450 + ".csv")
    modified = datetime(2026, 11, 22, tzinfo=UTC)

    assert plan.problem is None
    with pytest.raises(KeyTooLong, match="S3 allows 1024"):
        plan.output("country=" + "д" * 100, modified)
    assert "country=de" in plan.output("country=de", modified).key


def test_the_fingerprint_changes_with_what_shapes_the_output_alone() -> None:
    plain = planned("in/a.csv").fingerprint

    assert planned("in/a.csv", source={"skip_lines": 1}).fingerprint != plain
    assert planned("in/a.csv", bulk_sync(to="csv")).fingerprint != plain
    assert planned("in/a.csv", bulk_sync(on_delete="remove")).fingerprint == plain
