"""Follows reprocesses to their ends, and tells of them: after the ledger's table says so, and at least once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from millrace.config.notices import Notify
from millrace.errors import LostRace, UsageError
from millrace.ledger.entries import LONGEST_WAIT
from millrace.ledger.races import retry_lost_race
from millrace.operations.asked_runs import MOST_RUNS, AskedRun, AskedRunStore, RunTickets
from millrace.operations.backfills.board import BackfillCounts, PortionResult
from millrace.operations.run_events import RunTeller

_TRIES = 10
"""The list of a deployment's runs is one item, which others write to as well."""
_ABANDONED_AFTER = timedelta(days=1)
"""A run that was not asked for to its end is no run: whoever called for it would have called again."""
_LOST_AFTER = LONGEST_WAIT + timedelta(days=1)
"""No message is as old: what is not accounted for by then never will be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFollower:
    """Keeps the runs of syncs that ask to be told of runs. ``results`` are what workers noted of a run's portions."""

    store: AskedRunStore
    results: Callable[[str, Sequence[str]], Iterator[PortionResult]]
    runs: RunTeller
    now: Callable[[], datetime]

    def begin_call(self, sync: str, run_id: str, start_after: str) -> RunTickets | None:
        """The tickets for what a call asks for; None if nobody wants to be told of the run.

        Raises UsageError if the run cannot be followed.
        """
        if not self.runs.levels.of_sync(sync).includes(Notify.FAILURES):
            return None
        now = self.now()
        board = self.store.asked_runs()
        begun = AskedRun(run_id=run_id, sync=sync, started=now)
        there = board.find(begun.name)
        if there is None and len(board.runs) >= MOST_RUNS:
            raise UsageError(
                f"the ends of {MOST_RUNS} reprocesses are waited for already; of this one's nobody is told"
            )
        run = there or begun
        if run.is_asked or run.reached != start_after:
            raise UsageError(
                f"run {run_id} has reached {run.reached!r}, and this call begins behind {start_after!r}: of its end"
                " nobody is told"
            )
        # A call that was killed has sent tickets, too, of other objects: those of this one have other names.
        return RunTickets(run, f"{len(run.calls)}-{now:%Y%m%dT%H%M%S%f}")

    def end_call(self, tickets: RunTickets, *, reached: str, is_asked: bool) -> None:
        """Keep what a call has asked for; if that was all, tell that the run has begun. Raises MillraceError."""
        run = tickets.to_run(reached=reached, is_asked=is_asked)

        def put() -> None:
            board = self.store.asked_runs()
            # At a second try the row may be there: the answer to the put was lost.
            if board.find(run.name) not in {tickets.before, run, None}:
                raise UsageError(f"run {run.run_id} was carried on by another call meanwhile")
            self.store.put_asked_runs(board.with_run(run))

        retry_lost_race(put, tries=_TRIES, problem=f"the list of reprocesses was changed by others {_TRIES} times")
        if is_asked:
            self.tell()

    def tend(self) -> None:
        """Write down which runs have ended, and tell what is untold. Raises MillraceError: the next call goes on."""
        board = self.store.asked_runs()
        judged = [self._judge(run) for run in board.runs if not self._is_abandoned(run)]
        if tuple(judged) != board.runs:
            # Somebody has changed the list meanwhile: the next call judges again.
            with suppress(LostRace):
                self.store.put_asked_runs(board.with_runs(judged))
        self.tell()

    def tell(self) -> None:
        """Tell what the list says and others do not know yet, and write that down. Raises MillraceError."""
        board = self.store.asked_runs()
        left = list[AskedRun]()
        for run in board.runs:
            left += self._tell(run)
        if tuple(left) != board.runs:
            # Changed meanwhile: what was told is told once more, with the same ids.
            with suppress(LostRace):
                self.store.put_asked_runs(board.with_runs(left))

    def _tell(self, run: AskedRun) -> list[AskedRun]:
        """The run as it is to be kept then; nothing of one whose end is told."""
        if not run.is_asked:
            return [run]
        if not run.is_begin_told:
            self.runs.tell_reprocess(run)
        if run.finished is None:
            return [replace(run, is_begin_told=True)]
        self.runs.tell_reprocess_end(run)
        return []

    def _judge(self, run: AskedRun) -> AskedRun:
        """The run as it should be: finished, if all that it asked for is settled or lost."""
        if not run.is_asked or run.finished is not None:
            return run
        counts = BackfillCounts(asked=run.counts.asked)
        for result in self.results(run.name, run.portion_names()):
            counts += result.to_counts()
        if counts.open and self.now() - run.started < _LOST_AFTER:
            return run
        return replace(run, counts=counts, finished=self.now())

    def _is_abandoned(self, run: AskedRun) -> bool:
        return not run.is_asked and self.now() - run.started > _ABANDONED_AFTER
