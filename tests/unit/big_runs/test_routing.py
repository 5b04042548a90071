"""What becomes a big run, and what one invocation does as ever."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from millrace.delivery.routing import BigWork, Routing, Speeds
from millrace.delivery.worker import Outcome
from millrace.engine.options import Compression, FileFormat, ReadOptions, WriteOptions
from millrace.engine.recipe import Recipe
from millrace.ledger.entries import Entry, State
from millrace.objects.messages import Request
from millrace.objects.references import ObjectRef
from millrace.planning.plans import Build, Plan
from tests.configurations import bulk_sync, model_document
from tests.fakes import InMemoryUpload
from tests.unit.big_runs.running import RunWorld
from tests.unit.big_runs.test_equal_outputs import to_csv
from tests.unit.big_runs.test_tables import ask, fill, folder_world
from tests.world import SOURCE, World

GIGABYTE = 10**9


def recipe(compression: Compression = Compression.NONE) -> Recipe:
    read = ReadOptions(compression=compression)
    return Recipe(source_format=FileFormat.CSV, target_format=FileFormat.PARQUET, read=read, write=WriteOptions())


def test_speeds_are_careful_until_some_were_reached() -> None:
    speeds = Speeds()
    careful = speeds.expect(recipe(), GIGABYTE)

    speeds.learn(recipe(), 100 * 2**20, 2.0)

    assert speeds.expect(recipe(), GIGABYTE) < careful / 5
    assert speeds.expect(recipe(Compression.GZIP), GIGABYTE) > careful
    assert speeds.expect(recipe(), GIGABYTE, is_archive=True) == speeds.expect(recipe(Compression.GZIP), GIGABYTE)


@pytest.mark.parametrize(
    ("size", "seconds", "speed"),
    [(1000, 2.0, []), (100 * 2**20, 0.9, []), (2**20 - 1, 1.0, []), (2**20, 1.0, [2**20])],
)
def test_only_conversions_of_a_second_and_a_megabyte_teach_a_speed(
    size: int, seconds: float, speed: list[float]
) -> None:
    speeds = Speeds()

    speeds.learn(recipe(), size, seconds)

    assert list(speeds.learned.values()) == speed


@pytest.mark.slow
def test_a_worker_learns_from_what_it_converts() -> None:
    speeds = Speeds()
    world = World(syncs=(bulk_sync(to="json"),), routing=lambda _claims: Routing(speeds=speeds))
    data = b"a\n" + b"1234567\n" * 2**17
    genuine = world.store.upload

    def upload_slowly(target: ObjectRef, metadata: Mapping[str, str]) -> InMemoryUpload:
        world.now += timedelta(seconds=2)
        return genuine(target, metadata)

    world.store.upload = upload_slowly  # type: ignore[method-assign] # work that takes its time
    assert world.one(world.upload(data)).result is State.CONVERTED

    assert list(speeds.learned.values()) == [len(data) / 2]


@pytest.mark.slow
def test_very_many_small_files_are_a_run_however_few_bytes_they_have() -> None:
    world = folder_world(big_run_bytes=10**9)
    fill(world, 12_000)

    outcome = ask(world)

    assert outcome.result is State.WAITING
    assert len(world.machine.executions) == 1


@pytest.mark.parametrize(
    ("longer_by", "seconds", "is_run"),
    [(None, 900.0, False), (None, 0.000_001, True), (0, 900.0, True), (1, 900.0, False), (1, 0.000_001, True)],
)
def test_what_is_as_large_as_was_chosen_or_takes_too_long_is_a_run(
    longer_by: int | None, seconds: float, *, is_run: bool
) -> None:
    """``big_run_bytes`` may be left out."""
    world = RunWorld(syncs=(bulk_sync(to="json"),))
    data = to_csv()
    world.store.put(SOURCE, data)
    (plan,) = world.planner.plan(SOURCE)
    claimed = Entry.unseen("nightly", SOURCE, fingerprint="f", engine="1")
    assert isinstance(plan, Plan)
    big = BigWork(plan=plan, request=world.event(), claimed=claimed, size=len(data))
    chosen = None if longer_by is None else len(data) + longer_by
    routing = replace(world.routing(world.worker.claims), big_run_bytes=chosen)

    assert routing.is_big_object(big, seconds) is is_run


@pytest.mark.parametrize(
    ("fields", "has_machine", "is_run"),
    [({}, True, True), ({}, False, False), ({"identifier": "id"}, True, False)],
    ids=["a machine", "none", "rows that must be seen together"],
)
def test_a_folder_is_a_run_if_its_files_take_too_long_and_may_be_divided(
    fields: dict[str, Any], *, has_machine: bool, is_run: bool
) -> None:
    world = RunWorld(configuration=model_document({"model_from": "multi_file_archive"}, **fields))
    (build,) = world.planner.plan(ObjectRef("acme-in", "in/"), only="nightly")
    assert isinstance(build, Build)
    claimed = Entry.unseen("nightly", build.folder, fingerprint="f", engine="1")
    big = BigWork(plan=build, request=world.event(), claimed=claimed, size=10 * GIGABYTE, digest="d", files=3)
    routing = world.routing(world.worker.claims) if has_machine else Routing()

    assert routing.is_big_folder(big, 900.0) is is_run


@pytest.mark.parametrize(("size", "is_run"), [(6 * 10**6, False), (6 * 10**6 + 1, True)])
def test_work_may_take_three_fifths_of_an_invocation(size: int, *, is_run: bool) -> None:
    world = RunWorld(syncs=(bulk_sync(to="json"),))
    (plan,) = world.planner.plan(SOURCE)
    assert isinstance(plan, Plan)
    claimed = Entry.unseen("nightly", SOURCE, fingerprint="f", engine="1")
    big = BigWork(plan=plan, request=world.event(), claimed=claimed, size=size)
    speeds = Speeds()
    speeds.learn(plan.recipe, 2 * 10**6, 2.0)
    routing = replace(world.routing(world.worker.claims), big_run_bytes=None, speeds=speeds)

    assert routing.is_big_object(big, 10.0) is is_run


def test_without_a_machine_nothing_is_a_run() -> None:
    world = World(syncs=(bulk_sync(to="json"),), routing=lambda _claims: Routing(big_run_bytes=1))

    assert world.one(world.upload(to_csv())).result is State.CONVERTED


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("orders.csv", to_csv().decode().encode("utf-16")),
        ("orders.csv", b"id,note\n1,a\n"),
        ("orders.xml", b"<rows><row><id>1</id></row><row><id>2</id></row></rows>"),
    ],
    ids=["UTF-16", "one part", "a format that is not cut"],
)
def test_what_cannot_be_cut_is_converted_as_ever(name: str, data: bytes) -> None:
    world = RunWorld(syncs=(bulk_sync(to="json"),))
    outcome = world.one(world.upload(data, ObjectRef("acme-in", f"in/{name}")))

    assert outcome.result in {State.CONVERTED, State.FAILED}
    assert world.machine.executions == {}


def test_a_model_with_an_identifier_is_converted_as_ever() -> None:
    model = {"model_from": "single_file", "key": "in/customers.csv"}
    world = RunWorld(configuration=model_document(model, identifier="id"))

    outcome = world.one(world.upload(to_csv(), ObjectRef("acme-in", "in/customers.csv")))

    assert (outcome.result, world.machine.executions) == (State.CONVERTED, {})


def work_too_long(world: World, request: Request) -> Outcome:
    """Work on a request in an invocation whose whole time is over when the first rows are converted."""
    left = iter([900.0, 900.0])
    delivery = replace(world.delivery(), remaining=lambda: next(left, 1.0))
    (outcome,) = world.worker.work(request, delivery)
    return outcome


def test_a_model_with_an_identifier_that_takes_too_long_says_why_it_is_not_divided() -> None:
    model = {"model_from": "single_file", "key": "in/customers.csv"}
    world = RunWorld(configuration=model_document(model, identifier="id"), big_run_bytes=10**9)
    request = world.upload(to_csv(), ObjectRef("acme-in", "in/customers.csv"))

    outcome = work_too_long(world, request)

    assert outcome.failure is not None
    assert outcome.failure.error == "TooBig"
    assert "two rows with the same 'id'" in outcome.failure.message


@pytest.mark.parametrize("identifier", ["id", None])
def test_without_a_machine_what_takes_too_long_says_nothing_of_parts(identifier: str | None) -> None:
    """Who has none cannot have it converted in parts, whatever the model says."""
    model = {"model_from": "single_file", "key": "in/customers.csv"}
    world = World(configuration=model_document(model, identifier=identifier))
    request = world.upload(to_csv(), ObjectRef("acme-in", "in/customers.csv"))

    outcome = work_too_long(world, request)

    assert outcome.failure is not None
    assert outcome.failure.error == "TooBig"
    assert "parts" not in outcome.failure.message


@pytest.mark.slow
def test_what_a_whole_invocation_was_not_enough_for_becomes_a_run() -> None:
    world = RunWorld(syncs=(bulk_sync(to="json"),), big_run_bytes=10**9)

    outcome = work_too_long(world, world.upload(to_csv()))

    assert outcome.result is State.WAITING
    world.remaining = 900.0
    assert world.drive() == "done"
    assert world.entry(SOURCE).state is State.CONVERTED
