"""Publish an output under a condition, and decide by lineage what to do with what stands in its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from millrace.engine.destination import Converted, discard_all
from millrace.engine.row_counts import RowCounts
from millrace.errors import LostRace, OutputCollision, TargetChanged, WriteConflict
from millrace.ledger.claims import Claims
from millrace.ledger.entries import Failure, Finish, Output, State, WorkEntry
from millrace.objects.lineage import Lineage
from millrace.objects.references import ObjectRef, Position
from millrace.objects.store import ObjectHead, ObjectStore, Publishable, Upload

_TRIES = 5
"""Conditional writes of one key that others disturb."""


class NewerOutput(LostRace):
    """At the output's key stands an output of the same source under a higher fence than the ledger gave us."""

    def __init__(self, message: str, lineage: Lineage) -> None:
        super().__init__(message)
        self.lineage = lineage

    def may_be_made_of(self, etag: str | None) -> bool:
        """Whether the output is made of these bytes of its source; it may be if they are not known."""
        return etag in {None, self.lineage.etag}


def publish(
    upload: Publishable,
    target: ObjectRef,
    claimed: WorkEntry,
    store: ObjectStore,
    *,
    rows: int,
    claims: Claims | None = None,
) -> Output:
    """Publish where nothing stands, or our own earlier output, or one of ours under a lower fence.

    ``claims`` know whether the output of a sync that was renamed may be replaced, too.

    Raises OutputCollision where another source's output or a stranger's object stands there, and NewerOutput where
    another worker with a higher fence was quicker.
    """
    # No ETag is "only where nothing stands" (If-None-Match: *), else "only over these bytes" (If-Match).
    last = claimed.output(target)
    expected = last.etag if last else None
    for _ in range(_TRIES):
        try:
            published_as = upload.publish(expected=expected, rows=rows)
        # S3 answers 409 while another conditional write of the key is under way: the same is tried again.
        except WriteConflict:
            continue
        # What stands there by now decides: ours of a lower fence is replaced, a stranger's is not.
        except TargetChanged:
            head = store.head(target)
            expected = _find_replaceable(head, target, claimed, claims) if head else None
            continue
        return Output(ref=target, etag=published_as.etag, size=published_as.size, rows=rows)
    raise LostRace(f"{target} kept changing while it was written; the message is tried again later")


def _find_replaceable(head: ObjectHead, target: ObjectRef, claimed: WorkEntry, claims: Claims | None) -> str:
    """The ETag of what is there, if it may be replaced; raises what ``publish`` does if not."""
    lineage = Lineage.from_metadata(head.metadata)
    if lineage is not None and claims is not None and claims.may_take_over(claimed, target, lineage):
        return head.etag
    return _may_replace(head, target, claimed)


def _may_replace(head: ObjectHead, target: ObjectRef, claimed: WorkEntry) -> str:
    lineage = Lineage.from_metadata(head.metadata)
    if lineage is None:
        raise OutputCollision(
            f"{target} exists and was not written by Millrace; it is left as it is. Move it away, or give sync "
            f"{claimed.stored_sync!r} another subfolder, then reprocess {claimed.source}"
        )
    if not lineage.is_of(claimed.stored_sync, claimed.source):
        raise OutputCollision(
            f"{claimed.source} (sync {claimed.stored_sync!r}) and {lineage.source} (sync {lineage.sync!r}) share the "
            f"output {target}; the one that stands there stays. Rename one of the sources, or separate the syncs' "
            "subfolders"
        )
    if lineage.fence > claimed.fence:
        raise NewerOutput(f"{target} was written under fence {lineage.fence}, above ours, {claimed.fence}", lineage)
    return head.etag


def finish_after_newer_output(newer: NewerOutput, position: Position | None, *, is_current: bool = True) -> Finish:
    """The output has a higher fence than the ledger: the ledger lost entries, or a newer event was first.

    ``position`` is the place of what we work on in its own order: an event's sequencer, or a file's among a table's.
    ``is_current`` says whether the output is made of what its source is now; an output of what is gone supersedes
    nothing. For example: the ledger is lost, ``v4`` is written and nobody hears of it, and the late event of ``v2``
    meets the output of ``v3``. That event is superseded, but ``v4``, which was read, is not.
    """
    last_position = newer.lineage.sequencer
    # Lineage is text, so of which order its place is, only ours says.
    if (
        is_current
        and last_position is not None
        and position is not None
        and type(position)(last_position.value) > position.shortened()
    ):
        return Finish(state=State.SUPERSEDED, reason=str(newer), fence=newer.lineage.fence)
    return Finish(state=State.FAILED, failure=Failure.of(newer), fence=newer.lineage.fence)


@dataclass(frozen=True, slots=True)
class ReadyOutput:
    """An output that is written and not published, and where it goes."""

    upload: Publishable
    ref: ObjectRef
    rows: int


def ready_outputs(
    done: Converted[Upload], *, output: Callable[[str | None], ObjectRef], quarantine: ObjectRef | None
) -> list[ReadyOutput]:
    """What a conversion wrote, bad rows first; ``output`` gives a partition's place."""
    ready = [ReadyOutput(part.sink, output(part.directory), part.rows) for part in done.parts]
    if done.quarantine is not None and quarantine is not None:
        ready.insert(0, ReadyOutput(done.quarantine, quarantine, done.rows.quarantined))
    return ready


def published(
    done: Converted[Upload],
    claimed: WorkEntry,
    store: ObjectStore,
    *,
    output: Callable[[str | None], ObjectRef],
    quarantine: ObjectRef | None,
    claims: Claims,
) -> Finish:
    """Publish all that a conversion wrote, bad rows first; where that fails nothing more becomes visible."""
    ready = ready_outputs(done, output=output, quarantine=quarantine)
    return publish_all(ready, done.rows, claimed, store, claims=claims)


def publish_all(
    ready: Sequence[ReadyOutput], rows: RowCounts, claimed: WorkEntry, store: ObjectStore, *, claims: Claims
) -> Finish:
    """Publish outputs in their order; if one fails, it and those behind it never become visible."""
    try:
        outputs = [publish(one.upload, one.ref, claimed, store, rows=one.rows, claims=claims) for one in ready]
    except BaseException:
        discard_all([one.upload for one in ready])
        raise
    state = State.QUARANTINED if rows.quarantined else State.CONVERTED
    return Finish(state=state, outputs=tuple(outputs), rows=rows)
