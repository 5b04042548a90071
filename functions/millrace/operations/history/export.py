"""A day of the ledger's finished work to one Parquet file, replaced whole.

The ledger keeps the last work of each object alone. So an object that is converted again on the next day leaves the
day before; the row that was exported by then stays::

    Monday 10:00     a.csv is converted
    Monday 23:50     Monday is exported: a.csv 10:00
    Tuesday 00:20    a.csv is converted again: for the ledger it is Tuesday's now
    Tuesday 00:50    Monday is exported again: nothing of a.csv is in the ledger, and the row of 10:00 stays

Of work on one object that ended twice on one day, the last is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any, Protocol

from millrace.errors import MillraceError, OutOfTime, TargetChanged, UsageError, WriteConflict
from millrace.ledger.entries import Entry
from millrace.ledger.stores import LedgerIndex
from millrace.objects.references import ObjectRef
from millrace.objects.store import ListedObject, ObjectStore
from millrace.operations.history.days import day_of, place_of, read_day, write_day
from millrace.operations.history.work import FINISHED, Billing, FinishedWork

DUE = "due"
"""What a schedule asks for: the day that ends or has just ended, and days before it that are missing."""
_LOOK_BACK = 7
"""Days that are looked for, and exported if they are missing: a week without a working schedule loses nothing."""
_STOP_SECONDS = 20.0
"""What is left of an invocation when no further day is begun."""
_PORTION = 500
"""Rows between two looks at the time that is left."""


class WholeEntries(Protocol):
    """Entries of the ledger, many at a time."""

    def get_many(self, sources: Iterable[tuple[str, ObjectRef]]) -> Iterator[Entry]:
        """Those that are there of the named ones, by sync and source, in any order."""
        ...


class HistoryLedger(LedgerIndex, WholeEntries, Protocol):
    """What finished on a day, and the entries themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayReport:
    """A day that was exported: its rows, and how many of them were there before and are the ledger's no more."""

    day: str
    rows: int
    kept: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """The days that a call wrote, those that it deleted as too old, and what went wrong with others."""

    days: tuple[DayReport, ...]
    deleted: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The answer of the function."""
        days = {report.day: {"rows": report.rows, "kept": report.kept} for report in self.days}
        return {"exported": days, "deleted": list(self.deleted), "problems": list(self.problems)}


def parse_export(event: object) -> str:
    """A UTC day, or ``DUE``. Raises: UsageError."""
    if event == DUE:
        return DUE
    try:
        return str(date.fromisoformat(str(event)))
    except ValueError:
        raise UsageError(f'history is {event!r}; expected "{DUE}", or a UTC day such as "2026-11-28"') from None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryExporter:
    """Writes days below ``home``, a folder whose key ends in a slash; ``keep_days`` None keeps them for ever."""

    ledger: HistoryLedger
    store: ObjectStore
    home: ObjectRef
    billing: Billing
    now: Callable[[], datetime]
    keep_days: int | None = None

    def run(self, asked: str, remaining: Callable[[], float]) -> ExportReport:
        """Export the day that is asked for, or all that is due; a day's trouble does not stop the next.

        Raises: OutOfTime if there was too little time for a day: nothing of it is visible.
        """
        if asked != DUE:
            return ExportReport(days=(self.export(asked, remaining),))
        reports, problems = [], []
        there = self._list_days()
        for day in self._find_due(there):
            try:
                reports.append(self.export(day, remaining))
            except OutOfTime:
                raise
            except MillraceError as error:
                problems.append(f"{day}: {error}")
        return ExportReport(days=tuple(reports), deleted=self._delete_old(there), problems=tuple(problems))

    def _list_days(self) -> dict[str, ListedObject]:
        """The files of days that there are."""
        days = {}
        for listed in self.store.list(self.home.bucket, self.home.key):
            day = day_of(self.home, listed.ref)
            if day is not None:
                days[day] = listed
        return days

    def _find_due(self, there: Mapping[str, ListedObject]) -> Iterator[str]:
        """Yesterday, and late in the evening today; before them, what is missing of the last days, or in part."""
        now = self.now()
        for back in range(_LOOK_BACK, 1, -1):
            day = f"{now - timedelta(days=back):%Y-%m-%d}"
            if day not in there or not _is_whole(day, there[day]):
                yield day
        yield f"{now - timedelta(days=1):%Y-%m-%d}"
        # An hour before midnight the day is exported as far as it has come: what ends twice around midnight has a row
        # in both days then.
        if now.hour == 23:
            yield f"{now:%Y-%m-%d}"

    def _delete_old(self, there: Mapping[str, ListedObject]) -> tuple[str, ...]:
        if self.keep_days is None:
            return ()
        oldest = f"{self.now() - timedelta(days=self.keep_days):%Y-%m-%d}"
        old = sorted(day for day in there if day < oldest)
        for day in old:
            self.store.delete(there[day].ref)
        return tuple(old)

    def export(self, day: str, remaining: Callable[[], float]) -> DayReport:
        """Replace the file of a day by what the ledger has of it, and by what only the file has.

        Raises: OutOfTime, TargetChanged if another export was quicker.
        """
        target = place_of(self.home, day)
        head = self.store.head(target)
        upload = self.store.upload(target, {})
        rows = _DayRows(self, day, remaining, target if head is not None else None)
        try:
            count = write_day(rows, upload)
            # A day without work has no file; it is looked at again until it is a week old.
            if count:
                upload.publish(expected=head.etag if head is not None else None, rows=count)
        except WriteConflict as conflict:
            raise TargetChanged(
                f"another export wrote {target} at the same time; the next one has it all"
            ) from conflict
        finally:
            upload.discard()
        return DayReport(day=day, rows=count, kept=rows.kept)

    def list_finished(self, day: str, remaining: Callable[[], float]) -> Iterator[FinishedWork]:
        """What the ledger has of a day, in the index's order."""
        stories = self.ledger.finished_on(day)
        while portion := list(islice(stories, _PORTION)):
            if remaining() < _STOP_SECONDS:
                raise OutOfTime(f"the history of {day} has more rows than one invocation can write")
            yield from complete_rows(portion, self.ledger, self.billing)


