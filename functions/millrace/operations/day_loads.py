"""The load of each day, for a plot: works, rows, bytes, seconds and dollars, of no more works than are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice

from millrace.ledger.entries import State
from millrace.operations.history.reading import CostSum, HistoryFilter, HistoryReader

MOST_WORKS = 20_000
"""Works of a day that are read: with the ledger's 200 batches of a hundred entries, a few seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayLoad:
    """One UTC day; ``is_whole`` is False if the day has more works than were read."""

    day: date
    cost: CostSum
    states: Counter[str]
    is_whole: bool = True

    @property
    def failed(self) -> int:
        """How many failed."""
        return self.states[str(State.FAILED)]


def read_day_load(reader: HistoryReader, day: date, *, sync: str | None = None, most: int = MOST_WORKS) -> DayLoad:
    """Sum the works of a UTC day, of one sync or of all."""
    begin = datetime.combine(day, time(tzinfo=UTC))
    works = reader.read(HistoryFilter(since=begin, until=begin + timedelta(days=1), sync=sync))
    cost, states = CostSum(group=str(day)), Counter[str]()
    for work in islice(works, most):
        cost = cost.add(work)
        states[work.state] += 1
    return DayLoad(day=day, cost=cost, states=states, is_whole=next(works, None) is None)


def list_days(last: date, count: int) -> Iterable[date]:
    """``count`` days up to the last one, the oldest first."""
    for back in range(count - 1, -1, -1):
        yield last - timedelta(days=back)
