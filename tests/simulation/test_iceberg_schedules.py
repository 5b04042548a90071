"""Schedules of an Iceberg table: it holds exactly the files of each object's newest version, whoever is killed."""

from __future__ import annotations

import os

import pytest

from tests.simulation import light, schedules
from tests.simulation.iceberg import (
    ICEBERG_MUTATIONS,
    SimulatedCommits,
    with_iceberg,
    with_iceberg_and_deaths,
    with_table_bucket,
)
from tests.simulation.mutations import Mutation

FIRST = int(os.environ.get("FIRST", "0"))
SCHEDULES = int(os.environ.get("ICEBERG_SCHEDULES", "150"))
MOST = 150
FEW = 20


def test_the_table_holds_the_newest_of_everything_under_every_fault() -> None:
    snapshots = 0
    with light.in_place():
        for seed in range(FIRST, FIRST + SCHEDULES):
            result = schedules.run(seed, with_iceberg)
            if result.violations:
                pytest.fail(schedules.told(result), pytrace=False)
            engine = result.world.engines[0]
            assert isinstance(engine, SimulatedCommits)
            snapshots += len(engine.tables.snapshots)
    assert snapshots > SCHEDULES


def test_the_copies_in_a_table_bucket_are_of_the_newest_too() -> None:
    with light.in_place():
        for seed in range(FIRST, FIRST + SCHEDULES // 3):
            result = schedules.run(seed, with_table_bucket)
            if result.violations:
                pytest.fail(schedules.told(result), pytrace=False)


@pytest.mark.parametrize("mutation", ICEBERG_MUTATIONS, ids=lambda mutation: mutation.rule)
def test_a_rule_of_committing_that_is_switched_off_breaks_a_promise(mutation: Mutation) -> None:
    with light.in_place():
        broken = mutation.breaks_promise(MOST)

    assert broken, f"{MOST} schedules without {mutation.rule!r} broke nothing"


def test_the_same_schedules_break_nothing_while_the_rules_are_in_force() -> None:
    with light.in_place():
        for seed in range(FEW):
            result = schedules.run(seed, with_iceberg_and_deaths)
            assert not result.violations, schedules.told(result)
