"""What cannot be converted ends in the ledger with its reason, or in the dead-letter queue, and harms nothing else."""

from __future__ import annotations

import gzip

import pytest

from millrace.demo.deployed import DeployedDemo, Task
from millrace.ledger.entries import Branch, Entry, State
from millrace.objects.messages import Request, compose_message
from millrace.objects.references import ChangeKind, ObjectChange
from tests.e2e.places import in_folder, task_of
from tests.e2e.records import read

pytestmark = pytest.mark.e2e

MANY = b"id,name\n" + b"".join(b"%d,somebody\n" % number for number in range(1000))


@pytest.mark.parametrize(
    ("name", "content"), [("empty.csv", b""), ("header only.csv", b"id,name\n"), ("none.json", b"[]")]
)
def test_file_without_rows_is_converted_to_one_without(opened: DeployedDemo, name: str, content: bytes) -> None:
    """No rows is a table, too."""
    entry = _settled(opened, name, content)
    assert (entry.state, entry.rows.read, entry.rows.written) == (State.CONVERTED, 0, 0)
    assert read(".parquet", opened.read(entry.outputs[0].ref)) == []


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("cut.csv.gz", gzip.compress(MANY, mtime=0)[:-200], "TruncatedFile"),
        ("not.parquet", MANY, "MalformedFile"),
        ("cut.json", b'{"a": 1}\n{"a": ', "DataError"),
        ("ragged.csv", b"id,name\n1,a\n2,b,c\n", "RaggedRow"),
    ],
)
def test_content_that_cannot_be_read_yields_no_output(
    opened: DeployedDemo, name: str, content: bytes, error: str
) -> None:
    """It fails for its content: told with its kind, acknowledged, target absent."""
    entry = _settled(opened, name, content)
    assert (entry.state, entry.outputs) == (State.FAILED, ())
    assert entry.failure is not None
    assert entry.failure.branch is Branch.DATA
    assert error in {entry.failure.error, "DataError"}
    assert entry.failure.message
    opened.wait_until_idle(seconds=30)
    listed = opened.s3.list_objects_v2(Bucket="millrace-e2e-target", Prefix=f"out/parquet/{name.partition('.')[0]}.")
    assert listed["KeyCount"] == 0


def test_a_broken_file_does_not_stop_its_neighbours(opened: DeployedDemo) -> None:
    """Of many that come together, all but the broken one are converted."""
    names = [f"together/{number}.csv" for number in range(12)]
    for name in names:
        broken = name.endswith("/5.csv")
        opened.upload(in_folder(opened, "in", name), b"a,b\n1,2,3\n" if broken else b"a,b\n1,2\n")
    entries = opened.wait([task_of(opened, "e2e parquet", in_folder(opened, "in", name)) for name in names], seconds=60)
    states = {task.source.key.rpartition("/")[2]: entry.state for task, entry in entries.items()}
    assert states == {f"{number}.csv": State.FAILED if number == 5 else State.CONVERTED for number in range(12)}


def test_a_failed_object_is_converted_once_it_is_mended(opened: DeployedDemo) -> None:
    """An overwrite is a new version with a new chance."""
    failed = _settled(opened, "mended.csv", b"a,b\n1,2,3\n")
    task = task_of(opened, "e2e parquet", failed.source)

    opened.upload(failed.source, b"a,b\n1,2\n")
    mended = opened.wait([task], seconds=30, until=lambda entry: entry.fence > failed.fence and entry.settled)[task]

    assert (failed.state, mended.state) == (State.FAILED, State.CONVERTED)


def test_object_that_is_gone_before_it_is_read_settles_quietly(opened: DeployedDemo) -> None:
    """Deleted before its message was read: no error, nothing retried."""
    ref = in_folder(opened, "in", "gone.csv")
    created = Request(change=ObjectChange(kind=ChangeKind.CREATED, ref=ref))

    opened.sqs.send_message(QueueUrl=opened.resources.queues["e2e source"], MessageBody=compose_message(created))
    task = task_of(opened, "e2e parquet", ref)
    entry = opened.wait([task], seconds=30)[task]
    opened.wait_until_idle(seconds=30)

    assert (entry.state, entry.failure, entry.outputs) == (State.REMOVED, None, ())


def test_message_that_is_not_ours_goes_to_the_dead_letter_queue(opened: DeployedDemo) -> None:
    """Nobody can read it, so it is never acknowledged; the messages beside it are."""
    url, dead = opened.resources.queues["e2e source"], opened.resources.dead_letter_queue
    before = opened.messages(dead)

    opened.sqs.send_message(QueueUrl=url, MessageBody="good morning")
    opened.wait_until(lambda: opened.messages(dead) == before + 1, seconds=60, what="a dead letter")

    # It is sent on first and deleted then, so that it is nowhere lost: for a moment it is in both queues.
    opened.wait_until(lambda: opened.messages(url) == 0, seconds=20, what="an empty queue")
    received = opened.sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10)["Messages"]
    assert "good morning" in [message["Body"] for message in received]
    assert _settled(opened, "beside it.csv", b"a\n1\n").state is State.CONVERTED


def test_target_bucket_that_does_not_exist_keeps_the_message(opened: DeployedDemo) -> None:
    """It fails for its configuration and waits in the queue until somebody mends that."""
    ref, url = in_folder(opened, "lost", "a.csv"), opened.resources.queues["e2e missing"]
    opened.upload(ref, b"a\n1\n")
    task = task_of(opened, "e2e lost", ref)
    try:
        entry = opened.wait([task], seconds=30)[task]

        assert entry.state is State.FAILED
        assert entry.failure is not None
        assert (entry.failure.branch, entry.failure.error) == (Branch.CONFIGURATION, "NoSuchBucket")
        assert opened.messages(url) == 1
    finally:
        opened.sqs.purge_queue(QueueUrl=url)


def _settled(deployed: DeployedDemo, name: str, content: bytes) -> Entry:
    ref = in_folder(deployed, "in", name)
    deployed.upload(ref, content)
    task: Task = task_of(deployed, "e2e parquet", ref)
    return deployed.wait([task], seconds=30)[task]
