"""What is told of runs that people and schedules ask for: comparisons and reprocesses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from millrace.config.notices import Notify
from millrace.mappings import get_fields
from millrace.notices.levels import Levels
from millrace.notices.telling import Send
from millrace.operations.asked_runs import AskedRun
from millrace.operations.checkpoints import Checkpoint, Counts

if TYPE_CHECKING:
    from millrace.notices.events import Event, SyncEvent

_ASKED_TRIGGER = "somebody asked for it"


@dataclass(frozen=True, slots=True)
class RunTeller:
    """Tells of runs as each sync's ``notify`` asks, by ``send``; what that needs is loaded when there is something."""

    deployment: str
    levels: Levels
    send: Send

    def wants_comparison(self, sync: str, counts: Counts) -> bool:
        """Whether the end of a comparison is told: that something is amiss, or every end."""
        chosen = self.levels.of_sync(sync)
        return chosen.includes(Notify.FAILURES if _is_amiss(counts) else Notify.RUNS)

    def wants_runs(self, sync: str) -> bool:
        """Whether the beginning of a comparison is told, and that a sync has caught up."""
        return self.levels.of_sync(sync).includes(Notify.RUNS)

    def tell_beginning(self, checkpoint: Checkpoint) -> None:
        """Tell that the comparison of a sync has begun. Raises MillraceError."""
        from millrace.notices import events as made  # noqa: PLC0415 - see the class

        sync, begun = checkpoint.sync, checkpoint.begun
        if begun is None:
            return
        event = made.RunStarted(
            **self._identify(made.RunStarted, sync, begun.isoformat(), begun),
            run=_name_run(checkpoint),
            kind=made.RunKind.RECONCILE,
            trigger="the sync's schedule, or somebody asked for it",
            counts={},
        )
        self._send_wanted(sync, [event])

    def tell_comparison(self, checkpoint: Checkpoint) -> None:
        """Tell of the last whole comparison of a sync. Raises MillraceError."""
        if checkpoint.completed is not None:
            self._send_wanted(checkpoint.sync, list(self._of_comparison(checkpoint, checkpoint.completed)))

    def _of_comparison(self, checkpoint: Checkpoint, ended: datetime) -> Iterator[Event]:
        """That it has ended; then what it has found, where there is something to say of it."""
        from millrace.notices import events as made  # noqa: PLC0415 - see the class

        counts = checkpoint.last
        identify = partial(self._identify, sync=checkpoint.sync, mark=ended.isoformat(), time=ended)
        kind = made.RunCompletedWithErrors if _is_amiss(counts) else made.RunCompleted
        yield kind(
            **identify(kind),
            run=_name_run(checkpoint),
            kind=made.RunKind.RECONCILE,
            counts=asdict(counts),
            seconds=(ended - checkpoint.begun).total_seconds() if checkpoint.begun else None,
        )
        if checkpoint.caught_up_since is not None:
            yield made.SyncCaughtUp(
                **identify(made.SyncCaughtUp), since=checkpoint.caught_up_since, objects=counts.compared
            )
        if counts.unaccounted:
            yield made.Unaccounted(**identify(made.Unaccounted), count=counts.unaccounted)

    def tell_reprocess(self, run: AskedRun) -> None:
        """Tell that objects are asked for again. Raises MillraceError."""
        if not self.wants_runs(run.sync):
            return
        from millrace.notices import events as made  # noqa: PLC0415 - see the class

        event = made.RunStarted(
            **self._identify(made.RunStarted, run.sync, run.run_id, run.started),
            run=run.run_id,
            kind=made.RunKind.REPROCESS,
            trigger=_ASKED_TRIGGER,
            counts={"asked": run.counts.asked},
        )
        self.send([event])

    def tell_reprocess_end(self, run: AskedRun) -> None:
        """Tell that all that was asked for is settled, or that nobody knows of the rest. Raises MillraceError."""
        from millrace.notices import events as made  # noqa: PLC0415 - see the class

        ended, counts = run.finished, run.counts
        if ended is None:
            return
        kind = made.RunCompletedWithErrors if run.is_amiss else made.RunCompleted
        event = kind(
            **self._identify(kind, run.sync, run.run_id, ended),
            run=run.run_id,
            kind=made.RunKind.REPROCESS,
            trigger=_ASKED_TRIGGER,
            counts=get_fields(counts, "asked", "done", "failed", "waiting", "open"),
            seconds=(ended - run.started).total_seconds(),
        )
        self._send_wanted(run.sync, [event])

    def _identify(self, kind: type[SyncEvent], sync: str, mark: str, time: datetime) -> dict[str, Any]:
        """What every event of a sync has; the same ``mark`` of the same kind is the same event, sent again."""
        from millrace.notices.events import to_id  # noqa: PLC0415 - see the class

        event_id = to_id(kind.name, self.deployment, sync, mark)
        return {"id": event_id, "time": time, "deployment": self.deployment, "sync": sync}

    def _send_wanted(self, sync: str, said: list[Event]) -> None:
        chosen = self.levels.of_sync(sync)
        wanted = [event for event in said if chosen.includes(event.level)]
        if wanted:
            self.send(wanted)


def _name_run(checkpoint: Checkpoint) -> str:
    """The run's name, the same in all of its events. A comparison of an earlier version wrote no beginning down."""
    time = checkpoint.begun or checkpoint.completed
    return f"{checkpoint.sync} {time.isoformat() if time else ''}".strip()


def _is_amiss(counts: Counts) -> bool:
    """Whether news was lost, or outputs are gone: what a comparison is there to find, and nobody should see."""
    return bool(counts.unaccounted or counts.vanished)
