"""What a person may ask to be converted again, and how a mistake is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from millrace.errors import UsageError
from millrace.ledger.entries import Entry, State
from millrace.objects.references import ChangeKind, ObjectRef
from millrace.operations.reprocess import STOP_SECONDS, Reprocess, Reprocessor, never_ends, take_portion
from millrace.planning.planner import Planner
from tests.configurations import bulk_sync, model_document
from tests.world import World

EUROPE, ASIA = (ObjectRef("acme-in", f"in/{region}/a.csv") for region in ("eu", "asia"))


def reprocess(
    world: World,
    wish: Reprocess,
    remaining: Callable[[], float] = never_ends,
    *,
    planner: Planner | None = None,
    portion: int = 1000,
    deployment: int = 0,
) -> dict[str, Any]:
    reprocessor = Reprocessor(
        planner=planner or world.planner,
        stores={"landing": world.store},
        index=world.ledger,
        ledger=world.ledger,
        engine="test",
        queues={"landing": world.queue},
        now=lambda: world.now,
        portion=portion,
        deployment=deployment,
    )
    return reprocessor.run(wish, remaining)


def selected(world: World, prefix: str) -> list[str]:
    answer = reprocess(world, Reprocess(sync="nightly", prefix=prefix))
    return [str(example) for example in answer["examples"]]


def sent(world: World) -> list[str]:
    return [request.change.ref.key for request in world.queue.sent]


@pytest.fixture
def world() -> World:
    world = World()
    world.upload(ref=EUROPE)
    world.upload(ref=ASIA)
    return world


@pytest.mark.parametrize("prefix", ["in/eu/", "eu/", "s3://acme-in/in/eu/"])
def test_a_prefix_counts_from_the_root_or_the_folder_or_is_an_address(world: World, prefix: str) -> None:
    assert selected(world, prefix) == [str(EUROPE)]


@pytest.mark.parametrize("prefix", ["s3://acme-in/", "s3://acme-in", "s3://acme-in/in"])
def test_an_address_above_the_folder_names_all_of_it(world: World, prefix: str) -> None:
    assert selected(world, prefix) == [str(ASIA), str(EUROPE)]


@pytest.mark.parametrize("prefix", ["s3://acme-in/other/", "s3://another/in/eu/"])
def test_an_address_elsewhere_is_wrong_use(world: World, prefix: str) -> None:
    with pytest.raises(UsageError, match="is not in the sync's folder"):
        selected(world, prefix)


def test_a_mistake_is_answered_in_words() -> None:
    """No list, tuple or enumeration of Python's is shown."""
    with pytest.raises(UsageError) as caught:
        Reprocess.parse({"sync": "nightly", "state": "converted", "dry_run": "yes", "nonsense": 1})

    text = str(caught.value)
    assert "'failed', 'in flight' or 'waiting'" in text
    assert "dry_run is 'yes'; expected true or false" in text
    assert "<State" not in text
    assert "there is no field 'nonsense'; accepted are 'sync'" in text


def test_an_event_says_what_is_converted_again() -> None:
    keys = Reprocess.parse({"sync": "nightly", "keys": ["a", "b"], "reset_schema": True, "run_id": "r"})
    state = Reprocess.parse({"sync": "nightly", "state": "in flight", "dry_run": True, "start_after": "k"})

    assert keys == Reprocess(sync="nightly", keys=("a", "b"), reset_schema=True, run_id="r")
    assert state == Reprocess(sync="nightly", state=State.IN_FLIGHT, dry_run=True, start_after="k")
    assert Reprocess.parse({"sync": "nightly"}) == Reprocess(sync="nightly")


