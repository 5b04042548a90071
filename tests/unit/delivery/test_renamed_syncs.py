"""Syncs that are renamed, or change places: outputs of before are of the same sources, and are replaced."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from millrace.delivery.worker import Outcome
from millrace.ledger.entries import State
from millrace.objects.references import ObjectRef
from tests.configurations import bulk_sync, document
from tests.world import CONVERTED, ORDERS, SOURCE, TARGET, World

NEWER = b'{"id":7}\n'


def name_sync(name: str = "daily", **fields: Any) -> Any:
    return document(bulk_sync(name, to="json", **fields))


def work(world: World, sync: str, *, deployment: int, data: bytes | None = None, ref: ObjectRef = SOURCE) -> Outcome:
    """What a worker of a deployment makes of an upload, or of a request if nothing is uploaded."""
    event = world.event(ref) if data is None else world.upload(data, ref)
    request = replace(event, sync=sync, run_id=f"20261129T15{world.sequence:04d}Z")
    world.deployment = deployment
    (outcome,) = world.worker.work(request, world.delivery(f"m{world.sequence}"))
    return outcome


@pytest.fixture
def world() -> World:
    """An object that sync `nightly` converted, before it was renamed to `daily`."""
    world = World(configuration=name_sync("nightly"))
    assert work(world, "nightly", deployment=1, data=ORDERS).result == State.CONVERTED
    assert world.store.data(TARGET) == CONVERTED
    world.configuration = name_sync("daily")
    return world


def test_a_sync_of_another_name_goes_on_with_the_outputs(world: World) -> None:
    """The comparison asks for all objects of a sync that the ledger does not know: each failed as a collision."""
    assert work(world, "daily", deployment=2).result == State.CONVERTED
    assert work(world, "daily", deployment=2, data=b"id\n7\n").result == State.CONVERTED
    assert world.store.data(TARGET) == NEWER


def test_the_name_of_before_may_come_back(world: World) -> None:
    work(world, "daily", deployment=2, data=b"id\n7\n")
    world.configuration = name_sync("nightly")

    assert work(world, "nightly", deployment=3).result == State.CONVERTED
    assert world.store.data(TARGET) == NEWER
    assert work(world, "nightly", deployment=3, data=b"id\n8\n").result == State.CONVERTED


def test_a_worker_of_before_takes_nothing_back(world: World) -> None:
    work(world, "daily", deployment=2, data=b"id\n7\n")
    world.configuration = name_sync("nightly")

    outcome = work(world, "nightly", deployment=1)

    assert not outcome.acknowledge
    assert "under a newer deployment" in str(outcome.reason)
    assert world.store.data(TARGET) == NEWER


def test_an_output_that_our_ledger_knows_nothing_of_is_left_alone(world: World) -> None:
    """Another deployment has a ledger and names of its own, and may write to the same place by mistake."""
    for key in list(world.ledger.items_of_sync("nightly")):
        world.ledger.forget(key)

    outcome = work(world, "daily", deployment=2)

    assert outcome.failure is not None
    assert outcome.failure.error == "OutputCollision"
    assert world.store.data(TARGET) == CONVERTED


@pytest.mark.parametrize(
    "changed", [{"active": False}, {"schemas": [{"id": "orders", "enabled": False}]}], ids=["off", "passes it over"]
)
def test_a_sync_that_moved_and_writes_nothing_of_the_source_any_more_leaves_its_place(
    world: World, changed: dict[str, Any]
) -> None:
    """It may not be given the same folder: then the configuration is refused."""
    moved = bulk_sync("nightly", to="json", subfolder="nightly", **changed)
    world.configuration = document(moved, bulk_sync("daily", to="json"))

    assert work(world, "daily", deployment=2, data=b"id\n7\n").result == State.CONVERTED
    assert world.store.data(TARGET) == NEWER


def test_an_output_of_a_sync_that_writes_there_still_is_left_alone(world: World) -> None:
    """Two syncs may name a table alike below different folders."""
    nightly = bulk_sync("nightly", to="json", schemas=[{"id": "orders", "user_output_name": "x/orders"}])
    world.configuration = document(nightly, bulk_sync("daily", to="json", subfolder="x"))
    place = ObjectRef("acme-out", "lake/x/orders.jsonl")
    assert work(world, "nightly", deployment=2, data=b"id\n1\n").result == State.CONVERTED
    assert world.store.data(place) == b'{"id":1}\n'

    outcome = work(world, "daily", deployment=2, data=b"id\n7\n")

    assert outcome.failure is not None
    assert outcome.failure.error == "OutputCollision"
    assert world.store.data(place) == b'{"id":1}\n'


def test_an_output_of_another_source_is_left_alone(world: World) -> None:
    """A file of another name has the same output, under whatever sync."""
    outcome = work(world, "daily", deployment=2, data=b'{"id": 1}', ref=ObjectRef("acme-in", "in/orders.jsonl"))

    assert outcome.failure is not None
    assert outcome.failure.error == "OutputCollision"
    assert world.store.data(TARGET) == CONVERTED


def test_two_syncs_may_change_places() -> None:
    world = World(configuration=document(*(bulk_sync(name, to="json", subfolder=name) for name in "ab")))
    for name in "ab":
        work(world, name, deployment=1, data=b"id\n1\n")
    world.configuration = document(
        bulk_sync("a", to="json", subfolder="b"), bulk_sync("b", to="json", subfolder="a", normalize_names="disabled")
    )

    results = [work(world, name, deployment=2).result for name in "ab"]

    assert results == [State.CONVERTED, State.CONVERTED]
    assert sorted(world.store.buckets["acme-out"]) == ["lake/a/orders.jsonl", "lake/b/orders.jsonl"]
    assert [output.ref.key for output in world.entry(sync="a").outputs] == ["lake/b/orders.jsonl"]
    assert [output.ref.key for output in world.entry(sync="b").outputs] == ["lake/a/orders.jsonl"]


def test_a_snapshot_table_goes_on_under_another_name() -> None:
    single = {"is_single_table": True, "single_table_name": "orders"}
    world = World(configuration=document(bulk_sync("nightly", to="json", mode="snapshot"), source=single))
    work(world, "nightly", deployment=1, data=b"id\n1\n")
    world.configuration = document(bulk_sync("daily", to="json", mode="snapshot"), source=single)

    assert work(world, "daily", deployment=2, data=b"id\n7\n").result == State.CONVERTED
    assert [world.store.data(ObjectRef("acme-out", key)) for key in world.store.buckets["acme-out"]] == [NEWER]
