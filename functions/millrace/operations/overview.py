"""How far behind each sync is, of a ledger of any size: what is read is limited, and what was not read is said."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, islice, takewhile

from millrace.ledger.entries import Entry, State, is_at_work, time_of
from millrace.ledger.stores import LedgerPages

MOST_READ = 2000
"""Entries that are read of each state, and of the last hour."""
_HOUR = timedelta(hours=1)
_SHOWN_IN_FLIGHT = 5


@dataclass(frozen=True, slots=True)
class BoundedCount:
    """A number; ``is_exact`` is False where reading ended before the entries did."""

    number: int = 0
    is_exact: bool = True

    def __str__(self) -> str:
        return f"{self.number:,}" if self.is_exact else f"{self.number:,} or more"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncLoad:
    """One sync; ``abandoned`` are in flight under a lease that ran out: their worker died, and the next takes over.

    ``an_hour`` is how many objects an hour are finished, by what finished in the last hour or the newest part of it.
    """

    sync: str
    in_flight: tuple[Entry, ...]
    abandoned: int
    failed: BoundedCount
    waiting: BoundedCount
    last_hour: BoundedCount
    an_hour: float

    @property
    def shown_in_flight(self) -> tuple[Entry, ...]:
        """The first few, the longest first."""
        return self.in_flight[:_SHOWN_IN_FLIGHT]


@dataclass(frozen=True, slots=True)
class _StateReading:
    """The newest entries of a state or of the last hour, and whether these are all."""

    entries: tuple[Entry, ...] = field(default=())
    is_whole: bool = True

    def of_sync(self, sync: str) -> list[Entry]:
        """Those of one sync."""
        return [entry for entry in self.entries if entry.sync == sync]

    def count(self, sync: str) -> BoundedCount:
        """How many are of one sync."""
        return BoundedCount(len(self.of_sync(sync)), self.is_whole)


def read_loads(pages: LedgerPages, syncs: Collection[str], *, now: datetime, most: int = MOST_READ) -> list[SyncLoad]:
    """The load of each sync, the configuration's first; those that only the ledger knows come after them."""
    in_flight = _read(pages.newest_in_state(State.IN_FLIGHT), most)
    failed = _read(pages.newest_in_state(State.FAILED), most)
    waiting = _read(pages.newest_in_state(State.WAITING), most)
    hour = _read(_finished_since(pages, now - _HOUR, now), most)
    seconds = _seconds_covered(hour, now)
    loads = []
    for sync in _list_syncs(syncs, (in_flight, failed, waiting, hour)):
        at_work = sorted(in_flight.of_sync(sync), key=_begin_of)
        last_hour = hour.count(sync)
        loads.append(
            SyncLoad(
                sync=sync,
                in_flight=tuple(at_work),
                abandoned=sum(not is_at_work(entry, now) for entry in at_work),
                failed=failed.count(sync),
                waiting=waiting.count(sync),
                last_hour=last_hour,
                an_hour=last_hour.number * 3600 / seconds,
            )
        )
    return loads


def _read(entries: Iterator[Entry], most: int) -> _StateReading:
    read = tuple(islice(entries, most))
    return _StateReading(read, is_whole=next(entries, None) is None)


def _finished_since(pages: LedgerPages, since: datetime, now: datetime) -> Iterator[Entry]:
    """What finished since then, the newest first; an hour may begin on the day before."""
    days = dict.fromkeys(f"{moment:%Y-%m-%d}" for moment in (now, since))
    finished = chain.from_iterable(map(pages.newest_finished, days))
    return takewhile(_is_finished_since(since), finished)


def _is_finished_since(since: datetime) -> Callable[[Entry], bool]:
    def is_late(entry: Entry) -> bool:
        return entry.finished is not None and entry.finished >= since

    return is_late


def _seconds_covered(hour: _StateReading, now: datetime) -> float:
    """The hour, or the part of it that was read: 2,000 that finished within a minute are 120,000 an hour."""
    if hour.is_whole:
        return _HOUR.total_seconds()
    oldest = hour.entries[-1].finished or now
    return max(1.0, (now - oldest).total_seconds())


def _list_syncs(syncs: Collection[str], readings: Iterable[_StateReading]) -> list[str]:
    seen: set[str] = set()
    for reading in readings:
        seen |= {entry.sync for entry in reading.entries}
    return [*sorted(syncs), *sorted(seen - set(syncs))]


def _begin_of(entry: Entry) -> str:
    moment = entry.started or time_of(entry)
    return moment.isoformat() if moment else ""
