"""A table of Iceberg as the deployed committer keeps it, where policies decide; read back with pyiceberg."""

from __future__ import annotations

import json
from collections.abc import Container
from typing import Any

import pytest
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import Table

from millrace.catalog.iceberg.messages import CommitRequest
from millrace.demo.deployed import DeployedDemo
from millrace.ledger.entries import State
from tests.e2e.commands import lines, run
from tests.e2e.denials import without
from tests.e2e.places import TABLE_BUCKET, in_folder, task_of

pytestmark = pytest.mark.e2e

SYNC = "e2e iceberg"
COMMITTER = "millrace-commit"
JANUARY = b"id,item\n1,nut\n2,bolt\n"
FEBRUARY = b"id,item\n3,washer\n"
CORRECTED = b"id,item,price\n1,nut,0.25\n2,screw,0.50\n"


def find_table(deployed: DeployedDemo) -> Table | None:
    """The table as any reader finds it; None before there is one."""
    emulator = deployed.emulator
    # The root user may read over plain http, whose certificate nobody has to know.
    files = {"s3.endpoint": emulator.plain_url, "s3.region": "us-east-1"}
    keys = {"s3.access-key-id": "test", "s3.secret-access-key": "test"}
    catalog = GlueCatalog("e2e", client=emulator.client("glue"), **files, **keys)
    try:
        return catalog.load_table(("millrace", "stock"))
    except NoSuchTableError:
        return None


def read_rows(deployed: DeployedDemo) -> list[dict[str, Any]]:
    """The rows that the table has now, sorted by their ids."""
    table = find_table(deployed)
    rows: list[dict[str, Any]] = table.scan().to_arrow().to_pylist() if table is not None else []
    return sorted(rows, key=lambda row: int(row["id"]))


def put(deployed: DeployedDemo, name: str, content: bytes) -> None:
    """Upload a file of the table, and wait until it is converted."""
    ref = in_folder(deployed, "stock", name)
    before = deployed.entry(task_of(deployed, SYNC, ref))
    fence = before.fence if before is not None else 0
    deployed.upload(ref, content)
    task = task_of(deployed, SYNC, ref)
    deployed.wait([task], seconds=60, until=lambda entry: entry.state is State.CONVERTED and entry.fence > fence)


def wait_for_items(
    deployed: DeployedDemo, *items: str, without_items: Container[str] = (), seconds: float = 60
) -> None:
    """Wait until the table has rows of these items, and none of others."""

    def has_them() -> bool:
        there = [row["item"] for row in read_rows(deployed)]
        return set(items) <= set(there) and not any(item in without_items for item in there)

    deployed.wait_until(has_them, seconds=seconds, what=f"a table of {', '.join(items)} without {without_items}")


@pytest.fixture(scope="module")
def stocked(enforced: DeployedDemo) -> DeployedDemo:
    """Two files of one table."""
    put(enforced, "january.csv", JANUARY)
    put(enforced, "february.csv", FEBRUARY)
    wait_for_items(enforced, "nut", "bolt", "washer")
    return enforced


def test_a_file_that_is_overwritten_replaces_its_rows_and_widens_the_table(stocked: DeployedDemo) -> None:
    """Its earlier snapshot still shows what was there before."""
    before = find_table(stocked)
    assert before is not None
    put(stocked, "january.csv", CORRECTED)

    wait_for_items(stocked, "nut", "screw", "washer", without_items={"bolt"})

    prices = {row["item"]: row["price"] for row in read_rows(stocked)}
    assert (str(prices["nut"]), str(prices["screw"]), prices["washer"]) == ("0.25", "0.50", None)
    earlier = before.scan(snapshot_id=before.metadata.current_snapshot_id).to_arrow()
    assert {"bolt", "nut", "washer"} <= set(earlier.column("item").to_pylist())


