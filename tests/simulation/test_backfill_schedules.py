"""Schedules with backfills: what was there is asked for once, whoever dies and whatever comes meanwhile."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from millrace.operations.backfills.board import BackfillState
from tests.simulation import light, schedules
from tests.simulation.mutations import (
    BACKFILL_MUTATIONS,
    Mutation,
    with_a_backfill,
    with_a_backfill_that_is_stopped,
)

FIRST = int(os.environ.get("FIRST", "0"))
SCHEDULES = int(os.environ.get("BACKFILL_SCHEDULES", "200"))
MOST = 100
FEW = 20


def test_the_promises_hold_while_backfills_are_at_work() -> None:
    states = Counter[BackfillState]()
    with light.in_place():
        for seed in range(FIRST, FIRST + SCHEDULES):
            result = schedules.run(seed, schedules.with_backfills)
            if result.violations:
                pytest.fail(schedules.told(result), pytrace=False)
            if result.world.backfills is not None:
                states.update(row.state for row in result.world.backfills.rows)
    assert states[BackfillState.FINISHED] > SCHEDULES
    assert states[BackfillState.STOPPED] > SCHEDULES // 20


@pytest.mark.parametrize("mutation", BACKFILL_MUTATIONS, ids=lambda mutation: mutation.rule)
def test_a_rule_of_backfills_that_is_switched_off_breaks_a_promise(mutation: Mutation) -> None:
    with light.in_place():
        broken = mutation.breaks_promise(MOST)

    assert broken, f"{MOST} schedules without {mutation.rule!r} broke nothing"


@pytest.mark.parametrize("world", [with_a_backfill, with_a_backfill_that_is_stopped])
def test_the_same_schedules_break_nothing_while_the_rules_are_in_force(world: schedules.Act) -> None:
    with light.in_place():
        for seed in range(FEW):
            result = schedules.run(seed, world)
            assert not result.violations, schedules.told(result)
