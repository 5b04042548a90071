"""What all suites share.

Property tests: the same examples in every run, so that a red run is a change's; without a clock, on any machine.
``HYPOTHESIS_PROFILE=explore make unit`` looks for new examples; what it finds becomes a test of its own.

The native kernel: built anew before the first test if its sources changed, so that no test proves yesterday's.
"""

from __future__ import annotations

import contextlib
import os

import pytest
from hypothesis import settings

from millrace.engine.native.build import KernelNotBuilt, build_kernel

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_configure(config: pytest.Config) -> None:
    """Build the kernel in the one process that starts the others; without a compiler its tests say so."""
    is_worker = hasattr(config, "workerinput")
    if not is_worker:
        with contextlib.suppress(KernelNotBuilt):
            build_kernel()
