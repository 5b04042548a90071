"""The largest page of a Parquet column, by the kernel; see `source/parquet_pages.c`."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from millrace.engine.native.library import Kernel
from millrace.engine.native.seam import Code


def find_largest_page(kernel: Kernel, chunk: memoryview) -> int | None:
    """The most bytes that a page of a column chunk says to be unpacked, 0 without one; None if Python has to say it."""
    buffer = pa.py_buffer(chunk)  # no copy
    largest = ctypes.c_int64(0)
    code = _bind_largest(kernel)(buffer.address, buffer.size, ctypes.byref(largest))
    return largest.value if code == Code.OK else None


@functools.cache
def _bind_largest(kernel: Kernel) -> Callable[[int, int, Any], int]:
    function: Callable[[int, int, Any], int] = kernel.bind(
        "millrace_largest_page", ctypes.c_int32, ctypes.c_void_p, ctypes.c_int64, ctypes.POINTER(ctypes.c_int64)
    )
    return function
