"""When a message comes back, and when it is given up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from millrace.delivery.worker import TRIED_AGAIN, Outcome, backoff, intended
from millrace.errors import (
    AccessDenied,
    LostRace,
    MalformedFile,
    OutOfTime,
    ServiceUnavailable,
)
from millrace.ledger.entries import Entry, Failure, State
from millrace.ledger.rules import MOST_ATTEMPTS, MOST_DEATHS, Refusal, RefusalKind
from millrace.objects.messages import Request
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef
from millrace.objects.store import ObjectHead
from millrace.planning.planner import Planner
from tests.configurations import bulk_sync, document, model_document
from tests.world import NOON, SOURCE, World

ENTRY = Entry.unseen("nightly", SOURCE, fingerprint="f", engine="1")


@pytest.mark.parametrize(
    ("receives", "seconds"), [(0, 30), (1, 30), (2, 60), (3, 120), (5, 480), (6, 900), (7, 900), (5000, 900)]
)
def test_what_failed_comes_back_later_each_time_up_to_15_minutes(receives: int, seconds: int) -> None:
    assert backoff(receives) == seconds


def test_a_first_backoff_may_be_shorter() -> None:
    assert [backoff(receives, first=2) for receives in (1, 2, 60)] == [2, 4, 64]


@pytest.mark.parametrize(
    ("kind", "in_seconds", "receives", "expected"),
    [
        (RefusalKind.ALREADY_DONE, None, 1, None),
        (RefusalKind.BUSY, 600, 1, 30),
        (RefusalKind.BUSY, 600, 2, 60),
        (RefusalKind.BUSY, 600, 3, 600),
        (RefusalKind.BUSY, 20, 1, 20),
        (RefusalKind.BUSY, 0, 3, 1),
        (RefusalKind.OWN_LEASE, -5, 9, 1),
        (RefusalKind.OUTDATED, 0, 3, 120),
    ],
)
def test_what_is_in_flight_is_looked_at_soon_and_then_when_the_lease_ends(
    kind: RefusalKind, in_seconds: int | None, receives: int, expected: int | None
) -> None:
    world = World()
    retry_at = None if in_seconds is None else NOON + timedelta(seconds=in_seconds)
    refusal = Refusal(kind=kind, entry=ENTRY, retry_at=retry_at)

    outcome = world.worker._refused(refusal, world.delivery(receives=receives))

    assert (outcome.result, outcome.retry_after, outcome.entry) == (kind, expected, ENTRY)


@pytest.mark.parametrize(
    ("error", "attempts", "result", "comes_back", "is_given_up"),
    [
        (None, 9, State.CONVERTED, False, False),
        (MalformedFile("bad"), 9, State.FAILED, False, False),
        (AccessDenied("no"), 9, State.FAILED, True, False),
        (ServiceUnavailable("503"), MOST_ATTEMPTS - 1, State.FAILED, True, False),
        (ServiceUnavailable("503"), MOST_ATTEMPTS, State.FAILED, True, True),
        (LostRace("late"), MOST_ATTEMPTS - 1, TRIED_AGAIN, True, False),
        (LostRace("late"), MOST_ATTEMPTS, State.FAILED, True, True),
        (OutOfTime("late"), MOST_ATTEMPTS, TRIED_AGAIN, True, False),
    ],
)
def test_settled_work_ends_comes_back_or_is_given_up(
    error: Exception | None, attempts: int, result: str, *, comes_back: bool, is_given_up: bool
) -> None:
    failure = Failure.of(error) if error else None
    state = State.FAILED if failure else State.CONVERTED
    world = World()
    settled = replace(ENTRY, state=state, attempts=attempts, failure=failure, reason="why")

    outcome = world.worker._outcome(settled, world.delivery(receives=2))

    assert (outcome.result, outcome.is_given_up, outcome.entry) == (result, is_given_up, settled)
    assert outcome.retry_after == (60 if comes_back else None)
    assert outcome.reason == (failure.message if failure else "why")


@pytest.mark.parametrize(
    ("error", "receives", "result", "is_given_up"),
    [
        (ServiceUnavailable("503"), 900, State.FAILED, False),
        (LostRace("late"), 900, TRIED_AGAIN, False),
        (AccessDenied("no"), 900, State.FAILED, False),
        (RuntimeError("bug"), MOST_ATTEMPTS - 1, State.FAILED, False),
        (RuntimeError("bug"), MOST_ATTEMPTS, State.FAILED, True),
        (MalformedFile("bad"), MOST_ATTEMPTS, State.FAILED, True),
    ],
)
def test_what_no_entry_counts_is_given_up_by_receipts_if_it_would_never_pass(
    error: Exception, receives: int, result: str, *, is_given_up: bool
) -> None:
    world = World()

    outcome = world.worker._unsettled("nightly", world.event(), world.delivery(receives=receives), error)

    assert (outcome.result, outcome.is_given_up, outcome.source) == (result, is_given_up, SOURCE)
    assert not outcome.acknowledge


def test_a_request_of_a_newer_deployment_is_left_to_its_workers() -> None:
    world = World()
    request = replace(world.upload(), deployment=1)

    (outcome,) = world.work(request, receives=3)

    assert (outcome.result, outcome.retry_after) == (RefusalKind.OUTDATED, 120)
    assert world.ledger.entries == {}
    assert world.one(replace(request, deployment=0)).result == State.CONVERTED


@pytest.mark.parametrize(("deaths", "is_crashed"), [(MOST_DEATHS - 1, False), (MOST_DEATHS, True)])
def test_the_third_death_of_a_worker_is_the_last(deaths: int, *, is_crashed: bool) -> None:
    world = World()
    request = world.upload()
    dead = replace(
        ENTRY,
        state=State.IN_FLIGHT,
        revision=1,
        fence=1,
        deaths=deaths - 1,
        sequencer=request.change.sequencer,
        lease_until=NOON,
    )
    world.ledger.put(dead)

    outcome = world.one(request, "m9")

    assert (outcome.failure is not None and outcome.failure.error == "Crashed") == is_crashed
    assert outcome.acknowledge


def asked(key: str = SOURCE.key, **words: Any) -> Request:
    change = ObjectChange(kind=words.pop("kind", ChangeKind.CREATED), ref=ObjectRef("acme-in", key))
    return Request(change=change, sync="nightly", **words)


class TestWhatNeverWas:
    def test_a_run_for_a_key_that_never_was_leaves_nothing(self) -> None:
        world = World()

        outcome = world.one(asked(run_id="r"))

        assert (outcome.result, outcome.entry, world.ledger.entries) == (State.IGNORED, None, {})
        assert outcome.reason == "there is no such object, and the ledger knows of none"

    @pytest.mark.parametrize(
        "request_", [asked(), asked(run_id="r", kind=ChangeKind.REMOVED)], ids=["an event's", "a deletion"]
    )
    def test_only_a_run_that_asks_for_an_object_is_looked_up_first(self, request_: Request) -> None:
        world = World()

        world.one(request_)

        assert world.entry().state in {State.REMOVED, State.FAILED}

    def test_what_the_ledger_knows_is_asked_for_and_removed(self) -> None:
        world = World()
        world.one(world.upload())
        world.store.delete(SOURCE)

        assert world.one(asked(run_id="r")).result == State.REMOVED

    def test_if_nobody_can_say_the_work_says_why(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = World()

        def deny(*_: object, **__: object) -> None:
            raise AccessDenied("s3:GetObject was denied")

        monkeypatch.setattr(world.store, "head", deny)
        monkeypatch.setattr(world.store, "open", deny)

        assert world.one(asked(run_id="r")).misconfigured
        assert world.entry().failure is not None


def heads(world: World) -> int:
    return world.store.calls.count("head")


def listed(world: World, etag: str, **words: Any) -> Request:
    change = ObjectChange(kind=ChangeKind.CREATED, ref=SOURCE, etag=etag)
    return Request(change=change, sync="nightly", **words)


class TestListings:
    """A listing may have been a page old when it was compared."""

    def test_what_was_converted_meanwhile_is_done_already(self) -> None:
        world = World()
        world.one(world.upload())

        assert world.one(listed(world, "old"), "m2").result == RefusalKind.ALREADY_DONE

    @pytest.mark.parametrize(("run_id", "looks"), [(None, 1), ("r", 0)])
    def test_only_a_listing_is_looked_up(self, run_id: str | None, looks: int) -> None:
        world = World()
        world.upload()

        world.one(listed(world, "old", run_id=run_id))

        assert heads(world) == looks + (run_id is not None)

    def test_an_event_costs_no_look(self) -> None:
        world = World()
        world.one(world.upload())

        assert heads(world) == 0

    def test_a_look_that_fails_is_the_works_trouble(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = World()
        world.upload()

        def fail(ref: ObjectRef) -> ObjectHead | None:
            raise ServiceUnavailable("s3:HeadObject failed")

        monkeypatch.setattr(world.store, "head", fail)

        assert world.one(listed(world, "old")).result == State.CONVERTED


def plans(syncs: dict[str, Any], source: dict[str, Any] | None = None, key: str = "in/a.csv") -> Iterator[Any]:
    yield from Planner(document(bulk_sync(to="json", **syncs), source=source)).plan(ObjectRef("acme-in", key))


SINGLE = {"is_single_table": True, "single_table_name": "t"}


@pytest.mark.parametrize(
    ("syncs", "source", "outputs"),
    [
        ({}, None, ["lake/a.jsonl"]),
        ({}, SINGLE, ["lake/t/a.jsonl"]),
        ({"mode": "snapshot"}, SINGLE, []),
        ({"schemas": [{"id": "a", "partition_key": "zip"}]}, None, []),
    ],
)
def test_outputs_that_key_and_configuration_tell_are_known_before(
    syncs: dict[str, Any], source: dict[str, Any] | None, outputs: list[str]
) -> None:
    (plan,) = plans(syncs, source)

    assert [ref.key for ref in intended(plan)] == outputs


@pytest.mark.parametrize(("mode", "outputs"), [("replace", 1), ("append", 1), ("snapshot", 0)])
def test_a_snapshot_of_a_model_has_its_name_by_its_time_alone(mode: str, outputs: int) -> None:
    planner = Planner(model_document({"key": "in/a.csv"}, {"mode": mode}))
    (plan,) = planner.plan(ObjectRef("acme-in", "in/a.csv"))

    assert len(intended(plan)) == outputs


def test_what_is_ignored_has_no_outputs() -> None:
    (plan,) = plans({}, key="in/a.txt")

    assert intended(plan) == ()
    assert isinstance(ENTRY, Entry)
    assert Outcome(result=State.IGNORED, source=SOURCE).acknowledge
