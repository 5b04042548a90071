"""Each rule switched off is noticed within a bounded number of schedules; with the rule on, the same ones are clean."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial

import pytest

from tests.simulation import light, schedules
from tests.simulation.faults import Fault
from tests.simulation.mutations import MUTATIONS, Mutation, with_zombies
from tests.simulation.queue import VISIBILITY_SECONDS
from tests.simulation.schedules import Mended
from tests.simulation.world import SimulatedWorld

MOST = 1500
FEW = 20


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.rule)
def test_a_rule_that_is_switched_off_breaks_a_promise(mutation: Mutation) -> None:
    with light.in_place():
        broken = mutation.breaks_promise(MOST)

    assert broken, f"{MOST} schedules without {mutation.rule!r} broke nothing"


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.rule)
def test_the_same_schedules_break_nothing_while_the_rule_is_in_force(mutation: Mutation) -> None:
    if mutation.off is nullcontext:
        pytest.skip("its world itself is without the rule")
    with light.in_place():
        for seed in range(FEW):
            result = schedules.run(seed, mutation.world)
            assert not result.violations, schedules.told(result)


def test_fences_and_conditions_hold_where_leases_do_not() -> None:
    with light.in_place():
        for seed in range(200):
            result = schedules.run(seed, with_zombies)
            assert not result.violations, schedules.told(result)


def dead_letters(visibility: float) -> int:
    """In how many worlds of one event that are merely slow it goes to the dead letters."""

    def slow(world: SimulatedWorld) -> None:
        world.faults.set({Fault.SLOW: 0.1})
        world.queue.visibility = visibility
        world.script = [partial(schedules.put, "in/a.csv")]

    return sum(schedules.run(seed, slow).mended is Mended.REDRIVE for seed in range(200))


def test_work_that_goes_on_never_makes_a_dead_letter_however_often_its_message_is_received() -> None:
    with light.in_place():
        assert dead_letters(VISIBILITY_SECONDS) == 0
        assert dead_letters(30.0) == 0
