"""Orders that need not be run lead to worlds that others lead to."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import pytest

from tests.simulation import light
from tests.simulation.choices import Scripted
from tests.simulation.exploration import COMMUTING
from tests.simulation.orders import AllOrders, Footprint, Redundant, to_footprint
from tests.simulation.test_exploration import WORLDS, build
from tests.simulation.world import SimulatedWorld

NAME = "a version that cannot be converted"
"""The smallest world that comes to three different ends."""
_TIMES = re.compile(r"datetime\.datetime\([^)]*\)")


def _describe_end(world: SimulatedWorld) -> str:
    """Entries without their times, outputs and dead letters."""
    outputs = {key: version.data for key, version in world.target.live().items()}
    entries = {str(key): _TIMES.sub("", repr(entry)) for key, entry in world.ledger.held.entries.items()}
    return repr((sorted(entries.items()), sorted(outputs.items()), [message.id for message in world.queue.dead]))


def _run(world: SimulatedWorld, choices: Scripted | AllOrders) -> str:
    world.calls.commuting = COMMUTING
    with world.decided_by(choices):
        world.run()
    choices.rest()
    return _describe_end(world)


def _ends_of_every_schedule() -> Iterator[str]:
    prefix: tuple[int, ...] | None = ()
    while prefix is not None:
        choices = Scripted(prefix)
        yield _run(build(*WORLDS[NAME], {}), choices)
        prefix = choices.following()


def _ends_of_all_orders() -> Iterator[str]:
    orders, is_more = AllOrders(), True
    while is_more:
        world = build(*WORLDS[NAME], {})
        orders.begin(world.calls.trace)
        with contextlib.suppress(Redundant):
            yield _run(world, orders)
        is_more = orders.go_on()


def test_no_end_is_lost_and_few_schedules_are_left() -> None:
    with light.in_place():
        every, orders = list(_ends_of_every_schedule()), list(_ends_of_all_orders())

    assert set(orders) == set(every)
    assert len(set(every)) > 1
    assert len(orders) < len(every) / 5


ENTRY, SOURCE, TARGET = "s3://in/a (nightly)", "s3://in/a", "s3://out/a"


def _touch(*calls: tuple[str, str]) -> Footprint:
    return to_footprint([(0.0, "convert 1", what, subject, "") for what, subject in calls])


@pytest.mark.parametrize(
    ("first", "second", "commute"),
    [
        (("dynamodb:GetItem", ENTRY), ("dynamodb:GetItem", ENTRY), True),
        (("dynamodb:GetItem", ENTRY), ("dynamodb:PutItem", f"{ENTRY} -> in flight, revision 1"), False),
        (("dynamodb:PutItem", f"{ENTRY} -> removed"), ("dynamodb:PutItem", f"{ENTRY} -> converted"), False),
        (("s3:GetObject", SOURCE), ("dynamodb:PutItem", f"{ENTRY} -> converted"), True),
        (("s3:GetObject", SOURCE), ("s3:PutObject", TARGET), True),
        (("s3:PutObject", TARGET), ("s3:PutObject", TARGET), False),
        (("s3:HeadObject", TARGET), ("s3:PutObject", TARGET), False),
        (("invokes", "convert 2"), ("s3:PutObject", TARGET), True),
        (("invokes", "convert 2"), ("invokes", "convert 3"), False),
        (("s3:DeleteObject", TARGET), ("s3:GetObject", SOURCE), False),
        (("sqs deletes", "m1"), ("s3:GetObject", SOURCE), False),
        (("user writes", "in/a"), ("s3:GetObject", SOURCE), False),
        (("a call that nobody has thought of", "x"), ("s3:GetObject", SOURCE), False),
    ],
)
def test_steps_commute_that_touch_different_things(
    first: tuple[str, str],
    second: tuple[str, str],
    commute: bool,  # noqa: FBT001 - a table's column
) -> None:
    assert _touch(first).is_independent(_touch(second)) is commute
    assert _touch(second).is_independent(_touch(first)) is commute


def test_a_step_of_several_calls_touches_all_that_they_touch() -> None:
    step = _touch(("s3:GetObject", SOURCE), ("s3:PutObject", TARGET))

    assert not step.is_independent(_touch(("s3:PutObject", SOURCE)))
    assert not step.is_independent(_touch(("s3:GetObject", TARGET)))
