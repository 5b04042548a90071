"""Files of one table whose fields and types differ, on the fakes: evolve, rescue and freeze."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from millrace.delivery.outcome_log import fields, metric_names
from millrace.delivery.table_schema import TableSchema
from millrace.delivery.worker import Outcome
from millrace.ledger.entries import State
from millrace.ledger.table_entries import AnyEntry, SchemaEntry
from millrace.objects.messages import Request
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef
from tests.configurations import bulk_sync
from tests.fakes import InMemoryLedger, InMemoryObjectStore, InMemoryUpload
from tests.world import World

ORDERS = ObjectRef("acme-in", "in/orders")
SINGLE = {"is_single_table": True, "single_table_name": "orders"}


def table(to: str = "parquet", *, source: dict[str, Any] | None = None, **fields: Any) -> World:
    """A world whose files below ``in/`` are one table."""
    return World(syncs=(bulk_sync(to=to, **fields),), source=SINGLE | (source or {}))


def put(world: World, name: str, text: str) -> Outcome:
    """Upload a file of the table, and have it converted."""
    return world.one(world.upload(text.encode(), ObjectRef("acme-in", f"in/{name}")), name)


def again(world: World, name: str, run: str, **asked: Any) -> Outcome:
    """Reprocess a file."""
    change = ObjectChange(kind=ChangeKind.CREATED, ref=ObjectRef("acme-in", f"in/{name}"))
    return world.one(Request(change=change, sync="nightly", run_id=run, **asked), f"{run} {name}")


def read(world: World, name: str) -> pa.Table:
    """An output in Parquet."""
    data = world.store.data(ObjectRef("acme-out", f"lake/orders/{name}.parquet"))
    return pq.read_table(io.BytesIO(data)).replace_schema_metadata(None)


def types(world: World, name: str) -> dict[str, str]:
    """An output's columns and types, in their order."""
    return {field.name: str(field.type) for field in read(world, name).schema}


def schema(world: World) -> TableSchema:
    """What is remembered of the table."""
    entry = world.ledger.get_schema("nightly", ORDERS)
    assert entry is not None
    return TableSchema.from_bytes(entry.schema)


def version(world: World, name: str) -> int | None:
    """Of the schema that a file's output was written with."""
    return world.entry(ObjectRef("acme-in", f"in/{name}")).schema_version


