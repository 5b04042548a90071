"""Several files as one table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, TypeVar

from millrace.conversion import Converted, Recipe, Sink
from millrace.file_format import FileFormat, ReadOptions

S = TypeVar("S", bound=Sink)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file of a table."""

    name: str
    format: FileFormat
    read: ReadOptions
    open: Callable[[], AbstractContextManager[BinaryIO]]


def convert_many(
    sources: Sequence[Source],
    recipe: Recipe,
    *,
    open_output: Callable[[str | None], S],
    open_quarantine: Callable[[], S] | None = None,
    on_batch: Callable[[int], None] = lambda _rows: None,
    now: datetime,
    key: bytes | None = None,
) -> Converted[S]:
    """Convert all sources into one output."""
    raise NotImplementedError
