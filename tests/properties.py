"""How many examples a property test draws: few in a quick run, many if somebody looks for new ones.

Every run draws the same examples, without a clock, so that a red run is a change's. ``HYPOTHESIS_PROFILE=explore``
draws new ones instead; what it finds becomes a test of its own.
"""

from __future__ import annotations

import os
from fractions import Fraction

from hypothesis import settings

FACTORS = {"repeatable": Fraction(1), "quick": Fraction(1, 5), "explore": Fraction(10)}
"""By profile: `make test` draws what a test asks for, `make unit` a fifth of it."""
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "repeatable")
_FEWEST = 5


def examples(count: int) -> int:
    """The number that a test gets which asks for ``count`` examples: 10 of 50 in a quick run."""
    return max(_FEWEST, int(count * FACTORS[PROFILE]))


def load_profile() -> None:
    """Set what holds for tests that say nothing."""
    settings.register_profile(PROFILE, max_examples=examples(100), derandomize=PROFILE != "explore", deadline=None)
    settings.load_profile(PROFILE)
