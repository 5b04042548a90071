"""Nothing is lost: dead letters come back, a lost ledger is rebuilt, and every object is accounted for."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from millrace.demo.deployed import DeployedDemo
from millrace.ledger.entries import DONE, State
from millrace.objects.references import ObjectRef
from tests.e2e.commands import lines, run
from tests.e2e.places import in_folder, task_of

pytestmark = pytest.mark.e2e


def test_dead_letters_are_looked_at_and_redriven(deployed: DeployedDemo) -> None:
    """What nobody can read gets there by the queue's own redrive; looking leaves it, redriving sends it home."""
    sqs, dead = deployed.emulator.client("sqs"), deployed.resources.dead_letter_queue
    sqs.purge_queue(QueueUrl=dead)
    home = deployed.resources.queues["e2e source"]
    sqs.send_message(QueueUrl=home, MessageBody='{"no": "shape"}')
    deployed.wait_until(lambda: deployed.messages(dead) == 1, seconds=60, what="the message to be dead")

    for _ in range(2):
        (letter,) = lines(deployed, "dead-letters", "--json")
        assert (letter["class"], letter["queue"]) == ("unreadable", home.rpartition("/")[2])
        assert "no" in letter["reason"]
        assert letter["given_up"]["reason"]
    assert lines(deployed, "redrive", "--json") == [{"dry_run": False, "moved": {}}]
    assert lines(deployed, "redrive", "--class", "unreadable", "--dry-run", "--json")[-1]["moved"] == {"unreadable": 1}
    assert deployed.messages(dead) == 1

    assert lines(deployed, "redrive", "--class", "unreadable", "--json")[-1]["moved"] == {"unreadable": 1}
    deployed.wait_until(lambda: deployed.messages(dead) == 1, seconds=60, what="the message to be dead again")
    assert lines(deployed, "dead-letters", "--discard", "--yes", "--json")[-1] == {"discarded": {"unreadable": 1}}
    deployed.wait_until(lambda: deployed.messages(dead) == 0, seconds=10, what="the message to be gone")


def test_lost_ledger_is_rebuilt_and_nothing_is_converted_again(
    opened: DeployedDemo, configuration: Path, tmp_path: Path
) -> None:
    """With the table emptied, the outputs' lineage brings back what was done; the rest is enqueued by the audit."""
    refs = [in_folder(opened, "in", f"rebuilt/{number}.csv") for number in range(5)]
    tasks = [task_of(opened, "e2e csv", ref) for ref in refs]
    for number, ref in enumerate(refs):
        opened.upload(ref, f"id\n{number:03d}\n".encode())
    before = opened.wait(tasks, seconds=60)
    opened.wait_until_idle(seconds=60)
    versions = {entry.outputs[0].ref: opened.version(entry.outputs[0].ref) for entry in before.values()}
    _empty(opened)

    place = ["--config", str(configuration), "--destination", "e2e target"]
    told = lines(opened, "ledger", "rebuild", *place, "--json")
    report = tmp_path / "audit.parquet"
    run(opened, "audit", "--config", str(configuration), "--report", str(report))
    opened.wait_until_idle(seconds=120)

    assert sum(line["rebuilt"] for line in told) >= len(refs)
    after = {task: opened.entry(task) for task in tasks}
    for task, entry in after.items():
        assert entry is not None
        assert entry.state in DONE
        assert (entry.fence, entry.version.etag) == (before[task].fence, before[task].version.etag)
    assert {ref: opened.version(ref) for ref in versions} == versions
    rows = pq.read_table(report).to_pylist()
    assert {row["key"] for row in rows if row["sync"] == "e2e csv"} >= {ref.key for ref in refs}
    assert all(row["error"] and row["attempts"] for row in rows if row["standing"] == State.FAILED)


def test_an_output_that_is_gone_is_found_and_written_again(deployed: DeployedDemo, configuration: Path) -> None:
    """Somebody deletes one output and writes over another; the audit of outputs names both, and restores them."""
    refs = [in_folder(deployed, "in", f"lost outputs/{name}.csv") for name in ("gone", "altered", "kept")]
    tasks = [task_of(deployed, "e2e csv", ref) for ref in refs]
    for ref in refs:
        deployed.upload(ref, f"id,name\n1,{ref.key}\n".encode())
    outputs = [entry.outputs[0].ref for entry in deployed.wait(tasks, seconds=60).values()]
    before = [deployed.read(output) for output in outputs]
    deployed.wait_until_idle(seconds=60)
    deployed.s3.delete_object(Bucket=outputs[0].bucket, Key=outputs[0].key)
    deployed.s3.put_object(Bucket=outputs[1].bucket, Key=outputs[1].key, Body=b"mine")

    audit = ("audit", "e2e csv", "--config", str(configuration), "--outputs", "--json")
    looked = run(deployed, *audit, "--dry-run")
    restored = run(deployed, *audit, "--restore")
    deployed.wait_until(lambda: _is_there(deployed, outputs[0]), seconds=60, what="the output to be back")
    deployed.wait_until_idle(seconds=60)

    for done in (looked, restored):
        (counts,) = [json.loads(line) for line in done.stdout.splitlines()]
        assert (done.returncode, counts["vanished"], counts["altered"]) == (1, 1, 1)
    assert deployed.read(outputs[0]) == before[0]
    assert deployed.read(outputs[2]) == before[2]


def _is_there(deployed: DeployedDemo, ref: ObjectRef) -> bool:
    listed = deployed.s3.list_objects_v2(Bucket=ref.bucket, Prefix=ref.key)
    return ref.key in [found["Key"] for found in listed.get("Contents", [])]


@pytest.mark.usefixtures("examples")
def test_every_object_is_accounted_for(deployed: DeployedDemo, configuration: Path) -> None:
    """After everything else: no object that nobody knows of."""
    deployed.wait_until_idle(seconds=120)

    told = lines(deployed, "audit", "--config", str(configuration), "--outputs", "--json")

    assert {line["unaccounted"] for line in told} == {0}
    assert sum(line.get(State.CONVERTED, 0) for line in told) > 0


def _empty(deployed: DeployedDemo) -> None:
    table, name = deployed.emulator.client("dynamodb"), deployed.resources.ledger_table
    pages = table.get_paginator("scan").paginate(TableName=name, ProjectionExpression="pk")
    for item in [item for page in pages for item in page["Items"]]:
        table.delete_item(TableName=name, Key=item)
