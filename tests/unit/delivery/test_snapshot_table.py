"""Tables of many files, chosen tables and divided outputs, on the fakes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from millrace.errors import LostRace
from millrace.ledger.entries import Entry, Failure, State
from millrace.ledger.table_entries import TableEntry, TableOrder
from millrace.objects.lineage import Lineage
from millrace.objects.messages import Request
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef
from millrace.objects.store import OpenedObject
from tests.configurations import bulk_sync
from tests.world import NOON, TARGET, World


def failure(entry: Entry) -> Failure:
    assert entry.failure is not None
    return entry.failure


class TestSnapshot:
    """Single table, snapshot: ``in/2026/…`` are files of ``orders``; the table is its newest file."""

    TABLE = ObjectRef("acme-out", "lake/orders/orders.jsonl")

    @pytest.fixture
    def world(self) -> World:
        source = {"is_single_table": True, "single_table_name": "orders"}
        return World(syncs=(bulk_sync(to="json", mode="snapshot"),), source=source)

    def put(self, world: World, key: str, row: int, *, day: int) -> Request:
        world.store.modified = datetime(2026, 11, day, tzinfo=UTC)
        return world.upload(b"id\n%d\n" % row, ObjectRef("acme-in", key))

    def test_a_newer_file_replaces_the_whole_table(self, world: World) -> None:
        world.one(self.put(world, "in/a.csv", 1, day=1))
        world.one(self.put(world, "in/b.csv", 2, day=2))

        assert world.store.data(self.TABLE) == b'{"id":2}\n'
        assert set(world.store.buckets["acme-out"]) == {self.TABLE.key}

    def test_an_older_file_that_arrives_late_is_superseded_and_changes_nothing(self, world: World) -> None:
        old = self.put(world, "in/z.csv", 1, day=1)
        world.one(self.put(world, "in/a.csv", 2, day=2))

        outcome = world.one(old)

        assert (outcome.result, outcome.acknowledge) == (State.SUPERSEDED, True)
        assert "in/a.csv" in (outcome.reason or "")
        assert world.store.data(self.TABLE) == b'{"id":2}\n'

    def test_of_files_of_one_second_the_greater_key_is_newer(self, world: World) -> None:
        greater = self.put(world, "in/2026-02.csv", 2, day=1)
        smaller = self.put(world, "in/2026-01.csv", 1, day=1)
        world.one(greater)
        world.one(smaller)

        assert world.store.data(self.TABLE) == b'{"id":2}\n'

    def test_an_overwrite_of_an_older_file_makes_it_the_newest(self, world: World) -> None:
        world.one(self.put(world, "in/a.csv", 1, day=1))
        world.one(self.put(world, "in/b.csv", 2, day=2))
        world.one(self.put(world, "in/a.csv", 3, day=3))

        assert world.store.data(self.TABLE) == b'{"id":3}\n'

    def test_the_same_bytes_under_another_key_still_count_as_newer(self, world: World) -> None:
        world.one(self.put(world, "in/a.csv", 1, day=1))
        world.one(self.put(world, "in/b.csv", 1, day=3))
        world.one(self.put(world, "in/c.csv", 2, day=2))

        assert world.store.data(self.TABLE) == b'{"id":1}\n'

    def test_a_broken_newest_file_leaves_the_table_and_says_so(self, world: World) -> None:
        world.one(self.put(world, "in/a.csv", 1, day=1))
        world.store.modified = datetime(2026, 11, 2, tzinfo=UTC)

        outcome = world.one(world.upload(b"a,b\n1\n", ObjectRef("acme-in", "in/b.csv")))

        assert outcome.result == State.FAILED
        assert world.store.data(self.TABLE) == b'{"id":1}\n'

    def test_a_table_in_flight_makes_another_file_wait(self, world: World) -> None:
        world.one(self.put(world, "in/a.csv", 1, day=1))
        table = next(entry for entry in world.ledger.puts if isinstance(entry, TableEntry))
        world.ledger.entries[table.stored_sync, table.source] = replace(table, owner="another")

        outcome = world.one(self.put(world, "in/b.csv", 2, day=2), "m2")

        assert outcome.retry_after == 30

    def test_a_run_converts_the_newest_again_and_passes_over_the_others(self, world: World) -> None:
        requests = [self.put(world, f"in/{day}.csv", day, day=day) for day in (1, 2)]
        for request in requests:
            world.one(request)

        again = [
            world.one(Request(change=ObjectChange(kind=ChangeKind.CREATED, ref=request.change.ref), run_id="r"), "m2")
            for request in requests
        ]

        assert [outcome.result for outcome in again] == [State.SUPERSEDED, State.CONVERTED]
        assert world.store.data(self.TABLE) == b'{"id":2}\n'

    @pytest.mark.parametrize("order", list(permutations(range(3))))
    def test_a_run_from_an_empty_ledger_ends_in_the_newest_whatever_its_order(
        self, world: World, order: tuple[int, ...]
    ) -> None:
        refs = [self.put(world, f"in/{day}.csv", day, day=day).change.ref for day in (1, 2, 3)]

        for place in order:
            change = ObjectChange(kind=ChangeKind.CREATED, ref=refs[place])
            assert world.one(Request(change=change, run_id="r"), f"m{place}").acknowledge

        assert world.store.data(self.TABLE) == b'{"id":3}\n'

    def test_deleting_an_older_file_never_touches_the_table(self, world: World) -> None:
        world.syncs = (bulk_sync(to="json", mode="snapshot", on_delete="remove"),)
        world.one(self.put(world, "in/a.csv", 1, day=1))
        world.one(self.put(world, "in/b.csv", 2, day=2))

        world.one(world.delete(ObjectRef("acme-in", "in/a.csv")))

        assert world.store.data(self.TABLE) == b'{"id":2}\n'

    def test_deleting_the_newest_file_removes_the_table_where_asked(self, world: World) -> None:
        world.syncs = (bulk_sync(to="json", mode="snapshot", on_delete="remove"),)
        world.one(self.put(world, "in/a.csv", 1, day=1))

        world.one(world.delete(ObjectRef("acme-in", "in/a.csv")))

        assert world.store.buckets["acme-out"] == {}
        table = world.ledger.get_table("nightly", ObjectRef("acme-in", "in/orders"))
        assert table is not None
        last = TableOrder.of(datetime(2026, 11, 1, tzinfo=UTC), ObjectRef("acme-in", "in/a.csv"))
        assert (table.state, table.order) == (State.REMOVED, last.at_deletion())
        world.one(self.put(world, "in/b.csv", 2, day=2))
        assert world.store.data(self.TABLE) == b'{"id":2}\n'

    @pytest.mark.slow
    @pytest.mark.parametrize("order", list(permutations(range(4))))
    def test_any_order_of_events_ends_in_the_same_table(self, world: World, order: tuple[int, ...]) -> None:
        requests = [self.put(world, f"in/{day}.csv", day, day=day) for day in (1, 2, 3, 4)]

        for place in order:
            assert world.one(requests[place]).acknowledge

        assert world.store.data(self.TABLE) == b'{"id":4}\n'

    def states(self, world: World) -> dict[str, State]:
        return {entry.source.key: entry.state for entry in world.ledger.works()}

    def deliver_asked(self, world: World) -> None:
        """Deliver the request that the work itself sent."""
        (request,) = world.queue.sent
        world.queue.sent.clear()
        world.one(request, "asked")

    def test_a_version_whose_upload_began_earlier_replaces_that_which_its_table_is_made_of(self, world: World) -> None:
        world.one(self.put(world, "in/a.csv", 1, day=2))

        outcome = world.one(self.put(world, "in/a.csv", 2, day=1), "m2")

        assert outcome.result == State.CONVERTED
        assert world.store.data(self.TABLE) == b'{"id":2}\n'

    def test_two_versions_of_one_second_are_in_the_order_of_their_events(self, world: World) -> None:
        world.one(self.put(world, "in/a.csv", 1, day=1))
        world.one(self.put(world, "in/a.csv", 2, day=1), "m2")

        assert world.store.data(self.TABLE) == b'{"id":2}\n'

    def test_once_the_newest_version_is_gone_the_table_is_made_of_what_the_bucket_holds(self, world: World) -> None:
        world.one(self.put(world, "in/b.csv", 2, day=2))
        world.one(self.put(world, "in/a.csv", 3, day=3), "m2")
        version_before = self.put(world, "in/a.csv", 1, day=1)

        world.one(version_before, "m3")
        self.deliver_asked(world)

        assert world.store.data(self.TABLE) == b'{"id":2}\n'
        assert self.states(world) == {"in/a.csv": State.SUPERSEDED, "in/b.csv": State.CONVERTED}

    def test_a_slow_worker_never_replaces_a_table_by_a_version_that_is_gone(self, world: World) -> None:
        world.one(self.put(world, "in/a.csv", 2, day=2))
        late = self.put(world, "in/a.csv", 1, day=1)
        stale = world.store.buckets["acme-in"]["in/a.csv"]
        self.put(world, "in/a.csv", 2, day=2)
        genuine = world.store.open
        opens = [stale]

        @contextmanager
        def open_stale(ref: ObjectRef, *, tail_first: bool = False) -> Iterator[OpenedObject]:
            with genuine(ref, tail_first=tail_first) as opened:
                if not opens:
                    yield opened
                    return
                old = opens.pop()
                yield OpenedObject(replace(opened.head, etag=old.etag, modified=old.modified), io.BytesIO(old.data))

        world.store.open = open_stale  # type: ignore[method-assign] # a fake that is slow once

        world.one(late, "m2")

        assert world.store.data(self.TABLE) == b'{"id":2}\n'

    @pytest.mark.parametrize("order", list(permutations(range(2))))
    def test_a_run_wins_over_a_newest_file_that_is_gone(self, world: World, order: tuple[int, ...]) -> None:
        refs = [self.put(world, f"in/{day}.csv", day, day=day).change.ref for day in (1, 2)]
        newest = self.put(world, "in/3.csv", 3, day=3)
        world.one(newest)
        world.one(world.delete(newest.change.ref))
        assert world.store.data(self.TABLE) == b'{"id":3}\n'

        for place in order:
            change = ObjectChange(kind=ChangeKind.CREATED, ref=refs[place])
            world.one(Request(change=change, sync="nightly", run_id="r"), f"m{place}")

        assert world.store.data(self.TABLE) == b'{"id":2}\n'

    def test_a_run_of_one_key_ends_in_the_newest_file_that_the_bucket_holds(self, world: World) -> None:
        older, newer = (self.put(world, f"in/{day}.csv", day, day=day) for day in (1, 2))
        newest = self.put(world, "in/3.csv", 3, day=3)
        for request in (newest, newer, older):
            world.one(request)
        world.one(world.delete(newest.change.ref))

        change = ObjectChange(kind=ChangeKind.CREATED, ref=older.change.ref)
        world.one(Request(change=change, sync="nightly", run_id="r"), "m2")
        self.deliver_asked(world)

        assert world.store.data(self.TABLE) == b'{"id":2}\n'

    def test_exactly_one_file_says_that_the_table_is_made_of_it(self, world: World) -> None:
        for day in (1, 2, 3):
            world.one(self.put(world, f"in/{day}.csv", day, day=day), f"m{day}")

        assert self.states(world) == {
            "in/1.csv": State.SUPERSEDED,
            "in/2.csv": State.SUPERSEDED,
            "in/3.csv": State.CONVERTED,
        }

    def test_a_file_that_is_about_to_settle_finds_out_that_it_is_superseded(self, world: World) -> None:
        first = self.put(world, "in/1.csv", 1, day=1)
        world.one(first)
        settled = world.entry(first.change.ref)
        at_work = replace(settled, state=State.IN_FLIGHT, lease_until=NOON + timedelta(minutes=9), owner="m1")
        world.ledger.entries["nightly", first.change.ref] = at_work

        world.one(self.put(world, "in/2.csv", 2, day=2), "m2")

        with pytest.raises(LostRace):
            world.ledger.put(replace(settled, revision=at_work.revision + 1))
        assert world.one(first, "m1").result == State.SUPERSEDED

    def put_newer_output(self, world: World, *, day: int) -> None:
        """What another worker published under a higher fence than the ledger, which lost entries, knows of."""
        file, time = ObjectRef("acme-in", "in/0.csv"), datetime(2026, 11, day, tzinfo=UTC)
        world.store.modified = time
        world.store.put(file, b"id\n0\n")
        head = world.store.head(file)
        assert head is not None
        lineage = Lineage.of(
            sync="nightly#table",
            source=file,
            owner=ObjectRef("acme-in", "in/orders"),
            etag=head.etag,
            version_id=None,
            sequencer=TableOrder.of(time, file),
            fence=9,
            fingerprint="f",
            engine="1",
        )
        world.store.put(self.TABLE, b"another", lineage.to_metadata())

    def test_a_newer_output_of_the_table_supersedes_the_file(self, world: World) -> None:
        self.put_newer_output(world, day=2)

        outcome = world.one(self.put(world, "in/a.csv", 1, day=1))

        assert (outcome.result, outcome.acknowledge) == (State.SUPERSEDED, True)
        assert world.entry(ObjectRef("acme-in", "in/a.csv")).fence == 1
        assert world.store.data(self.TABLE) == b"another"

    def test_a_newer_output_of_a_file_that_was_overwritten_supersedes_none(self, world: World) -> None:
        self.put_newer_output(world, day=2)
        world.store.put(ObjectRef("acme-in", "in/0.csv"), b"id\n3\n")
        request = self.put(world, "in/a.csv", 1, day=1)

        assert world.one(request).retry_after is not None
        assert world.one(request).result == State.CONVERTED
        assert world.store.data(self.TABLE) == b'{"id":1}\n'

    def test_an_older_output_under_a_higher_fence_is_replaced_at_the_next_try(self, world: World) -> None:
        self.put_newer_output(world, day=1)
        request = self.put(world, "in/a.csv", 2, day=2)

        assert world.one(request).retry_after is not None
        assert world.one(request).result == State.CONVERTED
        assert world.store.data(self.TABLE) == b'{"id":2}\n'

    def test_a_deletion_has_a_table_looked_at_that_may_hold_the_deleted_file(self, world: World) -> None:
        world.one(self.put(world, "in/1.csv", 1, day=1))
        request = self.put(world, "in/2.csv", 2, day=2)
        table = world.ledger.get_table("nightly", ObjectRef("acme-in", "in/orders"))
        assert table is not None
        killed = replace(table, state=State.IN_FLIGHT, lease_until=NOON - timedelta(minutes=1), owner="killed")
        world.ledger.entries[table.stored_sync, table.source] = killed
        world.store.put(self.TABLE, b'{"id":2}\n', world.store.buckets["acme-out"][self.TABLE.key].metadata)

        world.one(world.delete(request.change.ref), "m3")
        self.deliver_asked(world)

        assert world.store.data(self.TABLE) == b'{"id":1}\n'


class TestSchemas:
    ORDERS = b"id,region,email\n1,EU,a@x\n2,US,b@x\n3,EU,c@x\n"

    @pytest.fixture
    def world(self) -> World:
        return World()

    def schema(self, **options: Any) -> dict[str, Any]:
        return bulk_sync(to="json", schemas=[{"id": "orders", **options}])

    def test_a_table_that_is_not_chosen_is_ignored_with_the_reason(self, world: World) -> None:
        world.syncs = (bulk_sync(to="json", schemas=["returns"]),)

        outcome = world.one(world.upload(self.ORDERS))

        assert (outcome.result, "orders" in (outcome.reason or "")) == (State.IGNORED, True)

    def test_fields_are_chosen_and_named(self, world: World) -> None:
        fields = [{"id": "id", "user_output_name": "order_id"}, "region", {"id": "email", "enabled": False}]
        world.syncs = (self.schema(fields=fields),)

        world.one(world.upload(self.ORDERS))

        assert world.store.data(TARGET).splitlines()[0] == b'{"order_id":1,"region":"EU"}'

    def test_filtered_rows_are_counted(self, world: World) -> None:
        world.syncs = (self.schema(filters=[{"field": "region", "function": "Equality", "value": "EU"}]),)

        world.one(world.upload(self.ORDERS))

        entry = world.entry()
        assert (entry.rows.read, entry.rows.written, entry.rows.filtered) == (3, 2, 1)

    def test_a_partition_key_makes_one_output_a_value(self, world: World) -> None:
        world.syncs = (self.schema(partition_key="region"),)

        world.one(world.upload(self.ORDERS))

        assert set(world.store.buckets["acme-out"]) == {
            "lake/orders/region=EU/orders.jsonl",
            "lake/orders/region=US/orders.jsonl",
        }
        assert {output.rows for output in world.entry().outputs} == {1, 2}

    def test_partitions_that_a_newer_version_lacks_are_removed_by_name(self, world: World) -> None:
        world.syncs = (self.schema(partition_key="region"),)
        world.one(world.upload(self.ORDERS))
        stranger = ObjectRef("acme-out", "lake/orders/region=US/other.jsonl")
        world.store.put(stranger, b"x")

        world.one(world.upload(b"id,region,email\n9,EU,z@x\n"))

        assert set(world.store.buckets["acme-out"]) == {"lake/orders/region=EU/orders.jsonl", stranger.key}

    def test_too_many_partitions_are_refused_and_write_nothing(self, world: World) -> None:
        world.syncs = (self.schema(partition_key="id"),)

        world.one(world.upload(b"id\n" + b"".join(b"%d\n" % number for number in range(101))))

        assert failure(world.entry()).error == "TooManyPartitions"
        assert world.store.buckets["acme-out"] == {}

    def test_an_unknown_field_is_an_error_that_names_it(self, world: World) -> None:
        world.syncs = (self.schema(partition_key="regoin"),)

        world.one(world.upload(self.ORDERS))

        assert "regoin" in failure(world.entry()).message

    def test_obfuscated_fields_need_the_key_and_never_show_the_value(self, world: World) -> None:
        world.syncs = (self.schema(fields=[{"id": "email", "obfuscated": True}]),)
        request = world.upload(self.ORDERS)
        assert world.one(request).retry_after == 30
        world.key = b"secret"

        world.one(request)

        assert b"a@x" not in world.store.data(TARGET)


class TestOneFormat:
    """Directories are tables of csv or json; each table's files share one."""

    @pytest.fixture
    def world(self) -> World:
        source = {
            "is_single_table": True,
            "is_directory_snapshot": True,
            "directory_glob_pattern": "*",
            "single_table_file_formats": ["csv", "json"],
        }
        return World(source=source)

    def put(self, world: World, key: str) -> Request:
        data = b'{"id":1}\n' if key.endswith(".jsonl") else b"id\n1\n"
        return world.upload(data, ObjectRef("acme-in", key))

    def test_tables_may_differ(self, world: World) -> None:
        for key in ("in/orders/a.csv", "in/orders/b.csv", "in/events/a.jsonl"):
            assert world.one(self.put(world, key)).result == State.CONVERTED

    def test_a_file_of_another_format_is_refused_and_named(self, world: World) -> None:
        world.one(self.put(world, "in/orders/a.csv"))

        outcome = world.one(self.put(world, "in/orders/b.jsonl"))

        assert (outcome.result, outcome.acknowledge) == (State.FAILED, True)
        assert "in/orders/b.jsonl is a json file" in (outcome.reason or "")
        assert "are csv" in (outcome.reason or "")

    def test_a_run_over_the_whole_table_decides_the_format_anew(self, world: World) -> None:
        world.one(self.put(world, "in/orders/a.csv"))
        request = self.put(world, "in/orders/b.jsonl")
        world.one(request)

        change = ObjectChange(kind=ChangeKind.CREATED, ref=request.change.ref)
        again = Request(change=change, run_id="r", decides_format=True)

        assert world.one(again, "m2").result == State.CONVERTED
        assert world.one(self.put(world, "in/orders/c.csv"), "m3").result == State.FAILED
