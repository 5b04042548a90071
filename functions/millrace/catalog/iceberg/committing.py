"""The committer: brings Iceberg tables to what the ledger says of the objects that it is asked to look at.

The table is loaded first, and the ledger is read then. So of two committers, or of one that was believed to be dead,
the one whose commit comes second has either seen the first one's snapshot and a ledger that is as new, or it loses::

    committer A   loads t7, reads fence 3 ................................ commits on t7: loses, begins again
    committer B        loads t7, reads fence 4, commits t8 on t7

It keeps nothing: killed at any moment, it leaves a table that is as it was or as it should be, and its messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from millrace.catalog.iceberg.commits import UnitState, decide_change, find_lost_fence
from millrace.catalog.iceberg.messages import CommitRequest
from millrace.catalog.iceberg.tables import (
    IcebergCatalog,
    IcebergPlace,
    IcebergTable,
    LiveFile,
    TableChange,
    find_place,
)
from millrace.catalog.tables import CatalogName, CatalogRefused, demand_owner
from millrace.errors import DataError, LostRace, MessageError, ObjectGone
from millrace.ledger.entries import Entry
from millrace.objects.output_names import digest_unit
from millrace.objects.references import ObjectRef
from millrace.planning.planner import Planner

_TRIES = 8
LEAST_SECONDS = 20.0
"""What must be left of an invocation to begin with another table."""


class EntryReader(Protocol):
    """The ledger, as far as the committer reads it."""

    def get(self, sync: str, source: ObjectRef, /) -> Entry | None:
        """An entry as it was last put."""
        ...


@dataclass(slots=True, kw_only=True)
class CommitReport:
    """What became of a batch of messages, by their places in it.

    ``failed`` come back. ``refused`` cannot be done whenever they come, and are for somebody to look at. A ``repeat``
    is a message whose object the table had already as it should be.
    """

    failed: dict[int, str] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    commits: int = 0
    files: int = 0
    conflicts: int = 0
    repeats: int = 0

    @property
    def metrics(self) -> Mapping[str, int]:
        """Counts by the names that the metrics have."""
        return {
            "Commits": self.commits,
            "CommittedFiles": self.files,
            "CommitConflicts": self.conflicts,
            "CommitRepeats": self.repeats,
            "CommitFailures": len(self.failed),
            "CommitRefused": len(self.refused),
        }

    def to_log(self) -> dict[str, object]:
        """Counts, and the reasons by the messages' places."""
        reasons = {**self.failed, **self.refused}
        return {**self.metrics, **({"reasons": reasons} if reasons else {})}


