"""What became of the objects whose bad rows were put aside, and how their rows can be read with the present options.

An object that is still there in the version whose rows were put aside is converted again as a whole: its output and
its quarantine are replaced together, under a new fence, so that all that holds for a conversion holds for a replay, and
the counts add up. Of an object that is gone the rows that were put aside are all that is left: they can be taken out as
they were, to be mended and uploaded.
"""

from __future__ import annotations

import base64
import enum
import io
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from millrace.errors import MalformedFile
from millrace.ledger.entries import Entry, Output, State
from millrace.ledger.stores import WholeLedger
from millrace.objects.references import ObjectRef
from millrace.objects.store import ObjectStore, Stores
from millrace.planning.planner import Planner
from millrace.planning.plans import AnyPlan, Build, Plan
from millrace.planning.targets import QUARANTINE_FOLDER

_MAY_HAVE_ROWS = frozenset({State.QUARANTINED, State.REMOVED})
"""What is removed may have left its output and its quarantine behind (``on_delete: keep``)."""


class ReplayWay(enum.StrEnum):
    """What can be done for the rows of an object."""

    AGAIN = "convert again"
    """The object is there in the version that was read, or its table is built of files that are."""
    NEWER = "newer version"
    """Another version is there: its own event converts it, and replaces the quarantine."""
    GONE = "source gone"
    """Only the rows that were put aside are left."""
    UNWANTED = "not wanted"
    """The sync does not read such objects any more."""


@dataclass(frozen=True, slots=True)
class ReplayCandidate:
    """An object with rows that were put aside: what can be done, where they lie, and in which connection."""

    source: ObjectRef
    way: ReplayWay
    aside: tuple[Output, ...]
    connection: str | None = None

    @property
    def rows(self) -> int:
        """How many rows were put aside."""
        return sum(output.rows for output in self.aside)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayFinder:
    """Looks for objects with rows that were put aside: one read of the ledger and one HEAD for each."""

    planner: Planner
    stores: Stores | Mapping[str, ObjectStore]
    ledger: WholeLedger

    def find(self, sync: str, keys: Collection[ObjectRef] = ()) -> Iterator[ReplayCandidate]:
        """The sync's objects with rows that were put aside, those of ``keys`` alone if there are any.

        Raises UsageError for a sync that is not there or not active.
        """
        active = self.planner.active_sync(sync)
        for entry in self._find_entries(sync, keys):
            plan = next(iter(self.planner.plan(entry.source, only=sync)), None)
            aside = tuple(output for output in entry.outputs if _is_aside(output, plan))
            if not aside:
                continue
            way = self._find_way(entry, plan, active.source_connection)
            connection = plan.target_connection if isinstance(plan, Plan | Build) else None
            yield ReplayCandidate(entry.source, way, aside, connection)

    def _find_entries(self, sync: str, keys: Collection[ObjectRef]) -> Iterator[Entry]:
        """The entries that may have such rows, whole: an index carries no outputs."""
        sources = keys or (entry.source for entry in self.ledger.of_sync(sync) if entry.state in _MAY_HAVE_ROWS)
        for source in sources:
            entry = self.ledger.get(sync, source)
            if entry is not None and entry.state in _MAY_HAVE_ROWS:
                yield entry

    def _find_way(self, entry: Entry, plan: AnyPlan | None, connection: str) -> ReplayWay:
        if isinstance(plan, Build):
            return ReplayWay.AGAIN
        head = self.stores[connection].head(entry.source)
        if head is None:
            return ReplayWay.GONE
        if not isinstance(plan, Plan):
            return ReplayWay.UNWANTED
        return ReplayWay.AGAIN if head.etag == entry.version.etag else ReplayWay.NEWER


def _is_aside(output: Output, plan: AnyPlan | None) -> bool:
    """Whether an output holds rows that were put aside; of what nobody plans any more, by its folder."""
    if isinstance(plan, Plan | Build) and plan.quarantine is not None:
        return output.ref == plan.quarantine
    return f"/{QUARANTINE_FOLDER}/" in f"/{output.ref.key}"


def raw_rows(quarantine: BinaryIO, name: str) -> Iterator[bytes]:
    """The rows of a quarantine object as their files had them, without line ends behind them.

    Raises MalformedFile for what is no quarantine object; ``name`` begins the error's text.
    """
    for number, line in enumerate(io.BufferedReader(_Readable(quarantine)), 1):
        try:
            row = json.loads(line)
            encoded = row.get("raw_base64")
            yield row["raw"].encode() if encoded is None else base64.b64decode(encoded, validate=True)
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise MalformedFile(f"{name}: line {number:,} is no row that Millrace put aside: {error}") from error


class _Readable(io.RawIOBase):
    """A stream that can only be read, as a buffer wants it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type] # a buffer, which has no type before Python 3.12
        data = self._stream.read(len(view))
        view[: len(data)] = data
        return len(data)
