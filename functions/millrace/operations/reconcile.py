"""What a bucket has and the ledger lacks, or the reverse: a merge of two sorted streams, in flat memory."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from millrace.config.layout import Folder
from millrace.errors import LostRace, MillraceError, UsageError
from millrace.ledger.entries import DONE, Entry, State, has_no_message, is_stale, is_stuck
from millrace.ledger.stores import WholeLedger
from millrace.mappings import leave_out_none
from millrace.objects.machine import RUN_LOST
from millrace.objects.messages import Request
from millrace.objects.queue import RequestQueue
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef
from millrace.objects.store import ObjectStore, Stores
from millrace.operations.checkpoints import Checkpoint, Checkpoints, Counts
from millrace.operations.comparison import (
    GRACE,
    Compared,
    Difference,
    Finding,
    Pair,
    as_difference,
    compare_planned,
    concerns,
    entries_below,
    join_by_key,
)
from millrace.operations.lost_outputs import OutputChecker
from millrace.operations.lost_runs import LostRuns
from millrace.operations.reprocess import STOP_SECONDS, never_ends, take_portion
from millrace.operations.run_events import RunTeller
from millrace.planning.model_syncs import digest_files, select_files
from millrace.planning.planner import ActiveSync, Planner
from millrace.planning.plans import Build, SourceFile
from millrace.wording import count_of, join_names

CALLS = 12
"""How often the function calls itself to go on; what is left then is for the next scheduled run.

Lambda ends a chain of calls of a function to itself after 16 (Lambda Developer Guide, "Recursive loop detection"). That
guard against a loop by mistake stays on, so the chain ends by itself before."""
PATIENCE = timedelta(days=1)
"""How long a full queue puts a comparison off."""
LOOK_AT_ONE_IN = 100
"""Of the objects that are as the ledger has them, the outputs of one in so many are looked at: a GetItem and a HEAD."""
_LATER_SECONDS = 60
"""What is asked for before the ledger says that it may be worked on comes when it does."""
_LEASE_MARGIN = timedelta(seconds=5)
"""So much longer than its invocation a lease is, for clocks that differ."""
_LONGEST_RUN_SECONDS = 900.0
"""Of an invocation of Lambda; a command has no end of its own."""


class ReconcileQueue(RequestQueue, Protocol):
    """A source connection's queue, and how much waits in it."""

    def waiting(self) -> int:
        """About how many messages wait to be received."""
        ...


