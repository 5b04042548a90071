"""The time of an invocation: when a conversion is given up."""

from __future__ import annotations

from collections.abc import Callable

from millrace.errors import OutOfTime, TooBig
from millrace.ledger.claims import Delivery

STOP_SECONDS = 15.0
"""What is left of an invocation when a conversion is given up, to abort the upload and to settle."""
_FULL_RUN = 0.8
"""Of an invocation's time. What had more of it, and was not done, has no better chance with another start."""


def stop_seconds(timeout_seconds: float) -> float:
    """How much of an invocation is left when its work is given up; less of one that is short."""
    return min(STOP_SECONDS, timeout_seconds / 4)


def time_limit(source: object, delivery: Delivery, timeout_seconds: float) -> Callable[[int], None]:
    """A check that stops a conversion before its invocation ends; what had nearly all the time there is, is too big."""
    had = delivery.remaining()

    def check(rows: int) -> None:
        if delivery.remaining() > stop_seconds(timeout_seconds):
            return
        problem = f"{source} was read up to row {rows:,} when the time of the invocation ran out"
        if had < timeout_seconds * _FULL_RUN:
            raise OutOfTime(f"{problem}; it starts again with more time")
        raise TooBig(
            f"{problem} after {had:.0f} s: it is more than one invocation can do. Give the function more memory (it "
            "gets processors in proportion), or split the object, then reprocess it"
        )

    return check
