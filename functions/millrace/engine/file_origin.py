"""Which object or file rows come from: what source columns hold of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOrigin:
    """Which file rows come from: its address, when it was modified, and its version; None: nobody knows."""

    file: str | None = None
    modified: datetime | None = None
    version: str | None = None


FindOrigin = Callable[[str | None], FileOrigin]
"""Gives the origin of a table's file by its name in ``TableRows``; called once the file has been opened."""
