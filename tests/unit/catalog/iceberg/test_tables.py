"""An Iceberg table follows what the ledger says: whatever is repeated, late, in another order, or at the same time."""

from __future__ import annotations

import itertools
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from millrace.aws import iceberg_catalog
from millrace.catalog.iceberg.committing import CommitReport
from millrace.catalog.iceberg.tables import TableChange
from millrace.ledger.entries import Output, State
from millrace.objects.references import ObjectRef
from tests.iceberg_world import DATABASE, IcebergWorld, build_model, iceberg_sync, model_table

PER_WRITER = int(os.environ.get("ICEBERG_OBJECTS", "5"))


def test_the_first_file_makes_the_table() -> None:
    world = IcebergWorld()
    report = world.take("a.csv", "id,note\n1,x\n2,\n")

    assert world.rows() == [{"id": 1, "note": "x"}, {"id": 2, "note": None}]
    assert (report.commits, report.files, report.failed, report.refused) == (1, 1, {}, {})


def test_a_new_version_takes_the_place_of_the_former_in_one_snapshot() -> None:
    world = IcebergWorld()
    world.take("a.csv", "id\n1\n")
    world.take("b.csv", "id\n2\n")
    former = world.table().current_snapshot()
    world.take("a.csv", "id\n3\n4\n")

    assert world.rows() == [{"id": 2}, {"id": 3}, {"id": 4}]
    assert former is not None
    # Readers of the former snapshot still have its file: nothing is written over, and nothing deleted.
    assert world.rows(former.snapshot_id) == [{"id": 1}, {"id": 2}]
    assert len(world.table().snapshots()) == 3


def test_a_deleted_object_leaves_the_table() -> None:
    world = IcebergWorld()
    world.take("a.csv", "id\n1\n")
    world.take("b.csv", "id\n2\n")
    world.remove("a.csv")
    world.commit()

    assert world.rows() == [{"id": 2}]


def test_a_deleted_object_stays_in_a_table_that_keeps() -> None:
    world = IcebergWorld(sync=iceberg_sync(on_delete="keep"))
    world.take("a.csv", "id\n1\n")
    world.remove("a.csv")
    world.commit()

    assert world.rows() == [{"id": 1}]


def test_messages_of_one_table_are_one_commit() -> None:
    world = IcebergWorld()
    for number in range(10):
        world.convert(f"{number}.csv", f"id\n{number}\n")
    report = world.commit()

    assert (report.commits, report.files) == (1, 10)
    assert world.rows() == [{"id": number} for number in range(10)]


class TestRepeats:
    def test_a_message_that_comes_again_changes_nothing(self) -> None:
        world = IcebergWorld()
        world.convert("a.csv", "id\n1\n")
        bodies = list(world.letters.bodies)
        world.commit(bodies)
        snapshot = world.table().current_snapshot()
        report = world.commit(bodies * 3)

        assert world.table().current_snapshot() == snapshot
        assert (report.commits, report.repeats) == (0, 1)

    def test_it_is_recognised_after_its_snapshot_expired(self) -> None:
        world = IcebergWorld()
        world.convert("a.csv", "id\n1\n")
        bodies = list(world.letters.bodies)
        world.commit()
        world.take("b.csv", "id\n2\n")
        world.expire(timedelta(days=8))
        world.committer = world.make_committer()

        assert len(world.table().snapshots()) == 1
        assert world.commit(bodies).commits == 0
        assert world.rows() == [{"id": 1}, {"id": 2}]

    def test_the_message_of_an_older_version_brings_the_newest(self) -> None:
        world = IcebergWorld()
        world.convert("a.csv", "id\n1\n")
        old = list(world.letters.bodies)
        world.convert("a.csv", "id\n2\n")
        world.commit(old)

        assert world.rows() == [{"id": 2}]

    def test_a_late_message_does_not_bring_back_what_was_removed(self) -> None:
        world = IcebergWorld()
        world.convert("a.csv", "id\n1\n")
        old = list(world.letters.bodies)
        world.commit()
        world.remove("a.csv")
        world.commit()
        world.commit(old)

        assert world.rows() == []

    def test_any_order_of_messages_leads_to_the_same_table(self) -> None:
        world = IcebergWorld()
        for version in range(3):
            for number in range(4):
                world.convert(f"{number}.csv", f"id\n{version * 10 + number}\n")
        bodies = list(world.letters.bodies)
        random.Random(7).shuffle(bodies)
        for body in bodies:
            world.commit([body])

        assert world.rows() == [{"id": 20 + number} for number in range(4)]


