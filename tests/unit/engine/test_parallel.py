"""Work on several processors at once."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from itertools import chain

import pytest

from millrace.engine.parallel import WorkAhead, in_order, processors


def _slow_first(item: int) -> int:
    time.sleep(0.02 if item % 2 == 0 else 0)
    return item * 10


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_results_come_in_the_order_of_the_items(workers: int) -> None:
    """A later item that is done sooner waits for its turn."""
    assert list(in_order(_slow_first, range(9), workers=workers)) == [item * 10 for item in range(9)]


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_rises_in_its_place(workers: int) -> None:
    """What comes before an error is given first."""
    results = in_order(lambda item: 1 // (item - 2), range(5), workers=workers)

    assert [next(results), next(results)] == [-1, -1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_a_generator_may_be_closed_in_one_of_its_own_threads() -> None:
    """Python collects garbage in whatever thread it is at: to wait for that one raised a RuntimeError."""
    begun, closed = threading.Event(), threading.Event()

    def work(item: int) -> None:
        if item == 1:
            begun.wait(10)
            results.close()
            closed.set()

    results = in_order(work, range(9), workers=2, ahead=0)
    next(results)
    begun.set()

    assert closed.wait(10)


def test_no_more_items_are_pulled_than_are_held() -> None:
    """Two workers and one ahead: three items are in memory, whatever the consumer does."""
    pulled: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            pulled.append(item)
            yield item

    results = in_order(lambda item: item, items(), workers=2, ahead=1)
    next(results)

    assert len(pulled) == 3
    results.close()


def test_an_error_of_the_items_rises_and_leaves_no_thread() -> None:
    """Threads end with the generator, by whatever way."""

    def items() -> Iterator[int]:
        yield 1
        raise LookupError("no more")

    with pytest.raises(LookupError):
        list(in_order(lambda item: item, items(), workers=2, ahead=5))

    assert not [thread for thread in threading.enumerate() if thread.name.startswith("parallel")]


def test_there_is_a_processor() -> None:
    """As many as the process is pinned to."""
    assert processors() >= 1


def test_one_item_needs_no_thread() -> None:
    """To begin and end a thread costs more than to parse a small file."""
    here = threading.get_ident()

    assert list(in_order(lambda _: threading.get_ident(), [1], workers=4)) == [here]
    assert list(in_order(str, [], workers=4)) == []
    assert here not in set(in_order(lambda _: threading.get_ident(), [1, 2], workers=4))


class _SharedCells:
    """Cells that are filled with the thread that does it; two at once, if they wait for each other."""

    def __init__(self, helpers: int, *, meets: threading.Barrier | None = None) -> None:
        self.helpers = helpers
        self._remaining = deque(range(2))
        self._meets = meets
        self._threads = dict[int, int]()

    def work(self) -> None:
        while self._remaining:
            cell = self._remaining.popleft()
            if self._meets is not None:
                self._meets.wait(10)
            self._threads[cell] = threading.get_ident()

    def finish(self) -> list[int]:
        return [self._threads[cell] for cell in range(2)]


def test_the_last_of_what_is_worked_on_ahead_is_done_at_once_if_it_is_the_only_one() -> None:
    here = threading.get_ident()
    only, several = WorkAhead[list[int]](workers=2, most=2), WorkAhead[list[int]](workers=2, most=2)
    only.begin(_SharedCells(1), may_be_alone=True)
    several.begin(_SharedCells(1))
    several.begin(_SharedCells(1), may_be_alone=True)

    assert list(only.close()) == [[here, here]]
    assert here not in set(chain.from_iterable(several.close()))


def test_one_work_is_done_by_several_threads() -> None:
    """Each of two cells waits until another thread is at the other."""
    ahead = WorkAhead[list[int]](workers=2, most=2)
    ahead.begin(_SharedCells(2, meets=threading.Barrier(2)))

    [threads] = ahead.close()

    assert len(set(threads)) == 2


def test_no_more_is_begun_ahead_than_there_are_threads_for() -> None:
    ahead = WorkAhead[list[int]](workers=2, most=2)
    gate = threading.Barrier(3)
    ahead.begin(_SharedCells(2, meets=gate))
    assert list(ahead.results()) == []

    gate.abort()
    ahead.begin(_SharedCells(2))
    with pytest.raises(threading.BrokenBarrierError):
        next(ahead.results())
    assert len(list(ahead.close())) == 1


def test_without_threads_what_is_begun_is_done() -> None:
    here = threading.get_ident()
    ahead = WorkAhead[list[int]](workers=1, most=2)
    ahead.begin(_SharedCells(2))

    assert list(ahead.results()) == [[here, here]]
