"""One object's way: claim, read, convert, publish, settle. All effects are behind ports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from millrace.conversion import Converted, convert
from millrace.errors import (
    LostRace,
    ObjectArchived,
    ObjectChanged,
    ObjectGone,
    OutOfTime,
    TooBig,
)
from millrace.events import Request
from millrace.file_format import FileFormat, WriteOptions
from millrace.ledger import (
    Bid,
    Branch,
    Entry,
    Failure,
    Finish,
    LedgerStore,
    Refusal,
    RefusalKind,
    State,
    claim,
    settle,
    swept,
)
from millrace.lineage import Lineage
from millrace.object_store import ObjectHead, ObjectStore, OpenedObject, Upload
from millrace.objects import ChangeKind, ObjectChange, ObjectRef
from millrace.plan import Ignored, Plan, Planner
from millrace.publish import NewerOutput, publish
from millrace.snapshot import after, order, table_sync

LEASE_MARGIN = timedelta(seconds=60)
"""How long a lease outlives the invocation that took it: nobody takes over while the owner can still write."""
STOP_SECONDS = 15.0
"""What is left of an invocation when a conversion is given up, to abort the upload and to settle."""
_FULL_RUN = 0.8
_CLAIM_TRIES = 3
_FIRST_BACKOFF_SECONDS = 30
_LONGEST_BACKOFF_SECONDS = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One receipt of one message; ``remaining`` tells the seconds left to this invocation."""

    message_id: str
    remaining: Callable[[], float]
    receives: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one object under one sync; ``result`` is a state or the kind of a refusal.

    ``retry_after`` (seconds) is set where the message must not be acknowledged but come back.
    """

    result: str
    source: ObjectRef
    sync: str | None = None
    entry: Entry | None = None
    reason: str | None = None
    retry_after: int | None = None

    @property
    def acknowledge(self) -> bool:
        """Whether the message may be deleted as far as this object goes."""
        return self.retry_after is None


class Stores(Protocol):
    """The object store of each connection."""

    def __getitem__(self, connection: str, /) -> ObjectStore:
        """The store of the connection of that name."""
        ...


@dataclass(frozen=True, slots=True)
class _Job:
    """Granted work: what is to be done, who asked, the claim it is done under (the object's or its table's)."""

    plan: Plan
    request: Request
    claimed: Entry
    delivery: Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Does what requests ask for. ``timeout_seconds`` is a whole invocation's time."""

    planner: Planner
    ledger: LedgerStore
    stores: Stores | Mapping[str, ObjectStore]
    now: Callable[[], datetime]
    engine: str
    timeout_seconds: float
    obfuscation_key: Callable[[], bytes | None] = lambda: None

    def work(self, request: Request, delivery: Delivery) -> Iterator[Outcome]:
        """Work on a request for every sync that wants its object; one sync's trouble never stops another's work."""
        plans = self.planner.plan(request.change.ref, only=request.sync)
        if not plans:
            yield Outcome(result=State.IGNORED, source=request.change.ref, reason="no active sync reads this object")
        for plan in plans:
            try:
                yield self._work(plan, request, delivery)
            except Exception as error:  # noqa: BLE001 - whatever it is, the message is kept and the reason is told
                yield self._unsettled(plan.sync, request, delivery, error)

    def _work(self, plan: Plan | Ignored, request: Request, delivery: Delivery) -> Outcome:
        change = request.change
        if isinstance(plan, Plan) and change.kind is ChangeKind.REMOVED and self._exists(plan):
            reason = "a late delete event: the object exists"
            return Outcome(result=State.SUPERSEDED, source=change.ref, sync=plan.sync, reason=reason)
        decision = self._claim(self._bid(plan, plan.sync, change, request, delivery))
        if isinstance(decision, Refusal):
            return self._refused(decision)
        finish = self._finish(plan, request, decision, delivery)
        settled = settle(decision, finish, self.now())
        self.ledger.put(settled)
        if isinstance(plan, Plan):
            settled = self._sweep(plan, settled)
        return self._outcome(settled, delivery)

    def _exists(self, plan: Plan) -> bool:
        return self.stores[plan.source_connection].head(plan.source) is not None

    def _bid(self, plan: Plan | Ignored, sync: str, change: ObjectChange, request: Request, delivery: Delivery) -> Bid:
        now = self.now()
        return Bid(
            sync=sync,
            change=change,
            message_id=delivery.message_id,
            fingerprint=plan.fingerprint,
            engine=self.engine,
            now=now,
            lease_until=now + timedelta(seconds=delivery.remaining()) + LEASE_MARGIN,
            run_id=request.run_id,
        )

    def _claim(self, bid: Bid) -> Entry | Refusal:
        for _ in range(_CLAIM_TRIES):
            decision = claim(self.ledger.get(bid.sync, bid.change.ref), bid)
            if isinstance(decision, Refusal):
                return decision
            try:
                self.ledger.put(decision)
            except LostRace:
                continue
            return decision
        raise LostRace(f"{bid.change.ref} under sync {bid.sync!r}: others claimed it {_CLAIM_TRIES} times in a row")

    def _refused(self, refusal: Refusal) -> Outcome:
        entry, seconds = refusal.entry, None
        if refusal.retry_at is not None:
            seconds = max(1, round((refusal.retry_at - self.now()).total_seconds()))
        return Outcome(result=refusal.kind, source=entry.source, sync=entry.sync, entry=entry, retry_after=seconds)

    def _finish(self, plan: Plan | Ignored, request: Request, claimed: Entry, delivery: Delivery) -> Finish:
        if isinstance(plan, Ignored):
            return Finish(state=State.IGNORED, reason=plan.reason)
        job = _Job(plan, request, claimed, delivery)
        try:
            return self._remove(job) if request.change.kind is ChangeKind.REMOVED else self._convert(job)
        except ObjectGone:
            return self._remove(job)
        except ObjectArchived as archived:
            return Finish(state=State.WAITING, reason=str(archived))
        except NewerOutput as newer:
            return self._behind(newer, claimed)
        except Exception as error:  # noqa: BLE001 - settled as failed; what is not ours counts as transient and is kept
            return Finish(state=State.FAILED, failure=Failure.of(error))

    def _remove(self, job: _Job) -> Finish:
        if job.plan.table is not None:
            return self._remove_from_table(job, job.plan.table)
        if not job.claimed.outputs:
            return Finish(state=State.REMOVED, reason="the source object was deleted before it was converted")
        if not job.plan.remove_outputs:
            return Finish(state=State.REMOVED, reason="the source object was deleted; its output is kept")
        self._delete(job)
        return Finish(state=State.REMOVED, outputs=(), reason="the source object and its output were deleted")

    def _delete(self, job: _Job) -> None:
        for output in job.claimed.outputs:
            self.stores[job.plan.target_connection].delete(output.ref)

    def _remove_from_table(self, job: _Job, table: ObjectRef) -> Finish:
        """Only the deletion of the file that a table is made of can concern the table."""
        entry = self.ledger.get(table_sync(job.plan.sync), table)
        if entry is None or entry.sequencer is None or entry.reason != str(job.plan.source):
            return Finish(state=State.REMOVED, outputs=(), reason="the object was deleted; its table is another's")
        if not job.plan.remove_outputs:
            return Finish(state=State.REMOVED, outputs=(), reason="the object was deleted; its table is kept")
        change = ObjectChange(kind=ChangeKind.REMOVED, ref=table, sequencer=after(entry.sequencer))
        claimed = self._claim_table(job, change)
        if isinstance(claimed, Refusal):
            return Finish(state=State.REMOVED, outputs=(), reason="the object was deleted; its table was removed")
        self._delete(replace(job, claimed=claimed))
        self.ledger.put(settle(claimed, Finish(state=State.REMOVED, outputs=()), self.now()))
        return Finish(state=State.REMOVED, outputs=(), reason="the object and the table it was were deleted")

    def _behind(self, newer: NewerOutput, claimed: Entry) -> Finish:
        """The output has a higher fence than the ledger: the ledger lost entries, or a newer event was first."""
        theirs, ours = newer.lineage.sequencer, claimed.sequencer
        if theirs is not None and ours is not None and theirs > ours:
            return Finish(state=State.SUPERSEDED, reason=str(newer), fence=newer.lineage.fence)
        return Finish(state=State.FAILED, failure=Failure.of(newer), fence=newer.lineage.fence)

    def _convert(self, job: _Job) -> Finish:
        if job.plan.problem is not None:
            raise job.plan.problem
        try:
            return self._attempt(job)
        except ObjectChanged:
            return self._attempt(job)

    def _attempt(self, job: _Job) -> Finish:
        plan = job.plan
        tail_first = plan.recipe.source_format is FileFormat.PARQUET
        with self.stores[plan.source_connection].open(plan.source, tail_first=tail_first) as opened:
            if _is_own_output(opened.head, plan.sync):
                reason = "the object is an output of this very sync"
                return Finish(state=State.IGNORED, etag=opened.head.etag, reason=reason)
            if plan.table is not None:
                return self._replace_table(job, plan.table, opened)
            return self._write(job, opened)

    def _replace_table(self, job: _Job, table: ObjectRef, opened: OpenedObject) -> Finish:
        """Write a snapshot table of its newest file, under a claim on the table."""
        sequencer = order(opened.head.modified, job.plan.source)
        claimed = self._claim_table(job, ObjectChange(kind=ChangeKind.CREATED, ref=table, sequencer=sequencer))
        if isinstance(claimed, Refusal):
            return _not_the_newest(claimed, opened.head)
        try:
            finish = self._write(replace(job, claimed=claimed), opened)
        except NewerOutput as newer:
            self._settle_table(job, claimed, self._behind(newer, claimed))
            raise
        except Exception as error:
            self._settle_table(job, claimed, Finish(state=State.FAILED, failure=Failure.of(error)))
            raise
        self._settle_table(job, claimed, finish)
        return replace(finish, outputs=(), reason=f"table {table} is made of this file")

    def _claim_table(self, job: _Job, change: ObjectChange) -> Entry | Refusal:
        decision = self._claim(self._bid(job.plan, table_sync(job.plan.sync), change, job.request, job.delivery))
        if isinstance(decision, Refusal) and not decision.acknowledge:
            raise LostRace(f"table {change.ref} is being written from another of its files; tried again later")
        if isinstance(decision, Refusal) and decision.kind is RefusalKind.DUPLICATE:
            raise LostRace(f"table {change.ref} is being written from this very file; tried again later")
        return decision

    def _settle_table(self, job: _Job, claimed: Entry, finish: Finish) -> None:
        settled = settle(claimed, replace(finish, reason=str(job.plan.source)), self.now())
        self.ledger.put(settled)
        self._sweep(job.plan, settled)

    def _write(self, job: _Job, opened: OpenedObject) -> Finish:
        plan, lineage = job.plan, _lineage(job, opened.head)
        recipe = replace(plan.recipe, write=WriteOptions(lineage=lineage.inside_file()))
        store, metadata = self.stores[plan.target_connection], lineage.to_metadata()
        quarantine, modified = plan.quarantine, opened.head.modified
        done = convert(
            opened.stream,
            recipe,
            open_output=lambda directory: store.upload(plan.output(directory, modified), metadata),
            open_quarantine=(lambda: store.upload(quarantine, metadata)) if quarantine else None,
            on_batch=_time_limit(plan, job.delivery, self.timeout_seconds),
            now=self.now(),
            key=self.obfuscation_key() if recipe.transform.needs_key else None,
        )
        return _published(job, opened.head, done, store)

    def _sweep(self, plan: Plan, settled: Entry) -> Entry:
        """Delete by name what the entry's earlier work wrote and its newest did not."""
        if not settled.obsolete or settled.state is State.FAILED:
            return settled
        store = self.stores[plan.target_connection]
        for output in settled.obsolete:
            there = store.head(output.ref)
            lineage = Lineage.from_metadata(there.metadata) if there else None
            if lineage is not None and lineage.is_of(settled.sync, settled.source):
                store.delete(output.ref)
        cleared = swept(settled)
        self.ledger.put(cleared)
        return cleared

    def _outcome(self, settled: Entry, delivery: Delivery) -> Outcome:
        failure = settled.failure
        back = failure is not None and failure.branch is not Branch.DATA
        return Outcome(
            result=settled.state,
            source=settled.source,
            sync=settled.sync,
            entry=settled,
            reason=failure.message if failure else settled.reason,
            retry_after=backoff(delivery.receives) if back else None,
        )

    def _unsettled(self, sync: str, request: Request, delivery: Delivery, error: Exception) -> Outcome:
        failure = Failure.of(error)
        return Outcome(
            result=State.FAILED,
            source=request.change.ref,
            sync=sync,
            reason=f"{failure.error}: {failure.message}",
            retry_after=backoff(delivery.receives),
        )


