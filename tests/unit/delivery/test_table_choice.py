"""Which file a table is made of, which of its files are asked for, and who may decide its format."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from millrace.delivery.snapshot_table import finish_not_the_newest, may_be_of, table_of
from millrace.delivery.table_files import TableFiles
from millrace.delivery.table_format import is_decided, may_publish, open_format
from millrace.engine.options import FileFormat
from millrace.engine.row_counts import NO_ROWS, RowCounts
from millrace.errors import ForeignFormat, MalformedFile, ServiceUnavailable
from millrace.ledger.entries import STALE_MARK, Entry, Failure, State
from millrace.ledger.rules import MOST_ATTEMPTS, Refusal, RefusalKind
from millrace.ledger.table_entries import FormatEntry, TableEntry, TableOrder
from millrace.objects.messages import Request
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef
from millrace.objects.store import ObjectHead
from millrace.planning.planner import Planner
from millrace.planning.plans import Plan
from tests.configurations import bulk_sync, document
from tests.fakes import InMemoryObjectStore, InMemoryQueue
from tests.world import NOON, World

SECOND = timedelta(seconds=1)
TABLE = ObjectRef("acme-in", "in/t")
A, B, C = (ObjectRef("acme-in", f"in/{name}.csv") for name in "abc")
BLANK = TableEntry.unseen("nightly", TABLE, fingerprint="f", engine="1")
THREE_ROWS = RowCounts(read=3, written=3)
MADE_OF_A = replace(BLANK, state=State.CONVERTED, file=A, order=TableOrder.of(NOON, A), rows=THREE_ROWS)
HEAD = ObjectHead(etag="e", size=1, modified=NOON)
SINGLE = {"is_single_table": True, "single_table_name": "t"}
DIRECTORIES = {
    "is_single_table": True,
    "is_directory_snapshot": True,
    "directory_glob_pattern": "*",
    "single_table_file_formats": ["csv", "json"],
}
TRANSIENT = Failure.of(ServiceUnavailable("503"))


def plan_of(ref: ObjectRef, *, source: dict[str, Any] | None = None, **sync: Any) -> Plan:
    (plan,) = Planner(document(bulk_sync(to="json", **sync), source=source)).plan(ref)
    assert isinstance(plan, Plan)
    return plan


@pytest.mark.parametrize(
    ("entry", "source", "may_be"),
    [
        (MADE_OF_A, A, True),
        (MADE_OF_A, B, False),
        (replace(MADE_OF_A, state=State.IN_FLIGHT), B, False),
        (replace(BLANK, state=State.IN_FLIGHT), B, True),
        (replace(BLANK, state=State.FAILED, failure=TRANSIENT), B, True),
        (replace(BLANK, state=State.FAILED, failure=Failure.of(MalformedFile("bad"))), B, False),
    ],
)
def test_a_table_may_be_of_any_file_only_while_nobody_knows_of_which(
    entry: TableEntry, source: ObjectRef, *, may_be: bool
) -> None:
    assert may_be_of(entry, source) == may_be


@pytest.mark.parametrize(
    ("entry", "kind", "source", "state"),
    [
        (MADE_OF_A, RefusalKind.SUPERSEDED, B, State.SUPERSEDED),
        (MADE_OF_A, RefusalKind.SUPERSEDED, A, State.SUPERSEDED),
        (MADE_OF_A, RefusalKind.ALREADY_DONE, B, State.SUPERSEDED),
        (MADE_OF_A, RefusalKind.ALREADY_DONE, A, State.CONVERTED),
        (replace(MADE_OF_A, state=State.QUARANTINED), RefusalKind.ALREADY_DONE, A, State.QUARANTINED),
        (replace(MADE_OF_A, state=State.FAILED), RefusalKind.ALREADY_DONE, A, State.CONVERTED),
        (replace(MADE_OF_A, file=None), RefusalKind.ALREADY_DONE, B, State.CONVERTED),
    ],
)
def test_a_file_that_is_not_the_newest_is_superseded_unless_the_table_is_made_of_it(
    entry: TableEntry, kind: RefusalKind, source: ObjectRef, state: State
) -> None:
    finish = finish_not_the_newest(Refusal(kind=kind, entry=entry), source, HEAD)

    assert (finish.state, finish.outputs, finish.version.etag) == (state, (), "e")
    assert finish.rows == (NO_ROWS if state is State.SUPERSEDED else THREE_ROWS)


@pytest.mark.parametrize(
    ("file", "told"),
    [(A, "the table's newest file is s3://acme-in/in/a.csv"), (None, "the table has a newer file")],
)
def test_the_newest_file_is_named_if_it_is_known(file: ObjectRef | None, told: str) -> None:
    refusal = Refusal(kind=RefusalKind.SUPERSEDED, entry=replace(MADE_OF_A, file=file))

    assert finish_not_the_newest(refusal, B, HEAD).reason == told


def test_only_a_snapshot_has_a_table_that_is_its_output() -> None:
    assert table_of(plan_of(A, source=SINGLE, mode="snapshot")) == TABLE
    assert table_of(plan_of(A, source=SINGLE)) is None
    assert table_of(plan_of(A)) is None


class Shelf:
    """A table's files in a bucket, and what was asked of them."""

    def __init__(self, source: dict[str, Any] | None = None, **sync: Any) -> None:
        self.planner = Planner(document(bulk_sync(to="json", **sync), source=source))
        self.store = InMemoryObjectStore({"acme-in": {}})
        self.queue = InMemoryQueue()
        self.files = TableFiles(planner=self.planner, stores={"landing": self.store}, queues={"landing": self.queue})

    def put(self, ref: ObjectRef, when: datetime = NOON) -> None:
        self.store.modified = when
        self.store.put(ref, b"a\n1\n")

    def plan(self, ref: ObjectRef) -> Plan:
        (plan,) = self.planner.plan(ref)
        assert isinstance(plan, Plan)
        return plan

    def asked(self) -> list[str]:
        return [request.change.ref.key for request in self.queue.sent]