class _DayRows:
    """The rows of a day: the ledger's, then those of the file that the ledger has of that day no more."""

    def __init__(
        self, exporter: HistoryExporter, day: str, remaining: Callable[[], float], earlier: ObjectRef | None
    ) -> None:
        self._exporter = exporter
        self._day = day
        self._remaining = remaining
        self._earlier = earlier
        self.kept = 0

    def __iter__(self) -> Iterator[FinishedWork]:
        known = set()
        for work in self._exporter.list_finished(self._day, self._remaining):
            known.add(work.identity)
            yield work
        if self._earlier is None:
            return
        with self._exporter.store.open(self._earlier, tail_first=True) as opened:
            for work in read_day(opened.stream, self._earlier):
                if work.identity not in known:
                    self.kept += 1
                    yield work


def _is_whole(day: str, file: ListedObject) -> bool:
    """Whether a day's file was written when the day was over.

    For example: Monday was exported at 23:50, and the call of Tuesday 00:50 failed. From Wednesday on only this tells
    that the last ten minutes are missing.
    """
    midnight = datetime.combine(date.fromisoformat(day), time(tzinfo=UTC)) + timedelta(days=1)
    return file.modified >= midnight


def complete_rows(stories: Iterable[Entry], ledger: WholeEntries, billing: Billing) -> Iterator[FinishedWork]:
    """The rows of what an index shows, in its order, with what only the entries themselves say.

    The index lacks sizes and outputs. An entry that has begun other work since is shown as the index has it.
    """
    ended = list(filter(_has_ended, stories))
    whole: dict[tuple[str, ObjectRef], Entry] = {}
    for entry in ledger.get_many((story.sync, story.source) for story in ended):
        whole[entry.sync, entry.source] = entry
    for story in ended:
        entry = whole.get((story.sync, story.source), story)
        yield FinishedWork.of(entry if entry.finished == story.finished else story, billing)


def _has_ended(story: Entry) -> bool:
    return story.state in FINISHED and story.finished is not None
