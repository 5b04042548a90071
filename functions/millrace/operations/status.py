"""What the ledger says as a whole: counts by sync and state, and the newest failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from millrace.ledger.entries import NEEDS_ATTENTION, Entry, State
from millrace.ledger.stores import LedgerIndex
from millrace.ledger.table_entries import is_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """``counts`` by sync and state; ``failures``, newest first; ``oldest_in_flight`` tells since when work runs."""

    counts: dict[str, Counter[State]]
    failures: tuple[Entry, ...]
    oldest_in_flight: Entry | None


def read_status(index: LedgerIndex, *, now: datetime, days: int, sync: str | None, newest: int) -> Status:
    """Ask for what finished in the last ``days`` UTC days, and for all that needs attention however old."""
    recent = chain.from_iterable(index.finished_on(day) for day in _days(now, days))
    pending = chain.from_iterable(map(index.needing_attention, sorted(NEEDS_ATTENTION)))
    return summarise((entry for entry in chain(recent, pending) if sync in (None, entry.sync)), newest=newest)


def summarise(entries: Iterable[Entry], *, newest: int) -> Status:
    """Count each entry once, whichever index it came from; memory grows with failures and syncs, not with entries."""
    counts: dict[str, Counter[State]] = {}
    attention: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        if is_table(entry.sync):
            continue
        if entry.state in NEEDS_ATTENTION:
            attention[entry.sync, str(entry.source)] = entry
        else:
            counts.setdefault(entry.sync, Counter())[entry.state] += 1
    for entry in attention.values():
        counts.setdefault(entry.sync, Counter())[entry.state] += 1
    failed = sorted((e for e in attention.values() if e.state is State.FAILED), key=_when, reverse=True)
    in_flight = (entry for entry in attention.values() if entry.state is State.IN_FLIGHT)
    oldest = min(in_flight, key=_when, default=None)
    return Status(counts=counts, failures=tuple(failed[:newest]), oldest_in_flight=oldest)


def _when(entry: Entry) -> str:
    when = entry.finished or entry.started
    return when.isoformat() if when else ""


def _days(now: datetime, days: int) -> Iterator[str]:
    for back in range(days):
        yield f"{now - timedelta(days=back):%Y-%m-%d}"
