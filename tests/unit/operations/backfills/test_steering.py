"""What the schedule sees to, and what people steer: each rule by what a plant does next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from millrace.errors import UsageError
from millrace.operations.backfills.board import Backfill, BackfillState, Board, PortionResult, RangeTree
from millrace.operations.backfills.listing import ListingEnd
from millrace.operations.backfills.steering import BackfillOrder, QueueDepth
from millrace.operations.reconcile import CALLS
from tests.backfill_plant import SYNC, Plant
from tests.configurations import bulk_sync
from tests.world import World


@pytest.fixture
def plant() -> Plant:
    """One of three objects, whose backfill is listed."""
    plant = Plant()
    plant.fill(range(3))
    plant.start()
    plant.list_all()
    return plant


def row_of(plant: Plant) -> Backfill:
    return plant.backfills.board().backfills[-1]


def lose_requests(plant: Plant) -> None:
    """The queue kept them too long."""
    plant.queue.bodies.clear()
    plant.steering.tend()


def turn_off_by_hand(plant: Plant) -> None:
    """Somebody has looked for the event source in the console."""
    plant.queue.is_on, plant.queue.concurrency = False, None


class TestTending:
    """What the schedule does every five minutes."""

    @pytest.mark.parametrize("is_converted", [True, False], ids=["done", "lost"])
    def test_one_that_is_paused_while_it_is_judged_stays_paused(self, plant: Plant, *, is_converted: bool) -> None:
        if is_converted:
            plant.convert()
        plant.queue.bodies.clear()
        _pause_while_it_is_read(plant)

        (progress,) = plant.steering.tend()

        assert progress.backfill == row_of(plant)
        assert (row_of(plant).state, row_of(plant).idle_since) == (BackfillState.PAUSED, None)

    def test_one_that_is_going_on_as_it_was_is_not_written_again(self, plant: Plant) -> None:
        before = plant.backfills.board()

        (progress,) = plant.steering.tend()

        assert (progress.backfill, progress.counts.open) == (row_of(plant), 3)
        assert plant.backfills.board() == before

    def test_one_that_is_still_listed_is_not_judged(self) -> None:
        plant = Plant()
        plant.start()

        (progress,) = plant.steering.tend()

        assert not progress.is_listed
        assert (row_of(plant).state, row_of(plant).idle_since) == (BackfillState.RUNNING, None)

    @pytest.mark.parametrize(("minutes", "generation"), [(9.9, 1), (10, 2)])
    def test_requests_are_lost_ten_minutes_after_the_queue_was_empty(
        self, plant: Plant, minutes: float, generation: int
    ) -> None:
        lose_requests(plant)
        assert row_of(plant).idle_since == plant.world.now
        plant.wait(minutes)

        (progress,) = plant.steering.tend()

        assert row_of(plant).generation == progress.backfill.generation == generation

    def test_what_is_lost_is_listed_again_at_once(self, plant: Plant) -> None:
        """And not by the schedule's next call."""
        lose_requests(plant)
        plant.wait(10)
        plant.calls.clear()

        plant.steering.tend()

        assert [(event["range"], event["calls_left"]) for event in plant.calls] == [("2", CALLS)]
        assert row_of(plant).idle_since is None

    def test_the_ten_minutes_begin_again_when_something_waits_again(self, plant: Plant) -> None:
        """A message that was put off is in the queue again."""
        bodies = list(plant.queue.bodies)
        lose_requests(plant)
        plant.wait(9)
        plant.queue.bodies += bodies
        plant.steering.tend()
        plant.queue.bodies.clear()
        plant.wait(9)
        plant.steering.tend()

        assert (row_of(plant).generation, row_of(plant).idle_since) == (1, plant.world.now)

    def test_what_stays_lost_is_asked_for_three_times(self, plant: Plant) -> None:
        for _ in range(12):
            lose_requests(plant)
            plant.list_all()
            plant.wait(5)

        row = row_of(plant)
        assert (row.state, row.generation, row.counts.open) == (BackfillState.FINISHED, 3, 3)
        assert plant.queue.ever_sent == 9

    def test_one_that_ends_says_when_and_what_it_did(self, plant: Plant) -> None:
        lose_requests(plant)
        plant.wait(10)
        plant.steering.tend()
        plant.list_all()
        plant.convert()
        plant.wait(1)

        (progress,) = plant.steering.tend()

        assert progress.backfill == row_of(plant)
        assert (row_of(plant).finished, row_of(plant).idle_since) == (plant.world.now, None)
        assert (row_of(plant).counts.done, row_of(plant).counts.open) == (3, 0)


