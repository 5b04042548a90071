"""A source that nobody tells of, deployed where policies decide: listed by its function, converted by the other."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from millrace.aws.deployed import Deployed as Found
from millrace.aws.deployed import invoke
from millrace.aws.dynamodb_backfills import DynamoDBBackfills
from millrace.demo.deployed import DeployedDemo, Task
from millrace.demo.emulator import Mode
from millrace.errors import MillraceError
from millrace.ledger.entries import DONE, State
from millrace.objects.references import ObjectRef
from millrace.operations.backfills.board import Backfill
from tests.e2e.bootstrapping import bootstrap_quickly
from tests.e2e.commands import lines
from tests.e2e.denials import granted_actions, without
from tests.e2e.emulators import running_quickly
from tests.e2e.quick_deployments import deploy_quickly

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
LISTS = "e2e-lake/lists"
"""The folder of S3 Inventory."""
MANIFEST = f"s3://{LISTS}/e2e-quiet/all/2026-11-28T01-00Z/manifest.json"
SMALL = b"id,name\n007,Ada\n008,\n"


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedDemo]:
    """Deployed where policies decide, so that the function's grants are enough."""
    path = tmp_path_factory.mktemp("quiet") / "millrace.json"
    path.write_text(json.dumps(QUIET))
    with running_quickly(Mode.ENFORCED) as emulator:
        bootstrap_quickly(emulator)
        yield deploy_quickly(emulator, path, context={"max_concurrency": "2", "inventories": f"s3://{LISTS}"})


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
    for _ in range(120):
        if not _call(deployed, {"action": "tend"})["backfills"]:
            break
        time.sleep(1)
    (progress,) = _backfill(deployed, "from quiet", "--status")
    return progress


def _call(deployed: DeployedDemo, event: dict[str, Any]) -> dict[str, Any]:
    """What the backfill function answers; raises MillraceError with what it raised."""
    return invoke(deployed.emulator.client("lambda"), _backfill_function(deployed), event)


def _backfill_function(deployed: DeployedDemo) -> str:
    return str(Found.find(deployed.emulator.client("cloudformation"), "millrace").backfill_function)


def _put_inventory(deployed: DeployedDemo, *keys: str) -> None:
    """An inventory in CSV as S3 writes it: keys form-encoded, one file packed by gzip, and the manifest beside it."""
    listing = "".join(f'"e2e-quiet","{quote_plus(key, safe="/")}","{len(SMALL)}"\n' for key in keys)
    manifest = {
        "sourceBucket": "e2e-quiet",
        "destinationBucket": "arn:aws:s3:::e2e-lake",
        "version": "2016-11-30",
        "creationTimestamp": "1764291600000",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size",
        "files": [{"key": "lists/e2e-quiet/all/data/1.csv.gz", "size": 1, "MD5checksum": "0"}],
    }
    deployed.upload(ObjectRef("e2e-lake", "lists/e2e-quiet/all/data/1.csv.gz"), gzip.compress(listing.encode()))
    deployed.upload(ObjectRef.parse(MANIFEST), json.dumps(manifest).encode())


def test_a_backfill_takes_what_an_inventory_names(quiet: DeployedDemo, tmp_path: Path) -> None:
    """From a folder that the option `inventories` names; what is gone by now leaves nothing in the ledger."""
    refs = [ObjectRef("e2e-quiet", f"in/named/{name}") for name in ("a b+c.csv", "ü.csv")]
    gone, unnamed = (ObjectRef("e2e-quiet", f"in/named/{name}.csv") for name in ("gone", "unnamed"))
    for ref in (*refs, unnamed):
        quiet.upload(ref, SMALL)
    _put_inventory(quiet, *(ref.key for ref in (*refs, gone)), "elsewhere/x.csv")
    configuration = tmp_path / "millrace.json"
    configuration.write_text(json.dumps(QUIET))
    scope = ["from quiet", "--prefix", "in/named/", "--inventory", MANIFEST]

    (estimate,) = _backfill(quiet, *scope, "--dry-run", "--config", str(configuration))
    # With a number the event source is switched in any case: of one that was deployed switched off, the emulator says
    # that it is on.
    _backfill(quiet, *scope, "--yes", "--no-wait", "--concurrency", "2")
    ended = _wait_for_backfill(quiet)

    assert (estimate["objects"], estimate["bytes"]) == (3, 3 * len(SMALL))
    done = quiet.wait([Task("from quiet", ref) for ref in refs], seconds=10)
    assert {entry.state for entry in done.values()} <= DONE
    assert (ended["state"], ended["asked"], ended["failed"], ended["open"]) == ("finished", 3, 0, 0)
    assert [quiet.entry(Task("from quiet", ref)) for ref in (gone, unnamed)] == [None, None]


