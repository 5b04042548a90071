"""Conditional writes that others may win: read, decide and write again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from millrace.errors import LostRace

T = TypeVar("T")


def retry_lost_race(attempt: Callable[[], T], *, tries: int, problem: str) -> T:
    """The result of an attempt that reads and writes, tried again after each LostRace.

    Raises LostRace with ``problem`` if others are quicker ``tries`` times in a row.
    """
    for _ in range(tries):
        try:
            return attempt()
        except LostRace:
            continue
    raise LostRace(problem)