def test_nothing_is_reset_or_only_tried_unless_that_is_asked() -> None:
    wish = Reprocess(sync="nightly")

    assert (wish.reset_schema, wish.dry_run) == (False, False)


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({}, "sync is None"),
        ({"sync": ""}, "sync is ''"),
        ({"sync": 7}, "sync is 7"),
        ({"sync": "s", "keys": ["a"], "prefix": "b"}, "keys and prefix were given together"),
        ({"sync": "s", "prefix": "b", "state": "failed"}, "prefix and state were given together"),
        ({"sync": "s", "keys": "a"}, "keys is 'a'; expected a list"),
        ({"sync": "s", "keys": ["a", ""]}, "expected a list of keys"),
        ({"sync": "s", "keys": ["a", 7]}, "expected a list of keys"),
        ({"sync": "s", "state": "done"}, "state is 'done'"),
        ({"sync": "s", "prefix": 7}, "prefix is 7; expected text"),
        ({"sync": "s", "reset_schema": "no"}, "reset_schema is 'no'; expected true or false"),
        ({"sync": "s", "start_after": 7}, "start_after is 7; expected text"),
        ({"sync": "s", "sinc": "t"}, "there is no field 'sinc'"),
    ],
)
def test_a_wrong_event_is_refused_before_anything_is_asked(event: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Reprocess.parse(event)


@pytest.mark.parametrize("event", [{"keys": []}, {"keys": None, "prefix": None, "state": None, "dry_run": None}])
def test_what_is_empty_is_not_given(event: dict[str, Any]) -> None:
    assert Reprocess.parse({"sync": "nightly", **event}) == Reprocess(sync="nightly")


@pytest.mark.parametrize(
    ("seconds", "taken"), [([99.0] * 9, 3), ([99.0, 9.9], 2), ([9.9], 1), ([10.0, 10.0, 10.0], 3), ([99.0, 99.0, 1], 3)]
)
def test_a_portion_ends_when_it_is_full_or_the_time_is_short(seconds: list[float], taken: int) -> None:
    """The clock is looked at after each, so that one at least is taken."""
    clock = iter(seconds)
    items = iter(range(7))

    assert take_portion(items, 3, lambda: next(clock)) == list(range(taken))
    assert next(items) == taken


def test_no_portion_of_nothing() -> None:
    assert take_portion([], 3, never_ends) == []


def test_everything_is_asked_for_by_one_run(world: World) -> None:
    answer = reprocess(world, Reprocess(sync="nightly", reset_schema=True), deployment=7)

    assert sent(world) == [ASIA.key, EUROPE.key]
    assert {(request.sync, request.run_id) for request in world.queue.sent} == {("nightly", answer["run_id"])}
    assert all(request.reset_schema and request.deployment == 7 for request in world.queue.sent)
    assert {request.change.kind for request in world.queue.sent} == {ChangeKind.CREATED}
    assert answer == {
        "run_id": "20261122T120000000000Z",
        "sync": "nightly",
        "dry_run": False,
        "selected": 2,
        "sent": 2,
        "ignored": 0,
        "out_of_scope": 0,
        "complete": True,
        "examples": [str(ASIA), str(EUROPE)],
    }


def test_a_run_that_is_only_tried_sends_nothing(world: World) -> None:
    answer = reprocess(world, Reprocess(sync="nightly", dry_run=True, run_id="mine"))

    assert sent(world) == []
    assert (answer["run_id"], answer["selected"], answer["sent"]) == ("mine", 2, 0)


def test_keys_are_taken_as_they_are_and_what_no_sync_reads_is_counted(world: World) -> None:
    keys = (ASIA.key, str(EUROPE), "in/readme.txt", "elsewhere/a.csv")

    answer = reprocess(world, Reprocess(sync="nightly", keys=keys))

    assert sent(world) == [ASIA.key, EUROPE.key]
    assert (answer["selected"], answer["ignored"], answer["out_of_scope"]) == (2, 1, 1)


def test_a_key_that_is_no_address_is_wrong_use(world: World) -> None:
    with pytest.raises(UsageError, match="expected s3://bucket/key"):
        reprocess(world, Reprocess(sync="nightly", keys=("s3://acme-in",)))


def test_a_state_selects_the_syncs_entries_alone(world: World) -> None:
    world.syncs = (bulk_sync("nightly", to="json", subfolder="a"), bulk_sync("hourly", to="json", subfolder="b"))
    for number, sync in enumerate(("nightly", "hourly")):
        entry = Entry.unseen(sync, ObjectRef("acme-in", f"in/{number}.csv"), fingerprint="f", engine="1")
        world.ledger.entries[sync, entry.source] = entry

    reprocess(world, Reprocess(sync="hourly", state=State.WAITING))

    assert sent(world) == ["in/1.csv"]


def test_only_so_many_examples_are_shown(world: World) -> None:
    for number in range(12):
        world.upload(ref=ObjectRef("acme-in", f"in/many/{number:02}.csv"))

    answer = reprocess(world, Reprocess(sync="nightly", prefix="in/many/"))

    assert answer["selected"] == 12
    assert answer["examples"] == [f"s3://acme-in/in/many/{number:02}.csv" for number in range(10)]


def seconds(*values: float) -> Callable[[], float]:
    """A clock that is looked at after each portion; portions of one are full before it is looked at for an item."""
    clock: Iterator[float] = iter(values)
    return lambda: next(clock)


def test_a_run_that_was_cut_is_carried_on_behind_the_last_key(world: World) -> None:
    first = reprocess(world, Reprocess(sync="nightly"), seconds(STOP_SECONDS - 1), portion=1)
    again = Reprocess(sync="nightly", run_id=first["run_id"], start_after=first["start_after"])

    second = reprocess(world, again, portion=1)

    assert (first["complete"], first["start_after"], first["sent"]) == (False, ASIA.key, 1)
    assert (second["complete"], second["run_id"], second["sent"]) == (True, first["run_id"], 1)
    assert "start_after" not in second
    assert sent(world) == [ASIA.key, EUROPE.key]


def test_a_run_goes_on_while_there_is_time(world: World) -> None:
    answer = reprocess(world, Reprocess(sync="nightly"), seconds(STOP_SECONDS, STOP_SECONDS), portion=1)

    assert (answer["complete"], answer["sent"]) == (True, 2)


def test_the_files_of_a_model_ask_for_its_table_once(world: World) -> None:
    planner = Planner(model_document({"model_from": "multi_file_archive"}))

    answer = reprocess(world, Reprocess(sync="nightly"), planner=planner)

    assert sent(world) == ["in/"]
    assert (answer["selected"], answer["sent"]) == (2, 1)


def test_appended_files_of_a_model_are_asked_for_one_by_one(world: World) -> None:
    planner = Planner(model_document({"model_from": "multi_file_archive"}, {"mode": "append"}))

    reprocess(world, Reprocess(sync="nightly"), planner=planner)

    assert sent(world) == [ASIA.key, EUROPE.key]
