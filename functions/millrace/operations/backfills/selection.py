"""Which objects a backfill asks for: those that the ledger does not have settled with this configuration."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice

from millrace.engine.parallel import in_order
from millrace.errors import UsageError
from millrace.ledger.entries import DONE, Entry, State
from millrace.ledger.stores import WholeLedger
from millrace.mappings import leave_out_none
from millrace.objects.references import ChangeKind, ObjectChange
from millrace.objects.store import ListedObject, ObjectStore
from millrace.operations.backfills.board import BackfillCounts
from millrace.operations.comparison import Pair, compare_pair, entries_below, join_by_key
from millrace.planning.planner import ActiveSync, Planner
from millrace.planning.plans import Build, Ignored, Plan, SourceFile
from millrace.texts import quote_for_shell

READERS = 16
"""Entries of the ledger that are read side by side."""
_AHEAD = 256
"""Candidates that are looked at together: their entries are read side by side before the first of them is judged."""


class Selected(enum.StrEnum):
    """What a backfill does with an object."""

    ASKED = "asked"
    KNOWN = "known"
    """It is converted with this configuration, or somebody works on it."""
    FAILED_BEFORE = "failed before"
    """The same bytes failed with this configuration: `millrace reprocess --state failed` tries them again."""
    IGNORED = "ignored"
    """It is not for the sync."""


@dataclass(frozen=True, slots=True)
class Looked:
    """One object of a listing; ``place`` is where the listing goes on behind it."""

    place: str
    selected: Selected
    change: ObjectChange

    def to_counts(self) -> BackfillCounts:
        """Count it."""
        is_asked = self.selected is Selected.ASKED
        return BackfillCounts(
            compared=1,
            known=self.selected is Selected.KNOWN,
            failed_before=self.selected is Selected.FAILED_BEFORE,
            ignored=self.selected is Selected.IGNORED,
            asked=is_asked,
            size=(self.change.size or 0) if is_asked else 0,
        )


@dataclass(frozen=True, slots=True)
class _ListedPlace:
    """A listed object, its place, and what the ledger's index has of it."""

    place: str
    listed: ListedObject
    entry: Entry | None

    def find_settled(self, fingerprint: str) -> Selected | None:
        """What the index alone says of an object that was converted, or failed, with this configuration."""
        entry = self.entry
        if entry is None or entry.version.etag != self.listed.etag or entry.fingerprint != fingerprint:
            return None
        if entry.state in DONE:
            return Selected.KNOWN
        return Selected.FAILED_BEFORE if entry.state is State.FAILED else None

    def judged(self, selected: Selected) -> Looked:
        listed = self.listed
        change = ObjectChange(kind=ChangeKind.CREATED, ref=listed.ref, etag=listed.etag, size=listed.size)
        return Looked(self.place, selected, change)


