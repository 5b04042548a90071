"""Source columns of objects, of an archive's members and of a model's files, through the worker."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime
from typing import Any

import pytest

from millrace.delivery.object_origin import origin_of
from millrace.objects.references import ObjectRef
from millrace.objects.store import ObjectHead
from tests.configurations import bulk_sync, document, model_document
from tests.examples import Run

COLUMNS = ["file", "row", "version"]


def archive(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        for name, data in members.items():
            packed.writestr(f"{name}.csv", data)
    return file.getvalue()


def rows(run: Run) -> list[dict[str, Any]]:
    run.work(run.uploads())
    (output,) = [data for ref, data in run.outputs().items() if ref.key.endswith(".jsonl")]
    return [json.loads(line) for line in output.splitlines()]


def etag(run: Run, ref: ObjectRef) -> str:
    head = run.store.head(ref)
    assert head is not None
    return head.etag


def test_an_object_has_its_address_and_its_version() -> None:
    ref = ObjectRef("acme-in", "in/a b.csv")
    run = Run(document(bulk_sync(to="json"), source={"source_columns": COLUMNS}), {ref: b"id\n1\n2\n"})

    read = rows(run)

    assert [(row["_file"], row["_row"]) for row in read] == [(str(ref), 1), (str(ref), 2)]
    assert {row["_version"] for row in read} == {etag(run, ref)}


def test_files_of_a_model_have_theirs() -> None:
    files = {
        ObjectRef("acme-in", "in/a.csv"): b"id\n1\n2\n",
        ObjectRef("acme-in", "in/b.json"): b'{"docs":[{"id":3},{"id":4}]}',
    }
    raw = model_document({"subfolder": ""}, source={"source_columns": COLUMNS, "json_records": "docs"})
    run = Run(raw, files)

    read = rows(run)

    assert [(row["id"], row["_file"], row["_row"]) for row in read] == [
        (1, "s3://acme-in/in/a.csv", 1),
        (2, "s3://acme-in/in/a.csv", 2),
        (3, "s3://acme-in/in/b.json", 1),
        (4, "s3://acme-in/in/b.json", 2),
    ]
    assert [row["_version"] for row in read[1:3]] == [etag(run, ref) for ref in files]


def test_members_of_an_archive_are_named_behind_it() -> None:
    ref = ObjectRef("acme-in", "in/all.zip")
    raw = model_document({"key": ref.key}, source={"source_columns": COLUMNS})
    run = Run(raw, {ref: archive(x=b"id\n1\n", y=b"id\n2\n")})

    read = rows(run)

    assert [(row["id"], row["_file"], row["_row"]) for row in read] == [
        (1, f"{ref}/x.csv", 1),
        (2, f"{ref}/y.csv", 1),
    ]
    assert {row["_version"] for row in read} == {etag(run, ref)}


@pytest.mark.parametrize(("version_id", "expected"), [(None, "e"), ("null", "e"), ("v7", "v7")])
def test_the_version_is_the_id_if_the_object_has_one_of_its_own(version_id: str | None, expected: str) -> None:
    head = ObjectHead(etag="e", size=1, modified=datetime(2026, 3, 1, tzinfo=UTC), version_id=version_id)

    assert origin_of(ObjectRef("b", "k"), head).version == expected
