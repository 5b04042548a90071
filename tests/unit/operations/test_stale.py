"""What a change of the configuration, the engine or a schema made stale: exactly that, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from millrace.errors import MalformedFile, ServiceUnavailable, UsageError
from millrace.ledger.entries import Failure, State
from millrace.ledger.table_entries import SchemaEntry
from millrace.objects.references import ObjectRef
from millrace.operations.reprocess import Reprocess, Reprocessor
from millrace.operations.stale import ExaminedEntry, StaleFinder, StaleReason
from tests.configurations import bulk_sync
from tests.fakes import InMemoryLedger
from tests.unit.delivery.test_builds import ModelWorld
from tests.world import World

ORDERS, ITEMS, NOTES = (ObjectRef("acme-in", f"in/{name}") for name in ("orders.csv", "items.csv", "notes.txt"))
ROWS = b"id,region\n1,eu\n"


def table(name: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "enabled": True, **fields}


@pytest.fixture
def world() -> World:
    world = World(syncs=(bulk_sync(to="json", schemas=[table("orders"), table("items")]),))
    for ref in (ORDERS, ITEMS, NOTES):
        world.one(world.upload(ROWS, ref))
    return world


def examine(world: World, *reasons: StaleReason, engine: str = "1", **place: str) -> list[ExaminedEntry]:
    finder = StaleFinder(planner=world.planner, index=world.ledger, ledger=world.ledger, engine=engine)
    return list(finder.examine("nightly", reasons or tuple(StaleReason), **place))


def stale(world: World, *reasons: StaleReason, engine: str = "1") -> dict[str, set[str]]:
    examined = examine(world, *reasons, engine=engine)
    return {one.entry.source.key: set(map(str, one.reasons)) for one in examined if one.is_stale}


def configure(world: World, **fields: Any) -> None:
    world.syncs = (bulk_sync(**({"to": "json", "schemas": [table("orders"), table("items")]} | fields)),)


def test_nothing_is_stale_at_first(world: World) -> None:
    assert stale(world) == {}
    assert len(examine(world)) == 3


def test_a_change_of_the_sync_makes_all_of_it_stale(world: World) -> None:
    configure(world, subfolder="elsewhere")

    assert stale(world) == {ORDERS.key: {"configuration"}, ITEMS.key: {"configuration"}}


def test_a_change_of_one_table_makes_its_objects_stale_alone(world: World) -> None:
    configure(world, schemas=[table("orders", partition_key="region"), table("items")])

    assert stale(world) == {ORDERS.key: {"configuration"}}


def test_what_shapes_no_output_makes_nothing_stale(world: World) -> None:
    configure(world, on_delete="remove")

    assert stale(world) == {}


def test_an_entry_of_0_1_0_is_stale_by_its_fingerprint(world: World) -> None:
    for ref in (ORDERS, ITEMS):
        forget_shape(world.ledger, ref)
    assert stale(world) == {}
    assert stale(world, engine="2") == {ORDERS.key: {"engine"}, ITEMS.key: {"engine"}}

    configure(world, schemas=[table("orders", partition_key="region"), table("items")])

    assert set(stale(world)) == {ORDERS.key, ITEMS.key}


def forget_shape(ledger: InMemoryLedger, ref: ObjectRef) -> None:
    entry = ledger.get("nightly", ref)
    assert entry is not None
    ledger.put(replace(entry, revision=entry.revision + 1, shape=None))


def test_what_was_ignored_and_is_wanted_now_is_stale(world: World) -> None:
    world.syncs = (bulk_sync(to="json", schemas=[table("orders")]),)
    world.one(world.upload(ROWS + b"2,us\n", ITEMS))
    assert world.entry(ITEMS).state is State.IGNORED

    configure(world)

    assert stale(world)[ITEMS.key] == {"configuration"}


def test_what_the_worker_ignores_for_its_time_is_not_stale_for_ever(world: World) -> None:
    """Planning takes it for an object of its table: only reading it says how old it is."""
    world.source = {"newer_than": "2030-01-01T00:00:00Z"}
    world.one(world.upload(ROWS + b"2,us\n", ORDERS))
    assert world.entry(ORDERS).state is State.IGNORED
    assert ORDERS.key not in stale(world)

    world.source = {"newer_than": "2020-01-01T00:00:00Z"}

    assert stale(world)[ORDERS.key] == {"configuration"}


def test_what_is_ignored_now_is_not_stale(world: World) -> None:
    """Nothing would be written of it."""
    configure(world, schemas=[table("orders"), table("items", enabled=False)])

    assert stale(world) == {}


def test_a_failure_under_another_configuration_is_stale(world: World) -> None:
    world.one(world.upload(b"a,b\n1\n", ORDERS))
    assert world.entry(ORDERS).state is State.FAILED
    assert stale(world) == {}

    configure(world, bad_rows="quarantine")

    assert ORDERS.key in stale(world)


def test_another_engine_makes_all_stale(world: World) -> None:
    assert stale(world, engine="2") == {ORDERS.key: {"engine"}, ITEMS.key: {"engine"}}
    assert stale(world, StaleReason.CONFIGURATION, engine="2") == {}


def test_the_native_kernel_makes_nothing_stale(world: World) -> None:
    """It gives the same outputs: entries of 0.1.0 name no kernel, and a laptop that asks may have none."""
    assert stale(world, engine="1+native") == {}
    assert stale(world, engine="2+native").keys() == {ORDERS.key, ITEMS.key}


def test_work_in_flight_and_removed_objects_are_not_stale(world: World) -> None:
    configure(world, subfolder="elsewhere")
    entry = world.entry(ORDERS)
    world.ledger.put(replace(entry, revision=entry.revision + 1, state=State.IN_FLIGHT))
    world.one(world.delete(ITEMS))

    assert stale(world) == {}


class TestStaleSchemas:
    @pytest.fixture
    def world(self) -> World:
        source = {"is_single_table": True, "single_table_name": "orders", "single_table_file_format": "csv"}
        world = World(source=source)
        for name, data in (("a.csv", b"id\n1\n"), ("b.csv", b"id,note\n2,x\n"), ("c.csv", b"id,note\n3,y\n")):
            world.one(world.upload(data, ObjectRef("acme-in", f"in/{name}")))
        return world

    def test_an_output_of_an_older_schema_is_stale(self, world: World) -> None:
        assert stale(world) == {"in/a.csv": {"schema"}}
        assert stale(world, StaleReason.CONFIGURATION, StaleReason.ENGINE) == {}

    def test_each_reason_is_found_alone_whatever_else_has_changed(self, world: World) -> None:
        world.syncs = (bulk_sync(subfolder="elsewhere"),)

        assert stale(world, StaleReason.SCHEMA, engine="2") == {"in/a.csv": {"schema"}}
        assert set(stale(world, StaleReason.CONFIGURATION)) == {"in/a.csv", "in/b.csv", "in/c.csv"}
        assert stale(world, engine="2")["in/a.csv"] == set(map(str, StaleReason))

    def test_what_failed_has_no_output_of_an_older_schema(self, world: World) -> None:
        entry = world.entry(ObjectRef("acme-in", "in/a.csv"))
        failure = Failure.of(MalformedFile("bad"))
        failed = replace(entry, revision=entry.revision + 1, state=State.FAILED, failure=failure)
        world.ledger.put(failed)

        assert stale(world) == {}

    def test_a_table_whose_schema_the_ledger_has_lost_makes_nothing_stale(self, world: World) -> None:
        (schema,) = [entry for entry in world.ledger.entries.values() if isinstance(entry, SchemaEntry)]
        del world.ledger.entries[schema.stored_sync, schema.source]

        assert stale(world) == {}

    def test_it_is_not_once_it_is_written_again(self, world: World) -> None:
        run(world, Reprocess(sync="nightly", stale=frozenset(StaleReason)))
        for request in world.queue.sent:
            world.one(request)

        assert stale(world) == {}


class TestStaleModels:
    """A model's table is stale as a whole: its files are not looked at one by one."""

    @pytest.fixture
    def world(self) -> ModelWorld:
        world = ModelWorld(model={"model_from": "multi_file_archive", "subfolder": "crm"})
        for key in ("in/crm/a.csv", "in/crm/b.csv"):
            world.one(world.put(key, b"id\n1\n"))
        world.run_asked()
        return world

    def test_the_table_is_stale_and_not_its_files(self, world: ModelWorld) -> None:
        assert stale(world) == {}

        world.sync = {"bad_rows": "quarantine"}

        assert stale(world) == {"in/crm/": {"configuration"}}

    def test_a_file_that_was_ignored_and_is_wanted_now_is_stale_itself(self, world: ModelWorld) -> None:
        world.model["exclude"] = ["c.csv"]
        file = world.put("in/crm/c.csv", b"id\n1\n")
        world.one(file)
        assert world.entry(file.change.ref).state is State.IGNORED
        assert stale(world, StaleReason.CONFIGURATION) == {"in/crm/": {"configuration"}}

        del world.model["exclude"]

        assert stale(world) == {"in/crm/c.csv": {"configuration"}}

    def test_it_is_asked_for_once_and_made_again(self, world: ModelWorld) -> None:
        world.sync = {"bad_rows": "quarantine"}
        world.queue.sent.clear()

        run(world, Reprocess(sync="nightly", stale=frozenset(StaleReason)))

        (request,) = world.queue.sent
        assert world.one(request).result is State.CONVERTED
        assert stale(world) == {}


