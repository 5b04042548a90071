"""Two workers that evolve a table's schema at once both succeed, on every ledger store."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from millrace.aws.dynamodb_ledger import DynamoDBLedger
from millrace.delivery.table_schema import MOST_BYTES, TableSchema
from millrace.delivery.worker import Outcome
from millrace.ledger.entries import Entry, State
from millrace.ledger.stores import LedgerStore
from millrace.ledger.table_entries import AnyEntry, FormatEntry, SchemaEntry, TableEntry
from millrace.objects.references import ObjectRef
from tests.configurations import bulk_sync
from tests.fakes import InMemoryLedger
from tests.world import World

TABLE = ObjectRef("acme-in", "in/orders")


@pytest.fixture(params=["memory", "dynamodb"])
def ledger(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return InMemoryLedger()
    return DynamoDBLedger(request.getfixturevalue("dynamodb"), "ledger")


class Together:
    """Lets two workers read a table's schema before either puts one."""

    def __init__(self, ledger: LedgerStore) -> None:
        self.ledger = ledger
        self.both = threading.Barrier(2, timeout=20)
        self.met: set[int] = set()
        # DynamoDB checks and puts in one step; moto does not, if two threads ask at the very same time.
        self.one_at_a_time = threading.Lock()

    def get(self, sync: str, source: ObjectRef) -> Entry | None:
        """As the ledger."""
        return self.ledger.get(sync, source)

    def get_table(self, sync: str, table: ObjectRef) -> TableEntry | None:
        """As the ledger."""
        return self.ledger.get_table(sync, table)

    def get_schema(self, sync: str, table: ObjectRef) -> SchemaEntry | None:
        """As the ledger."""
        return self.ledger.get_schema(sync, table)

    def get_format(self, sync: str, table: ObjectRef) -> FormatEntry | None:
        """As the ledger."""
        return self.ledger.get_format(sync, table)

    def put(self, entry: AnyEntry) -> None:
        """As the ledger; the first of each thread when both are about to."""
        me = threading.get_ident()
        if isinstance(entry, SchemaEntry) and me not in self.met:
            self.met.add(me)
            self.both.wait()
        with self.one_at_a_time:
            self.ledger.put(entry)


def test_both_succeed_and_both_changes_are_kept(ledger: LedgerStore) -> None:
    source = {"is_single_table": True, "single_table_name": "orders"}
    world = World(syncs=(bulk_sync(to="json"),), source=source, ledger=ledger)  # type: ignore[arg-type] # either store
    world.one(world.upload(b"id,n\n1,1\n", ObjectRef("acme-in", "in/a.csv")))
    world.ledger = Together(ledger)  # type: ignore[assignment] # it is asked for no more than a store
    requests = [
        world.upload(data, ObjectRef("acme-in", f"in/{name}.csv"))
        for name, data in (("b", b"id,n,b\n2,x,1\n"), ("c", b"id,n,c\n3,4,y\n"))
    ]
    outcomes: list[Outcome] = []

    def work(number: int) -> None:
        outcomes.append(world.one(requests[number], f"m{number}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    entry = ledger.get_schema("nightly", TABLE)
    assert entry is not None
    schema = TableSchema.from_bytes(entry.schema)
    assert [outcome.result for outcome in outcomes] == [State.CONVERTED] * 2
    assert schema.version == 3
    assert set(schema.fields.names) == {"id", "n", "b", "c"}
    assert str(schema.fields.field("n").type) == "string"


def test_the_largest_schema_fits_into_an_entry(dynamodb: Any) -> None:
    """DynamoDB counts names and values of all attributes."""
    ledger = DynamoDBLedger(dynamodb, "ledger")
    key = "in/" + "x" * 1000
    entry = SchemaEntry(
        sync="nightly",
        source=ObjectRef("acme-in", key),
        revision=1,
        schema=b"\x00" * MOST_BYTES,
        schema_version=1,
        finished=datetime(2026, 11, 22, tzinfo=UTC),
    )

    ledger.put(entry)

    assert ledger.get_schema("nightly", entry.source) == entry
