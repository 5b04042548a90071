"""How long a reprocess takes and what it costs, by what earlier conversions took. Money is in US dollars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, linear_regression
from typing import Self

from millrace.deployment.prices import LIST_PRICES, Prices, price_calls, price_compute
from millrace.ledger.entries import DONE, Entry

SAMPLE = 200
"""Conversions that the speed is learned from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """What converts: the memory of one function in MB, how many run side by side, and whether they are Arm's."""

    memory_mb: int
    concurrency: int
    is_arm: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """What ``sample`` conversions took: seconds for an object, and for each byte of it."""

    sample: int
    object_seconds: float
    byte_seconds: float

    @classmethod
    def learn(cls, entries: Iterable[Entry]) -> Self | None:
        """The line through what conversions took that is nearest to all of them (least squares); None without any.

        Where small objects took longer than large ones, all that is known is what a byte takes on average.
        """
        sizes, seconds = list[int](), list[float]()
        for entry in entries:
            if entry.state in DONE and entry.version.size and entry.milliseconds:
                sizes.append(entry.version.size)
                seconds.append(entry.milliseconds / 1000)
        if not sizes:
            return None
        byte_seconds, object_seconds = _fit_line(sizes, seconds)
        return cls(sample=len(sizes), object_seconds=object_seconds, byte_seconds=byte_seconds)

    @property
    def megabytes_per_second(self) -> float:
        """How many million bytes of a large object one function converts in a second."""
        return 1e-6 / self.byte_seconds

    def take(self, objects: int, size: int) -> float:
        """The seconds that one function would take for all."""
        return objects * self.object_seconds + size * self.byte_seconds


def _fit_line(sizes: Sequence[int], seconds: Sequence[float]) -> tuple[float, float]:
    """The seconds for a byte and for an object, neither of which is negative."""
    if len(set(sizes)) > 1:
        byte_seconds, object_seconds = linear_regression(sizes, seconds)
        if byte_seconds > 0 and object_seconds >= 0:
            return byte_seconds, object_seconds
    return fmean(seconds) / fmean(sizes), 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What converting so many objects takes: minutes with all functions at work, and dollars."""

    objects: int
    size: int
    minutes: float
    dollars: float
    speed: Speed
    machines: Machines

    @classmethod
    def make(cls, objects: int, size: int, speed: Speed, machines: Machines, prices: Prices = LIST_PRICES) -> Self:
        """Of objects with ``size`` bytes in all."""
        seconds = speed.take(objects, size)
        # One object is one function's work, so fewer objects than functions leave some idle.
        side_by_side = max(1, min(machines.concurrency, objects))
        compute = price_compute(seconds * machines.memory_mb / 1024, prices, is_arm=machines.is_arm)
        return cls(
            objects=objects,
            size=size,
            minutes=seconds / side_by_side / 60,
            dollars=compute + objects * price_calls(prices),
            speed=speed,
            machines=machines,
        )
