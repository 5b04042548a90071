"""What the ledger keeps: entries, and what they say."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from millrace.engine.row_counts import NO_ROWS, RowCounts
from millrace.errors import (
    ConfigurationError,
    DataError,
    LostRace,
    MillraceError,
    OutOfTime,
    TransientError,
    WorkInFlight,
)
from millrace.ledger.schema_changes import SchemaChanges
from millrace.objects.references import UNKNOWN_VERSION, ObjectRef, Position, Sequencer, SourceVersion
from millrace.texts import shorten_text


class State(enum.StrEnum):
    """Where an object stands; every object in scope is in exactly one."""

    IN_FLIGHT = "in flight"
    CONVERTED = "converted"
    QUARANTINED = "quarantined"
    FAILED = "failed"
    IGNORED = "ignored"
    SUPERSEDED = "superseded"
    REMOVED = "removed"
    WAITING = "waiting"


DONE = frozenset({State.CONVERTED, State.QUARANTINED})
"""States whose outputs are the whole of what the source object holds (quarantined: with bad rows set aside)."""


NEEDS_ATTENTION = frozenset({State.IN_FLIGHT, State.FAILED, State.WAITING})
"""States that somebody looks for: they are in the index of what needs attention."""


class Branch(enum.StrEnum):
    """The branch of the error tree a failure came from; it decides whether the same work is tried again."""

    TRANSIENT = "transient"
    DATA = "data"
    CONFIGURATION = "configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an entry failed; ``row`` counts data rows from 1, ``byte`` counts from 0.

    The message is cut to what is kept: 20,000 columns' names have no room in an item of the ledger.
    """

    branch: Branch
    error: str
    message: str
    row: int | None = None
    byte: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", shorten_text(self.message))

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """Describe an exception; one that is not ours counts as transient, so that its message is kept."""
        match error:
            case DataError(row=row, byte=byte):
                return cls(branch=Branch.DATA, error=type(error).__name__, message=str(error), row=row, byte=byte)
            case ConfigurationError():
                return cls(branch=Branch.CONFIGURATION, error=type(error).__name__, message=str(error))
            case TransientError() | MillraceError():
                return cls(branch=Branch.TRANSIENT, error=type(error).__name__, message=str(error))
            case _:
                return cls(branch=Branch.TRANSIENT, error=type(error).__name__, message=f"unexpected: {error}")

    @property
    def is_free(self) -> bool:
        """Whether it counts as no attempt: nothing was tried, or only somebody's help can change the result."""
        return self.branch is Branch.CONFIGURATION or self.error in _FREE

    @property
    def is_lost_race(self) -> bool:
        """Whether only another worker, or the end of the invocation, was in the way."""
        return self.error in _LOST_RACES