def backoff(receives: int) -> int:
    """Seconds until a message that failed is seen again: 30, 60, 120, ... up to 15 minutes."""
    return int(min(_LONGEST_BACKOFF_SECONDS, _FIRST_BACKOFF_SECONDS * 2.0 ** max(0, receives - 1)))


def _is_own_output(head: ObjectHead, sync: str) -> bool:
    lineage = Lineage.from_metadata(head.metadata)
    return lineage is not None and lineage.sync in {sync, table_sync(sync)}


def _not_the_newest(refusal: Refusal, head: ObjectHead) -> Finish:
    """The table is made of a newer file already, or of this very one."""
    entry = refusal.entry
    if refusal.kind is RefusalKind.SUPERSEDED:
        return Finish(
            state=State.SUPERSEDED, outputs=(), etag=head.etag, reason=f"the table's newest file is {entry.reason}"
        )
    return Finish(
        state=entry.state,
        outputs=(),
        etag=head.etag,
        rows_read=entry.rows_read,
        rows_written=entry.rows_written,
        rows_quarantined=entry.rows_quarantined,
        rows_filtered=entry.rows_filtered,
        failure=entry.failure,
        reason=f"table {entry.source} is made of this file",
    )


def _lineage(job: _Job, head: ObjectHead) -> Lineage:
    claimed = job.claimed
    return Lineage.of(
        sync=claimed.sync,
        source=job.plan.source,
        owner=job.plan.table,
        etag=head.etag,
        version_id=head.version_id,
        sequencer=claimed.sequencer,
        fence=claimed.fence,
        fingerprint=job.plan.fingerprint,
        engine=claimed.engine,
    )


