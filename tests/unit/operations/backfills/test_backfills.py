"""A backfill from its order to its end, whatever is killed, lost, paused or changed meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from millrace.errors import AccessDenied, ObjectArchived, ServiceUnavailable, UsageError
from millrace.ledger.entries import Entry, State
from millrace.objects.messages import Request, parse_message
from millrace.objects.references import ObjectRef
from millrace.operations.backfills.board import BackfillState, Board, KeyRange, PortionResult, RangeTree, Span
from millrace.operations.backfills.listing import ListingEnd
from millrace.operations.backfills.progress import describe_progress
from millrace.operations.backfills.steering import BackfillOrder
from millrace.planning.planner import Planner
from tests.backfill_plant import SYNC, Plant
from tests.configurations import bulk_sync, model_document
from tests.world import World


def state(plant: Plant) -> BackfillState:
    return plant.backfills.board().backfills[-1].state


def asked(plant: Plant) -> list[str]:
    """The keys that wait in the queue."""
    return [request.change.ref.key for body in plant.queue.bodies for request in parse_message(body).requests]


@pytest.mark.slow
def test_all_that_is_there_is_converted_and_accounted_for() -> None:
    plant = Plant()
    plant.fill(range(25))

    plant.start()
    plant.run()

    counts = plant.counts()
    assert (counts.asked, counts.done, counts.failed, counts.open) == (25, 25, 0, 0)
    assert counts.size == 25 * 4
    assert len(plant.outputs()) == 25
    assert state(plant) is BackfillState.FINISHED
    assert not plant.queue.is_on, "an event source that nobody needs costs nothing"


@pytest.mark.slow
def test_each_object_is_asked_for_once_however_the_listing_is_divided() -> None:
    plant = Plant()
    plant.fill(range(400))

    plant.start()
    plant.list_all()

    row = plant.backfills.board().backfills[-1]
    assert sorted(asked(plant)) == sorted(set(asked(plant)))
    assert len(asked(plant)) == 400
    assert len(RangeTree.read(plant.backfills, row).ranges) > 3


def test_what_is_converted_already_costs_no_message() -> None:
    plant = Plant()
    plant.fill(range(10))
    plant.start()
    plant.run()
    plant.fill(range(10, 15))

    plant.start()
    plant.list_all()

    assert len(asked(plant)) == 5
    assert (plant.counts().known, plant.counts().compared) == (10, 15)


def test_another_configuration_is_asked_for_again() -> None:
    plant = Plant()
    plant.fill(range(3))
    plant.start()
    plant.run()
    plant.world.syncs = (bulk_sync(to="parquet"),)

    plant.start()
    plant.run()

    assert plant.counts().asked == 3
    assert [key for key in plant.outputs() if not key.endswith(".parquet")] == []


def sync_of_another_fingerprint(files: int) -> dict[str, Any]:
    """An option of a table that is not among these files: it shapes none of their outputs."""
    known = [{"id": f"{number:05}", "enabled": True} for number in range(files)]
    return bulk_sync(to="json", schemas=[*known, {"id": "items", "enabled": True, "partition_key": "region"}])


def test_a_changed_name_of_a_sync_s_option_that_changes_no_output_is_known() -> None:
    """The fingerprint is of the whole sync; the shape, read from the entry, is of this output alone."""
    plant = Plant()
    plant.fill(range(3))
    plant.start()
    plant.run()
    plant.world.syncs = (sync_of_another_fingerprint(3),)

    plant.start()
    plant.list_all()

    assert plant.counts().known == 3


@pytest.mark.parametrize(("is_changed", "known"), [(False, 3), (True, 0)])
def test_of_what_was_written_down_without_a_shape_the_fingerprint_decides(*, is_changed: bool, known: int) -> None:
    """An earlier release wrote none."""
    plant = Plant()
    plant.fill(range(3))
    plant.start()
    plant.run()
    for entry in list(plant.world.ledger.works()):
        plant.world.ledger.put(replace(entry, shape=None, revision=entry.revision + 1))
    if is_changed:
        plant.world.syncs = (sync_of_another_fingerprint(3),)

    plant.start()
    plant.list_all()

    assert plant.counts().known == known


def test_what_failed_is_counted_as_failed_and_not_asked_for_again() -> None:
    plant = Plant()
    plant.put(1)
    plant.put(2, 'a,b\n1\n"broken')
    plant.start()
    plant.run()
    first = plant.counts()

    plant.start()
    plant.run()

    assert (first.done, first.failed) == (1, 1)
    assert (plant.counts().asked, plant.counts().failed_before) == (0, 1)


def test_what_waits_for_its_restore_is_not_counted_as_done(monkeypatch: pytest.MonkeyPatch) -> None:
    plant = Plant()
    plant.fill(range(3))
    monkeypatch.setattr(plant.world.store, "open", _refuse_as_archived)
    plant.start()
    plant.run()

    (progress,) = plant.steering.progress()

    assert (progress.counts.asked, progress.counts.done, progress.counts.waiting) == (3, 0, 3)
    assert (progress.counts.open, state(plant)) == (0, BackfillState.FINISHED)
    assert "0 of 3 done" in describe_progress(progress)
    assert progress.expected_end is None
    assert "expected end" not in describe_progress(progress)
    assert "3 wait for a restore or a big run (millrace status)" in describe_progress(progress)


def test_what_waits_for_its_restore_already_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    plant = Plant()
    plant.fill(range(3))
    monkeypatch.setattr(plant.world.store, "open", _refuse_as_archived)
    plant.start()
    plant.run()
    plant.world.store.is_readable = False

    plant.start()
    plant.list_all()

    assert (plant.counts().asked, plant.counts().known) == (0, 3)


def test_entries_are_read_whole_where_the_index_does_not_say_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of other bytes need no look: they are asked for whatever they say."""
    plant = Plant()
    plant.fill(range(3))
    plant.start()
    plant.run()
    plant.world.syncs = (bulk_sync(to="parquet"),)
    plant.put(2, "a\n2\n")
    plant.put(4)
    read: list[str] = []
    genuine = plant.world.ledger.get
    plant.start()

    def get(sync: str, ref: ObjectRef) -> Entry | None:
        read.append(ref.key)
        return genuine(sync, ref)

    monkeypatch.setattr(plant.world.ledger, "get", get)

    plant.list_all()

    assert read == ["in/00000.csv", "in/00001.csv"]
    assert plant.counts().asked == 4


