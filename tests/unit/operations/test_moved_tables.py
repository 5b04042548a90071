"""Which run may give a table of several formats another one: one over a whole table that has moved."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from millrace.engine.options import FileFormat
from millrace.ledger.entries import Entry, State
from millrace.ledger.table_entries import FormatEntry
from millrace.objects.references import ObjectRef
from millrace.operations.moved_tables import MovedTables
from millrace.operations.reprocess import Reprocess, Reprocessor
from millrace.operations.stale import StaleReason
from millrace.planning.plans import Plan
from tests.configurations import bulk_sync
from tests.world import World

CSV, JSON, MORE_JSON = (ObjectRef("acme-in", f"in/eu/{name}") for name in ("c.csv", "a.jsonl", "b.jsonl.gz"))
TABLE = ObjectRef("acme-in", "in/eu")


def build(*files: ObjectRef, kept: FileFormat | None = FileFormat.CSV, glob: str = "*", **fields: Any) -> World:
    """A table of some files, whose format in the ledger is ``kept``."""
    source = {
        "is_single_table": True,
        "is_directory_snapshot": True,
        "directory_glob_pattern": glob,
        "single_table_file_formats": ["csv", "json"],
    }
    world = World(syncs=(bulk_sync(to="json"),), source=source | fields)
    for file in files:
        world.upload(ref=file)
    entry = FormatEntry(
        sync="nightly", source=TABLE, revision=1, fingerprint="f", format=kept, finished=world.now, run_id="r"
    )
    world.ledger.put(entry)
    return world


def ask(world: World, **wish: Any) -> dict[str, bool]:
    """Ask for a run; whether each file's request may decide the format of its table."""
    for source in list(world.store.buckets["acme-in"]):
        entry = Entry.unseen("nightly", ObjectRef("acme-in", source), fingerprint="f", engine="0")
        world.ledger.entries["nightly", entry.source] = entry
    reprocessor = Reprocessor(
        planner=world.planner,
        stores={"landing": world.store},
        index=world.ledger,
        ledger=world.ledger,
        engine="1",
        queues={"landing": world.queue},
        now=lambda: world.now,
    )
    reprocessor.run(Reprocess(sync="nightly", **wish))
    return {request.change.ref.key.rpartition("/")[2]: request.decides_format for request in world.queue.sent}


@pytest.mark.parametrize("prefix", [None, "eu/", "in/e", "in/", "eu", "s3://acme-in/in/eu/"])
def test_a_run_over_a_whole_table_that_has_moved_decides(prefix: str | None) -> None:
    assert ask(build(JSON, MORE_JSON), prefix=prefix) == {"a.jsonl": True, "b.jsonl.gz": True}


@pytest.mark.parametrize(
    "wish",
    [
        {"keys": (JSON.key,)},
        {"state": State.WAITING},
        {"prefix": "in/eu/a"},
        {"prefix": "in/eu/a.jsonl"},
        {"stale": frozenset(StaleReason)},
        {"state": State.WAITING, "reset_schema": True},
    ],
)
def test_a_run_over_a_part_of_a_table_decides_nothing(wish: dict[str, Any]) -> None:
    world = build(JSON)

    assert not any(ask(world, **wish).values())


def test_one_file_of_the_tables_format_is_enough_for_it_to_stay() -> None:
    """It may have come meanwhile, or be the one that a run that was cut off did not reach."""
    assert not any(ask(build(JSON, MORE_JSON, CSV)).values())


def test_files_of_other_tables_are_no_reason_to_stay() -> None:
    others = (ObjectRef("acme-in", "in/asia/x.csv"), ObjectRef("acme-in", "in/eu/deeper/x.csv"))

    assert ask(build(JSON, *others, glob="**")) == {"a.jsonl": True, "x.csv": False}


@pytest.mark.parametrize("kept", [None, FileFormat.JSON])
def test_nothing_is_listed_for_a_table_that_has_the_files_format_or_none(
    kept: FileFormat | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = build(JSON, kept=kept)
    (plan,) = world.planner.plan(JSON)
    monkeypatch.setattr(type(world.store), "list", lambda *_: pytest.fail("a listing"))
    moved = MovedTables(planner=world.planner, ledger=world.ledger, store=world.store)

    assert isinstance(plan, Plan)
    assert not moved.has_moved(plan)


@pytest.mark.parametrize("foreign", ["readme", "x.parquet", "_old/x.csv", ".hidden.csv"])
def test_what_is_no_file_of_the_table_is_no_reason_to_stay(foreign: str) -> None:
    decides = ask(build(JSON, ObjectRef("acme-in", f"in/eu/{foreign}")))

    assert decides["a.jsonl"]


@pytest.mark.parametrize(
    ("days", "decides"), [(1, True), (0, True), (-1, False)], ids=["left out", "of that very time", "of the table"]
)
def test_files_that_newer_than_leaves_out_are_no_reason_to_stay(days: int, *, decides: bool) -> None:
    world = build(JSON, CSV)
    bucket = world.store.buckets["acme-in"]
    modified = bucket[CSV.key].modified
    world.source = (world.source or {}) | {"newer_than": (modified + timedelta(days=days)).isoformat()}
    bucket[JSON.key] = replace(bucket[JSON.key], modified=modified + timedelta(days=2))

    assert ask(world)["a.jsonl"] == decides
