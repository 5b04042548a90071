"""What the machine asks of a phase, and what a phase answers: a few small values, everything else is an object in S3.

The machine goes from phase to phase by the answers. Maps ask once for each item; their answers are thrown away, and
the single phase behind a map reads what the children left::

    plan ──► inflate ─► plan         gz, bz2, one-frame zst: frames of whole records first
      ├────► scan ───► split ──► survey
      └────► survey ─► join ───► convert ─► publish ──► done
                                    ▲          ├──► convert   the next round: a column is wider than the survey saw
                                    └──────────┤
                                               └──► settle ─► finish ──► done    a table of many files: their entries
    every single phase may answer `failed`: the entry is settled by then
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from millrace.errors import UsageError
from millrace.mappings import leave_out_none
from millrace.objects.references import ObjectRef

RUN_STOPPED = "RunStopped"
"""The name of what a run failed with that somebody stopped, or that took too long."""


class Phase(enum.StrEnum):
    """The steps of a big run, by the names in the machine's events."""

    PLAN = "plan"
    INFLATE = "inflate"
    SCAN = "scan"
    SPLIT = "split"
    SURVEY = "survey"
    JOIN = "join"
    CONVERT = "convert"
    PUBLISH = "publish"
    SETTLE = "settle"
    FINISH = "finish"
    FAIL = "fail"
    HEAL = "heal"


MAPS = frozenset({Phase.INFLATE, Phase.SCAN, Phase.SURVEY, Phase.CONVERT, Phase.SETTLE})
"""Phases that the machine asks for once for each item."""
AFTER_MAP = {
    Phase.INFLATE: Phase.PLAN,
    Phase.SCAN: Phase.SPLIT,
    Phase.SURVEY: Phase.JOIN,
    Phase.CONVERT: Phase.PUBLISH,
    Phase.SETTLE: Phase.FINISH,
}
"""The single phase that reads what a map's children left."""
DONE = "done"
FAILED = "failed"
"""Ends of a run, as ``PhaseOutcome.next`` names them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlace:
    """Where the objects of a run are: below ``home``, a key that ends in a slash, by the destination's connection.

    ``sync`` and ``source`` are of the entry that waits for the run. The order says so, too, as long as it is there.
    """

    run: str
    connection: str
    home: ObjectRef
    sync: str | None = None
    source: ObjectRef | None = None

    def to_input(self) -> dict[str, Any]:
        """The execution's input: ``{"run": ..., "order": {"connection": ..., "home": "s3://...", "sync": ...}}``."""
        source = str(self.source) if self.source is not None else None
        entry = leave_out_none({"sync": self.sync, "source": source})
        return {"run": self.run, "order": {"connection": self.connection, "home": str(self.home), **entry}}

    @classmethod
    def from_input(cls, event: Mapping[str, Any]) -> Self:
        """Read what ``to_input`` gave; raise UsageError for anything else."""
        try:
            order = event["order"]
            home = ObjectRef.parse(str(order["home"]))
            source = ObjectRef.parse(str(order["source"])) if "source" in order else None
            run, connection = str(event["run"]), str(order["connection"])
            return cls(run=run, connection=connection, home=home, sync=order.get("sync"), source=source)
        except (LookupError, TypeError) as error:
            raise UsageError(f"no event of a big run: {event!r} lacks {error}") from error

    def at(self, path: str) -> ObjectRef:
        """An object of the run: ``survey/0/00017.json``."""
        return ObjectRef(self.home.bucket, self.home.key + path)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseEvent:
    """One request of the machine.

    ``index`` is set in maps, ``error`` in ``fail``; ``status`` and ``execution``, the name of that which ended, in
    ``heal``.
    """

    phase: Phase
    place: RunPlace
    index: int = 0
    error: Mapping[str, Any] | None = None
    status: str | None = None
    execution: str | None = None

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """Read ``{"phase", "run", "order", "index"?, "error"?, "status"?}``; raise UsageError for anything else."""
        try:
            phase = Phase(str(event["phase"]))
        except (LookupError, ValueError) as error:
            raise UsageError(f"no event of a big run: {event!r}; the phases are {', '.join(Phase)}") from error
        return cls(
            phase=phase,
            place=RunPlace.from_input(event),
            index=int(event.get("index", 0)),
            error=event.get("error"),
            status=event.get("status"),
            execution=event.get("execution"),
        )


@dataclass(frozen=True, slots=True)
class PhaseOutcome:
    """A phase's answer: the next phase, DONE or FAILED; of a map that comes next, the items to ask for.

    ``wait``: so many seconds later, because others are at work on what the next phase needs.
    """

    next: str
    items: tuple[int, ...] = ()
    wait: int = 0

    def to_answer(self) -> dict[str, Any]:
        """As the machine reads it: ``{"next": "scan", "items": [0, 1, 2], "wait": 0}``; 10,000 items are 49 KB."""
        return {"next": str(self.next), "items": list(self.items), "wait": self.wait}
