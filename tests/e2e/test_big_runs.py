"""Big runs on the deployed stacks, policies enforced: what is cut into parts comes out as from one invocation.

Everything above 0.4 MB is a big run here, in parts of 0.25: each part is three invocations, which are what takes time.
`make big-runs` takes files of 64 MB in parts of 4 MB, each to all four targets, and a table of 3,000 files.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq
import pytest

from millrace import __version__
from millrace.aws.step_functions import StepFunctions
from millrace.big_runs.events import RunPlace
from millrace.config.document import Document, load
from millrace.delivery.worker import Outcome, Worker
from millrace.demo.deployed import DeployedDemo, Task
from millrace.demo.emulator import Mode
from millrace.ledger.claims import Delivery
from millrace.ledger.entries import DONE, Branch, Entry, State
from millrace.objects.machine import Execution, ExecutionStatus
from millrace.objects.messages import Request
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef
from millrace.planning.planner import Planner
from tests.configurations import bulk_sync, connection
from tests.e2e.big_files import RENDERERS, csv_of, rows_of
from tests.e2e.bootstrapping import bootstrap_quickly
from tests.e2e.commands import lines, run
from tests.e2e.denials import without
from tests.e2e.emulators import list_workers, running_quickly
from tests.e2e.quick_deployments import deploy_quickly
from tests.fakes import InMemoryLedger, InMemoryObjectStore
from tests.unit.engine.formats.packing import tarred
from tests.world import NOON

pytestmark = pytest.mark.e2e

IS_LONG = "BIG_RUNS" in os.environ
SOURCE, TARGET = "big-source", "big-target"
TARGETS = ("parquet", "csv", "json", "json-doc")
KEPT = "kept"
"""The sync that sets bad rows aside."""
ARCHIVE = "packed/export.tar.gz"
"""An archive that is one table."""
SEED = 29
ROWS = 300_000 if IS_LONG else 4_500
"""CSV of four parts, JSON of six, five row groups."""
MORE_ROWS = 300_000 if IS_LONG else 9_000
"""CSV of eight parts."""
FILES, ROWS_OF_FILE = (3_000, 100) if IS_LONG else (100, 200)
KILLS = 4 if IS_LONG else 2
BIG_RUN_BYTES, PART_BYTES = (8_000_000, 4_000_000) if IS_LONG else (400_000, 250_000)
SECONDS = 1_800 if IS_LONG else 180
FUNCTION = "millrace-big-run"
PAIRS = [
    (extension, target)
    for number, extension in enumerate(RENDERERS)
    for target in (TARGETS if IS_LONG else [TARGETS[number % len(TARGETS)]])
]
"""Each format that is cut; the quick way to one target each."""


def configuration() -> dict[str, Any]:
    """A folder of sources and a sync for each target, one that sets bad rows aside, and a table of many files."""
    told = {"create_bucket": True, "enable_event_notifications": True, "event_queue_arn": "managed"}
    syncs = [_sync(target, to=target) for target in TARGETS]
    syncs.append(_sync(KEPT, to="csv", bad_rows="quarantine"))
    sources = [connection(sync["name"], f"s3://{SOURCE}/{sync['name']}", **told) for sync in syncs]
    many = connection("many", f"s3://{SOURCE}/many")
    lake = connection("lake", f"s3://{TARGET}/lake", create_bucket=True)
    packed = connection("packed", f"s3://{SOURCE}/packed", **told)
    model = {"name": "visits", "connection": "many", "configuration": {"model_from": "multi_file_archive"}}
    target = {"connection": "lake", "object": "visits", "configuration": {"format": "parquet"}}
    archive = {"model_from": "multi_file_archive", "key": ARCHIVE}
    unpacked = {"connection": "lake", "object": "unpacked", "configuration": {"format": "csv"}}
    return {
        "connections": [*sources, many, packed, lake],
        "bulk_syncs": syncs,
        "models": [model, {"name": "archive", "connection": "packed", "configuration": archive}],
        "model_syncs": [
            {"name": "visits to lake", "model": "visits", "target": target},
            {"name": "archive to lake", "model": "archive", "target": unpacked},
        ],
    }


def _sync(name: str, *, to: str, **fields: Any) -> dict[str, Any]:
    return bulk_sync(name, to=to, subfolder=name, source_connection=name, normalize_names="disabled", **fields)


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Document:
    """The configuration, read from where it lies."""
    path = tmp_path_factory.mktemp("big-runs") / "millrace.json"
    path.write_text(json.dumps(configuration()))
    return load(path)


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedDemo]:
    """Deployed where policies decide, and where little is much."""
    path = tmp_path_factory.mktemp("deployed") / "millrace.json"
    path.write_text(json.dumps(configuration()))
    context = {
        "max_concurrency": "2",
        "big_run_concurrency": "2",
        "big_run_bytes": str(BIG_RUN_BYTES),
        "part_bytes": str(PART_BYTES),
    }
    with running_quickly(Mode.ENFORCED) as emulator:
        bootstrap_quickly(emulator)
        yield deploy_quickly(emulator, path, context=context)


def convert_whole(document: Document, ref: ObjectRef, content: bytes) -> tuple[Outcome, dict[str, bytes]]:
    """What one invocation makes of an object, in memory: its outcome, and its outputs by their keys."""
    store = InMemoryObjectStore({SOURCE: {}, TARGET: {}})
    worker = Worker.build(
        planner=Planner(document),
        ledger=InMemoryLedger(),
        stores=dict.fromkeys((*TARGETS, KEPT, "packed", "lake"), store),
        queues={},
        now=lambda: NOON,
        engine=__version__,
        timeout_seconds=900,
    )
    store.put(ref, content)
    (outcome,) = worker.work(
        Request(change=ObjectChange(kind=ChangeKind.CREATED, ref=ref)), Delivery(message_id="1", remaining=lambda: 900)
    )
    return outcome, {name: stored.data for name, stored in store.buckets[TARGET].items()}


def upload(deployed: DeployedDemo, sync: str, name: str, content: bytes) -> Task:
    """Put a file where a sync reads."""
    ref = ObjectRef(SOURCE, f"{sync}/{name}")
    deployed.upload(ref, content)
    (task,) = deployed.tasks([ref])
    return task


def is_over(entry: Entry) -> bool:
    """Whether nothing goes on by itself."""
    return entry.state not in {State.WAITING, State.IN_FLIGHT}


def is_run(entry: Entry) -> bool:
    """Whether a big run is at work."""
    return entry.state is State.WAITING and entry.big_run is not None


def machine_of(deployed: DeployedDemo) -> StepFunctions:
    """The deployment's machine."""
    assert deployed.resources.big_run_machine is not None
    return StepFunctions(deployed.emulator.client("stepfunctions"), deployed.resources.big_run_machine)


