"""Work on snapshot tables: which file a table is made of, and the claim on the table under which it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Generic

from millrace.delivery.publishing import NewerOutput, finish_after_newer_output
from millrace.delivery.table_files import TableFiles
from millrace.delivery.table_format import OpenFormat
from millrace.errors import InvalidReference, LostRace, ObjectChanged, WorkInFlight
from millrace.ledger.announcing import demand_told
from millrace.ledger.claims import Claims, Delivery
from millrace.ledger.entries import DONE, Failure, Finish, State
from millrace.ledger.races import retry_lost_race
from millrace.ledger.rules import ClaimSubject, E, Refusal, RefusalKind, settle
from millrace.ledger.table_entries import TableEntry, TableOrder
from millrace.objects.messages import Request
from millrace.objects.references import (
    UNKNOWN_VERSION,
    ChangeKind,
    ObjectChange,
    ObjectRef,
    Position,
    SourceVersion,
)
from millrace.objects.store import ObjectHead, ObjectStore, OpenedObject, Stores
from millrace.planning.plans import Plan, SnapshotTable

_TRIES = 5


@dataclass(slots=True)
class GrantedWork(Generic[E]):
    """Granted work: what is to be done, who asked, the claim it is done under (the object's or its table's).

    ``claimed`` is the claim as it was last put; ``position`` is the place of the work in its order. ``table_format``
    is set if this work may decide it, and ``is_admitted`` once the table is known to have the file's format.
    ``is_too_long``: a whole invocation's time was not enough for it. ``version`` is what was read, once it is: it may
    be newer than the event's.
    """

    plan: Plan
    request: Request
    claimed: E
    delivery: Delivery
    position: Position | None
    table_format: OpenFormat | None = None
    is_admitted: bool = False
    is_too_long: bool = False
    version: SourceVersion = UNKNOWN_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotTables:
    """Replaces and removes snapshot tables; ``write`` converts an opened file and publishes its outputs."""

    claims: Claims
    stores: Stores | Mapping[str, ObjectStore]
    files: TableFiles
    write: Callable[[GrantedWork[TableEntry], OpenedObject], Finish]

    def replace_table(self, job: GrantedWork[E], table: ObjectRef, opened: OpenedObject) -> Finish:
        """Write a table of its newest file, under a claim on the table."""
        order = TableOrder.of(opened.head.modified, job.plan.source)
        claimed = self._claim(job, table, order)
        if isinstance(claimed, Refusal):
            if not self._is_news(job, claimed.entry, opened.head):
                return finish_not_the_newest(claimed, job.plan.source, opened.head)
            claimed = self._claim_older(job, claimed.entry, order, opened.head)
        elif claimed.dead_owners:
            # Who died may have claimed the table for a version that came back, and have asked nobody for newer files.
            self.files.ask_for_newer(job.plan, order)
        writing = GrantedWork(job.plan, job.request, claimed, job.delivery, order, job.table_format)
        finish = self._write_claimed(writing, opened)
        if finish.state is State.SUPERSEDED:
            # Only the table's entry follows the fence of the output: the file's own fence is of another order.
            return Finish(
                state=finish.state,
                outputs=(),
                version=SourceVersion(etag=opened.head.etag),
                reason=finish.reason,
            )
        return replace(finish, outputs=(), reason=f"table {table} is made of this file")

    def _is_news(self, job: GrantedWork[E], entry: TableEntry, head: ObjectHead) -> bool:
        """Whether a file replaces the table although its time is not later.

        S3 gives a multipart upload the time at which it began, and after the newest version is deleted an older one is
        there again (Amazon S3 User Guide, "Uploading and copying objects using multipart upload", "Deleting object
        versions"). So another version of the very file that the table is made of is news whatever its time. For a run
        that a person asked for, every file is, if what the table is made of is not there any more.
        """
        if entry.order is not None and entry.order.is_of(job.plan.source):
            is_whole = entry.settled and entry.state is not State.REMOVED
            return not (is_whole and entry.is_version(head.etag, head.version_id))
        return job.request.run_id is not None and not self._is_current(job.plan, entry)

    def _is_current(self, plan: Plan, entry: TableEntry) -> bool:
        """Whether the version that a table is made of is that which the bucket has."""
        head = self.files.head(plan, entry.made_of) if entry.made_of is not None else None
        return head is not None and entry.is_version(head.etag, head.version_id)

    def _claim_older(self, job: GrantedWork[E], entry: TableEntry, order: TableOrder, opened: ObjectHead) -> TableEntry:
        """Claim a table for a version whose time is not later, and have a newer file looked at if there is one.

        Raises ObjectChanged if another version is there by now, as for a worker that was slow: here no time decides.
        """
        plan = job.plan
        head = self.files.head(plan, plan.source)
        # Both: the same bytes may be there under another version, and a bucket without versions has ETags alone.
        if head is None or (head.etag, head.version_id) != (opened.etag, opened.version_id):
            raise ObjectChanged(f"{plan.source} was overwritten since it was opened; the work begins again")
        subject = ClaimSubject(
            sync=plan.sync,
            change=ObjectChange(kind=ChangeKind.CREATED, ref=entry.source),
            fingerprint=plan.fingerprint,
            position=None,
        )
        claimed = self.claims.claim_table_as_read(_as_overwritten(entry, order, plan.source), subject, job.delivery)
        if isinstance(claimed, Refusal):
            raise _in_flight(entry.source)
        self.files.ask_for_newer(plan, order)
        return claimed

    def _write_claimed(self, job: GrantedWork[TableEntry], opened: OpenedObject) -> Finish:
        try:
            finish = self._write_unless_newer(job, opened)
        except Exception as error:
            self._settle(job, Finish(state=State.FAILED, failure=Failure.of(error)))
            raise
        self._settle(job, finish)
        if finish.failure is not None:
            # Not as it is: the file's own work would take the output's fence for one of its own.
            raise LostRace(finish.failure.message)
        return finish

    def _write_unless_newer(self, job: GrantedWork[TableEntry], opened: OpenedObject) -> Finish:
        try:
            finish = self.write(job, opened)
            # After the table is written: a failure before it leaves the last file as the table's, which is true.
            self._demote_last_file(job)
        except NewerOutput as newer:
            is_current = self._is_made_of_what_stands(newer, job.plan)
            return finish_after_newer_output(newer, job.position, is_current=is_current)
        return finish

    def _is_made_of_what_stands(self, newer: NewerOutput, plan: Plan) -> bool:
        """Whether the file that an output was made of is still the version that the bucket has.

        Without the ledger, only the bucket tells. For example: ``a.csv`` of 12:00 is overwritten at 12:05, the ledger
        is lost, and the newest version is deleted. The table is of 12:05 then, and what stands there is of 12:00.
        A file whose key was too long to be carried is taken for current.
        """
        if newer.lineage.is_made_of(plan.source):
            file = plan.source
        else:
            try:
                file = newer.lineage.source_ref()
            except InvalidReference:
                return True
        head = self.files.head(plan, file)
        return head is not None and newer.may_be_made_of(head.etag)

    def _demote_last_file(self, job: GrantedWork[TableEntry]) -> None:
        """Have the file that the table was made of say so no longer: exactly one file does.

        It happens under the claim on the table, so no other file can become the table's meanwhile.
        """
        file = job.claimed.made_of
        if file is None or file == job.plan.source or not self.files.has(job.plan, file):
            return
        retry_lost_race(
            lambda: self._demote_once(job, file), tries=_TRIES, problem=f"{file} is being settled; tried again later"
        )

    def _demote_once(self, job: GrantedWork[TableEntry], file: ObjectRef) -> None:
        ledger = self.claims.ledger
        entry = self.claims.read_to_change(job.plan.sync, file)
        if entry is not None and entry.state is State.IN_FLIGHT:
            # Its worker may have written the table before us, and is about to settle it as the newest. The new
            # revision makes that put fail, so its message comes back, and finds out that the file is superseded.
            ledger.put(replace(entry, revision=entry.revision + 1, lease_until=self.claims.now()))
        elif entry is not None and entry.state in DONE:
            finish = Finish(state=State.SUPERSEDED, outputs=(), reason=_name_newest(job.plan.source))
            ledger.put(replace(settle(entry, finish, self.claims.now()), finished=entry.finished))

    def remove(self, job: GrantedWork[E], table: ObjectRef) -> Finish:
        """Only the deletion of the file that a table is made of can concern the table."""
        problem = f"table {table} is claimed by others; tried again later"
        claimed = retry_lost_race(lambda: self._claim_removal(job, table), tries=_TRIES, problem=problem)
        if isinstance(claimed, str):
            return Finish(state=State.REMOVED, outputs=(), reason=claimed)
        removing = GrantedWork(job.plan, job.request, claimed, job.delivery, _to_deletion(claimed))
        self._settle(removing, Finish(state=State.REMOVED, outputs=()))
        return Finish(state=State.REMOVED, outputs=(), reason="the object and the table it was were deleted")

    def _claim_removal(self, job: GrantedWork[E], table: ObjectRef) -> TableEntry | str:
        """The table, claimed to be removed; in words, why it is not to be. Raises LostRace as ``_claim_as_read``."""
        entry = self.claims.ledger.get_table(job.plan.sync, table)
        if entry is None:
            return "the object was deleted; its table is another's"
        if not may_be_of(entry, job.plan.source):
            if not entry.settled:
                # Who was killed may have published this very file; its message ends here, so another must mend that.
                self.files.ask_for_newer(job.plan, None)
            return "the object was deleted; its table is another's"
        if not job.plan.remove_outputs:
            return "the object was deleted; its table is kept"
        if entry.state is State.REMOVED:
            return "the object was deleted; its table was removed"
        claimed = self._claim_as_read(job, entry)
        return claimed if isinstance(claimed, TableEntry) else "the object was deleted; its table was removed"

    def _claim_as_read(self, job: GrantedWork[E], entry: TableEntry) -> TableEntry | Refusal[TableEntry]:
        """Claim a table to remove it, because ``entry``, as it was read, is of the deleted file.

        Raises LostRace if another entry is there by now: the table may be another file's. The order does not say so,
        since a file whose work failed has no place in it::

            a.csv    claims the table, is deleted: failed .. reads "failed" .................. removes it: lost
            b.csv    ....................................................... is the table
        """
        subject = self._subject(job, entry.source, ChangeKind.REMOVED, _to_deletion(entry))
        return _demand_free(self.claims.claim_table_as_read(entry, subject, job.delivery))

    def _claim(self, job: GrantedWork[E], table: ObjectRef, order: TableOrder) -> TableEntry | Refusal[TableEntry]:
        subject = self._subject(job, table, ChangeKind.CREATED, order)
        return _demand_free(self.claims.claim_table(subject, job.delivery))

    def _subject(
        self, job: GrantedWork[E], table: ObjectRef, kind: ChangeKind, order: TableOrder | None
    ) -> ClaimSubject:
        return ClaimSubject(
            sync=job.plan.sync,
            change=ObjectChange(kind=kind, ref=table),
            fingerprint=job.plan.fingerprint,
            position=order,
            run_id=job.request.run_id,
            has_several_outputs=job.plan.has_several_outputs,
        )

    def _settle(self, job: GrantedWork[TableEntry], finish: Finish) -> None:
        claimed = job.claimed
        if finish.state in DONE or finish.state is State.REMOVED:
            claimed = replace(claimed, file=job.plan.source).at_position(job.position)
        settled = self.claims.settle(claimed, finish, self.stores[job.plan.target_connection])
        if settled.failure is not None and finish.failure is None:
            raise LostRace(f"table {claimed.source}: {settled.failure.message}; tried again later")
        demand_told(settled)


def _as_overwritten(entry: TableEntry, order: TableOrder, source: ObjectRef) -> TableEntry:
    """A table's entry with the order of what is there now of its own file.

    From the claim on, since the conversion may fail, or take long, and a newer file must not be superseded by a version
    that is no more. For example: the table is made of ``a.csv`` of 12:02, which bad rows replace by a multipart upload
    of 12:00, and ``b.csv`` is of 12:01.
    """
    is_own = entry.order is not None and entry.order.is_of(source)
    return entry.at_position(order) if is_own else entry


def table_of(plan: Plan) -> ObjectRef | None:
    """The snapshot table that a plan's output is, if it is one."""
    return plan.way.table if isinstance(plan.way, SnapshotTable) else None


def may_be_of(table: TableEntry, source: ObjectRef) -> bool:
    """Whether a table is made of a file, or may be: work on it was begun and did not end."""
    return table.order.is_of(source) if table.order is not None else not table.settled


def _to_deletion(entry: TableEntry) -> TableOrder | None:
    return entry.order.at_deletion() if entry.order is not None else None


def _demand_free(decision: TableEntry | Refusal[TableEntry]) -> TableEntry | Refusal[TableEntry]:
    """What was decided of a claim; raises WorkInFlight if another file's work has the table."""
    if isinstance(decision, Refusal) and not decision.acknowledge:
        raise _in_flight(decision.entry.source)
    return decision


def _in_flight(table: ObjectRef) -> WorkInFlight:
    return WorkInFlight(f"table {table} is being written from one of its files; tried again later")


def finish_not_the_newest(refusal: Refusal[TableEntry], source: ObjectRef, head: ObjectHead) -> Finish:
    """The table is made of a newer file already, or of this very one."""
    table = refusal.entry
    is_of_another = table.made_of is not None and table.made_of != source
    if refusal.kind is RefusalKind.SUPERSEDED or is_of_another:
        return Finish(
            state=State.SUPERSEDED, outputs=(), version=SourceVersion(etag=head.etag), reason=_name_newest(table.file)
        )
    return Finish(
        # If a newer file failed, the table is what this one made it.
        state=table.state if table.state in DONE else State.CONVERTED,
        outputs=(),
        version=SourceVersion(etag=head.etag),
        rows=table.rows,
        reason=f"table {table.source} is made of this file",
    )


def _name_newest(file: ObjectRef | None) -> str:
    return f"the table's newest file is {file}" if file is not None else "the table has a newer file"
