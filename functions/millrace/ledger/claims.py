"""Claims: the ledger's pure rules together with its store, retried where another was quicker."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from millrace.errors import AccessDenied, LostRace, MillraceError, NoSuchBucket, NotAccepted, TransientError
from millrace.ledger.announcing import Teller, as_told, with_announcement
from millrace.ledger.entries import Entry, Failure, Finish, Output, State, WorkEntry
from millrace.ledger.races import retry_lost_race
from millrace.ledger.rules import (
    BigRunClaim,
    ClaimRequest,
    ClaimSubject,
    E,
    Refusal,
    advance_sequencer,
    announce_outputs,
    claim,
    claim_for_big_run,
    settle,
    to_be_done_again,
)
from millrace.ledger.stores import LedgerStore
from millrace.ledger.table_entries import TABLE_MARK, TableEntry
from millrace.objects.lineage import Lineage
from millrace.objects.references import ObjectRef
from millrace.objects.store import ObjectHead, ObjectStore

LEASE_MARGIN = timedelta(minutes=10)
"""How long a lease outlives the invocation that took it: by so much two workers' clocks may differ before one takes
over while the other can still write. It costs nothing: a killed worker's message is invisible for longer."""
_KEEP_OBSOLETE = frozenset({State.FAILED, State.WAITING, State.SUPERSEDED})
"""States in which it is left open what of it stands: the work is done again, goes on, or was another's."""
_TRIES = 3
_NOT_OURS = (AccessDenied, NoSuchBucket)


