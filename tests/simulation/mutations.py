"""Each rule of the protocol, how it is switched off, and the world in which that shows soonest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, BinaryIO
from unittest.mock import patch

from millrace.big_runs import converting, ending, phases
from millrace.big_runs.documents import RunDocuments
from millrace.big_runs.events import DONE, PhaseOutcome
from millrace.big_runs.starting import BigRunStarter
from millrace.delivery import build_conversion, object_work, publishing, worker
from millrace.delivery.build_files import PinnedFiles
from millrace.delivery.intake import Intake, Received, _Pending
from millrace.delivery.object_work import ObjectWork
from millrace.delivery.snapshot_table import SnapshotTables
from millrace.delivery.table_files import TableFiles
from millrace.delivery.tickets import TicketCounter
from millrace.engine.table_sources import Source
from millrace.errors import MillraceError, ObjectChanged
from millrace.ledger import claims, rules
from millrace.ledger.entries import Finish, State, WorkEntry
from millrace.ledger.rules import MOST_DEATHS, E, Refusal
from millrace.objects.messages import parse_message
from millrace.objects.references import ObjectRef, Sequencer
from millrace.objects.store import ListedObject, ObjectHead, ObjectRange, ObjectStore, OpenedObject, Published
from millrace.operations.backfills.board import Backfill
from millrace.operations.backfills.listing import BackfillLister, HeldRange
from millrace.operations.backfills.selection import Looked, Selected
from millrace.operations.reprocess import Reprocessor
from millrace.planning.plans import Build, Plan
from tests.simulation import light, schedules
from tests.simulation.buckets import KILLER, Buckets, SimulatedAssembly, Uploading, Version
from tests.simulation.faults import Fault
from tests.simulation.files import to_file
from tests.simulation.queue import QueuedMessage
from tests.simulation.setups import SYNC, TARGET_BUCKET, Change, Setup, SetupKind
from tests.simulation.sources import source
from tests.simulation.world import SimulatedReceipt, SimulatedWorld

BEYOND_THE_MARGIN = 2400.0
"""Seconds by which clocks are off where leases no longer keep two workers apart: fences and conditions must."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """What is switched off; ``world`` changes each schedule's."""

    rule: str
    off: Callable[[], AbstractContextManager[object]]
    world: Callable[[SimulatedWorld], None]
    seed: int = 0
    """The schedule that showed it when it was last looked for: it is run first, which spares all before it."""

    def breaks_promise(self, most: int) -> bool:
        """Whether one of the first ``most`` schedules, run with the rule switched off, breaks a promise."""
        with self.off():
            return any(schedules.run(seed, self.world).violations for seed in (self.seed, *range(most)))


def any_world(_world: SimulatedWorld) -> None:
    """As it was drawn."""


def _begin_quietly(world: SimulatedWorld, setup: Setup) -> None:
    """Of one setup, and nothing goes wrong by itself."""
    world.setup, world.setups = setup, [setup]
    world.faults.set({})
    sources = world.sources
    sources.bad_rows = sources.killers = sources.forbidden = sources.multipart = 0.0
    sources.durations = (0.0,)


def with_zombies(world: SimulatedWorld) -> None:
    """Workers that are slow, and others whose clocks take their leases for run out. No bytes come twice."""
    _begin_quietly(world, Setup(SetupKind.REPLICATE))
    world.skew = BEYOND_THE_MARGIN
    world.workers = 3
    world.faults.set({Fault.SKEW: 0.7, Fault.SLOW: 0.25})
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


def _with_five_receipts(world: SimulatedWorld) -> None:
    """The queue gives up after five receipts; ten objects of five minutes wait for two workers."""
    world.queue.max_receives, world.workers, world.batch = 5, 2, 10
    world.sources.durations = (300.0,)
    world.faults.set({})


def _with_killers(world: SimulatedWorld) -> None:
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


def _late_workers(world: SimulatedWorld) -> None:
    """As with zombies, and now and then earlier bytes come again: a condition on an ETag passes that should not."""
    with_zombies(world)
    world.setup = Setup((SetupKind.REPLICATE, SetupKind.PARTITIONED)[world.choices.pick(2)], remove=True)
    world.setups = [world.setup]
    world.faults.set({Fault.SKEW: 0.7, Fault.SLOW: 0.25, Fault.SAME_BYTES_AGAIN: 0.5})


@contextmanager
def _never_withdrawing() -> Iterator[None]:
    with patch.object(claims.Claims, "_withdraw", lambda *_: None):
        yield


