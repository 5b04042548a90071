"""An Iceberg table, its committer and the queue between them, in the simulated world; and what the table must hold."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from unittest.mock import patch

from millrace.catalog.iceberg import commits
from millrace.catalog.iceberg.committing import Committer
from millrace.catalog.iceberg.tables import Expired, IcebergPlace, LiveFile, NeededOutput, TableChange
from millrace.catalog.iceberg.telling import CommitTeller
from millrace.catalog.tables import CatalogName
from millrace.config.catalog import IcebergTables
from millrace.errors import LostRace, MillraceError, ObjectGone
from millrace.ledger import rules
from millrace.ledger.announcing import Teller
from millrace.ledger.claims import Claims
from millrace.ledger.entries import DONE, Entry, Output, State
from millrace.objects.lineage import Lineage
from millrace.objects.output_names import OutputVersion
from millrace.objects.references import ObjectRef
from millrace.planning.planner import Planner
from tests.simulation import schedules
from tests.simulation.calls import Calls
from tests.simulation.faults import Fault
from tests.simulation.mutations import Mutation
from tests.simulation.queue import QueuedMessage
from tests.simulation.setups import SYNC, Change, Setup, SetupKind
from tests.simulation.sources import source
from tests.simulation.world import SimulatedWorld

_DATABASE = "lake"
_VISIBILITY = 60.0
_MOST_MESSAGES = 3


@dataclass(slots=True)
class SimulatedTables:
    """Satisfies ``IcebergCatalog``: the one table, as each snapshot had it.

    ``copies``: it is in a table bucket, and these outputs were copied there; None: its files are the outputs.
    """

    calls: Calls
    snapshots: list[frozenset[str]] = field(default_factory=list)
    """The addresses of the files; empty: there is no table."""
    stored: Callable[[ObjectRef], bool] = lambda _ref: True
    etags: dict[str, str] = field(default_factory=dict)
    """What each file was when it was first committed."""
    copies: set[str] | None = None

    def load(self, place: IcebergPlace) -> SimulatedIcebergTable | None:
        """As it is now."""
        number = self.calls.call("glue:GetTable", place.name, lambda: len(self.snapshots))
        return SimulatedIcebergTable(self, number, place) if number else None

    def create(self, place: IcebergPlace) -> None:
        """Without files."""

        def create() -> None:
            if self.snapshots:
                raise LostRace("there is one")
            self.snapshots.append(frozenset())

        self.calls.call("glue:CreateTable", place.name, create)

    def list_tables(self, kept: IcebergTables, root: ObjectRef) -> Sequence[CatalogName]:
        """None is expired."""
        del kept, root
        return ()

    def bring(self, output: Output) -> None:
        """Copy an output, if that is what the table has."""

        def copy() -> None:
            if not self.stored(output.ref):
                raise ObjectGone(str(output.ref))
            assert self.copies is not None
            self.copies.add(str(output.ref))

        if self.copies is not None and str(output.ref) not in self.copies:
            self.calls.call("s3:PutObject", f"a copy of {output.ref}", copy)


@dataclass(frozen=True, slots=True)
class SimulatedIcebergTable:
    """Satisfies ``IcebergTable``: as it was after so many snapshots."""

    tables: SimulatedTables
    number: int
    place: IcebergPlace

    @property
    def owner(self) -> str | None:
        """The sync."""
        return self.place.owner

    @property
    def outputs(self) -> ObjectRef | None:
        """Where its files are."""
        return self.place.outputs

    def find_files(self, units: Collection[str]) -> Mapping[str, Sequence[LiveFile]]:
        """By their names."""
        files: dict[str, list[LiveFile]] = {}
        for path in sorted(self.tables.snapshots[self.number - 1]):
            version = OutputVersion.parse(path)
            assert version is not None
            if version.unit in units:
                copy = None if self.tables.copies is None else f"copy of {path}"
                files.setdefault(version.unit, []).append(LiveFile(path, version, copy))
        return files

    def name_file(self, output: Output) -> str:
        """By its address, or as a copy of it."""
        return str(output.ref) if self.tables.copies is None else f"copy of {output.ref}"

    def check(self, output: Output) -> None:
        """Read the footer."""
        if not self.tables.calls.call("s3:GetObject", output.ref, lambda: self.tables.stored(output.ref)):
            raise ObjectGone(str(output.ref))

    def commit(self, change: TableChange) -> None:
        """On just this snapshot."""

        def commit() -> None:
            if len(self.tables.snapshots) != self.number:
                raise LostRace("another snapshot")
            before = self.tables.snapshots[-1]
            assert before.issuperset(change.remove)
            for output in change.add:
                assert self.tables.copies is None or str(output.ref) in self.tables.copies
                self.tables.etags.setdefault(str(output.ref), output.etag)
            self.tables.snapshots.append((before - set(change.remove)) | {str(output.ref) for output in change.add})

        for output in change.add:
            self.tables.bring(output)
        self.tables.calls.call("glue:UpdateTable", f"+{len(change.add)} -{len(change.remove)}", commit)

    def expire(self, **rule: NeededOutput | Any) -> Expired:
        """Nothing: every snapshot stays."""
        del rule
        return Expired()


@dataclass(eq=False, slots=True)
class SimulatedCommits:
    """The queue of requests, and its committers; it satisfies ``CommitRequests``, ``Listener`` and ``Engine``.

    It is meaner than SQS: in any order, also twice long after, and with several committers at once.
    """

    world: SimulatedWorld
    tables: SimulatedTables
    committers: int = 2
    messages: list[QueuedMessage] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    old: list[str] = field(default_factory=list)
    running: int = 0
    _ids: int = 0

    def teller_of(self, planner: Planner) -> Teller:
        """As the functions have it."""
        return CommitTeller(planner=planner, queue=self, syncs=frozenset({SYNC}), database=_DATABASE)

    def send(self, body: str, *, group: str, deduplication: str) -> None:
        """Put it into the queue."""
        del group, deduplication
        self.world.calls.call("sqs:SendMessage", f"commit {body}", partial(self._add, body))

    def _add(self, body: str) -> None:
        self._ids += 1
        now = self.world.clock.now
        self.messages.append(QueuedMessage(f"c{self._ids}", body, now, now))
        self.old.append(body)

    def choices(self) -> list[Callable[[], None]]:
        """A committer may begin, and an old message may come again."""
        visible = [message for message in self.messages if message.visible_at <= self.world.clock.now]
        found: list[Callable[[], None]] = []
        if visible and self.running < self.committers:
            found.append(partial(self._begin, visible))
        if visible and self.world.faults.active and self.old and self.world.faults.draw(Fault.EVENT_TWICE, "commits"):
            found.append(partial(self._add, self.old[self.world.choices.pick(len(self.old))]))
        return found

    def next_time(self) -> float | None:
        """When a message is visible again."""
        return min((message.visible_at for message in self.messages), default=None)

    def _begin(self, visible: list[QueuedMessage]) -> None:
        batch = []
        for _ in range(min(1 + self.world.choices.pick(_MOST_MESSAGES), len(visible))):
            message = visible.pop(self.world.choices.pick(len(visible)))
            message.visible_at = self.world.clock.now + _VISIBILITY
            batch.append(message)
        actor = self.world._actor("commit")
        self.running += 1
        self.world.scheduler.spawn(actor, partial(self._commit, batch))

    def _commit(self, batch: list[QueuedMessage]) -> None:
        try:
            world = self.world
            committer = Committer(
                planner=world.setup.planner, ledger=world.ledger, catalog=self.tables, database=_DATABASE
            )
            report = committer.commit([message.body for message in batch], lambda: 900.0)
            self.dead += [f"{batch[index].body}: {reason}" for index, reason in report.refused.items()]
            done = [message for index, message in enumerate(batch) if index not in report.failed]
            with suppress(MillraceError):
                world.calls.call("sqs:DeleteMessage", len(done), partial(self._delete, done))
        finally:
            self.running -= 1

    def _delete(self, done: list[QueuedMessage]) -> None:
        for message in done:
            with suppress(ValueError):
                self.messages.remove(message)


def with_iceberg(world: SimulatedWorld) -> None:
    """The files of one Iceberg table, written, overwritten and deleted under every fault."""
    choices = world.choices
    world.setup = Setup(SetupKind.SHARED, remove=bool(choices.pick(2)), quarantine=bool(choices.pick(2)), iceberg=True)
    world.setups = [world.setup]
    tables = SimulatedTables(world.calls, stored=partial(_is_stored, world))
    commits_of_world = SimulatedCommits(world, tables, committers=1 + choices.pick(2))
    world.listener = commits_of_world
    world.engines.append(commits_of_world)
    world.has_promises = False
    world.demands.append(partial(_find_differences, commits_of_world))
    # A table of many readers is not to be looked at as one output that is deleted too soon: that is demanded here.
    world.on_delete = partial(_find_deleted, tables)
    world.script = list(_draw_script(world))


def with_table_bucket(world: SimulatedWorld) -> None:
    """The same with copies in a table bucket."""
    with_iceberg(world)
    for engine in world.engines:
        assert isinstance(engine, SimulatedCommits)
        engine.tables.copies = set()


def _is_stored(world: SimulatedWorld, ref: ObjectRef) -> bool:
    return ref.key in world.target.live()


def _draw_script(world: SimulatedWorld) -> Iterator[schedules.Act]:
    choices, keys = world.choices, world.setup.keys[:2]
    for _ in range(3 + choices.pick(5)):
        key = keys[choices.pick(len(keys))]
        acts: tuple[schedules.Act, ...] = (
            partial(schedules.put, key),
            partial(schedules.put, key),
            partial(schedules.delete, key),
            schedules.reprocess,
        )
        yield acts[choices.pick(len(acts))]
        yield partial(schedules.wait, (1.0, 30.0, 6000.0)[choices.pick(3)])
    if choices.pick(4) == 0:
        yield _move_outputs


def _move_outputs(world: SimulatedWorld) -> None:
    """Another subfolder, under the same name of the table."""
    world.reconfigure(replace(world.setup, change=Change.SUBFOLDER))


def _find_deleted(tables: SimulatedTables, world: SimulatedWorld, ref: ObjectRef) -> None:
    """No snapshot may name what is deleted: readers of it would fail."""
    if any(str(ref) in snapshot for snapshot in tables.snapshots):
        schedules.world_violations(world).append(f"deleted: {ref}, which a snapshot names")


def _find_differences(heard: SimulatedCommits, world: SimulatedWorld) -> Iterator[str]:
    """The table has exactly the files of each object's newest finished version, and none was written over."""
    table = heard.tables.snapshots[-1] if heard.tables.snapshots else frozenset()
    wanted: set[str] = set()
    for key in world.setup.keys:
        entry = world.ledger.held.get(SYNC, source(key))
        if entry is not None:
            wanted |= set(_list_files(entry))
    yield from (f"lost: the table lacks {path}" for path in sorted(wanted - table))
    yield from (f"doubled: the table has {path}" for path in sorted(table - wanted))
    yield from (f"refused: {reason}" for reason in heard.dead)
    yield from _find_wrong_versions(world, table)
    stored = world.target.live()
    for path, etag in heard.tables.etags.items():
        version = stored.get(ObjectRef.parse(path).key)
        if version is not None and version.etag != etag:
            yield f"written over: {path}"
    yield from (f"waits: {message.body}" for message in heard.messages)


