"""What all suites share.

The native kernel: built anew before the first test if its sources changed, so that no test proves yesterday's.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Generator

import pytest

from millrace.engine.native.build import KernelNotBuilt, build_kernel
from tests.forks import add_option, register_forks
from tests.kernel_questions import QUESTIONS
from tests.properties import load_profile

load_profile()
_SLOW_SUITES = {"hostile", "simulation"}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect tests, and modules, without looking for garbage among them, then or later: they stay.

    Of 11,000 tests a third of the time would go there: four seconds in each process, whatever it then runs.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_unconfigure() -> None:
    """Let the interpreter end what it froze: native modules report what outlives them."""
    gc.unfreeze()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all of the suites that need minutes, and begin with what is slow: nothing long is left for the end."""
    for item in items:
        if item.path.parent.name in _SLOW_SUITES:
            item.add_marker("slow")
    items.sort(key=_is_quick)


def _is_quick(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is None


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the tests run in copies of one process."""
    add_option(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Build the kernel in the one process that starts the others; without a compiler its tests say so."""
    QUESTIONS.listen()
    register_forks(config)
    is_worker = hasattr(config, "workerinput")
    if not is_worker:
        with contextlib.suppress(KernelNotBuilt):
            build_kernel()