class TestEvolve:
    @pytest.fixture
    def world(self) -> World:
        return table()

    def test_a_new_field_comes_last_and_stays(self, world: World) -> None:
        put(world, "a.csv", "id,name\n1,x\n")
        put(world, "b.csv", "note,name,id\nn,y,2\n")
        put(world, "c.csv", "id\n3\n")

        assert list(types(world, "b")) == list(types(world, "c")) == ["id", "name", "note"]
        assert read(world, "c").to_pylist() == [{"id": 3, "name": None, "note": None}]
        assert [version(world, f"{name}.csv") for name in "abc"] == [1, 2, 2]

    def test_a_narrower_type_is_written_as_the_tables_wider_one(self, world: World) -> None:
        put(world, "a.csv", "amount\n2.5\n")
        put(world, "b.csv", "amount\n3\n")

        assert types(world, "b") == {"amount": "double"}
        assert schema(world).version == 1

    def test_a_wider_type_is_the_tables_from_then_on_and_told(self, world: World) -> None:
        put(world, "a.csv", "zip\n12345\n")
        outcome = put(world, "b.csv", "zip\n00501\n")
        put(world, "c.csv", "zip\n90210\n")

        assert [types(world, name)["zip"] for name in "abc"] == ["int64", "string", "string"]
        assert fields(outcome)["schema_changes"] == "zip: int64 -> text"
        assert (fields(outcome)["schema_version"], metric_names(outcome)) == (2, ("Converted", "SchemaEvolved"))
        assert [one.source for one in schema(world).versions] == ["s3://acme-in/in/a.csv", "s3://acme-in/in/b.csv"]

    def test_the_first_version_and_a_duplicate_are_no_evolution(self, world: World) -> None:
        first = put(world, "a.csv", "zip\n12345\n")
        put(world, "b.csv", "zip\n00501\n")

        duplicate = world.one(
            world.event(
                ObjectRef("acme-in", "in/b.csv"), etag=world.entry(ObjectRef("acme-in", "in/b.csv")).version.etag
            ),
            "m9",
        )

        assert metric_names(first) == ("Converted",)
        assert metric_names(duplicate) == ("AlreadyDone",)

    def test_earlier_outputs_are_rebuilt_by_reprocess(self, world: World) -> None:
        put(world, "a.csv", "zip\n12345\n")
        put(world, "b.csv", "zip,note\n00501,x\n")

        again(world, "a.csv", "r1")

        assert read(world, "a").to_pylist() == [{"zip": "12345", "note": None}]
        assert version(world, "a.csv") == 2

    def test_a_value_that_comes_late_in_the_file_widens_too(self, world: World) -> None:
        put(world, "a.csv", "id,n\n1,1\n")
        rows = "".join(f"{number},{number}\n" for number in range(5000))
        put(world, "b.csv", f"id,n\n{rows}7,seven\n")

        assert types(world, "b") == {"id": "int64", "n": "string"}
        assert read(world, "b").num_rows == 5001

    def test_a_column_without_values_has_the_tables_type_and_changes_nothing(self, world: World) -> None:
        put(world, "a.csv", "id,n\n1,1\n")
        outcome = put(world, "b.csv", "id,n\n2,\n")

        assert types(world, "b") == {"id": "int64", "n": "int64"}
        assert "schema_changes" not in fields(outcome)

    def test_the_first_values_of_a_field_give_its_type(self, world: World) -> None:
        put(world, "a.csv", "id,n\n1,\n")
        outcome = put(world, "b.csv", "id,n\n2,5\n")

        assert (types(world, "a")["n"], types(world, "b")["n"]) == ("string", "int64")
        assert fields(outcome)["schema_changes"] == "n: no values yet -> int64"

    def test_numbers_that_do_not_survive_become_text(self, world: World) -> None:
        put(world, "a.csv", "n\n2.5\n")
        put(world, "b.csv", f"n\n{2**53 + 1}\n")

        assert read(world, "b").to_pylist() == [{"n": str(2**53 + 1)}]

    def test_an_empty_file_has_the_tables_fields_and_gives_it_none(self, world: World) -> None:
        put(world, "a.csv", "")
        put(world, "b.csv", "id\n1\n")
        put(world, "c.csv", "")

        assert (types(world, "a"), types(world, "c")) == ({}, {"id": "int64"})
        assert schema(world).version == 1

    def test_a_lost_entry_is_built_anew(self, world: World) -> None:
        put(world, "a.csv", "id\nx\n")
        del world.ledger.entries["nightly#schema", ORDERS]

        put(world, "b.csv", "id\n1\n")

        assert types(world, "b") == {"id": "int64"}

    def test_doing_it_again_gives_the_same_bytes(self, world: World) -> None:
        put(world, "a.csv", "id,zip\n1,00501\n")
        put(world, "b.csv", "zip,id,x\n1,2,3\n")
        before = {key: stored.data for key, stored in world.store.buckets["acme-out"].items()}
        again(world, "a.csv", "r1")
        rebuilt = {key: stored.data for key, stored in world.store.buckets["acme-out"].items()}

        for name in ("a.csv", "b.csv"):
            again(world, name, "r2")

        after = {key: stored.data for key, stored in world.store.buckets["acme-out"].items()}
        assert after == rebuilt
        assert after["lake/orders/b.parquet"] == before["lake/orders/b.parquet"]
        assert schema(world).version == 2

    @pytest.mark.slow
    def test_after_all_files_came_a_run_makes_the_outputs_independent_of_their_order(self, world: World) -> None:
        texts = {"a.csv": "n,m\n1,2\n", "b.csv": "n,m\n2.5,2\n", "c.csv": "n,m\n10.10,x\n", "d.csv": "n,m\n,\n"}
        found = []
        for order in (list(texts), list(reversed(texts))):
            here = table()
            for name in order:
                put(here, name, texts[name])
            for run in ("r1", "r2"):
                for name in texts:
                    again(here, name, run)
            found.append([read(here, name[0]).to_pydict() for name in texts])
            assert len({str(types(here, name[0])) for name in texts}) == 1

        assert found[0] == found[1]

    def test_fields_that_are_not_written_are_not_remembered(self, world: World) -> None:
        chosen = {"id": "orders", "fields": ["id", {"id": "note", "user_output_name": "text"}]}
        world.syncs = (bulk_sync(schemas=[chosen], automatically_add_new_fields="none"),)
        put(world, "a.csv", "id,note\n1,x\n")
        outcome = put(world, "b.csv", "more,id\n1,2\n")

        assert read(world, "b").to_pylist() == [{"id": 2, "text": None}]
        assert "schema_changes" not in fields(outcome)

    def test_hashes_are_the_same_whatever_the_type(self, world: World) -> None:
        world.key = b"secret"
        world.syncs = (bulk_sync(schemas=[{"id": "orders", "fields": [{"id": "n", "obfuscated": True}]}]),)
        put(world, "a.csv", "n\n1\n")
        outcome = put(world, "b.csv", "n\n1\nx\n")

        assert read(world, "a")["n"][0] == read(world, "b")["n"][0]
        assert "schema_changes" not in fields(outcome)

    def test_partitions_have_the_tables_schema(self, world: World) -> None:
        world.syncs = (bulk_sync(schemas=[{"id": "orders", "partition_key": "region"}]),)
        put(world, "a.csv", "region,n\nEU,1\n")
        put(world, "b.csv", "region,n\nEU,x\nUS,2\n")

        data = world.store.data(ObjectRef("acme-out", "lake/orders/region=US/b.parquet"))
        assert str(pq.read_table(io.BytesIO(data)).schema.field("n").type) == "string"

    def test_tables_of_json_have_mixed_types_as_json_text(self) -> None:
        world = table("json", source={"single_table_file_format": "json"})
        put(world, "a.jsonl", '{"n":1}\n')
        put(world, "b.jsonl", '{"n":"one","o":{"x":1}}\n')
        put(world, "c.jsonl", '{"n":3}\n')

        assert world.store.data(ObjectRef("acme-out", "lake/orders/b.jsonl")) == b'{"n":"one","o":{"x":1}}\n'
        assert world.store.data(ObjectRef("acme-out", "lake/orders/c.jsonl")) == b'{"n":3,"o":null}\n'

    def test_objects_get_more_members_and_stay_objects(self) -> None:
        world = table(source={"single_table_file_format": "json"})
        put(world, "a.jsonl", '{"o":{"x":1}}\n')
        outcome = put(world, "b.jsonl", '{"o":{"y":"a","x":2.5}}\n')
        put(world, "c.jsonl", '{"o":{"x":3}}\n')

        assert read(world, "b").to_pylist() == [{"o": {"x": 2.5, "y": "a"}}]
        assert types(world, "c") == {"o": "struct<x: double, y: string>"}
        assert version(world, "c.jsonl") == fields(outcome)["schema_version"] == 2

    def test_parquet_encodings_are_no_evolution(self) -> None:
        world = table(source={"single_table_file_format": "parquet"})
        for name, kind in (("a", pa.string()), ("b", pa.dictionary(pa.int8(), pa.string())), ("c", pa.large_string())):
            data = io.BytesIO()
            field = pa.field("x", kind, nullable=name == "c", metadata={"PARQUET:field_id": name})
            pq.write_table(pa.table([pa.array(["v"]).cast(kind)], schema=pa.schema([field])), data)
            ref = ObjectRef("acme-in", f"in/{name}.parquet")
            assert world.one(world.upload(data.getvalue(), ref), name).result == State.CONVERTED

        assert schema(world).version == 1
        assert [types(world, name) for name in "abc"] == [{"x": "string"}] * 3

    def test_the_schema_is_begun_anew_where_that_is_asked_for(self, world: World) -> None:
        put(world, "a.csv", "n\nx\n")
        put(world, "b.csv", "n\n2\n")
        put(world, "a.csv", "n\n1\n")
        assert types(world, "a") == {"n": "string"}

        for name in ("a.csv", "b.csv"):
            again(world, name, "r1", reset_schema=True)

        assert types(world, "a") == types(world, "b") == {"n": "int64"}
        assert [one.changes for one in schema(world).versions] == ["the first", "begun anew"]

    def test_a_table_of_one_object_has_no_schema(self) -> None:
        world = World(syncs=(bulk_sync(to="json"),))

        world.one(world.upload())

        assert len(world.ledger.puts) == 2

    def test_a_table_costs_one_put_only_where_its_schema_changes(self, world: World) -> None:
        put(world, "a.csv", "n\n1\n")
        puts = len(world.ledger.puts)

        put(world, "b.csv", "n\n2\n")

        assert [entry.sync for entry in world.ledger.puts[puts:]] == ["nightly", "nightly"]


