"""The kernel for tests: what needs it is skipped on a machine without a compiler, and says so."""

from __future__ import annotations

import pytest

from millrace.engine.native.library import Kernel, Missing, look_for_kernel


def require_kernel() -> Kernel:
    """The kernel, or a skip with the reason; `test_library.py` fails if `make install` should have built it."""
    found = look_for_kernel()
    if isinstance(found, Missing):
        pytest.skip(f"no native kernel: {found.reason}")
    return found
