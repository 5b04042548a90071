"""The ledger's rules: who may work on an object, and what is written down when the work is over.

Everything here is pure: an entry and a request go in, a new entry or a refusal comes out. The one effect, a put that
succeeds only on the revision that was read, is the store's.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from millrace.errors import LostRace, WorkInFlight
from millrace.ledger.entries import DONE, Entry, Failure, Finish, Output, State, WorkEntry, holds_lease, is_newer_run
from millrace.objects.output_names import is_versioned
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef, Position

E = TypeVar("E", bound=WorkEntry)
MOST_ATTEMPTS = 5
"""Attempts at the same work that fail for reasons that pass, before its message is a dead letter."""
MOST_DEATHS = 3
"""Workers that may die over the same work before it fails as ``Crashed``."""
_MOST_DEAD_OWNERS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimSubject:
    """What is to be worked on, and why: what changed, under which configuration, by which manual run.

    ``position`` is the change's place among those of its object or table. ``outputs`` are those that are known before
    the work begins. If not ``bytes_decide``, the same bytes again are news all the same, because the time matters at
    which they were written. ``has_follow_up``: when it is settled, work is left that its entry does not show, as the
    files of a build. ``has_several_outputs``: the work may publish more than one, such as partitions, one by one.
    """

    sync: str
    change: ObjectChange
    fingerprint: str
    position: Position | None
    run_id: str | None = None
    outputs: tuple[ObjectRef, ...] = ()
    bytes_decide: bool = True
    shape: str | None = None
    has_follow_up: bool = False
    has_several_outputs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """A worker's request to work on a subject: by which message, with which engine, until when.

    ``is_alone``: no other message is lost for a while if the worker dies. ``is_first_receipt``: the message was not
    received before. ``deployment`` is the number of the deployment that the worker is of; it only grows.
    ``hidden_for``: so long the queue hides a message whose worker died; zero if nobody knows.
    """

    subject: ClaimSubject
    message_id: str
    engine: str
    now: datetime
    lease_until: datetime
    is_alone: bool = True
    is_first_receipt: bool = False
    deployment: int = 0
    hidden_for: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BigRunClaim:
    """A big run's request to go on with what was claimed for it under ``fence``."""

    name: str
    fence: int
    lease_until: datetime


class RefusalKind(enum.StrEnum):
    """Why a claim is refused."""

    SUPERSEDED = "superseded"
    ALREADY_DONE = "already done"
    DUPLICATE = "duplicate of work in flight"
    OWN_LEASE = "in flight under this very message"
    BUSY = "an older version is in flight"
    SUSPECT = "a worker died over it: it is worked on alone"
    IN_BIG_RUN = "in a big run"
    OUTDATED = "a newer deployment is at work"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal(Generic[E]):
    """A claim that was not granted; ``retry_at`` is set where the message must come back."""

    kind: RefusalKind
    entry: E
    retry_at: datetime | None = None

    @property
    def acknowledge(self) -> bool:
        """Whether the message may be deleted."""
        return self.retry_at is None


def claim(entry: E, request: ClaimRequest) -> E | Refusal[E]:
    """Decide if ``request`` may work on what ``entry`` describes: an unseen entry if the ledger has none.

    Returns the entry to put, or why not. A lease that has run out on the worker's clock is taken over; the fence makes
    the former owner's late writes recognisable.
    """
    if entry.revision == 0:
        return _to_granted(entry, request)
    # Before the question if somebody is at work: an older event is settled at once, and need not wait for a lease.
    if _is_older(request, entry):
        return Refusal(kind=RefusalKind.SUPERSEDED, entry=entry)
    if entry.state is State.IN_FLIGHT:
        return _claim_in_flight(entry, request)
    if _is_left_to_big_run(entry, request):
        return Refusal(kind=RefusalKind.IN_BIG_RUN, entry=entry)
    if _is_done_already(entry, request):
        return Refusal(kind=RefusalKind.ALREADY_DONE, entry=entry)
    return _grant(entry, request)


def _is_left_to_big_run(entry: WorkEntry, request: ClaimRequest) -> bool:
    """Whether a big run that is at work will do all that the request asks for, so that its message is done.

    For example: the event of the bytes that the run reads comes once more, or the daily comparison asks for them. Not
    if the object was written again or deleted, the configuration is another, or a person asks: the run loses then.
    """
    subject = request.subject
    if not entry.is_in_big_run(request.now) or entry.fingerprint != subject.fingerprint:
        return False
    if subject.run_id is not None:
        return not is_newer_run(subject.run_id, entry.run_id)
    if subject.change.kind is ChangeKind.REMOVED:
        return False
    # Nothing says which bytes are meant: it is the event that the run was started for, or a wish without one.
    if subject.change.etag is None:
        return subject.position is None or subject.position == entry.position
    return subject.change.etag == entry.version.etag