def test_a_commit_whose_answer_gets_lost_was_one() -> None:
    """The client asks again and hears of a conflict; what was written for it is not cleared away."""
    world = IcebergWorld()
    world.take("a.csv", "id\n1\n")
    world.convert("b.csv", "id\n2\n")
    world.glue.lost_answers = 1
    report = world.commit()

    assert (report.failed, report.conflicts, report.commits) == ({}, 1, 0)
    assert world.rows() == [{"id": 1}, {"id": 2}]


class TestTelling:
    def test_who_comes_next_tells_what_the_queue_did_not_take(self) -> None:
        world = IcebergWorld()
        world.letters.is_away = True
        entry = world.convert("a.csv", "id\n1\n")
        assert entry.is_untold
        world.letters.is_away = False
        world.redeliver("a.csv")

        world.commit()
        assert world.rows() == [{"id": 1}]

    def test_a_table_has_one_group(self) -> None:
        world = IcebergWorld()
        for name in ("a.csv", "b.csv"):
            world.convert(name, "id\n1\n")

        assert len({group for group, _ in world.letters.sent}) == 1
        assert len({deduplication for _, deduplication in world.letters.sent}) == 2


class TestColumnsOfTables:
    def test_a_new_column_is_null_in_older_files(self) -> None:
        world = IcebergWorld()
        world.take("a.csv", "id\n1\n")
        world.take("b.csv", "id,note\n2,x\n")

        assert world.rows() == [{"id": 1, "note": None}, {"id": 2, "note": "x"}]

    def test_types_come_back_as_they_were_written(self) -> None:
        world = IcebergWorld()
        world.take("a.csv", "id,price,day,at,yes\n1,1.5,2026-11-22,2026-11-22T10:00:00Z,true\n")
        (row,) = world.rows()

        assert (row["id"], row["price"], str(row["day"]), row["yes"]) == (1, 1.5, "2026-11-22", True)
        assert row["at"].isoformat() == "2026-11-22T10:00:00+00:00"

    def test_a_filter_reads_the_files_whose_bounds_allow_it(self) -> None:
        world = IcebergWorld()
        world.take("a.csv", "id,at\n1,2026-11-22T10:00:00Z\n")
        world.take("b.csv", "id,at\n7,2026-12-22T10:00:00Z\n")
        where = "id > 5 and at > '2026-12-01T00:00:00+00:00'"

        assert [row["id"] for row in world.rows(where=where)] == [7]
        assert len(list(world.table().scan(row_filter=where).plan_files())) == 1

    def test_a_type_that_does_not_fit_is_refused_by_name_and_the_rest_goes_on(self) -> None:
        world = IcebergWorld()
        world.take("a.csv", "id\n1\n")
        world.convert("b.csv", "id\nx\n")
        world.convert("c.csv", "id\n3\n")
        report = world.commit()

        # b made the table's column text, for it and for what comes after it.
        assert set(report.refused) == {0, 1}
        assert "id: long -> string" in report.refused[0]
        assert world.rows() == [{"id": 1}]

    def test_names_that_differ_in_case_alone_are_refused(self) -> None:
        world = IcebergWorld(sync=iceberg_sync(normalize_names="disabled"))
        report = world.take("a.csv", "id,ID\n1,2\n")

        assert "one name in small letters" in report.refused[0]

    def test_files_of_a_partition_are_all_of_the_table(self) -> None:
        world = IcebergWorld(sync=iceberg_sync(schemas=[{"id": "Orders", "partition_key": "region"}]))
        world.take("a.csv", "id,region\n1,EU\n2,US\n3,EU\n")
        world.take("a.csv", "id,region\n4,EU\n")

        assert world.rows() == [{"id": 4, "region": "EU"}]

    def test_rows_that_are_put_aside_are_not_of_the_table(self) -> None:
        world = IcebergWorld(sync=iceberg_sync(bad_rows="quarantine"))
        entry = world.convert("a.csv", "id,note\n1,x\n2\n")
        world.commit()

        assert entry.state is State.QUARANTINED
        assert world.rows() == [{"id": 1, "note": "x"}]

    def test_rows_that_were_put_aside_go_with_the_version_that_had_them(self) -> None:
        world = IcebergWorld(sync=iceberg_sync(bad_rows="quarantine"))
        world.convert("a.csv", "id,note\n1,x\n2\n")
        world.convert("a.csv", "id,note\n1,x\n")

        assert not [key for key in world.world.store.buckets["acme-out"] if "_quarantine" in key]