class TestQueueSwitch:
    """Whether something is received from the queue."""

    def test_it_is_turned_on_again_for_one_that_runs_as_it_was_asked_for(self) -> None:
        plant = Plant()
        plant.start(concurrency=7)
        turn_off_by_hand(plant)

        plant.steering.tend()

        assert (plant.queue.is_on, plant.queue.concurrency) == (True, 7)

    def test_one_that_asks_for_no_concurrency_leaves_that_of_another(self) -> None:
        plant = Plant(World(syncs=(bulk_sync(to="json"), bulk_sync("weekly", subfolder="weekly"))))
        plant.start(concurrency=7)
        plant.steering.start(BackfillOrder(sync="weekly"))
        turn_off_by_hand(plant)

        plant.steering.tend()

        assert (plant.queue.is_on, plant.queue.concurrency) == (True, 7)

    def test_it_is_not_turned_on_twice(self, plant: Plant) -> None:
        """That would take back what somebody has set there by hand."""
        plant.queue.concurrency = 5
        plant.backfills.put_board(plant.backfills.board().with_row(replace(row_of(plant), concurrency=7)))

        plant.steering.tend()

        assert plant.queue.concurrency == 5

    def test_a_pause_turns_it_off_and_the_schedule_leaves_it_off(self, plant: Plant) -> None:
        plant.steering.pause(SYNC)
        assert not plant.queue.is_on

        assert plant.steering.tend() == []
        assert not plant.queue.is_on

    @pytest.mark.parametrize("is_something_left", [True, False])
    def test_behind_the_last_one_it_is_on_while_something_is_left(
        self, plant: Plant, *, is_something_left: bool
    ) -> None:
        """Such as a dead letter that somebody puts back."""
        plant.steering.stop(SYNC)
        assert plant.queue.is_on
        plant.queue.is_on = False
        if not is_something_left:
            plant.queue.bodies.clear()

        plant.steering.tend()

        assert plant.queue.is_on is is_something_left

    def test_one_that_is_stopped_when_nothing_is_left_turns_it_off(self, plant: Plant) -> None:
        plant.queue.bodies.clear()

        plant.steering.stop(SYNC)

        assert not plant.queue.is_on