def test_a_denied_commit_is_seen_and_comes_in_when_it_may(stocked: DeployedDemo) -> None:
    """The file is converted all the same; status shows that its table lacks it, and the log says why."""
    queue = stocked.resources.commit_queue
    assert queue is not None
    with without(stocked, "glue:UpdateTable", COMMITTER):
        put(stocked, "march.csv", b"id,item\n4,rivet\n")
        stocked.wait_until(
            lambda: "glue:UpdateTable of millrace.stock was denied" in stocked.emulator.log_tail(500),
            seconds=60,
            what="a log of the denial",
        )
        assert stocked.messages(queue) == 1
        (said,) = (line for line in lines(stocked, "status", "--json") if "iceberg_commits" in line)
        assert "rivet" not in {row["item"] for row in read_rows(stocked)}

    assert said["waiting"] + said["put_off"] == 1
    wait_for_items(stocked, "rivet", seconds=90)
    stocked.wait_until(lambda: stocked.messages(queue) == 0, seconds=60, what="an empty queue of commits")


def test_a_file_that_is_deleted_takes_its_rows_along(stocked: DeployedDemo) -> None:
    put(stocked, "april.csv", b"id,item\n9,pin\n")
    wait_for_items(stocked, "washer", "pin")
    ref = in_folder(stocked, "stock", "april.csv")

    stocked.s3.delete_object(Bucket=ref.bucket, Key=ref.key)

    wait_for_items(stocked, "washer", without_items={"pin"})


def test_no_snapshot_of_a_week_expires(stocked: DeployedDemo) -> None:
    """The schedule's call, under the role that it has."""
    table = find_table(stocked)
    assert table is not None

    answer = stocked.emulator.client("lambda").invoke(FunctionName=COMMITTER, Payload=b'{"expire": "due"}')

    said = json.loads(answer["Payload"].read())
    in_bucket = stocked.emulator.client("s3tables").list_tables(tableBucketARN=TABLE_BUCKET)["tables"]
    assert (said["tables"], said["snapshots"], said.get("troubles")) == (1 + len(in_bucket), 0, None)
    after = find_table(stocked)
    assert after is not None
    assert {one.snapshot_id for one in table.snapshots()} <= {one.snapshot_id for one in after.snapshots()}


def test_what_can_never_be_in_a_table_is_a_dead_letter_that_goes_back(stocked: DeployedDemo) -> None:
    """It is refused once more within five minutes, in which SQS takes a message of the same id for the same one."""
    resources, sqs = stocked.resources, stocked.emulator.client("sqs")
    queue, dead = resources.commit_queue, resources.commit_dead_letter_queue
    assert queue is not None
    assert dead is not None
    unheard_of = in_folder(stocked, "stock", "never.csv")
    sqs.send_message(
        QueueUrl=queue,
        MessageBody=CommitRequest(SYNC, unheard_of).to_body(),
        MessageGroupId="e2e",
        MessageDeduplicationId="e2e",
    )

    stocked.wait_until(lambda: stocked.messages(dead) == 1, seconds=60, what="a dead letter of commits")
    assert lines(stocked, "redrive", "--class", "commit", "--json") == [{"dry_run": False, "moved": {"commit": 1}}]

    stocked.wait_until(lambda: stocked.messages(dead) == 1, seconds=60, what="the dead letter once more")
    shown, discarded = lines(stocked, "dead-letters", "--class", "commit", "--discard", "--yes", "--json")
    assert shown["objects"] == [str(unheard_of)]
    assert "the ledger knows nothing of" in shown["given_up"]["reason"]
    assert discarded == {"discarded": {"commit": 1}}
    assert stocked.messages(dead) == 0


def test_doctor_says_who_commits(stocked: DeployedDemo, configuration: Any) -> None:
    done = run(stocked, "doctor", "--config", str(configuration), "--json")
    checks = [json.loads(line) for line in done.stdout.splitlines()]
    texts = [check["text"] for check in checks if check["subject"] == "Iceberg tables"]

    assert texts == [
        "Iceberg tables: 0 finished files waiting to be committed, 0 worked on or put off",
        "database 'millrace' is there",
        "table bucket 'millrace-e2e-tables' is there",
    ]
