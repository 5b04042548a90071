"""What all suites share.

The native kernel: built anew before the first test if its sources changed, so that no test proves yesterday's.
"""

from __future__ import annotations

import contextlib

import pytest

from millrace.engine.native.build import KernelNotBuilt, build_kernel
from tests.properties import load_profile

load_profile()


def pytest_configure(config: pytest.Config) -> None:
    """Build the kernel in the one process that starts the others; without a compiler its tests say so."""
    is_worker = hasattr(config, "workerinput")
    if not is_worker:
        with contextlib.suppress(KernelNotBuilt):
            build_kernel()
