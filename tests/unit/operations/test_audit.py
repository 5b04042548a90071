"""Every object is accounted for: in a state of the ledger, expected, or unaccounted."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from millrace.engine.row_counts import RowCounts
from millrace.ledger.entries import Entry, State
from millrace.objects.references import ObjectRef, SourceVersion
from millrace.objects.store import ListedObject
from millrace.operations.audit import AUDIT_COLUMNS, Audited, Auditor, Standing
from millrace.operations.comparison import GRACE
from millrace.operations.lost_outputs import Loss, LostOutput, OutputChecker
from tests.configurations import bulk_sync, model_document
from tests.world import NOON, SOURCE, TARGET, World

SECOND = timedelta(seconds=1)
OLD = NOON - GRACE - SECOND
ENTRY = replace(
    Entry.unseen("nightly", SOURCE, fingerprint="f", engine="1"),
    attempts=2,
    version=SourceVersion(etag="e1"),
    rows=RowCounts(read=3, written=1, quarantined=1, filtered=1),
)


def audited(world: World, now: datetime = NOON) -> dict[str, Audited]:
    auditor = Auditor(planner=world.planner, stores={"landing": world.store}, index=world.ledger)
    found = {one.key: one for one in auditor.audit(world.planner.active_sync("nightly"), now)}
    assert all((one.request is not None) == isinstance(one.standing, Standing) for one in found.values())
    return found


def standings(world: World) -> dict[str, str]:
    return {key: str(one.standing) for key, one in audited(world).items()}


def test_objects_stand_as_the_ledger_has_them() -> None:
    world = World()
    world.one(world.upload())
    world.one(world.upload(b"a\n1,2\n", ObjectRef("acme-in", "in/ragged.csv")))
    world.one(world.upload(b"x", ObjectRef("acme-in", "in/picture.png")))

    assert standings(world) == {
        SOURCE.key: State.CONVERTED,
        "in/ragged.csv": State.FAILED,
        "in/picture.png": State.IGNORED,
    }


@pytest.mark.parametrize(("modified", "expected"), [(OLD, Standing.UNACCOUNTED), (NOON, Standing.EXPECTED)])
def test_what_the_ledger_never_heard_of_is_unaccounted_once_news_should_have_come(
    modified: datetime, expected: Standing
) -> None:
    world = World()
    world.store.modified = modified
    world.store.put(SOURCE, b"a\n1\n")

    found = audited(world)[SOURCE.key]

    assert found.standing is expected
    assert found.request is not None
    assert world.one(found.request).result == State.CONVERTED
    assert standings(world) == {SOURCE.key: State.CONVERTED}


def test_another_version_than_the_ledgers_is_unaccounted() -> None:
    world = World()
    world.one(world.upload())
    world.store.modified = OLD
    world.store.put(SOURCE, b"a\n2\n")

    assert standings(world) == {SOURCE.key: Standing.UNACCOUNTED}


@pytest.mark.parametrize(("minutes", "expected"), [(5, State.IN_FLIGHT), (-5, Standing.UNACCOUNTED)])
def test_work_in_flight_counts_while_its_lease_holds(minutes: int, expected: str) -> None:
    world = World()
    world.store.modified = OLD
    world.one(world.upload())
    entry = world.entry()
    lease = NOON + timedelta(minutes=minutes)
    world.ledger.put(replace(entry, state=State.IN_FLIGHT, revision=entry.revision + 1, lease_until=lease))

    assert standings(world) == {SOURCE.key: expected}


def test_an_object_that_is_gone_asks_for_its_removal() -> None:
    world = World()
    world.one(world.upload())
    world.delete()

    assert standings(world) == {SOURCE.key: Standing.GONE}


def test_what_was_removed_is_no_object_any_more() -> None:
    world = World()
    world.one(world.upload())
    world.one(world.delete())

    assert standings(world) == {}


def test_the_report_tells_rows_and_reasons() -> None:
    world = World()
    world.one(world.upload(b"a\n1,2\n"))
    (one,) = audited(world).values()

    row = one.row("nightly", NOON, world.entry())

    assert (row["standing"], row["error"]) == ("failed", "RaggedRow")
    assert row["etag"] == row["ledger_etag"]


@pytest.mark.parametrize(
    ("state", "standing", "age"),
    [(State.CONVERTED, State.CONVERTED, 600), (State.IN_FLIGHT, State.IN_FLIGHT, 60)],
)
def test_a_row_says_how_old_an_object_is_or_how_long_it_is_worked_on(state: State, standing: State, age: int) -> None:
    listed = ListedObject(SOURCE, "e", 7, NOON - timedelta(minutes=10))
    entry = replace(ENTRY, state=state, started=NOON - timedelta(minutes=1))
    row = Audited(key=SOURCE.key, standing=standing, listed=listed, entry=entry, request=None).row("s", NOON, entry)

    assert (row["age_seconds"], row["size"], row["etag"], row["ledger_etag"]) == (age, 7, "e", "e1")
    assert (row["attempts"], row["rows_read"], row["rows_written"]) == (2, 3, 1)
    assert (row["rows_quarantined"], row["rows_filtered"]) == (1, 1)
    assert row["lost_outputs"] is None
    assert list(row) == list(AUDIT_COLUMNS)


def test_a_row_of_what_is_gone_or_not_known_leaves_out_what_nobody_knows() -> None:
    gone = Audited(key=SOURCE.key, standing=Standing.GONE, listed=None, entry=ENTRY, request=None)
    listed = ListedObject(SOURCE, "e", 7, NOON)
    new = Audited(key=SOURCE.key, standing=Standing.EXPECTED, listed=listed, entry=None, request=None)

    assert {name for name, cell in gone.row("s", NOON, None).items() if cell is not None} == {
        *("sync", "key", "standing", "ledger_etag")
    }
    assert {name for name, cell in new.row("s", NOON, None).items() if cell is not None} == {
        *("sync", "key", "standing", "size", "etag", "modified", "age_seconds")
    }


@pytest.mark.parametrize(
    ("modified", "expected"), [(NOON - GRACE, Standing.UNACCOUNTED), (NOON - GRACE + SECOND, Standing.EXPECTED)]
)
def test_news_may_take_as_long_as_the_grace_says(modified: datetime, expected: Standing) -> None:
    world = World()
    world.store.modified = modified
    world.store.put(SOURCE, b"a\n1\n")

    assert standings(world) == {SOURCE.key: expected}


def with_outputs(world: World) -> dict[str, Audited]:
    stores = {"landing": world.store, "lake": world.store}
    checker = OutputChecker(planner=world.planner, stores=stores, ledger=world.ledger)
    auditor = Auditor(planner=world.planner, stores=stores, index=world.ledger, outputs=checker)
    return {one.key: one for one in auditor.audit(world.planner.active_sync("nightly"), NOON)}


class TestOutputs:
    """Outputs are looked at where a person asks for it."""

    def test_one_that_is_gone_is_noticed(self) -> None:
        world = World()
        world.one(world.upload())
        assert with_outputs(world)[SOURCE.key].standing is State.CONVERTED
        world.store.delete(TARGET)

        found = with_outputs(world)[SOURCE.key]

        assert (found.standing, found.lost) == (Standing.VANISHED, (LostOutput(TARGET, Loss.VANISHED),))
        assert found.row("nightly", NOON, world.entry())["lost_outputs"] == str(TARGET)

    def test_one_that_somebody_wrote_over_is_noticed(self) -> None:
        world = World()
        world.one(world.upload())
        world.store.put(TARGET, b"mine")

        assert with_outputs(world)[SOURCE.key].standing is Standing.ALTERED

    def test_only_of_what_is_done_outputs_are_looked_at(self) -> None:
        """What failed, or was overwritten, has those of the version before, which nobody promises any more."""
        world = World()
        world.one(world.upload())
        world.one(world.upload(b'a\n"1'))
        assert world.entry().outputs
        world.store.delete(TARGET)
        world.store.put(ObjectRef("acme-in", "in/new.csv"), b"a\n1\n")
        overwritten = ObjectRef("acme-in", "in/overwritten.csv")
        world.one(world.upload(ref=overwritten))
        world.store.put(overwritten, b"a\n2\n")
        world.store.delete(ObjectRef("acme-out", "lake/overwritten.jsonl"))

        assert {key: str(item.standing) for key, item in with_outputs(world).items()} == {
            SOURCE.key: State.FAILED,
            "in/new.csv": Standing.UNACCOUNTED,
            "in/overwritten.csv": Standing.UNACCOUNTED,
        }

    def test_a_snapshot_tables_output_is_that_of_the_file_that_it_is_made_of(self) -> None:
        world = World(
            syncs=(bulk_sync(to="json", mode="snapshot"),), source={"is_single_table": True, "single_table_name": "t"}
        )
        for name in ("a", "b"):
            world.one(world.upload(ref=ObjectRef("acme-in", f"in/{name}.csv")))
        (target,) = world.store.buckets["acme-out"]
        world.store.delete(ObjectRef("acme-out", target))

        found = with_outputs(world)

        assert {key: str(one.standing) for key, one in found.items() if one.lost} == {"in/b.csv": "vanished"}

    def test_a_run_that_is_asked_for_writes_it_again(self) -> None:
        world = World()
        request = world.upload()
        world.one(request)
        world.store.delete(TARGET)

        world.one(replace(request, run_id="20261122T120000000000Z"), message="again")

        assert with_outputs(world)[SOURCE.key].standing is State.CONVERTED


def test_what_is_no_object_hides_no_other() -> None:
    world = World()
    for name in ("a", "b"):
        world.one(world.upload(ref=ObjectRef("acme-in", f"in/{name}.csv")))
    world.one(world.delete(ObjectRef("acme-in", "in/a.csv")))

    assert standings(world) == {"in/b.csv": State.CONVERTED}


@pytest.mark.parametrize(
    ("standing", "is_whole", "age"),
    [
        (State.IN_FLIGHT, True, 60),
        (State.IN_FLIGHT, False, 3600),
        (State.CONVERTED, True, 3600),
        (State.CONVERTED, False, 3600),
    ],
)
def test_the_age_is_that_of_the_work_where_it_is_known_and_else_of_the_object(
    standing: State, age: int, *, is_whole: bool
) -> None:
    modified = ListedObject(SOURCE, "e1", 7, modified=NOON - timedelta(hours=1))
    item = Audited(key=SOURCE.key, standing=standing, listed=modified, entry=ENTRY, request=None)
    whole = replace(ENTRY, started=NOON - timedelta(minutes=1)) if is_whole else None

    assert item.row("nightly", NOON, whole)["age_seconds"] == age


def test_what_lies_beside_a_models_object_is_nobodys() -> None:
    """Also if the ledger knows it, because the model had its key once."""
    world = World(configuration=model_document({"key": "in/orders.csv"}))
    world.one(world.upload())
    world.one(world.upload())
    for name in ("a.csv", "z.csv"):
        world.store.put(ObjectRef("acme-in", f"in/{name}"), b"a\n1\n")
    world.ledger.put(replace(ENTRY, source=ObjectRef("acme-in", "in/a.csv"), state=State.CONVERTED, revision=1))

    assert standings(world) == {SOURCE.key: State.CONVERTED}