def find_runs(deployed: DeployedDemo, source: str) -> list[Execution]:
    """The executions that convert an object or a folder, as they say of themselves; the newest first."""
    machine, found = machine_of(deployed), []
    for listed in machine.list():
        execution = machine.describe(listed.name)
        if execution and execution.argument and execution.argument["about"]["source"] == source:
            found.append(execution)
    return found


def assert_equal(document: Document, task: Task, entry: Entry, content: bytes, deployed: DeployedDemo) -> None:
    """All outputs are those that one invocation makes, and the ledger says the same."""
    assert entry.state in DONE, entry
    outcome, outputs = convert_whole(document, task.source, content)
    assert outcome.result in DONE, outcome
    assert outcome.entry is not None
    assert entry.rows == outcome.entry.rows
    for key, expected in outputs.items():
        _assert_same(key, expected, deployed.read(ObjectRef(TARGET, key)))


def _assert_same(key: str, expected: bytes, found: bytes) -> None:
    """Texts byte for byte; Parquet, whose row groups differ, by its schema and its values."""
    if not key.endswith(".parquet"):
        assert found == expected, f"{key} differs"
        return
    one, parts = (pq.read_table(io.BytesIO(data)) for data in (expected, found))
    assert parts.schema.equals(one.schema, check_metadata=True)
    assert parts.equals(one), f"{key} differs"