class TestWhatIsAnothers:
    def test_a_table_that_is_not_icebergs_is_left_alone(self) -> None:
        world = IcebergWorld()
        world.glue.create_table(DatabaseName=DATABASE, TableInput={"Name": "orders", "Parameters": {}})
        report = world.take("a.csv", "id\n1\n")

        assert "not an Iceberg table" in report.refused[0]

    def test_a_table_of_another_sync_is_left_alone(self) -> None:
        world = IcebergWorld()
        world.take("a.csv", "id\n1\n")
        other = IcebergWorld(sync=iceberg_sync(name="other"), glue=world.glue)
        other.world.store.buckets = world.world.store.buckets
        report = other.take("b.csv", "id\n2\n")

        assert "is of sync 'nightly'" in report.refused[0]
        assert world.rows() == [{"id": 1}]

    def test_a_table_that_was_compacted_is_left_alone(self) -> None:
        world = IcebergWorld()
        world.take("a.csv", "id\n1\n")
        (key,) = world.keys()
        compacted = ObjectRef("acme-out", "lake/Orders/compacted.parquet")
        world.world.store.put(compacted, world.world.store.data(ObjectRef("acme-out", key)))
        size = len(world.world.store.data(compacted))
        world.change(TableChange(add=(Output(ref=compacted, etag="", size=size, rows=1),)))
        report = world.take("a.csv", "id\n2\n")

        assert "a file that Millrace did not write" in report.refused[0]

    def test_without_its_database_messages_come_back(self) -> None:
        world = IcebergWorld()
        world.glue.databases.clear()
        report = world.take("a.csv", "id\n1\n")

        assert "there is no database 'lake'" in report.failed[0]


class TestALedgerThatLostEntries:
    def test_the_table_stays_as_it_is(self) -> None:
        world = IcebergWorld()
        world.take("a.csv", "id\n1\n")
        world.take("a.csv", "id\n2\n")
        world.world.ledger.entries.clear()
        report = world.take("a.csv", "id\n3\n")

        assert "it has lost entries" in report.refused[0]
        assert world.rows() == [{"id": 2}]

    def test_an_object_that_it_does_not_know_stays(self) -> None:
        world = IcebergWorld()
        world.convert("a.csv", "id\n1\n")
        bodies = list(world.letters.bodies)
        world.commit()
        world.world.ledger.entries.clear()

        assert "the ledger knows nothing" in world.commit(bodies).refused[0]
        assert world.rows() == [{"id": 1}]


def test_a_message_that_nobody_can_read_is_refused() -> None:
    world = IcebergWorld()
    report = world.commit(["{", "[]", '{"schema":2}', '{"schema":1,"sync":"nightly"}'])

    assert set(report.refused) == {0, 1, 2, 3}


def test_what_there_is_no_time_for_comes_back() -> None:
    world = IcebergWorld()
    world.convert("a.csv", "id\n1\n")
    report = world.committer.commit(world.letters.bodies, lambda: 3.0)

    assert "too little" in report.failed[0]


class TestBuiltTables:
    def test_a_build_replaces_the_whole_table(self) -> None:
        world = IcebergWorld(configuration=model_table({"format": "iceberg"}))
        for text in (b"id\n1\n", b"id\n2\n3\n"):
            build_model(world, text)
            world.commit()

        assert world.rows(table="sales") == [{"id": 2}, {"id": 3}]
        assert len(world.table("sales").snapshots()) == 2


