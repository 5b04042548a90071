"""What rows become as text."""

from __future__ import annotations

from enum import IntEnum


class RowShape(IntEnum):
    """What rows become; the numbers are those of the kernel's ``render.c``."""

    CSV_LINES = 0
    JSON_LINES = 1
    JSON_ITEMS = 2
    """Each with a comma and a line end before it."""
