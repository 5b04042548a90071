"""What every ledger store must do."""

from __future__ import annotations

import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from millrace.aws.dynamodb_ledger import DynamoDBLedger
from millrace.aws.dynamodb_pages import DynamoDBPages
from millrace.aws.ledger_items import SHARDS, to_key
from millrace.engine.options import FileFormat
from millrace.engine.row_counts import RowCounts
from millrace.errors import ConfigurationError, LostRace, MalformedFile
from millrace.ledger.entries import BigRunFacts, Entry, Failure, Output, State
from millrace.ledger.schema_changes import FieldChange, FieldChangeKind, SchemaChanges
from millrace.ledger.stores import LedgerIndex, LedgerPages, LedgerStore
from millrace.ledger.table_entries import FormatBid, FormatEntry, SchemaEntry, TableEntry, TableOrder
from millrace.objects.references import ObjectRef, Sequencer, SourceVersion
from tests.fake_table import FakeTableClient
from tests.fakes import InMemoryLedger

NOON = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
SOURCE = ObjectRef("acme-in", "in/2026 q1+ü.csv")


class LedgerUnderTest(LedgerStore, LedgerIndex):
    """Both ports at once."""


class PagesUnderTest(LedgerStore, LedgerPages):
    """What is put is read in pages."""


@pytest.fixture(params=["memory", "dynamodb"])
def ledger(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return InMemoryLedger()
    return DynamoDBLedger(request.getfixturevalue("dynamodb"), "ledger")


@pytest.fixture(params=["memory", "table", "dynamodb"])
def paged(request: pytest.FixtureRequest) -> Any:
    """Entries, and their pages; the table in memory is what the page's tests stand on."""
    if request.param == "memory":
        return InMemoryLedger()
    client = request.getfixturevalue("dynamodb") if request.param == "dynamodb" else FakeTableClient()
    return PagedLedger(client)


class PagedLedger(DynamoDBLedger, DynamoDBPages):
    """Both adapters on one table."""

    def __init__(self, client: Any) -> None:
        DynamoDBPages.__init__(self, client, "ledger")


def entry(**fields: Any) -> Entry:
    words: dict[str, Any] = {
        "sync": "nightly",
        "source": SOURCE,
        "state": State.IN_FLIGHT,
        "revision": 1,
        "fence": 1,
        "fingerprint": "f",
        "engine": "1",
        "started": NOON,
    }
    return Entry(**(words | fields))


FULL = entry(
    state=State.FAILED,
    sequencer=Sequencer.parse("0A"),
    version=SourceVersion(etag="e", version_id="v", size=2**40),
    lease_until=NOON + timedelta(minutes=16),
    owner="m",
    attempts=3,
    outputs=(Output(ref=ObjectRef("out", "a.parquet"), etag="t", size=1, rows=2),),
    obsolete=(Output(ref=ObjectRef("out", "a.csv"), etag="u", size=3, rows=4),),
    rows=RowCounts(read=10, written=7, quarantined=2, filtered=1),
    finished=NOON + timedelta(seconds=2),
    failure=Failure.of(MalformedFile("row 7 has 3 fields", row=7, byte=99)),
    reason="because",
    run_id="r",
    schema_version=3,
    schema_changes=SchemaChanges.of(
        [
            FieldChange(field="note", kind=FieldChangeKind.ADDED, after="text"),
            FieldChange(field="t", kind=FieldChangeKind.FORM, before="date", after="date", form="as usual"),
        ]
    ),
    big_run=BigRunFacts(
        name="n-1", execution="n-1-2", connection="lake", home=ObjectRef("out", "x/.millrace/runs/n-1/")
    ),
)


def test_what_was_never_put_is_not_there(ledger: LedgerUnderTest) -> None:
    assert ledger.get("nightly", SOURCE) is None


@pytest.mark.parametrize("kept", [entry(), FULL, entry(source=ObjectRef("b", "a\nb//c%20"))])
def test_an_entry_comes_back_as_it_was_put(ledger: LedgerUnderTest, kept: Entry) -> None:
    ledger.put(kept)

    assert ledger.get("nightly", kept.source) == kept


KEPT = TableEntry(
    sync="nightly",
    source=SOURCE,
    state=State.CONVERTED,
    revision=1,
    fence=2,
    fingerprint="f",
    engine="1",
    order=TableOrder.of(NOON, SOURCE),
    file=SOURCE,
)
SCHEMA = SchemaEntry(
    sync="nightly", source=SOURCE, revision=1, schema=b"\x00\xff", schema_version=3, finished=NOON, run_id="r"
)
FORMAT = FormatEntry(
    sync="nightly", source=SOURCE, revision=1, fingerprint="f", format=FileFormat.JSON, finished=NOON, run_id="r"
)
BID = replace(FORMAT, format=None, bid=FormatBid(format=FileFormat.CSV, file=SOURCE), run_id=None)


@pytest.mark.parametrize("kept", [BID, replace(BID, format=FileFormat.JSON)], ids=["undecided", "decided again"])
def test_a_bid_for_a_tables_format_comes_back(ledger: LedgerUnderTest, kept: FormatEntry) -> None:
    ledger.put(kept)

    assert ledger.get_format("nightly", SOURCE) == kept


def test_what_is_kept_of_a_table_comes_back_beside_the_object_of_its_name(ledger: LedgerUnderTest) -> None:
    for kept in (entry(), KEPT, SCHEMA, FORMAT):
        ledger.put(kept)

    assert ledger.get("nightly", SOURCE) == entry()
    assert ledger.get_table("nightly", SOURCE) == KEPT
    assert ledger.get_schema("nightly", SOURCE) == SCHEMA
    assert ledger.get_format("nightly", SOURCE) == FORMAT


def test_the_indexes_hold_objects_and_builds_alone(ledger: LedgerUnderTest) -> None:
    failed = replace(KEPT, state=State.FAILED, finished=NOON)
    for kept in (failed, SCHEMA, FORMAT):
        ledger.put(kept)

    assert list(ledger.needing_attention(State.FAILED)) == []
    assert list(ledger.finished_on("2026-11-22")) == []
    assert list(ledger.of_sync("nightly")) == []


def test_entries_of_two_syncs_are_apart(ledger: LedgerUnderTest) -> None:
    ledger.put(entry())

    assert ledger.get("hourly", SOURCE) is None


def test_a_first_entry_is_put_once(ledger: LedgerUnderTest) -> None:
    ledger.put(entry(owner="a"))

    with pytest.raises(LostRace):
        ledger.put(entry(owner="b"))
    assert ledger.get("nightly", SOURCE) == entry(owner="a")


def test_only_the_revision_that_was_read_is_replaced(ledger: LedgerUnderTest) -> None:
    ledger.put(entry())
    ledger.put(entry(revision=2, owner="a"))

    with pytest.raises(LostRace):
        ledger.put(entry(revision=2, owner="b"))
    with pytest.raises(LostRace):
        ledger.put(entry(revision=4, owner="b"))
    assert ledger.get("nightly", SOURCE) == entry(revision=2, owner="a")


def test_the_index_of_attention_holds_what_needs_it_and_nothing_else(ledger: LedgerUnderTest) -> None:
    for number, state in enumerate(State):
        ledger.put(entry(source=ObjectRef("b", str(number)), state=state, finished=NOON))

    found = {state: [one.state for one in ledger.needing_attention(state)] for state in State}

    assert {state for state, entries in found.items() if entries} == {State.IN_FLIGHT, State.FAILED, State.WAITING}
    assert all(len(entries) <= 1 for entries in found.values())


def test_an_entry_leaves_the_index_of_attention_when_it_is_settled(ledger: LedgerUnderTest) -> None:
    ledger.put(entry())
    ledger.put(entry(revision=2, state=State.CONVERTED, finished=NOON))

    assert list(ledger.needing_attention(State.IN_FLIGHT)) == []


def test_the_index_of_days_holds_what_finished(ledger: LedgerUnderTest) -> None:
    for number in range(40):
        finished = NOON + timedelta(hours=number)
        ledger.put(entry(source=ObjectRef("b", str(number)), state=State.CONVERTED, finished=finished))
    ledger.put(entry())

    assert len(list(ledger.finished_on("2026-11-22"))) == 12
    assert len(list(ledger.finished_on("2026-11-23"))) == 24
    assert list(ledger.finished_on("2026-11-25")) == []


def test_a_syncs_entries_come_in_key_order_and_go_on_where_told(ledger: LedgerUnderTest) -> None:
    keys = ["in/b", "in/a", "in/ü", "in/a b", "in/z"]
    for key in keys:
        ledger.put(entry(source=ObjectRef("b", key)))
    ledger.put(entry(source=ObjectRef("b", "in/aa"), sync="hourly"))

    assert [one.source.key for one in ledger.of_sync("nightly")] == ["in/a", "in/a b", "in/b", "in/z", "in/ü"]
    assert [one.source.key for one in ledger.of_sync("nightly", after="in/b")] == ["in/z", "in/ü"]


def test_the_indexes_tell_the_failure(ledger: LedgerUnderTest) -> None:
    ledger.put(replace(FULL, revision=1))

    (found,) = ledger.needing_attention(State.FAILED)
    assert found.failure == FULL.failure


class TestPages:
    """What a list is read from; 100 entries are more than a shard is asked for at first."""

    def test_what_finished_on_a_day_comes_the_newest_first(self, paged: PagesUnderTest) -> None:
        for number in range(100):
            finished = NOON - timedelta(minutes=10 * number)
            paged.put(entry(source=ObjectRef("b", str(number)), state=State.CONVERTED, finished=finished))

        found = [one.source.key for one in paged.newest_finished("2026-11-22")]
        until = (NOON - timedelta(minutes=500)).isoformat()

        assert found == [str(number) for number in range(73)]
        assert [one.source.key for one in paged.newest_finished("2026-11-22", until=until)] == found[50:]
        assert next(paged.newest_finished("2026-11-24"), None) is None

    def test_what_is_in_a_state_comes_the_newest_first(self, paged: PagesUnderTest) -> None:
        for number in range(30):
            started = NOON - timedelta(minutes=number)
            paged.put(entry(source=ObjectRef("b", str(number)), started=started))
        paged.put(entry(source=ObjectRef("b", "failed"), state=State.FAILED, finished=NOON))

        found = [one.source.key for one in paged.newest_in_state(State.IN_FLIGHT)]
        until = (NOON - timedelta(minutes=10)).isoformat()

        assert found == [str(number) for number in range(30)]
        assert [one.source.key for one in paged.newest_in_state(State.IN_FLIGHT, until=until)] == found[10:]

    def test_what_is_below_a_prefix_comes_in_the_order_of_bytes(self, paged: PagesUnderTest) -> None:
        for key in ("in/b", "in/a", "in/ü", "in/a b", "in/z", "out/a", "in"):
            paged.put(entry(source=ObjectRef("b", key)))
        paged.put(entry(source=ObjectRef("b", "in/aa"), sync="hourly"))
        paged.put(TABLE_ENTRY)

        assert [one.source.key for one in paged.below_prefix("nightly", "in/")] == [
            "in/a",
            "in/a b",
            "in/b",
            "in/z",
            "in/ü",
        ]
        assert [one.source.key for one in paged.below_prefix("nightly", "in/", start="in/b")] == [
            "in/b",
            "in/z",
            "in/ü",
        ]
        assert [one.source.key for one in paged.below_prefix("nightly", "", start="in/z")] == ["in/z", "in/ü", "out/a"]

    def test_more_than_a_first_answer_holds_comes_whole_and_in_order(self, paged: PagesUnderTest) -> None:
        """Eighty keys of one shard, where 60 are asked for at first."""
        keys = [key for key in (f"in/{number:05}" for number in range(2000)) if _shard_of(key) == 3][:80]
        for key in keys:
            paged.put(entry(source=ObjectRef("b", key), state=State.FAILED, finished=NOON))

        assert [one.source.key for one in paged.below_prefix("nightly", "in/")] == keys
        assert {one.source.key for one in paged.newest_in_state(State.FAILED)} == set(keys)

    def test_tables_with_a_schema_come_in_the_order_of_their_keys(self, paged: PagesUnderTest) -> None:
        for key in ("in/b", "in/ü", "in/a"):
            paged.put(
                SchemaEntry(
                    sync="nightly", source=ObjectRef("b", key), revision=1, schema=b"s", schema_version=1, finished=NOON
                )
            )
        paged.put(entry(source=ObjectRef("b", "in/c")))
        paged.put(TABLE_ENTRY)

        assert [ref.key for ref in paged.tables_of("nightly")] == ["in/a", "in/b", "in/ü"]


def _shard_of(key: str) -> int:
    return zlib.crc32(to_key("nightly", ObjectRef("b", key)).encode()) % SHARDS


TABLE_ENTRY = TableEntry(
    sync="nightly",
    source=ObjectRef("b", "in/table"),
    state=State.CONVERTED,
    revision=1,
    fence=1,
    fingerprint="f",
    engine="1",
    finished=NOON,
)


def test_a_table_that_is_not_there_is_a_matter_of_configuration(aws: None) -> None:
    import boto3  # noqa: PLC0415 - inside the mock

    with pytest.raises(ConfigurationError, match="deploy the stacks"):
        DynamoDBLedger(boto3.client("dynamodb"), "nowhere").get("s", SOURCE)


def test_a_sync_is_forgotten_with_its_tables_and_no_other(ledger: Any) -> None:
    """Of objects, tables and formats alike."""
    table = ObjectRef("acme-in", "in/t")
    of_format = FormatEntry(
        sync="nightly", source=table, revision=1, fingerprint="f", format=FileFormat.CSV, finished=NOON
    )
    kept = entry(sync="nightly two")
    for item in (entry(), entry(source=ObjectRef("acme-in", "in/b.csv")), of_format, kept):
        ledger.put(item)

    keys = list(ledger.items_of_sync("nightly"))
    for key in keys:
        ledger.forget(key)

    assert len(keys) == 3
    assert list(ledger.items_of_sync("nightly")) == []
    assert (ledger.get("nightly", SOURCE), ledger.get_format("nightly", table)) == (None, None)
    assert ledger.get("nightly two", SOURCE) == kept