@pytest.mark.parametrize(
    ("files", "order", "asked"),
    [
        ({A: NOON, B: NOON + SECOND}, TableOrder.of(NOON, A), ["in/b.csv"]),
        ({A: NOON, B: NOON + SECOND}, None, ["in/b.csv"]),
        ({A: NOON, B: NOON + SECOND}, TableOrder.of(NOON + SECOND, B), []),
        ({A: NOON, B: NOON + SECOND}, TableOrder.of(NOON + 2 * SECOND, A), []),
        ({A: NOON + SECOND, B: NOON}, None, []),
        ({A: NOON, B: NOON + SECOND, C: NOON + 2 * SECOND}, None, ["in/c.csv"]),
        ({A: NOON, ObjectRef("acme-in", "in/z.png"): NOON + SECOND}, None, []),
        ({}, None, []),
    ],
)
def test_only_the_newest_file_of_the_table_is_asked_for_if_it_is_newer(
    files: dict[ObjectRef, datetime], order: TableOrder | None, asked: list[str]
) -> None:
    shelf = Shelf(SINGLE, mode="snapshot")
    for ref, when in files.items():
        shelf.put(ref, when)

    shelf.files.ask_for_newer(shelf.plan(A), order)

    assert shelf.asked() == asked
    assert all((request.sync, request.change.kind) == ("nightly", ChangeKind.CREATED) for request in shelf.queue.sent)


def test_a_file_belongs_to_its_own_table_alone() -> None:
    shelf = Shelf(DIRECTORIES, mode="snapshot")
    eu, us = ObjectRef("acme-in", "in/eu/a.csv"), ObjectRef("acme-in", "in/us/a.csv")

    assert shelf.files.has(shelf.plan(eu), ObjectRef("acme-in", "in/eu/b.csv"))
    assert not shelf.files.has(shelf.plan(eu), us)
    assert not shelf.files.has(shelf.plan(eu), ObjectRef("acme-in", "in/eu/b.png"))


OUTPUT = ObjectRef("acme-out", "lake/a.jsonl")


