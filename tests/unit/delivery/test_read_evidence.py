"""An object that may not be read fails by itself, as long as another of its connection can be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from millrace.delivery.read_evidence import ReadEvidence
from millrace.delivery.worker import Outcome
from millrace.errors import AccessDenied
from millrace.ledger.entries import Branch, State
from millrace.objects.references import ObjectRef
from millrace.objects.store import ListedObject, OpenedObject
from tests.fakes import InMemoryObjectStore
from tests.world import ORDERS, World


@dataclass
class LockedStore(InMemoryObjectStore):
    """Some objects, or listings, are denied; the rest is as always."""

    locked: set[str] = field(default_factory=set)
    hides_listings: bool = False

    @contextmanager
    def open(self, ref: ObjectRef, *, tail_first: bool = False) -> Iterator[OpenedObject]:
        """Pin an object that is not locked."""
        if ref.key in self.locked:
            raise AccessDenied(f"s3:GetObject on {ref} was denied")
        with super().open(ref, tail_first=tail_first) as opened:
            yield opened

    def list(self, bucket: str, prefix: str, *, start_after: str = "") -> Iterator[ListedObject]:
        """List, or refuse to."""
        if self.hides_listings:
            raise AccessDenied("s3:ListBucket was denied")
        return super().list(bucket, prefix, start_after=start_after)


def to_world(*, locked: set[str], hides_listings: bool = False) -> World:
    return World(store=LockedStore({"acme-in": {}, "acme-out": {}}, locked=locked, hides_listings=hides_listings))


def upload(world: World, key: str, *, attempts: int = 3) -> Outcome:
    """What becomes of an upload whose message comes back, as often as it does, up to so many attempts."""
    request, worker = world.upload(ORDERS, ObjectRef("acme-in", key)), world.worker
    for receives in range(1, attempts + 1):
        (outcome,) = worker.work(request, world.delivery(receives=receives))
        if outcome.acknowledge:
            break
    return outcome


def branch_of(outcome: Outcome) -> Branch | None:
    return outcome.failure.branch if outcome.failure else None


def test_one_object_that_may_not_be_read_fails_as_data() -> None:
    """Its message is acknowledged, and the breaker does not count it."""
    world = to_world(locked={"in/b.csv"})
    world.upload(ORDERS, ObjectRef("acme-in", "in/a.csv"))

    outcome = upload(world, "in/b.csv")

    assert (outcome.result, branch_of(outcome)) == (State.FAILED, Branch.DATA)
    assert outcome.acknowledge
    assert outcome.failure is not None
    assert outcome.failure.error == "ObjectDenied"
    assert "such as s3://acme-in/in/a.csv" in outcome.failure.message


def test_an_object_is_denied_only_after_it_was_denied_three_times() -> None:
    """A new grant takes effect here sooner than there: what is denied now may be allowed in a minute."""
    world = to_world(locked={"in/b.csv"})
    world.upload(ORDERS, ObjectRef("acme-in", "in/a.csv"))
    assert isinstance(world.store, LockedStore)

    second = upload(world, "in/b.csv", attempts=2)
    world.store.locked.clear()
    third = upload(world, "in/b.csv", attempts=1)

    assert (second.acknowledge, branch_of(second)) == (False, Branch.TRANSIENT)
    assert third.result == State.CONVERTED


def test_where_no_object_may_be_read_the_grant_is_missing() -> None:
    world = to_world(locked={"in/a.csv", "in/b.csv"})
    world.upload(ORDERS, ObjectRef("acme-in", "in/a.csv"))

    outcome = upload(world, "in/b.csv")

    assert branch_of(outcome) is Branch.CONFIGURATION
    assert outcome.misconfigured


def test_a_connection_of_one_object_says_nothing_about_the_grant() -> None:
    assert branch_of(upload(to_world(locked={"in/b.csv"}), "in/b.csv")) is Branch.CONFIGURATION


def test_what_was_read_last_is_tried_where_nothing_may_be_listed() -> None:
    world = to_world(locked={"in/b.csv"}, hides_listings=True)
    worker = world.worker
    (good,) = worker.work(world.upload(ORDERS, ObjectRef("acme-in", "in/a.csv")), world.delivery())
    (denied,) = worker.work(world.upload(ORDERS, ObjectRef("acme-in", "in/b.csv")), world.delivery())

    assert good.result == State.CONVERTED
    assert denied.failure is not None
    assert "Since s3://acme-in/in/a.csv can be read" in denied.failure.message


def test_what_was_read_last_is_no_evidence_once_it_is_denied_too() -> None:
    """A grant was taken away in the middle: it is tried anew, not remembered."""
    world = to_world(locked=set(), hides_listings=True)
    worker = world.worker
    list(worker.work(world.upload(ORDERS, ObjectRef("acme-in", "in/a.csv")), world.delivery()))
    assert isinstance(world.store, LockedStore)
    world.store.locked |= {"in/a.csv", "in/b.csv"}

    (denied,) = worker.work(world.upload(ORDERS, ObjectRef("acme-in", "in/b.csv")), world.delivery())

    assert branch_of(denied) is Branch.CONFIGURATION


def test_an_object_that_was_read_last_is_no_evidence_of_others() -> None:
    """It was denied, and can be read by now: that says nothing of what else can be."""
    ref = ObjectRef("acme-in", "in/b.csv")
    store = InMemoryObjectStore({"acme-in": {}})
    store.put(ref, ORDERS)
    evidence = ReadEvidence()
    evidence.remember("landing", ref)
    denied = AccessDenied("s3:GetObject was denied")

    assert evidence.judge(denied, ref, "landing", store, attempts=3) is denied


def test_a_denied_target_is_the_grants_matter() -> None:
    """Sources can be read: that says nothing about where outputs go."""
    world = to_world(locked=set())
    world.store.buckets.pop("acme-out")
    world.upload(ORDERS, ObjectRef("acme-in", "in/a.csv"))

    assert branch_of(upload(world, "in/b.csv")) is Branch.CONFIGURATION
