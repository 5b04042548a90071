"""What planning says of an object in words: to which output it goes, what decides besides, and why it goes nowhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from millrace.config.document import Document
from millrace.objects.references import ObjectRef
from millrace.planning.descriptions import Description, describe_plan
from millrace.planning.planner import Planner
from tests.configurations import bulk_sync, document, model_document

SINGLE = {"is_single_table": True, "single_table_name": "orders"}
FOLDER = {"model_from": "multi_file_archive", "subfolder": "people"}
CHOSEN = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def describe(key: str, configuration: Document) -> Description:
    ref = ObjectRef("acme-in", key)
    (plan,) = Planner(configuration).plan(ref, only="nightly")
    return describe_plan(plan, ref)


def describe_bulk(key: str, *, source: dict[str, Any] | None = None, **sync: Any) -> Description:
    return describe(key, document(bulk_sync(**sync), source=source))


def describe_folder(key: str = "in/people/a.csv", **model: Any) -> Description:
    return describe(key, model_document(FOLDER | model, {"bad_rows": "quarantine"}))


def test_an_object_is_read_as_its_name_says_and_goes_to_its_output() -> None:
    description = describe_bulk("in/eu/a.csv")

    assert (description.source, description.sync) == (ObjectRef("acme-in", "in/eu/a.csv"), "nightly")
    assert (description.reads, description.table) == ("csv", "eu/a")
    assert (description.output, description.quarantine) == ("s3://acme-out/lake/eu/a.parquet", None)
    assert (description.note, description.reason, description.is_ignored) == (None, None, False)


@pytest.mark.parametrize(("key", "reads"), [("in/a.csv.gz", "csv, gz"), ("in/a.jsonl", "json"), ("in/a.csv", "csv")])
def test_how_an_object_is_packed_is_said_if_it_is(key: str, reads: str) -> None:
    assert describe_bulk(key).reads == reads


def test_bad_rows_that_are_put_aside_have_an_address() -> None:
    assert describe_bulk("in/a.csv", bad_rows="quarantine").quarantine == "s3://acme-out/lake/_quarantine/a.jsonl"
    assert describe_folder().quarantine == "s3://acme-out/lake/_quarantine/customers.jsonl"


def test_what_only_rows_or_the_clock_say_stands_in_brackets() -> None:
    divided = describe_bulk("in/a.csv", schemas=[{"id": "a", "partition_key": "zip"}])
    timed = describe("in/a.csv", model_document({"key": "in/a.csv"}, {"mode": "snapshot"}))

    assert divided.output == "s3://acme-out/lake/a/zip=<value>/a.parquet"
    assert timed.output == "s3://acme-out/lake/customers/<UTC time>.jsonl"


@pytest.mark.parametrize(
    ("configuration", "key", "note"),
    [
        (document(bulk_sync(mode="snapshot"), source=SINGLE), "in/a.csv", "the newest file is the table"),
        (document(source=SINGLE), "in/a.csv", "with the table's schema"),
        (document(bulk_sync()), "in/a.zip", "each of its members is a table"),
        (document(bulk_sync(), source={"excel_sheet": "all"}), "in/a.xlsx", "each of its sheets is a table"),
        (model_document({"model_from": "multi_file_archive", "key": "in/a.zip"}), "in/a.zip", "members are the files"),
        (model_document(FOLDER), "in/people/a.csv", "made of all files below s3://acme-in/in/people/"),
        (model_document(FOLDER), "in/people/", "made of all files below s3://acme-in/in/people/"),
    ],
)
def test_what_else_decides_is_noted(configuration: Document, key: str, note: str) -> None:
    assert note in str(describe(key, configuration).note)


@pytest.mark.parametrize(("file_format", "reads"), [(None, "each file by its extension"), ("csv", "csv")])
def test_files_of_a_folder_are_read_by_its_format_or_by_their_names(file_format: str | None, reads: str) -> None:
    description = describe_folder(**({"file_format": file_format} if file_format else {}))

    assert (description.reads, description.table) == (reads, "customers")
    assert description.output == "s3://acme-out/lake/customers.jsonl"


def test_an_object_that_is_ignored_has_a_reason_and_no_output() -> None:
    description = describe_bulk("in/a.txt")

    assert description.is_ignored
    assert str(description.reason).startswith("has none of the extensions")
    assert (description.reads, description.table, description.output, description.newer_than) == (None,) * 4


def test_an_object_that_will_fail_says_as_what() -> None:
    description = describe_bulk("in/a.json", source=SINGLE)

    assert not description.is_ignored
    assert str(description.reason).startswith("it will fail as ForeignFormat: ")


@pytest.mark.parametrize(
    ("modified", "is_ignored"), [(CHOSEN - SECOND, True), (CHOSEN, True), (CHOSEN + SECOND, False)]
)
@pytest.mark.parametrize("is_model", [False, True], ids=["of a bulk sync", "of a model"])
def test_a_version_of_the_chosen_time_or_before_is_left_out(
    modified: datetime, *, is_ignored: bool, is_model: bool
) -> None:
    given = {"newer_than": CHOSEN.isoformat()}
    of_any_time = describe_folder(**given) if is_model else describe_bulk("in/a.csv", source=given)
    description = of_any_time.at_time(modified)

    assert (of_any_time.is_ignored, description.is_ignored) == (False, is_ignored)
    assert description.reason == ("is left out by newer_than" if is_ignored else None)
    assert description.output == of_any_time.output


def test_without_a_chosen_time_each_version_is_read() -> None:
    description = describe_bulk("in/a.csv")

    assert description.at_time(datetime(1970, 1, 1, tzinfo=UTC)) == description
