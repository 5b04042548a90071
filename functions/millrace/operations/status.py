"""What the ledger says as a whole: counts by sync and state, and the newest failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from millrace.ledger.entries import NEEDS_ATTENTION, Entry, State, time_of
from millrace.ledger.stores import LedgerIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """``counts`` by sync and state; ``failures``, newest first; ``in_flight``, the longest first.

    ``last_hour`` is how much was finished in it, whatever came of it.
    """

    counts: dict[str, Counter[State]]
    failures: tuple[Entry, ...]
    in_flight: tuple[Entry, ...]
    last_hour: int = 0


def read_status(index: LedgerIndex, *, now: datetime, days: int, sync: str | None, newest: int) -> Status:
    """Ask for what finished in the last ``days`` UTC days, and for all that needs attention however old."""
    entries = _read_entries(index, _list_days(now, days), sync)
    return summarise(entries, newest=newest, since=now - timedelta(hours=1))


def _read_entries(index: LedgerIndex, days: Iterable[str], sync: str | None) -> Iterator[Entry]:
    """The entries of one sync, or of all, from both indexes: an entry may come twice."""
    finished = map(index.finished_on, days)
    pending = map(index.needing_attention, sorted(NEEDS_ATTENTION))
    for entry in chain.from_iterable(chain(finished, pending)):
        if sync in (None, entry.sync):
            yield entry


def summarise(entries: Iterable[Entry], *, newest: int, since: datetime) -> Status:
    """Count each entry once, whichever index it came from; memory grows with failures and syncs, not with entries."""
    counts: dict[str, Counter[State]] = {}
    attention: dict[tuple[str, str], Entry] = {}
    finished_lately = 0
    for entry in entries:
        is_seen = (entry.sync, str(entry.source)) in attention
        finished_lately += entry.finished is not None and entry.finished >= since and not is_seen
        if entry.state in NEEDS_ATTENTION:
            # One entry may come from both indexes, and is counted once: the key of an object keeps one of them.
            attention[entry.sync, str(entry.source)] = entry
        else:
            _count(counts, entry)
    for entry in attention.values():
        _count(counts, entry)
    failed = _in_state(attention.values(), State.FAILED)
    in_flight = _in_state(attention.values(), State.IN_FLIGHT)
    newest_first = sorted(failed, key=_sort_time, reverse=True)
    longest_first = sorted(in_flight, key=_sort_time)
    return Status(
        counts=counts,
        failures=tuple(newest_first[:newest]),
        in_flight=tuple(longest_first),
        last_hour=finished_lately,
    )


def _count(counts: dict[str, Counter[State]], entry: Entry) -> None:
    counts.setdefault(entry.sync, Counter())[entry.state] += 1


def _in_state(entries: Iterable[Entry], state: State) -> list[Entry]:
    return [entry for entry in entries if entry.state is state]


def _sort_time(entry: Entry) -> str:
    """The end of its work, or the beginning where it goes on; "" sorts before every time."""
    time = time_of(entry)
    return time.isoformat() if time else ""


def _list_days(now: datetime, days: int) -> Iterator[str]:
    """Today and the days before it, as ``2026-11-28``."""
    for back in range(days):
        yield f"{now - timedelta(days=back):%Y-%m-%d}"