class TestRanges:
    """What is listed next, and by whom."""

    @pytest.mark.parametrize(("waiting", "is_begun"), [(999, True), (1000, False), (1001, False)])
    def test_nothing_is_begun_while_as_much_waits_as_was_asked_for(self, waiting: int, *, is_begun: bool) -> None:
        plant = Plant()
        row = plant.start(most_waiting=1000)
        plant.calls.clear()
        plant.queue.bodies.extend(["x"] * waiting)

        plant.steering.begin_ranges(row)

        assert bool(plant.calls) is is_begun

    @pytest.mark.parametrize(("minutes", "is_begun"), [(14, False), (15, True)])
    def test_a_range_that_somebody_lists_is_begun_again_when_he_died(self, minutes: int, *, is_begun: bool) -> None:
        plant = Plant()
        row = plant.start()
        plant.calls.clear()
        (root,) = RangeTree.read(plant.backfills, row).ranges
        plant.backfills.put_range(root.as_begun(plant.world.now + timedelta(minutes=15)))
        plant.wait(minutes)

        plant.steering.tend()

        assert bool(plant.calls) is is_begun

    def test_an_invocation_is_told_what_to_list_and_how_often_it_may_go_on(self) -> None:
        plant = Plant()
        row = plant.start()

        assert list(plant.calls) == [{"action": "list", "backfill": row.name, "range": "1", "calls_left": CALLS}]

    @pytest.mark.parametrize("end", list(ListingEnd))
    def test_only_a_listing_that_was_not_hindered_is_carried_on(self, end: ListingEnd) -> None:
        """Whoever lists the range carries it on himself, and what is held waits for the schedule."""
        plant = Plant()
        row = plant.start()
        plant.calls.clear()

        plant.steering.go_on(row.name, "1", end, calls_left=3)

        assert len(plant.calls) == (1 if end in {ListingEnd.LISTED, ListingEnd.PARTIAL} else 0)

    @pytest.mark.parametrize("end", [ListingEnd.LISTED, ListingEnd.PARTIAL])
    @pytest.mark.parametrize("name", [None, "nobody's"], ids=["paused", "unknown"])
    def test_the_listing_of_what_does_not_run_is_not_carried_on(self, end: ListingEnd, name: str | None) -> None:
        plant = Plant()
        row = plant.start()
        plant.steering.pause(SYNC)
        plant.calls.clear()

        plant.steering.go_on(name or row.name, "1", end, calls_left=3)

        assert not plant.calls

    def test_a_range_that_is_not_there_is_not_carried_on(self) -> None:
        """It is of a former generation."""
        plant = Plant()
        row = plant.start()
        plant.calls.clear()

        plant.steering.go_on(row.name, "1.7", ListingEnd.PARTIAL, calls_left=3)

        assert not plant.calls


class TestPeople:
    """What they ask for, and are answered."""

    def test_a_second_pause_leaves_the_first_as_it_is(self, plant: Plant) -> None:
        paused = plant.steering.pause(SYNC)
        plant.wait(3)
        board = plant.backfills.board()

        assert plant.steering.pause(SYNC) == paused
        assert plant.backfills.board() == board

    def test_pauses_add_up(self, plant: Plant) -> None:
        for minutes in (2, 3):
            plant.steering.pause(SYNC)
            plant.wait(minutes)
            plant.steering.resume(SYNC)
            plant.wait(10)

        assert row_of(plant).paused_seconds == 5 * 60
        assert row_of(plant).paused_at is None

    def test_to_resume_what_runs_changes_only_the_concurrency(self, plant: Plant) -> None:
        before = row_of(plant)

        assert plant.steering.resume(SYNC) == before
        assert plant.steering.resume(SYNC, 9) == replace(before, concurrency=9)
        assert plant.steering.resume(SYNC) == replace(before, concurrency=9)
        assert plant.queue.concurrency == 9

    def test_what_is_resumed_is_listed_at_once_and_watched_afresh(self) -> None:
        plant = Plant()
        row = plant.start()
        plant.calls.clear()
        paused = replace(plant.steering.pause(SYNC), idle_since=plant.world.now)
        plant.backfills.put_board(plant.backfills.board().with_row(paused))

        assert plant.steering.resume(SYNC) == row
        assert len(plant.calls) == 1
        assert plant.queue.is_on

    @pytest.mark.parametrize("act", [Plant.start, lambda plant: plant.steering.resume(SYNC)], ids=["start", "resume"])
    def test_nothing_begins_while_the_breaker_has_the_queue_switched_off(self, act: Callable[[Plant], Any]) -> None:
        plant = Plant()
        plant.queue.trouble = "resume it with: millrace resume"

        with pytest.raises(UsageError, match="millrace resume"):
            act(plant)
        assert (plant.backfills.board().backfills, list(plant.calls), plant.queue.is_on) == ((), [], False)

    def test_a_trouble_is_kept_and_taken_away_and_written_once(self, plant: Plant) -> None:
        row = row_of(plant)
        revisions = []
        for trouble in (None, "no grant", "no grant", None):
            plant.steering.note_trouble(row.name, trouble)
            revisions.append(plant.backfills.board().revision)
            assert row_of(plant) == replace(row, trouble=trouble)

        assert [revision - revisions[0] for revision in revisions] == [0, 1, 1, 2]

    def test_a_trouble_of_what_nobody_knows_is_nobodys(self, plant: Plant) -> None:
        board = plant.backfills.board()

        plant.steering.note_trouble("nobody's", "no grant")

        assert plant.backfills.board() == board