class TestRescue:
    @pytest.fixture
    def world(self) -> World:
        return table(schema_evolution="rescue")

    def test_what_does_not_fit_is_kept_beside_its_row(self, world: World) -> None:
        put(world, "a.csv", "id,n,d\n1,1,2026-01-01\n")
        put(world, "b.csv", 'id,n,d,new\n2,two,2026-02-30,x\n3,3,2026-01-03,\n4,"say ""4""",,\n')

        assert types(world, "b") == {"id": "int64", "n": "int64", "d": "date32[day]", "_rescued": "string"}
        rows = read(world, "b").to_pylist()
        assert [row["n"] for row in rows] == [None, 3, None]
        assert [row["_rescued"] for row in rows] == [
            '{"n":"two","d":"2026-02-30","new":"x"}',
            None,
            '{"n":"say \\"4\\""}',
        ]
        assert schema(world).version == 1

    def test_where_all_fits_the_field_is_there_and_missing(self, world: World) -> None:
        put(world, "a.csv", "id\n1\n")

        assert read(world, "a").to_pylist() == [{"id": 1, "_rescued": None}]

    def test_json_values_stay_what_they_are(self) -> None:
        world = table("json", source={"single_table_file_format": "json"}, schema_evolution="rescue")
        put(world, "a.jsonl", '{"n":1,"s":"x"}\n')
        put(world, "b.jsonl", '{"n":"2","s":5}\n{"n":2.5,"s":"y"}\n{"n":3,"s":null,"o":{"x":1}}\n')

        assert world.store.data(ObjectRef("acme-out", "lake/orders/b.jsonl")).decode().splitlines() == [
            '{"n":null,"s":null,"_rescued":{"n":"2","s":5}}',
            '{"n":null,"s":"y","_rescued":{"n":2.5}}',
            '{"n":3,"s":null,"_rescued":{"o":{"x":1}}}',
        ]

    def test_what_the_type_holds_is_not_rescued(self) -> None:
        world = table("json", source={"single_table_file_format": "json"}, schema_evolution="rescue")
        put(world, "a.jsonl", '{"n":1}\n{"n":"x"}\n')
        put(world, "b.jsonl", '{"n":"y"}\n')
        put(world, "c.jsonl", '{"n":2.5}\n')

        assert world.store.data(ObjectRef("acme-out", "lake/orders/b.jsonl")) == b'{"n":"y","_rescued":null}\n'
        assert world.store.data(ObjectRef("acme-out", "lake/orders/c.jsonl")) == b'{"n":2.5,"_rescued":null}\n'

    def test_obfuscated_values_are_never_rescued(self, world: World) -> None:
        world.key = b"secret"
        selection = {"id": "orders", "fields": [{"id": "n", "obfuscated": True}, {"id": "id"}]}
        world.syncs = (bulk_sync(schema_evolution="rescue", schemas=[selection]),)
        put(world, "a.csv", "n,id\n1,1\n")
        put(world, "b.csv", "n,id\nsecret,x\n")

        (row,) = read(world, "b").to_pylist()
        assert (row["id"], row["_rescued"]) == (None, '{"id":"x"}')
        assert b"secret" not in world.store.data(ObjectRef("acme-out", "lake/orders/b.parquet")).split(b"millrace")[0]

    def test_fields_that_are_not_written_are_not_rescued(self, world: World) -> None:
        selection = {"id": "orders", "fields": ["id"]}
        world.syncs = (bulk_sync(schema_evolution="rescue", schemas=[selection], automatically_add_new_fields="none"),)
        put(world, "a.csv", "id\n1\n")
        put(world, "b.csv", "id,new\nx,2\n")

        assert read(world, "b").to_pylist() == [{"id": None, "_rescued": '{"id":"x"}'}]

    def test_a_file_that_has_the_field_itself_is_refused(self, world: World) -> None:
        outcome = put(world, "a.csv", "_rescued\n1\n")

        assert outcome.result == State.FAILED
        assert "schema_evolution: rescue" in (outcome.reason or "")

    def test_a_field_without_values_takes_the_first_type(self, world: World) -> None:
        put(world, "a.csv", "id,n\n1,\n")
        put(world, "b.csv", "id,n\n1,2\n")

        assert types(world, "b")["n"] == "int64"


