"""A source that nobody tells of, deployed where policies decide: listed by its function, converted by the other."""

from __future__ import annotations

import json
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millrace.aws.deployed import Deployed as Found
from millrace.aws.deployed import invoke
from millrace.demo.deploy import bootstrap
from millrace.demo.deployed import DeployedDemo, Task
from millrace.demo.emulator import Mode, running
from millrace.ledger.entries import DONE, State
from millrace.objects.references import ObjectRef

pytestmark = pytest.mark.e2e

QUIET = {
    "connections": [
        {
            "name": name,
            "type": "s3",
            "configuration": {
                "auth_mode": "execution_role",
                "s3_bucket_name": f"s3://{bucket}",
                "s3_bucket_region": "us-east-1",
                "create_bucket": True,
                **fields,
            },
        }
        for name, bucket, fields in (
            ("quiet", "e2e-quiet/in", {}),
            ("told", "e2e-told", {"enable_event_notifications": True, "event_queue_arn": "managed"}),
            ("lake", "e2e-lake", {}),
        )
    ],
    "bulk_syncs": [
        {
            "name": f"from {source}",
            "source_connection": source,
            "destination_connection": "lake",
            "destination_configuration": {"format": "json", "subfolder": source},
            "on_delete": "remove",
        }
        for source in ("quiet", "told")
    ],
}
SMALL = b"id,name\n007,Ada\n008,\n"


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedDemo]:
    """Deployed where policies decide, so that the function's grants are enough."""
    path = tmp_path_factory.mktemp("quiet") / "millrace.json"
    path.write_text(json.dumps(QUIET))
    with running(Mode.ENFORCED) as emulator:
        bootstrap(emulator)
        yield DeployedDemo.deploy(emulator, path, context={"max_concurrency": "2"})


def test_a_source_without_notifications_is_kept_in_step(quiet: DeployedDemo) -> None:
    """New, overwritten and deleted objects are found by the listing, and nothing is found twice."""
    refs = [ObjectRef("e2e-quiet", f"in/{name}") for name in ("2026 q1+ü.csv", "b.csv")]
    tasks = [Task("from quiet", ref) for ref in refs]
    for ref in refs:
        quiet.upload(ref, SMALL)
    assert quiet.messages(quiet.resources.queues["quiet"]) == 0

    assert _reconcile(quiet, "from quiet") == (2, 0, 0)
    done = quiet.wait(tasks, seconds=60)
    assert {entry.state for entry in done.values()} <= DONE
    assert quiet.read(done[tasks[0]].outputs[0].ref) == b'{"id":"007","name":"Ada"}\n{"id":"008","name":null}\n'
    assert _reconcile(quiet, "from quiet") == (0, 0, 0)

    quiet.s3.delete_object(Bucket=refs[0].bucket, Key=refs[0].key)
    quiet.upload(refs[1], SMALL + b"009,Eve\n")
    assert _reconcile(quiet, "from quiet") == (0, 1, 1)
    quiet.wait([tasks[0]], seconds=60, until=lambda entry: entry.state is State.REMOVED)
    quiet.wait([tasks[1]], seconds=60, until=lambda entry: entry.settled and entry.rows.written == 3)
    listed = quiet.s3.list_objects_v2(Bucket="e2e-lake", Prefix="quiet/")["Contents"]
    assert [found["Key"] for found in listed] == ["quiet/b.jsonl"]


def test_a_lost_event_is_healed(quiet: DeployedDemo) -> None:
    """The bucket forgets its notification for a while; what came meanwhile is found."""
    ref = ObjectRef("e2e-told", "lost.csv")
    kept = quiet.s3.get_bucket_notification_configuration(Bucket=ref.bucket)
    kept.pop("ResponseMetadata")
    quiet.s3.put_bucket_notification_configuration(Bucket=ref.bucket, NotificationConfiguration={})
    quiet.upload(ref, SMALL)
    quiet.s3.put_bucket_notification_configuration(Bucket=ref.bucket, NotificationConfiguration=kept)

    assert _reconcile(quiet, "from told") == (1, 0, 0)

    (entry,) = quiet.wait([Task("from told", ref)], seconds=60).values()
    assert (entry.state, entry.rows.written) == (State.CONVERTED, 2)


def test_a_backfill_converts_what_was_there(quiet: DeployedDemo, tmp_path: Path) -> None:
    """Under the grants of its function: it lists, sends, switches its event source on, counts, and switches it off."""
    refs = [ObjectRef("e2e-quiet", f"in/old/{number:03} +ü.csv") for number in range(25)]
    for ref in refs:
        quiet.upload(ref, SMALL)
    scope = ["from quiet", "--prefix", "in/old/"]

    configuration = tmp_path / "millrace.json"
    configuration.write_text(json.dumps(QUIET))
    (estimate,) = _backfill(quiet, *scope, "--dry-run", "--config", str(configuration))
    paused = _backfill(quiet, *scope, "--yes", "--no-wait") and _backfill(quiet, "from quiet", "--pause")
    resumed = _backfill(quiet, "from quiet", "--resume", "--concurrency", "3")
    done = quiet.wait([Task("from quiet", ref) for ref in refs], seconds=120)
    ended = _wait_for_backfill(quiet)
    (again,) = _backfill(quiet, *scope, "--yes")

    assert (estimate["objects"], estimate["bytes"]) == (25, 25 * len(SMALL))
    assert (paused[0]["state"], resumed[0]["state"]) == ("paused", "running")
    assert {entry.state for entry in done.values()} <= DONE
    assert (ended["state"], ended["asked"], ended["done"], ended["failed"]) == ("finished", 25, 25, 0)
    assert (again["state"], again["asked"], again["known"]) == ("finished", 0, 25)


def _wait_for_backfill(deployed: DeployedDemo) -> dict[str, Any]:
    """How the backfill stands when it has ended; the function is asked to look, as its schedule does."""
    found = Found.find(deployed.emulator.client("cloudformation"), "millrace")
    for _ in range(30):
        invoke(deployed.emulator.client("lambda"), str(found.backfill_function), {"action": "tend"})
        (progress,) = _backfill(deployed, "from quiet", "--status")
        if progress["state"] == "finished":
            break
        time.sleep(2)
    return progress


def test_the_function_may_call_itself(quiet: DeployedDemo) -> None:
    """Its own role allows what going on takes, and no other function."""
    found = Found.find(quiet.emulator.client("cloudformation"), "millrace")
    functions = quiet.emulator.client("lambda")
    arn = functions.get_function_configuration(FunctionName=str(found.reconcile_function))["FunctionArn"]
    role = functions.get_function_configuration(FunctionName=str(found.reconcile_function))["Role"].rpartition("/")[2]
    iam = quiet.emulator.client("iam")
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    statements = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]["Statement"]

    assert [one["Resource"] for one in statements if "lambda:InvokeFunction" in one["Action"]] == [arn]


def _reconcile(deployed: DeployedDemo, sync: str) -> tuple[int, int, int]:
    """What `millrace reconcile` says: new, changed, gone."""
    answer = _run(deployed, "reconcile", sync)[-1]
    return answer["new"], answer["changed"], answer["gone"]


def _backfill(deployed: DeployedDemo, *words: str) -> list[dict[str, Any]]:
    """What `millrace backfill` says."""
    return _run(deployed, "backfill", *words)


def _run(deployed: DeployedDemo, *words: str) -> list[dict[str, Any]]:
    """The JSON lines of a command."""
    done = subprocess.run(  # noqa: S603 -- the command is ours
        [str(Path(sysconfig.get_path("scripts")) / "millrace"), *words, "--json"],
        env=deployed.emulator.subprocess_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