def _with_versions(world: SimulatedWorld) -> None:
    """One file of a snapshot table, whose versions come with older times and go again."""
    _begin_quietly(world, Setup(SetupKind.SNAPSHOT))
    world.sources.multipart = 0.5
    world.script = [
        act for _ in range(3) for act in (partial(schedules.put, "in/a.csv"), partial(schedules.wait, 60.0))
    ]


def _ordered_by_time_alone() -> AbstractContextManager[object]:
    return patch.object(SnapshotTables, "_is_news", lambda *_: False)


def _without_a_grant(world: SimulatedWorld) -> None:
    """Nobody may read for an hour."""
    _begin_quietly(world, Setup(SetupKind.REPLICATE))
    world.faults.set({Fault.DENIED: 1.0})
    world.script = [partial(schedules.put, "in/a.csv"), partial(schedules.wait, 3600.0), _grant]


def _grant(world: SimulatedWorld) -> None:
    world.faults.active = False


def _sending_anew() -> AbstractContextManager[object]:
    """What waits is sent to the queue once more and acknowledged, in place of coming back."""
    genuine = Intake._keep

    def keep(self: Intake, message: Received, pending: _Pending) -> None:
        receipt = message.receipt
        if any(outcome.is_suspect for outcome in pending.outcomes) or not isinstance(receipt, SimulatedReceipt):
            genuine(self, message, pending)
        else:
            receipt.world.queue.add_own(message.body, pending.seconds)

    return patch.object(Intake, "_keep", keep)


def _with_a_restless_folder(world: SimulatedWorld) -> None:
    """A folder of a model that changes every 40 seconds for 40 minutes; a build takes 50 seconds a file."""
    _begin_quietly(world, Setup(SetupKind.RUN))
    world.sources.durations = (50.0,)
    again = (partial(schedules.put, "in/b.csv"), partial(schedules.wait, 40.0))
    world.script = [partial(schedules.put, "in/a.csv"), *(act for _ in range(60) for act in again)]
    world.demands.append(_find_built_late)


def _find_built_late(world: SimulatedWorld) -> Iterator[str]:
    if not any(data and when < 60 * 40.0 for when, _, data in world.buckets.written):
        yield "build: a folder that kept changing was not made into a table meanwhile"


def _building_what_was_listed_or_nothing() -> AbstractContextManager[object]:
    genuine = build_conversion.source_of_file

    def find(build: Build, file: ListedObject, pinned: PinnedFiles) -> Source:
        as_read = genuine(build, file, pinned)

        @contextmanager
        def open_listed() -> Iterator[BinaryIO]:
            with as_read.open() as stream:
                if pinned.heads[file.ref].etag != file.etag:
                    raise ObjectChanged(f"{file.ref} changed since it was listed")
                yield stream

        return replace(as_read, open=open_listed)

    return patch.object(build_conversion, "source_of_file", find)


def _with_deployments(world: SimulatedWorld) -> None:
    """Somebody deploys another configuration and has all converted again, while older invocations are slow."""
    _begin_quietly(world, Setup((SetupKind.REPLICATE, SetupKind.SHARED)[world.choices.pick(2)]))
    world.faults.set({Fault.SLOW: 0.2, Fault.EVENT_TWICE: 0.5})
    world.workers = 3
    world.script = [partial(schedules.put, "in/a.csv"), partial(schedules.wait, 60.0)]
    world.script += [partial(schedules.put, "in/a.csv"), _filter, schedules.reprocess]


def _filter(world: SimulatedWorld) -> None:
    world.reconfigure(replace(world.setup, change=Change.FILTER))


def _of_no_deployment() -> AbstractContextManager[object]:
    genuine = rules._grant

    def grant(entry: E, request: rules.ClaimRequest) -> E | Refusal[E]:
        return genuine(entry, replace(request, deployment=max(request.deployment, entry.deployment)))

    return patch.object(rules, "_grant", grant)


def _with_a_collision(world: SimulatedWorld) -> None:
    """Two objects want one output; the first is removed. Their keys are not those that the promises are of."""
    _begin_quietly(world, Setup(SetupKind.REPLICATE, remove=True))
    world.script = [partial(schedules.put, "in/c.csv"), partial(schedules.wait, 60.0)]
    world.script += [partial(schedules.put, "in/c.tsv"), partial(schedules.wait, 60.0), _delete_winner]
    world.demands.append(_find_unhelped_loser)
    # What both want is the first one's to delete.
    world.buckets.on_delete = lambda _ref: None


def _delete_winner(world: SimulatedWorld) -> None:
    world.sources.delete("in/c.csv")


def _find_unhelped_loser(world: SimulatedWorld) -> Iterator[str]:
    entry = world.ledger.held.get(SYNC, source("in/c.tsv"))
    if entry is None or entry.state is not State.CONVERTED:
        yield "collision: the winner is gone, and the loser is not converted"