def test_other_files_are_passed_over() -> None:
    plant = Plant()
    plant.put(1)
    plant.world.store.put(ObjectRef("acme-in", "in/notes.docx"), b"x")

    plant.start()
    plant.run()

    assert (plant.counts().asked, plant.counts().ignored) == (1, 1)


def test_an_event_that_comes_meanwhile_is_no_second_conversion() -> None:
    plant = Plant()
    ref = plant.put(1)
    plant.start()
    plant.list_all()
    etag = plant.world.store.buckets[ref.bucket][ref.key].etag

    plant.world.one(plant.world.event(ref, etag=etag))
    entry = plant.world.entry(ref)
    plant.run()

    assert plant.world.entry(ref).fence == entry.fence
    assert plant.counts().done == 1


def test_an_object_written_while_it_waits_is_converted_as_it_is_now() -> None:
    plant = Plant()
    ref = plant.put(1)
    plant.start()
    plant.list_all()

    plant.put(1, "a\n2\n")
    plant.run()

    (key,) = plant.outputs()
    assert plant.world.store.data(ObjectRef("acme-out", key)) == b'{"a":2}\n'
    assert plant.world.entry(ref).version.etag == plant.world.store.buckets[ref.bucket][ref.key].etag


def test_an_object_that_is_deleted_while_it_waits_leaves_nothing() -> None:
    plant = Plant()
    ref = plant.put(1)
    plant.start()
    plant.list_all()

    plant.world.delete(ref)
    plant.run()

    assert plant.world.ledger.get(SYNC, ref) is None
    assert state(plant) is BackfillState.FINISHED


def test_what_was_made_of_an_object_that_is_gone_by_then_is_removed() -> None:
    """The event of its deletion is lost."""
    plant = Plant(World(syncs=(bulk_sync(to="json", on_delete="remove"),)))
    ref = plant.put(1)
    plant.start()
    plant.run()
    plant.world.syncs = (bulk_sync(to="parquet", on_delete="remove"),)
    plant.start()
    plant.list_all()

    plant.world.delete(ref)
    plant.run()

    assert plant.world.entry(ref).state is State.REMOVED
    assert (plant.outputs(), plant.counts().open) == ([], 0)


