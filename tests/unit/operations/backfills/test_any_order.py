"""A bucket, live events and backfills in an order that nobody planned: in the end everything is converted, once."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from millrace.errors import UsageError
from millrace.ledger.entries import DONE
from millrace.objects.messages import Request
from millrace.operations.backfills.board import BackfillState
from tests.backfill_plant import SYNC, Plant
from tests.configurations import bulk_sync
from tests.properties import examples

_OBJECTS = 12
_STEPS = 60


class FunctionGone(BaseException):
    """The function that lists is gone: nothing catches it."""


class Disorder:
    """Does one thing after the other, as a seed says."""

    def __init__(self, seed: int) -> None:
        self.choice = random.Random(seed)
        self.plant = Plant(portion=2, split_after=2)
        self.events: list[Request] = []
        self.written = 0
        self.dies_in = 10**9
        for target, name in ((self.plant.backfills, "put_range"), (self.plant.queue, "send")):
            setattr(target, name, self._mortal(getattr(target, name)))

    def _mortal(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """The method, before or behind which the process may end."""

        def call(*args: Any, **options: Any) -> Any:
            self.dies_in -= 1
            if self.dies_in == 0 and self.choice.random() < 0.5:
                raise FunctionGone
            answer = method(*args, **options)
            if self.dies_in == 0:
                raise FunctionGone
            return answer

        return call

    def step(self) -> None:
        actions = (
            self.write,
            self.write,
            self.hear,
            self.list_some,
            self.list_some,
            self.convert,
            self.convert,
            self.repeat,
            self.lose,
            self.start,
            self.pause,
            self.resume,
            self.stop,
            self.tend,
            self.reconfigure,
        )
        self.choice.choice(actions)()

    def write(self) -> None:
        """An object; S3 tells of it later, or never."""
        self.written += 1
        ref = self.plant.put(self.choice.randrange(_OBJECTS), f"a\n{self.written}\n")
        etag = self.plant.world.store.buckets[ref.bucket][ref.key].etag
        if self.choice.random() < 0.6:
            self.events.append(self.plant.world.event(ref, etag=etag))

    def hear(self) -> None:
        """An event, in any order."""
        if self.events:
            self.plant.world.work(self.events.pop(self.choice.randrange(len(self.events))))

    def list_some(self) -> None:
        """An invocation that ends, runs out of time, or dies."""
        if not self.plant.calls:
            return
        self.dies_in = self.choice.choice((1, 2, 3, 5, 10**9, 10**9))
        with suppress(FunctionGone):
            self.plant.list_once(remaining=lambda: self.choice.choice((15.0, 900.0)))
        self.dies_in = 10**9

    def convert(self) -> None:
        self.plant.convert(most=self.choice.randrange(1, 8))

    def repeat(self) -> None:
        """SQS delivers at least once."""
        if self.plant.queue.bodies:
            self.plant.queue.bodies.append(self.plant.queue.bodies[0])

    def lose(self) -> None:
        """A call that nobody hears; a message that is ten days old."""
        if self.plant.calls and self.choice.random() < 0.3:
            self.plant.calls.popleft()
        if self.plant.queue.bodies and self.choice.random() < 0.2:
            self.plant.queue.bodies.popleft()

    def start(self) -> None:
        with suppress(UsageError):
            self.plant.start()

    def pause(self) -> None:
        with suppress(UsageError):
            self.plant.steering.pause(SYNC)

    def resume(self) -> None:
        with suppress(UsageError):
            self.plant.steering.resume(SYNC)

    def stop(self) -> None:
        if self.choice.random() < 0.3:
            with suppress(UsageError):
                self.plant.steering.stop(SYNC)

    def tend(self) -> None:
        self.plant.wait(self.choice.choice((1, 5, 20)))
        self.plant.steering.tend()

    def reconfigure(self) -> None:
        if self.choice.random() < 0.3:
            self.plant.world.syncs = (bulk_sync(to=self.choice.choice(("json", "csv"))),)

    def come_to_rest(self) -> None:
        """Everything that was begun ends, and one more backfill comes to its end."""
        self.choice.shuffle(self.events)
        while self.events:
            self.hear()
        self.resume()
        self.plant.wait(30)
        self.plant.run()
        self.plant.start()
        self.plant.run()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(examples(25)))
def test_whatever_happens_all_is_converted_and_accounted_for(seed: int) -> None:
    disorder = Disorder(seed)
    plant = disorder.plant
    for _ in range(_STEPS):
        disorder.step()
    disorder.come_to_rest()

    assert {row.state for row in plant.backfills.board().backfills} <= {BackfillState.FINISHED, BackfillState.STOPPED}
    assert plant.counts().open == 0
    assert not plant.dead_letters
    assert not plant.queue.is_on
    for key, there in plant.world.store.buckets["acme-in"].items():
        entry = next(entry for entry in plant.world.ledger.works() if entry.source.key == key)
        assert entry.state in DONE
        assert entry.version.etag == there.etag
        assert {output.ref.key for output in entry.outputs} <= set(plant.outputs())
    plant.start()
    plant.list_all()
    assert plant.counts().asked == 0
    assert len(plant.outputs()) == len(plant.world.store.buckets["acme-in"])