_BEGINNING = ("dynamodb:PutItem", "dynamodb:GetItem", "lambda:ListEventSourceMappings")
"""Without one of these no backfill begins."""
_LISTING = ("s3:ListBucket", "sqs:SendMessageBatch", "dynamodb:BatchGetItem", "dynamodb:Query")
"""Without one of these nothing is listed, or nothing is asked for. AWS allows batches by sqs:SendMessage."""
_OTHERS = ("s3:GetObject", "lambda:InvokeFunction", "sqs:GetQueueAttributes")
_NOT_ENFORCED = ("lambda:UpdateEventSourceMapping", "sqs:SendMessage", "logs:CreateLogStream", "logs:PutLogEvents")
"""The emulator asks no policy for these: it does not know the first, and asks for batches by another action."""
_TELLING = ("events:PutEvents",)
"""Used only if somebody asked to be told of runs; see `test_webhooks`."""
_IS_LONG = "BIG_RUNS" in os.environ


def test_each_grant_of_the_backfill_function_is_needed(quiet: DeployedDemo) -> None:
    """Each is taken away in turn; what was begun without one goes on when it is given back.

    A function that fails is a new process afterwards, which takes seconds: the quick way leaves those out that are
    alike. `make big-runs` takes all.
    """
    ref = ObjectRef("e2e-quiet", "in/denied/a.csv")
    quiet.upload(ref, SMALL)
    _put_inventory(quiet, ref.key)
    start: dict[str, Any] = {"action": "start", "sync": "from quiet", "prefix": "in/denied/"}
    granted = granted_actions(quiet, _backfill_function(quiet))
    assert granted == {*_BEGINNING, *_LISTING, *_OTHERS, *_TELLING, *_NOT_ENFORCED}

    for action in _BEGINNING if _IS_LONG else _BEGINNING[:1]:
        _demand_denied(quiet, action, start)
    _demand_denied(quiet, "s3:GetObject", {**start, "inventory": MANIFEST})
    assert _call(quiet, {"action": "tend"}) == {"backfills": []}

    _demand_denied(quiet, "lambda:InvokeFunction", {**start, "concurrency": 2})
    begun = _newest_backfill(quiet)
    listing = {"action": "list", "backfill": begun.name, "range": "1", "calls_left": 1}
    for action in _LISTING if _IS_LONG else _LISTING[:2]:
        _demand_denied(quiet, action, listing)
    assert "denied" in str(_newest_backfill(quiet).trouble).lower()
    _demand_denied(quiet, "sqs:GetQueueAttributes", {"action": "tend"})

    assert _call(quiet, listing)["end"] == "listed"
    ended = _wait_for_backfill(quiet)
    assert (ended["state"], ended["asked"], ended["done"]) == ("finished", 1, 1)


def _newest_backfill(deployed: DeployedDemo) -> Backfill:
    """What the ledger's table has of it, read without a command, which takes seconds."""
    backfills = DynamoDBBackfills(deployed.emulator.client("dynamodb"), deployed.resources.ledger_table)
    return backfills.board().backfills[-1]


def _demand_denied(deployed: DeployedDemo, action: str, event: dict[str, Any]) -> None:
    """Have the backfill function fail without a grant, and say which one it lacks."""
    with without(deployed, action, _backfill_function(deployed)), pytest.raises(MillraceError) as raised:
        _call(deployed, event)
    said = str(raised.value)
    assert "AccessDenied" in said or "cannot read" in said, f"without {action}: {said}"


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
    return lines(deployed, *words, "--json")
