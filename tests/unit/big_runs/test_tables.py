"""Runs whose file is one of a table: a remembered schema, a snapshot of the newest file, a folder of many files."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest

from millrace.big_runs.events import Phase, PhaseEvent
from millrace.big_runs.runner import Runner
from millrace.delivery.table_schema import TableSchema
from millrace.ledger.entries import Finish, State
from millrace.ledger.rules import ClaimSubject
from millrace.ledger.table_entries import TableEntry, TableOrder
from millrace.objects.messages import Request
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef
from millrace.planning.plans import Plan, SnapshotTable
from millrace.planning.targets import is_record
from tests.configurations import bulk_sync, model_document
from tests.unit.big_runs.running import RunWorld, twin_of
from tests.unit.big_runs.test_equal_outputs import content, to_csv
from tests.world import World

CSV = to_csv()
SINGLE = {"is_single_table": True, "single_table_name": "orders"}
FIRST = b"id,extra\n1,x\n"
LARGE = 500
"""Bytes from which a file is a run here: the first ones of a table are small."""


def put(world: World, name: str, data: bytes, *, day: int = 1) -> Request:
    world.store.modified = datetime(2026, 11, day, tzinfo=UTC)
    return world.upload(data, ObjectRef("acme-in", f"in/{name}"))


class TestSharedTable:
    @pytest.mark.slow
    @pytest.mark.parametrize("evolution", ["evolve", "rescue"])
    @pytest.mark.parametrize("to", ["parquet", "json", "csv"])
    def test_a_large_file_fits_into_its_table_as_in_one_invocation(self, to: str, evolution: str) -> None:
        syncs = (bulk_sync(to=to, schema_evolution=evolution),)
        world = RunWorld(syncs=syncs, source=SINGLE, big_run_bytes=LARGE)
        whole = twin_of(world)
        for name, data in (("a.csv", FIRST), ("b.csv", CSV)):
            whole.one(put(whole, name, data))
            world.one(put(world, name, data))
        assert world.drive() == "done"

        source = ObjectRef("acme-in", "in/b.csv")
        entry, wanted = world.entry(source), whole.entry(source)
        (output,) = wanted.outputs
        assert content(world, output.ref) == content(whole, output.ref)
        assert (entry.rows, entry.schema_version) == (wanted.rows, wanted.schema_version)
        assert entry.schema_changes == wanted.schema_changes
        assert self.fields(world) == self.fields(whole)

    @pytest.mark.slow
    def test_a_file_that_does_not_fit_into_a_frozen_table_is_refused(self) -> None:
        world = RunWorld(syncs=(bulk_sync(schema_evolution="freeze"),), source=SINGLE, big_run_bytes=LARGE)
        whole = twin_of(world)
        for name, data in (("a.csv", FIRST), ("b.csv", CSV)):
            whole.one(put(whole, name, data))
            world.one(put(world, name, data))

        assert world.drive() == "failed"

        source = ObjectRef("acme-in", "in/b.csv")
        assert world.entry(source).failure == whole.entry(source).failure

    def fields(self, world: World) -> Any:
        entry = world.ledger.get_schema("nightly", ObjectRef("acme-in", "in/orders"))
        assert entry is not None
        return TableSchema.from_bytes(entry.schema).fields


class TestSnapshotTable:
    TABLE = ObjectRef("acme-out", "lake/orders/orders.jsonl")

    @pytest.fixture
    def world(self) -> RunWorld:
        return RunWorld(syncs=(bulk_sync(to="json", mode="snapshot"),), source=SINGLE, big_run_bytes=LARGE)

    @pytest.mark.slow
    def test_a_large_newest_file_is_the_table(self, world: RunWorld) -> None:
        world.one(put(world, "a.csv", FIRST))
        world.one(put(world, "b.csv", CSV, day=2))
        assert world.drive() == "done"

        whole = twin_of(world)
        whole.one(put(whole, "b.csv", CSV, day=2))
        assert world.store.data(self.TABLE) == whole.store.data(self.TABLE)
        assert world.entry(ObjectRef("acme-in", "in/a.csv")).state is State.SUPERSEDED
        assert world.entry(ObjectRef("acme-in", "in/b.csv")).state is State.CONVERTED
        assert world.homes() == []

    @pytest.mark.slow
    def test_a_small_newer_file_that_comes_meanwhile_stays_the_table(self, world: RunWorld) -> None:
        world.one(put(world, "b.csv", CSV, day=2))
        world.one(put(world, "c.csv", FIRST, day=3))
        assert world.drive() == "done"

        assert world.store.data(self.TABLE) == b'{"id":1,"extra":"x"}\n'
        assert world.entry(ObjectRef("acme-in", "in/b.csv")).state is State.SUPERSEDED

    @pytest.mark.slow
    def test_a_table_that_another_writes_is_waited_for(self, world: RunWorld) -> None:
        world.one(put(world, "b.csv", CSV, day=2))
        (plan,) = world.planner.plan(ObjectRef("acme-in", "in/a.csv"))
        assert isinstance(plan, Plan)
        assert isinstance(plan.way, SnapshotTable)
        older = TableOrder.of(datetime(2026, 11, 1, tzinfo=UTC), plan.source)
        subject = ClaimSubject(
            sync=plan.sync,
            change=ObjectChange(kind=ChangeKind.CREATED, ref=plan.way.table),
            fingerprint=plan.fingerprint,
            position=older,
        )
        claims = world.worker.claims
        taken = claims.claim_table(subject, world.delivery("other"))
        assert isinstance(taken, TableEntry)
        answers = iter(Runner(work=world.phase).steps(world.place()))
        waiting = next(answer for answer in answers if answer.wait)

        assert (waiting.next, waiting.wait) == (Phase.PUBLISH, 60)
        claims.settle(taken, Finish(state=State.CONVERTED), world.store)

        assert [answer.next for answer in answers] == ["done"]
        assert world.entry(ObjectRef("acme-in", "in/b.csv")).state is State.CONVERTED


FOLDER = ObjectRef("acme-in", "in/customers/")
OUT = ObjectRef("acme-out", "lake/customers.jsonl")


def folder_world(**fields: Any) -> RunWorld:
    model = {"model_from": "multi_file_archive", "subfolder": "customers"}
    words: dict[str, Any] = {"part_bytes": 10**9} | fields
    return RunWorld(configuration=model_document(model), **words)


def ask(world: World, run_id: str | None = None, message: str = "build") -> Any:
    """Have the folder's table made, as its delayed message does."""
    request = Request(change=ObjectChange(kind=ChangeKind.CREATED, ref=FOLDER), sync="nightly", run_id=run_id)
    return world.one(request, message)


