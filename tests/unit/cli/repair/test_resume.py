"""What `millrace resume` finds paused: not the queue of the backfills, which is off while none runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from millrace.aws.circuits import FunctionEventSources
from millrace.delivery.breaker import Circuit
from millrace.remote.paused_sources import PausedWorld
from tests.fakes import InMemoryCircuits
from tests.world import NOON

REGION = "arn:aws:sqs:us-east-1:111122223333:"
LIVE, BACKFILLS = f"{REGION}landing", f"{REGION}millrace-backfill"


@dataclass
class TwoSources:
    """Lambda's client, with two event sources that are off."""

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


@pytest.fixture
def world() -> PausedWorld:
    client: Any = TwoSources()
    sources = FunctionEventSources(client, "millrace-convert")
    return PausedWorld("millrace-convert", sources, InMemoryCircuits(), "https://sqs/1/millrace-backfill")


def test_the_queue_of_the_backfills_is_off_by_itself(world: PausedWorld) -> None:
    assert [paused.queue for paused in world.list_paused()] == ["landing"]


def test_it_is_resumed_if_configuration_errors_paused_it(world: PausedWorld) -> None:
    world.circuits.put(Circuit(queue=BACKFILLS, revision=1, paused=NOON, sync="nightly", reason="no such bucket"))

    assert [paused.queue for paused in world.list_paused()] == ["landing", "millrace-backfill"]
