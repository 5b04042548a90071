"""Small worlds in every order: depth-first over what happens next, by running each schedule from its beginning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.simulation import schedules
from tests.simulation.choices import Scripted
from tests.simulation.orders import AllOrders, Redundant
from tests.simulation.schedules import Result
from tests.simulation.world import SimulatedWorld


@dataclass(frozen=True, slots=True)
class Explored:
    """How many schedules there were, whether those were all, and the first that broke a promise."""

    schedules: int
    complete: bool
    broken: Result | None = None


def explore(build: Callable[[], SimulatedWorld], *, most: int) -> Explored:
    """Run a world in all orders of its steps, at most so many; see ``orders`` for those that need not be run."""
    orders, count, is_more = AllOrders(), 0, True
    while is_more and count < most:
        world = build()
        orders.begin(world.calls.trace)
        try:
            result = _run(world, orders)
        except Redundant:
            is_more = orders.go_on()
            continue
        count += 1
        if result.violations:
            return Explored(count, complete=False, broken=result)
        is_more = orders.go_on()
    return Explored(count, complete=not is_more)


def explore_faults(build: Callable[[], SimulatedWorld], *, most: int, chances: int) -> Explored:
    """Run schedules of a world in which so many faults happen, anywhere; at most so many schedules."""
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


COMMUTING = frozenset(
    {
        "lambda:response",
        "sqs:ChangeMessageVisibility",
        "s3:GetObject range",
        "s3:CreateMultipartUpload",
        "s3:UploadPart",
    }
)
"""Nobody else sees when these happen; a pinned range is covered by what comes before and behind it."""


def _run(world: SimulatedWorld, choices: Scripted | AllOrders) -> Result:
    """Explore until the world first rests; what operators do then takes no part in it."""
    world.calls.commuting = COMMUTING
    with world.decided_by(choices):
        try:
            world.run()
        except Exception as error:  # noqa: BLE001 - whatever breaks out is a finding
            schedules.world_violations(world).append(f"broke out: {type(error).__name__}: {error}")
    choices.rest()
    return schedules.finish(world, twice=False)