def claim_for_big_run(entry: Entry, run: BigRunClaim) -> Entry | None:
    """The entry to put before a big run publishes or settles; None if another claim has come since.

    The run keeps the fence that its object was claimed under: from that claim to its end it is one piece of work. So a
    child that was taken for dead and its repetition write the same bytes under the same fence, whoever is last.

    Raises WorkInFlight if the worker that started the run has not written it down yet.
    """
    if entry.fence != run.fence:
        return None
    if entry.big_run is None and entry.state is State.IN_FLIGHT:
        raise WorkInFlight(f"{entry.source}: the worker that started {run.name} has not settled yet")
    is_of_run = entry.big_run is not None and entry.big_run.name == run.name
    # In flight under the run's own name: it was killed while it published, and does that again.
    may_go_on = entry.state is State.WAITING or entry.owner == run.name
    if not (is_of_run and may_go_on):
        return None
    return replace(
        entry,
        state=State.IN_FLIGHT,
        revision=entry.revision + 1,
        lease_until=run.lease_until,
        owner=run.name,
    )


def _claim_in_flight(entry: E, request: ClaimRequest) -> E | Refusal[E]:
    if not holds_lease(entry.lease_until, request.now):
        return _grant(entry, request)
    # A duplicate comes back, too: its owner's message may be a copy that was sent again, or gone to the dead letters.
    return Refusal(kind=_refuse_in_flight(entry, request), entry=entry, retry_at=entry.lease_until)


def _refuse_in_flight(entry: WorkEntry, request: ClaimRequest) -> RefusalKind:
    # Its worker may have died, or the queue may show a message sooner than its worker is done: nobody can say before
    # the lease ends.
    if entry.owner == request.message_id:
        return RefusalKind.OWN_LEASE
    return RefusalKind.BUSY if _is_news(entry, request) else RefusalKind.DUPLICATE


def _grant(entry: E, request: ClaimRequest) -> E | Refusal[E]:
    """The granted entry, unless a newer deployment has worked on it, or it must be worked on alone.

    For example: a deployment gives a sync another format and somebody has an object converted again. A worker of the
    former deployment that still holds an older message of the object would put the former format back in its place.
    """
    if request.deployment < entry.deployment:
        return Refusal(kind=RefusalKind.OUTDATED, entry=entry, retry_at=request.now)
    granted = _to_granted(entry, request)
    if granted.deaths > 0 and not request.is_alone:
        return Refusal(kind=RefusalKind.SUSPECT, entry=entry, retry_at=request.now)
    return granted


def _is_older(request: ClaimRequest, entry: WorkEntry) -> bool:
    position, newest = request.subject.position, entry.position
    return position is not None and newest is not None and position < newest


def _is_news(entry: WorkEntry, request: ClaimRequest) -> bool:
    """Whether the request asks for more than the work in flight will do."""
    subject = request.subject
    if subject.run_id is not None:
        return is_newer_run(subject.run_id, entry.run_id)
    if subject.position is not None:
        return subject.position != entry.position
    return subject.change.etag != entry.version.etag


def _is_done_already(entry: WorkEntry, request: ClaimRequest) -> bool:
    """Whether nothing is left to do for the request.

    For example: the same event once more under the same configuration; not under another, if the object is there.
    """
    if not entry.settled:
        return False
    if request.subject.run_id is not None:
        return _is_run_done(entry, request.subject)
    if entry.fingerprint != request.subject.fingerprint:
        return entry.state is State.REMOVED and _is_same_event(entry, request.subject)
    return _is_change_done(entry, request.subject)


def _is_run_done(entry: WorkEntry, subject: ClaimSubject) -> bool:
    if is_newer_run(subject.run_id, entry.run_id):
        return False
    if subject.has_follow_up and subject.run_id == entry.run_id:
        # Its worker may have died before the follow-up. Who looks once more finds the table as it is, and goes on.
        return False
    # A snapshot table is claimed for each of its files in one run: a newer file is news, run or not.
    return subject.position is None or subject.position == entry.position


def _is_same_event(entry: WorkEntry, subject: ClaimSubject) -> bool:
    return subject.position is not None and subject.position == entry.position


