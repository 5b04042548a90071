"""Schedules in which every divisible object is a big run: the promises hold under every fault of its children."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from millrace.big_runs.events import Phase
from millrace.ledger.entries import State
from tests.simulation import light, light_parts, schedules
from tests.simulation.faults import Fault
from tests.simulation.mutations import (
    BIG_RUN_MUTATIONS,
    Mutation,
    with_runs_over_changing_files,
    with_runs_that_are_stopped,
    with_runs_that_others_overtake,
)
from tests.simulation.test_finds import write
from tests.simulation.test_losses import kept, quiet, rows, state
from tests.simulation.world import SimulatedWorld

FIRST = int(os.environ.get("FIRST", "0"))
SCHEDULES = int(os.environ.get("BIG_RUN_SCHEDULES", "300"))
BLOCK = 100
MOST = 150
FEW = 20


def _blocks() -> list[range]:
    starts = range(FIRST, FIRST + SCHEDULES, BLOCK)
    return [range(start, min(start + BLOCK, FIRST + SCHEDULES)) for start in starts]


@pytest.mark.parametrize("seeds", _blocks(), ids=str)
def test_the_promises_hold_while_big_runs_are_at_work(seeds: range) -> None:
    runs, faults = 0, set[Fault]()
    with light.in_place(), light_parts.in_place():
        for seed in seeds:
            result = schedules.run(seed, schedules.with_big_runs)
            if result.violations:
                pytest.fail(schedules.told(result), pytrace=False)
            runs += len(result.world.machine.executions)
            faults |= {fault for fault, _ in result.faults}
    assert runs > len(seeds)
    assert {Fault.CHILD_TWICE, Fault.RUN_STOPPED, Fault.RUN_LOST} <= faults


@pytest.mark.parametrize("mutation", BIG_RUN_MUTATIONS, ids=lambda mutation: mutation.rule)
def test_a_rule_of_runs_that_is_switched_off_breaks_a_promise(mutation: Mutation) -> None:
    with light.in_place(), light_parts.in_place():
        broken = mutation.breaks_promise(MOST)

    assert broken, f"{MOST} schedules without {mutation.rule!r} broke nothing"


@pytest.mark.parametrize(
    "world", [with_runs_over_changing_files, with_runs_that_others_overtake, with_runs_that_are_stopped]
)
def test_the_same_schedules_break_nothing_while_the_rules_are_in_force(
    world: Callable[[SimulatedWorld], None],
) -> None:
    with light.in_place(), light_parts.in_place():
        for seed in range(FEW):
            result = schedules.run(seed, world)
            assert not result.violations, schedules.told(result)


def test_a_run_whose_healing_was_killed_after_it_said_how_to_go_on_can_be_resumed() -> None:
    """SEED=1390: the repetition took the run for one that had lost its object, and deleted what it had done."""
    world = quiet()
    world.big_runs = True
    world.calls.planned.append(("dynamodb:PutItem", "in/a.csv (nightly) -> failed", Fault.KILLED_AFTER))
    world.script = [write("in/a.csv", rows("x", "y")), _stop_run]
    with light.in_place(), light_parts.in_place():
        world.run()
        assert state(world, "in/a.csv") is State.FAILED
        assert world.resume_runs()

        world.run()

    assert not world.calls.planned
    assert state(world, "in/a.csv") is State.CONVERTED
    kept(world)


def _stop_run(world: SimulatedWorld) -> None:
    """Once its parts are being surveyed."""
    for execution in world.machine.executions.values():
        if execution.phase is Phase.SURVEY:
            world.machine.stop(execution.name, "by hand")
            world.machine.heal(execution)
            return
    world.script.insert(0, _stop_run)
    schedules.wait(1.0, world)


def _with_real_conversion(world: SimulatedWorld) -> None:
    world.buckets.reads_at_once = True
    schedules.with_big_runs(world)


def test_the_promises_hold_with_the_real_division_of_files() -> None:
    runs = 0
    for seed in range(40):
        result = schedules.run(seed, _with_real_conversion)
        if result.violations:
            pytest.fail(schedules.told(result), pytrace=False)
        runs += len(result.world.machine.executions)
    assert runs > MOST // 10