class TestExpiry:
    def test_old_snapshots_go_with_the_files_that_they_alone_name(self) -> None:
        world = IcebergWorld()
        for version in range(3):
            world.take("a.csv", f"id\n{version}\n")
        world.take("b.csv", "id\n9\n")
        before = len(world.keys())
        report = world.expire(timedelta(days=8))

        assert report.to_log() == {
            "tables": 1,
            "snapshots": 3,
            "data_files": 2,
            "metadata_files": report.tables["lake.orders"].metadata_files,
        }
        assert len(world.keys()) == before - 2
        assert world.rows() == [{"id": 2}, {"id": 9}]
        assert world.expire(timedelta(days=8)).tables["lake.orders"].snapshots == 0

    def test_what_is_young_stays(self) -> None:
        world = IcebergWorld()
        world.take("a.csv", "id\n1\n")
        world.take("a.csv", "id\n2\n")

        assert world.expire(timedelta(days=6)).tables["lake.orders"].snapshots == 0
        assert len(world.table().snapshots()) == 2

    def test_files_that_were_never_committed_go_and_those_that_will_be_stay(self) -> None:
        world = IcebergWorld()
        world.take("a.csv", "id\n1\n")
        world.convert("b.csv", "id\n2\n")
        world.convert("b.csv", "id\n3\n")
        before = world.keys()
        world.expire(timedelta(days=30))
        gone = set(before) - set(world.keys())

        assert len(gone) == 1
        world.commit()
        assert world.rows() == [{"id": 1}, {"id": 3}]

    def test_metadata_of_commits_that_lost_go(self) -> None:
        world = IcebergWorld()
        world.take("a.csv", "id\n1\n")
        lost = "lake/.millrace/iceberg/lake/orders/metadata/lost-m0.avro"
        world.world.store.put(ObjectRef("acme-out", lost), b"x")
        world.expire(timedelta(days=30))

        assert lost not in world.world.store.buckets["acme-out"]
        assert world.rows() == [{"id": 1}]


def test_many_manifests_become_few() -> None:
    world = IcebergWorld()
    world.take("first.csv", "id\n99\n")
    with world.table().transaction() as transaction:
        transaction.set_properties({"commit.manifest.min-count-to-merge": "5"})
    for number in range(8):
        world.take(f"{number}.csv", f"id\n{number}\n")
    snapshot = world.table().current_snapshot()

    assert snapshot is not None
    assert len(snapshot.manifests(world.table().io)) <= 5
    assert len(world.rows()) == 9


def test_too_many_snapshots_become_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iceberg_catalog, "MOST_SNAPSHOTS", 5)
    monkeypatch.setattr(iceberg_catalog, "KEPT_SNAPSHOTS", 3)
    world = IcebergWorld()
    counts = []
    for number in range(8):
        world.take("a.csv", f"id\n{number}\n")
        counts.append(len(world.table().snapshots()))

    assert counts == [1, 2, 3, 4, 5, 4, 5, 4]
    assert world.rows() == [{"id": 7}]


@pytest.mark.slow
def test_eight_committers_lose_nothing_and_double_nothing() -> None:
    """All objects are written, some overwritten, and all committers work on the one table; 100 each by PER_WRITER."""
    writers, objects = 8, 8 * PER_WRITER
    world = IcebergWorld()
    for number in range(objects):
        world.convert(f"{number}.csv", f"id,version\n{number},1\n")
    for number in range(0, objects, 5):
        world.convert(f"{number}.csv", f"id,version\n{number},2\n")
    bodies = list(world.letters.bodies)
    random.Random(3).shuffle(bodies)
    batches = [bodies[start : start + 5] for start in range(0, len(bodies), 5)]

    def work(own: list[list[str]]) -> list[CommitReport]:
        committer = world.make_committer()
        reports = []
        for batch in own:
            left = list(batch)
            while left:
                report = committer.commit(left, lambda: 900.0)
                assert not report.refused
                reports.append(report)
                left = [left[index] for index in sorted(report.failed)]
                time.sleep(random.random() / 100)
        return reports

    with ThreadPoolExecutor(writers) as pool:
        shares = [batches[own::writers] for own in range(writers)]
        reports = list(itertools.chain.from_iterable(pool.map(work, shares)))

    rows = [(row["id"], row["version"]) for row in world.rows()]
    assert sorted(rows) == [(number, 2 if number % 5 == 0 else 1) for number in range(objects)]
    assert sum(report.conflicts for report in reports) > 0
