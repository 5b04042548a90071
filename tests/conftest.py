"""Property tests: the same examples in every run, so that a red run is a change's; without a clock, on any machine.

``HYPOTHESIS_PROFILE=explore make unit`` looks for new examples; what it finds becomes a test of its own.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
