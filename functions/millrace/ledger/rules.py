"""The ledger's rules: who may work on an object, and what is written down when the work is over.

Everything here is pure: an entry and a request go in, a new entry or a refusal comes out. The one effect, a put that
succeeds only on the revision that was read, is the store's.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from millrace.ledger.entries import DONE, Entry, Failure, Output, State, unseen
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef, Sequencer


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """A worker's wish to work on an object: what changed, by which message, under which configuration, until when.

    ``intends`` are the outputs that are known before the work begins. Where not ``bytes_decide``, the same bytes again
    are news all the same, because the time matters at which they were written. A ``provisional`` sequencer counts from
    when the work has succeeded: until then something older may still be the newest there is.
    """

    sync: str
    change: ObjectChange
    message_id: str
    fingerprint: str
    engine: str
    now: datetime
    lease_until: datetime
    run_id: str | None = None
    intends: tuple[ObjectRef, ...] = ()
    bytes_decide: bool = True
    provisional: bool = False


class RefusalKind(enum.StrEnum):
    """Why a claim is refused."""

    SUPERSEDED = "superseded"
    ALREADY_DONE = "already done"
    DUPLICATE = "duplicate of work in flight"
    OWN_LEASE = "in flight under this very message"
    BUSY = "an older version is in flight"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A claim that was not granted; ``retry_at`` is set where the message must come back."""

    kind: RefusalKind
    entry: Entry
    retry_at: datetime | None = None

    @property
    def acknowledge(self) -> bool:
        """Whether the message may be deleted."""
        return self.retry_at is None


def claim(entry: Entry | None, request: ClaimRequest) -> Entry | Refusal:
    """Decide whether ``request`` may work on the object that ``entry`` describes.

    Returns the entry to put, or why not. A lease that has run out on the bidder's clock is taken over; the fence makes
    the former owner's late writes recognisable.
    """
    if entry is None:
        return _granted(None, request)
    if _is_older(request, entry):
        return Refusal(kind=RefusalKind.SUPERSEDED, entry=entry)
    if entry.state is State.IN_FLIGHT:
        return _claim_in_flight(entry, request)
    if _is_done_already(entry, request):
        return Refusal(kind=RefusalKind.ALREADY_DONE, entry=entry)
    return _granted(entry, request)


def _claim_in_flight(entry: Entry, request: ClaimRequest) -> Entry | Refusal:
    lease_until = entry.lease_until
    if lease_until is None or lease_until <= request.now:
        return _granted(entry, request)
    if entry.owner == request.message_id:
        kind = RefusalKind.OWN_LEASE
    else:
        kind = RefusalKind.BUSY if _is_news(entry, request) else RefusalKind.DUPLICATE
    # A duplicate comes back, too: its owner's message may be a copy that was sent anew, or gone to the dead letters.
    return Refusal(kind=kind, entry=entry, retry_at=lease_until)


def _is_older(request: ClaimRequest, entry: Entry) -> bool:
    ours, known = request.change.sequencer, entry.sequencer
    return ours is not None and known is not None and ours < known


def _is_news(entry: Entry, request: ClaimRequest) -> bool:
    """Whether the request asks for more than the work in flight will do."""
    if request.run_id is not None:
        return entry.run_id is None or request.run_id > entry.run_id
    if request.change.sequencer is not None:
        return request.change.sequencer != entry.sequencer
    return request.change.etag != entry.etag


def _is_done_already(entry: Entry, request: ClaimRequest) -> bool:
    if not entry.settled:
        return False
    if request.run_id is not None:
        # A snapshot table is claimed for each of its files in one run: a newer file is news, run or not.
        newer = request.change.sequencer is not None and request.change.sequencer != entry.sequencer
        return not newer and entry.run_id is not None and request.run_id <= entry.run_id
    same_event = request.change.sequencer is not None and request.change.sequencer == entry.sequencer
    if entry.fingerprint != request.fingerprint:
        return same_event and entry.state is State.REMOVED
    if request.change.kind is ChangeKind.RESTORED:
        return entry.state in DONE
    if entry.state is State.WAITING:
        # Whoever was killed while it asked for a run, or for a restore, asks again.
        return False
    if request.change.kind is ChangeKind.REMOVED or entry.state not in DONE:
        return same_event
    known = request.change.etag is not None and request.change.etag == entry.etag
    return same_event or (known and (request.bytes_decide or request.change.sequencer is None))