def _list_files(entry: Entry) -> Iterator[str]:
    for output in commits.UnitState.of(entry).outputs:
        yield str(output.ref)


def _find_wrong_versions(world: SimulatedWorld, table: Collection[str]) -> Iterator[str]:
    """Each file of the table is there, and made of what its source is now, if that could be converted."""
    stored, sources = world.target.live(), world.source.live()
    for path in sorted(table):
        version = stored.get(ObjectRef.parse(path).key)
        if version is None:
            yield f"vanished: {path}"
            continue
        lineage = Lineage.from_metadata(version.metadata)
        assert lineage is not None
        entry = world.ledger.held.get(SYNC, lineage.source_ref())
        current = sources.get(lineage.source_ref().key)
        if entry is not None and entry.state in DONE and current is not None and lineage.etag != current.etag:
            yield f"stale: {path} is made of {lineage.etag}, and the source is {current.etag}"
        if entry is not None and entry.state is State.REMOVED and world.setup.removes:
            yield f"resurrected: {path}"


# Rules, switched off


def with_iceberg_and_deaths(world: SimulatedWorld) -> None:
    """One object that is overwritten and deleted, by workers and committers who die and wait often."""
    with_iceberg(world)
    world.setup = replace(world.setup, remove=True)
    world.setups = [world.setup]
    sources = world.sources
    sources.bad_rows = sources.killers = sources.forbidden = sources.multipart = 0.0
    sources.durations = (0.0,)
    world.faults.set({Fault.KILLED_AFTER: 0.03, Fault.KILLED_BEFORE: 0.03, Fault.SLOW: 0.12, Fault.EVENT_TWICE: 0.3})
    for engine in world.engines:
        assert isinstance(engine, SimulatedCommits)
        engine.committers = 3
    world.workers = 3
    key = world.setup.keys[0]
    world.script = []
    for seconds in (6000.0, 40.0, 40.0, 40.0, 40.0, 6000.0):
        world.script += [partial(schedules.put, key), partial(schedules.wait, seconds)]
    if world.choices.pick(2):
        world.script += [partial(schedules.delete, key), partial(schedules.wait, 6000.0)]


