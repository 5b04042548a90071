"""Losses that others had, each a test of that name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from millrace.ledger.entries import State
from millrace.objects.references import ObjectRef
from tests.simulation import light, promises, schedules
from tests.simulation.calls import BEGINNING
from tests.simulation.choices import Seeded
from tests.simulation.faults import Fault
from tests.simulation.setups import Setup, SetupKind
from tests.simulation.sources import source
from tests.simulation.world import SimulatedWorld


@pytest.fixture(autouse=True)
def lightly() -> Iterator[None]:
    with light.in_place():
        yield


def quiet(setup: Setup | None = None, *, versioned: bool = False) -> SimulatedWorld:
    """A world in which nothing goes wrong that a test does not plan."""
    world = SimulatedWorld(Seeded(3), setup or Setup(SetupKind.REPLICATE), batch=1, versioned=versioned)
    world.on_acknowledge = schedules.on_acknowledge
    world.on_delete = schedules.on_delete
    return world


def rows(*parts: str, version: int = 1) -> bytes:
    return light.HEADER + "".join(f"{row},{part},{version}\n" for row, part in enumerate(parts, start=1)).encode()


def output(world: SimulatedWorld, path: str) -> bytes | None:
    return promises.held(world).get(ObjectRef("acme-out", f"lake/{path}"))


def state(world: SimulatedWorld, key: str) -> State:
    known = promises.entry(world, key)
    assert known is not None
    return known.state


def kept(world: SimulatedWorld) -> None:
    """Nothing was broken, now or on the way."""
    found = [*schedules.world_violations(world), *promises.violations(world)]
    assert not found, "\n".join(map(str, found))


def test_partial_failure_of_a_multi_record_message_acknowledged() -> None:
    """opentelemetry-collector-contrib 45153."""
    world = quiet()
    for key in ("in/a.csv", "in/b.csv"):
        world.sources.write(key, rows("x"))
    records = [json.loads(news.body) for news in world.sources.on_the_way]
    both = [_as_record(event) for event in records]
    world.sources.on_the_way.clear()
    world.queue.add(json.dumps({"Records": both}))
    world.calls.planned.append(("s3:GetObject", "in/b.csv", Fault.FAILED))

    world.run()

    assert [state(world, key) for key in ("in/a.csv", "in/b.csv")] == [State.CONVERTED, State.CONVERTED]
    kept(world)


def _as_record(event: dict[str, object]) -> object:
    records = event.get("Records")
    if isinstance(records, list):
        return records[0]
    detail = event["detail"]
    assert isinstance(detail, dict)
    about = {"key": detail["object"]["key"], "eTag": detail["object"]["etag"], **detail["object"]}
    s3 = {"bucket": detail["bucket"], "object": about}
    return {"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": s3}


def test_worker_without_fencing_overwrites_a_newer_one() -> None:
    """Powertools' idempotency updates its record without a condition."""
    world = quiet()
    world.calls.answers = (600.0,)
    world.calls.planned.append(("s3:PutObject", "lake/a", Fault.SLOW))
    world.skews = [0.0, 3600.0]
    world.sources.write("in/a.csv", rows("x", version=1))
    world.script = [lambda world: schedules.wait(60.0, world), lambda world: world.sources.write("in/a.csv", rows("y"))]

    world.run()

    assert output(world, "a.jsonl") == b'{"id":1,"part":"y","version":1}\n'
    assert world.faults.happened(Fault.SLOW)
    kept(world)


def test_lock_without_expiry() -> None:
    """amazon-s3-endedupe."""
    world = quiet()
    world.calls.planned.append(("dynamodb:PutItem", "in flight", Fault.KILLED_AFTER))
    world.sources.write("in/a.csv", rows("x"))

    world.run()

    assert state(world, "in/a.csv") is State.CONVERTED
    kept(world)


@pytest.mark.parametrize("kind", [SetupKind.REPLICATE, SetupKind.PARTITIONED, SetupKind.SNAPSHOT])
def test_ledger_gone_everything_ingested_twice(kind: SetupKind) -> None:
    """ClickHouse 116294 and 112041."""
    world = quiet(Setup(kind))
    for key in ("in/a.csv", "in/b.csv"):
        world.sources.write(key, rows("x", "y"))
        world.run()
    before, writes = promises.held(world), len(world.buckets.written)
    world.ledger.restore({})

    world.rebuild()
    world.run()
    for body in world.sources.told:
        world.queue.add(body)
    world.run()

    assert promises.held(world) == before
    if kind is SetupKind.PARTITIONED:
        # Nobody knows if a rebuild found all partitions of an object, so its event makes them once more.
        writes *= 2
    assert len(world.buckets.written) == writes


def test_prefix_delete_takes_a_sibling() -> None:
    """aws-sdk-pandas 144."""
    world = quiet(Setup(SetupKind.PARTITIONED))
    world.sources.write("in/ab.csv", rows("x"))
    world.sources.write("in/a.csv", rows("x", "y"))
    world.run()

    world.sources.write("in/a.csv", rows("y"))
    world.run()

    assert output(world, "a/part=x/a.jsonl") is None
    assert output(world, "ab/part=x/ab.jsonl") is not None
    kept(world)


def test_re_run_with_fewer_parts_leaves_stale_ones() -> None:
    """aws-sdk-pandas 3021."""
    world = quiet(Setup(SetupKind.PARTITIONED))
    world.calls.planned.append(("dynamodb:PutItem", "converted", Fault.KILLED_BEFORE))
    world.sources.write("in/a.csv", rows("x", "y", "z"))
    world.script = [lambda world: schedules.wait(60.0, world), lambda world: world.sources.write("in/a.csv", rows("y"))]

    world.run()

    assert {ref.key for ref in promises.held(world)} == {"lake/a/part=y/a.jsonl"}
    kept(world)


@pytest.mark.parametrize("name", ["Put", "Post", "Copy", "CompleteMultipartUpload"])
def test_only_object_created_put_subscribed(name: str) -> None:
    """aws-lambda-redshift-loader 17."""
    world = quiet()
    world.sources.write("in/a.csv", rows("x"))
    (news,) = world.sources.on_the_way
    record = _as_record(json.loads(news.body))
    world.sources.on_the_way.clear()
    world.queue.add(json.dumps({"Records": [record]}).replace("ObjectCreated:Put", f"ObjectCreated:{name}"))

    world.run()

    assert state(world, "in/a.csv") is State.CONVERTED


def test_deleted_before_read_retried_for_ever() -> None:
    """redpanda connect 3221."""
    world = quiet()
    world.sources.write("in/a.csv", rows("x"))
    world.source.put("in/a.csv", None, world.clock.now)
    (news,) = world.sources.on_the_way

    world.run()

    assert state(world, "in/a.csv") is State.REMOVED
    assert not world.queue.messages
    assert news.body
    assert world.clock.at() - BEGINNING < timedelta(minutes=1)


def test_later_file_committed_first_makes_the_earlier_one_lost() -> None:
    """ClickHouse 118960."""
    world = quiet()
    world.sources.write("in/a.csv", rows("x"))
    world.sources.on_the_way.clear()
    world.clock.now += 60
    world.sources.write("in/b.csv", rows("y"))
    world.run()
    assert state(world, "in/b.csv") is State.CONVERTED

    world.reconcile()
    world.run()

    assert state(world, "in/a.csv") is State.CONVERTED
    assert world.ledger.held.get("nightly", source("in/a.csv")) is not None
    kept(world)
