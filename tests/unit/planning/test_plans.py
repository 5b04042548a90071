"""Which keys are outputs of a plan, and which no output may have."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.errors import KeyTooLong, UsageError
from millrace.objects.output_names import OutputVersion
from millrace.objects.references import ObjectRef
from millrace.planning.planner import ActiveSync, Planner
from millrace.planning.plans import Build, Plan, SourceFile, has_moved, is_output_of, is_quarantine_of
from millrace.planning.targets import is_record, read_times
from tests.configurations import bulk_sync, document, model_document

FOLDER = {"model_from": "multi_file_archive", "subfolder": "people"}
SINGLE = {"is_single_table": True, "single_table_name": "orders"}


def plan_of(key: str, *, source: dict[str, Any] | None = None, **sync: Any) -> Plan:
    (plan,) = Planner(document(bulk_sync(**sync), source=source)).plan(ObjectRef("acme-in", key))
    assert isinstance(plan, Plan)
    return plan


def build_of(mode: str) -> Build:
    (plan,) = Planner(model_document(FOLDER, {"mode": mode})).plan(ObjectRef("acme-in", "in/people/a.csv"))
    assert isinstance(plan, SourceFile)
    return plan.build


REPLICATED = plan_of("in/eu/a.csv", bad_rows="quarantine")
SHARED = plan_of("in/eu/a.csv", source=SINGLE)
SNAPSHOT = plan_of("in/eu/a.csv", source=SINGLE, mode="snapshot")


@pytest.mark.parametrize(
    ("plan", "keys"),
    [
        (
            REPLICATED,
            ["lake/eu/a.parquet", "lake/eu/a/country=de/a.parquet", "lake/_quarantine/eu/a.jsonl"],
        ),
        (SHARED, ["lake/orders/eu/a.parquet", "lake/orders/country=de/eu/a.parquet"]),
        (SNAPSHOT, ["lake/orders/orders.parquet", "lake/orders/country=de/orders.parquet"]),
        (build_of("replace"), ["lake/customers.jsonl"]),
        (build_of("snapshot"), ["lake/customers/20261128T110500Z.jsonl"]),
    ],
)
def test_an_output_is_at_a_key_that_planning_gives(plan: Plan | Build, keys: list[str]) -> None:
    copies = [*(f"lake/copy/{key}" for key in keys), *(f"{key}.bak" for key in keys), "lake/customers/x.jsonl"]

    assert [key for key in keys if not is_output_of(plan, ObjectRef("acme-out", key))] == []
    assert [key for key in copies if is_output_of(plan, ObjectRef("acme-out", key))] == []
    assert [key for key in keys if is_output_of(plan, ObjectRef("acme-else", key))] == []


@pytest.mark.parametrize(
    "key",
    [
        "lake/eu/a/country=de/b.parquet",
        "lake/eu/a/x/country=de/a.parquet",
        "lake/eu/a/country=de/x/a.parquet",
        "lake/eu/a/country/a.parquet",
    ],
)
def test_another_folder_is_no_partition(key: str) -> None:
    assert not is_output_of(REPLICATED, ObjectRef("acme-out", key))


def test_a_name_like_that_of_another_syncs_versions_is_no_output_of_a_plan_without_any() -> None:
    """Such files lie in the same folder, where a sync had Iceberg once."""
    version = OutputVersion.planned("nightly", REPLICATED.source)

    assert not is_output_of(REPLICATED, ObjectRef("acme-out", f"lake/eu/a{version}.parquet"))
    assert not is_output_of(build_of("replace"), ObjectRef("acme-out", f"lake/customers{version}.jsonl"))


def test_outputs_that_are_never_written_over_are_known_by_their_own_objects_versions() -> None:
    appended = plan_of("in/eu/a.csv", source=SINGLE, to="iceberg")
    version = appended.place.version
    assert version is not None
    own, another = version.at_claim(3, None), OutputVersion.planned("nightly", ObjectRef("acme-in", "in/eu/b.csv"))

    assert is_output_of(appended, ObjectRef("acme-out", f"lake/orders/eu/a{own}.parquet"))
    assert not is_output_of(appended, ObjectRef("acme-out", f"lake/orders/eu/a{another}.parquet"))
    assert not is_output_of(appended, ObjectRef("acme-out", "lake/orders/eu/a.parquet"))


@pytest.mark.parametrize(
    ("key", "source", "sync", "is_archive"),
    [
        ("in/a.csv", None, {}, False),
        ("in/a.zip", None, {}, True),
        ("in/a.zip", SINGLE, {}, True),
        ("in/a.xlsx", {"excel_sheet": "all"}, {}, False),
    ],
    ids=["a file", "of many tables", "one file of a table", "a workbook"],
)
def test_an_archive_is_a_zip_or_a_tar_however_its_members_are_read(
    key: str, source: dict[str, Any] | None, sync: dict[str, Any], *, is_archive: bool
) -> None:
    assert plan_of(key, source=source, **sync).is_archive is is_archive


@pytest.mark.parametrize(
    ("key", "sync", "several"),
    [
        ("in/a.csv", {}, False),
        ("in/a.csv", {"schemas": [{"id": "a", "partition_key": "country"}]}, True),
        ("in/a.csv", {"bad_rows": "quarantine"}, True),
        ("in/a.zip", {}, True),
    ],
    ids=["one", "partitions", "bad rows aside", "tables of an archive"],
)
def test_an_output_may_be_more_than_one_object(key: str, sync: dict[str, Any], *, several: bool) -> None:
    assert plan_of(key, **sync).has_several_outputs is several


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("lake/eu/a.parquet", False),
        ("lake/eu/a/country=de/a.parquet", False),
        ("lake/_quarantine/eu/a.jsonl", False),
        ("lake/eu/a/Orders.parquet", True),
        ("lake/sales.parquet", True),
        ("lake/eu/a/Orders.jsonl", False),
        ("lakes/eu/a/Orders.parquet", False),
    ],
)
def test_an_output_has_moved_if_another_source_could_have_its_place(key: str, *, expected: bool) -> None:
    assert has_moved(REPLICATED, ObjectRef("acme-out", key)) is expected
    assert not has_moved(REPLICATED, ObjectRef("acme-else", key))


@pytest.mark.parametrize(
    ("bucket", "key", "is_output", "is_quarantine"),
    [
        ("acme-out", "lake/export/a.parquet", True, False),
        ("acme-out", "lake/export/country=de/a.parquet", True, False),
        ("acme-out", "lake/sales.parquet", True, False),
        ("acme-out", "lake/_quarantine/export/a.jsonl", True, True),
        ("acme-out", "lake/_quarantine/sales.jsonl", True, True),
        ("acme-out", "lake/other.parquet", False, False),
        ("acme-out", "lake/_quarantine/other.jsonl", False, False),
        ("acme-out", "else/export/a.parquet", False, False),
        ("acme-else", "lake/_quarantine/export/a.jsonl", False, False),
    ],
)
def test_outputs_and_bad_rows_of_members_are_below_the_archives_name_or_have_a_given_one(
    bucket: str, key: str, *, is_output: bool, is_quarantine: bool
) -> None:
    schemas = [{"id": "export/orders", "user_output_name": "sales"}, {"id": "other", "user_output_name": "others"}]
    archive = plan_of("in/export.zip", schemas=schemas, automatically_add_new_objects="all", bad_rows="quarantine")
    ref = ObjectRef(bucket, key)

    assert (is_output_of(archive, ref), is_quarantine_of(archive, ref)) == (is_output, is_quarantine)


def test_an_output_of_a_model_never_moves() -> None:
    (plan,) = Planner(model_document({"key": "in/a.csv"})).plan(ObjectRef("acme-in", "in/a.csv"))
    assert isinstance(plan, Plan)

    assert not has_moved(plan, ObjectRef("acme-out", "lake/other.jsonl"))


def test_only_real_times_are_read_from_a_key() -> None:
    assert [time.isoformat() for time in read_times("a/20261128T110500Z-20260231T000000Z/20260101T000000Z.csv")] == [
        "2026-11-28T11:05:00+00:00",
        "2026-01-01T00:00:00+00:00",
    ]
    assert read_times("a/2026/11.csv") == []


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (".millrace/nightly.files", True),
        ("lake/.millrace/nightly.files", True),
        ("lake/x.millrace/a.csv", False),
        ("lake/.millrace.csv", False),
        ("lake/millrace/a.csv", False),
    ],
)
def test_millraces_own_records_are_no_input(key: str, *, expected: bool) -> None:
    ref = ObjectRef("acme-in", key)

    assert is_record(ref) == expected
    assert Planner(document(source={"s3_bucket_name": "s3://acme-in"})).plan(ref) == () or not expected


@pytest.mark.parametrize(("length", "fits"), [(1024, True), (1025, False)])
def test_a_key_of_1024_bytes_is_the_longest(length: int, *, fits: bool) -> None:
    stem = "a" * (length - len("lake/.parquet"))

    assert (plan_of(f"in/{stem}.csv").problem is None) == fits


@pytest.mark.parametrize(("rule", "fits"), [("fail", True), ("quarantine", False)])
def test_the_quarantine_of_an_output_must_fit_as_well(rule: str, *, fits: bool) -> None:
    """Its key is longer by a folder's name."""
    problem = plan_of("in/" + "a" * 1005 + ".csv", bad_rows=rule).problem

    assert (problem is None) == fits
    assert problem is None or (isinstance(problem, KeyTooLong) and "_quarantine" in str(problem))


def test_an_active_sync_is_found_by_its_name_and_others_are_listed() -> None:
    given = document(bulk_sync("a", subfolder="a"), bulk_sync("b", subfolder="b"), bulk_sync("c", active=False))
    planner = Planner(given)

    assert planner.document is given
    assert planner.active_sync("b") == ActiveSync("b", "landing", given.connection("landing").root)
    with pytest.raises(UsageError, match=r"no active sync 'c'; the configuration has \['a', 'b'\]"):
        planner.active_sync("c")
