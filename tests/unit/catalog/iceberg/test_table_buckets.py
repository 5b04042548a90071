"""Iceberg tables in a table bucket: the committer's rules are the same, and its files are copies of the outputs."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from millrace.aws.iceberg_snapshots import RememberedManifests
from millrace.aws.iceberg_table_buckets import name_copy
from millrace.catalog.iceberg.committing import CommitReport
from millrace.catalog.iceberg.messages import CommitRequest
from millrace.catalog.iceberg.tables import LiveFile
from millrace.errors import AccessDenied
from millrace.objects.output_names import OutputVersion
from millrace.objects.references import ObjectRef
from tests.configurations import document
from tests.fake_table_buckets import TABLE_BUCKET, WarehouseStore
from tests.fakes import StoredObject
from tests.iceberg_world import DATABASE, ONE_TABLE, TableBucketWorld, build_model, model_table, table_bucket_sync

DATA = "s3://00000000--table-s3/data/20261122/"


def test_the_first_file_makes_namespace_and_table() -> None:
    world = TableBucketWorld()
    report = world.take("a.csv", "id,note\n1,x\n2,\n")

    assert (report.commits, report.files, report.failed, report.refused) == (1, 1, {}, {})
    assert world.rows() == [{"id": 1, "note": "x"}, {"id": 2, "note": None}]
    assert world.glue.databases == {DATABASE: {}}


def test_the_file_is_a_copy_and_the_output_stays_where_it_is() -> None:
    world = TableBucketWorld()
    world.take("a.csv", "id\n1\n")
    (copy,), (key,) = world.copies(), world.keys()

    assert copy.startswith(DATA)
    assert OutputVersion.parse(copy) == OutputVersion.parse(key)
    assert world.buckets.warehouse.data(ObjectRef.parse(copy)) == world.world.store.data(ObjectRef("acme-out", key))
    assert not [key for key in world.world.store.buckets["acme-out"] if "/iceberg/" in key]


def test_nothing_writes_its_files_anew() -> None:
    """S3 Tables compacts tables unless it is told not to, and nobody would know whose rows are where."""
    world = TableBucketWorld()
    world.take("a.csv", "id\n1\n")

    assert world.buckets.namespaces[DATABASE]["orders"]["maintenance"] == {"icebergCompaction": {"status": "disabled"}}
    assert world.table().properties["write.metadata.delete-after-commit.enabled"] == "false"


def test_a_new_version_takes_the_place_of_the_former_in_one_snapshot() -> None:
    world = TableBucketWorld()
    world.take("a.csv", "id\n1\n")
    world.take("b.csv", "id\n2\n")
    former = world.table().current_snapshot()
    world.take("a.csv", "id,note\n3,x\n")

    assert world.rows() == [{"id": 2, "note": None}, {"id": 3, "note": "x"}]
    assert former is not None
    assert world.rows(former.snapshot_id) == [{"id": 1}, {"id": 2}]
    assert len(world.table().snapshots()) == 3


def test_a_deleted_object_leaves_the_table() -> None:
    world = TableBucketWorld()
    world.take("a.csv", "id\n1\n")
    world.take("b.csv", "id\n2\n")
    world.remove("a.csv")
    world.commit()

    assert world.rows() == [{"id": 2}]


def test_files_of_a_partition_have_copies_of_their_own() -> None:
    """Their names are the same, but for their folders."""
    world = TableBucketWorld(sync=table_bucket_sync(schemas=[{"id": "Orders", "partition_key": "region"}]))
    world.take("a.csv", "id,region\n1,EU\n2,US\n3,EU\n")

    assert len(world.copies()) == 2
    assert [row["id"] for row in world.rows()] == [1, 2, 3]


def test_a_model_is_a_table_too() -> None:
    place = {"format": "iceberg", "table_bucket": TABLE_BUCKET, "database": DATABASE}
    world = TableBucketWorld(configuration=model_table(place))
    for text in (b"id\n1\n", b"id\n2\n3\n"):
        build_model(world, text)
        world.commit()

    assert world.rows(table="sales") == [{"id": 2}, {"id": 3}]
    assert len(world.table("sales").snapshots()) == 2


class TestCopiesThatAreThere:
    def test_a_repeat_finds_its_file_on_any_day(self) -> None:
        world = TableBucketWorld()
        world.convert("a.csv", "id\n1\n")
        bodies = list(world.letters.bodies)
        world.commit()
        world.today += timedelta(days=40)
        world.committer = world.make_committer()
        report = world.commit(bodies)

        assert (report.commits, report.repeats, len(world.copies())) == (0, 1, 1)

    def test_a_copy_of_today_is_not_made_again(self) -> None:
        """Its first commit was killed; nobody looks whether S3 would tell."""
        world = TableBucketWorld()
        world.take("a.csv", "id\n1\n")
        entry = world.convert("b.csv", "id\n2\n")
        (output,) = entry.outputs
        data = world.world.store.data(output.ref)
        copied = ObjectRef.parse(f"{DATA}{name_copy(output.ref)}")
        world.buckets.warehouse.put(copied, data)
        puts = world.buckets.warehouse.puts
        world.commit()

        assert world.rows() == [{"id": 1}, {"id": 2}]
        assert world.buckets.warehouse.puts - puts == 3  # a manifest, a list of them, and metadata

    def test_one_of_an_earlier_day_may_be_about_to_vanish(self) -> None:
        """A table bucket removes what no snapshot names: the output is copied once more, to another place."""
        world = TableBucketWorld()
        world.take("a.csv", "id\n1\n")
        (output,) = world.convert("b.csv", "id\n2\n").outputs
        old = ObjectRef.parse(f"{DATA}{name_copy(output.ref)}")
        world.buckets.warehouse.put(old, world.world.store.data(output.ref))
        world.today += timedelta(days=1)
        world.commit()
        del world.buckets.warehouse.buckets[old.bucket][old.key]

        assert world.rows() == [{"id": 1}, {"id": 2}]

    def test_who_was_quicker_has_copied_the_same(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = TableBucketWorld()
        world.take("a.csv", "id\n1\n")
        (output,) = world.convert("b.csv", "id\n2\n").outputs
        copied = ObjectRef.parse(f"{DATA}{name_copy(output.ref)}")
        world.buckets.warehouse.put(copied, world.world.store.data(output.ref))
        genuine, asked = WarehouseStore.head, []

        def answer(store: WarehouseStore, ref: ObjectRef) -> object:
            asked.append(ref)
            if len(asked) == 1:
                raise AccessDenied("nobody is told what is not there")
            return genuine(store, ref)

        monkeypatch.setattr(WarehouseStore, "head", answer)
        report = world.commit()

        assert report.failed == {}
        assert world.rows() == [{"id": 1}, {"id": 2}]

    def test_one_that_is_not_whole_is_no_file_of_the_table(self) -> None:
        world = TableBucketWorld()
        world.take("a.csv", "id\n1\n")
        (output,) = world.convert("b.csv", "id\n2\n").outputs
        world.buckets.warehouse.put(ObjectRef.parse(f"{DATA}{name_copy(output.ref)}"), b"PAR1")
        report = world.commit()

        assert "is to be a copy of the" in report.failed[0]
        assert world.rows() == [{"id": 1}]


def test_an_output_that_somebody_wrote_over_is_refused() -> None:
    world = TableBucketWorld()
    (output,) = world.convert("a.csv", "id\n1\n").outputs
    world.world.store.put(output.ref, b"another")
    report = world.commit()

    assert "somebody wrote over it" in report.refused[0]
    assert world.copies() == []


def test_an_output_that_is_gone_is_refused() -> None:
    world = TableBucketWorld()
    (output,) = world.convert("a.csv", "id\n1\n").outputs
    world.world.store.delete(output.ref)

    assert "is gone, though the ledger names it" in world.commit().refused[0]


class TestRaces:
    def test_a_commit_is_of_just_the_version_that_was_loaded(self) -> None:
        world = TableBucketWorld()
        world.take("a.csv", "id\n1\n")
        world.convert("b.csv", "id\n2\n")
        first = list(world.letters.bodies)
        world.convert("c.csv", "id\n3\n")
        second = world.letters.bodies[len(first) :]
        quicker = world.make_committer()

        def be_quicker(action: str) -> None:
            if action == "UpdateTableMetadataLocation":
                world.buckets.on_call = lambda _action: None
                assert quicker.commit(second, lambda: 900.0).commits == 1

        world.buckets.on_call = be_quicker
        report = world.commit(first)

        assert (report.commits, report.conflicts, world.buckets.losses) == (1, 1, 1)
        assert world.rows() == [{"id": 1}, {"id": 2}, {"id": 3}]

    def test_a_commit_whose_answer_gets_lost_was_one(self) -> None:
        """The client asks again and hears of a conflict; what was written for it is not cleared away."""
        world = TableBucketWorld()
        world.take("a.csv", "id\n1\n")
        world.convert("b.csv", "id\n2\n")
        world.buckets.lost_answers = 1
        report = world.commit()

        assert (report.failed, report.conflicts, report.commits) == ({}, 1, 0)
        assert world.rows() == [{"id": 1}, {"id": 2}]

    @pytest.mark.slow
    def test_many_committers_lose_nothing_and_double_nothing(self) -> None:
        world = TableBucketWorld()
        objects = 40
        for number in range(objects):
            world.convert(f"{number}.csv", f"id,version\n{number},1\n")
        for number in range(0, objects, 5):
            world.convert(f"{number}.csv", f"id,version\n{number},2\n")
        bodies = list(world.letters.bodies)
        random.Random(3).shuffle(bodies)

        def work(own: list[str]) -> list[CommitReport]:
            committer, left, reports = world.make_committer(), own, []
            while left:
                reports.append(committer.commit(left[:6], lambda: 900.0))
                assert not reports[-1].refused
                left = [left[index] for index in sorted(reports[-1].failed)] + left[6:]
            return reports

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, [bodies[own::4] for own in range(4)]))

        rows = [(row["id"], row["version"]) for row in world.rows()]
        assert sorted(rows) == [(number, 2 if number % 5 == 0 else 1) for number in range(objects)]
        assert world.buckets.losses > 0


class _Killed(BaseException):
    """The process ends here."""


@dataclass
class _KillAt:
    """Kills at the n-th request, before or after it is done."""

    left: int
    killed: bool = False

    def __call__(self, _call: str) -> None:
        self.left -= 1
        if self.left == 0:
            self.killed = True
            raise _Killed


@pytest.mark.slow
def test_a_committer_that_is_killed_at_any_request_loses_and_doubles_nothing() -> None:
    """Its table is as it was, or as it should be; the next one brings the rest, from the first CreateNamespace on."""
    requests = 0
    while True:
        requests += 1
        world = TableBucketWorld()
        world.convert("a.csv", "id\n1\n")
        world.convert("b.csv", "id\n2\n")
        bodies = list(world.letters.bodies)
        kill = _KillAt(requests)
        _ask_before_each_request(world, kill)
        try:
            world.committer.commit(bodies[:1], lambda: 900.0)
            world.convert("a.csv", "id\n3\n")
            world.committer.commit([*bodies, *world.letters.bodies], lambda: 900.0)
        except _Killed:
            pass
        _ask_before_each_request(world, lambda _call: None)
        report = world.make_committer().commit([*bodies, *world.letters.bodies], lambda: 900.0)

        assert (report.failed, report.refused) == ({}, {}), requests
        newest = {"id": 3} if len(world.letters.bodies) > 2 else {"id": 1}
        assert sorted(world.rows(), key=str) == sorted([newest, {"id": 2}], key=str), requests
        if not kill.killed:
            break

    assert requests > 20


def _ask_before_each_request(world: TableBucketWorld, ask: Callable[[str], None]) -> None:
    world.buckets.on_call = ask
    world.buckets.warehouse.on_call = ask


class TestTablesOfOthersInTableBuckets:
    def test_a_table_of_another_is_left_alone(self) -> None:
        world = TableBucketWorld()
        world.take("a.csv", "id\n1\n")
        other = TableBucketWorld(sync=table_bucket_sync(name="other"), buckets=world.buckets)
        other.world.store.buckets = world.world.store.buckets
        report = other.take("b.csv", "id\n2\n")

        assert "is of sync 'nightly'" in report.refused[0]
        assert world.rows() == [{"id": 1}]

    def test_a_table_that_another_makes_meanwhile_is_not_touched(self) -> None:
        world = TableBucketWorld()
        world.convert("a.csv", "id\n1\n")

        def make_one(action: str) -> None:
            if action == "CreateTable":
                world.buckets.on_call = lambda _action: None
                world.buckets.warehouse.buckets["theirs"] = {"t/metadata/1.metadata.json": StoredObject(b"")}
                table = {"versionToken": "7", "warehouseLocation": "s3://theirs/t", "maintenance": {}}
                world.buckets.namespaces[DATABASE]["orders"] = table | {
                    "metadataLocation": "s3://theirs/t/metadata/1.metadata.json"
                }

        world.buckets.on_call = make_one
        world.commit()

        assert world.buckets.namespaces[DATABASE]["orders"]["maintenance"] == {}
        assert world.buckets.namespaces[DATABASE]["orders"]["versionToken"] == "7"

    def test_a_file_that_was_compacted_is_refused_with_what_to_do(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = TableBucketWorld()
        world.take("a.csv", "id\n1\n")
        genuine = RememberedManifests.read

        def read(*rest: Any) -> tuple[LiveFile, ...]:
            return (*genuine(*rest), LiveFile("s3://w/data/compacted.parquet", OutputVersion(0, "")))

        monkeypatch.setattr(RememberedManifests, "read", read)
        report = world.take("b.csv", "id\n2\n")

        assert "Keep compaction off" in report.refused[0]

    def test_a_table_bucket_that_is_not_there_is_named(self) -> None:
        elsewhere = "arn:aws:s3tables:eu-central-1:111122223333:bucket/elsewhere"
        place = {"format": "iceberg", "table_bucket": elsewhere, "database": DATABASE}
        world = TableBucketWorld(sync=table_bucket_sync(destination_configuration=place))
        report = world.take("a.csv", "id\n1\n")

        assert f"s3tables:CreateNamespace of lake in {elsewhere} found nothing of that name" in report.failed[0]

    def test_a_name_without_letters_is_refused(self) -> None:
        world = TableBucketWorld(source={"is_single_table": True, "single_table_name": "заказы"})
        report = world.take("a.csv", "id\n1\n")

        assert "a table bucket takes no table '_'" in report.refused[0]


class TestExpiryInTableBuckets:
    def test_a_table_bucket_takes_care_of_its_snapshots_itself(self) -> None:
        world = TableBucketWorld()
        world.take("a.csv", "id\n1\n")
        world.take("a.csv", "id\n2\n")
        report = world.expire(timedelta(days=8))

        assert report.to_log() == {"tables": 1, "snapshots": 0, "data_files": 1, "metadata_files": 0}
        assert len(world.table().snapshots()) == 2

    def test_outputs_of_former_versions_go_and_those_that_the_ledger_names_stay(self) -> None:
        world = TableBucketWorld()
        world.take("a.csv", "id\n1\n")
        former = world.keys()
        world.take("a.csv", "id\n2\n")
        world.convert("b.csv", "id\n3\n")
        report = world.expire(timedelta(days=30))

        assert report.tables["lake.orders"].data_files == 1
        assert len(world.keys()) == 2
        assert not set(former) & set(world.keys())
        world.commit()
        assert world.rows() == [{"id": 2}, {"id": 3}]

    def test_the_table_of_another_deployment_is_not_looked_at(self) -> None:
        """It has a sync of the same name, whose outputs are elsewhere."""
        world = TableBucketWorld()
        world.take("a.csv", "id\n1\n")
        world.take("a.csv", "id\n2\n")
        table = world.buckets.namespaces[DATABASE]["orders"]
        ref = ObjectRef.parse(table["metadataLocation"])
        data = world.buckets.warehouse.data(ref).replace(b"s3://acme-out/lake/Orders/", b"s3://acme-out/sea_/Orders/")
        world.buckets.warehouse.put(ref, data)

        assert world.expire(timedelta(days=30)).tables == {}
        assert len(world.keys()) == 2

    def test_without_its_namespace_there_is_nothing_to_do(self) -> None:
        assert TableBucketWorld().expire(timedelta(days=30)).to_log()["tables"] == 0


def test_tables_of_one_name_in_both_catalogues_are_two() -> None:
    """A batch may have messages of both."""
    glue = {"format": "iceberg", "database": DATABASE, "subfolder": "glue"}
    syncs = [table_bucket_sync(), table_bucket_sync(name="other", destination_configuration=glue)]
    world = TableBucketWorld(configuration=document(*syncs, source=ONE_TABLE))
    source = ObjectRef("acme-in", "in/a.csv")
    world.world.work(world.world.upload(b"id\n1\n", source), message="a")
    report = world.commit([CommitRequest(name, source).to_body() for name in ("nightly", "other")])

    assert (report.commits, report.failed, report.refused) == (2, {}, {})
    assert world.rows() == [{"id": 1}]
    assert "orders" in world.glue.databases[DATABASE]
