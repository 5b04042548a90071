"""Schedules in which reprocesses are followed: their ends are told after the table says so, and at least once."""

from __future__ import annotations

import os

import pytest

from tests.simulation import light, schedules
from tests.simulation.following import (
    FOLLOWING_MUTATIONS,
    SimulatedFollowing,
    with_followed_runs,
    with_runs_and_deaths,
)
from tests.simulation.mutations import Mutation

FIRST = int(os.environ.get("FIRST", "0"))
SCHEDULES = int(os.environ.get("FOLLOWING_SCHEDULES", "60"))
MOST = 60
FEW = 15


def test_the_ends_of_runs_are_told_under_every_fault() -> None:
    ended = 0
    with light.in_place():
        for seed in range(FIRST, FIRST + SCHEDULES):
            result = schedules.run(seed, with_followed_runs)
            if result.violations:
                pytest.fail(schedules.told(result), pytrace=False)
            assert isinstance(result.world.following, SimulatedFollowing)
            ended += len(result.world.following.ended)
    assert ended > SCHEDULES // 2


@pytest.mark.parametrize("mutation", FOLLOWING_MUTATIONS, ids=lambda mutation: mutation.rule)
def test_a_rule_of_following_that_is_switched_off_breaks_a_promise(mutation: Mutation) -> None:
    with light.in_place(), mutation.off():
        broken = any(schedules.run(seed, mutation.world).violations for seed in range(MOST))

    assert broken, f"{MOST} schedules without {mutation.rule!r} broke nothing"


def test_the_same_schedules_break_nothing_while_the_rules_are_in_force() -> None:
    with light.in_place():
        for seed in range(FEW):
            result = schedules.run(seed, with_runs_and_deaths)
            assert not result.violations, schedules.told(result)
