"""What all suites share.

The native kernel: built anew before the first test if its sources changed, so that no test proves yesterday's.
"""

from __future__ import annotations

import contextlib

import pytest

from millrace.engine.native.build import KernelNotBuilt, build_kernel
from tests.kernel_questions import QUESTIONS
from tests.properties import load_profile

load_profile()
_SLOW_SUITES = {"hostile", "simulation"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all of the suites that need minutes, and begin with what is slow: nothing long is left for the end."""
    for item in items:
        if item.path.parent.name in _SLOW_SUITES:
            item.add_marker("slow")
    items.sort(key=_is_quick)


def _is_quick(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is None


def pytest_configure(config: pytest.Config) -> None:
    """Build the kernel in the one process that starts the others; without a compiler its tests say so."""
    QUESTIONS.listen()
    is_worker = hasattr(config, "workerinput")
    if not is_worker:
        with contextlib.suppress(KernelNotBuilt):
            build_kernel()
