"""Granted work on one object: read it, write its output or its table's, or remove them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from millrace.delivery.publishing import NewerOutput, finish_after_newer_output
from millrace.delivery.read_evidence import ReadEvidence
from millrace.delivery.routing import NO_BIG_RUNS, BigWork, Routing, find_obstacle
from millrace.delivery.snapshot_table import GrantedWork, SnapshotTables, table_of
from millrace.delivery.table_files import TableFiles
from millrace.delivery.table_format import is_admitted, open_format
from millrace.engine.options import words_of
from millrace.errors import AccessDenied, DataError, MillraceError, ObjectArchived, ObjectChanged, ObjectGone, TooBig
from millrace.ledger.claims import Claims, Delivery
from millrace.ledger.entries import Entry, Failure, Finish, State
from millrace.ledger.rules import E
from millrace.ledger.table_entries import table_sync
from millrace.objects.lineage import Lineage
from millrace.objects.messages import Request
from millrace.objects.references import ChangeKind, ObjectRef, SourceVersion
from millrace.objects.store import ObjectHead, ObjectStore, OpenedObject, Stores
from millrace.planning.plans import (
    ArchiveTables,
    Plan,
    SourceFile,
    at_claim,
    has_moved,
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
    routing: Routing = NO_BIG_RUNS

    def work(self, plan: Plan, request: Request, claimed: Entry, delivery: Delivery) -> Entry:
        """Do the work and settle it; what goes wrong is what came of it. Raises LostRace where the claim is lost."""
        plan = at_claim(plan, claimed.fence, claimed.started)
        job = GrantedWork(plan, request, claimed, delivery, claimed.sequencer)
        finish = self._finish(job)
        settled = self.claims.settle(job.claimed, finish, self.stores[plan.target_connection])
        # Both a.csv and a.csv.gz want to be a.parquet. Once a.csv is gone its place is free, and nothing else says so.
        freed = {output.ref for output in job.claimed.outputs} - {output.ref for output in settled.outputs}
        if freed and _may_be_anothers(plan, settled, freed):
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
            finish = Finish(state=State.WAITING, reason=str(archived))
        except NewerOutput as newer:
            finish = finish_after_newer_output(
                newer, job.claimed.position, is_current=newer.may_be_made_of(job.version.etag)
            )
            finish = replace(finish, version=job.version)
        except Exception as error:  # noqa: BLE001 - settled as failed; what is not ours counts as transient and is kept
            finish = Finish(state=State.FAILED, failure=Failure.of(error), version=job.version)
        # However the work ended, another file may decide the table's format now: see ``table_format``.
        return replace(finish, withdraws=job.plan.format_table is not None and not job.is_admitted)

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
        try:
            self._demand_accepted(job)
        except DataError as refused:
            if self._is_gone(job):
                raise ObjectGone(f"{job.plan.source} was deleted before it was read") from refused
            raise
        job.is_admitted = job.table_format is None
        try:
            return self._attempt(job)
        # Once more at once: what is there now is newer, and the entry follows what was read. A second change is the
        # next message's.
        except ObjectChanged:
            return self._attempt(job)

    def _demand_accepted(self, job: GrantedWork[Entry]) -> None:
        """Raise DataError if the object cannot be converted whatever it holds, so that it is not read."""
        if job.plan.problem is not None:
            raise job.plan.problem
        job.table_format = open_format(job.plan, job.request, self.claims)

    def _is_gone(self, job: GrantedWork[Entry]) -> bool:
        """Whether an object that is not read is known not to be there: a run, or a listing, may have asked long ago.

        Events of S3 have a sequencer, and need no look: that of the deletion has a later one.
        """
        if job.request.change.sequencer is not None:
            return False
        try:
            return not self.exists(job.plan)
        except MillraceError:
            return False

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
            waiting = self._start_big_run(job, opened)
            if waiting is not None:
                return waiting
            table = table_of(plan)
            if table is not None:
                return self._tables().replace_table(job, table, opened)
            return self._write_or_start_run(job, opened)

    def _write_or_start_run(self, job: GrantedWork[Entry], opened: OpenedObject) -> Finish:
        """Write the outputs; what took a whole invocation and was not done is a big run all the same."""
        try:
            return self._write(job, opened)
        except TooBig as too_big:
            # TooBig is also said of one row that is too long, which no parts make shorter: only what took all the time
            # is divided.
            waiting = self._start_big_run(job, opened) if job.is_too_long else None
            if waiting is not None:
                return waiting
            obstacle = find_obstacle(job.plan) if job.is_too_long and self.routing.starter is not None else None
            if obstacle is None:
                raise
            raise TooBig(f"{too_big}. It is not converted in parts: {obstacle}") from too_big

    def _start_big_run(self, job: GrantedWork[Entry], opened: OpenedObject) -> Finish | None:
        """Start a big run for what is more than one invocation can do, if it can be divided; None: it goes on here."""
        plan, head = job.plan, opened.head
        big = BigWork(plan=plan, request=job.request, claimed=job.claimed, size=head.size, head=head)
        if not self.routing.is_big_object(big, self.timeout_seconds, is_too_long=job.is_too_long):
            return None
        from millrace.delivery.object_conversion import can_be_cut  # noqa: PLC0415 - pyarrow takes 0.3 s to import

        if not can_be_cut(plan, opened.stream, self.routing.part_bytes):
            return None
        return self.routing.start(big)

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
        # Only what converts waits until pyarrow is imported: most receipts of a busy folder need not.
        from millrace.delivery.object_conversion import ObjectConversion  # noqa: PLC0415 - pyarrow takes 0.3 s

        conversion = ObjectConversion(
            claims=self.claims,
            stores=self.stores,
            timeout_seconds=self.timeout_seconds,
            obfuscation_key=self.obfuscation_key,
        )
        begun = self.claims.now()
        finish = conversion.write(job, opened)
        seconds = (self.claims.now() - begun).total_seconds()
        self.routing.speeds.learn(job.plan.recipe, opened.head.size, seconds, is_archive=job.plan.is_archive)
        return finish


def _may_be_anothers(plan: Plan, settled: Entry, freed: Collection[ObjectRef]) -> bool:
    """Whether another object could not have an output before, because one that was freed stood there.

    Of an object that is removed, of an archive that has lost a member or a table a partition, and of one whose outputs
    go elsewhere by another configuration: of a workbook whose sheets were tables ``book/Orders``, and that is one table
    now. What is never written over is nobody else's.
    """
    if settled.state is State.REMOVED or isinstance(plan.way, ArchiveTables):
        return True
    is_partition = plan.recipe.transform.partition_key is not None and plan.place.version is None
    return is_partition or any(has_moved(plan, ref) for ref in freed)


def _is_own_output(head: ObjectHead, sync: str) -> bool:
    lineage = Lineage.from_metadata(head.metadata)
    return lineage is not None and lineage.sync in {sync, table_sync(sync)}
