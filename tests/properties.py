"""How many examples a property test draws: few in a quick run, many if somebody looks for new ones.

Every run of `make test` draws the same examples, without a clock, so that a red run is a change's. More of the same
find little: `make properties` draws new ones, 25 times as many, and what it finds becomes a test of its own.
"""

from __future__ import annotations

import os
from fractions import Fraction

from hypothesis import settings

FACTORS = {"repeatable": Fraction(2, 5), "quick": Fraction(1, 5), "explore": Fraction(10)}
"""By profile, of what a test asks for: `make test` draws two fifths, `make unit` one, `make properties` ten times."""
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "repeatable")
_FEWEST = 5


def examples(count: int) -> int:
    """The number that a test gets which asks for ``count`` examples: 10 of 50 in a quick run."""
    return max(_FEWEST, int(count * FACTORS[PROFILE]))


def load_profile() -> None:
    """Set what holds for tests that say nothing."""
    settings.register_profile(PROFILE, max_examples=examples(100), derandomize=PROFILE != "explore", deadline=None)
    settings.load_profile(PROFILE)