@dataclass(slots=True)
class _TableWork:
    """What is asked for of one table: requests, each with the places of its messages."""

    place: IcebergPlace
    requests: dict[CommitRequest, list[int]] = field(default_factory=dict)

    def drop(self, request: CommitRequest, reason: str, reasons: dict[int, str]) -> None:
        """Leave a request out, for a reason."""
        for index in self.requests.pop(request):
            reasons[index] = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Committer:
    """Commits; ``database`` is that of syncs which name none. ``wait`` is called after the n-th conflict in a row."""

    planner: Planner
    ledger: EntryReader
    catalog: IcebergCatalog
    database: str
    wait: Callable[[int], None] = lambda _conflicts: None

    def commit(self, bodies: Sequence[str], remaining: Callable[[], float]) -> CommitReport:
        """Do what the messages ask for: one snapshot for each table, whatever their number."""
        report = CommitReport()
        for work in self._sort(bodies, report).values():
            if remaining() < LEAST_SECONDS:
                self._give_up(work, "too little is left of the invocation", report)
                continue
            try:
                self._commit_table(work, report)
            except CatalogRefused as refused:
                for request in list(work.requests):
                    work.drop(request, str(refused), report.refused)
            except Exception as error:  # noqa: BLE001 - one table's trouble is its own: its messages come back
                self._give_up(work, f"{type(error).__name__}: {error}", report)
        return report

    def _sort(self, bodies: Sequence[str], report: CommitReport) -> dict[tuple[str | None, CatalogName], _TableWork]:
        """The messages by their tables."""
        tables: dict[tuple[str | None, CatalogName], _TableWork] = {}
        for index, body in enumerate(bodies):
            try:
                request = CommitRequest.parse(body)
            except MessageError as error:
                report.refused[index] = str(error)
                continue
            place = find_place(self.planner, request.sync, request.source, self.database)
            if place is None:
                report.refused[index] = (
                    f"sync {request.sync!r} has no Iceberg table of {request.source} by this configuration; deploy the "
                    "one that has it and redrive the message, or delete it"
                )
                continue
            work = tables.setdefault(place.catalogued, _TableWork(place))
            work.requests.setdefault(request, []).append(index)
        return tables

    def _give_up(self, work: _TableWork, reason: str, report: CommitReport) -> None:
        for request in list(work.requests):
            work.drop(request, reason, report.failed)

    def _commit_table(self, work: _TableWork, report: CommitReport) -> None:
        """Raises LostRace if others were quicker again and again."""
        for conflicts in range(1, _TRIES + 1):
            try:
                self._commit_once(work, report)
            except LostRace:
                report.conflicts += 1
                self.wait(conflicts)
                continue
            return
        raise LostRace(f"table {work.place.name} was changed by others {_TRIES} times in a row")

    def _commit_once(self, work: _TableWork, report: CommitReport) -> None:
        """Raises LostRace if the table was changed by another since it was loaded."""
        table = self.catalog.load(work.place)
        # A table is made for its first output: before that nobody knows a column of it.
        if table is None and self._has_outputs(work):
            self.catalog.create(work.place)
            table = self.catalog.load(work.place)
        if table is None:
            report.repeats += sum(map(len, work.requests.values()))
            return
        demand_owner(table.owner, work.place.name, str(work.place.location), work.place.owner)
        change = self._decide(table, work, report)
        if not change.is_empty:
            table.commit(change)
            report.commits += 1
            report.files += len(change.add)
        # What changes nothing is in the table already: its message came twice, or a later one was quicker.
        changed = {unit for unit, _fence in change.units}
        report.repeats += sum(1 for request in work.requests if _unit_of(request) not in changed)

    def _has_outputs(self, work: _TableWork) -> bool:
        """Whether there is something to make a table of."""
        states = map(self._read_state, work.requests)
        return any(state is not None and state.outputs for state in states)

    def _read_state(self, request: CommitRequest) -> UnitState | None:
        entry = self.ledger.get(request.sync, request.source)
        return UnitState.of(entry) if entry is not None else None

    def _decide(self, table: IcebergTable, work: _TableWork, report: CommitReport) -> TableChange:
        """The commit for all objects that have no trouble of their own; the others are left as the table has them."""
        live = table.find_files(set(map(_unit_of, work.requests)))
        states = []
        for request in list(work.requests):
            # After the table: see above.
            state = self._read_state(request)
            files = live.get(_unit_of(request), ())
            problem = _find_problem(request, state, files) or self._check_outputs(table, state, files)
            if problem is not None:
                work.drop(request, problem, report.refused)
            elif state is not None:
                states.append(state)
        return decide_change(states, live, table.name_file)

    def _check_outputs(self, table: IcebergTable, state: UnitState | None, files: Sequence[LiveFile]) -> str | None:
        """Why an object's new files cannot be files of the table; None if they can."""
        names = {file.name for file in files}
        for output in state.outputs if state is not None else ():
            if table.name_file(output) in names:
                continue
            try:
                table.check(output)
            except ObjectGone:
                return f"{output.ref} is gone, though the ledger names it; reprocess the object"
            except (CatalogRefused, DataError) as refused:
                return str(refused)
        return None


def _unit_of(request: CommitRequest) -> str:
    return digest_unit(request.sync, request.source)


def _find_problem(request: CommitRequest, state: UnitState | None, files: Sequence[LiveFile]) -> str | None:
    """Why nothing can be said of an object; None if the ledger says what the table should have of it."""
    if state is None:
        return f"the ledger knows nothing of {request.source} (sync {request.sync!r}); run millrace rebuild"
    newest = find_lost_fence(state, files)
    if newest is None:
        return None
    return (
        f"the table has a file of {request.source} (sync {request.sync!r}) of fence {newest}, and the ledger is at "
        f"{state.fence}: it has lost entries. The table stays as it is; run millrace rebuild, then reprocess the object"
    )
