"""Granted work on one object: read it, write its output or its table's, or remove them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import assert_never

from millrace.delivery.archive_tables import MemberConversion
from millrace.delivery.deadline import time_limit
from millrace.delivery.origins import origin_of
from millrace.delivery.publishing import NewerOutput, finish_after_newer_output, publish_all, published
from millrace.delivery.read_evidence import ReadEvidence
from millrace.delivery.snapshot_table import GrantedWork, SnapshotTables, table_of
from millrace.delivery.table_conversion import Convert, InTable, Within, convert_in_table, open_whole
from millrace.delivery.table_files import TableFiles
from millrace.delivery.table_format import OpenFormat, is_admitted, open_format
from millrace.engine.formats.streams.archive import open_archive
from millrace.engine.one_file import ConversionContext, Converted, Recipe
from millrace.engine.options import words_of
from millrace.engine.outputs import Destination, discard_all
from millrace.errors import AccessDenied, ObjectArchived, ObjectChanged, ObjectGone
from millrace.ledger.claims import Claims, Delivery
from millrace.ledger.entries import Entry, Failure, Finish, State
from millrace.ledger.rules import E
from millrace.ledger.table_entries import table_sync
from millrace.objects.lineage import Lineage
from millrace.objects.messages import Request
from millrace.objects.references import ChangeKind, SourceVersion
from millrace.objects.store import ObjectHead, ObjectStore, OpenedObject, Stores, Upload
from millrace.planning.plans import (
    ArchiveOutput,
    ArchiveTables,
    OwnOutput,
    Plan,
    SharedTable,
    SnapshotTable,
    SourceFile,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectWork:
    """Does what was granted. ``timeout_seconds`` is a whole invocation's time."""

    claims: Claims
    stores: Stores | Mapping[str, ObjectStore]
    files: TableFiles
    timeout_seconds: float
    obfuscation_key: Callable[[], bytes | None] = lambda: None
    evidence: ReadEvidence = field(default_factory=ReadEvidence)

    def work(self, plan: Plan, request: Request, claimed: Entry, delivery: Delivery) -> Entry:
        """Do the work and settle it; what goes wrong is what came of it. Raises LostRace where the claim is lost."""
        job = GrantedWork(plan, request, claimed, delivery, claimed.sequencer)
        finish = self._finish(job)
        settled = self.claims.settle(job.claimed, finish, self.stores[plan.target_connection])
        freed = {output.ref for output in job.claimed.outputs} - {output.ref for output in settled.outputs}
        # An archive that is written again may leave out a member, whose output another object can have then.
        is_freed = settled.state is State.REMOVED or isinstance(plan.way, ArchiveTables)
        if freed and is_freed:
            self.files.ask_for_rivals(plan, freed)
        return settled

    def _finish(self, job: GrantedWork[Entry]) -> Finish:
        removed = job.request.change.kind is ChangeKind.REMOVED
        try:
            # Asked again under the claim: the object may have come back since the event was looked at.
            return self._remove(job) if removed and not self.exists(job.plan) else self._convert(job)
        # The object may go between the event and the read, or while it is read: then it is a removal whose event comes
        # later.
        except ObjectGone:
            return self._remove(job)
        except ObjectArchived as archived:
            return Finish(state=State.WAITING, reason=str(archived))
        except NewerOutput as newer:
            return replace(finish_after_newer_output(newer, job.claimed.position), version=job.version)
        except Exception as error:  # noqa: BLE001 - settled as failed; what is not ours counts as transient and is kept
            withdraws = job.plan.format_table is not None and not job.is_admitted
            return Finish(state=State.FAILED, failure=Failure.of(error), version=job.version, withdraws=withdraws)

    def crash(self, plan: Plan, request: Request, claimed: Entry, failure: Failure) -> Entry:
        """Settle an object over which workers died, without what they published in a table of no decided format."""
        finish = Finish(state=State.FAILED, failure=failure, withdraws=not is_admitted(plan, request, self.claims))
        return self.claims.settle(claimed, finish, self.stores[plan.target_connection])

    def exists(self, plan: Plan) -> bool:
        """Whether the source object is there: a late delete event is no reason to remove anything."""
        return self.head(plan) is not None

    def head(self, plan: Plan | SourceFile) -> ObjectHead | None:
        """The source object's current version; None if there is none."""
        return self.stores[plan.source_connection].head(plan.source)

    def _tables(self) -> SnapshotTables:
        return SnapshotTables(claims=self.claims, stores=self.stores, files=self.files, write=self._write)

    def _remove(self, job: GrantedWork[Entry]) -> Finish:
        table = table_of(job.plan)
        if table is not None:
            return self._tables().remove(job, table)
        if not job.claimed.outputs:
            return Finish(state=State.REMOVED, reason="the source object was deleted before it was converted")
        if not job.plan.remove_outputs:
            return Finish(state=State.REMOVED, reason="the source object was deleted; its output is kept")
        return Finish(state=State.REMOVED, outputs=(), reason="the source object and its output were deleted")

    def _convert(self, job: GrantedWork[Entry]) -> Finish:
        if job.plan.problem is not None:
            raise job.plan.problem
        job.table_format = open_format(job.plan, job.request, self.claims)
        job.is_admitted = job.table_format is None
        try:
            return self._attempt(job)
        # Once more at once: what is there now is newer, and the entry follows what was read. A second change is the
        # next message's.
        except ObjectChanged:
            return self._attempt(job)

    def _attempt(self, job: GrantedWork[Entry]) -> Finish:
        plan = job.plan
        # The list of a zip's members is at its end, as Parquet's footer is.
        is_listed_at_end = plan.source.key.lower().endswith(".zip")
        tail_first = is_listed_at_end or words_of(plan.recipe.source_format).is_read_from_its_end
        with self._open(plan, tail_first=tail_first, attempts=job.claimed.attempts) as opened:
            # Remembered before anything can fail: an entry that failed says for which bytes.
            job.version = opened.head.version
            # A destination below its own source would make an output of each output, for ever: its lineage says whose
            # it is.
            if _is_own_output(opened.head, plan.sync):
                reason = "the object is an output of this very sync"
                return Finish(state=State.IGNORED, version=SourceVersion(etag=opened.head.etag), reason=reason)
            if plan.newer_than is not None and opened.head.modified <= plan.newer_than:
                reason = f"the object is of {opened.head.modified.isoformat()}, and newer_than leaves it out"
                return Finish(state=State.IGNORED, version=opened.head.version, reason=reason)
            table = table_of(plan)
            if table is not None:
                return self._tables().replace_table(job, table, opened)
            return self._write(job, opened)

    @contextmanager
    def _open(self, plan: Plan, *, tail_first: bool, attempts: int) -> Iterator[OpenedObject]:
        """The source object; one that is denied, though others can be read, is refused by itself."""
        connection = plan.source_connection
        store = self.stores[connection]
        with ExitStack() as stack:
            try:
                opened = stack.enter_context(store.open(plan.source, tail_first=tail_first))
            except AccessDenied as denied:
                raise self.evidence.judge(denied, plan.source, connection, store, attempts=attempts) from denied
            self.evidence.remember(connection, plan.source)
            yield opened

    def _write(self, job: GrantedWork[E], opened: OpenedObject) -> Finish:
        if isinstance(job.plan.way, ArchiveTables):
            return self._write_members(job, opened, job.plan.way)
        plan, head = job.plan, opened.head
        in_table = self._made(job, opened, self._recipe(job, plan, head), self._destination(job, plan, head))
        quarantine = plan.quarantine
        if not plan.keep_earlier:
            job.claimed = self._intending(job.claimed, in_table.done, plan, head.modified)
        store = self.stores[plan.target_connection]
        finish = published(
            in_table.done, job.claimed, store, output=lambda one: plan.output(one, head.modified), quarantine=quarantine
        )
        if job.table_format is not None:
            job.table_format.decide()
            job.is_admitted = True
        return replace(
            finish,
            version=head.version,
            keep_earlier=plan.keep_earlier,
            schema_version=in_table.version,
            schema_changes=in_table.changes,
            reason=in_table.reason,
        )

    def _recipe(self, job: GrantedWork[E], plan: Plan, head: ObjectHead) -> Recipe:
        """The plan's recipe, whose outputs say inside where they come from."""
        return replace(plan.recipe, write=replace(plan.recipe.write, lineage=_lineage(job, head).inside_file()))

    def _destination(self, job: GrantedWork[E], plan: Plan, head: ObjectHead) -> Destination[Upload]:
        store, metadata = self.stores[job.plan.target_connection], _lineage(job, head).to_metadata()
        quarantine = plan.quarantine
        return Destination(
            open_output=lambda directory: store.upload(plan.output(directory, head.modified), metadata),
            open_quarantine=partial(store.upload, quarantine, metadata) if quarantine else None,
        )

    def _context(self, job: GrantedWork[E], plan: Plan, head: ObjectHead) -> ConversionContext:
        return ConversionContext(
            now=self.claims.now(),
            key=self.obfuscation_key() if plan.recipe.transform.needs_key else None,
            origin=origin_of(job.plan.source, head),
            on_batch=time_limit(job.plan.source, job.delivery, self.timeout_seconds),
        )

    def _write_members(self, job: GrantedWork[E], opened: OpenedObject, way: ArchiveTables) -> Finish:
        head = opened.head
        conversion = MemberConversion(
            recipe_of=lambda plan: self._recipe(job, plan, head),
            destination_of=lambda plan: self._destination(job, plan, head),
            output_of=lambda plan, directory: plan.output(directory, head.modified),
            context_of=lambda plan: self._context(job, plan, head),
        )
        with open_archive(opened.stream, job.plan.source.key) as archive:
            members = conversion.convert_all(archive, way)
        if not members.ready:
            return Finish(state=State.IGNORED, version=head.version, reason=members.reason)
        try:
            # Written down before it is published: a worker that is killed in between leaves no output that nobody
            # knows.
            job.claimed = self.claims.announce_outputs(job.claimed, [one.ref for one in members.ready])
        except BaseException:
            discard_all([one.upload for one in members.ready])
            raise
        store = self.stores[job.plan.target_connection]
        finish = publish_all(members.ready, members.rows, job.claimed, store)
        return replace(finish, version=head.version, reason=members.reason)

    def _made(
        self, job: GrantedWork[E], opened: OpenedObject, recipe: Recipe, destination: Destination[Upload]
    ) -> InTable:
        plan, context = job.plan, self._context(job, job.plan, opened.head)
        with open_whole(plan, opened.stream) as whole:
            match plan.way:
                case ArchiveOutput() | OwnOutput() | SnapshotTable():
                    done = whole.convert(recipe, destination, context)
                    return InTable(_bid_for(job.table_format, done), reason=whole.reason)
                case SharedTable() as shared:
                    # The bid comes before the schema is remembered: a file of another format adds nothing to it.
                    convert_with = whole.into_table(recipe, destination, context)
                    bidding = partial(_bid_within, job.table_format, convert_with)
                    in_table = convert_in_table(plan, shared, job.request, self.claims, bidding)
                    return replace(in_table, reason=whole.reason)
                case ArchiveTables():
                    raise NotImplementedError("the members of an archive are converted by themselves")
                case _:
                    assert_never(plan.way)

    def _intending(self, claimed: E, done: Converted[Upload], plan: Plan, modified: datetime) -> E:
        aside = [plan.quarantine] if done.quarantine is not None and plan.quarantine is not None else []
        try:
            return self.claims.announce_outputs(
                claimed, [*(plan.output(one.directory, modified) for one in done.parts), *aside]
            )
        except BaseException:
            done.discard()
            raise


def _bid_for(table_format: OpenFormat | None, done: Converted[Upload]) -> Converted[Upload]:
    """A finished conversion, if its file's format is or may become its table's."""
    try:
        if table_format is not None:
            table_format.bid()
    except BaseException:
        done.discard()
        raise
    return done


def _bid_within(table_format: OpenFormat | None, convert_with: Convert, within: Within) -> Converted[Upload]:
    return _bid_for(table_format, convert_with(within))


def _is_own_output(head: ObjectHead, sync: str) -> bool:
    lineage = Lineage.from_metadata(head.metadata)
    return lineage is not None and lineage.sync in {sync, table_sync(sync)}


def _lineage(job: GrantedWork[E], head: ObjectHead) -> Lineage:
    claimed = job.claimed
    return Lineage.of(
        sync=claimed.stored_sync,
        source=job.plan.source,
        owner=table_of(job.plan),
        etag=head.etag,
        version_id=head.version_id,
        sequencer=job.position or claimed.position,
        fence=claimed.fence,
        fingerprint=job.plan.fingerprint,
        engine=claimed.engine,
    )