class TestFreeze:
    @pytest.fixture
    def world(self) -> World:
        return table(schema_evolution="freeze")

    @pytest.mark.parametrize(
        ("text", "said", "row"),
        [
            ("id,n\n1,1\n2,x\n", "the field 'n' holds \"x\" in row 2, and is int64 in its table", 2),
            ("id,n\n1,2.5\n", "the field 'n' is double in this file and int64 in its table", None),
            ("id,n,new\n1,2,x\n", "the field 'new' is new (text)", None),
        ],
    )
    def test_a_file_that_does_not_fit_fails_and_says_why(
        self, world: World, text: str, said: str, row: int | None
    ) -> None:
        put(world, "a.csv", "id,n\n1,1\n")

        outcome = put(world, "b.csv", text)

        assert (outcome.result, outcome.acknowledge) == (State.FAILED, True)
        assert said in (outcome.reason or "")
        assert "s3://acme-in/in/orders" in (outcome.reason or "")
        assert "schema_evolution: evolve" in (outcome.reason or "")
        assert fields(outcome).get("row") == row
        assert fields(outcome)["error"] == "SchemaFrozen"
        assert set(world.store.buckets["acme-out"]) == {"lake/orders/a.parquet"}

    def test_a_file_that_fits_is_converted(self, world: World) -> None:
        put(world, "a.csv", "id,n\n1,2.5\n")

        assert put(world, "b.csv", "n\n3\n").result == State.CONVERTED
        assert put(world, "c.csv", "id,n\n3,\n").result == State.CONVERTED
        assert types(world, "b") == types(world, "c") == {"id": "int64", "n": "double"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("id,n\n1,x\n", "id,n\n2,y\n"),
        ("id,n\n1,x\n", "id,n,new\n2,2,y\n"),
        ("id,n,mine\n1,2,3\n", "id,n,theirs\n2,2,y\n"),
        ("id,n\n1,2.5\n", "id,n\n2,x\n"),
    ],
)
def test_two_workers_that_evolve_at_once_both_succeed(mine: str, theirs: str) -> None:
    """While one is about to remember its schema, the other does all of its work."""
    world = table()
    put(world, "a.csv", "id,n\n1,1\n")
    world.ledger = between(world.ledger, lambda: put(world, "theirs.csv", theirs))

    outcome = put(world, "mine.csv", mine)

    assert outcome.result == State.CONVERTED
    assert world.entry(ObjectRef("acme-in", "in/theirs.csv")).state is State.CONVERTED
    newest = {field.name: str(field.type) for field in schema(world).fields}
    assert types(world, "mine") == newest
    again(world, "theirs.csv", "r1")
    assert types(world, "theirs") == newest


