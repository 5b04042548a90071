"""Granted work on one object: read it, write its output or its table's, or remove them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from millrace.delivery.deadline import time_limit
from millrace.delivery.publishing import NewerOutput, finish_after_newer_output, published
from millrace.delivery.snapshot_table import finish_not_the_newest, is_news_of_the_same_second, may_be_of
from millrace.delivery.table_conversion import InTable, convert_in_table
from millrace.delivery.table_format import hold_format
from millrace.engine.formats.streams.archive import Archive, open_archive
from millrace.engine.many_files import Source, convert_many
from millrace.engine.one_file import ConversionContext, Converted, Recipe, convert, convert_into_table
from millrace.engine.options import FileFormat
from millrace.engine.outputs import Destination
from millrace.errors import LostRace, ObjectArchived, ObjectChanged, ObjectGone
from millrace.ledger.claims import Claims, Delivery
from millrace.ledger.entries import DONE, Entry, Failure, State
from millrace.ledger.rules import Finish, Refusal
from millrace.ledger.table_entries import after, next_in_same_second, order, table_sync
from millrace.objects.lineage import Lineage
from millrace.objects.messages import Request
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef, Sequencer
from millrace.objects.store import ObjectHead, ObjectStore, OpenedObject, Stores, Upload
from millrace.planning.plans import Plan, with_extensions


@dataclass(slots=True)
class _Job:
    """Granted work: what is to be done, who asked, the claim it is done under (the object's or its table's).

    ``claimed`` is the claim as it was last put; ``order`` is where the work stands among its table's.
    """

    plan: Plan
    request: Request
    claimed: Entry
    delivery: Delivery
    order: Sequencer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectWork:
    """Does what was granted. ``timeout_seconds`` is a whole invocation's time."""

    claims: Claims
    stores: Stores | Mapping[str, ObjectStore]
    timeout_seconds: float
    obfuscation_key: Callable[[], bytes | None] = lambda: None

    def work(self, plan: Plan, request: Request, claimed: Entry, delivery: Delivery) -> Entry:
        """Do the work and settle it; what goes wrong is what came of it. Raises LostRace where the claim is lost."""
        job = _Job(plan, request, claimed, delivery)
        finish = self._finish(job)
        return self.claims.settle(job.claimed, finish, self.stores[plan.target_connection])

    def _finish(self, job: _Job) -> Finish:
        removed = job.request.change.kind is ChangeKind.REMOVED
        try:
            # Asked again under the claim: the object may have come back since the event was looked at.
            return self._remove(job) if removed and not self.exists(job.plan) else self._convert(job)
        except ObjectGone:
            return self._remove(job)
        except ObjectArchived as archived:
            return Finish(state=State.WAITING, reason=str(archived))
        except NewerOutput as newer:
            return finish_after_newer_output(newer, job.claimed)
        except Exception as error:  # noqa: BLE001 - settled as failed; what is not ours counts as transient and is kept
            return Finish(state=State.FAILED, failure=Failure.of(error))

    def exists(self, plan: Plan) -> bool:
        """Whether the source object is there: a late delete event is no reason to remove anything."""
        return self.stores[plan.source_connection].head(plan.source) is not None

    def _remove(self, job: _Job) -> Finish:
        if job.plan.table is not None:
            return self._remove_from_table(job, job.plan.table)
        if not job.claimed.outputs:
            return Finish(state=State.REMOVED, reason="the source object was deleted before it was converted")
        if not job.plan.remove_outputs:
            return Finish(state=State.REMOVED, reason="the source object was deleted; its output is kept")
        return Finish(state=State.REMOVED, outputs=(), reason="the source object and its output were deleted")

    def _remove_from_table(self, job: _Job, table: ObjectRef) -> Finish:
        """Only the deletion of the file that a table is made of can concern the table."""
        entry = self.claims.ledger.get(table_sync(job.plan.sync), table)
        if entry is None or not may_be_of(entry, job.plan.source):
            return Finish(state=State.REMOVED, outputs=(), reason="the object was deleted; its table is another's")
        if not job.plan.remove_outputs:
            return Finish(state=State.REMOVED, outputs=(), reason="the object was deleted; its table is kept")
        if entry.state is State.REMOVED:
            return Finish(state=State.REMOVED, outputs=(), reason="the object was deleted; its table was removed")
        change = ObjectChange(kind=ChangeKind.REMOVED, ref=table, sequencer=entry.sequencer and after(entry.sequencer))
        claimed = self._claim_table(job, change)
        if isinstance(claimed, Refusal):
            return Finish(state=State.REMOVED, outputs=(), reason="the object was deleted; its table was removed")
        self._settle_table(
            replace(job, claimed=claimed, order=change.sequencer), Finish(state=State.REMOVED, outputs=())
        )
        return Finish(state=State.REMOVED, outputs=(), reason="the object and the table it was were deleted")

    def _convert(self, job: _Job) -> Finish:
        if job.plan.problem is not None:
            raise job.plan.problem
        if job.plan.format_table is not None:
            hold_format(job.plan, job.plan.format_table, job.request, self.claims.ledger, self.claims.now())
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
        if isinstance(claimed, Refusal) and is_news_of_the_same_second(claimed.entry, sequencer, opened.head):
            sequencer = next_in_same_second(claimed.entry.sequencer or sequencer)
            claimed = self._claim_table(job, ObjectChange(kind=ChangeKind.CREATED, ref=table, sequencer=sequencer))
        if isinstance(claimed, Refusal):
            return finish_not_the_newest(claimed, opened.head)
        inner = replace(job, claimed=claimed, order=sequencer)
        try:
            finish = self._write(inner, opened)
        except NewerOutput as newer:
            self._settle_table(inner, finish_after_newer_output(newer, replace(claimed, sequencer=sequencer)))
            raise
        except Exception as error:
            self._settle_table(inner, Finish(state=State.FAILED, failure=Failure.of(error)))
            raise
        self._settle_table(inner, finish)
        return replace(finish, outputs=(), reason=f"table {table} is made of this file")

    def _claim_table(self, job: _Job, change: ObjectChange) -> Entry | Refusal:
        sync = table_sync(job.plan.sync)
        decision = self.claims.claim(sync, change, job.plan.fingerprint, job.request, job.delivery, provisional=True)
        if isinstance(decision, Refusal) and not decision.acknowledge:
            raise LostRace(f"table {change.ref} is being written from one of its files; tried again later")
        return decision

    def _settle_table(self, job: _Job, finish: Finish) -> None:
        made = finish.state in DONE or finish.state is State.REMOVED
        finish = replace(finish, reason=str(job.plan.source), sequencer=job.order if made else None)
        settled = self.claims.settle(job.claimed, finish, self.stores[job.plan.target_connection])
        if settled.failure is not None and finish.failure is None:
            raise LostRace(f"table {job.plan.table}: {settled.failure.message}; tried again later")

    def _write(self, job: _Job, opened: OpenedObject) -> Finish:
        plan, lineage = job.plan, _lineage(job, opened.head)
        recipe = replace(plan.recipe, write=replace(plan.recipe.write, lineage=lineage.inside_file()))
        store, metadata = self.stores[plan.target_connection], lineage.to_metadata()
        quarantine, modified = plan.quarantine, opened.head.modified
        destination = Destination(
            open_output=lambda directory: store.upload(plan.output(directory, modified), metadata),
            open_quarantine=partial(store.upload, quarantine, metadata) if quarantine else None,
        )
        context = ConversionContext(
            now=self.claims.now(),
            key=self.obfuscation_key() if recipe.transform.needs_key else None,
            on_batch=time_limit(plan.source, job.delivery, self.timeout_seconds),
        )
        made = self._made(job, opened, recipe, destination, context)
        head = opened.head
        if not plan.keep_earlier:
            job.claimed = self._intending(job.claimed, made.done, plan, modified)
        finish = published(
            made.done, job.claimed, store, output=lambda one: plan.output(one, head.modified), quarantine=quarantine
        )
        return replace(
            finish,
            etag=head.etag,
            version_id=head.version_id,
            size=head.size,
            keep_earlier=plan.keep_earlier,
            schema_version=made.version,
            schema_changes=made.changes,
        )

    def _made(
        self,
        job: _Job,
        opened: OpenedObject,
        recipe: Recipe,
        destination: Destination[Upload],
        context: ConversionContext,
    ) -> InTable:
        plan = job.plan
        if plan.archive:
            with open_archive(opened.stream, plan.source.key, file_format=plan.members_format) as archive:
                return InTable(convert_many(_members(plan, archive), recipe, destination, context))
        if plan.shared is None:
            return InTable(convert(opened.stream, recipe, destination, context))
        return convert_in_table(
            plan,
            plan.shared,
            job.request,
            self.claims,
            partial(convert_into_table, opened.stream, recipe, destination, context),
        )

    def _intending(self, claimed: Entry, done: Converted[Upload], plan: Plan, modified: datetime) -> Entry:
        aside = [plan.quarantine] if done.quarantine is not None and plan.quarantine is not None else []
        try:
            return self.claims.announce_outputs(
                claimed, [*(plan.output(one.directory, modified) for one in done.parts), *aside]
            )
        except BaseException:
            done.discard()
            raise


def _members(plan: Plan, archive: Archive) -> list[Source]:
    return [
        Source(
            name=f"{plan.source.key}/{member.name}",
            format=member.known.format,
            read=with_extensions(plan.recipe.read, member.known),
            open=member.open,
        )
        for member in archive.members
    ]


def _is_own_output(head: ObjectHead, sync: str) -> bool:
    lineage = Lineage.from_metadata(head.metadata)
    return lineage is not None and lineage.sync in {sync, table_sync(sync)}


def _lineage(job: _Job, head: ObjectHead) -> Lineage:
    claimed = job.claimed
    return Lineage.of(
        sync=claimed.sync,
        source=job.plan.source,
        owner=job.plan.table,
        etag=head.etag,
        version_id=head.version_id,
        sequencer=job.order or claimed.sequencer,
        fence=claimed.fence,
        fingerprint=job.plan.fingerprint,
        engine=claimed.engine,
    )
