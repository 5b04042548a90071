"""Worlds of two events and two workers, in every order of their calls."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import pytest

from tests.simulation import light, schedules
from tests.simulation.choices import Seeded
from tests.simulation.exploration import explore, explore_faults
from tests.simulation.faults import Fault
from tests.simulation.setups import Setup, SetupKind
from tests.simulation.world import SimulatedWorld

KILLS = {Fault.KILLED_BEFORE: 0.5, Fault.KILLED_AFTER: 0.5}
Act = Callable[[SimulatedWorld], None]


def put(key: str, data: bytes, world: SimulatedWorld) -> None:
    world.sources.write(key, data)


def delete(key: str, world: SimulatedWorld) -> None:
    world.sources.delete(key)


A1 = partial(put, "in/a.csv", light.HEADER + b"1,x,1\n2,y,1\n")
A2 = partial(put, "in/a.csv", light.HEADER + b"1,y,2\n2,z,2\n")
A_BAD = partial(put, "in/a.csv", light.HEADER + b"1,y\n")
B1 = partial(put, "in/ab.csv", light.HEADER + b"1,z,3\n")
A_GONE = partial(delete, "in/a.csv")
WORLDS: dict[str, tuple[Setup, tuple[Act, ...], tuple[Act, ...]]] = {
    "two versions": (Setup(SetupKind.REPLICATE), (A1, A2), ()),
    "a version and its deletion": (Setup(SetupKind.REPLICATE, remove=True), (A1,), (A_GONE,)),
    "partitions that change": (Setup(SetupKind.PARTITIONED), (A1,), (A2,)),
    "a version that cannot be converted": (Setup(SetupKind.REPLICATE, quarantine=False), (A1,), (A_BAD,)),
    "bad rows set aside": (Setup(SetupKind.REPLICATE, quarantine=True), (A_BAD,), (A1,)),
    "two files of a snapshot table": (Setup(SetupKind.SNAPSHOT), (A1, B1), ()),
    "a snapshot table and the deletion of its file": (Setup(SetupKind.SNAPSHOT, remove=True), (A1,), (A_GONE,)),
    "one table of two files": (Setup(SetupKind.RUN), (A1, B1), ()),
}


def build(setup: Setup, before: tuple[Act, ...], during: tuple[Act, ...], rates: dict[Fault, float]) -> SimulatedWorld:
    """Events of ``before`` wait in the queue; what ``during`` does happens at any time."""
    world = SimulatedWorld(Seeded(1), setup, rates=rates, workers=2, batch=1, paces=(0.02,))
    for act in before:
        act(world)
    world.script = list(during)
    world.on_acknowledge = schedules.on_acknowledge
    return world


ALL = 10_000
SOME = 1_500
TOO_MANY = {"one table of two files"}
"""Worlds with more orders than are run; ``EXPLORE=1000000`` runs them all."""


@pytest.mark.parametrize("name", WORLDS)
def test_two_events_and_two_workers_in_every_order(name: str) -> None:
    setup, before, during = WORLDS[name]
    most = int(os.environ.get("EXPLORE", SOME if name in TOO_MANY else ALL))
    with light.in_place():
        explored = explore(partial(build, setup, before, during, {}), most=most)

    assert explored.broken is None, schedules.told(explored.broken)
    assert explored.complete or name in TOO_MANY


@pytest.mark.parametrize("name", WORLDS)
def test_one_kill_at_any_call(name: str) -> None:
    setup, before, during = WORLDS[name]
    most = int(os.environ.get("EXPLORE", SOME // 3))
    with light.in_place():
        explored = explore_faults(partial(build, setup, before, during, KILLS), most=most, chances=1)

    assert explored.broken is None, schedules.told(explored.broken)