def test_an_output_whose_schema_was_overtaken_is_discarded_before_it_is_written_again() -> None:
    """An upload that nobody ends lies in the bucket, and costs, until a rule deletes it."""
    world = table()
    put(world, "a.csv", "id,n\n1,1\n")
    world.store = WatchedStore(world.store.buckets)
    world.ledger = between(world.ledger, lambda: put(world, "theirs.csv", "id,n\n2,x\n"))

    put(world, "mine.csv", "id,n\n1,2.5\n")

    published = [upload.target.key for upload in world.store.uploads if not upload.discarded]
    assert published == ["lake/orders/theirs.parquet", "lake/orders/mine.parquet"]


@dataclass
class WatchedStore(InMemoryObjectStore):
    """Remembers every upload that was begun, in the order of their ends."""

    uploads: list[InMemoryUpload] = field(default_factory=list)

    def upload(self, target: ObjectRef, metadata: Mapping[str, str]) -> InMemoryUpload:
        upload = super().upload(target, metadata)
        self.uploads.append(upload)
        return upload


class Between(InMemoryLedger):
    """Lets something happen right before the first put of a table's schema."""

    happen: Callable[[], object] | None = None

    def put(self, entry: AnyEntry) -> None:
        """As the ledger, afterwards."""
        happen, self.happen = self.happen, None
        if isinstance(entry, SchemaEntry) and happen is not None:
            happen()
        elif happen is not None:
            self.happen = happen
        super().put(entry)


def between(ledger: InMemoryLedger, happen: Callable[[], object]) -> Between:
    """The same entries."""
    made = Between(entries=ledger.entries, puts=ledger.puts)
    made.happen = happen
    return made


def test_two_first_files_at_once_have_one_schema() -> None:
    world = table()
    world.ledger = between(world.ledger, lambda: put(world, "theirs.csv", "b,id\n1,x\n"))

    put(world, "mine.csv", "id,a\n1,2\n")

    assert types(world, "mine") == {"b": "int64", "id": "string", "a": "int64"}
    assert schema(world).version == 2


def test_a_crash_between_remembering_and_publishing_is_made_good() -> None:
    world = table()
    put(world, "a.csv", "n\n1\n")
    request = world.upload(b"n\nx\n", ObjectRef("acme-in", "in/b.csv"))

    publish = world.store.put

    def failing(*_args: Any, **_words: Any) -> None:
        raise RuntimeError("the function was killed")

    world.store.put = failing  # type: ignore[method-assign] # as told
    assert world.one(request, "m1").result == State.FAILED
    world.store.put = publish  # type: ignore[method-assign] # as told

    assert world.one(request, "m1").result == State.CONVERTED
    assert (types(world, "b"), schema(world).version) == ({"n": "string"}, 2)
    assert version(world, "b.csv") == 2