def list_runs_folder(deployed: DeployedDemo) -> list[str]:
    """What runs keep."""
    answer = deployed.s3.list_objects_v2(Bucket=TARGET, Prefix="lake/.millrace/runs/")
    return [found["Key"] for found in answer.get("Contents", [])]


@pytest.fixture(scope="module")
def contents() -> dict[str, bytes]:
    """The same rows in each format."""
    table = rows_of(SEED, ROWS)
    return {extension: render(table) for extension, render in RENDERERS.items()}


@pytest.mark.parametrize(("extension", "target"), PAIRS)
def test_an_output_equals_that_of_one_invocation(
    big: DeployedDemo, document: Document, contents: dict[str, bytes], extension: str, target: str
) -> None:
    """Every format that is cut: value for value, type for type, text for text; and no part is left."""
    name = f"whole-{extension.replace('.', '-')}.{extension}"
    task = upload(big, target, name, contents[extension])

    entry = big.wait([task], seconds=SECONDS, until=is_over)[task]

    assert_equal(document, task, entry, contents[extension], big)
    wait_for_ends(big)
    (execution,) = find_runs(big, str(task.source))
    assert execution.status is ExecutionStatus.SUCCEEDED
    assert max(phase.parts for phase in machine_of(big).progress(execution.name)) >= 4
    assert list_runs_folder(big) == []


def wait_for_ends(deployed: DeployedDemo) -> None:
    """Wait until no run is at work."""
    machine = machine_of(deployed)
    deployed.wait_until(
        lambda: not list(machine.list(ExecutionStatus.RUNNING)), seconds=SECONDS, what="the end of all runs"
    )


def test_children_that_are_killed_change_nothing(big: DeployedDemo, document: Document) -> None:
    """Workers die while their parts are converted; each part is tried again."""
    content = csv_of(rows_of(SEED + 1, MORE_ROWS))
    task = upload(big, "csv", "killed.csv", content)
    big.wait([task], seconds=60, until=is_run)
    kills = 0

    def kill_some() -> bool:
        nonlocal kills
        for pid in list_workers(big.emulator)[-1:]:
            if kills < KILLS:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    kills += 1
        entry = big.entry(task)
        return kills == KILLS or (entry is not None and is_over(entry))

    big.wait_until(kill_some, seconds=60, what="all kills")
    entry = big.wait([task], seconds=SECONDS, until=is_over)[task]

    assert kills == KILLS
    assert_equal(document, task, entry, content, big)


def test_what_is_overwritten_in_mid_run_comes_out_as_the_newer(big: DeployedDemo, document: Document) -> None:
    """The run of the older bytes ends without its output; nothing is mixed, and no part is left."""
    older, newer = (RENDERERS["jsonl"](rows_of(SEED + number, ROWS)) for number in (2, 3))
    task = upload(big, "parquet", "overwritten.jsonl", older)
    first = big.wait([task], seconds=60, until=is_run)[task]
    upload(big, "parquet", "overwritten.jsonl", newer)

    entry = big.wait([task], seconds=SECONDS, until=lambda entry: is_over(entry) and entry.fence > first.fence)[task]

    assert_equal(document, task, entry, newer, big)
    wait_for_ends(big)
    assert len(find_runs(big, str(task.source))) == 2
    assert list_runs_folder(big) == []


def bad_csv() -> bytes:
    """A file with one row of too many fields, in its seventh part of eight."""
    lines_of_file = csv_of(rows_of(SEED, MORE_ROWS)).split(b"\n")
    place = len(lines_of_file) * 13 // 16
    while not _is_whole(lines_of_file[place]):
        place += 1
    return b"\n".join([*lines_of_file[:place], b"7,many,fields,1,true,Bonn,too,many", *lines_of_file[place:]])


