"""Where a conversion's bytes go, and a finished one: sinks that their owner publishes, and the rows they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from millrace.engine.row_counts import RowCounts


class Discardable(Protocol):
    """What can be given up."""

    def discard(self) -> None:
        """Forget all that was written; harmless when called twice."""
        ...


class Sink(Discardable, Protocol):
    """Where an output's bytes go; nothing of them is visible to anybody until its owner publishes it."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Take the next bytes."""
        ...


S = TypeVar("S", bound=Sink)


@dataclass(frozen=True, slots=True)
class Part(Generic[S]):
    """One output: its sink, its rows, and the partition's directory, None if the output is not divided."""

    directory: str | None
    sink: S
    rows: int


@dataclass(frozen=True, slots=True)
class Destination(Generic[S]):
    """Opens the sinks that a conversion writes to.

    ``open_output`` gets a partition's directory, or None, and is called again whenever the conversion starts over with
    wider types; what it gave before is discarded by then. Without ``open_quarantine`` bad rows are counted only.
    """

    open_output: Callable[[str | None], S]
    open_quarantine: Callable[[], S] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted(Generic[S]):
    """A finished conversion: its counts and the sinks that hold the bytes, not yet published.

    Without a partition key there is one part; with one there are as many as values, none for a file without rows.
    """

    rows: RowCounts
    parts: tuple[Part[S], ...]
    quarantine: S | None = None

    def discard(self) -> None:
        """Discard every sink; harmless for those that are published."""
        sinks = [part.sink for part in self.parts]
        discard_all([*sinks, self.quarantine] if self.quarantine is not None else sinks)


def discard_all(sinks: Iterable[Discardable]) -> None:
    """Discard every sink, then raise what went wrong with the last one that gave trouble."""
    with ExitStack() as discards:
        for sink in sinks:
            discards.callback(sink.discard)
