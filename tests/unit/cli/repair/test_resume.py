"""What `millrace resume` finds paused: not the queue of the backfills, which is off while none runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from millrace.aws.circuits import FunctionEventSources
from millrace.delivery.breaker import Circuit
from millrace.errors import LostRace
from millrace.remote.paused_sources import PausedWorld
from tests.fakes import InMemoryCircuits
from tests.world import NOON

REGION = "arn:aws:sqs:us-east-1:111122223333:"
LIVE, BACKFILLS = f"{REGION}landing", f"{REGION}millrace-backfill"


@dataclass
class TwoSources:
    """Lambda's client, with two event sources that are off; and which were switched on."""

    switched_on: list[str] = field(default_factory=list)

    def get_paginator(self, _name: str) -> TwoSources:
        """The one listing."""
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        """One page."""
        return [
            {
                "EventSourceMappings": [
                    {"EventSourceArn": arn, "UUID": arn, "State": "Disabled"} for arn in (LIVE, BACKFILLS)
                ]
            }
        ]

    def update_event_source_mapping(self, **change: Any) -> None:
        """Switch one on."""
        assert change["Enabled"]
        self.switched_on.append(change["UUID"])


@pytest.fixture
def client() -> Any:
    return TwoSources()


@pytest.fixture
def world(client: Any) -> PausedWorld:
    sources = FunctionEventSources(client, "millrace-convert")
    return PausedWorld("millrace-convert", sources, InMemoryCircuits(), "https://sqs/1/millrace-backfill")


def test_the_queue_of_the_backfills_is_off_by_itself(world: PausedWorld) -> None:
    assert [paused.queue for paused in world.list_paused()] == ["landing"]


def test_it_is_resumed_if_configuration_errors_paused_it(world: PausedWorld) -> None:
    world.circuits.put(Circuit(queue=BACKFILLS, revision=1, paused=NOON, sync="nightly", reason="no such bucket"))

    assert [paused.queue for paused in world.list_paused()] == ["landing", "millrace-backfill"]


def test_a_worker_that_still_fails_meanwhile_does_not_stop_it(world: PausedWorld, client: TwoSources) -> None:
    """Its message was in flight when the event source was paused, and counts in the circuit."""
    circuits = world.circuits
    assert isinstance(circuits, InMemoryCircuits)
    circuits.put(Circuit(queue=LIVE, revision=1, paused=NOON, sync="daily", reason="no such bucket"))
    (paused,) = world.list_paused()
    circuits.lose = 2

    assert world.resume(paused) is None

    assert circuits.get(LIVE) == Circuit(queue=LIVE, revision=2)
    assert client.switched_on == [LIVE]


def test_a_circuit_that_others_change_again_and_again_stays_open(world: PausedWorld, client: TwoSources) -> None:
    """Nothing is switched on before the circuit is closed."""
    circuits = world.circuits
    assert isinstance(circuits, InMemoryCircuits)
    circuits.put(Circuit(queue=LIVE, revision=1, paused=NOON, sync="daily", reason="no such bucket"))
    (paused,) = world.list_paused()
    circuits.lose = 99

    with pytest.raises(LostRace, match="resume it again"):
        world.resume(paused)

    assert client.switched_on == []
