"""What a model sync makes of an object: the model's file, one of its files, its archive, or nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from millrace.engine.options import FileFormat
from millrace.objects.references import ObjectRef
from millrace.objects.store import ListedObject
from millrace.planning.model_syncs import file_of, select_files
from millrace.planning.planner import Planner
from millrace.planning.plans import (
    AnyPlan,
    ArchiveOutput,
    Build,
    Ignored,
    OwnOutput,
    Plan,
    SharedTable,
    SourceFile,
    Way,
)
from tests.configurations import model_document

FOLDER: dict[str, Any] = {"model_from": "multi_file_archive", "subfolder": "people"}
OBJECT = {"model_from": "single_file", "key": "in/customers.csv"}
ARCHIVE = {"model_from": "multi_file_archive", "key": "in/people.zip"}
MODIFIED = datetime(2026, 11, 28, 11, 5, tzinfo=UTC)


def plans_of(key: str, model: dict[str, Any], *, bucket: str = "acme-in", **sync: Any) -> tuple[AnyPlan, ...]:
    return Planner(model_document(model, sync)).plan(ObjectRef(bucket, key), only="nightly")


def plan_of(key: str, model: dict[str, Any], **sync: Any) -> AnyPlan:
    (plan,) = plans_of(key, model, **sync)
    return plan


def planned(key: str, model: dict[str, Any], **sync: Any) -> Plan:
    plan = plan_of(key, model, **sync)
    assert isinstance(plan, Plan), plan
    return plan


def build_of(model: dict[str, Any], **sync: Any) -> Build:
    plan = plan_of("in/people/", model, **sync)
    assert isinstance(plan, Build), plan
    return plan


@pytest.mark.parametrize(
    ("key", "model"),
    [
        ("in/customers.csv", OBJECT | {"key": "in/other.csv"}),
        ("in/customers.csv.bak", OBJECT),
        ("in/other/a.csv", FOLDER),
        ("in/people.csv", FOLDER),
    ],
)
def test_what_is_outside_the_model_is_nobodys(key: str, model: dict[str, Any]) -> None:
    assert plans_of(key, model) == ()


@pytest.mark.parametrize(("key", "model"), [("in/customers.csv", OBJECT), ("in/people/a.csv", FOLDER)])
def test_an_object_of_another_bucket_is_nobodys(key: str, model: dict[str, Any]) -> None:
    assert plans_of(key, model, bucket="acme-else") == ()
    assert len(plans_of(key, model)) == 1


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("in/people/old/", "folder marker"),
        ("in/people/notes.pdf", "its extension says that it is something else"),
        ("in/people/a.json", "is a json file, and the model's files are csv"),
    ],
)
def test_what_is_no_file_of_the_model_is_ignored_with_the_reason(key: str, told: str) -> None:
    plan = plan_of(key, FOLDER | {"file_format": "csv"})

    assert isinstance(plan, Ignored)
    assert told in plan.reason
    assert plan.reason.startswith(f"s3://acme-in/{key} ")


def test_a_file_of_a_folder_asks_for_the_build_of_its_table() -> None:
    plan = plan_of("in/people/eu/a.csv", FOLDER)
    build = build_of(FOLDER)

    assert plan == SourceFile(source=ObjectRef("acme-in", "in/people/eu/a.csv"), build=build)
    assert (plan.sync, plan.fingerprint) == (build.sync, build.fingerprint) == ("nightly", plan.fingerprint)
    assert plan.source_connection == build.source_connection == "landing"
    assert plan.shape == build.shape != build_of(FOLDER, bad_rows="quarantine").shape
    assert plan.fingerprint


def test_an_event_for_the_folders_marker_asks_for_nothing() -> None:
    """Only Millrace itself asks for a build, and names the sync."""
    assert Planner(model_document(FOLDER)).plan(ObjectRef("acme-in", "in/people/")) == ()


def test_a_model_of_all_of_a_bucket_is_the_folder_slash() -> None:
    whole = model_document({"model_from": "multi_file_archive"}, source={"s3_bucket_name": "s3://acme-in"})

    (plan,) = Planner(whole).plan(ObjectRef("acme-in", "a.csv"))

    assert isinstance(plan, SourceFile)
    assert plan.build.folder == ObjectRef("acme-in", "/")


def test_appended_files_have_an_output_each_and_share_the_schema() -> None:
    plan = planned("in/people/eu/a.csv", FOLDER, mode="append")

    assert plan.way == SharedTable(table=ObjectRef("acme-in", "in/people/"))
    assert plan.output(None, MODIFIED) == ObjectRef("acme-out", "lake/customers/eu/a.jsonl")
    assert not plan.keep_earlier


@pytest.mark.parametrize(
    ("model", "key", "mode", "way", "output"),
    [
        (OBJECT, "in/customers.csv", "replace", OwnOutput(), "customers"),
        (OBJECT, "in/customers.csv", "append", OwnOutput(), "customers/customers"),
        (OBJECT, "in/customers.csv", "snapshot", OwnOutput(keep_earlier=True), "customers/20261128T110500Z"),
        (ARCHIVE, "in/people.zip", "replace", ArchiveOutput(members_format=None), "customers"),
        (ARCHIVE, "in/people.zip", "append", ArchiveOutput(members_format=None), "customers/people"),
        (
            ARCHIVE | {"key": "in/people.TAR.GZ", "file_format": "json"},
            "in/people.TAR.GZ",
            "append",
            ArchiveOutput(members_format=FileFormat.JSON),
            "customers/people",
        ),
        (
            ARCHIVE,
            "in/people.zip",
            "snapshot",
            ArchiveOutput(members_format=None, keep_earlier=True),
            "customers/20261128T110500Z",
        ),
    ],
)
def test_the_way_and_the_output_follow_model_and_mode(
    model: dict[str, Any], key: str, mode: str, way: Way, output: str
) -> None:
    plan = planned(key, model, mode=mode)

    assert plan.way == way
    assert plan.keep_earlier == (mode == "snapshot")
    assert not plan.remove_outputs
    assert plan.output(None, MODIFIED).key == f"lake/{output}.jsonl"


def test_a_name_like_an_archives_is_kept_where_none_is_read() -> None:
    model = {"model_from": "single_file", "key": "in/people.zip.csv"}

    assert planned("in/people.zip.csv", model, mode="append").output(None, MODIFIED).key == (
        "lake/customers/people.zip.jsonl"
    )


@pytest.mark.parametrize(
    ("key", "file_format", "read_as"),
    [
        ("in/customers.csv", None, FileFormat.CSV),
        ("in/customers.csv", "json", FileFormat.JSON),
        ("in/export.txt", "csv", FileFormat.CSV),
        ("in/export.txt", "json", FileFormat.JSON),
    ],
)
def test_of_one_object_the_models_format_goes_before_the_extension(
    key: str, file_format: str | None, read_as: FileFormat
) -> None:
    model = {"model_from": "single_file", "key": key} | ({"file_format": file_format} if file_format else {})

    assert planned(key, model).recipe.source_format is read_as


@pytest.mark.parametrize(("file_format", "read_as"), [(None, FileFormat.CSV), ("json", FileFormat.JSON)])
def test_members_and_files_are_read_in_the_models_format(file_format: str | None, read_as: FileFormat) -> None:
    """Without one each is read by its name; what stands in the recipe is then of no matter."""
    given = {"file_format": file_format} if file_format else {}
    build = build_of(FOLDER | given)

    assert planned("in/people.zip", ARCHIVE | given).recipe.source_format is read_as
    assert build.recipe.source_format is read_as
    assert build.file_format == (read_as if file_format else None)


@pytest.mark.parametrize(
    ("key", "file_format", "is_file"),
    [
        ("in/people/a.csv", None, True),
        ("in/people/a.json", None, True),
        ("in/people/a.json", "csv", False),
        ("in/people/a.csv", "csv", True),
        ("in/people/a.txt", None, False),
        ("in/people/a.csv/", None, False),
    ],
)
def test_a_build_takes_the_files_of_its_format(key: str, file_format: str | None, *, is_file: bool) -> None:
    build = build_of(FOLDER | ({"file_format": file_format} if file_format else {}))

    assert (file_of(build, key) is not None) == is_file


@pytest.mark.parametrize(
    ("mode", "quarantine"),
    [("replace", "customers"), ("snapshot", "customers"), ("append", "customers/eu/a")],
)
def test_bad_rows_of_a_model_go_beside_its_output_where_that_is_asked(mode: str, quarantine: str) -> None:
    plans = {rule: plan_of("in/people/eu/a.csv", FOLDER, mode=mode, bad_rows=rule) for rule in ("fail", "quarantine")}
    refs = {rule: (plan.build if isinstance(plan, SourceFile) else plan) for rule, plan in plans.items()}

    assert not isinstance(refs["fail"], Ignored)
    assert not isinstance(refs["quarantine"], Ignored)
    assert refs["fail"].quarantine is None
    assert refs["quarantine"].quarantine == ObjectRef("acme-out", f"lake/_quarantine/{quarantine}.jsonl")


@pytest.mark.parametrize(("mode", "keeps"), [("replace", False), ("snapshot", True)])
def test_a_build_keeps_what_was_built_earlier_only_as_snapshots(mode: str, *, keeps: bool) -> None:
    assert build_of(FOLDER, mode=mode).keep_earlier == keeps


def test_a_models_lines_to_skip_go_before_the_connections() -> None:
    def skipped(given: dict[str, Any]) -> int:
        document = model_document(OBJECT | given, source={"skip_lines": 2})
        (plan,) = Planner(document).plan(ObjectRef("acme-in", "in/customers.csv"))
        assert isinstance(plan, Plan)
        return plan.recipe.read.skip_lines

    assert (skipped({"skip_lines": 3}), skipped({})) == (3, 2)


def test_of_a_named_object_its_age_does_not_matter() -> None:
    """Its model's key chooses it; ``newer_than`` chooses among the files of a folder."""

    def chosen(key: str, model: dict[str, Any]) -> datetime | None:
        document = model_document(model, {"mode": "append"}, source={"newer_than": MODIFIED.isoformat()})
        (plan,) = Planner(document).plan(ObjectRef("acme-in", key))
        assert isinstance(plan, Plan)
        return plan.newer_than

    assert chosen("in/customers.csv", OBJECT) is chosen("in/people.zip", ARCHIVE) is None
    assert chosen("in/people/a.csv", FOLDER) == MODIFIED