class TestPausedBackfills:
    @pytest.mark.slow
    def test_a_pause_stops_listing_and_receiving_and_loses_nothing(self) -> None:
        plant = Plant(portion=4)
        plant.fill(range(30))
        plant.start()
        plant.list_once(remaining=lambda: 15.0)
        plant.convert(most=2)

        plant.steering.pause(SYNC)
        plant.list_all()
        before = plant.queue.ever_sent

        assert plant.convert() == 0
        assert plant.queue.ever_sent == before
        plant.wait(60)
        plant.steering.tend()
        assert plant.convert() == 0

        plant.steering.resume(SYNC)
        plant.run()
        assert (plant.counts().done, plant.counts().open) == (30, 0)

    def test_messages_that_a_long_pause_lost_are_asked_for_again(self) -> None:
        plant = Plant()
        plant.fill(range(20))
        plant.start()
        plant.list_all()
        plant.convert(most=8)
        plant.steering.pause(SYNC)
        plant.wait(60 * 24 * 12)
        plant.queue.bodies.clear()

        plant.steering.resume(SYNC)
        plant.run()

        assert len(plant.outputs()) == 20
        assert (plant.counts().asked, plant.counts().done, plant.counts().open) == (20, 20, 0)
        assert state(plant) is BackfillState.FINISHED

    def test_pauses_do_not_count_in_the_rate(self) -> None:
        plant = Plant()
        plant.fill(range(20))
        plant.start()
        plant.list_all()
        plant.wait(10)
        plant.convert(most=10)
        plant.steering.pause(SYNC)
        plant.wait(1000)
        plant.steering.resume(SYNC)

        (progress,) = plant.steering.progress()

        assert progress.rate == pytest.approx(10 / 600)
        assert progress.expected_end is not None
        assert (progress.expected_end - plant.world.now).total_seconds() == pytest.approx(600)
        assert f"expected end {progress.expected_end:%Y-%m-%d %H:%M} UTC" in describe_progress(progress)

    def test_one_that_was_put_before_its_answer_was_lost_has_begun(self) -> None:
        """The client puts it once more, and is refused: its own row is there."""
        plant = Plant()
        plant.fill(range(2))
        genuine = plant.backfills.put_board

        def put_twice(board: Board) -> None:
            plant.backfills.put_board = genuine  # type: ignore[method-assign] # once is enough
            genuine(board)
            genuine(board)

        plant.backfills.put_board = put_twice  # type: ignore[method-assign] # as botocore does

        assert plant.start().state is BackfillState.RUNNING
        assert len(plant.backfills.board().backfills) == 1

    def test_one_that_ended_by_itself_is_not_stopped_and_neither_is_the_next(self) -> None:
        plant = Plant()
        first = plant.start()
        genuine = plant.backfills.results

        def end_meanwhile(backfill: str, portions: Sequence[str]) -> Iterator[PortionResult]:
            plant.backfills.results = genuine  # type: ignore[method-assign] # once is enough
            plant.run()
            plant.start()
            return genuine(backfill, portions)

        plant.backfills.results = end_meanwhile  # type: ignore[method-assign] # while its progress is read
        stopped = plant.steering.stop(SYNC)

        assert (stopped.name, stopped.state) == (first.name, BackfillState.FINISHED)
        assert [row.state for row in plant.backfills.board().backfills] == [
            BackfillState.FINISHED,
            BackfillState.RUNNING,
        ]

    def test_what_a_worker_of_a_stopped_one_has_begun_is_brought_to_its_end(self) -> None:
        plant = Plant()
        plant.fill(range(2))
        plant.start()
        plant.list_all()
        (request,) = parse_message(plant.queue.bodies[0]).requests
        with pytest.raises(ProcessGone):
            _begin_and_die(plant.world, request)
        plant.steering.stop(SYNC)
        plant.wait(60)

        plant.steering.tend()
        plant.convert()

        assert plant.world.entry(request.change.ref).state is State.CONVERTED
        assert len(plant.outputs()) == 1

    def test_what_lacks_a_grant_is_passed_over_once_its_backfill_is_stopped(self) -> None:
        plant = Plant()
        plant.fill(range(1))
        plant.start()
        plant.list_all()
        genuine = plant.world.store.open
        plant.world.store.open = _deny  # type: ignore[method-assign] # a grant that is missing
        plant.convert(most=1)
        plant.world.store.open = genuine  # type: ignore[method-assign] # and given
        plant.steering.stop(SYNC)
        plant.wait(60)

        plant.steering.tend()
        plant.convert()

        assert (plant.outputs(), len(plant.queue.bodies)) == ([], 0)

    def test_a_stopped_one_is_passed_over_in_the_queue(self) -> None:
        plant = Plant()
        plant.fill(range(20))
        plant.start()
        plant.list_all()
        plant.convert(most=8)

        plant.steering.stop(SYNC)
        plant.wait(5)
        plant.steering.tend()
        plant.convert()

        assert len(plant.outputs()) == 8
        assert plant.counts().done == 8
        assert not plant.queue.bodies
        assert [progress.expected_end for progress in plant.steering.progress()] == [None]
        plant.start()
        plant.run()
        assert len(plant.outputs()) == 20

    def test_an_open_circuit_is_no_business_of_a_backfill(self) -> None:
        plant = Plant()
        plant.fill(range(3))
        plant.start()
        plant.list_all()
        plant.queue.is_on, plant.queue.trouble = False, "resume it with: millrace resume"

        plant.steering.tend()

        assert not plant.queue.is_on
        with pytest.raises(UsageError, match="millrace resume"):
            plant.steering.resume(SYNC)