class Progress(enum.StrEnum):
    """How a run ended."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    """Out of time; another run goes on behind the checkpoint."""
    BUSY = "busy"
    """Another run of this sync is at work."""
    PUT_OFF = "put off"
    """Too many messages wait already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run did: ``this_run`` counts it alone, ``total`` the whole comparison since its first key."""

    sync: str
    progress: Progress
    this_run: Counts = Counts()  # noqa: RUF009 - frozen
    total: Counts = Counts()  # noqa: RUF009 - frozen
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The answer of the function."""
        answer = {"sync": self.sync, "progress": str(self.progress), "reason": self.reason, **asdict(self.total)}
        return leave_out_none(answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What the function is called with; it may call itself ``calls_left`` times to go on."""

    sync: str
    calls_left: int = CALLS

    @classmethod
    def parse(cls, event: Mapping[str, Any]) -> Call:
        """Read an event; raise UsageError with everything that is wrong with it."""
        if problems := list(_find_problems(event)):
            raise UsageError("; ".join(problems) + f'. Expected {{"sync": "...", "calls_left": 0 to {CALLS}}}')
        return cls(sync=event["sync"], calls_left=event.get("calls_left", CALLS))

    def next(self) -> dict[str, Any]:
        """The event of the call that goes on."""
        return asdict(replace(self, calls_left=self.calls_left - 1))


def _find_problems(event: Mapping[str, Any]) -> Iterator[str]:
    if unknown := sorted(set(event) - {"sync", "calls_left"}):
        yield f"there is no field {join_names(unknown, before_last='or')}"
    if not isinstance(event.get("sync"), str) or not event["sync"]:
        yield f"sync is {event.get('sync')!r}; expected the name of a sync"
    left = event.get("calls_left", CALLS)
    # Not isinstance: JSON's true is an integer to Python.
    if type(left) is not int or not 0 <= left <= CALLS:
        yield f"calls_left is {left!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciler:
    """Compares a sync's source folder with the ledger, and puts what differs on the source connection's queue.

    ``portion`` is the number of keys between two checkpoints: a page of a listing. ``most_waiting`` is the number of
    messages in the queue above which no comparison is begun: it would find what they name, and ask again.
    """

    planner: Planner
    stores: Stores | Mapping[str, ObjectStore]
    index: WholeLedger
    queues: Mapping[str, ReconcileQueue]
    checkpoints: Checkpoints
    now: Callable[[], datetime]
    outputs: OutputChecker | None = None
    runs: LostRuns | None = None
    teller: RunTeller | None = None
    portion: int = 1000
    most_waiting: int = 1000

    def run(self, sync_name: str, remaining: Callable[[], float] = never_ends) -> Report:
        """Compare from where the last run stopped, until done or out of time.

        What was found is enqueued before the checkpoint says so: a run that is killed compares a portion twice, and
        the ledger refuses what was done meanwhile. Raises UsageError for a sync that is not there or not active.
        """
        sync = self.planner.active_sync(sync_name)
        checkpoint = self.checkpoints.get(sync.name)
        lease_until = checkpoint.lease_until if checkpoint is not None else None
        if lease_until is not None and lease_until > self.now():
            return _report_busy(sync.name, f"another run is at work, until {lease_until:%H:%M:%S} UTC at the longest")
        start = self._tell_last(_begin_at(checkpoint, sync.name, sync.folder))
        try:
            # Only at its beginning: a comparison that goes on may have filled the queue itself.
            if not start.after:
                start, put_off = self._look_at_queue(sync, start)
                if put_off is not None:
                    return put_off
                wants = self.teller is not None and self.teller.wants_runs(sync.name)
                start = replace(start, begun=self.now(), is_begin_untold=wants, has_backlog=False)
            with self._hold(start, remaining) as hold:
                return self._compare(sync, hold, remaining)
        except LostRace:
            return _report_busy(sync.name, "another run has begun")

    def _tell_last(self, checkpoint: Checkpoint) -> Checkpoint:
        """Tell of the last comparison, if that is left to do: who was killed before it, or found no bus, left it."""
        if self.teller is None:
            return checkpoint
        with suppress(MillraceError):
            if checkpoint.is_begin_untold:
                self.teller.tell_beginning(checkpoint)
                checkpoint = replace(checkpoint, is_begin_untold=False)
            if checkpoint.is_untold:
                self.teller.tell_comparison(checkpoint)
                checkpoint = replace(checkpoint, is_untold=False)
        return checkpoint

    def _look_at_queue(self, sync: ActiveSync, start: Checkpoint) -> tuple[Checkpoint, Report | None]:
        """Where to begin, and the answer of a run that is put off; None: it may begin.

        A queue that is never empty puts a comparison off for a day, not for ever. It then asks only for what is older
        than the day: for that a message would have come, or is lost. So a queue that is full is not filled again with
        what waits in it.
        """
        waiting = self.queues[sync.source_connection].waiting()
        if waiting <= self.most_waiting:
            return replace(start, put_off_since=None), None
        if start.put_off_since is None:
            start = replace(start, revision=start.revision + 1, put_off_since=self.now())
            self.checkpoints.put(start)
        elif self.now() - start.put_off_since >= PATIENCE:
            return start, None
        backlog = f"the queue of {sync.source_connection!r} holds about {count_of(waiting, 'message')}"
        reason = f"{backlog}, and is emptied first"
        return start, Report(sync=sync.name, progress=Progress.PUT_OFF, reason=reason)

    @contextmanager
    def _hold(self, start: Checkpoint, remaining: Callable[[], float]) -> Iterator[_Hold]:
        """Keep other runs of the sync away; what goes wrong gives it back, so that the next try can begin."""
        hold = _Hold(self.checkpoints, start)
        span = timedelta(seconds=min(remaining(), _LONGEST_RUN_SECONDS))
        hold.move(lease_until=self.now() + span + _LEASE_MARGIN)
        try:
            yield hold
        except LostRace:
            raise
        except Exception:
            with suppress(MillraceError):
                hold.move(lease_until=None)
            raise

    def _compare(self, sync: ActiveSync, hold: _Hold, remaining: Callable[[], float]) -> Report:
        this_run = Counts()
        # The ledger says by now that it has begun; the next portion's checkpoint, that this is told.
        hold.checkpoint = self._tell_last(hold.checkpoint)
        backlog = _Backlog(is_there=hold.checkpoint.has_backlog)
        compared = self._compare_keys(sync, hold.checkpoint, backlog)
        while portion := take_portion(compared, self.portion, remaining):
            # An output that is gone may have been deleted on purpose: it is told, and asked for by people alone.
            requests = [
                Request(change=difference.change, sync=sync.name)
                for _, difference in portion
                if difference is not None and difference.finding is not Finding.VANISHED
            ]
            self.queues[sync.source_connection].send(requests)
            counts = Counts.of(portion, overdue=self._overdue(sync))
            this_run += counts
            total = hold.checkpoint.counts + counts
            # Keys that are equal to the ledger count, too: a portion without any difference still moves the checkpoint.
            last_key = portion[-1][0]
            backlog.is_there |= bool(requests)
            if remaining() < STOP_SECONDS:
                hold.move(after=last_key, counts=total, lease_until=None, has_backlog=backlog.is_there)
                return Report(sync=sync.name, progress=Progress.PARTIAL, this_run=this_run, total=total)
            hold.move(after=last_key, counts=total, has_backlog=backlog.is_there)
        total = hold.checkpoint.counts
        self._end(sync, hold, backlog)
        return Report(sync=sync.name, progress=Progress.COMPLETE, this_run=this_run, total=total)

    def _end(self, sync: ActiveSync, hold: _Hold, backlog: _Backlog) -> None:
        """Write down that a comparison is done, and tell it then."""
        total = hold.checkpoint.counts
        is_untold = self.teller is not None and self.teller.wants_comparison(sync.name, total)
        end = {"put_off_since": None, "completed": self.now(), "last": total, "is_untold": is_untold}
        if self.teller is not None and self.teller.wants_runs(sync.name):
            backlog.is_there |= self.queues[sync.source_connection].waiting() > 0
            end |= backlog.to_edge(hold.checkpoint)
        hold.move(after="", counts=Counts(), lease_until=None, **end)
        if is_untold:
            # Not under the lease: another comparison may have begun since, and have told it, too.
            with suppress(LostRace):
                told = self._tell_last(hold.checkpoint)
                hold.move(is_untold=told.is_untold, is_begin_untold=told.is_begin_untold)

    def _overdue(self, sync: ActiveSync) -> datetime | None:
        """News of what is older is late. None without notifications: the listing itself is the news."""
        source = self.planner.document.connection(sync.source_connection)
        if source.notifications is None:
            return None
        return self.now() - GRACE

    def _compare_keys(self, sync: ActiveSync, checkpoint: Checkpoint, backlog: _Backlog) -> Iterator[Compared]:
        folder, after = sync.folder, checkpoint.after
        # Both streams begin behind the same key, and come in the order of UTF-8 bytes: S3 lists so, and the index sorts
        # so.
        listed = self.stores[sync.source_connection].list(folder.bucket, folder.prefix, start_after=after)
        entries = entries_below(self.index.of_sync(sync.name, after=after), folder)
        # Which of the keys are looked at moves on with the clock, so that in time every output has been.
        begin = int(self.now().timestamp() // 60)
        ended = _EndedBuilds(self.index, sync.name, self.now())
        for number, pair in enumerate(join_by_key(listed, entries), begin):
            backlog.is_there |= pair.entry is not None and pair.entry.state in _OPEN
            difference = compare_planned(self.planner, sync.name, pair, self.now())
            difference = difference or self._find_left_out(sync, pair, ended) or self._find_given_up(sync, pair)
            if difference is not None:
                yield pair.key, self._keep_wanted(sync, difference, checkpoint)
            else:
                yield pair.key, self._look_at_outputs(pair) if number % LOOK_AT_ONE_IN == 0 else None

    def _find_left_out(self, sync: ActiveSync, pair: Pair, ended: _EndedBuilds) -> Difference | None:
        """A file that waits although its model's table was made since, and without it.

        For example: ``a.csv`` was deleted when the build listed its folder, and is undeleted, and the events of both
        are lost. Its bytes are those that it waits with, so no ETag differs.
        """
        listed, entry = pair.listed, pair.entry
        if listed is None or entry is None or entry.state is not State.WAITING or not listed.is_readable:
            return None
        folders = self._find_folders(sync, pair.ref)
        return as_difference(listed, Finding.CHANGED, entry) if any(map(ended.has, folders)) else None

    def _find_given_up(self, sync: ActiveSync, pair: Pair) -> Difference | None:
        """What failed for a while, so long ago that no message brings it back.

        For example: a ledger was restored from a copy of yesterday, in which an object waited for its next try. It was
        converted since, and its message is gone.
        """
        listed, entry = pair.listed, pair.entry
        if listed is None or entry is None or entry.state is not State.FAILED or not listed.is_readable:
            return None
        # The index does not say why something failed, or when.
        whole = self.index.get(sync.name, pair.ref)
        if whole is None or not has_no_message(whole, self.now()):
            return None
        return as_difference(listed, Finding.CHANGED, whole)

    def _find_folders(self, sync: ActiveSync, ref: ObjectRef) -> Iterator[ObjectRef]:
        """The folders of the models that a file is part of."""
        for plan in self.planner.plan(ref, only=sync.name):
            if isinstance(plan, SourceFile):
                yield plan.build.folder

    def _look_at_outputs(self, pair: Pair) -> Difference | None:
        """What an object whose output is lost differs in; trouble with the destination is not the comparison's."""
        # What waits, failed or is in flight may lack outputs, and has a message of its own.
        if self.outputs is None or pair.entry is None or pair.entry.state not in DONE:
            return None
        try:
            lost = self.outputs.find_lost(pair.entry)
        except MillraceError:
            return None
        change = ObjectChange(kind=ChangeKind.CREATED, ref=pair.ref)
        return Difference(Finding.VANISHED, change, entry=pair.entry) if lost else None

    def _keep_wanted(self, sync: ActiveSync, difference: Difference, checkpoint: Checkpoint) -> Difference | None:
        """What is to be asked for. A run's entry, which stands under its folder, asks for the run where it is stuck."""
        since = checkpoint.put_off_since
        if since is not None and difference.modified is not None and difference.modified > since:
            # It came while the comparison waited for a full queue: its own event waits there, and is not lost yet.
            return None
        if self._is_in_run(sync, difference):
            return None
        if concerns(self.planner, sync.name, difference.change.ref):
            return difference
        return self._find_stuck_build(sync, difference.change.ref)

    def _is_in_run(self, sync: ActiveSync, difference: Difference) -> bool:
        """Whether a big run is at work on just this: what was written since, or is gone, takes it from the run."""
        entry, change = difference.entry, difference.change
        if self.runs is None or entry is None or entry.state is not State.WAITING:
            return False
        is_another = change.etag != entry.version.etag  # of what is gone there is none
        # A build's folder is no object. The ETag of its entry is a digest of its files, which no listing has.
        is_folder = not concerns(self.planner, sync.name, change.ref)
        if is_another and not is_folder:
            return False
        request = Request(change=change, sync=sync.name)
        ask = partial(self.queues[sync.source_connection].send, [request], delay_seconds=_LATER_SECONDS)
        return self.runs.is_at_work(sync.name, change.ref, ask)

    def _find_stuck_build(self, sync: ActiveSync, folder: ObjectRef) -> Difference | None:
        """A build that is to be asked for again, if there is one of the folder."""
        build = self.planner.find_work(folder, sync.name)
        if not isinstance(build, Build):
            return None
        # The index does not say since when a build waits, or why it failed.
        entry = self.index.get(sync.name, folder)
        if entry is None or not self._is_worth_asking(build, entry):
            return None
        return Difference(Finding.CHANGED, ObjectChange(kind=ChangeKind.CREATED, ref=folder), entry=entry)

    def _is_worth_asking(self, build: Build, entry: Entry) -> bool:
        """Whether nobody does a build, or it failed for files that are others by now."""
        if entry.failure is not None and entry.failure.error == RUN_LOST:
            return True
        if entry.build.refused_etag is None or not entry.settled:
            return is_stuck(entry, self.now())
        listed = self.stores[build.source_connection].list(build.folder.bucket, build.prefix)
        return digest_files(build, select_files(build, listed)) != entry.build.refused_etag


_OPEN = frozenset({State.IN_FLIGHT, State.WAITING})
"""The states of work that is not done."""


@dataclass(slots=True)
class _Backlog:
    """Whether a comparison has met work that is not done: asked for by itself, waiting, or in flight."""

    is_there: bool

    def to_edge(self, checkpoint: Checkpoint) -> dict[str, datetime | None]:
        """Since when the sync is behind; and since when it was, if this comparison is the first to find all done.

        For example: begun at 12:00 with a backlog, at 12:15 with one, at 12:30 and 12:45 without:

            behind_since     12:00  12:00  None   None
            caught_up_since  None   None   12:00  None
        """
        if self.is_there:
            return {"behind_since": checkpoint.behind_since or checkpoint.begun, "caught_up_since": None}
        untold = checkpoint.caught_up_since if checkpoint.is_untold else None
        return {"behind_since": None, "caught_up_since": checkpoint.behind_since or untold}


@dataclass(frozen=True, slots=True)
class _EndedBuilds:
    """Which builds are done, so long ago that they write no files down any more.

    Each is looked at once in a comparison: a hundred thousand files may wait for it.
    """

    index: WholeLedger
    sync: str
    now: datetime
    known: dict[ObjectRef, bool] = field(default_factory=dict)

    def has(self, folder: ObjectRef) -> bool:
        """Whether the build of that folder is one of them."""
        if folder not in self.known:
            entry = self.index.get(self.sync, folder)
            self.known[folder] = entry is not None and entry.state in DONE and is_stale(entry, self.now)
        return self.known[folder]


@dataclass(slots=True)
class _Hold:
    """A checkpoint that this run alone moves, and where it stands."""

    checkpoints: Checkpoints
    checkpoint: Checkpoint

    def move(self, **changes: Any) -> None:
        moved = replace(self.checkpoint, revision=self.checkpoint.revision + 1, **changes)
        self.checkpoints.put(moved)
        self.checkpoint = moved


def _begin_at(checkpoint: Checkpoint | None, sync: str, folder: Folder) -> Checkpoint:
    """Where to begin: behind the checkpoint, or at the first key."""
    if checkpoint is None:
        return Checkpoint(sync=sync, folder=str(folder))
    if checkpoint.folder != str(folder):
        return Checkpoint(sync=sync, folder=str(folder), revision=checkpoint.revision)
    return checkpoint


def _report_busy(sync: str, reason: str) -> Report:
    return Report(sync=sync, progress=Progress.BUSY, reason=reason)
