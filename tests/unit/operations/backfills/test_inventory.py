"""S3 Inventory as a listing, in its three formats, as the Amazon S3 User Guide describes them."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc

from millrace.errors import UsageError
from millrace.ledger.entries import State
from millrace.ledger.rules import RefusalKind
from millrace.objects.messages import Request, Ticket
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef
from millrace.objects.store import ListedObject
from millrace.operations.backfills.board import BackfillCounts, BackfillState
from millrace.operations.backfills.inventory import InvalidInventory, Manifest, read_inventory_file, read_manifest
from millrace.operations.backfills.progress import describe_progress
from millrace.operations.backfills.selection import Looked, Selected, sum_counts
from tests.backfill_plant import SYNC, Plant
from tests.fakes import InMemoryObjectStore

MANIFEST = "s3://acme-lists/daily/acme-in/all/2026-11-28T01-00Z/manifest.json"
SCHEMA = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass"
WHEN = datetime(2026, 11, 22, 12, tzinfo=UTC)
NO_TIME = ListedObject(ObjectRef("acme-in", "in/a.csv"), "e", 0).modified
"""What stands in a listing for a time that nobody knows."""
Row = tuple[str, bool, bool, int, str, str]
"""Key, whether the latest, whether a delete marker, size, ETag and storage class."""
ROWS: Sequence[Row] = (
    ("in/a b+c.csv", True, False, 4, "e1", "STANDARD"),
    ("in/grüße.csv", True, False, 5, "e2", "GLACIER"),
    ("in/old.csv", False, False, 6, "e3", "STANDARD"),
    ("in/gone.csv", True, True, 0, "", ""),
    ("elsewhere/x.csv", True, False, 7, "e4", "STANDARD"),
)


def put(store: InMemoryObjectStore, key: str, data: bytes) -> None:
    store.put(ObjectRef("acme-lists", key), data)


def put_manifest(store: InMemoryObjectStore, name: str, *keys: str, schema: str = SCHEMA, **fields: Any) -> None:
    manifest = {
        "sourceBucket": "acme-in",
        "destinationBucket": "arn:aws:s3:::acme-lists",
        "version": "2016-11-30",
        "creationTimestamp": "1764291600000",
        "fileFormat": name,
        "fileSchema": schema,
        "files": [{"key": key, "size": 1, "MD5checksum": "0"} for key in keys],
    }
    put(store, ObjectRef.parse(MANIFEST).key, json.dumps(manifest | fields).encode())


def as_csv(rows: Sequence[Row]) -> bytes:
    """Keys form-encoded, texts quoted, no header, gzip."""
    encoded = {"in/a b+c.csv": "in/a+b%2Bc.csv", "in/grüße.csv": "in/gr%C3%BC%C3%9Fe.csv"}
    lines = []
    for key, latest, marker, size, etag, storage in rows:
        flags = f'"{str(latest).lower()}","{str(marker).lower()}"'
        facts = f'"{"" if marker else size}","2026-11-22T12:00:00.000Z","{etag}","{storage}"'
        lines.append(f'"acme-in","{encoded.get(key, key)}","v1",{flags},{facts}\n')
    return gzip.compress("".join(lines).encode())


def as_table(rows: Sequence[Row]) -> pa.Table:
    columns: Mapping[str, list[Any]] = {
        "bucket": ["acme-in"] * len(rows),
        "key": [row[0] for row in rows],
        "version_id": ["v1"] * len(rows),
        "is_latest": [row[1] for row in rows],
        "is_delete_marker": [row[2] for row in rows],
        "size": [None if row[2] else row[3] for row in rows],
        "last_modified_date": pa.array([WHEN.replace(tzinfo=None)] * len(rows), pa.timestamp("ms")),
        "e_tag": [row[4] or None for row in rows],
        "storage_class": [row[5] or None for row in rows],
    }
    return pa.table(columns)


def as_parquet(rows: Sequence[Row]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(as_table(rows), sink)
    return sink.getvalue()


def as_orc(rows: Sequence[Row]) -> bytes:
    sink = io.BytesIO()
    orc.write_table(as_table(rows), sink)
    return sink.getvalue()


@pytest.fixture
def store() -> InMemoryObjectStore:
    return InMemoryObjectStore({"acme-lists": {}, "acme-in": {}, "acme-out": {}})


@pytest.mark.parametrize(
    ("name", "key", "write"),
    [("CSV", "l/1.csv.gz", as_csv), ("Parquet", "l/1.parquet", as_parquet), ("ORC", "l/1.orc", as_orc)],
)
def test_the_latest_objects_below_the_prefix_are_listed(
    store: InMemoryObjectStore, name: str, key: str, write: Any
) -> None:
    put(store, key, write(ROWS))
    put_manifest(store, name, key)

    manifest = read_manifest(store, MANIFEST)
    rows = list(read_inventory_file(store, manifest, 0, "in/"))

    found = [(row.number, row.listed.ref.key, row.listed.size, row.listed.etag) for row in rows]
    assert found == [(1, "in/a b+c.csv", 4, "e1"), (2, "in/grüße.csv", 5, "e2")]
    assert [row.listed.is_readable for row in rows] == [True, False]
    assert {row.listed.modified for row in rows} == {WHEN}


def test_an_inventory_of_the_current_versions_needs_no_columns_of_versions(store: InMemoryObjectStore) -> None:
    put(store, "l/1.csv.gz", gzip.compress(b'"acme-in","in/a.csv"\n"acme-in","in/b.csv"\n'))
    put_manifest(store, "CSV", "l/1.csv.gz", schema="Bucket, Key")

    rows = list(read_inventory_file(store, read_manifest(store, MANIFEST), 0, "in/"))

    assert [row.listed.ref.key for row in rows] == ["in/a.csv", "in/b.csv"]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"fileFormat": "JSON"}, "no manifest of S3 Inventory .KeyError: 'JSON'"),
        ({"fileSchema": "Bucket, Size"}, "fileSchema has no column Key"),
        ({"files": 7}, "no manifest of S3 Inventory"),
    ],
)
def test_what_is_no_manifest_is_refused(store: InMemoryObjectStore, fields: dict[str, Any], told: str) -> None:
    put_manifest(store, "CSV", **fields)

    with pytest.raises(InvalidInventory, match=told):
        read_manifest(store, MANIFEST)


def test_another_address_or_bucket_is_wrong_use(store: InMemoryObjectStore) -> None:
    put_manifest(store, "CSV", sourceBucket="another")

    with pytest.raises(UsageError, match=r"manifest is …/manifest.json"):
        read_manifest(store, "s3://acme-lists/l/1.csv.gz")
    with pytest.raises(UsageError, match="inventory of the bucket another; the sync reads acme-in"):
        read_manifest(store, MANIFEST).demand_bucket("acme-in", MANIFEST)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b'"acme-in","in/a.csv","v","yes","false","1","","e","STANDARD"\n', "row 1 has 'yes' where true or false"),
        (b'"other","in/a.csv","v","true","false","1","","e","STANDARD"\n', "row 1 is of the bucket 'other'"),
        (b'"acme-in","in/a.csv","v","true","false","1","noon","e","STANDARD"\n', "row 1 has the time 'noon'"),
        (b'"acme-in","in/a.csv"\n', "has 2 columns; the manifest's fileSchema names 9"),
        (b'"acme-in","in/a.csv","v","true","false","many","","e","STANDARD"\n', "row 1 has the size 'many'"),
    ],
)
def test_a_row_that_is_not_as_documented_is_refused_by_its_number(
    store: InMemoryObjectStore, line: bytes, told: str
) -> None:
    put(store, "l/1.csv.gz", gzip.compress(line))
    put_manifest(store, "CSV", "l/1.csv.gz")

    with pytest.raises(InvalidInventory, match=told):
        list(read_inventory_file(store, read_manifest(store, MANIFEST), 0, "in/"))


def test_a_manifest_s_destination_may_be_of_another_partition() -> None:
    data = {
        "sourceBucket": "b",
        "destinationBucket": "arn:aws-cn:s3:::lists",
        "fileFormat": "ORC",
        "fileSchema": "struct<bucket:string,key:string>",
        "files": [{"key": "l/1.orc"}],
    }

    assert Manifest.parse(json.dumps(data).encode(), "m").files == (ObjectRef("lists", "l/1.orc"),)


def test_a_backfill_of_an_inventory_asks_for_what_it_names() -> None:
    plant = Plant(portion=4)
    plant.world.store.buckets["acme-lists"] = {}
    refs = [plant.put(number) for number in range(12)]
    plant.put(99)
    etags = [plant.world.store.buckets[ref.bucket][ref.key].etag for ref in refs]
    rows: list[Row] = [(ref.key, True, False, 4, etag, "STANDARD") for ref, etag in zip(refs, etags, strict=True)]
    put(plant.world.store, "l/1.parquet", as_parquet([*rows[:7], ("in/gone.csv", True, False, 4, "e", "STANDARD")]))
    put(plant.world.store, "l/2.parquet", as_parquet(rows[7:]))
    put_manifest(plant.world.store, "Parquet", "l/1.parquet", "l/2.parquet")

    plant.start(inventory=MANIFEST)
    plant.list_once()
    # Each file is a range of its own, and goes on where an invocation ended.
    plant.list_once(remaining=lambda: 15.0)
    plant.run()

    assert len(plant.outputs()) == 12
    assert (plant.counts().asked, plant.counts().open) == (13, 0)
    assert plant.backfills.board().backfills[-1].state is BackfillState.FINISHED
    assert plant.world.ledger.get("nightly", ObjectRef("acme-in", "in/gone.csv")) is None

    plant.start(inventory=MANIFEST)
    plant.list_all()
    assert (plant.counts().asked, plant.counts().known) == (1, 12)


def test_an_inventory_that_says_no_versions_is_looked_up_object_by_object() -> None:
    """What is gone leaves nothing, and what was converted meanwhile is found done."""
    plant = Plant()
    ref = plant.put(1)
    requests = [
        Request(
            change=ObjectChange(kind=ChangeKind.CREATED, ref=asked, size=4),
            sync=SYNC,
            ticket=Ticket("backfill", "1-0-0", number),
        )
        for number, asked in enumerate([ref, ref, ObjectRef("acme-in", "in/gone.csv")])
    ]

    results = [plant.world.one(request).result for request in requests]

    assert results == [State.CONVERTED, RefusalKind.ALREADY_DONE, State.IGNORED]
    assert plant.world.ledger.get(SYNC, ObjectRef("acme-in", "in/gone.csv")) is None


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"sourceBucket": "another"}, "inventory of the bucket another; the sync reads acme-in"),
        ({"files": [{"key": f"l/{number}"} for number in range(8001)]}, "8,001 files; a backfill takes at most 8,000"),
    ],
)
def test_an_inventory_that_cannot_be_listed_begins_nothing(fields: dict[str, Any], told: str) -> None:
    """Its listing would fail whenever it is tried, so that the backfill would never end."""
    plant = Plant()
    plant.world.store.buckets["acme-lists"] = {}
    put_manifest(plant.world.store, "CSV", "l/1.csv.gz", **fields)

    with pytest.raises(UsageError, match=told):
        plant.actions.perform({"action": "start", "sync": SYNC, "inventory": MANIFEST})
    assert plant.backfills.board().backfills == ()


def test_a_listing_that_fails_says_why_until_it_goes_on() -> None:
    plant = Plant()
    plant.world.store.buckets["acme-lists"] = {}
    plant.fill(range(1))
    put(plant.world.store, "l/1.csv.gz", gzip.compress(b'"other","in/00000.csv"\n'))
    put_manifest(plant.world.store, "CSV", "l/1.csv.gz", schema="Bucket, Key")
    plant.start(inventory=MANIFEST)
    plant.list_once()

    with pytest.raises(InvalidInventory):
        plant.list_once()
    (failing,) = plant.steering.progress()
    put(plant.world.store, "l/1.csv.gz", gzip.compress(b'"acme-in","in/00000.csv"\n'))
    plant.run()
    (ended,) = plant.steering.progress()

    assert "listing failed: s3://acme-lists/l/1.csv.gz, row 1 is of the bucket 'other'" in describe_progress(failing)
    assert failing.to_json()["trouble"].startswith("s3://acme-lists/l/1.csv.gz, row 1")
    assert (ended.backfill.state, ended.backfill.trouble) == (BackfillState.FINISHED, None)


def read_rows(store: InMemoryObjectStore, **columns: Any) -> list[ListedObject]:
    """What is listed of a Parquet inventory of one row, with these columns in place of the documented ones."""
    table = as_table(ROWS[:1])
    for name, value in columns.items():
        at = table.schema.names.index(name)
        table = table.set_column(at, name, pa.array([value]))
    sink = io.BytesIO()
    pq.write_table(table, sink)
    put(store, "l/1.parquet", sink.getvalue())
    put_manifest(store, "Parquet", "l/1.parquet", schema="message s3.inventory {}")
    return [row.listed for row in read_inventory_file(store, read_manifest(store, MANIFEST), 0, "")]


@pytest.mark.parametrize(("key", "told"), [(None, "None"), ("", "''"), (7, "7")])
def test_a_row_without_a_key_is_refused(store: InMemoryObjectStore, key: object, told: str) -> None:
    with pytest.raises(InvalidInventory, match=f"row 1 has the key {told}; expected a text"):
        read_rows(store, key=key)


@pytest.mark.parametrize("size", ["-1", "1.5", 1.5])
def test_a_size_that_is_no_number_of_bytes_is_refused(store: InMemoryObjectStore, size: object) -> None:
    with pytest.raises(InvalidInventory, match="row 1 has the size"):
        read_rows(store, size=size)


@pytest.mark.parametrize(("size", "read"), [(7, 7), ("7", 7), ("", 0), (None, 0), (0, 0)])
def test_a_size_may_be_a_number_or_its_text_or_missing(store: InMemoryObjectStore, size: object, read: int) -> None:
    (listed,) = read_rows(store, size=size)

    assert listed.size == read


@pytest.mark.parametrize(
    ("time", "read"),
    [
        (WHEN, WHEN),
        (WHEN.replace(tzinfo=None), WHEN),
        ("2026-11-22T12:00:00.000Z", WHEN),
        ("", NO_TIME),
        (None, NO_TIME),
        (7, NO_TIME),
    ],
)
def test_a_time_may_be_one_or_its_text_or_missing(store: InMemoryObjectStore, time: object, read: datetime) -> None:
    """Times without a zone are of UTC."""
    (listed,) = read_rows(store, last_modified_date=time)

    assert listed.modified == read


def test_an_object_whose_size_no_inventory_says_is_counted_without_one() -> None:
    change = ObjectChange(kind=ChangeKind.CREATED, ref=ObjectRef("acme-in", "in/a.csv"))
    sized = replace(change, size=7)
    looked = [
        Looked("1", Selected.ASKED, change),
        Looked("2", Selected.ASKED, sized),
        Looked("3", Selected.KNOWN, sized),
    ]

    assert sum_counts(looked) == BackfillCounts(compared=3, asked=2, known=1, size=7)
