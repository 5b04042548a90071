"""Each rule of the protocol, how it is switched off, and the world in which that shows soonest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from unittest.mock import patch

from millrace.delivery import publishing, worker
from millrace.delivery.intake import Intake, Received
from millrace.delivery.object_work import ObjectWork
from millrace.ledger import claims, rules
from millrace.ledger.entries import WorkEntry
from millrace.ledger.rules import Refusal
from millrace.objects.references import Sequencer
from millrace.objects.store import ObjectHead, ObjectStore, Published
from tests.simulation import schedules
from tests.simulation.buckets import Buckets, Uploading
from tests.simulation.faults import Fault
from tests.simulation.setups import Setup, SetupKind
from tests.simulation.world import World

BEYOND_THE_MARGIN = 2400.0
"""Seconds by which clocks are off where leases no longer keep two workers apart: fences and conditions must."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """What is switched off; ``world`` changes each schedule's."""

    rule: str
    off: Callable[[], AbstractContextManager[object]]
    world: Callable[[World], None]


def any_world(_world: World) -> None:
    """As it was drawn."""


def with_zombies(world: World) -> None:
    """Workers that are slow, and others whose clocks take their leases for run out. No bytes come twice."""
    world.setup = Setup(SetupKind.REPLICATE)
    world.setups = [world.setup]
    world.skew = BEYOND_THE_MARGIN
    world.workers = 3
    world.faults.set({Fault.SKEW: 0.7, Fault.SLOW: 0.25})
    world.sources.bad_rows = 0.0
    world.script = [act for _ in range(3) for act in (partial(schedules.put, "in/a.csv"), partial(schedules.wait, 5.0))]


def _without_fence() -> AbstractContextManager[object]:
    def may_replace(there: ObjectHead, _target: object, _claimed: WorkEntry) -> str:
        return there.etag

    return patch.object(publishing, "_may_replace", may_replace)


def _without_condition() -> AbstractContextManager[object]:
    def put_output(self: Buckets, upload: Uploading, _expected: str | None, metadata: dict[str, str]) -> Published:
        return self._put(upload.target, bytes(upload.pending), metadata)

    return patch.object(Buckets, "put_output", put_output)


def _padded_on_the_left() -> AbstractContextManager[object]:
    def parse(text: str) -> Sequencer:
        return Sequencer(text.strip().upper().rjust(64, "0"))

    return patch.object(Sequencer, "parse", staticmethod(parse))


def _acknowledging_under_its_own_lease() -> AbstractContextManager[object]:
    genuine = rules._claim_in_flight

    def claim_in_flight(entry: WorkEntry, request: rules.ClaimRequest) -> WorkEntry | Refusal[WorkEntry]:
        decision = genuine(entry, request)
        return replace(decision, retry_at=None) if isinstance(decision, Refusal) else decision

    return patch.object(rules, "_claim_in_flight", claim_in_flight)


def _removing_without_asking() -> AbstractContextManager[object]:
    return patch.object(ObjectWork, "head", lambda _self, _plan: None)


def _with_five_receipts(world: World) -> None:
    """The queue gives up after five receipts; ten objects of five minutes wait for two workers."""
    world.queue.max_receives, world.workers, world.batch = 5, 2, 10
    world.sources.durations = (300.0,)
    world.faults.set({})


def _with_killers(world: World) -> None:
    world.sources.killers = 0.3
    world.faults.set({})


def _never_giving_up() -> AbstractContextManager[object]:
    return patch.object(worker, "MOST_DEATHS", 10**9)


@contextmanager
def _sweeping_by_prefix() -> Iterator[None]:
    def sweep(settled: WorkEntry, _fence: int, store: ObjectStore) -> None:
        for output in settled.obsolete:
            prefix = output.ref.key.split(".")[0].split("/part=")[0]
            for listed in list(store.list(output.ref.bucket, prefix)):
                if listed.ref not in {kept.ref for kept in settled.outputs}:
                    store.delete(listed.ref)

    with patch.object(claims, "sweep", sweep):
        yield


def _acknowledging_early() -> AbstractContextManager[object]:
    genuine = Intake.take

    def take(self: Intake, message: Received) -> None:
        try:
            genuine(self, message)
        except Exception:  # noqa: BLE001 - this is what must not be done
            return

    return patch.object(Intake, "take", take)


def _without_intent() -> AbstractContextManager[object]:
    return patch.object(rules, "_with_intended", lambda entry, _refs: entry.obsolete)


MUTATIONS: tuple[Mutation, ...] = (
    Mutation("fence", _without_fence, with_zombies),
    Mutation("conditional write", _without_condition, with_zombies),
    Mutation("padding of sequencers", _padded_on_the_left, any_world),
    Mutation("owner of the lease", _acknowledging_under_its_own_lease, any_world),
    Mutation("late delete asks the bucket", _removing_without_asking, any_world),
    Mutation("exact cleanup by name", _sweeping_by_prefix, any_world),
    Mutation("acknowledge after settle", _acknowledging_early, any_world),
    Mutation("intent before publishing", _without_intent, any_world),
    Mutation("receipts are not attempts", nullcontext, _with_five_receipts),
    Mutation("three deaths are enough", _never_giving_up, _with_killers),
)
