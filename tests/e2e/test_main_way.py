"""The main way, whole: uploaded, told of by S3, converted by the deployed function, written down. In both modes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from millrace.demo.deployed import DeployedDemo, Task
from millrace.demo.emulator import Mode
from millrace.ledger.entries import Entry, State
from millrace.objects.references import ObjectRef
from tests.e2e.places import EXAMPLES, in_folder
from tests.e2e.records import differences, read

pytestmark = pytest.mark.e2e

SMALL = b"id,name\n007,Ada\n008,\n"


def test_every_example_is_converted_value_by_value(deployed: DeployedDemo, examples: list[Task]) -> None:
    """What a field said in the source is what a reader gets from the target, in every example."""
    for task in examples:
        entry = deployed.entry(task)
        assert entry is not None
        output = entry.outputs[0]

        source = read(task.source.key, _example(task.source), skip_lines=_skip_lines(deployed, task))
        target = read(output.ref.key, deployed.read(output.ref))

        assert differences(source, target) == [], f"{task.source} became {output.ref}"
        assert entry.rows.read == entry.rows.written == len(source) == output.rows


def test_every_output_tells_where_it_came_from(deployed: DeployedDemo, examples: list[Task]) -> None:
    """Lineage travels with the output, for somebody who has nothing but the bucket."""
    for task in examples:
        entry = _entry(deployed, task)
        metadata = deployed.s3.head_object(Bucket=entry.outputs[0].ref.bucket, Key=entry.outputs[0].ref.key)["Metadata"]
        assert metadata["millrace-fence"] == str(entry.fence)
        assert metadata["millrace-fingerprint"] == entry.fingerprint


def test_upload_again_does_nothing(deployed: DeployedDemo, examples: list[Task]) -> None:
    """The same bytes again are seen and refused: no claim, output neither written nor touched.

    The entry takes the later event's sequencer, so that an earlier one that comes late is told apart.
    """
    task = examples[0]
    before, version = _entry(deployed, task), _version(deployed, task)
    claims = deployed.function_calls()["GetItem"]

    deployed.upload(task.source, _example(task.source))
    deployed.wait_for_calls("GetItem", more_than=claims, seconds=30)
    deployed.wait_until_idle(seconds=30)

    after = _entry(deployed, task)
    assert after == replace(before, revision=after.revision, sequencer=after.sequencer)
    assert _version(deployed, task) == version


def test_overwrite_replaces_the_output(deployed: DeployedDemo) -> None:
    """Other bytes under the same key: the output becomes theirs, under the next fence."""
    task = _upload(deployed, in_folder(deployed, "in", "overwritten.csv"), SMALL)
    first = deployed.wait([task], seconds=30)[task]

    deployed.upload(task.source, SMALL + b"009,Eve\n")
    second = deployed.wait([task], seconds=30, until=lambda entry: entry.settled and entry.fence > first.fence)[task]

    assert (first.rows.written, second.rows.written) == (2, 3)
    assert len(read(".parquet", deployed.read(second.outputs[0].ref))) == 3


def test_reprocess_converts_once_for_a_run(deployed: DeployedDemo, examples: list[Task]) -> None:
    """A manual run converts again what is converted already; the same run id does not do so twice."""
    task = examples[0]
    before, version = _entry(deployed, task), _version(deployed, task)

    answer = deployed.reprocess({"sync": task.sync, "keys": [task.source.key]})
    run_id = answer["run_id"]
    after = deployed.wait([task], seconds=30, until=lambda entry: entry.settled and entry.run_id == run_id)[task]

    assert (answer["selected"], answer["sent"]) == (1, 1)
    assert after.fence == before.fence + 1
    assert _version(deployed, task)[0] == version[0], "the bytes are the same"

    claims = deployed.function_calls()["GetItem"]
    deployed.reprocess({"sync": task.sync, "keys": [task.source.key], "run_id": run_id})
    deployed.wait_for_calls("GetItem", more_than=claims, seconds=30)
    deployed.wait_until_idle(seconds=30)

    assert _entry(deployed, task) == after


def test_dry_run_sends_nothing(deployed: DeployedDemo, examples: list[Task]) -> None:
    """It says what it would do."""
    answer = deployed.reprocess({"sync": examples[0].sync, "prefix": "", "dry_run": True})
    assert answer["selected"] > 0
    assert answer["sent"] == 0


def test_delete_removes_the_output_where_the_sync_says_so(deployed: DeployedDemo) -> None:
    """``on_delete: remove`` takes the output away with its source; ``keep`` leaves it."""
    ref = in_folder(deployed, "in", "deleted.csv")
    tasks = _upload_all(deployed, ref, SMALL)
    outputs = {task.sync: entry.outputs[0].ref for task, entry in deployed.wait(tasks, seconds=30).items()}

    deployed.s3.delete_object(Bucket=ref.bucket, Key=ref.key)
    entries = deployed.wait(tasks, seconds=30, until=lambda entry: entry.state is State.REMOVED)

    assert not _exists(deployed, outputs["e2e parquet"])
    assert _exists(deployed, outputs["e2e csv"])
    assert {task.sync: len(entry.outputs) for task, entry in entries.items()} == {"e2e parquet": 0, "e2e csv": 1}


@pytest.mark.parametrize(
    "name",
    [
        "a b.csv",
        "a+b.csv",
        "a%20b.csv",
        "100%.csv",
        "Käse/Zürich ü.csv",
        "double//slash.csv",
        "new\nline.csv",
        "=&?.csv",
    ],
)
def test_any_key_finds_its_way(deployed: DeployedDemo, name: str) -> None:
    """Keys are decoded once, and once only."""
    if "\n" in name and deployed.emulator.mode is Mode.ENFORCED:
        pytest.skip("in the emulator's policies, unlike in IAM's, a * does not match a newline")
    task = _upload(deployed, in_folder(deployed, "in", name), SMALL)
    entry = deployed.wait([task], seconds=30)[task]
    assert entry.state is State.CONVERTED
    assert entry.outputs[0].ref.key == f"out/parquet/{name.removesuffix('.csv')}.parquet"
    assert len(read(".parquet", deployed.read(entry.outputs[0].ref))) == 2


def test_foreign_extension_is_ignored_with_its_reason(deployed: DeployedDemo) -> None:
    """It ends in the ledger, not in silence."""
    task = _upload(deployed, in_folder(deployed, "in", "README.md"), b"# hello")
    entry = deployed.wait([task], seconds=30)[task]
    assert entry.state is State.IGNORED
    assert "extension" in str(entry.reason)


def _example(ref: ObjectRef) -> bytes:
    return Path(EXAMPLES / "data" / ref.key).read_bytes()


def _skip_lines(deployed: DeployedDemo, task: Task) -> int:
    sync = next(sync for sync in deployed.document.bulk_syncs if sync.name == task.sync)
    return deployed.document.connection(sync.source_connection).file_options().read.skip_lines


def _upload_all(deployed: DeployedDemo, ref: ObjectRef, content: bytes) -> list[Task]:
    deployed.upload(ref, content)
    return deployed.tasks([ref])


def _upload(deployed: DeployedDemo, ref: ObjectRef, content: bytes) -> Task:
    return next(task for task in _upload_all(deployed, ref, content) if task.sync == "e2e parquet")


def _entry(deployed: DeployedDemo, task: Task) -> Entry:
    entry = deployed.entry(task)
    assert entry is not None
    return entry


def _version(deployed: DeployedDemo, task: Task) -> tuple[str, str, str | None]:
    return deployed.version(_entry(deployed, task).outputs[0].ref)


def _exists(deployed: DeployedDemo, ref: ObjectRef) -> bool:
    return any(found["Key"] == ref.key for found in deployed.s3.list_objects_v2(Bucket=ref.bucket).get("Contents", []))
