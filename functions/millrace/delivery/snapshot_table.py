"""Work on snapshot tables: which file a table is made of, and the claim on the table under which it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Generic

from millrace.delivery.publishing import NewerOutput, finish_after_newer_output
from millrace.errors import LostRace
from millrace.ledger.claims import Claims, Delivery
from millrace.ledger.entries import DONE, Failure, Finish, State
from millrace.ledger.rules import ClaimSubject, E, Refusal, RefusalKind
from millrace.ledger.table_entries import TableEntry, TableOrder
from millrace.objects.messages import Request
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef, Position
from millrace.objects.store import ObjectHead, ObjectStore, OpenedObject, Stores
from millrace.planning.plans import Plan, SnapshotTable


@dataclass(slots=True)
class GrantedWork(Generic[E]):
    """Granted work: what is to be done, who asked, the claim it is done under (the object's or its table's).

    ``claimed`` is the claim as it was last put; ``position`` is the place of the work in its order.
    """

    plan: Plan
    request: Request
    claimed: E
    delivery: Delivery
    position: Position | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotTables:
    """Replaces and removes snapshot tables; ``write`` converts an opened file and publishes its outputs."""

    claims: Claims
    stores: Stores | Mapping[str, ObjectStore]
    write: Callable[[GrantedWork[TableEntry], OpenedObject], Finish]

    def replace_table(self, job: GrantedWork[E], table: ObjectRef, opened: OpenedObject) -> Finish:
        """Write a table of its newest file, under a claim on the table."""
        order = TableOrder.of(opened.head.modified, job.plan.source)
        claimed = self._claim(job, table, ChangeKind.CREATED, order)
        if isinstance(claimed, Refusal) and is_news_of_the_same_second(claimed.entry, order, opened.head):
            order = (claimed.entry.order or order).next_in_same_second()
            claimed = self._claim(job, table, ChangeKind.CREATED, order)
        if isinstance(claimed, Refusal):
            return finish_not_the_newest(claimed, opened.head)
        finish = self._write_claimed(GrantedWork(job.plan, job.request, claimed, job.delivery, order), opened)
        return replace(finish, outputs=(), reason=f"table {table} is made of this file")

    def _write_claimed(self, job: GrantedWork[TableEntry], opened: OpenedObject) -> Finish:
        try:
            finish = self.write(job, opened)
        except NewerOutput as newer:
            self._settle(job, finish_after_newer_output(newer, job.position))
            raise
        except Exception as error:
            self._settle(job, Finish(state=State.FAILED, failure=Failure.of(error)))
            raise
        self._settle(job, finish)
        return finish

    def remove(self, job: GrantedWork[E], table: ObjectRef) -> Finish:
        """Only the deletion of the file that a table is made of can concern the table."""
        return Finish(state=State.REMOVED, outputs=(), reason=self._remove(job, table))

    def _remove(self, job: GrantedWork[E], table: ObjectRef) -> str:
        """Remove the table if it is to be removed; what became of it, in words."""
        entry = self.claims.ledger.get_table(job.plan.sync, table)
        if entry is None or not may_be_of(entry, job.plan.source):
            return "the object was deleted; its table is another's"
        if not job.plan.remove_outputs:
            return "the object was deleted; its table is kept"
        if entry.state is State.REMOVED:
            return "the object was deleted; its table was removed"
        order = entry.order.at_deletion() if entry.order else None
        claimed = self._claim(job, table, ChangeKind.REMOVED, order)
        if isinstance(claimed, Refusal):
            return "the object was deleted; its table was removed"
        self._settle(
            GrantedWork(job.plan, job.request, claimed, job.delivery, order), Finish(state=State.REMOVED, outputs=())
        )
        return "the object and the table it was were deleted"

    def _claim(
        self, job: GrantedWork[E], table: ObjectRef, kind: ChangeKind, order: TableOrder | None
    ) -> TableEntry | Refusal[TableEntry]:
        subject = ClaimSubject(
            sync=job.plan.sync,
            change=ObjectChange(kind=kind, ref=table),
            fingerprint=job.plan.fingerprint,
            position=order,
            run_id=job.request.run_id,
        )
        decision = self.claims.claim_table(subject, job.delivery)
        if isinstance(decision, Refusal) and not decision.acknowledge:
            raise LostRace(f"table {table} is being written from one of its files; tried again later")
        return decision

    def _settle(self, job: GrantedWork[TableEntry], finish: Finish) -> None:
        claimed = replace(job.claimed, file=job.plan.source)
        if finish.state in DONE or finish.state is State.REMOVED:
            claimed = claimed.at_position(job.position)
        settled = self.claims.settle(claimed, finish, self.stores[job.plan.target_connection])
        if settled.failure is not None and finish.failure is None:
            raise LostRace(f"table {claimed.source}: {settled.failure.message}; tried again later")


def table_of(plan: Plan) -> ObjectRef | None:
    """The snapshot table that a plan's output is, if it is one."""
    return plan.way.table if isinstance(plan.way, SnapshotTable) else None


def may_be_of(table: TableEntry, source: ObjectRef) -> bool:
    """Whether a table is made of a file, or may be: work on it was begun and did not end."""
    return table.order.is_of(source) if table.order is not None else not table.settled


def is_news_of_the_same_second(table: TableEntry, order: TableOrder, head: ObjectHead) -> bool:
    """Whether the table is made of the same file as it was earlier in the second that S3's clock gives."""
    is_same_file = table.order is not None and table.order.value.startswith(order.value)
    return is_same_file and (table.state is State.REMOVED or table.etag != head.etag)


def finish_not_the_newest(refusal: Refusal[TableEntry], head: ObjectHead) -> Finish:
    """The table is made of a newer file already, or of this very one."""
    table = refusal.entry
    if refusal.kind is RefusalKind.SUPERSEDED:
        return Finish(
            state=State.SUPERSEDED, outputs=(), etag=head.etag, reason=f"the table's newest file is {table.file}"
        )
    return Finish(
        # If a newer file failed, the table is what this one made it.
        state=table.state if table.state in DONE else State.CONVERTED,
        outputs=(),
        etag=head.etag,
        rows_read=table.rows_read,
        rows_written=table.rows_written,
        rows_quarantined=table.rows_quarantined,
        rows_filtered=table.rows_filtered,
        reason=f"table {table.source} is made of this file",
    )
