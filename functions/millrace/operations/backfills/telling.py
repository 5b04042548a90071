"""What is told of backfills: their beginning and their end, after the board says so, and at least once.

The board says what was told of each. So the schedule that looks after backfills tells what a killed function left.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from millrace.config.notices import Notify
from millrace.errors import LostRace
from millrace.operations.backfills.board import Backfill, BackfillState, BackfillStore
from millrace.operations.run_events import RunTeller

if TYPE_CHECKING:
    from millrace.notices.events import RunEvent

BEGUN = "begun"
ENDED = "ended"
_FORGOTTEN = timedelta(days=1)
"""What ended before is not told any more: it is of a version that told nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillTeller:
    """Tells of backfills as each sync's ``notify`` asks."""

    backfills: BackfillStore
    runs: RunTeller
    now: Callable[[], datetime]

    def tell_all(self) -> None:
        """Tell what is untold, and write it down. Raises MillraceError: the next call tells it then."""
        board = self.backfills.board()
        changed = board
        for row in board.backfills:
            told = self._tell(row)
            if told != row.told:
                changed = replace(changed.with_row(replace(row, told=told)), revision=board.revision + 1)
        if changed != board:
            # Somebody has changed the board meanwhile: what was told is told once more, with the same ids.
            with suppress(LostRace):
                self.backfills.put_board(changed)

    def _tell(self, row: Backfill) -> str | None:
        """What has been told of it then."""
        if row.told == ENDED or (row.told is None and self._is_old(row)):
            return row.told
        if row.told is None:
            self._send(row, Notify.RUNS, has_ended=False)
        if row.is_active:
            return BEGUN
        self._send(row, Notify.FAILURES if _is_amiss(row) else Notify.RUNS, has_ended=True)
        return ENDED

    def _is_old(self, row: Backfill) -> bool:
        return row.finished is not None and self.now() - row.finished > _FORGOTTEN

    def _send(self, row: Backfill, level: Notify, *, has_ended: bool) -> None:
        """Send an event if the sync asks for those of its level."""
        if self.runs.levels.of_sync(row.sync).includes(level):
            self.runs.send([self._to_event(row, has_ended=has_ended)])

    def _to_event(self, row: Backfill, *, has_ended: bool) -> RunEvent:
        from millrace.notices import events as made  # noqa: PLC0415 - most calls tell nothing

        ended = row.finished if has_ended else None
        kind = _find_kind(row) if has_ended else made.RunStarted
        return kind(
            id=made.to_id(kind.name, self.runs.deployment, row.name),
            time=ended or row.started,
            deployment=self.runs.deployment,
            sync=row.sync,
            run=row.name,
            kind=made.RunKind.BACKFILL,
            trigger="somebody asked for it",
            counts={} if ended is None else asdict(row.counts),
            seconds=None if ended is None else (ended - row.started).total_seconds(),
        )


def _find_kind(row: Backfill) -> type[RunEvent]:
    """The event of its end."""
    from millrace.notices import events as made  # noqa: PLC0415 - most calls tell nothing

    if row.state is BackfillState.STOPPED:
        return made.RunFailed
    return made.RunCompletedWithErrors if _is_amiss(row) else made.RunCompleted


def _is_amiss(row: Backfill) -> bool:
    """Whether something was left out: somebody gave it up, objects failed, or nobody knows what became of them."""
    return row.state is BackfillState.STOPPED or bool(row.counts.failed or row.counts.open)