def _granted(entry: Entry | None, request: ClaimRequest) -> Entry:
    change = request.change
    base = entry or unseen(request.sync, change.ref, fingerprint=request.fingerprint, engine=request.engine)
    again = entry is not None and not entry.settled and not _is_news(entry, request)
    return replace(
        base,
        state=State.IN_FLIGHT,
        revision=base.revision + 1,
        fence=base.fence + 1,
        fingerprint=request.fingerprint,
        engine=request.engine,
        sequencer=base.sequencer if request.provisional else change.sequencer or base.sequencer,
        etag=change.etag or base.etag,
        version_id=change.version_id,
        size=change.size if change.size is not None else base.size,
        lease_until=request.lease_until,
        owner=request.message_id,
        attempts=base.attempts + 1 if again else 1,
        started=request.now,
        finished=None,
        failure=None,
        reason=None,
        run_id=request.run_id or base.run_id,
        schema_changes=None,
        obsolete=_with_intended(base, request.intends),
    )


def advance_sequencer(refusal: Refusal, change: ObjectChange) -> Entry | None:
    """What to put where a later event told of what is done already: those in between are older then; or None."""
    entry, told = refusal.entry, change.sequencer
    if refusal.kind is not RefusalKind.ALREADY_DONE or told is None:
        return None
    if entry.sequencer is not None and told <= entry.sequencer:
        return None
    return replace(entry, revision=entry.revision + 1, sequencer=told)


def _with_intended(entry: Entry, refs: Iterable[ObjectRef]) -> tuple[Output, ...]:
    """What may stand once ``refs`` are being published: written down before, so that a kill leaves no orphan."""
    known = {output.ref for output in (*entry.outputs, *entry.obsolete)}
    return (*entry.obsolete, *(Output(ref=ref, etag="", size=0, rows=0) for ref in refs if ref not in known))


def announce_outputs(claimed: Entry, refs: Iterable[ObjectRef]) -> Entry:
    """The entry to put before outputs at ``refs`` are published; ``claimed`` itself where it tells of them all."""
    obsolete = _with_intended(claimed, refs)
    if obsolete == claimed.obsolete:
        return claimed
    return replace(claimed, revision=claimed.revision + 1, obsolete=obsolete)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """What came of granted work. What is None or left out stays as the claim had it.

    ``keep_earlier``: outputs of earlier work are no concern of this entry any more, and stay.
    """

    state: State
    outputs: tuple[Output, ...] | None = None
    etag: str | None = None
    version_id: str | None = None
    size: int | None = None
    rows_read: int = 0
    rows_written: int = 0
    rows_quarantined: int = 0
    rows_filtered: int = 0
    failure: Failure | None = None
    reason: str | None = None
    fence: int | None = None
    sequencer: Sequencer | None = None
    keep_earlier: bool = False
    schema_version: int | None = None
    schema_changes: str | None = None


def settle(claimed: Entry, finish: Finish, now: datetime) -> Entry:
    """Write down what came of the work that ``claimed`` granted.

    Outputs of earlier work that the new work lacks are ``obsolete``: they are deleted by name before this is put.
    """
    outputs = claimed.outputs if finish.outputs is None else finish.outputs
    kept = {output.ref for output in outputs}
    earlier = claimed.obsolete if finish.keep_earlier else (*claimed.obsolete, *claimed.outputs)
    return replace(
        claimed,
        state=finish.state,
        revision=claimed.revision + 1,
        fence=claimed.fence if finish.fence is None else finish.fence,
        sequencer=finish.sequencer or claimed.sequencer,
        lease_until=None,
        owner=None,
        outputs=outputs,
        obsolete=tuple({output.ref: output for output in earlier if output.ref not in kept}.values()),
        etag=finish.etag or claimed.etag,
        version_id=finish.version_id or claimed.version_id,
        size=claimed.size if finish.size is None else finish.size,
        rows_read=finish.rows_read,
        rows_written=finish.rows_written,
        rows_quarantined=finish.rows_quarantined,
        rows_filtered=finish.rows_filtered,
        finished=now,
        failure=finish.failure,
        reason=finish.reason,
        schema_version=claimed.schema_version if finish.outputs is None else finish.schema_version,
        schema_changes=finish.schema_changes,
    )
