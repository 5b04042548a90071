"""How far a backfill has come, at which rate, and when it may end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from millrace.mappings import leave_out_none
from millrace.operations.backfills.board import Backfill, BackfillCounts, BackfillStore, RangeTree
from millrace.texts import quote_for_shell
from millrace.wording import count_of

_SHOWN_AFTER_END = timedelta(days=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillProgress:
    """A backfill with its counts of now; ``ranges`` its listing is divided into, ``listed`` of them are done."""

    backfill: Backfill
    counts: BackfillCounts
    ranges: int
    listed: int
    now: datetime

    @property
    def is_listed(self) -> bool:
        """Whether all is listed and asked for."""
        return self.listed == self.ranges if self.backfill.is_active else self.backfill.is_listed

    @property
    def worked_seconds(self) -> float:
        """How long it has run, without its pauses."""
        row = self.backfill
        # One that was stopped in its pause worked until the pause began.
        end = row.paused_at or row.finished or self.now
        return max(0.0, (end - row.started).total_seconds() - row.paused_seconds)

    @property
    def rate(self) -> float:
        """Objects settled in a second, on average."""
        return self.counts.settled / self.worked_seconds if self.worked_seconds else 0.0

    @property
    def expected_end(self) -> datetime | None:
        """When all is settled at this rate; None if nobody can say, or nothing is left."""
        row = self.backfill
        # One that was stopped leaves requests open, and nobody does them.
        is_going_on = row.is_active and row.paused_at is None and self.is_listed
        if not is_going_on or not self.rate or not self.counts.open:
            return None
        return self.now + timedelta(seconds=self.counts.open / self.rate)

    def to_json(self) -> dict[str, Any]:
        """For programs; sizes in bytes, the rate in objects a second."""
        row, counts = self.backfill, self.counts
        fields = {
            "backfill": row.name,
            "sync": row.sync,
            "state": str(row.state),
            "prefix": row.prefix,
            "inventory": row.inventory,
            "started": row.started.isoformat(),
            "finished": row.finished.isoformat() if row.finished else None,
            "listed": self.is_listed,
            "compared": counts.compared,
            "known": counts.known,
            "failed_before": counts.failed_before,
            "ignored": counts.ignored,
            "asked": counts.asked,
            "bytes": counts.size,
            "done": counts.done,
            "failed": counts.failed,
            "waiting": counts.waiting,
            "open": counts.open,
            "rate": round(self.rate, 3),
            "expected_end": self.expected_end.isoformat() if self.expected_end else None,
            "most_waiting": row.most_waiting,
            "generation": row.generation,
            "trouble": row.trouble,
        }
        return leave_out_none(fields)


def read_progress(store: BackfillStore, backfill: Backfill, now: datetime) -> BackfillProgress:
    """Read the ranges and what is noted of their portions; of a backfill that has ended, its row says all."""
    if not backfill.is_active:
        return BackfillProgress(backfill=backfill, counts=backfill.counts, ranges=0, listed=0, now=now)
    tree = RangeTree.read(store, backfill)
    counts = BackfillCounts()
    portions: list[str] = []
    for key_range in tree.ranges:
        counts += key_range.counts
        portions += key_range.portion_names()
    for result in store.results(backfill.name, portions):
        counts += result.to_counts()
    listed = sum(key_range.is_listed for key_range in tree.ranges)
    total = _add_earlier(backfill.earlier, counts)
    return BackfillProgress(backfill=backfill, counts=total, ranges=len(tree.ranges), listed=listed, now=now)


def read_shown(store: BackfillStore, now: datetime) -> Iterator[BackfillProgress]:
    """Those that go on, and those that ended in the last two days."""
    for row in store.board().backfills:
        if row.finished is None or row.finished > now - _SHOWN_AFTER_END:
            yield read_progress(store, row, now)


def describe_progress(progress: BackfillProgress) -> str:
    """A backfill in a line for people."""
    row, counts = progress.backfill, progress.counts
    listed = "" if progress.is_listed else _describe_listing(progress)
    parts = [
        f"backfill of {row.sync}: {row.state}{listed}, {counts.done:,} of {counts.asked:,} done",
        f"{counts.failed:,} failed, {counts.known:,} were converted already",
    ]
    if counts.failed_before:
        command = f"millrace reprocess {quote_for_shell(row.sync)} --state failed"
        parts.append(f"{counts.failed_before:,} had failed before ({command})")
    if counts.waiting:
        parts.append(f"{counts.waiting:,} wait for a restore or a big run (millrace status)")
    if progress.rate:
        parts.append(f"{progress.rate:,.1f} objects a second")
    if progress.expected_end is not None:
        parts.append(f"expected end {progress.expected_end:%Y-%m-%d %H:%M} UTC")
    return "; ".join([*parts, *_describe_troubles(progress)])


def _describe_troubles(progress: BackfillProgress) -> Iterator[str]:
    """What somebody has to look at."""
    row = progress.backfill
    if row.trouble is not None and not progress.is_listed:
        yield f"listing failed: {row.trouble}"
    if progress.counts.open and not row.is_active:
        yield f"{progress.counts.open:,} not accounted for: begin it again"


def _describe_listing(progress: BackfillProgress) -> str:
    """How far a listing has come that is not done."""
    state = "still listing" if progress.backfill.is_active else "not all was listed"
    return f" ({state}: {count_of(progress.counts.compared, 'object')} so far)"


def _add_earlier(earlier: BackfillCounts, counts: BackfillCounts) -> BackfillCounts:
    """The counts of all generations: what a later one lists is what the first one listed, and is not counted twice."""
    if earlier == BackfillCounts():
        return counts
    asked = BackfillCounts(asked=counts.asked, done=counts.done, failed=counts.failed, waiting=counts.waiting)
    return earlier + asked


def as_next_generation(backfill: Backfill, counts: BackfillCounts) -> Backfill:
    """The row that lists all once more: what was lost is asked for again, and so counts as never asked for."""
    earlier = replace(counts, asked=counts.settled)
    return replace(backfill, generation=backfill.generation + 1, earlier=earlier, idle_since=None)