def _is_whole(line: bytes) -> bool:
    """Whether a line is a record of its own: no line end is within its texts."""
    return line[:1].isdigit() and line.count(b'"') % 2 == 0 and line.endswith(b'"')


def test_a_bad_row_is_told_by_its_place_in_the_whole_file(big: DeployedDemo, document: Document) -> None:
    """And set aside where the sync says so, with the same words."""
    content = bad_csv()
    refused, kept = (upload(big, sync, "bad.csv", content) for sync in ("csv", KEPT))
    entries = big.wait([refused, kept], seconds=SECONDS, until=is_over)

    outcome, _ = convert_whole(document, refused.source, content)
    failure = entries[refused].failure
    assert entries[refused].state is State.FAILED
    assert failure is not None
    assert failure.branch is Branch.DATA
    assert outcome.failure is not None
    assert failure.message == outcome.failure.message
    wait_for_ends(big)
    assert find_runs(big, str(refused.source))[0].status is ExecutionStatus.FAILED

    assert entries[kept].rows.quarantined == 1
    assert_equal(document, kept, entries[kept], content, big)


def test_a_run_is_stopped_and_goes_on(big: DeployedDemo, document: Document) -> None:
    """Its object says why it is not converted; resumed, it comes out as if nothing had been."""
    content = RENDERERS["parquet"](rows_of(SEED + 4, ROWS))
    task = upload(big, "json", "stopped.parquet", content)
    entry = big.wait([task], seconds=60, until=is_run)[task]
    assert entry.big_run is not None
    name = entry.big_run.name

    # By the port of the command, which takes a second to start: as long as the run.
    machine_of(big).stop(name, "to see what happens")
    failed = big.wait([task], seconds=60, until=is_over)[task]
    assert failed.failure is not None
    assert failed.failure.error == "RunStopped"
    assert name in failed.failure.message

    (resumed,) = lines(big, "runs", "resume", name, "--json")
    entry = big.wait([task], seconds=SECONDS, until=is_over)[task]

    assert resumed == {"run": f"{name}-2", "resumes": name}
    assert_equal(document, task, entry, content, big)


def test_a_table_of_many_files_is_one_object(big: DeployedDemo) -> None:
    """Its parts are batches of whole files; each file has its entry."""
    for number in range(FILES):
        rows = "".join(f"{number * ROWS_OF_FILE + row},{'x' * 20}\n" for row in range(ROWS_OF_FILE))
        big.upload(ObjectRef(SOURCE, f"many/{number:05d}.csv"), f"id,note\n{rows}".encode())
    lines(big, "reprocess", "visits to lake", "--json")

    def is_made() -> bool:
        answer = big.s3.list_objects_v2(Bucket=TARGET, Prefix="lake/visits")
        return bool(answer.get("Contents"))

    big.wait_until(is_made, seconds=SECONDS, what="the table")
    table = pq.read_table(io.BytesIO(big.read(ObjectRef(TARGET, "lake/visits.parquet"))))
    assert table["id"].to_pylist() == list(range(FILES * ROWS_OF_FILE))
    wait_for_ends(big)
    (execution,) = find_runs(big, f"s3://{SOURCE}/many/")
    assert execution.status is ExecutionStatus.SUCCEEDED