_FREE = frozenset({OutOfTime.__name__, WorkInFlight.__name__})
_LOST_RACES = _FREE | {LostRace.__name__, "NewerOutput"}
"""Errors by the names that the ledger keeps; ``NewerOutput`` is the lost race of `delivery.publishing`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One target object as it was published."""

    ref: ObjectRef
    etag: str
    size: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What others are told of settled work, beside what its entry says; see ``ledger.announcing``.

    ``run`` is the big run that the work was. ``has_written``: it has written its outputs, and not found them as they
    should be. ``error`` is that of a configuration, so that the same one is not told at every attempt. ``is_sent``: it
    has been told.
    """

    run: str | None = None
    has_written: bool = False
    error: str | None = None
    is_sent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkEntry(ABC):
    """What the ledger knows of work that is claimed and settled: on one object, on a build, or on a snapshot table.

    ``revision`` grows by one with every put. ``fence`` grows by one with every claim. ``outputs`` are those of the
    last finished work, also while new work is in flight; ``obsolete`` are places where an output may stand that is not
    among them: of earlier work, or of work that was killed after it published. They are deleted before work settles.
    ``run_id`` is the newest manual run that reached it; ``open_run`` is one that came to no end before other work took
    over, so that its message finds it begun, and not done. ``attempts`` counts attempts at the same thing; it is put
    before the work begins. ``deaths`` counts the workers that died over it: each left a lease to run out;
    ``dead_owners`` are the messages that the last of them had.
    ``deployment`` is the number of the newest deployment that worked on it. ``fingerprint`` is of the sync's whole
    configuration, ``shape`` of what shapes this very output; 0.1.0 wrote none. ``announcement`` is there only if
    somebody asked to be told: until it is sent, whoever reads the entry to claim it sends it first.
    """

    sync: str
    source: ObjectRef
    state: State
    revision: int
    fence: int
    fingerprint: str
    engine: str
    version: SourceVersion = UNKNOWN_VERSION
    lease_until: datetime | None = None
    owner: str | None = None
    attempts: int = 0
    deaths: int = 0
    dead_owners: tuple[str, ...] = ()
    deployment: int = 0
    outputs: tuple[Output, ...] = ()
    obsolete: tuple[Output, ...] = ()
    rows: RowCounts = NO_ROWS
    started: datetime | None = None
    finished: datetime | None = None
    failure: Failure | None = None
    run_id: str | None = None
    open_run: str | None = None
    shape: str | None = None
    announcement: Announcement | None = None

    @classmethod
    def unseen(cls, sync: str, source: ObjectRef, *, fingerprint: str, engine: str) -> Self:
        """What the first entry is made of; never put itself."""
        return cls(
            sync=sync,
            source=source,
            state=State.WAITING,
            revision=0,
            fence=0,
            fingerprint=fingerprint,
            engine=engine,
        )

    @property
    @abstractmethod
    def stored_sync(self) -> str:
        """The sync's name as the ledger and the lineage of outputs have it."""

    @property
    @abstractmethod
    def position(self) -> Position | None:
        """The place of what it was last claimed for, in its order."""

    @abstractmethod
    def at_position(self, position: Position | None) -> Self:
        """With a later position; None changes nothing."""

    def without_position(self) -> Self:
        """With no event to compare others with, so that any of them may ask for the work; as it is if files compete."""
        return self

    def is_in_big_run(self, now: datetime) -> bool:
        """Whether it waits for a big run; a snapshot table is claimed when the run of its file publishes."""
        del now
        return False

    @property
    def run_in_parts(self) -> str | None:
        """The name of the big run that it is, or was last; a snapshot table has none of its own."""
        return None

    @abstractmethod
    def as_begun(self, position: Position | None) -> Self:
        """With what the claim of work changes of it."""

    @abstractmethod
    def as_finished(self, finish: Finish) -> Self:
        """With what only this kind of entry says of finished work."""

    @property
    def milliseconds(self) -> int | None:
        """How long the last finished work took."""
        if self.started is None or self.finished is None:
            return None
        return round((self.finished - self.started).total_seconds() * 1000)

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do for what this entry was claimed for."""
        # A file that is no CSV will be none tomorrow: that is done. A grant that is missing, or S3 that is slow, will
        # pass.
        if self.state is State.FAILED:
            return self.failure is not None and self.failure.branch is Branch.DATA
        return self.state is not State.IN_FLIGHT

    @property
    def is_put_back(self) -> bool:
        """Whether a rebuild put it back by the outputs that it found, and no work was claimed since."""
        return self.state in DONE and self.started is None

    @property
    def is_untold(self) -> bool:
        """Whether somebody is to be told of it, and has not been."""
        return self.announcement is not None and not self.announcement.is_sent

    def output(self, target: ObjectRef) -> Output | None:
        """The published output at ``target``, if this entry has one."""
        return next((output for output in self.outputs if output.ref == target), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFacts:
    """What only the entries of a model's table say: those of its source files, and that of the build.

    ``built_etag`` is the version of a source file that the table was last made of; of a build, that of the record of
    its files. ``refused_etag`` is of a build that failed for what its files are: the digest of those files.
    """

    built_etag: str | None = None
    refused_etag: str | None = None


NO_BUILD = BuildFacts()
"""Of an object that is converted by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BigRunFacts:
    """The big run that works on an object, or did last.

    ``execution`` is the machine's name for the newest execution of it; ``home`` is the folder of what the run keeps, a
    key that ends in a slash, which the connection of the destination reaches.
    """

    name: str
    execution: str
    connection: str
    home: ObjectRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(WorkEntry):
    """What the ledger knows of one source object under one sync, or of a model folder's build.

    ``reason`` is a sentence for people. ``schema_version`` is that of the table's schema that the outputs were written
    with, ``schema_changes`` what the last work changed of it.
    """

    sequencer: Sequencer | None = None
    reason: str | None = None
    schema_version: int | None = None
    schema_changes: SchemaChanges | None = None
    build: BuildFacts = NO_BUILD
    big_run: BigRunFacts | None = None

    @property
    def stored_sync(self) -> str:
        """The sync's name alone."""
        return self.sync

    @property
    def position(self) -> Sequencer | None:
        """The newest event's."""
        return self.sequencer

    def at_position(self, position: Position | None) -> Self:
        """With a later event's sequencer; None changes nothing."""
        if position is None:
            return self
        return replace(self, sequencer=Sequencer(position.value))

    def without_position(self) -> Self:
        """With no event: what is read is the bucket's current version, whichever event asks."""
        return replace(self, sequencer=None)

    def as_begun(self, position: Position | None) -> Self:
        """With the event's sequencer, and nothing left of what was said about earlier work."""
        build = replace(self.build, refused_etag=None)
        begun = replace(self.at_position(position), reason=None, schema_changes=None, build=build)
        return replace(begun, big_run=None)

    def is_in_big_run(self, now: datetime) -> bool:
        """Whether it waits for a big run that began so lately that it may be trusted to end."""
        is_trusted = self.started is not None and self.started > now - LONGEST_BIG_RUN
        return self.state is State.WAITING and self.big_run is not None and is_trusted

    @property
    def run_in_parts(self) -> str | None:
        """The name of the big run that it is, or was last."""
        return self.big_run.name if self.big_run is not None else None

    def as_finished(self, finish: Finish) -> Self:
        """With the reason, and the schema of what was written."""
        # Outputs that stay as they are keep the schema that they were written with.
        version = self.schema_version if finish.outputs is None else finish.schema_version
        return replace(
            self,
            reason=finish.reason,
            schema_version=version,
            schema_changes=finish.schema_changes,
            build=replace(self.build, refused_etag=finish.refused_etag),
            # The run that it was done by: one that failed, or was stopped, may be resumed, and of one that came to its
            # end the time from start to end is not what a function took. The next claim forgets it.
            big_run=finish.big_run or self.big_run,
        )

    def as_built(self, etag: str | None) -> Self:
        """With the version of what the table was made of, or of the record of its files."""
        return replace(self, build=replace(self.build, built_etag=etag))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """What came of granted work. What is None or left out stays as the claim had it.

    ``keep_earlier``: outputs of earlier work are no concern of this entry any more, and stay. ``withdraws``: what
    failed work has published and never settled goes, as after work that is done. Texts are cut to what is kept.
    """

    state: State
    outputs: tuple[Output, ...] | None = None
    version: SourceVersion = UNKNOWN_VERSION
    rows: RowCounts = NO_ROWS
    failure: Failure | None = None
    reason: str | None = None
    fence: int | None = None
    keep_earlier: bool = False
    withdraws: bool = False
    schema_version: int | None = None
    schema_changes: SchemaChanges | None = None
    refused_etag: str | None = None
    big_run: BigRunFacts | None = None

    def __post_init__(self) -> None:
        if self.reason is not None:
            object.__setattr__(self, "reason", shorten_text(self.reason))

    def without_texts(self) -> Self:
        """The same, but no text that a person wrote or a file holds."""
        failure = self.failure and replace(self.failure, message="")
        return replace(self, reason=None, schema_changes=None, failure=failure)


