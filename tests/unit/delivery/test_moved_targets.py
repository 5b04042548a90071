"""Destinations that move: the work goes on at the new place, and what nobody may reach any more holds nothing up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from millrace.config.document import Document, parse
from millrace.delivery.worker import Worker
from millrace.errors import AccessDenied, LostRace, NoSuchBucket
from millrace.ledger.entries import Branch, Finish, State
from millrace.objects.messages import Request
from millrace.objects.references import ObjectRef
from millrace.objects.store import ObjectHead
from tests.configurations import bulk_sync, connection
from tests.fakes import InMemoryObjectStore
from tests.world import World

BEFORE, SINCE = ObjectRef("acme-out", "lake/orders.jsonl"), ObjectRef("new-out", "lake/orders.jsonl")


@dataclass
class GuardedStore(InMemoryObjectStore):
    """Answers nothing of some buckets."""

    refused: dict[str, type[Exception]] = field(default_factory=dict)

    def head(self, ref: ObjectRef) -> ObjectHead | None:
        """Look, if it may."""
        self._guard(ref)
        return super().head(ref)

    def delete(self, ref: ObjectRef, *, etag: str | None = None) -> None:
        """Delete, if it may."""
        self._guard(ref)
        super().delete(ref, etag=etag)

    def _guard(self, ref: ObjectRef) -> None:
        if ref.bucket in self.refused:
            raise self.refused[ref.bucket](f"on {ref}")


@dataclass
class MovingWorld(World):
    """A world with a store for each connection of its configuration; ``stores`` has those of a role of their own."""

    stores: dict[str, InMemoryObjectStore] = field(default_factory=dict)

    @property
    def worker(self) -> Worker:
        """On the present configuration."""
        names = [connection.name for connection in self.planner.document.connections]
        return Worker.build(
            planner=self.planner,
            ledger=self.ledger,
            stores=dict.fromkeys(names, self.store) | self.stores,
            queues={"landing": self.queue},
            now=lambda: self.now,
            engine="1",
            timeout_seconds=900,
        )


def writing_to(*folders: str, sync: Mapping[str, Any] | None = None) -> Document:
    """A sync to the first folder; the other folders are destinations of syncs of other prefixes."""
    lakes = [connection(f"lake {number}", folder) for number, folder in enumerate(folders)]
    landing = connection("landing", "s3://acme-in/in", enable_event_notifications=True, event_queue_arn="managed")
    syncs = [
        bulk_sync("nightly", to="json", **{"on_delete": "remove", "destination_connection": "lake 0", **(sync or {})}),
        *(
            bulk_sync(f"other {number}", to="csv", destination_connection=f"lake {number}", subfolder="other")
            for number in range(1, len(folders))
        ),
    ]
    return parse({"connections": [landing, *lakes], "bulk_syncs": syncs})


@pytest.fixture
def world() -> MovingWorld:
    """An object that was converted before the destination moved."""
    world = MovingWorld(
        store=GuardedStore({"acme-in": {}, "acme-out": {}, "new-out": {}}),
        configuration=writing_to("s3://acme-out/lake"),
    )
    assert world.one(world.upload()).result == State.CONVERTED
    return world


def refuse(world: MovingWorld, **refused: type[Exception]) -> None:
    assert isinstance(world.store, GuardedStore)
    world.store.refused = {bucket.replace("_", "-"): error for bucket, error in refused.items()}


def ask(world: MovingWorld) -> Request:
    """What `millrace reprocess` asks for."""
    return replace(world.event(), run_id="20261129T150000Z", sync="nightly")


def test_the_output_moves_along(world: MovingWorld) -> None:
    world.configuration = writing_to("s3://new-out/lake")

    assert world.one(ask(world)).result == State.CONVERTED
    assert (world.store.head(BEFORE), world.entry().obsolete) == (None, ())
    assert world.store.head(SINCE) is not None


@pytest.mark.parametrize("error", [AccessDenied, NoSuchBucket])
def test_what_no_destination_has_any_more_and_nobody_may_delete_is_left_and_named(
    world: MovingWorld, error: type[Exception]
) -> None:
    """With its bucket the functions lose the grant for it: else each object failed, and its queue was paused."""
    world.configuration = writing_to("s3://new-out/lake")
    refuse(world, acme_out=error)

    outcome = world.one(ask(world))

    assert (outcome.result, outcome.acknowledge) == (State.CONVERTED, True)
    assert [output.ref for output in world.entry().outputs] == [SINCE]
    assert [output.ref for output in world.entry().obsolete] == [BEFORE]


def test_what_was_left_holds_up_neither_the_next_version_nor_a_removal(world: MovingWorld) -> None:
    world.configuration = writing_to("s3://new-out/lake")
    refuse(world, acme_out=AccessDenied)
    world.one(ask(world))

    assert world.one(world.upload(b"id\n1\n"), "m2").result == State.CONVERTED
    assert world.one(world.delete(), "m3").result == State.REMOVED
    assert world.store.head(SINCE) is None
    assert [output.ref for output in world.entry().obsolete] == [BEFORE]


def test_what_was_left_is_deleted_once_it_may_be(world: MovingWorld) -> None:
    world.configuration = writing_to("s3://new-out/lake")
    refuse(world, acme_out=AccessDenied)
    world.one(ask(world))
    refuse(world)

    world.one(world.upload(b"id\n1\n"), "m2")

    assert (world.store.head(BEFORE), world.entry().obsolete) == (None, ())


def test_what_a_destination_still_has_must_be_deleted(world: MovingWorld) -> None:
    """A grant is missing that the configuration asks for: whoever gives it has the work done to its end."""
    world.configuration = writing_to("s3://new-out/lake", "s3://acme-out/lake")
    refuse(world, acme_out=AccessDenied)

    outcome = world.one(ask(world))

    assert outcome.failure is not None
    assert (outcome.failure.branch, outcome.acknowledge) == (Branch.CONFIGURATION, False)

    refuse(world)
    assert world.one(ask(world), "m2").result == State.CONVERTED
    assert world.store.head(BEFORE) is None


def test_an_output_is_deleted_by_the_connection_that_has_its_place(world: MovingWorld) -> None:
    """Each connection may have a role of its own, which may do nothing in the other's bucket."""
    world.stores = {"lake 0": GuardedStore(world.store.buckets, refused={"acme-out": AccessDenied})}
    world.configuration = writing_to("s3://new-out/lake", "s3://acme-out/lake")

    assert world.one(ask(world)).result == State.CONVERTED
    assert (world.store.head(BEFORE), world.entry().obsolete) == (None, ())


def test_a_late_worker_withdraws_its_output_though_an_earlier_place_is_out_of_reach(world: MovingWorld) -> None:
    world.configuration = writing_to("s3://new-out/lake")
    refuse(world, acme_out=AccessDenied)
    world.one(ask(world))
    claims = world.worker.claims
    late = replace(world.entry(), state=State.IN_FLIGHT)
    metadata = world.store.buckets[SINCE.bucket][SINCE.key].metadata
    world.one(world.delete(), "m3")
    world.store.put(SINCE, b"late", metadata)

    with pytest.raises(LostRace):
        claims.settle(late, Finish(state=State.CONVERTED, outputs=late.outputs), world.store)

    assert world.store.head(SINCE) is None
