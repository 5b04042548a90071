"""Convert one file: a reader's record batches through a transformation into a writer, one batch in memory at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Generic, Protocol, TypeVar

from millrace.file_format import FileFormat, ReadOptions, WriteOptions


class Sink(Protocol):
    """Where an output's bytes go; nothing of them is visible to anybody until its owner publishes it."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Take the next bytes."""
        ...

    def discard(self) -> None:
        """Forget all that was written; harmless when called twice."""
        ...


S = TypeVar("S", bound=Sink)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What becomes what, and how."""

    source_format: FileFormat
    target_format: FileFormat
    read: ReadOptions
    write: WriteOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounts:
    """read = written + quarantined + filtered, always."""

    read: int
    written: int
    quarantined: int = 0
    filtered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted(Generic[S]):
    """A finished conversion: its counts and the sinks that hold the bytes, not yet published."""

    rows: RowCounts
    output: S
    quarantine: S | None = None


def convert(
    source: BinaryIO,
    recipe: Recipe,
    *,
    open_output: Callable[[], S],
    open_quarantine: Callable[[], S] | None = None,
    on_batch: Callable[[int], None] = lambda _rows: None,
) -> Converted[S]:
    """Convert a seekable binary ``source``.

    ``open_output`` is called anew whenever the conversion starts over with wider types; what it gave before has been
    discarded by then, as it has when an error is raised. ``on_batch`` hears the rows read so far after every batch,
    and may raise to stop.

    Raises DataError, or whatever ``source``, the sinks and ``on_batch`` raise.
    """
    raise NotImplementedError