@pytest.mark.parametrize(
    ("given", "most_waiting"),
    [
        ({}, 100_000),
        ({"most_waiting": None}, 100_000),
        ({"most_waiting": 1}, 1000),
        ({"most_waiting": 5000}, 5000),
        ({"most_waiting": 10**9}, 1_000_000),
    ],
)
def test_how_much_may_wait_is_kept_within_sensible_bounds(given: dict[str, Any], most_waiting: int) -> None:
    assert BackfillOrder.parse({"sync": "s", **given}).most_waiting == most_waiting


@pytest.mark.parametrize(
    ("concurrency", "is_taken"),
    [(1, False), (2, True), (1000, True), (1001, False), (None, True), (2.5, False), ("8", False)],
)
def test_lambda_takes_a_whole_concurrency_from_2_to_1000(concurrency: object, *, is_taken: bool) -> None:
    if is_taken:
        assert BackfillOrder.parse({"sync": "s", "concurrency": concurrency}).concurrency == concurrency
        return
    with pytest.raises(UsageError, match="concurrency"):
        BackfillOrder.parse({"sync": "s", "concurrency": concurrency})


@pytest.mark.parametrize(("waiting", "hidden", "is_empty"), [(0, 0, True), (1, 0, False), (0, 1, False), (1, 1, False)])
def test_a_queue_is_empty_when_nothing_is_to_come(waiting: int, hidden: int, *, is_empty: bool) -> None:
    assert QueueDepth(waiting, hidden).is_empty is is_empty


@pytest.mark.parametrize("sync", ["", None, 3])
def test_an_order_names_its_sync(sync: object) -> None:
    with pytest.raises(UsageError, match="expected the name of a sync"):
        BackfillOrder.parse({"sync": sync})


def test_of_an_order_without_more_all_of_the_folder_is_listed() -> None:
    order = BackfillOrder.parse({"action": "start", "sync": "s", "prefix": None, "inventory": None})

    assert order == BackfillOrder(sync="s", prefix="", inventory=None, concurrency=None, most_waiting=100_000)


class TestBoard:
    """The row of a backfill among others."""

    def test_the_first_put_is_the_first_revision(self, plant: Plant) -> None:
        assert Board().with_row(row_of(plant)).revision == 1

    def test_the_newest_row_is_the_boards_or_what_was_known_of_it_last(self, plant: Plant) -> None:
        row = row_of(plant)
        paused = plant.steering.pause(SYNC)

        assert plant.backfills.board().newest(row) == paused
        assert plant.backfills.board().newest(replace(row, name="forgotten")).name == "forgotten"

    def test_an_invocation_that_has_sent_nothing_yet_has_no_portions(self, plant: Plant) -> None:
        (root,) = RangeTree.read(plant.backfills, row_of(plant)).ranges
        begun = root.as_begun(plant.world.now)

        assert list(begun.portion_names()) == list(root.portion_names()) == ["1-1-0"]
        assert begun.next_portion() == "1-2-0"

    def test_the_last_twenty_that_have_ended_are_kept_and_all_that_go_on(self, plant: Plant) -> None:
        board, row = plant.backfills.board(), row_of(plant)
        for number in range(25):
            board = board.with_row(replace(row, name=f"{number:02}", state=BackfillState.FINISHED))

        assert [there.name for there in board.backfills] == [row.name, *(f"{number:02}" for number in range(5, 25))]


def _pause_while_it_is_read(plant: Plant) -> None:
    genuine = plant.backfills.results

    def pause_meanwhile(backfill: str, portions: Sequence[str]) -> Iterator[PortionResult]:
        plant.backfills.results = genuine  # type: ignore[method-assign] # once is enough
        plant.steering.pause(SYNC)
        return genuine(backfill, portions)

    plant.backfills.results = pause_meanwhile  # type: ignore[method-assign] # while its progress is read
