"""Events of the deployed functions reach a receiver, signed, by rule, queue and sender, where policies decide."""

from __future__ import annotations

import json
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from millrace.aws.deployed import Deployed as Found
from millrace.aws.deployed import invoke
from millrace.demo.deployed import DeployedDemo
from tests.e2e.commands import lines, run
from tests.e2e.places import in_folder
from tests.receivers import GotRequest, Receiver

pytestmark = pytest.mark.e2e

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(scope="module")
def hooked(enforced: DeployedDemo) -> DeployedDemo:
    """With the secret that a person makes."""
    enforced.emulator.client("secretsmanager").create_secret(Name="e2e/hook", SecretString=SECRET)
    return enforced


def verify(request: GotRequest) -> dict[str, Any]:
    """What a receiver reads, once the signature is checked."""
    payload: dict[str, Any] = Webhook(SECRET).verify(request.body.decode(), request.headers)
    return payload


def put(deployed: DeployedDemo, name: str, content: bytes) -> str:
    """Upload an object of the sync that tells of everything; its key."""
    ref = in_folder(deployed, "told", name)
    deployed.upload(ref, content)
    return ref.key


def test_each_object_is_told_to_a_receiver_that_is_down_at_first(hooked: DeployedDemo, receiver: Receiver) -> None:
    """It answers 500, and takes the same event some seconds later."""
    receiver.answers["/hook"] = [500]
    key = put(hooked, "good.csv", b"id,name\n1,Ada\n")

    hooked.wait_until(lambda: len(receiver.got) > 1, seconds=120, what="the second try of an event")

    first, second = receiver.got[:2]
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    told = verify(second)
    assert (told["type"], told["data"]["sync"], told["data"]["object"]["key"]) == ("object.converted", "e2e told", key)
    assert told["data"]["rows"]["written"] == 1


def test_a_failure_says_what_to_do(hooked: DeployedDemo, receiver: Receiver) -> None:
    key = put(hooked, "bad.csv", b"id,name\n1\n2,Ada,too many\n")

    hooked.wait_until(lambda: _find(receiver, key) is not None, seconds=120, what="the event of a failure")

    told = _find(receiver, key)
    assert told is not None
    assert told["type"] == "object.failed"
    assert told["data"]["error"]["branch"] == "data"
    assert told["data"]["repair"] == f"millrace reprocess --name=millrace 'e2e told' --key={key}"


def test_a_receiver_that_is_gone_gets_nothing_until_it_takes_a_test(hooked: DeployedDemo, receiver: Receiver) -> None:
    receiver.answers["/hook"] = [410]
    gone = put(hooked, "gone.csv", b"id\n1\n")
    hooked.wait_until(lambda: _find(receiver, gone) is not None, seconds=120, what="an answer of 410")
    hooked.wait_until(lambda: _is_off(hooked), seconds=30, what="the webhook to be off")
    late = put(hooked, "late.csv", b"id\n1\n")
    hooked.wait_until_idle(seconds=60)

    (tested,) = lines(hooked, "webhooks", "test", "hook", "--json")
    assert (tested["taken"], tested["status"]) == (True, 200)
    assert verify(receiver.got[-1])["type"] == "webhook.test"
    assert not _is_off(hooked)
    assert _find(receiver, late) is None
    assert run(hooked, "webhooks", "test", "no such hook").returncode != 0


def test_the_end_of_a_reprocess_is_told_once_its_object_is_settled(hooked: DeployedDemo, receiver: Receiver) -> None:
    """The schedule comes every five minutes: here somebody calls what it calls."""
    key = put(hooked, "again.csv", b"id\n1\n")
    (answer,) = lines(hooked, "reprocess", "e2e told", "--key", key, "--json")
    assert "untold" not in answer

    hooked.wait_until(lambda: _find_end(hooked, receiver, answer["run_id"]), seconds=120, what="the end of a reprocess")

    told = [verify(request) for request in receiver.got]
    runs = [each["data"] for each in told if each["data"].get("run") == answer["run_id"] and "counts" in each["data"]]
    by_name = {each["type"]: each["data"]["counts"] for each in told if each["data"] in runs}
    assert by_name == {
        "run.started": {"asked": 1},
        "run.completed": {"asked": 1, "done": 1, "failed": 0, "waiting": 0, "open": 0},
    }


def _find_end(deployed: DeployedDemo, receiver: Receiver, run_id: str) -> bool:
    functions = deployed.emulator.client("lambda")
    function = Found.find(deployed.emulator.client("cloudformation"), "millrace").backfill_function
    invoke(functions, str(function), {"action": "tend"})
    bodies = [json.loads(request.body) for request in receiver.got]
    return any(body["type"] == "run.completed" and body["data"]["run"] == run_id for body in bodies)


def _is_off(deployed: DeployedDemo) -> bool:
    (listed,) = lines(deployed, "webhooks", "list", "--json")
    return listed["off_since"] is not None


def _find(receiver: Receiver, key: str) -> dict[str, Any] | None:
    """What was told of a key last."""
    for request in reversed(receiver.got):
        if json.loads(request.body)["data"].get("object", {}).get("key") == key:
            return verify(request)
    return None