def _leaving_losers() -> AbstractContextManager[object]:
    return patch.object(TableFiles, "ask_for_rivals", lambda *_: None)


def _with_a_wish_for_nothing(world: SimulatedWorld) -> None:
    """Somebody asks for a key that never was."""
    _begin_quietly(world, Setup(SetupKind.REPLICATE))
    world.script = [lambda world: world.reprocess(keys=("in/never.csv",))]
    world.demands.append(_find_entry_of_nothing)
    # No entry has to say what became of it.
    world.on_acknowledge = lambda _world, _message: None


def _find_entry_of_nothing(world: SimulatedWorld) -> Iterator[str]:
    if world.ledger.held.get(SYNC, source("in/never.csv")) is not None:
        yield "never: there is an entry of a key that never was"


def _writing_down_nothing() -> AbstractContextManager[object]:
    return patch.object(worker.Worker, "_never_was", lambda *_: False)


def _with_files_of_a_table(world: SimulatedWorld) -> None:
    """Three files of a snapshot table, each newer than the last."""
    _begin_quietly(world, Setup(SetupKind.SNAPSHOT))
    keys = world.setup.keys
    world.script = [act for key in keys for act in (partial(schedules.put, key), partial(schedules.wait, 60.0))]


def _demoting_none() -> AbstractContextManager[object]:
    return patch.object(SnapshotTables, "_demote_last_file", lambda *_: None)


def _with_one_killer(world: SimulatedWorld) -> None:
    """A killer among twelve objects, ten of which come at once."""
    _begin_quietly(world, Setup(SetupKind.REPLICATE, more=9))
    world.batch, world.fills_batches = 10, True
    first, *others = world.setup.keys
    world.script = [partial(_put_killer, first), *(partial(schedules.put, key) for key in others)]
    acknowledge = world.on_acknowledge

    def count(world: SimulatedWorld, message: QueuedMessage) -> None:
        acknowledge(world, message)
        is_killer = any(request.change.ref == source(first) for request in parse_message(message.body).requests)
        if message.receives > 2 and not is_killer:
            schedules.world_violations(world).append(f"killer: {message.id} came back {message.receives} times")

    world.on_acknowledge = count


def _put_killer(key: str, world: SimulatedWorld) -> None:
    world.sources.write(key, light.HEADER + b"1,x,1\n" + KILLER)


def _working_in_company() -> AbstractContextManager[object]:
    genuine = rules._grant

    def grant(entry: E, request: rules.ClaimRequest) -> E | Refusal[E]:
        return genuine(entry, replace(request, is_alone=True))

    return patch.object(rules, "_grant", grant)


def _with_a_dead_first_file(world: SimulatedWorld) -> None:
    """Three workers publish the first file of a table and die before they decide its format; then comes another."""
    _begin_quietly(world, Setup(SetupKind.MIXED))
    first, second = world.setup.keys[:2]
    world.calls.planned += [("s3:PutObject", "lake/eu/a.", Fault.KILLED_AFTER)] * 3 * MOST_DEATHS
    # So small that it is one request, which the faults above name.
    world.script = [lambda world: world.sources.write(first, to_file(first, ["1,x,1"])), partial(schedules.wait, 60.0)]
    world.script += [partial(schedules.put, second)]


def _leaving_what_failed_work_published() -> AbstractContextManager[object]:
    def finish(**fields: Any) -> Finish:
        return Finish(**{**fields, "withdraws": False})

    return patch.object(object_work, "Finish", finish)


def _with_a_stray_file(world: SimulatedWorld) -> None:
    """A file of another format is refused; then somebody has what failed converted again, or everything."""
    _begin_quietly(world, Setup(SetupKind.MIXED))
    first, stray, _ = world.setup.keys
    wish = {"state": State.FAILED} if world.choices.pick(2) else {}
    world.script = []
    for key in (first, stray):
        world.script += [partial(schedules.put, key), partial(schedules.wait, 60.0)]
    world.script += [lambda world: world.reprocess(**wish), partial(schedules.wait, 60.0)]
    world.script += [partial(schedules.put, "in/eu/b.csv")]
    world.demands.append(_find_moved_table)


def _find_moved_table(world: SimulatedWorld) -> Iterator[str]:
    for key in ("in/eu/a.csv", "in/eu/b.csv"):
        entry = world.ledger.held.get(SYNC, source(key))
        if entry is None or entry.state is not State.CONVERTED:
            yield f"format: {key} is not converted, because of one stray file"