def test_an_archive_is_divided_by_its_members(big: DeployedDemo, document: Document) -> None:
    """It is unpacked first, since nobody can begin in the midst of gzip; then each member is a part."""
    files = {f"{number}.csv": csv_of(rows_of(SEED + number, ROWS // 4)) for number in range(5, 9)}
    content = gzip.compress(tarred(files), 0)
    task = upload(big, "packed", ARCHIVE.removeprefix("packed/"), content)

    entry = big.wait([task], seconds=SECONDS, until=is_over)[task]

    assert_equal(document, task, entry, content, big)
    wait_for_ends(big)
    (execution,) = find_runs(big, str(task.source))
    assert execution.status is ExecutionStatus.SUCCEEDED
    assert max(phase.parts for phase in machine_of(big).progress(execution.name)) == len(files)
    assert list_runs_folder(big) == []


def test_each_grant_on_objects_is_needed(big: DeployedDemo) -> None:
    """One phase of a run that was stopped, by hand: the machine would try it five times, each in a new process."""
    task = upload(big, "csv", "denied.csv", csv_of(rows_of(SEED, ROWS)))
    entry = big.wait([task], seconds=60, until=is_run)[task]
    assert entry.big_run is not None
    machine_of(big).stop(entry.big_run.name, "to do its phases by hand")
    big.wait([task], seconds=60, until=is_over)
    wait_for_ends(big)
    place = RunPlace(run=entry.big_run.name, connection="lake", home=entry.big_run.home)

    for action in ("s3:GetObject", "s3:PutObject"):
        with without(big, action, FUNCTION):
            # Otherwise the phase finds that it is done; the one that was stopped may have gone on for a while.
            big.s3.delete_object(Bucket=TARGET, Key=place.at("frame.json").key)
            assert "AccessDenied" in json.dumps(_invoke(big, {"phase": "plan", **place.to_input()}))
    assert _invoke(big, {"phase": "plan", **place.to_input()})["next"] == "scan"


def _invoke(deployed: DeployedDemo, event: dict[str, Any]) -> dict[str, Any]:
    """What the function of big runs answers, or how it failed."""
    answer = deployed.emulator.client("lambda").invoke(FunctionName=FUNCTION, Payload=json.dumps(event).encode())
    return dict(json.loads(answer["Payload"].read()))


@pytest.mark.skipif(
    not IS_LONG, reason="make big-runs: each try of a phase that is denied is a new process, seconds each"
)
@pytest.mark.parametrize("action", ["s3:GetObject", "s3:PutObject", "dynamodb:PutItem"])
def test_without_a_grant_a_run_ends_badly_and_publishes_nothing(big: DeployedDemo, action: str) -> None:
    """The machine gives it up, and its execution says that it failed."""
    name = f"without {action.rpartition(':')[2]}.csv"
    with without(big, action, FUNCTION):
        task = upload(big, "csv", name, csv_of(rows_of(SEED, ROWS)))
        big.wait([task], seconds=60, until=is_run)
        wait_for_ends(big)
        assert [execution.status for execution in find_runs(big, str(task.source))] == [ExecutionStatus.FAILED]
    assert not big.s3.list_objects_v2(Bucket=TARGET, Prefix=f"lake/csv/{name}").get("Contents")


def test_the_convert_function_may_not_start_runs_without_its_grant(big: DeployedDemo) -> None:
    with without(big, "states:StartExecution"):
        task = upload(big, "csv", "not started.csv", csv_of(rows_of(SEED, ROWS)))
        entry = big.wait([task], seconds=60, until=lambda entry: entry.failure is not None)[task]

    assert entry.failure is not None
    assert (entry.failure.branch, entry.failure.error) == (Branch.CONFIGURATION, "AccessDenied")
    assert find_runs(big, str(task.source)) == []


def test_people_see_runs(big: DeployedDemo) -> None:
    """Each with what it converts, its phases and how it ended."""
    listed = lines(big, "runs", "list", "--limit", "100", "--json")
    whole = next(one for one in listed if one["source"].endswith("/whole-csv.csv"))

    (shown,) = lines(big, "runs", "show", whole["run"], "--json")
    said = run(big, "runs", "show", whole["run"]).stdout

    assert whole["status"] == "SUCCEEDED"
    assert [phase["phase"] for phase in shown["phases"]][-1] == "convert"
    assert {phase["done"] for phase in shown["phases"]} == {phase["parts"] for phase in shown["phases"]}
    assert shown["entry"]["state"] == "converted"
    assert f"{whole['run']}: succeeded after" in said
    unknown = run(big, "runs", "show", "nothing")
    assert unknown.returncode == 2
    assert "there is no big run 'nothing'; the newest are" in unknown.stderr
