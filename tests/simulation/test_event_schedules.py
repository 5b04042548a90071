"""Schedules in which somebody asked to be told of every object: never before the ledger says so, and at least once."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from millrace.ledger.entries import State
from tests.simulation import light, light_parts, schedules
from tests.simulation.mutations import Mutation
from tests.simulation.telling import EVENT_MUTATIONS, SimulatedListener, with_events, with_events_and_deaths
from tests.simulation.world import SimulatedWorld

FIRST = int(os.environ.get("FIRST", "0"))
SCHEDULES = int(os.environ.get("EVENT_SCHEDULES", "200"))
MOST = 150
FEW = 20


def _with_big_runs(world: SimulatedWorld) -> None:
    schedules.with_big_runs(world)
    with_events(world)


def _count_told(world: SimulatedWorld) -> Counter[State]:
    assert isinstance(world.listener, SimulatedListener)
    return Counter(state for _, _, _, state in world.listener.told)


def test_everybody_who_asked_is_told_under_every_fault() -> None:
    told = Counter[State]()
    with light.in_place():
        for seed in range(FIRST, FIRST + SCHEDULES):
            result = schedules.run(seed, with_events)
            if result.violations:
                pytest.fail(schedules.told(result), pytrace=False)
            told += _count_told(result.world)
    assert {State.CONVERTED, State.QUARANTINED, State.FAILED, State.REMOVED} <= set(told)


def test_so_is_who_asked_for_what_is_converted_in_parts() -> None:
    told = Counter[State]()
    with light.in_place(), light_parts.in_place():
        for seed in range(FIRST, FIRST + SCHEDULES // 4):
            result = schedules.run(seed, _with_big_runs)
            if result.violations:
                pytest.fail(schedules.told(result), pytrace=False)
            told += _count_told(result.world)
    assert {State.WAITING, State.CONVERTED} <= set(told)


@pytest.mark.parametrize("mutation", EVENT_MUTATIONS, ids=lambda mutation: mutation.rule)
def test_a_rule_of_telling_that_is_switched_off_breaks_a_promise(mutation: Mutation) -> None:
    with light.in_place():
        broken = mutation.breaks_promise(MOST)

    assert broken, f"{MOST} schedules without {mutation.rule!r} broke nothing"


def test_the_same_schedules_break_nothing_while_the_rules_are_in_force() -> None:
    with light.in_place():
        for seed in range(FEW):
            result = schedules.run(seed, with_events_and_deaths)
            assert not result.violations, schedules.told(result)
