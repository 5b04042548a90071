"""The kernels of the code asset, which the workers of all suites share: one of them builds, the others wait for it."""

from __future__ import annotations

import contextlib
import fcntl

import pytest

from infra.kernel import CACHE, build_kernels
from millrace.engine.native.build import KernelNotBuilt


@pytest.fixture(scope="session", autouse=True)
def kernels_are_built_once() -> None:
    """Build them under a lock: else each of five workers takes 30 s of CPU for the same libraries in a new clone."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock, contextlib.suppress(KernelNotBuilt):
        fcntl.flock(lock, fcntl.LOCK_EX)
        build_kernels()
