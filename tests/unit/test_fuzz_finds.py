"""What fuzzing found once, replayed; the name of a find begins with its target's."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.fuzz.mutation import mutated
from tests.fuzz.run import trouble
from tests.fuzz.targets import TARGETS
from tests.places import TESTS

FINDS = sorted((TESTS / "fuzz/finds").iterdir())


@pytest.mark.parametrize("find", FINDS, ids=[find.name for find in FINDS])
def test_a_find_stays_mended(find: Path) -> None:
    """It is taken, or refused by an error of the right branch."""
    target = TARGETS[find.name.partition("-")[0]]

    assert trouble(target, find.read_bytes()) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_each_target_takes_its_seeds_and_a_few_mutations(name: str) -> None:
    """The fuzzer itself works, and finds nothing in the first inputs of one seed."""
    target, rng = TARGETS[name], random.Random(5)
    seeds = target.seeds()

    assert [wrong for data in seeds if (wrong := trouble(target, data))] == []
    assert [wrong for _ in range(5) if (wrong := trouble(target, mutated(rng, seeds)))] == []