class Targets(Protocol):
    """What the configuration that is deployed now says of outputs."""

    def find_store(self, place: ObjectRef, /) -> ObjectStore | None:
        """The store that outputs at a place are written by; None if no destination has the place any more."""
        ...

    def writes_to(self, place: ObjectRef, sync: str, source: ObjectRef | None, /) -> bool:
        """Whether an active sync of that name may have an output of a source at a place; None: of some table."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One receipt of one message; ``remaining`` gives the seconds left to this invocation.

    ``sent`` is when the message was first sent. ``is_alone``: no other message waits for this invocation's end.
    """

    message_id: str
    remaining: Callable[[], float]
    receives: int = 1
    sent: datetime | None = None
    is_alone: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Claims and settles for one engine of one deployment, on one clock.

    ``hidden_for``: so long the queue hides a message whose worker died, whatever clocks say. ``lease_margin``: see
    ``LEASE_MARGIN``; less of it is for worlds of one clock. ``teller`` tells others of what was settled. ``targets``
    are asked about outputs of other configurations: see ``_sweep_place`` and ``may_take_over``.
    """

    ledger: LedgerStore
    now: Callable[[], datetime]
    engine: str
    deployment: int = 0
    hidden_for: timedelta = timedelta(0)
    lease_margin: timedelta = LEASE_MARGIN
    teller: Teller | None = None
    targets: Targets | None = None

    def claim(self, subject: ClaimSubject, delivery: Delivery) -> Entry | Refusal[Entry]:
        """Claim an object or a build; raise LostRace if others are quicker again and again.

        What an earlier worker left untold is told first; raises what that raises.
        """
        source = subject.change.ref
        blank = Entry.unseen(subject.sync, source, fingerprint=subject.fingerprint, engine=self.engine)
        return self._claim(lambda: self.ledger.get(subject.sync, source) or blank, subject, delivery)

    def claim_table(self, subject: ClaimSubject, delivery: Delivery) -> TableEntry | Refusal[TableEntry]:
        """Claim a snapshot table; raises as ``claim``.

        A table is no suspect: the worker that left its lease died over one of its files, whose own entry says so.
        """
        table, delivery = subject.change.ref, replace(delivery, is_alone=True)
        blank = TableEntry.unseen(subject.sync, table, fingerprint=subject.fingerprint, engine=self.engine)
        return self._claim(lambda: self.ledger.get_table(subject.sync, table) or blank, subject, delivery)

    def claim_table_as_read(
        self, entry: TableEntry, subject: ClaimSubject, delivery: Delivery
    ) -> TableEntry | Refusal[TableEntry]:
        """Claim a snapshot table for a reason that lies in the entry that was read.

        Raises LostRace if another entry is there by now.
        """
        decision = claim(self.tell_untold(entry), self._request(subject, delivery))
        if not isinstance(decision, Refusal):
            self._put(decision)
        return decision

    def claim_for_big_run(
        self, sync: str, source: ObjectRef, *, name: str, fence: int, remaining: Callable[[], float]
    ) -> Entry | None:
        """Claim what a big run was started for, to publish or to settle it; None if the run has lost it meanwhile.

        Raises WorkInFlight if the worker that started the run has not settled yet, LostRace as ``claim``.
        """

        def attempt() -> Entry | None:
            entry = self.ledger.get(sync, source)
            if entry is None:
                return None
            lease_until = self.now() + timedelta(seconds=remaining()) + self.lease_margin
            run = BigRunClaim(name=name, fence=fence, lease_until=lease_until)
            claimed = claim_for_big_run(self.tell_untold(entry), run)
            if claimed is not None:
                self._put(claimed)
            return claimed

        return retry_lost_race(attempt, tries=_TRIES, problem=f"{source} under sync {sync!r} is claimed by others")

    def _claim(self, read: Callable[[], E], subject: ClaimSubject, delivery: Delivery) -> E | Refusal[E]:
        def attempt() -> E | Refusal[E]:
            decision = claim(self.tell_untold(read()), self._request(subject, delivery))
            if isinstance(decision, Refusal):
                self._remember(decision, subject)
            else:
                self._put(decision)
            return decision

        return retry_lost_race(
            attempt,
            tries=_TRIES,
            problem=f"{subject.change.ref} under sync {subject.sync!r}: others claimed it {_TRIES} times in a row",
        )

    def _request(self, subject: ClaimSubject, delivery: Delivery) -> ClaimRequest:
        now = self.now()
        return ClaimRequest(
            subject=subject,
            message_id=delivery.message_id,
            engine=self.engine,
            deployment=self.deployment,
            hidden_for=self.hidden_for,
            is_alone=delivery.is_alone,
            is_first_receipt=delivery.receives == 1,
            now=now,
            lease_until=now + timedelta(seconds=delivery.remaining()) + self.lease_margin,
        )

    def _remember(self, refusal: Refusal[E], subject: ClaimSubject) -> None:
        advanced = advance_sequencer(refusal, subject.position)
        if advanced is not None:
            # Only a shortcut for later events: if another worker is quicker, the next event is judged by what that one
            # wrote.
            with suppress(LostRace):
                self._write(advanced)

    def announce_outputs(self, claimed: E, refs: Iterable[ObjectRef]) -> E:
        """Write down what is about to be published, where the ledger does not know it; raise LostRace as ``settle``."""
        intending = announce_outputs(claimed, refs)
        if intending is not claimed:
            self._put(intending)
        return intending

    def settle(self, claimed: E, finish: Finish, store: ObjectStore | None = None) -> E:
        """Write down what came of the work; raise LostRace where the claim is no longer ours.

        What is obsolete then is deleted from ``store`` first: under the claim nobody else writes there. Afterwards
        others are told of it; if that fails, the entry is untold.
        """
        settled = self._settle(claimed, finish)
        if store is not None:
            # Deleted before it is put: a worker that dies in between leaves an entry that still names what is obsolete,
            # and the next one deletes it.
            settled = self._sweep(claimed, finish, settled, store)
        try:
            settled = self._put_settled(claimed, finish, settled)
        except LostRace:
            if store is not None and not finish.keep_earlier:
                self._withdraw(claimed, finish, store)
            raise
        with suppress(MillraceError):
            # What cannot be told now is told by who reads the entry next: the caller has its message come back.
            return self.tell_untold(settled)
        return settled

    def _settle(self, claimed: E, finish: Finish) -> E:
        """What settled work is written down as."""
        settled = settle(claimed, finish, self.now())
        return settled if self.teller is None else with_announcement(settled, claimed, finish, self.teller)

    def read_to_change(self, sync: str, source: ObjectRef) -> Entry | None:
        """The entry of an object or a build, for who changes it without a claim: nothing of it is left untold.

        Raises LostRace if another changed it meanwhile, and what telling raises.
        """
        entry = self.ledger.get(sync, source)
        return entry if entry is None else self.tell_untold(entry)

    def tell_untold(self, entry: E) -> E:
        """Tell others of what an entry says, if that is left to do, and write that down.

        Raises LostRace if another changed the entry meanwhile, and what telling raises.
        """
        if self.teller is None or not entry.is_untold:
            return entry
        self.teller.tell(entry)
        told = as_told(entry)
        self._put(told)
        return told

    def _sweep(self, claimed: E, finish: Finish, settled: E, store: ObjectStore) -> E:
        """The entry to put once what is obsolete is deleted, or failed because it could not be."""
        is_left_open = settled.state in _KEEP_OBSOLETE and not finish.withdraws
        if not settled.obsolete or is_left_open:
            return settled
        try:
            places = (replace(settled, obsolete=(output,)) for output in settled.obsolete)
            left = [place.obsolete[0] for place in places if not self._sweep_place(place, claimed.fence, store)]
        except Exception as error:  # noqa: BLE001 - what cannot be deleted now is tried again with the message
            failed = replace(finish, state=State.FAILED, failure=Failure.of(error))
            return self._settle(claimed, failed)
        return replace(settled, obsolete=tuple(left))

    def _sweep_place(self, settled: WorkEntry, fence: int, store: ObjectStore) -> bool:
        """Delete the one obsolete output of an entry; whether it could be.

        A destination may have moved since. Its functions then have no grant for the folder before, or another
        connection has it now. What no destination has any more stays, and the entry goes on naming it: else no object
        that had an output there could ever settle again.
        """
        try:
            sweep(settled, fence, store)
        except _NOT_OURS:
            other = self._find_other_store(settled.obsolete[0].ref, store)
            if other is None:
                return False
            sweep(settled, fence, other)
        return True

    def may_take_over(self, claimed: WorkEntry, target: ObjectRef, lineage: Lineage) -> bool:
        """Whether an output is of the same source under another sync, which writes there no more: it may be replaced.

        The sync was renamed, or its outputs go elsewhere by now; and this very ledger says that it wrote there, so that
        the output is not another deployment's::

            deployment 1    nightly: orders.csv to lake/orders.parquet
            deployment 2    daily:   orders.csv to lake/orders.parquet, and no sync is called nightly

        Raises: LostRace if the other sync wrote under a newer deployment, whose workers know better.
        """
        if self.targets is None or not _is_other_syncs(lineage, claimed):
            return False
        sync = lineage.sync.removesuffix(TABLE_MARK)
        source = None if isinstance(claimed, TableEntry) else claimed.source
        if self.targets.writes_to(target, sync, source):
            return False
        entry = self._read(replace(claimed, sync=sync))
        if entry is None or not _names(entry, target):
            return False
        if entry.deployment > self.deployment:
            raise LostRace(f"{target} was written by sync {sync!r} under a newer deployment, which is left to go on")
        return True

    def _find_other_store(self, ref: ObjectRef, denied: ObjectStore) -> ObjectStore | None:
        """Another store for a place; None if no destination has it. Raises again what was raised if there is no other.

        To be called while what ``denied`` raised is handled.
        """
        other = denied if self.targets is None else self.targets.find_store(ref)
        if other is denied:
            raise  # noqa: PLE0704 - the denial that is being handled
        return other

    def _look_at(self, ref: ObjectRef, store: ObjectStore) -> ObjectHead | None:
        """What is at a place; None also if no destination has the place any more."""
        try:
            return store.head(ref)
        except _NOT_OURS:
            other = self._find_other_store(ref, store)
            return None if other is None else other.head(ref)

    def _put_settled(self, claimed: E, finish: Finish, settled: E) -> E:
        """Put what came of the work; what the store refuses is put without its texts, then as failed for that reason.

        An entry that stayed in flight because nobody could write it down would be worked on again for ever.
        """
        try:
            self._put(settled)
        except NotAccepted as refused:
            error = refused
        else:
            return settled
        bare = replace(self._settle(claimed, finish.without_texts()), obsolete=settled.obsolete)
        with suppress(NotAccepted):
            self._put(bare)
            return bare
        failed = self._settle(claimed, Finish(state=State.FAILED, failure=Failure.of(error)))
        self._put(failed)
        return failed

    def _withdraw(self, claimed: E, finish: Finish, store: ObjectStore) -> None:
        """Undo what a worker published whose claim was taken over before it knew.

        Conditional writes compare ETags, and the same bytes have the same ETag. So a late worker may pass::

            worker A (fence 5)   claims v2 ............................... publishes v2 over e1, settles: lost
            worker B (fence 6)        claims v3 = v1, publishes e1, settles with e1

        Whoever loses the settle looks, so that a worker who wins pays nothing for it. What of A's stands under A's own
        fence goes if B's entry does not name it: a partition that v3 lacks, or any output of an object that was removed
        meanwhile. If B's entry names the place with another ETag, B's output is gone: the entry fails as transient and
        forgets its event, so that A's message, which comes back, does the work again. If B is still at work, its own
        settle is made to fail by a new revision, and B does it again.
        """
        entry = self._read(claimed)
        if entry is None or entry.fence <= claimed.fence:
            return
        entry = self.tell_untold(entry)
        places = (*claimed.obsolete, *claimed.outputs, *(finish.outputs or ()))
        damaged = [
            ref
            for ref, head in self._find_written(claimed, places, store)
            if not _withdraw_output(entry, ref, head, store)
        ]
        if damaged:
            self._write(to_be_done_again(entry))

    def _find_written(
        self, claimed: WorkEntry, places: Iterable[Output], store: ObjectStore
    ) -> Iterator[tuple[ObjectRef, ObjectHead]]:
        """What is there that the very worker wrote that had this claim: each place once."""
        for ref in dict.fromkeys(output.ref for output in places):
            head = self._look_at(ref, store)
            if head is not None and _read_fence(claimed, head) == claimed.fence:
                yield ref, head

    def _put(self, entry: WorkEntry) -> None:
        """Put; if that fails, look whether it was done after all and only the answer was lost."""
        try:
            self._write(entry)
        except TransientError:
            # A put whose answer was lost is refused when the client sends it again: its own revision is there by then.
            if self._read(entry) != entry:
                raise

    def _write(self, entry: WorkEntry) -> None:
        match entry:
            case Entry() | TableEntry():
                self.ledger.put(entry)
            case _:
                raise TypeError(f"{type(entry).__name__} is no entry that can be claimed")

    def _read(self, entry: WorkEntry) -> WorkEntry | None:
        if isinstance(entry, TableEntry):
            return self.ledger.get_table(entry.sync, entry.source)
        return self.ledger.get(entry.sync, entry.source)


def sweep(settled: WorkEntry, fence: int, store: ObjectStore) -> None:
    """Delete by name what is obsolete; nothing that is another's, or was written under a higher fence."""
    for output in settled.obsolete:
        head = store.head(output.ref)
        if head is None:
            continue
        last_fence = _read_fence(settled, head)
        if last_fence is not None and last_fence <= fence:
            store.delete(output.ref, etag=head.etag)


