"""Two objects that could have one output: the second fails as a collision, and is converted once the output is free."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from millrace.config.document import parse
from millrace.ledger.entries import State
from millrace.objects.references import ObjectRef
from tests.configurations import bulk_sync, connection
from tests.examples import Run

FIRST, SECOND = ObjectRef("acme-in", "in/eu/a.csv"), ObjectRef("acme-in", "in/eu/a.csv.gz")
ONE_TABLE = {"is_single_table": True, "single_table_name": "orders"}
DIRECTORIES = {"is_single_table": True, "is_directory_snapshot": True, "directory_glob_pattern": "*"}


def collide(first: bytes, second: bytes, source: dict[str, Any], **sync: Any) -> Run:
    """The first is converted, and the second, which would have the same output, is not."""
    document = {
        "connections": [connection("landing", "s3://acme-in/in", **source), connection("lake", "s3://acme-out")],
        "bulk_syncs": [bulk_sync("nightly", to="json", on_delete="remove", **sync)],
    }
    run = Run(parse(document), {FIRST: first, SECOND: gzip.compress(second)})
    run.work(run.uploads())
    assert [state_of(run, ref) for ref in (FIRST, SECOND)] == [State.CONVERTED, State.FAILED]
    return run


def state_of(run: Run, ref: ObjectRef) -> State:
    entry = run.ledger.get("nightly", ref)
    assert entry is not None
    return entry.state


def divided(table: str) -> dict[str, Any]:
    return {"schemas": [{"id": table, "partition_key": "country"}]}


@pytest.mark.parametrize(
    ("source", "sync"),
    [
        ({}, {}),
        (ONE_TABLE, {}),
        (DIRECTORIES, {}),
        ({}, divided("eu/a")),
        (ONE_TABLE, divided("orders")),
    ],
    ids=["each a table", "files of one table", "files of a directory", "divided tables", "files of a divided table"],
)
def test_the_second_is_converted_when_the_first_is_deleted(source: dict[str, Any], sync: dict[str, Any]) -> None:
    run = collide(b"id,country\n1,de\n", b"id,country\n7,de\n", source, **sync)

    run.work(run.deletions([FIRST]))

    assert state_of(run, SECOND) is State.CONVERTED
    (output,) = run.outputs().values()
    assert b'"id":7' in output


def test_the_second_is_converted_when_the_first_has_its_partition_no_more() -> None:
    run = collide(b"id,country\n1,de\n2,fr\n", b"id,country\n7,de\n", {}, **divided("eu/a"))

    run.upload(FIRST, b"id,country\n2,fr\n")

    assert state_of(run, SECOND) is State.CONVERTED
    assert sorted(ref.key for ref in run.outputs()) == ["eu/a/country=de/a.jsonl", "eu/a/country=fr/a.jsonl"]
