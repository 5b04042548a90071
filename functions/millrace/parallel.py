"""Work on several processors at once, given back in order: what is done ahead is bounded, and nothing outlives its use.

Arrow releases the interpreter while it parses, casts and encodes, so threads are enough.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def processors() -> int:
    """How many processors this process may use: those that it is pinned to, where the system can tell."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(
    work: Callable[[T], R], items: Iterable[T], *, workers: int | None = None, ahead: int = 1
) -> Generator[R, None, None]:
    """The results of ``work`` on each item, in the items' order; an error rises in its place.

    ``workers`` (None: as many as there are processors) items are worked on at once and ``ahead`` more wait or are
    done, so at most ``workers + ahead`` items and results are held. Items are pulled in the caller's thread. With one
    worker nothing is done ahead and there is no thread. Closing the generator waits for what is being worked on.
    """
    count = processors() if workers is None else workers
    if count <= 1:
        yield from map(work, items)
        return
    pending: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(max_workers=count, thread_name_prefix="parallel")
    try:
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) >= count + ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()
        pool.shutdown()