def fill(world: World, count: int, *, rows: int = 1) -> None:
    for number in range(count):
        lines = "".join(f"{number * rows + row},n{row}\n" for row in range(rows))
        ref = ObjectRef("acme-in", f"in/customers/{number:06}.csv")
        world.store.put(ref, f"id,name\n{lines}".encode())


class TestFolderInParts:
    @pytest.mark.slow
    def test_a_folder_of_files_is_one_table_in_parts(self) -> None:
        world = folder_world(part_bytes=100)
        whole = twin_of(world)
        for one in (world, whole):
            fill(one, 40)
            put(one, "customers/000020.csv", b"name,id,late\nx,7.5,2026-01-01\n")
            ask(one)
        assert world.drive() == "done"

        assert world.store.data(OUT) == whole.store.data(OUT)
        entry, wanted = world.entry(FOLDER), whole.entry(FOLDER)
        assert (entry.state, entry.rows, entry.version, entry.reason) == (
            wanted.state,
            wanted.rows,
            wanted.version,
            wanted.reason,
        )
        for number in range(40):
            ref = ObjectRef("acme-in", f"in/customers/{number:06}.csv")
            assert world.entry(ref).state is State.CONVERTED
            assert world.entry(ref).build == whole.entry(ref).build
        assert [key for key in world.store.buckets["acme-out"] if is_record(ObjectRef("acme-out", key))] == [
            "lake/.millrace/nightly.files"
        ]

    def test_a_folder_whose_files_all_went_is_a_table_without_rows(self) -> None:
        world = folder_world(part_bytes=100)
        fill(world, 10)
        ask(world)
        whole = twin_of(world)
        world.store.buckets["acme-in"].clear()
        ask(whole)

        assert world.drive() == "done"
        assert world.store.data(OUT) == whole.store.data(OUT)
        assert (world.entry(FOLDER).state, world.entry(FOLDER).version) == (
            whole.entry(FOLDER).state,
            whole.entry(FOLDER).version,
        )

    def test_nothing_is_made_again_if_nothing_changed(self) -> None:
        world = folder_world(part_bytes=100)
        fill(world, 10)
        ask(world)
        world.drive()

        outcome = ask(world, message="again")

        assert outcome.result is State.CONVERTED
        assert len(world.machine.executions) == 1

    @pytest.mark.slow
    def test_a_file_that_comes_meanwhile_is_in_the_next_table(self) -> None:
        world = folder_world(part_bytes=100)
        fill(world, 10)
        ask(world)

        def before(event: PhaseEvent) -> None:
            if event.phase is Phase.JOIN and len(world.machine.executions) == 1:
                world.one(put(world, "customers/999.csv", b"id,name\n99,late\n"), message="late")

        world.before = before
        assert world.drive() == "done"
        assert world.entry(FOLDER).state is State.WAITING
        world.before = lambda _event: None
        world.answer_queue()

        assert world.drive() == "done"
        assert world.store.data(OUT).endswith(b'{"id":99,"name":"late"}\n')
        assert world.entry(ObjectRef("acme-in", "in/customers/999.csv")).state is State.CONVERTED

    def test_a_file_that_changes_under_the_run_is_read_by_the_next_one(self) -> None:
        world = folder_world(part_bytes=100)
        fill(world, 10)
        ask(world)

        def before(event: PhaseEvent) -> None:
            if event.phase is Phase.CONVERT and event.index == 1:
                put(world, "customers/000009.csv", b"id,name\n900,newer\n")

        world.before = before
        assert world.drive() == "failed"
        world.before = lambda _event: None
        world.answer_queue()

        assert world.drive() == "done"
        assert b'{"id":900,"name":"newer"}\n' in world.store.data(OUT)

    @pytest.mark.slow
    def test_a_thousand_small_files_settle_and_every_one_is_written_down(self) -> None:
        world = folder_world()
        fill(world, 1001)
        ask(world)

        assert world.drive() == "done"

        assert world.entry(FOLDER).rows.written == 1001
        states = {entry.state for entry in world.ledger.works()}
        assert states == {State.CONVERTED}
        assert len(list(world.ledger.works())) == 1002
        assert len({event.index for event in world.events if event.phase is Phase.CONVERT}) == 3


@pytest.mark.slow
def test_the_listing_of_a_large_folder_is_pages_and_no_list_passes_through_the_machine() -> None:
    world = folder_world()
    fill(world, 3_000)
    ask(world)
    tracemalloc.start()

    outcome = world.phase(PhaseEvent(phase=Phase.PLAN, place=world.place()))

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(outcome.items) == 6
    assert len(str(outcome.to_answer())) < 64 * 1024, "a list of 3,000 keys would be longer"
    assert peak < 16 * 2**20