@pytest.mark.parametrize(
    ("names", "freed", "asked"),
    [
        (["a.csv", "a.csv.gz", "a.json"], {OUTPUT}, ["in/a.csv.gz", "in/a.json"]),
        (["a.csv.gz"], {ObjectRef("acme-out", "lake/b.jsonl")}, []),
        (["a.csv.gz"], {OUTPUT, ObjectRef("acme-out", "lake/b.jsonl")}, ["in/a.csv.gz"]),
        (["ab.csv", "b.csv", "a.png"], {OUTPUT}, []),
        (["a.b.csv"], {OUTPUT}, []),
    ],
)
def test_who_could_not_have_the_output_is_asked_for_once_it_is_free(
    names: list[str], freed: set[ObjectRef], asked: list[str]
) -> None:
    shelf = Shelf()
    for name in names:
        shelf.put(ObjectRef("acme-in", f"in/{name}"))

    shelf.files.ask_for_rivals(shelf.plan(A), freed)

    assert shelf.asked() == asked


@pytest.mark.parametrize(
    ("entry", "may"),
    [
        ({"state": State.IN_FLIGHT}, True),
        ({"state": State.FAILED, "failure": TRANSIENT, "finished": NOON}, True),
        ({"state": State.FAILED, "failure": TRANSIENT, "finished": NOON - STALE_MARK + SECOND}, True),
        ({"state": State.FAILED, "failure": TRANSIENT, "finished": NOON - STALE_MARK}, False),
        ({"state": State.FAILED, "failure": TRANSIENT, "finished": None}, False),
        ({"state": State.FAILED, "failure": TRANSIENT, "finished": NOON, "attempts": MOST_ATTEMPTS - 1}, True),
        ({"state": State.FAILED, "failure": TRANSIENT, "finished": NOON, "attempts": MOST_ATTEMPTS}, False),
        ({"state": State.FAILED, "failure": Failure.of(MalformedFile("bad")), "finished": NOON}, False),
        ({"state": State.CONVERTED, "finished": NOON}, False),
    ],
)
def test_a_bid_counts_while_its_file_may_yet_be_published(entry: dict[str, Any], *, may: bool) -> None:
    known: Entry = replace(Entry.unseen("nightly", A, fingerprint="f", engine="1"), **entry)

    assert may_publish(known, NOON) == may


FILE = ObjectRef("acme-in", "in/eu/a.csv")


def format_entry(chosen: FileFormat | None, run_id: str | None = None) -> FormatEntry:
    return FormatEntry(
        sync="nightly",
        source=ObjectRef("acme-in", "in/eu"),
        revision=1,
        fingerprint="f",
        format=chosen,
        finished=NOON,
        run_id=run_id,
    )


def asked_by(run_id: str | None, *, decides: bool = True) -> Request:
    change = ObjectChange(kind=ChangeKind.CREATED, ref=FILE)
    return Request(change=change, run_id=run_id, decides_format=decides)


@pytest.mark.parametrize(
    ("chosen", "decided_by", "run_id", "expected"),
    [
        (FileFormat.CSV, None, None, True),
        (None, None, None, False),
        (FileFormat.CSV, "r1", None, True),
        (FileFormat.CSV, "r1", "r1", True),
        (FileFormat.CSV, "r1", "r2", False),
        (FileFormat.JSON, "r1", "r2", False),
        (FileFormat.JSON, "r1", "r1", None),
        (FileFormat.JSON, None, None, None),
    ],
)
def test_a_tables_format_is_decided_until_a_newer_run(
    chosen: FileFormat | None, decided_by: str | None, run_id: str | None, *, expected: bool | None
) -> None:
    """A file of another format is refused: None stands for that here."""
    entry, plan = format_entry(chosen, decided_by), plan_of(FILE, source=DIRECTORIES)
    world = World()
    world.ledger.put(entry)

    if expected is None:
        with pytest.raises(ForeignFormat, match="those of table s3://acme-in/in/eu are json"):
            is_decided(entry, plan, asked_by(run_id))
        return
    assert is_decided(entry, plan, asked_by(run_id)) == expected
    assert (open_format(plan, asked_by(run_id), world.worker.claims) is None) == expected


def test_a_tables_format_stays_decided_for_a_run_over_a_part_of_it() -> None:
    entry, plan = format_entry(FileFormat.JSON, "r1"), plan_of(FILE, source=DIRECTORIES)

    with pytest.raises(ForeignFormat):
        is_decided(entry, plan, asked_by("r2", decides=False))


def test_a_table_of_one_format_has_nothing_to_decide() -> None:
    assert open_format(plan_of(A, source=SINGLE), asked_by(None), World().worker.claims) is None