@pytest.mark.parametrize(
    ("place", "keys"),
    [
        ({"prefix": "in/o"}, ["in/orders.csv"]),
        ({"prefix": "in/"}, ["in/items.csv", "in/notes.txt", "in/orders.csv"]),
        ({"prefix": "in/orders.csv"}, ["in/orders.csv"]),
        ({"prefix": "in/x"}, []),
        ({"prefix": "in/", "start_after": "in/items.csv"}, ["in/notes.txt", "in/orders.csv"]),
    ],
    ids=str,
)
def test_only_what_is_below_a_prefix_and_behind_a_key_is_looked_at(
    world: World, place: dict[str, str], keys: list[str]
) -> None:
    assert [one.entry.source.key for one in examine(world, **place)] == keys


def run(world: World, wish: Reprocess, remaining: float = float("inf"), portion: int = 1000) -> dict[str, Any]:
    reprocessor = Reprocessor(
        planner=world.planner,
        stores={"landing": world.store},
        index=world.ledger,
        ledger=world.ledger,
        queues={"landing": world.queue},
        now=lambda: world.now,
        engine="1",
        portion=portion,
    )
    return reprocessor.run(wish, lambda: remaining)


class TestReprocessStale:
    def test_it_asks_for_exactly_what_is_stale(self, world: World) -> None:
        configure(world, schemas=[table("orders", partition_key="region"), table("items")])

        answer = run(world, Reprocess(sync="nightly", stale=frozenset({StaleReason.CONFIGURATION})))

        assert [request.change.ref for request in world.queue.sent] == [ORDERS]
        assert (answer["selected"], answer["sent"], answer["not_stale"]) == (1, 1, 2)
        assert answer["stale"] == {"configuration": 1}

    def test_it_asks_only_for_what_is_below_a_prefix(self, world: World) -> None:
        configure(world, subfolder="elsewhere")

        run(world, Reprocess(sync="nightly", stale=frozenset(StaleReason), prefix="in/o"))

        assert [request.change.ref for request in world.queue.sent] == [ORDERS]

    def test_what_it_asked_for_is_not_stale_afterwards(self, world: World) -> None:
        configure(world, schemas=[table("orders", partition_key="region"), table("items")])
        run(world, Reprocess(sync="nightly", stale=frozenset(StaleReason)))
        (request,) = world.queue.sent

        world.one(request)

        assert stale(world) == {}
        assert [output.ref.key for output in world.entry(ORDERS).outputs] == ["lake/orders/region=eu/orders.jsonl"]

    def test_a_look_is_cut_between_entries_that_are_not_stale_too(self, world: World) -> None:
        """Else nothing but a time-out would end the look at a million objects none of which is stale."""
        wish = Reprocess(sync="nightly", stale=frozenset(StaleReason))

        first = run(world, wish, remaining=15.0, portion=2)
        second = run(world, replace(wish, run_id=first["run_id"], start_after=first["start_after"]))

        assert (first["complete"], first["start_after"], first["not_stale"]) == (False, "in/notes.txt", 2)
        assert (second["complete"], second["not_stale"]) == (True, 1)

    @pytest.mark.parametrize(
        ("value", "reasons"),
        [
            (True, set(StaleReason)),
            (False, set()),
            (["engine", "schema"], {StaleReason.ENGINE, StaleReason.SCHEMA}),
            ([str(reason) for reason in StaleReason], set(StaleReason)),
        ],
        ids=["all", "none", "some", "all by their names"],
    )
    def test_an_event_names_all_reasons_or_some(self, value: object, reasons: set[StaleReason]) -> None:
        assert Reprocess.parse({"sync": "nightly", "stale": value}).stale == reasons

    @pytest.mark.parametrize(
        ("event", "problem"),
        [
            ({"stale": "engine"}, "stale is 'engine'; expected true, or a list of"),
            ({"stale": ["weather"]}, r"stale is \['weather'\]; expected true, or a list of"),
            ({"stale": []}, r"stale is \[\]; expected true, or a list of"),
            ({"stale": [{}]}, "expected true, or a list of"),
            ({"stale": ["engine", "weather"]}, "expected true, or a list of"),
            ({"stale": ["engine"], "keys": ["a"]}, "stale and keys were given together"),
            ({"stale": True, "state": "failed"}, "stale and state were given together"),
        ],
        ids=str,
    )
    def test_a_mistake_is_wrong_use(self, event: dict[str, Any], problem: str) -> None:
        with pytest.raises(UsageError, match=problem):
            Reprocess.parse({"sync": "nightly", **event})


@pytest.mark.parametrize("state", [None, State.IN_FLIGHT, State.REMOVED, State.FAILED])
def test_what_is_not_settled_any_more_when_it_is_read_is_not_stale(world: World, state: State | None) -> None:
    """The index is a little behind the ledger."""
    configure(world, subfolder="elsewhere")
    index = InMemoryLedger(dict(world.ledger.entries))
    entry = world.entry(ORDERS)
    if state is None:
        del world.ledger.entries[entry.stored_sync, ORDERS]
    else:
        failure = Failure.of(ServiceUnavailable("503")) if state is State.FAILED else None
        world.ledger.put(replace(entry, revision=entry.revision + 1, state=state, failure=failure))
    finder = StaleFinder(planner=world.planner, index=index, ledger=world.ledger, engine="1")

    examined = {item.entry.source: item.is_stale for item in finder.examine("nightly", tuple(StaleReason))}

    assert examined == {ORDERS: False, ITEMS: True, NOTES: False}