@dataclass(frozen=True, slots=True)
class _RememberedEntries:
    """Satisfies ``EntryReader`` with what was read before."""

    entries: Mapping[tuple[str, ObjectRef], Entry | None]

    def get(self, sync: str, source: ObjectRef, /) -> Entry | None:
        """As it was."""
        return self.entries[sync, source]


def _reading_the_ledger_first() -> AbstractContextManager[object]:
    """Remembers what the ledger said when the table was not loaded yet."""
    genuine = Committer._commit_once

    def commit_once(self: Committer, work: Any, report: Any) -> None:
        asked = [(request.sync, request.source) for request in work.requests]
        known = {one: self.ledger.get(*one) for one in asked}
        genuine(replace(self, ledger=_RememberedEntries(known)), work, report)

    return patch.object(Committer, "_commit_once", commit_once)


def _committing_on_any_snapshot() -> AbstractContextManager[object]:
    def commit(self: SimulatedIcebergTable, change: TableChange) -> None:
        def apply() -> None:
            before = self.tables.snapshots[self.number - 1]
            self.tables.snapshots.append((before - set(change.remove)) | {str(output.ref) for output in change.add})

        self.tables.calls.call("glue:UpdateTable", f"+{len(change.add)} -{len(change.remove)}", apply)

    return patch.object(SimulatedIcebergTable, "commit", commit)