def _names(entry: WorkEntry, place: ObjectRef) -> bool:
    """Whether an output of the entry's may be at a place: it was published there, or was to be."""
    return any(output.ref == place for output in (*entry.outputs, *entry.obsolete))


def _is_other_syncs(lineage: Lineage, claimed: WorkEntry) -> bool:
    """Whether an output is of the claimed source, or of the claimed table, under a sync of another name."""
    is_of_table = lineage.sync.endswith(TABLE_MARK)
    is_alike = is_of_table == isinstance(claimed, TableEntry)
    return is_alike and lineage.sync != claimed.stored_sync and lineage.is_of(lineage.sync, claimed.source)


def _withdraw_output(entry: WorkEntry, ref: ObjectRef, head: ObjectHead, store: ObjectStore) -> bool:
    """Delete what a late worker wrote where ``entry`` has nothing; whether what it has there is whole."""
    if entry.state is State.IN_FLIGHT:
        return False
    named = entry.output(ref)
    if named is None:
        store.delete(ref, etag=head.etag)
    return named is None or named.etag == head.etag


def _read_fence(entry: WorkEntry, head: ObjectHead) -> int | None:
    """The fence that an output was written under; None if it is no output of the entry's source."""
    lineage = Lineage.from_metadata(head.metadata)
    if lineage is None or not lineage.is_of(entry.stored_sync, entry.source):
        return None
    return lineage.fence
