"""Which of Arrow's allocators holds the rows."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

_CHOICE = "ARROW_DEFAULT_MEMORY_POOL"
"""Arrow's own variable: who sets it has chosen."""
_LEAN = "system"
"""The C library's, which the kernel takes its memory from as well: what one of them frees serves the other.

mimalloc, Arrow's default, keeps what threads have freed, and so does jemalloc: on two threads 64 MB of CSV with 200
columns peaked at 290 MB with it and at 245 MB with this one, 13 pairs at 180 to 290 and at 150 to 245 MB.
"""


def use_lean_pool(
    environment: Mapping[str, str] = os.environ, backends: Sequence[str] = tuple(pa.supported_memory_backends())
) -> bool:
    """Let this process's rows live in the allocator that gives back most; False if another was chosen.

    The commands call it once, before the first row is read: an import changes nothing for the program around it.
    """
    if environment.get(_CHOICE) or _LEAN not in backends:
        return False
    pa.set_memory_pool(pa.system_memory_pool())
    return True


def pass_by_imports() -> None:
    """Let searches for cycles pass by all that is there already: what was imported, which stays to the end.

    The commands call it before the first row is read: of a wide table one search through it took 15 ms.
    """
    gc.freeze()


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
