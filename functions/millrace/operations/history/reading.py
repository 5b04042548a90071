"""The history as people ask for it: exported days, and what the ledger has of days that are not exported yet."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from itertools import islice

from millrace.errors import ObjectGone
from millrace.ledger.entries import Entry
from millrace.objects.references import ObjectRef
from millrace.objects.store import ObjectStore
from millrace.operations.history.days import place_of, read_day
from millrace.operations.history.export import HistoryLedger, complete_rows
from millrace.operations.history.work import Billing, FinishedWork

_PORTION = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryFilter:
    """Which works: those that ended from ``since`` to before ``until``; None means any.

    ``prefix`` is the beginning of a key, or of ``s3://bucket/key``.
    """

    since: datetime
    until: datetime
    sync: str | None = None
    state: str | None = None
    prefix: str | None = None

    def has(self, sync: str, state: str, ref: ObjectRef, finished: datetime) -> bool:
        """Whether a work is among them."""
        is_named = self.sync in {None, sync} and self.state in {None, state}
        return is_named and self.since <= finished < self.until and self._has_prefix(ref)

    def _has_prefix(self, ref: ObjectRef) -> bool:
        if self.prefix is None:
            return True
        text = str(ref) if self.prefix.startswith("s3://") else ref.key
        return text.startswith(self.prefix)

    def days(self) -> Iterator[str]:
        """The UTC days that they may lie on, the oldest first."""
        day = datetime.combine(self.since.astimezone(UTC).date(), time(tzinfo=UTC))
        while day < self.until:
            yield f"{day:%Y-%m-%d}"
            day += timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryStore:
    """Where exported days lie; ``home`` is a folder whose key ends in a slash."""

    store: ObjectStore
    home: ObjectRef


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryReader:
    """Reads days; without ``exported`` all that there is is the last work of each object, in the ledger."""

    ledger: HistoryLedger
    billing: Billing
    now: datetime
    exported: HistoryStore | None = None

    def read(self, wanted: HistoryFilter) -> Iterator[FinishedWork]:
        """The works, day by day, the oldest day first. No scan: a day is a file, or 16 queries of an index."""
        for day in wanted.days():
            yield from self._read_day(day, wanted)

    def _read_day(self, day: str, wanted: HistoryFilter) -> Iterator[FinishedWork]:
        known = set()
        with ExitStack() as stack:
            rows = self._open_file(day, stack)
            # The ledger goes first: of an object that ended twice it has the later work.
            if rows is None or self._may_have_changed(day):
                for work in self._read_ledger(day, wanted):
                    known.add(work.identity)
                    yield work
            for work in rows or ():
                if work.identity not in known and wanted.has(work.sync, work.state, work.ref, work.finished):
                    yield work

    def _may_have_changed(self, day: str) -> bool:
        """Whether the day may have got rows since it was exported: today, and yesterday, whose last export is due."""
        return day >= f"{self.now - timedelta(days=1):%Y-%m-%d}"

    def _open_file(self, day: str, stack: ExitStack) -> Iterator[FinishedWork] | None:
        if self.exported is None:
            return None
        ref = place_of(self.exported.home, day)
        try:
            opened = stack.enter_context(self.exported.store.open(ref, tail_first=True))
        except ObjectGone:
            return None
        return read_day(opened.stream, ref)

    def _read_ledger(self, day: str, wanted: HistoryFilter) -> Iterator[FinishedWork]:
        chosen = (story for story in self.ledger.finished_on(day) if _is_wanted(story, wanted))
        while portion := list(islice(chosen, _PORTION)):
            yield from complete_rows(portion, self.ledger, self.billing)


def _is_wanted(story: Entry, wanted: HistoryFilter) -> bool:
    return story.finished is not None and wanted.has(story.sync, str(story.state), story.source, story.finished)


class CostKey(enum.StrEnum):
    """By what costs are summed."""

    SYNC = "sync"
    PREFIX = "prefix"
    DAY = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class CostSum:
    """What works took together; of ``unknown`` of them, such as big runs, the functions' time is not in ``dollars``."""

    group: str
    works: int = 0
    rows_written: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    seconds: float = 0.0
    gigabyte_seconds: float = 0.0
    requests: int = 0
    dollars: float = 0.0
    unknown: int = 0

    def add(self, work: FinishedWork) -> CostSum:
        """With one more work."""
        return replace(
            self,
            works=self.works + 1,
            rows_written=self.rows_written + work.rows_written,
            bytes_read=self.bytes_read + (work.bytes_read or 0),
            bytes_written=self.bytes_written + work.bytes_written,
            seconds=self.seconds + work.seconds,
            gigabyte_seconds=self.gigabyte_seconds + (work.gigabyte_seconds or 0.0),
            requests=self.requests + work.requests,
            dollars=self.dollars + work.dollars,
            unknown=self.unknown + (work.gigabyte_seconds is None),
        )


def sum_costs(works: Iterable[FinishedWork], by: CostKey, *, depth: int = 1) -> list[CostSum]:
    """One sum for each sync, day, or folder of ``depth`` segments, the dearest first; days in their order."""
    sums: dict[str, CostSum] = {}
    for work in works:
        group = find_group(work, by, depth)
        sums[group] = sums.get(group, CostSum(group=group)).add(work)
    if by is CostKey.DAY:
        return [sums[day] for day in sorted(sums)]
    return sorted(sums.values(), key=lambda cost: (-cost.dollars, cost.group))


def find_group(work: FinishedWork, by: CostKey, depth: int = 1) -> str:
    """What a work is summed under; of ``s3://in/2026/11/a.csv`` and a depth of 1 that is ``s3://in/2026/``."""
    match by:
        case CostKey.SYNC:
            return work.sync
        case CostKey.DAY:
            return work.day
        case CostKey.PREFIX:
            ref = work.ref
            folders = ref.key.split("/")[:-1][:depth]
            return "".join(f"{part}/" for part in (f"s3://{ref.bucket}", *folders))
