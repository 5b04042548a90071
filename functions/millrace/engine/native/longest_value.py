"""The longest value of a Parquet dictionary page, by the kernel; see `source/longest_value.c`."""

from __future__ import annotations

import ctypes

import pyarrow as pa

from millrace.engine.native.library import Kernel


def find_longest_value(kernel: Kernel, page: pa.Buffer) -> int | None:
    """How many bytes the longest value of an unpacked page of texts has; None if the bytes are no such page."""
    function = kernel.bind("millrace_longest_value", ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)
    longest: int = function(page.address, page.size)
    return longest if longest >= 0 else None