def _time_limit(plan: Plan, delivery: Delivery, timeout_seconds: float) -> Callable[[int], None]:
    """A check that stops a conversion before its invocation ends; what had nearly all the time there is, is too big."""
    had = delivery.remaining()

    def check(rows: int) -> None:
        if delivery.remaining() > min(STOP_SECONDS, timeout_seconds / 4):
            return
        told = f"{plan.source} was read up to row {rows:,} when the time of the invocation ran out"
        if had < timeout_seconds * _FULL_RUN:
            raise OutOfTime(f"{told}; it starts again with more time")
        raise TooBig(
            f"{told} after {had:.0f} s: it is more than one invocation can do. Give the function more memory (it gets "
            "processors in proportion), or split the object, then reprocess it"
        )

    return check


def _published(job: _Job, head: ObjectHead, done: Converted[Upload], store: ObjectStore) -> Finish:
    rows, plan, claimed = done.rows, job.plan, job.claimed
    try:
        aside = []
        if done.quarantine is not None and plan.quarantine is not None:
            aside.append(publish(done.quarantine, plan.quarantine, claimed, store, rows=rows.quarantined))
        outputs = [
            publish(part.sink, plan.output(part.directory, head.modified), claimed, store, rows=part.rows)
            for part in done.parts
        ]
    except BaseException:
        done.discard()
        raise
    return Finish(
        state=State.QUARANTINED if rows.quarantined else State.CONVERTED,
        outputs=(*outputs, *aside),
        etag=head.etag,
        version_id=head.version_id,
        size=head.size,
        rows_read=rows.read,
        rows_written=rows.written,
        rows_quarantined=rows.quarantined,
        rows_filtered=rows.filtered,
    )
