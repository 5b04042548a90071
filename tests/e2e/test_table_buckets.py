"""A table of a table bucket as the deployed committer keeps it, where policies decide; read back by others."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from pyiceberg.table import StaticTable

from millrace.demo.deployed import DeployedDemo
from millrace.ledger.entries import State
from tests.e2e.places import TABLE_BUCKET, in_folder, task_of

pytestmark = pytest.mark.e2e

SYNC = "e2e table bucket"
TOP = b"id,item\n1,nut\n2,bolt\n"
BOTTOM = b"id,item\n3,washer\n"
CORRECTED = b"id,item,price\n1,nut,0.25\n2,screw,0.50\n"


def find_shelf(deployed: DeployedDemo) -> StaticTable | None:
    """The table by the metadata that S3 Tables names; None before there is one."""
    client = deployed.emulator.client("s3tables")
    try:
        stored = client.get_table(tableBucketARN=TABLE_BUCKET, namespace="e2e", name="shelf")
    except client.exceptions.NotFoundException:
        return None
    # The root user may read over plain http, whose certificate nobody has to know.
    files = {"s3.endpoint": deployed.emulator.plain_url, "s3.region": "us-east-1"}
    keys = {"s3.access-key-id": "test", "s3.secret-access-key": "test"}
    try:
        return StaticTable.from_metadata(stored["metadataLocation"], {**files, **keys})
    except FileNotFoundError:
        return None


def read_shelf(deployed: DeployedDemo) -> list[tuple[Any, ...]]:
    """The ids and items of the table: pyiceberg finds the files, and DuckDB reads them."""
    table = find_shelf(deployed)
    if table is None or table.current_snapshot() is None:
        return []
    rows = table.scan().to_arrow()
    selected = duckdb.sql("select id, item from rows order by id")
    assert selected is not None
    assert len(selected) == len(rows)
    return selected.fetchall()


def put_on_shelf(deployed: DeployedDemo, name: str, content: bytes) -> None:
    """Upload a file of the table, and wait until it is converted."""
    ref = in_folder(deployed, "shelf", name)
    before = deployed.entry(task_of(deployed, SYNC, ref))
    fence = before.fence if before is not None else 0
    deployed.upload(ref, content)
    task = task_of(deployed, SYNC, ref)
    deployed.wait([task], seconds=60, until=lambda entry: entry.state is State.CONVERTED and entry.fence > fence)


def wait_for_shelf(deployed: DeployedDemo, *rows: tuple[int, str]) -> None:
    """Wait until the table has exactly these rows."""
    deployed.wait_until(lambda: read_shelf(deployed) == list(rows), seconds=60, what=f"a table of {rows}")


def test_a_table_bucket_has_what_the_sources_have(enforced: DeployedDemo) -> None:
    """Files arrive, one is written over and one is deleted; the copies are in the table bucket, and stay there."""
    put_on_shelf(enforced, "top.csv", TOP)
    put_on_shelf(enforced, "bottom.csv", BOTTOM)
    wait_for_shelf(enforced, (1, "nut"), (2, "bolt"), (3, "washer"))
    before = find_shelf(enforced)
    assert before is not None
    put_on_shelf(enforced, "top.csv", CORRECTED)
    wait_for_shelf(enforced, (1, "nut"), (2, "screw"), (3, "washer"))
    ref = in_folder(enforced, "shelf", "bottom.csv")
    enforced.s3.delete_object(Bucket=ref.bucket, Key=ref.key)
    wait_for_shelf(enforced, (1, "nut"), (2, "screw"))

    table = find_shelf(enforced)
    assert table is not None
    assert table.properties["millrace.sync"] == SYNC
    assert [field.name for field in table.schema().fields] == ["id", "item", "price"]
    assert {"bolt", "washer"} <= set(before.scan().to_arrow().column("item").to_pylist())
    kept = enforced.emulator.client("s3").list_objects_v2(Bucket="millrace-e2e-tables", Prefix="e2e/shelf/data/")
    assert kept["KeyCount"] == 3


def test_compaction_is_off(enforced: DeployedDemo) -> None:
    put_on_shelf(enforced, "middle.csv", b"id,item\n8,pin\n")
    enforced.wait_until(lambda: (8, "pin") in read_shelf(enforced), seconds=60, what="a table with a pin")
    said = enforced.emulator.client("s3tables").get_table_maintenance_configuration(
        tableBucketARN=TABLE_BUCKET, namespace="e2e", name="shelf"
    )

    assert said["configuration"]["icebergCompaction"]["status"] == "disabled"
