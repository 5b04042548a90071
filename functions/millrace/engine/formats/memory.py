"""Which of Arrow's allocators holds the rows."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

_CHOICE = "ARROW_DEFAULT_MEMORY_POOL"
"""Arrow's own variable: who sets it has chosen."""
_LEAN = "jemalloc"
"""mimalloc, Arrow's default, keeps what threads have freed: conversions on two threads peak at 210 to 280 MB with it,
at 165 to 205 MB with jemalloc, in no more time. Arrow has no jemalloc on ARM."""


def use_lean_pool(
    environment: Mapping[str, str] = os.environ, backends: Sequence[str] = tuple(pa.supported_memory_backends())
) -> bool:
    """Let this process's rows live in the allocator that gives back most; False if another was chosen.

    The commands call it once, before the first row is read: an import changes nothing for the program around it. The
    functions do not, as they run on ARM.
    """
    if environment.get(_CHOICE) or _LEAN not in backends:
        return False
    pa.set_memory_pool(pa.jemalloc_memory_pool())
    return True


@contextlib.contextmanager
def without_collection() -> Iterator[None]:
    """Without searches for cycles: parsed JSON has none, and its many objects set off one search after the other."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
