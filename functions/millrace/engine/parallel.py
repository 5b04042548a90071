"""Work on several processors at once, given back in order: what is done ahead is bounded, and nothing outlives its use.

Arrow releases the interpreter while it parses, casts and encodes, so threads are enough.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import chain, islice
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


def processors() -> int:
    """How many processors this process may use: those that it is pinned to, if the system says so."""
    if hasattr(os, "sched_getaffinity"):
        # A container may see 64 processors and be pinned to two: threads for all would only wait for each other.
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Threads:
    """Threads for at most ``most`` works at once, begun with the first that needs one; none on one processor."""

    def __init__(self, name: str, *, workers: int | None, most: int) -> None:
        count = workers or processors()
        self._name = name
        self.count = 0
        if count > 1:
            self.count = min(count, most)
        self._pool: ThreadPoolExecutor | None = None
        self._own = set[int]()

    def begin(self, work: Callable[[], R], *, may_be_alone: bool) -> Future[R]:
        """Begin with some work; what may be all there is needs no thread, unless there is one already."""
        # Most objects are small, and one block: to begin and end a thread costs more than to parse 10 kB.
        if not self.count or (may_be_alone and self._pool is None):
            done = Future[R]()
            done.set_result(work())
            return done
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.count, self._name, initializer=self._note_own)
        return self._pool.submit(work)

    def end(self, *, forgets: bool = False) -> None:
        """Wait for what is being worked on, so that it reads nothing closed, and for what waits or forget that."""
        if self._pool is not None:
            # Python collects a forgotten generator in whatever thread it is at, and no thread can wait for itself.
            self._pool.shutdown(wait=threading.get_ident() not in self._own, cancel_futures=forgets)

    def _note_own(self) -> None:
        self._own.add(threading.get_ident())


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
    threads, pending, rest = _Threads("parallel", workers=count, most=count), deque[Future[R]](), iter(items)
    beginning = list(islice(rest, 2))
    try:
        for item in chain(beginning, rest):
            pending.append(threads.begin(partial(work, item), may_be_alone=len(beginning) < 2))
            if len(pending) >= count + ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        threads.end(forgets=True)


class SharedWork(Protocol[R_co]):
    """Work that as many threads as ``helpers`` may do together: each calls ``work`` once, and does what is left."""

    @property
    def helpers(self) -> int:
        """How many threads at most can be of use."""
        ...

    def work(self) -> None:
        """Do what no other thread has begun, until nothing of it is left."""
        ...

    def finish(self) -> R_co:
        """What came of it; called in one thread, when all calls of ``work`` have ended."""
        ...


class WorkAhead(Generic[R]):
    """Works on several things at once, each begun when it is given; the results come back in that order.

    ``workers`` (None: as many as there are processors, at most ``most``) threads work at once, several of them on one
    thing if that can be shared. With one worker there is no thread: what is given is done at once. Threads end when
    this object is forgotten, or by ``close``.
    """

    def __init__(self, *, workers: int | None = None, most: int) -> None:
        self._threads = _Threads("ahead", workers=workers, most=most)
        self._pending: deque[tuple[SharedWork[R], list[Future[None]]]] = deque()

    def begin(self, shared: SharedWork[R], *, may_be_alone: bool = False) -> None:
        """Begin with the next; what may be alone is done at once if there is no thread yet."""
        helpers = max(1, min(shared.helpers, self._threads.count))
        futures = [self._threads.begin(shared.work, may_be_alone=may_be_alone) for _ in range(helpers)]
        self._pending.append((shared, futures))

    def results(self, *, room: int = 0) -> Iterator[R]:
        """The next results: those that are there, and so many more that ``room`` threads have nothing to do.

        With no ``room`` nothing waits for a thread.
        """
        while self._pending and (self._is_above(self._threads.count - room) or self._is_first_done()):
            yield self._take_next()

    def _is_above(self, most: int) -> bool:
        return sum(len(futures) for _, futures in self._pending) > most

    def _is_first_done(self) -> bool:
        return all(future.done() for future in self._pending[0][1])

    def close(self) -> Iterator[R]:
        """All results that are left."""
        while self._pending:
            yield self._take_next()
        self._threads.end()

    def _take_next(self) -> R:
        shared, futures = self._pending.popleft()
        for future in futures:
            future.result()
        return shared.finish()


class BackgroundWork(Generic[T]):
    """Does work on items one after the other, in another thread than the one that gives them.

    ``room`` bounds the weight of the items that wait or are worked on; one item alone may weigh more. An error of the
    work rises at the next ``put`` or when the with statement ends, and no later item is worked on. Leaving by an error
    forgets what waits; either way nothing is being worked on afterwards. With one worker (None: as many as there are
    processors), or one item, there is no thread: the newest item waits for the next one, or for the end.
    """

    def __init__(self, work: Callable[[T], None], *, room: int, workers: int | None = None) -> None:
        self._work = work
        self._room = room
        self._held = 0
        self._newest: tuple[T, int] | None = None
        self._pending: deque[tuple[Future[None], int]] = deque()
        self._failed = False
        self._threads = _Threads("background", workers=workers, most=1)

    def put(self, item: T, weight: int) -> None:
        """Give the next item; waits until there is room for it."""
        if not self._threads.count:
            self._work(item)
            return
        self._begin_newest(is_last=False)
        # What is done is settled first, whether there is room or not: an error of it must stop the next item.
        while self._pending and (self._held + weight > self._room or self._pending[0][0].done()):
            self._settle()
        self._held += weight
        self._newest = (item, weight)

    def _begin_newest(self, *, is_last: bool) -> None:
        if self._newest is None:
            return
        (item, weight), self._newest = self._newest, None
        future = self._threads.begin(partial(self._work_unless_failed, item), may_be_alone=is_last)
        self._pending.append((future, weight))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._begin_newest(is_last=True)
            while self._pending and kind is None:
                self._settle()
        finally:
            self._newest = None
            self._threads.end(forgets=True)

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
