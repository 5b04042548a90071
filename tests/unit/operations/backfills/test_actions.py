"""What the backfill function answers to its events."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.errors import UsageError
from millrace.operations.backfills.progress import describe_progress, read_shown
from tests.backfill_plant import SYNC, Plant


@pytest.fixture
def plant() -> Plant:
    plant = Plant()
    plant.fill(range(4))
    return plant


def test_a_listing_says_what_it_has_listed_and_how_it_ended(plant: Plant) -> None:
    started = plant.actions.perform({"action": "start", "sync": SYNC})
    event = plant.calls.popleft()

    answer = plant.actions.perform(event)

    assert answer == {"backfill": started["backfill"], "range": event["range"], "end": "listed"}


def test_a_paused_backfill_is_not_listed_by_what_was_called_before(plant: Plant) -> None:
    plant.actions.perform({"action": "start", "sync": SYNC})
    plant.actions.perform({"action": "pause", "sync": SYNC})

    plant.list_all()

    assert plant.counts().compared == 0
    assert not plant.queue.bodies


def test_a_backfill_goes_by_events_alone(plant: Plant) -> None:
    started = plant.actions.perform({"action": "start", "sync": SYNC, "concurrency": 7})
    plant.list_all()
    paused = plant.actions.perform({"action": "pause", "sync": SYNC})
    resumed = plant.actions.perform({"action": "resume", "sync": SYNC, "concurrency": 9})
    plant.list_all()
    plant.convert()
    tended = plant.actions.perform({"action": "tend"})

    assert (started["state"], started["asked"], started["listed"]) == ("running", 0, False)
    assert (paused["state"], paused["asked"], paused["listed"], paused["bytes"]) == ("paused", 4, True, 16)
    assert resumed["state"] == "running"
    assert plant.queue.concurrency == 9
    assert [(one["state"], one["done"], one["open"]) for one in tended["backfills"]] == [("finished", 4, 0)]


def test_a_stopped_one_says_what_it_did(plant: Plant) -> None:
    plant.actions.perform({"action": "start", "sync": SYNC})
    plant.list_all()
    plant.convert(most=1)

    stopped = plant.actions.perform({"action": "stop", "sync": SYNC})

    assert (stopped["state"], stopped["done"], stopped["open"]) == ("stopped", 1, 3)


def test_one_that_is_stopped_in_its_pause_says_how_far_it_was(plant: Plant) -> None:
    """Not all was listed; and its pause is no time in which it worked."""
    plant.fill(range(4, 25))
    plant.actions.perform({"action": "start", "sync": SYNC})
    plant.list_once(remaining=lambda: 15.0)
    plant.convert()
    plant.wait(1)
    paused = plant.actions.perform({"action": "pause", "sync": SYNC})
    plant.wait(60)

    stopped = plant.actions.perform({"action": "stop", "sync": SYNC})
    (shown,) = read_shown(plant.backfills, plant.world.now)

    assert (paused["listed"], stopped["listed"]) == (False, False)
    assert stopped["rate"] == paused["rate"] > 0
    assert "not all was listed: 10 objects so far" in describe_progress(shown)


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({}, "action is None; expected 'start', 'pause', 'resume', 'stop', 'tend' or 'list'"),
        ({"action": "pause"}, "sync is None"),
        ({"action": "resume", "sync": ""}, "sync is ''"),
        ({"action": "stop", "sync": 3}, "sync is 3"),
        ({"action": "resume", "sync": SYNC, "concurrency": 1}, "concurrency is 1"),
        ({"action": "stop", "sync": SYNC}, "no backfill of sync 'nightly' goes on"),
        ({"action": "start", "sync": "nobody"}, "there is no active sync 'nobody'"),
        ({"action": "start", "sync": SYNC, "prefix": "s3://elsewhere/"}, "is not in the sync's folder"),
    ],
)
def test_a_mistake_is_answered_in_words(plant: Plant, event: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        plant.actions.perform(event)


def test_people_read_how_it_goes(plant: Plant) -> None:
    plant.put(9, 'a,b\n1\n"broken')
    plant.start()
    plant.list_all()
    plant.wait(1)
    plant.convert(most=2)

    (line,) = map(describe_progress, read_shown(plant.backfills, plant.world.now))
    plant.run()
    plant.start()
    plant.list_all()
    first, second = map(describe_progress, read_shown(plant.backfills, plant.world.now))

    assert line == (
        "backfill of nightly: running, 2 of 5 done; 0 failed, 0 were converted already; 0.0 objects a second; "
        "expected end 2026-11-22 12:02 UTC"
    )
    assert "finished, 4 of 5 done; 1 failed" in first
    assert "0 of 0 done; 0 failed, 4 were converted already; 1 had failed before" in second
    plant.wait(60 * 24 * 3)
    assert len(list(read_shown(plant.backfills, plant.world.now))) == 1