def _deciding_with_each_run() -> AbstractContextManager[object]:
    return patch.object(Reprocessor, "_decides_format", lambda *_: True)


MUTATIONS: tuple[Mutation, ...] = (
    Mutation("fence", _without_fence, with_zombies, seed=68),
    Mutation("conditional write", _without_condition, with_zombies, seed=68),
    Mutation("padding of sequencers", _padded_on_the_left, any_world, seed=71),
    Mutation("owner of the lease", _acknowledging_under_its_own_lease, any_world, seed=11),
    Mutation("late delete asks the bucket", _removing_without_asking, any_world),
    Mutation("exact cleanup by name", _sweeping_by_prefix, any_world),
    Mutation("acknowledge after settle", _acknowledging_early, any_world),
    Mutation("intent before publishing", _without_intent, any_world, seed=60),
    Mutation("receipts are not attempts", nullcontext, _with_five_receipts),
    Mutation("three deaths are enough", _never_giving_up, _with_killers, seed=7),
    Mutation("suspects work alone", _working_in_company, _with_one_killer),
    Mutation("another version of a table's file is news", _ordered_by_time_alone, _with_versions),
    Mutation("what waits is not sent anew", _sending_anew, _without_a_grant),
    Mutation("a build reads what there is", _building_what_was_listed_or_nothing, _with_a_restless_folder),
    Mutation("deployments are ordered", _of_no_deployment, _with_deployments, seed=15),
    Mutation("late workers withdraw", _never_withdrawing, _late_workers, seed=57),
    Mutation("a winner's removal asks for the loser", _leaving_losers, _with_a_collision),
    Mutation("keys that never were leave nothing", _writing_down_nothing, _with_a_wish_for_nothing),
    Mutation("one file alone is a table's", _demoting_none, _with_files_of_a_table),
    Mutation("no output stays of failed work", _leaving_what_failed_work_published, _with_a_dead_first_file),
    Mutation("a stray file moves no table", _deciding_with_each_run, _with_a_stray_file),
)


# Big runs: switched off while `light_parts` is in place


def with_runs_over_changing_files(world: SimulatedWorld) -> None:
    """One object in parts, overwritten while it is read, in a bucket without versions; children die now and then."""
    _begin_quietly(world, Setup(SetupKind.REPLICATE))
    world.big_runs, world.workers = True, 3
    world.faults.set({Fault.KILLED_AFTER: 0.01, Fault.CHILD_TWICE: 0.1, Fault.EVENT_LATE: 0.3})
    world.script = []
    for seconds in (3.0, 6.0, 12.0):
        world.script += [partial(schedules.put, "in/a.csv"), partial(schedules.wait, seconds)]


def with_runs_that_others_overtake(world: SimulatedWorld) -> None:
    """Runs of one object that are slow, and newer bytes meanwhile."""
    with_runs_over_changing_files(world)
    world.faults.set({Fault.SLOW: 0.05, Fault.CHILD_TWICE: 0.2, Fault.KILLED_BEFORE: 0.02})


def _reading_any_version() -> AbstractContextManager[object]:
    @contextmanager
    def reopen(self: Buckets, ref: ObjectRef, _head: ObjectHead) -> Iterator[OpenedObject]:
        with self.open(ref) as opened:
            yield opened

    return patch.object(Buckets, "reopen", reopen)


@contextmanager
def _in_one_home() -> Iterator[None]:
    """Runs of one object share their keys, whatever claim and bytes they are of; what is there is written over."""

    def find_home(self: BigRunStarter, plan: Plan | Build, _run: str) -> ObjectRef:
        return ObjectRef(TARGET_BUCKET, f"lake/.millrace/runs/{plan.sync}/")

    def write(self: RunDocuments, path: str, document: dict[str, Any]) -> None:
        self.replace(path, document)

    with patch.object(BigRunStarter, "_find_home", find_home), patch.object(RunDocuments, "write", write):
        yield


@contextmanager
def _copying_whatever_is_there() -> Iterator[None]:
    """As `_in_one_home`, where only the condition of the copy would notice."""

    def demand_etag(self: SimulatedAssembly, _there: Version, _content: ObjectRange) -> None:
        del self

    with patch.object(SimulatedAssembly, "demand_etag", demand_etag), _strangers_in_parts():
        yield


@contextmanager
def _strangers_in_parts() -> Iterator[None]:
    """Somebody writes over a private output between its conversion and its copy."""
    genuine = SimulatedAssembly.copy

    def copy(self: SimulatedAssembly, number: int, content: ObjectRange) -> None:
        there = self.buckets.bucket(content.ref.bucket)
        version = there.current(content.ref.key)
        if version is not None and version.data is not None and self.buckets.calls.choices.chance(0.2):
            there.put(content.ref.key, version.data[::-1], self.buckets.calls.clock.now)
        genuine(self, number, content)

    with patch.object(SimulatedAssembly, "copy", copy):
        yield


