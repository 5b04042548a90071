"""Work on several processors at once, given back in order: what is done ahead is bounded, and nothing outlives its use.

Arrow releases the interpreter while it parses, casts and encodes, so threads are enough.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def processors() -> int:
    """How many processors this process may use: those that it is pinned to, if the system says so."""
    if hasattr(os, "sched_getaffinity"):
        # A container may see 64 processors and be pinned to two: threads for all would only wait for each other.
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(
    work: Callable[[T], R], items: Iterable[T], *, workers: int | None = None, ahead: int = 1
) -> Generator[R, None, None]:
    """The results of ``work`` on each item, in the items' order; an error rises when it is its item's turn.

    ``workers`` (None: as many as there are processors) items are worked on at once and ``ahead`` more wait or are
    done, so at most ``workers + ahead`` items and results are held. Items are pulled in the caller's thread. With one
    worker, or one item, nothing is done ahead and there is no thread. Closing the generator waits for what is being
    worked on.
    """
    count = workers or processors()
    if count <= 1:
        yield from map(work, items)
        return
    rest = iter(items)
    # Most objects are small, and one block: to begin and end a thread costs more than to parse 10 kB.
    beginning = list(islice(rest, 2))
    if len(beginning) < 2:
        yield from map(work, beginning)
        return
    pending: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(max_workers=count, thread_name_prefix="parallel")
    try:
        for item in chain(beginning, rest):
            pending.append(pool.submit(work, item))
            if len(pending) >= count + ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            # What runs already cannot be cancelled: the pool's end waits for it, so that no thread reads what is
            # closed.
            future.cancel()
        pool.shutdown()


class WorkAhead(Generic[R]):
    """Works on several things at once, each begun when it is given; the results come back in that order.

    ``workers`` (None: as many as there are processors, at most ``most``) are worked on at once. With one worker there
    is no thread: what is given is done at once. Threads end when this object is forgotten, or by ``close``.
    """

    def __init__(self, *, workers: int | None = None, most: int) -> None:
        self._workers = min(workers or processors(), most)
        self._pending: deque[Future[R]] = deque()
        self._pool: ThreadPoolExecutor | None = None

    def begin(self, work: Callable[[], R], *, is_last: bool = False) -> None:
        """Begin with the next; the last is done at once if it is the only one."""
        if self._workers <= 1 or (is_last and self._pool is None):
            done = Future[R]()
            done.set_result(work())
            self._pending.append(done)
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(max_workers=self._workers, thread_name_prefix="ahead")
        self._pending.append(self._pool.submit(work))

    def results(self) -> Iterator[R]:
        """The next results: those that are there, and so many more that there is room for one to begin."""
        while self._pending and (len(self._pending) >= self._workers or self._pending[0].done()):
            yield self._pending.popleft().result()

    def close(self) -> Iterator[R]:
        """All results that are left."""
        while self._pending:
            yield self._pending.popleft().result()
        if self._pool is not None:
            self._pool.shutdown()


class BackgroundWork(Generic[T]):
    """Does work on items one after the other, in another thread than the one that gives them.

    ``room`` bounds the weight of the items that wait or are worked on; one item alone may weigh more. An error of the
    work rises at the next ``put`` or when the with statement ends, and no later item is worked on. Leaving by an error
    forgets what waits; either way nothing is being worked on afterwards. With one worker (None: as many as there are
    processors), or one item, there is no thread: the first item waits for the second, or for the end.
    """

    def __init__(self, work: Callable[[T], None], *, room: int, workers: int | None = None) -> None:
        self._work = work
        self._room = room
        self._held = 0
        self._pending: deque[tuple[Future[None], int]] = deque()
        self._failed = False
        self._has_thread = (workers or processors()) > 1
        self._first: tuple[T, int] | None = None
        self._thread: ThreadPoolExecutor | None = None

    def put(self, item: T, weight: int) -> None:
        """Give the next item; waits until there is room for it."""
        if not self._has_thread:
            self._work(item)
        elif self._thread is not None:
            self._submit(self._thread, item, weight)
        elif self._first is None:
            self._first = (item, weight)
        else:
            (first, weight_of_first), self._first = self._first, None
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="background")
            self._submit(self._thread, first, weight_of_first)
            self._submit(self._thread, item, weight)

    def _submit(self, thread: ThreadPoolExecutor, item: T, weight: int) -> None:
        # What is done is settled first, whether there is room or not: an error of it must stop the next item.
        while self._pending and (self._held + weight > self._room or self._pending[0][0].done()):
            self._settle()
        self._held += weight
        self._pending.append((thread.submit(self._work_unless_failed, item), weight))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        try:
            if self._first is not None and kind is None:
                self._work(self._first[0])
            while self._pending and kind is None:
                self._settle()
        finally:
            self._first = None
            if self._thread is not None:
                self._thread.shutdown(cancel_futures=True)

    def _settle(self) -> None:
        future, weight = self._pending.popleft()
        self._held -= weight
        future.result()

    def _work_unless_failed(self, item: T) -> None:
        if self._failed:
            return
        try:
            self._work(item)
        except BaseException:
            # Set in the worker's thread, at once: items that wait behind must not be worked on before the caller hears
            # of it.
            self._failed = True
            raise