@pytest.mark.parametrize(
    ("name", "age", "is_read"),
    [
        ("a.csv", timedelta(seconds=1), True),
        ("a.csv", timedelta(0), False),
        ("a.csv", timedelta(seconds=-1), False),
        ("a.png", timedelta(seconds=1), False),
    ],
)
def test_a_table_is_made_of_the_files_that_are_newer(name: str, age: timedelta, *, is_read: bool) -> None:
    document = model_document(FOLDER, {}, source={"newer_than": MODIFIED.isoformat()})
    ref = ObjectRef("acme-in", f"in/people/{name}")
    (build,) = Planner(document).plan(ObjectRef("acme-in", "in/people/"), only="nightly")
    assert isinstance(build, Build)

    file = ListedObject(ref, "e", 1, MODIFIED + age)

    assert select_files(build, [file]) == ([file] if is_read else [])


@pytest.mark.parametrize(("length", "fits"), [(1024, True), (1025, False)])
def test_the_output_of_an_appended_file_must_fit_into_a_key(length: int, *, fits: bool) -> None:
    stem = "a" * (length - len("lake/customers/.jsonl"))
    whole = model_document(
        {"model_from": "multi_file_archive"}, {"mode": "append"}, source={"s3_bucket_name": "s3://acme-in"}
    )
    (plan,) = Planner(whole).plan(ObjectRef("acme-in", f"{stem}.csv"))

    assert isinstance(plan, Plan)
    assert (plan.problem is None) == fits