def _is_change_done(entry: WorkEntry, subject: ClaimSubject) -> bool:
    if subject.change.kind is ChangeKind.RESTORED and entry.state in DONE:
        # News of a restore may come before that of the version that was restored.
        return subject.change.etag in {None, entry.version.etag}
    if entry.state is State.WAITING:
        # A worker that was killed while it asked for a build, or for a restore, asks again.
        return False
    if _may_lack_outputs(entry, subject):
        return False
    if _is_same_event(entry, subject):
        return True
    asks_for_bytes = subject.change.kind is not ChangeKind.REMOVED and entry.state in DONE
    return asks_for_bytes and _has_same_bytes(entry, subject)


def _may_lack_outputs(entry: WorkEntry, subject: ClaimSubject) -> bool:
    """Whether a rebuild may have found some of the outputs, and not all.

    For example: of two partitions one was published, the worker died, and the ledger was lost.
    """
    return subject.has_several_outputs and entry.is_put_back


def _has_same_bytes(entry: WorkEntry, subject: ClaimSubject) -> bool:
    etag = subject.change.etag
    return etag is not None and etag == entry.version.etag and (subject.bytes_decide or subject.position is None)


def _is_retry(entry: WorkEntry, request: ClaimRequest) -> bool:
    """Whether the request asks once more for what was tried, and came to no end.

    For example: two comparisons listed an object of ``v1`` and of ``v2``, which kills its workers, and their messages
    come by turns. Each names other bytes than the one before, and all the same its worker has died over them already.
    """
    subject = request.subject
    if entry.settled:
        return False
    if request.message_id in _list_dead_owners(entry, request):
        return True
    if subject.run_id is not None and not is_newer_run(subject.run_id, entry.open_run):
        return True
    # A build's request says nothing of what changed: it is always the same wish.
    says_nothing = subject.position is None and subject.change.etag is None
    is_same = says_nothing and not is_newer_run(subject.run_id, entry.run_id)
    return is_same or not _is_news(entry, request)


def _count_attempts(entry: WorkEntry, request: ClaimRequest) -> int:
    """With this one; from 1 again after the last allowed one, if this message has not been here before.

    For example: a dead letter that somebody sends back comes with a first receipt, and has all five attempts anew.
    """
    is_given_up = entry.attempts >= MOST_ATTEMPTS and request.is_first_receipt
    if is_given_up or not _is_retry(entry, request):
        return 1
    return entry.attempts + 1


def _count_deaths(entry: WorkEntry, request: ClaimRequest) -> int:
    """With one more if the lease of the last worker ran out: who lives settles before that, or puts its message off."""
    if not _is_retry(entry, request):
        return 0
    return entry.deaths + _is_death(entry, request)


def _is_death(entry: WorkEntry, request: ClaimRequest) -> bool:
    return entry.state is State.IN_FLIGHT and not _has_lived(entry, request)


def _list_dead_owners(entry: WorkEntry, request: ClaimRequest) -> tuple[str, ...]:
    """The messages whose workers died, the last few of them: so many seldom ask for one object at once."""
    if entry.owner is None or not _is_death(entry, request):
        return entry.dead_owners
    return (*entry.dead_owners, entry.owner)[-_MOST_DEAD_OWNERS:]


def _has_lived(entry: WorkEntry, request: ClaimRequest) -> bool:
    """Whether the last worker lived, and only could not write down what came of its work.

    Then it has put its message off. That of a worker that died is hidden for six of the function's timeouts. For
    example, work that began at 12:00 with a timeout of 15 minutes: if its own message is back at 12:25, when the lease
    has run out, the worker lived; if it is back at 13:30, it died. A queue of one's own may show messages sooner, so
    this is believed for as many attempts as any work has.
    """
    if entry.owner != request.message_id or entry.started is None or entry.attempts >= MOST_ATTEMPTS:
        return False
    return request.now < entry.started + request.hidden_for


def _to_granted(entry: E, request: ClaimRequest) -> E:
    subject, change = request.subject, request.subject.change
    begun = replace(
        entry,
        state=State.IN_FLIGHT,
        revision=entry.revision + 1,
        # One higher with each claim: an output carries the fence that it was written under, so that a late worker's is
        # known by its number.
        fence=entry.fence + 1,
        fingerprint=subject.fingerprint,
        shape=subject.shape,
        engine=request.engine,
        version=replace(entry.version.updated(change.version), version_id=change.version_id),
        lease_until=request.lease_until,
        owner=request.message_id,
        attempts=_count_attempts(entry, request),
        deaths=_count_deaths(entry, request),
        dead_owners=_list_dead_owners(entry, request),
        deployment=request.deployment,
        started=request.now,
        finished=None,
        failure=None,
        run_id=subject.run_id or _find_finished_run(entry),
        open_run=_find_open_run(entry),
        obsolete=_with_intended(entry, subject.outputs),
    )
    return begun.as_begun(subject.position)


