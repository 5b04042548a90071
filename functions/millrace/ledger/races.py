"""Conditional writes that others may win: read, decide and write again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from millrace.errors import LostRace, WorkInFlight

T = TypeVar("T")


def retry_lost_race(attempt: Callable[[], T], *, tries: int, problem: str) -> T:
    """The result of an attempt that reads and writes, tried again after each LostRace.

    Raises LostRace with ``problem`` if others are quicker ``tries`` times in a row, and WorkInFlight at once as the
    attempt does: who waits for other work has lost no race, and an attempt that only waited is free.
    """
    for _ in range(tries):
        try:
            return attempt()
        except WorkInFlight:
            raise
        except LostRace:
            continue
    raise LostRace(problem)
