"""Who decides what happens next: a seed, or a script that is followed and then explored."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


class Choices(Protocol):
    """Every decision of a schedule that is not the library's own."""

    def pick(self, count: int) -> int:
        """One of ``count`` (at least one) possibilities."""
        ...

    def step(self, names: Sequence[str]) -> int:
        """Who goes on: one of these. An actor has its name, what the world does has none."""
        ...

    def chance(self, probability: float) -> bool:
        """Whether something that happens so often happens now."""
        ...

    def between(self, low: float, high: float) -> float:
        """A number."""
        ...


class Seeded:
    """Choices that a seed makes, the same on every machine."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def pick(self, count: int) -> int:
        """Any of them."""
        return int(self._random.random() * count)

    def step(self, names: Sequence[str]) -> int:
        """Any of them."""
        return self.pick(len(names))

    def chance(self, probability: float) -> bool:
        """Draw; no draw is spent on what never happens."""
        return probability > 0 and self._random.random() < probability

    def between(self, low: float, high: float) -> float:
        """Draw evenly."""
        return low + (high - low) * self._random.random()


@dataclass(slots=True)
class Scripted:
    """Choices read from a prefix, zero behind it; ``counts`` tells how many possibilities each had.

    ``chances`` decides how many of the questions by ``chance`` may be answered by yes; each is a choice as well.
    """

    prefix: tuple[int, ...] = ()
    chances: int = 0
    taken: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    def pick(self, count: int) -> int:
        """What the prefix says, else the first."""
        if count == 1:
            return 0
        at = len(self.taken)
        choice = self.prefix[at] if at < len(self.prefix) else 0
        self.taken.append(choice)
        self.counts.append(count)
        return choice

    def step(self, names: Sequence[str]) -> int:
        """As any other choice."""
        return self.pick(len(names))

    def chance(self, probability: float) -> bool:
        """A choice between no and yes, as long as there are some left."""
        if probability <= 0 or self.chances <= 0:
            return False
        if not self.pick(2):
            return False
        self.chances -= 1
        return True

    def between(self, low: float, high: float) -> float:
        """Always the lower."""
        del high
        return low

    def rest(self) -> None:
        """The schedule is over: nothing depends on it."""

    def following(self) -> tuple[int, ...] | None:
        """The next prefix in depth-first order; None where all were taken."""
        taken, counts = list(self.taken), list(self.counts)
        while taken:
            if taken[-1] + 1 < counts[-1]:
                return (*taken[:-1], taken[-1] + 1)
            taken.pop()
            counts.pop()
        return None