class TestKilledBackfills:
    """The function that lists, and the one that converts, may die anywhere."""

    @pytest.mark.slow
    @pytest.mark.parametrize("calls", range(1, 30, 3))
    def test_a_listing_that_is_killed_between_any_two_calls_is_carried_on(
        self, calls: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plant = Plant(portion=3)
        plant.fill(range(30))
        plant.start()
        left = [calls]
        _die_after(left, plant.backfills, "put_range", monkeypatch)
        _die_after(left, plant.queue, "send", monkeypatch)

        for _ in range(10):
            if plant.calls:
                _die_quietly(plant)
        left[0] = 10**9
        # The lease of the dead ends first.
        plant.wait(20)
        plant.run()

        assert len(plant.outputs()) == 30
        assert plant.counts().open == 0
        assert state(plant) is BackfillState.FINISHED

    def test_a_converter_that_dies_before_it_counts_is_counted_when_its_messages_come_back(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plant = Plant()
        plant.fill(range(10))
        plant.start()
        plant.list_all()
        with monkeypatch.context() as patched:
            patched.setattr(plant.backfills, "count", _refuse)
            plant.convert(most=10)

        assert len(plant.queue.bodies) == 10
        plant.run()
        assert (plant.counts().done, plant.counts().open) == (10, 0)

    def test_a_message_that_comes_twice_counts_once(self) -> None:
        plant = Plant()
        plant.fill(range(10))
        plant.start()
        plant.list_all()
        plant.queue.bodies += list(plant.queue.bodies)

        plant.run()

        assert (plant.counts().asked, plant.counts().done) == (10, 10)

    def test_a_lost_invocation_is_noticed_by_the_schedule(self) -> None:
        plant = Plant()
        plant.fill(range(10))
        plant.start()
        plant.calls.clear()

        plant.run()

        assert plant.counts().done == 10

    def test_what_stays_lost_ends_and_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        plant = Plant()
        plant.fill(range(10))
        plant.start()

        for _ in range(20):
            plant.list_all()
            plant.queue.bodies.clear()
            plant.steering.tend()
            plant.wait(6)

        assert state(plant) is BackfillState.FINISHED
        assert plant.counts().open == 10


class TestRoom:
    @pytest.mark.slow
    def test_the_listing_waits_while_enough_is_in_the_queue(self) -> None:
        plant = Plant(portion=2)
        plant.fill(range(20))
        plant.start(most_waiting=5)

        plant.list_all()
        first = plant.queue.waiting()
        plant.run()

        assert first <= 8
        assert plant.counts().done == 20

    @pytest.mark.parametrize(("live", "begun"), [(0, 16), (10, 6), (16, 0), (18, 0)])
    def test_sixteen_ranges_are_listed_side_by_side_and_no_more(self, live: int, begun: int) -> None:
        plant = Plant()
        row = plant.start()
        plant.calls.clear()
        spans = tuple(Span(after=f"in/{number:02}", until=f"in/{number + 1:02}") for number in range(20))
        root = KeyRange(backfill=row.name, name="1", span=Span(), revision=1, children=spans, is_listed=True)
        plant.backfills.put_range(root)
        lease = plant.world.now + timedelta(minutes=15)
        for number in range(live):
            plant.backfills.put_range(replace(root.child(number), revision=1, lease_until=lease))

        plant.steering.begin_ranges(row)

        assert len(plant.calls) == begun

    @pytest.mark.parametrize("end", [ListingEnd.LISTED, ListingEnd.PARTIAL])
    def test_a_chain_of_calls_grows_shorter(self, end: ListingEnd) -> None:
        plant = Plant()
        row = plant.start()
        plant.calls.clear()

        plant.steering.go_on(row.name, "1", end, calls_left=2)
        plant.steering.go_on(row.name, "1", end, calls_left=int(plant.calls[-1]["calls_left"]))
        plant.steering.go_on(row.name, "1", end, calls_left=0)

        assert [event["calls_left"] for event in plant.calls] == ([1] if end is ListingEnd.LISTED else [1, 0])

    def test_out_of_time_another_invocation_goes_on(self) -> None:
        plant = Plant()
        plant.fill(range(20))
        plant.start()

        plant.list_once(remaining=lambda: 15.0)

        (event,) = plant.calls
        assert event["calls_left"] == 11
        assert len(asked(plant)) == 10
        plant.run()
        assert plant.counts().done == 20

    def test_a_range_that_somebody_lists_is_left_to_him(self) -> None:
        plant = Plant()
        plant.fill(range(5))
        row = plant.start()
        (root,) = RangeTree.read(plant.backfills, row).ranges
        plant.backfills.put_range(root.as_begun(plant.world.now.replace(hour=13)))

        assert plant.lister.run(row.name, root.name) is ListingEnd.BUSY

    def test_a_range_is_divided_within_its_end(self) -> None:
        """Behind it is what another range lists."""
        plant = Plant(portion=2, split_after=1)
        plant.fill(range(30))
        row = plant.start()
        end = "in/00009.csv"
        plant.backfills.put_range(KeyRange(backfill=row.name, name="1", span=Span(until=end), revision=1))

        while idle := RangeTree.read(plant.backfills, row).idle(plant.world.now):
            plant.lister.run(row.name, idle[0].name)

        assert sorted(asked(plant)) == [f"in/{number:05}.csv" for number in range(10)]
        spans = [key_range.span for key_range in RangeTree.read(plant.backfills, row).ranges]
        assert len(spans) > 1
        assert all(span.until <= end for span in spans)

    @pytest.mark.parametrize(
        ("changes", "asked_for"),
        [
            ({}, 25),
            ({"state": BackfillState.PAUSED}, 10),
            ({"state": BackfillState.STOPPED}, 10),
            ({"generation": 2}, 10),
            ({"most_waiting": 1}, 25),
        ],
        ids=["nothing", "paused", "given up", "listed once more", "asked for otherwise"],
    )
    def test_a_listing_stops_behind_the_portion_in_which_somebody_steers(
        self, changes: dict[str, Any], asked_for: int
    ) -> None:
        plant = Plant()
        plant.fill(range(25))
        row = plant.start()
        genuine = plant.queue.send

        def send_and_steer(requests: Iterable[Request]) -> int:
            if plant.queue.ever_sent == 0:
                plant.backfills.put_board(plant.backfills.board().with_row(replace(row, **changes)))
            return genuine(requests)

        plant.queue.send = send_and_steer  # type: ignore[method-assign, assignment] # somebody steers while it lists

        end = plant.lister.run(row.name, "1")

        assert (end, plant.queue.ever_sent) == (ListingEnd.LISTED if asked_for == 25 else ListingEnd.HELD, asked_for)
        assert plant.backfills.kept_ranges[row.name, "1"].lease_until is None

    @pytest.mark.parametrize(
        ("is_known", "range_name", "end"),
        [(True, "1", ListingEnd.LISTED), (True, "1.7", ListingEnd.LISTED), (False, "1", ListingEnd.HELD)],
        ids=["listed already", "of a former generation", "of nobody's backfill"],
    )
    def test_what_needs_no_listing_is_not_listed(self, range_name: str, end: ListingEnd, *, is_known: bool) -> None:
        """Two invocations were asked for it, or one came very late."""
        plant = Plant()
        plant.fill(range(5))
        row = plant.start()
        plant.list_all()
        plant.world.store.calls.clear()
        before = dict(plant.backfills.kept_ranges)

        assert plant.lister.run(row.name if is_known else "nobody's", range_name) is end
        assert (plant.backfills.kept_ranges, plant.queue.ever_sent) == (before, 5)

    def test_a_sync_has_one_at_a_time(self) -> None:
        plant = Plant()
        plant.start()

        with pytest.raises(UsageError, match="a backfill of sync 'nightly' is running since 2026-11-22 12:00 UTC"):
            plant.start()

    @pytest.mark.slow
    def test_two_syncs_share_the_queue_and_pausing_one_leaves_the_other_its_messages(self) -> None:
        plant = Plant(World(syncs=(bulk_sync(to="json"), bulk_sync("weekly", to="parquet", subfolder="weekly"))))
        plant.fill(range(8))
        plant.start()
        plant.steering.start(BackfillOrder(sync="weekly"))

        plant.steering.pause(SYNC)
        plant.run()

        rows = {row.sync: row.state for row in plant.backfills.board().backfills}
        assert rows == {SYNC: BackfillState.PAUSED, "weekly": BackfillState.FINISHED}
        plant.steering.resume(SYNC)
        plant.run()
        assert len(plant.outputs()) == 16

    @pytest.mark.parametrize("prefix", ["in/00001", "00001", "s3://acme-in/in/00001"])
    def test_a_prefix_is_all_that_is_listed(self, prefix: str) -> None:
        plant = Plant()
        plant.fill(range(25))
        plant.world.store.put(ObjectRef("acme-in", "in/zzz.csv"), b"a\n1\n")

        plant.start(prefix=prefix)
        plant.run()

        assert plant.outputs() == [key for key in plant.outputs() if "00001" in key]
        assert plant.counts().compared == 1

    def test_one_table_of_a_folder_is_refused(self) -> None:
        """There is nothing to divide into requests."""
        plant = Plant()
        planner = Planner(model_document({"model_from": "multi_file_archive"}))
        steering = replace(plant.steering, planner=planner)

        with pytest.raises(UsageError, match="makes one table of all files of a folder"):
            steering.start(BackfillOrder(sync=SYNC))
        assert plant.backfills.board().backfills == ()

    def test_files_that_are_appended_each_for_itself_are_asked_for(self) -> None:
        """They are rows of one table, and none of them needs the others."""
        plant = Plant()
        planner = Planner(model_document({"model_from": "multi_file_archive"}, {"mode": "append"}))
        steering = replace(plant.steering, planner=planner)

        assert steering.start(BackfillOrder(sync=SYNC)).state is BackfillState.RUNNING

    def test_a_deployment_in_between_is_noticed_by_its_requests(self) -> None:
        plant = Plant(deployment=7)
        plant.fill(range(2))
        plant.start()
        plant.list_all()

        (first, _) = (parse_message(body).requests[0] for body in plant.queue.bodies)

        assert first.deployment == 7
        assert first.run_id is None


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({}, "sync is None"),
        ({"sync": "s", "prefix": 3}, "prefix is 3; expected text"),
        ({"sync": "s", "concurrency": 1}, "concurrency is 1; expected a whole number from 2 to 1,000"),
        ({"sync": "s", "concurrency": True}, "concurrency is True"),
        ({"sync": "s", "most_waiting": "x"}, "most_waiting is 'x'"),
        ({"sync": "s", "nonsense": 1}, "there is no field 'nonsense'"),
    ],
)
def test_a_mistake_is_answered_in_words(event: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        BackfillOrder.parse(event)


def test_an_order_comes_back_from_its_event() -> None:
    order = BackfillOrder(sync="s", prefix="in/", inventory="s3://b/manifest.json", concurrency=4, most_waiting=5000)

    assert BackfillOrder.parse(order.to_event()) == order


class ProcessGone(BaseException):
    """The process is gone: nothing catches it."""


def _begin_and_die(world: World, request: Request) -> None:
    def die(*_args: Any, **_options: Any) -> Any:
        raise ProcessGone

    genuine = world.store.open
    world.store.open = die  # type: ignore[method-assign] # the process ends at its first read
    try:
        world.work(request)
    finally:
        world.store.open = genuine  # type: ignore[method-assign] # of another process


def _deny(*_args: Any, **_options: Any) -> Any:
    raise AccessDenied("s3:GetObject is not granted")


def _die_after(left: list[int], target: object, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    method = getattr(target, name)

    def call(*args: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise ProcessGone
        answer = method(*args, **options)
        if left[0] == 0:
            raise ProcessGone
        return answer

    monkeypatch.setattr(target, name, call)


def _die_quietly(plant: Plant) -> None:
    try:
        plant.list_once()
    except ProcessGone:
        return


def _refuse(*_args: Any, **_options: Any) -> None:
    raise ServiceUnavailable("the table is throttled")


def _refuse_as_archived(ref: ObjectRef, **_options: Any) -> None:
    raise ObjectArchived(f"{ref} is archived; restore it")