@contextmanager
def _losing_rows(*, uncounted: bool) -> Iterator[None]:
    """A reader that loses a row of some parts: the counts of the cut notice, if they are looked at."""
    genuine = light.convert_texts

    def convert_texts(texts: list[bytes], *rest: Any, **words: Any) -> Any:
        if words.get("first") == 2:
            texts = [text[: text.index(b"\n") + 1] for text in texts]
        return genuine(texts, *rest, **words)

    with patch.object(light, "convert_texts", convert_texts):
        if not uncounted:
            yield
            return
        with patch.object(converting, "_check_rows", lambda *_: None):
            yield


def with_runs_that_are_stopped(world: SimulatedWorld) -> None:
    """Runs of one object that somebody stops and resumes; who hears of it is killed now and then."""
    _begin_quietly(world, Setup(SetupKind.REPLICATE))
    world.big_runs = True
    world.faults.set({Fault.RUN_STOPPED: 0.2, Fault.KILLED_AFTER: 0.03})
    world.script = [partial(schedules.put, "in/a.csv")]


@contextmanager
def _deleting_what_may_go_on() -> Iterator[None]:
    """Whoever finds that a run has no claim deletes what it did; and an end without an order is an end."""

    def end_without_order(*_arguments: object) -> PhaseOutcome:
        return PhaseOutcome(DONE)

    with (
        patch.object(ending, "may_go_on", lambda entry: entry.failure is None),
        patch.object(phases, "end_without_order", end_without_order),
    ):
        yield


BIG_RUN_MUTATIONS: tuple[Mutation, ...] = (
    Mutation("pin of the version", _reading_any_version, with_runs_over_changing_files, seed=45),
    Mutation("fence in the key", _in_one_home, with_runs_that_others_overtake, seed=33),
    Mutation("If-Match of the copy", _copying_whatever_is_there, with_runs_over_changing_files),
    Mutation("what may be resumed is kept", _deleting_what_may_go_on, with_runs_that_are_stopped),
    Mutation("sum of rows", partial(_losing_rows, uncounted=True), with_runs_over_changing_files),
)
"""Rules of big runs."""


# Backfills


def with_a_backfill(world: SimulatedWorld) -> None:
    """Eight objects from before the notifications, and one backfill; workers and calls fail now and then."""
    _begin_quietly(world, Setup(SetupKind.REPLICATE, more=5))
    world.open_backfills(most_waiting=1000)
    world.workers, world.batch = 3, 3
    world.faults.set({Fault.KILLED_AFTER: 0.03, Fault.FAILED: 0.02})
    world.script = [partial(schedules.put_untold, key) for key in world.setup.keys]
    world.script.append(partial(schedules.ask_backfill, "start"))


def with_a_backfill_that_is_stopped(world: SimulatedWorld) -> None:
    """As before, and somebody stops it while it is at work."""
    with_a_backfill(world)
    world.script += [partial(schedules.wait, 1.0 + world.choices.pick(60)), partial(schedules.ask_backfill, "stop")]


def _deleting_what_is_not_counted() -> AbstractContextManager[object]:
    genuine = TicketCounter.flush

    def flush(self: TicketCounter) -> dict[str, MillraceError]:
        genuine(self)
        return {}

    return patch.object(TicketCounter, "flush", flush)


def _remembering_what_is_not_sent() -> AbstractContextManager[object]:
    def send(self: BackfillLister, backfill: Backfill, held: HeldRange, portion: Sequence[Looked]) -> None:
        asked = [item for item in portion if item.selected is Selected.ASKED]
        name = held.key_range.next_portion()
        held.sent(portion[-1].place, portion, has_requests=bool(asked))
        self._send_all([self._to_request(backfill, name, number, item) for number, item in enumerate(asked)])

    return patch.object(BackfillLister, "_send", send)


def _passing_over_what_is_begun() -> AbstractContextManager[object]:
    return patch.object(worker.Worker, "is_begun", lambda *_: False)


BACKFILL_MUTATIONS: tuple[Mutation, ...] = (
    Mutation("counted before it is deleted", _deleting_what_is_not_counted, with_a_backfill),
    Mutation("sent before it is remembered", _remembering_what_is_not_sent, with_a_backfill, seed=4),
    Mutation("what was begun comes to its end", _passing_over_what_is_begun, with_a_backfill_that_is_stopped, seed=8),
)
"""Rules of backfills."""
