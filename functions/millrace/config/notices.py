"""Who is told of what: each sync's ``notify``, and the webhooks."""

from __future__ import annotations

import enum

from pydantic import Field

from millrace.config.base import ours


class Notify(enum.StrEnum):
    """Which events of a sync are sent, from the fewest to all."""

    NONE = "none"
    FAILURES = "failures"
    RUNS = "runs"
    OBJECTS = "objects"

    def includes(self, level: Notify) -> bool:
        """Whether events of a level are sent: each level has those of the levels before it."""
        return level is not Notify.NONE and _ORDER.index(level) <= _ORDER.index(self)


_ORDER = tuple(Notify)


def notify_field() -> Notify:
    """The field of a sync that chooses its events."""
    choice: Notify = Field(
        default=Notify.FAILURES,
        description="Which events are sent to EventBridge. none; failures: what failed or has rows put aside; runs:"
        " those, and the beginning and end of runs, builds and comparisons, and changes of tables; objects: those, and"
        " every object that is converted or removed.",
        examples=["runs"],
        json_schema_extra=ours(),
    )
    return choice