LONGEST_WAIT = timedelta(days=9)
"""How long a message may come back. The managed queue deletes what is 10 days old without a word
(`infra.source_queue`), so such a message goes to the dead-letter queue, which keeps it for 14 days more."""
LONGEST_BIG_RUN = timedelta(hours=25)
"""An entry that waits longer for its big run is work for others: the machine ends an execution after 24 hours."""
STALE_MARK = timedelta(hours=1)
"""A mark that is older is no longer trusted: its message went to the dead letters, or was purged."""


def time_of(entry: WorkEntry) -> datetime | None:
    """When its work ended, or began where it has not ended yet."""
    return entry.finished or entry.started


def is_newer_run(run_id: str | None, than: str | None) -> bool:
    """Whether a run that somebody asked for is newer than the last one; ids are times, so they compare as text."""
    return run_id is not None and (than is None or run_id > than)


def holds_lease(lease_until: datetime | None, now: datetime) -> bool:
    """Whether a lease keeps others away."""
    return lease_until is not None and lease_until > now


def is_stuck(entry: WorkEntry, now: datetime) -> bool:
    """Whether a run's entry tells of a run that nobody does: its message is lost, and its files wait for it."""
    if entry.state is State.IN_FLIGHT:
        return not holds_lease(entry.lease_until, now)
    if entry.is_in_big_run(now):
        return False
    return (entry.state is State.WAITING or not entry.settled) and is_stale(entry, now)


def is_stale(entry: WorkEntry, now: datetime) -> bool:
    """Whether the mark of a waiting build is too old to be trusted."""
    return entry.started is None or entry.started < now - STALE_MARK


def has_no_message(entry: WorkEntry, now: datetime) -> bool:
    """Whether work failed that is to be tried again, so long ago that its message is gone or a dead letter."""
    if entry.state is not State.FAILED or entry.settled:
        return False
    return entry.finished is not None and entry.finished < now - LONGEST_WAIT


def is_at_work(entry: WorkEntry, now: datetime) -> bool:
    """Whether somebody works on an object, under a lease that holds or in a big run."""
    is_leased = entry.state is State.IN_FLIGHT and holds_lease(entry.lease_until, now)
    return is_leased or entry.is_in_big_run(now)
