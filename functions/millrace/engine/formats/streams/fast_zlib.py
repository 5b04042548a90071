"""Zlib, or what does the same faster."""

from __future__ import annotations

import zlib
from functools import cache
from importlib import import_module
from types import ModuleType


@cache
def find_zlib() -> ModuleType:
    """Intel's library if it is installed: it inflates three times as fast, and sums up fifty times as fast."""
    try:
        return import_module("isal.isal_zlib")
    except ImportError:
        return zlib
