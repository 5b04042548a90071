"""The backfill function's events: what a person, the schedule, or the function itself asks it to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from millrace.errors import MillraceError, TransientError, UsageError
from millrace.operations.backfills.board import Backfill
from millrace.operations.backfills.listing import BackfillLister
from millrace.operations.backfills.progress import read_progress
from millrace.operations.backfills.steering import BackfillOrder, BackfillSteering, is_concurrency
from millrace.operations.backfills.telling import BackfillTeller
from millrace.operations.following import RunFollower
from millrace.operations.reprocess import never_ends
from millrace.wording import join_names

_ACTIONS = ("start", "pause", "resume", "stop", "tend", "list")


@dataclass(frozen=True, slots=True)
class BackfillActions:
    """Does what an event asks for."""

    steering: BackfillSteering
    lister: BackfillLister
    teller: BackfillTeller | None = None
    follower: RunFollower | None = None

    def perform(self, event: Mapping[str, Any], remaining: Callable[[], float] = never_ends) -> dict[str, Any]:
        """What came of it, for programs. Raises UsageError for an event that makes no sense, or cannot be done now.

        What began or ended by it is told; if that cannot be, the schedule's next call does it. The schedule's calls
        look after reprocesses, too.
        """
        answer = self._perform(event, remaining)
        if self.teller is not None and event["action"] != "list":
            with suppress(MillraceError):
                self.teller.tell_all()
        if self.follower is not None and event["action"] == "tend":
            with suppress(MillraceError):
                self.follower.tend()
        return answer

    def _perform(self, event: Mapping[str, Any], remaining: Callable[[], float]) -> dict[str, Any]:
        match event.get("action"):
            case "start":
                return self._start(BackfillOrder.parse(event))
            case "pause":
                return self._report(self.steering.pause(_parse_sync(event)))
            case "resume":
                return self._report(self.steering.resume(_parse_sync(event), _parse_concurrency(event)))
            case "stop":
                return self._report(self.steering.stop(_parse_sync(event)))
            case "tend":
                return {"backfills": [progress.to_json() for progress in self.steering.tend()]}
            case "list":
                return self._list(event, remaining)
            case action:
                accepted = join_names(_ACTIONS, before_last="or")
                raise UsageError(f"action is {action!r}; expected {accepted}")

    def _start(self, order: BackfillOrder) -> dict[str, Any]:
        """Begin one, unless its inventory can't be read: its listing would fail again and again, and never end."""
        if order.inventory is not None:
            self.lister.demand_inventory(order.sync, order.inventory)
        return self._report(self.steering.start(order))

    def _report(self, row: Backfill) -> dict[str, Any]:
        return read_progress(self.steering.backfills, row, self.steering.now()).to_json()

    def _list(self, event: Mapping[str, Any], remaining: Callable[[], float]) -> dict[str, Any]:
        """What the function has called itself for."""
        name, range_name = str(event["backfill"]), str(event["range"])
        try:
            end = self.lister.run(name, range_name, remaining)
        except TransientError:
            raise
        except MillraceError as error:
            # The schedule tries again every five minutes, which may never help: whoever looks has to see why.
            self.steering.note_trouble(name, str(error))
            raise
        self.steering.note_trouble(name, None)
        self.steering.go_on(name, range_name, end, int(event["calls_left"]))
        return {"backfill": name, "range": range_name, "end": str(end)}


def _parse_sync(event: Mapping[str, Any]) -> str:
    sync = event.get("sync")
    if not isinstance(sync, str) or not sync:
        raise UsageError(f"sync is {sync!r}; expected the name of a sync")
    return sync


def _parse_concurrency(event: Mapping[str, Any]) -> int | None:
    concurrency = event.get("concurrency")
    if not is_concurrency(concurrency):
        raise UsageError(f"concurrency is {concurrency!r}; expected a whole number from 2 to 1,000")
    return concurrency