def _adding_without_removing() -> AbstractContextManager[object]:
    genuine = commits.decide_change

    def decide(*facts: Any) -> TableChange:
        return replace(genuine(*facts), remove=())

    return patch("millrace.catalog.iceberg.committing.decide_change", decide)


def _sweeping_earlier_files() -> AbstractContextManager[object]:
    return patch.object(rules, "is_versioned", lambda *_facts: False)


def _leaving_it_untold() -> AbstractContextManager[object]:
    genuine = Claims._claim

    def claim(self: Claims, *rest: Any) -> Any:
        return genuine(replace(self, teller=None), *rest)

    return patch.object(Claims, "_claim", claim)


def _without_versions_in_names() -> AbstractContextManager[object]:
    return patch("millrace.delivery.object_work.at_claim", lambda plan, _fence, _started: plan)


def with_two_objects_and_deaths(world: SimulatedWorld) -> None:
    """Two objects of one table, which are written at the same time."""
    with_iceberg_and_deaths(world)
    world.script = []
    for _ in range(3):
        world.script += [partial(schedules.put, key) for key in world.setup.keys[:3]]
        world.script.append(partial(schedules.wait, 6000.0))


ICEBERG_MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "the table is loaded, and the ledger read then", _reading_the_ledger_first, with_iceberg_and_deaths, seed=76
    ),
    Mutation(
        "a commit is of just the snapshot that was loaded",
        _committing_on_any_snapshot,
        with_two_objects_and_deaths,
        seed=37,
    ),
    Mutation("a new version's files take the place of the former", _adding_without_removing, with_iceberg_and_deaths),
    Mutation("earlier files are left to the committer", _sweeping_earlier_files, with_iceberg_and_deaths),
    Mutation("who comes next tells the committer first", _leaving_it_untold, with_iceberg_and_deaths, seed=12),
    Mutation("no output is written over", _without_versions_in_names, with_iceberg_and_deaths),
)
"""Rules of the committer."""
