"""The longest value of a Parquet dictionary page, by the kernel; see `source/longest_value.c`."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable

import pyarrow as pa

from millrace.engine.native.library import Kernel


def find_longest_value(kernel: Kernel, page: pa.Buffer) -> int | None:
    """How many bytes the longest value of an unpacked page of texts has; None if the bytes are no such page."""
    longest = _bind_longest(kernel)(page.address, page.size)
    return longest if longest >= 0 else None


@functools.cache
def _bind_longest(kernel: Kernel) -> Callable[[int, int], int]:
    function: Callable[[int, int], int] = kernel.bind(
        "millrace_longest_value", ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64
    )
    return function
