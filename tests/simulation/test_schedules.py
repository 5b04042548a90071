"""Thousands of seeded schedules: the promises hold under every fault.

``SEED=4711 pytest tests/simulation`` runs that schedule alone and shows its trace; ``SCHEDULES`` says how many are run,
``FIRST`` from which seed on.
"""

from __future__ import annotations

import os

import pytest

from tests.simulation import light, schedules
from tests.simulation.buckets import Buckets
from tests.simulation.world import World

FIRST = int(os.environ.get("FIRST", "0"))
SCHEDULES = int(os.environ.get("SCHEDULES", "10000"))
BLOCK = 250
REAL_BLOCK = 25
REAL = SCHEDULES // 400 * REAL_BLOCK // 2
"""Schedules that convert with the real formats, which takes ten times as long."""


def _blocks(count: int, size: int) -> list[range]:
    return [range(FIRST + start, FIRST + min(start + size, count)) for start in range(0, count, size)]


def _with_real_conversion(world: World) -> None:
    buckets: Buckets = world.buckets
    buckets.reads_at_once = True


@pytest.mark.parametrize("seeds", _blocks(SCHEDULES, BLOCK), ids=str)
def test_the_promises_hold_under_every_fault(seeds: range) -> None:
    with light.in_place():
        for seed in seeds:
            result = schedules.run(seed)
            if result.violations:
                pytest.fail(schedules.told(result), pytrace=False)


@pytest.mark.parametrize("seeds", _blocks(REAL, REAL_BLOCK), ids=str)
def test_the_promises_hold_with_the_real_formats(seeds: range) -> None:
    for seed in seeds:
        result = schedules.run(seed, _with_real_conversion)
        if result.violations:
            pytest.fail(schedules.told(result), pytrace=False)


@pytest.mark.skipif("SEED" not in os.environ, reason="SEED=... replays one schedule")
def test_replay() -> None:
    with light.in_place():
        result = schedules.run(int(os.environ["SEED"]))
    print(schedules.told(result))  # noqa: T201 - it is what a replay is for
    assert not result.violations


def test_a_seed_gives_the_same_schedule_every_time() -> None:
    with light.in_place():
        traces = [schedules.told(schedules.run(7)) for _ in range(2)]

    assert traces[0] == traces[1]
