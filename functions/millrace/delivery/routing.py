"""Which objects, and which folders, are more than one invocation can do: those become big runs before they are read.

The estimate is bytes over speed. Speeds are what conversions of this very process reached, by format, compression and
target, and until there are any, careful ones. A deployment may say from which size on everything is a big run. Without
a machine, or if a file cannot be cut, one invocation tries, and says so by ``TooBig`` if it was not enough.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from millrace.engine.options import Compression, FileFormat
from millrace.engine.recipe import Recipe
from millrace.ledger.entries import BigRunFacts, Entry, Finish, State
from millrace.objects.messages import Request
from millrace.objects.references import UNKNOWN_VERSION
from millrace.objects.store import ObjectHead
from millrace.planning.plans import ArchiveTables, Build, Plan

DEFAULT_PART_BYTES = 256 * 2**20
"""A part is converted in half a minute, and its output, a fifth of that as Parquet, is copied and not glued."""
_FULL_ENOUGH = 0.6
"""The share of an invocation's time that work may be expected to take: objects differ, and machines do."""
_SECONDS_PER_FILE = 0.05
"""To open one small file of a folder, and to write it down afterwards."""
_CAREFUL = 5e6
_CAREFUL_COMPRESSED = 1e6
"""Bytes of a second that nothing was learned of: the slowest measured pair is above, on one processor; of compressed
files the bytes are those of the file, a fifth to a tenth of the text's."""
_WEIGHT = 0.3
"""Of the newest conversion in a speed: one slow file does not make big runs of all that follow."""
_Key: TypeAlias = tuple[FileFormat, FileFormat, Compression, bool]
"""What decides a speed: the formats, how the file is compressed, and whether it is an archive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BigWork:
    """Granted work that is to be a big run. ``head`` is of an object; ``digest`` and ``files`` are of a folder."""

    plan: Plan | Build
    request: Request
    claimed: Entry
    size: int
    head: ObjectHead | None = None
    digest: str | None = None
    files: int = 1

    @property
    def etag(self) -> str:
        """Which bytes it reads."""
        return str(self.head.etag if self.head is not None else self.digest)


class RunStarter(Protocol):
    """Starts big runs."""

    @property
    def part_bytes(self) -> int:
        """About the size of a part."""
        ...

    def start(self, big: BigWork) -> BigRunFacts:
        """Start the run; doing it again under the same claim changes nothing."""
        ...


@dataclass(slots=True)
class Speeds:
    """Bytes of a second that conversions of this process reached, by what decides them."""

    learned: dict[_Key, float] = field(default_factory=dict)

    def learn(self, recipe: Recipe, size: int, seconds: float, *, is_archive: bool = False) -> None:
        """Take a finished conversion into account; short ones say nothing, most of their time is the first bytes'."""
        if seconds < 1 or size < 2**20:
            return
        key, speed = _key_of(recipe, is_archive=is_archive), size / seconds
        # Speeds of 10 and then 20 MB/s are remembered as 10 + 0.3 * (20 - 10) = 13.
        last = self.learned.get(key, speed)
        self.learned[key] = last + _WEIGHT * (speed - last)

    def expect(self, recipe: Recipe, size: int, *, is_archive: bool = False) -> float:
        """The seconds that a conversion is expected to take; what an archive packs, its name does not always say."""
        is_compressed = is_archive or recipe.read.compression is not Compression.NONE
        careful = _CAREFUL_COMPRESSED if is_compressed else _CAREFUL
        return size / self.learned.get(_key_of(recipe, is_archive=is_archive), careful)


def _key_of(recipe: Recipe, *, is_archive: bool) -> _Key:
    return recipe.source_format, recipe.target_format, recipe.read.compression, is_archive


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Decides what becomes a big run. ``starter`` None: nothing does. ``big_run_bytes``: whatever is so large does."""

    starter: RunStarter | None = None
    big_run_bytes: int | None = None
    speeds: Speeds = field(default_factory=Speeds)

    @property
    def part_bytes(self) -> int:
        """About the size of a part."""
        return DEFAULT_PART_BYTES if self.starter is None else self.starter.part_bytes

    def is_big_object(self, big: BigWork, timeout_seconds: float, *, is_too_long: bool = False) -> bool:
        """Whether an object needs a run, as far as its size and its plan tell; or one invocation has tried it."""
        plan = big.plan
        if self.starter is None or not isinstance(plan, Plan) or find_obstacle(plan) is not None:
            return False
        seconds = self.speeds.expect(plan.recipe, big.size, is_archive=plan.is_archive)
        return is_too_long or self._is_big(big.size, seconds, timeout_seconds)

    def is_big_folder(self, big: BigWork, timeout_seconds: float) -> bool:
        """Whether a folder's table needs a run."""
        recipe = big.plan.recipe
        # Two rows of one identifier could be in different parts.
        if self.starter is None or recipe.transform.identifier is not None:
            return False
        # Of many small files it is not their bytes that take long.
        seconds = self.speeds.expect(recipe, big.size) + big.files * _SECONDS_PER_FILE
        return self._is_big(big.size, seconds, timeout_seconds)

    def start(self, big: BigWork) -> Finish:
        """Start the run; its object, or its folder, waits for it."""
        assert self.starter is not None  # noqa: S101 - for the type checker: without one nothing is big
        facts = self.starter.start(big)
        version = big.head.version if big.head is not None else UNKNOWN_VERSION
        reason = f"it is more than one invocation can do: the big run {facts.name} is at work"
        return Finish(state=State.WAITING, version=version, big_run=facts, reason=reason)

    def _is_big(self, size: int, seconds: float, timeout_seconds: float) -> bool:
        is_large = self.big_run_bytes is not None and size >= self.big_run_bytes
        return is_large or seconds > timeout_seconds * _FULL_ENOUGH


NO_BIG_RUNS = Routing()
"""Of a deployment without a machine."""


def find_obstacle(plan: Plan) -> str | None:
    """Why an object is not converted in parts, whatever it holds, in words; None if it may be."""
    identifier = plan.recipe.transform.identifier
    if identifier is not None:
        return f"two rows with the same {identifier!r}, its identifier, could be in different parts"
    if isinstance(plan.way, ArchiveTables):
        part = "sheet" if plan.way.are_sheets else "member"
        return f"each of its {part}s is a table with an output of its own"
    return None