def sum_counts(looked: Iterable[Looked]) -> BackfillCounts:
    """The counts of objects together."""
    return sum((item.to_counts() for item in looked), start=BackfillCounts())


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillSelection:
    """Looks at the objects of one sync, by what a listing and the ledger's index say of them.

    An entry is read whole only if it is of another configuration: the index does not say if that made a difference.
    """

    planner: Planner
    ledger: WholeLedger
    sync: ActiveSync
    now: Callable[[], datetime]
    readers: int = READERS

    def look_at_bucket(self, store: ObjectStore, prefix: str, *, after: str = "") -> Iterator[Looked]:
        """Every object below a prefix behind the key ``after``, in the order of the keys' UTF-8 bytes."""
        folder = self.sync.folder
        listed = store.list(folder.bucket, prefix, start_after=after)
        # The index gives what is behind a key: the prefix itself may be one.
        entries = self.ledger.of_sync(self.sync.name, after=after or prefix[:-1])
        pairs = join_by_key(listed, _end_behind(entries_below(entries, folder), prefix))
        return self._judge_all(_to_candidates(pairs), self._is_of_another_configuration)

    def look_at_objects(self, listed: Iterable[tuple[str, ListedObject]]) -> Iterator[Looked]:
        """Objects in any order, each with its place: the ledger is read once for each."""
        candidates = (_ListedPlace(place, item, None) for place, item in listed)
        return self._judge_all(candidates, _has_no_entry)

    def _judge_all(
        self, candidates: Iterable[_ListedPlace], needs_whole: Callable[[_ListedPlace, Plan], bool]
    ) -> Iterator[Looked]:
        """Judge in the same order; entries that must be read whole are read several at once, some hundreds ahead.

        Planning takes longer than all else, and what is settled needs no plan: all of a sync have one fingerprint.
        """
        rest, fingerprint = iter(candidates), ""
        while chunk := list(islice(rest, _AHEAD)):
            plans: dict[str, Plan] = {}
            for each in chunk:
                plan = None if each.find_settled(fingerprint) else self._find_plan(each.listed)
                if plan is not None:
                    plans[each.place] = plan
                    fingerprint = plan.fingerprint
            whole = self._read_entries(chunk, plans, needs_whole)
            for each in chunk:
                selected = each.find_settled(fingerprint) or self._select(each, plans, whole)
                yield each.judged(selected)

    def _read_entries(
        self,
        chunk: Iterable[_ListedPlace],
        plans: Mapping[str, Plan],
        needs_whole: Callable[[_ListedPlace, Plan], bool],
    ) -> dict[str, Entry]:
        """The entries that must be read whole, by the places of their objects; one that is gone by now is missing."""
        asked = [each for each in chunk if each.place in plans and needs_whole(each, plans[each.place])]
        read = partial(self.ledger.get, self.sync.name)
        entries = in_order(read, (each.listed.ref for each in asked), workers=self.readers, ahead=self.readers)
        by_place = {each.place: entry for each, entry in zip(asked, entries, strict=True)}
        return leave_out_none(by_place)

    def _select(self, candidate: _ListedPlace, plans: Mapping[str, Plan], whole: Mapping[str, Entry]) -> Selected:
        plan = plans.get(candidate.place)
        if plan is None:
            return Selected.IGNORED
        return self._compare(candidate.listed, whole.get(candidate.place, candidate.entry), plan)

    def _is_of_another_configuration(self, candidate: _ListedPlace, plan: Plan) -> bool:
        """Whether the index does not say enough: it has no shape."""
        entry = candidate.entry
        if entry is None:
            return False
        return entry.version.etag == candidate.listed.etag and entry.fingerprint != plan.fingerprint

    def _find_plan(self, listed: ListedObject) -> Plan | None:
        """What becomes of an object alone; None if the sync leaves it out."""
        for plan in self.planner.plan(listed.ref, only=self.sync.name):
            if isinstance(plan, Ignored):
                return None
            if isinstance(plan, Build | SourceFile):
                raise _refuse_folder(self.sync)
            return plan
        return None

    def _compare(self, listed: ListedObject, entry: Entry | None, plan: Plan) -> Selected:
        if entry is None or compare_pair(Pair(listed.ref, listed, entry), self.now()) is not None:
            return Selected.ASKED
        # Of items without a shape nobody knows if another output would be written now, so it may be.
        if entry.fingerprint != plan.fingerprint and entry.shape != plan.shape:
            return Selected.ASKED
        match entry.state:
            case State.FAILED:
                return Selected.FAILED_BEFORE
            case State.WAITING if listed.is_readable:
                return Selected.ASKED
            case _:
                return Selected.KNOWN


def _has_no_entry(candidate: _ListedPlace, _plan: Plan) -> bool:
    return candidate.entry is None


def demand_divisible(sync: ActiveSync) -> None:
    """Raise UsageError for a sync that makes one table of all files of its folder."""
    if sync.is_one_table:
        raise _refuse_folder(sync)


def _refuse_folder(sync: ActiveSync) -> UsageError:
    return UsageError(
        f"sync {sync.name!r} makes one table of all files of a folder, so that there is nothing to divide into "
        f"requests; make the table with: millrace reprocess {quote_for_shell(sync.name)}"
    )


def _to_candidates(pairs: Iterable[Pair]) -> Iterator[_ListedPlace]:
    """What is in the bucket; an entry alone is of an object that is gone, which no backfill asks for."""
    for pair in pairs:
        if pair.listed is not None:
            yield _ListedPlace(pair.key, pair.listed, pair.entry)


def _end_behind(entries: Iterable[Entry], prefix: str) -> Iterator[Entry]:
    """The entries below a prefix: a sync may have millions behind it, which nobody needs to read."""
    for entry in entries:
        key = entry.source.key
        if key.startswith(prefix):
            yield entry
        elif key.encode() > prefix.encode():
            return
