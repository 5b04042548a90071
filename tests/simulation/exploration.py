"""Small worlds in every order: depth-first over all choices of a schedule, by running it again with a longer prefix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.simulation import schedules
from tests.simulation.choices import Choices, Scripted
from tests.simulation.schedules import Result
from tests.simulation.world import SimulatedWorld


@dataclass(frozen=True, slots=True)
class Explored:
    """How many schedules there were, whether those were all, and the first that broke a promise."""

    schedules: int
    complete: bool
    broken: Result | None = None


def explore(build: Callable[[], SimulatedWorld], *, most: int, chances: int = 0) -> Explored:
    """Run every schedule of a world, at most so many; ``chances`` faults may happen in each, anywhere."""
    prefix: tuple[int, ...] | None = ()
    count = 0
    while prefix is not None and count < most:
        choices = Scripted(prefix, chances)
        result = _run(build(), choices)
        count += 1
        if result.violations:
            return Explored(count, complete=False, broken=result)
        prefix = choices.following()
    return Explored(count, complete=prefix is None)


_COMMUTING = frozenset(
    {
        "lambda:response",
        "sqs:ChangeMessageVisibility",
        "s3:GetObject range",
        "s3:CreateMultipartUpload",
        "s3:UploadPart",
    }
)
"""Nobody else sees when these happen; a pinned range is covered by what comes before and behind it."""


def _run(world: SimulatedWorld, choices: Choices) -> Result:
    """Explore until the world first rests; what operators do then takes no part in it."""
    world.calls.commuting = _COMMUTING
    with world.decided_by(choices):
        try:
            world.run()
        except Exception as error:  # noqa: BLE001 - whatever breaks out is a finding
            schedules.world_violations(world).append(f"broke out: {type(error).__name__}: {error}")
    return schedules.finish(world, twice=False)
