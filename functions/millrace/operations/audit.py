"""Account for every object of a sync's source: which state the ledger has it in, or that nobody knows of it.

An object is *unaccounted* where the ledger lacks it, or knows another version of it, or has it in flight under a lease
that ran out, and it has stood there for longer than news of it may take. What is younger is *expected*.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from millrace.engine.parallel import in_order
from millrace.ledger.entries import DONE, Entry, State, is_stuck
from millrace.ledger.stores import WholeLedger
from millrace.objects.messages import Request
from millrace.objects.references import ChangeKind, ObjectChange
from millrace.objects.store import ListedObject, ObjectStore, Stores
from millrace.operations.comparison import (
    GRACE,
    Difference,
    Pair,
    compare_planned,
    concerns,
    entries_below,
    join_by_key,
)
from millrace.operations.lost_outputs import Loss, LostOutput, OutputChecker
from millrace.planning.planner import ActiveSync, Planner
from millrace.planning.plans import Build

_HEADS_AT_ONCE = 16
"""Requests side by side: one after the other, a million of them would take hours."""


class Standing(enum.StrEnum):
    """Where an object stands beside the ledger's states."""

    EXPECTED = "expected"
    """It changed a short while ago; its message may be on the way."""
    GONE = "gone"
    """The ledger has its output, the bucket has it no longer; the removal is asked for."""
    UNACCOUNTED = "unaccounted"
    VANISHED = "vanished"
    """It is converted, and an output of it is gone. Only where outputs are looked at, as what follows."""
    ALTERED = "altered"
    """It is converted, and somebody has written over an output of it."""


WORTH_A_LOOK = frozenset({State.FAILED, State.QUARANTINED, State.WAITING, State.IN_FLIGHT})
"""States of which a report tells more than an index carries: how many rows, how often, why."""

AUDIT_COLUMNS = (
    *("sync", "key", "standing", "size", "etag", "ledger_etag", "modified", "age_seconds"),
    *("attempts", "rows_read", "rows_written", "rows_quarantined", "rows_filtered"),
    *("error", "message", "lost_outputs"),
)
"""The columns of the report, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """One object: ``standing`` is a state of the ledger or a Standing; ``request`` is what would settle it, if any.

    ``lost`` are the outputs that are not as they were written; only a run that somebody asks for writes them again.
    """

    key: str
    standing: State | Standing
    listed: ListedObject | None
    entry: Entry | None
    request: Request | None
    lost: tuple[LostOutput, ...] = ()

    def row(self, sync: str, now: datetime, whole: Entry | None) -> dict[str, object]:
        """The report's row: what is not known is None; ``age_seconds`` is since the object changed or work began.

        ``entry`` is what an index carries; ``whole`` is all of it, where that was asked for.
        """
        row: dict[str, object] = dict.fromkeys(AUDIT_COLUMNS)
        row.update(sync=sync, key=self.key, standing=str(self.standing))
        if self.listed is not None:
            row.update(size=self.listed.size, etag=self.listed.etag, modified=self.listed.modified)
        if self.entry is not None:
            row.update(ledger_etag=self.entry.version.etag)
        since = self._since(whole)
        if since is not None:
            row.update(age_seconds=round((now - since).total_seconds()))
        if self.lost:
            row.update(lost_outputs=" ".join(str(output.ref) for output in self.lost))
        if whole is not None:
            row.update(_to_cells(whole))
        return row

    def _since(self, whole: Entry | None) -> datetime | None:
        """When its work began, of what is in flight; else when the object changed."""
        if whole is not None and self.standing is State.IN_FLIGHT:
            return whole.started
        if self.listed is None:
            return None
        return self.listed.modified


def _to_cells(entry: Entry) -> dict[str, object]:
    """What a report has of a whole entry."""
    cells: dict[str, object] = {
        "attempts": entry.attempts,
        "rows_read": entry.rows.read,
        "rows_written": entry.rows.written,
        "rows_quarantined": entry.rows.quarantined,
        "rows_filtered": entry.rows.filtered,
    }
    if entry.failure is not None:
        cells |= {"error": entry.failure.error, "message": entry.failure.message}
    return cells


@dataclass(frozen=True, slots=True, kw_only=True)
class Auditor:
    """Joins a listing with the ledger, in flat memory."""

    planner: Planner
    stores: Stores | Mapping[str, ObjectStore]
    index: WholeLedger
    grace: timedelta = GRACE
    outputs: OutputChecker | None = None

    def audit(self, sync: ActiveSync, now: datetime) -> Iterator[Audited]:
        """Every object of the sync's source, and every entry whose object is gone, in the order of their keys.

        A model's build, whose entry lies under the folder's key, is one of them.
        """
        audited = self._audit(sync, now)
        if self.outputs is None:
            return audited
        return in_order(partial(_look_at_outputs, self.outputs), audited, workers=_HEADS_AT_ONCE, ahead=_HEADS_AT_ONCE)

    def _audit(self, sync: ActiveSync, now: datetime) -> Iterator[Audited]:
        folder = sync.folder
        listed = self.stores[sync.source_connection].list(folder.bucket, folder.prefix)
        entries = entries_below(self.index.of_sync(sync.name), folder)
        for pair in join_by_key(listed, entries):
            if not concerns(self.planner, sync.name, pair.ref):
                if pair.entry is not None and self._is_build(pair.entry):
                    # The index does not say since when a build waits, or why it failed.
                    whole = self.index.get(sync.name, pair.ref)
                    yield _audit_build(pair.key, whole or pair.entry, now)
                continue
            difference = compare_planned(self.planner, sync.name, pair, now)
            standing = self._find_standing(difference, pair, now)
            if standing is None:
                continue
            request = None
            if difference is not None:
                request = Request(change=difference.change, sync=sync.name)
            yield Audited(key=pair.key, standing=standing, listed=pair.listed, entry=pair.entry, request=request)

    def _is_build(self, entry: Entry) -> bool:
        plans = self.planner.plan(entry.source, only=entry.sync)
        return any(isinstance(plan, Build) for plan in plans)

    def _find_standing(self, difference: Difference | None, pair: Pair, now: datetime) -> State | Standing | None:
        """Where an object stands; None: it is gone and has left nothing."""
        if pair.listed is None:
            return Standing.GONE if difference else None
        if difference is None and pair.entry is not None:
            return pair.entry.state
        # Its event may still be on its way.
        if pair.listed.modified > now - self.grace:
            return Standing.EXPECTED
        return Standing.UNACCOUNTED


def _audit_build(key: str, entry: Entry, now: datetime) -> Audited:
    """A build's entry; one that is stuck is unaccounted, and asked for again."""
    if not is_stuck(entry, now):
        return Audited(key=key, standing=entry.state, listed=None, entry=entry, request=None)
    change = ObjectChange(kind=ChangeKind.CREATED, ref=entry.source)
    request = Request(change=change, sync=entry.sync)
    return Audited(key=key, standing=Standing.UNACCOUNTED, listed=None, entry=entry, request=request)


def _look_at_outputs(checker: OutputChecker, audited: Audited) -> Audited:
    """With the outputs that are lost, of what is converted."""
    if audited.entry is None or audited.standing not in DONE:
        return audited
    lost = checker.find_lost(audited.entry)
    if not lost:
        return audited
    # Of several lost outputs one that is gone says more than one that was written over.
    has_vanished = any(output.loss is Loss.VANISHED for output in lost)
    return replace(audited, lost=lost, standing=Standing.VANISHED if has_vanished else Standing.ALTERED)