def _find_finished_run(entry: WorkEntry) -> str | None:
    """The run to remember where an event asks: one that came to no end is not done by work that it did not ask for.

    For example: a run claims ``a.json`` to give its table another format, and S3 is slow. The file's own event comes
    back before the run's message does, and is refused for the format that the table has still. If the entry said that
    this was the run's work, the run's message would find nothing left to do.
    """
    return entry.run_id if entry.settled else None


def _find_open_run(entry: WorkEntry) -> str | None:
    """The newest run that came to no end, so that its message goes on counting attempts and deaths.

    For example: an event and a run ask for an object that kills its workers, and their messages come by turns. If each
    of the run's were news, no three deaths would ever be in a row.
    """
    if entry.settled:
        return None
    return max(filter(None, (entry.run_id, entry.open_run)), default=None)


def advance_sequencer(refusal: Refusal[E], position: Position | None) -> E | None:
    """If a later event reports work that is already done, return the entry with that event's sequencer.

    Events in between count as older then. Otherwise None.
    """
    entry = refusal.entry
    is_done_for = refusal.kind in {RefusalKind.ALREADY_DONE, RefusalKind.IN_BIG_RUN}
    if not is_done_for or position is None:
        return None
    if entry.position is not None and position <= entry.position:
        return None
    return replace(entry, revision=entry.revision + 1).at_position(position)


def _with_intended(entry: WorkEntry, refs: Iterable[ObjectRef]) -> tuple[Output, ...]:
    """What may stand once ``refs`` are being published: written down before, so that a kill leaves no orphan."""
    listed = {output.ref for output in (*entry.outputs, *entry.obsolete)}
    intended = [Output(ref=ref, etag="", size=0, rows=0) for ref in refs if ref not in listed]
    return (*entry.obsolete, *intended)


def announce_outputs(claimed: E, refs: Iterable[ObjectRef]) -> E:
    """The entry to put before outputs at ``refs`` are published; ``claimed`` itself where it tells of them all."""
    obsolete = _with_intended(claimed, refs)
    if obsolete == claimed.obsolete:
        return claimed
    return replace(claimed, revision=claimed.revision + 1, obsolete=obsolete)


def settle(claimed: E, finish: Finish, now: datetime) -> E:
    """Write down what came of the work that ``claimed`` granted.

    Outputs of earlier work that the new work lacks are ``obsolete``: they are deleted by name before this is put.
    """
    outputs = claimed.outputs if finish.outputs is None else finish.outputs
    settled = replace(
        claimed,
        state=finish.state,
        revision=claimed.revision + 1,
        fence=claimed.fence if finish.fence is None else finish.fence,
        lease_until=None,
        owner=None,
        outputs=outputs,
        obsolete=_find_obsolete(claimed, outputs, keep_earlier=finish.keep_earlier),
        version=claimed.version.updated(finish.version),
        rows=finish.rows,
        finished=now,
        failure=finish.failure,
        attempts=_without_free(claimed.attempts, finish),
    )
    if settled.settled:
        # Deaths are counted in a row: a worker that came through shows that the object does not kill.
        settled = replace(settled, deaths=0, dead_owners=())
    return settled.as_finished(finish)


def _find_obsolete(claimed: WorkEntry, kept: Iterable[Output], *, keep_earlier: bool) -> tuple[Output, ...]:
    """What may be there of earlier work and is not kept: each place once, with what was last written down of it.

    Earlier outputs that snapshots of an Iceberg table may name are left to the committer, which deletes them when the
    last such snapshot expires. What was never settled no snapshot names.
    """
    obsolete = {output.ref: output for output in claimed.obsolete}
    for output in claimed.outputs:
        if not keep_earlier and not is_versioned(claimed.stored_sync, claimed.source, output.ref):
            obsolete[output.ref] = output
    for output in kept:
        obsolete.pop(output.ref, None)
    return tuple(obsolete.values())


def to_be_done_again(entry: E) -> E:
    """The entry to put if a late worker wrote over its output. Work in flight goes on, and cannot settle."""
    if entry.state is State.IN_FLIGHT:
        return replace(entry, revision=entry.revision + 1)
    failure = Failure.of(LostRace(f"a late worker wrote over the output of {entry.source}; it is written again"))
    marked = replace(entry, revision=entry.revision + 1, state=State.FAILED, failure=failure)
    return marked.without_position()


def _without_free(attempts: int, finish: Finish) -> int:
    """The attempts that count: waiting for a grant, for time or for other work is none."""
    is_free = finish.failure is not None and finish.failure.is_free
    return max(0, attempts - is_free)
