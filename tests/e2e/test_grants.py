"""Least privilege is needed and enough: with IAM enforced the main way works, and without any one grant it does not."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import botocore.exceptions
import pytest

from millrace.demo.deployed import DeployedDemo, Task
from millrace.ledger.entries import Branch, Entry, State
from tests.e2e.denials import without
from tests.e2e.places import in_folder, task_of

pytestmark = pytest.mark.e2e

BACKOFF_SECONDS = 30


def test_missing_grant_fails_as_configuration_and_loses_nothing(enforced: DeployedDemo) -> None:
    """The entry says what is denied, the message stays in the queue, and with the grant given back it is converted."""
    url = enforced.resources.queues["e2e source"]
    refused: dict[Task, Entry] = {}
    for number, action in enumerate(("s3:PutObject", "s3:GetObject"), start=1):
        task = task_of(enforced, "e2e csv", in_folder(enforced, "in", f"without {action.partition(':')[2]}.csv"))

        with without(enforced, action):
            enforced.upload(task.source, b"id,name\n007,Ada\n")
            refused |= enforced.wait([task], seconds=30)
            kept = enforced.messages(url)

        entry = refused[task]
        assert entry.failure is not None
        assert (entry.failure.branch, entry.failure.error) == (Branch.CONFIGURATION, "AccessDenied")
        assert (entry.state, entry.outputs) == (State.FAILED, ())
        assert kept == number

    seconds = BACKOFF_SECONDS + 30
    mended = enforced.wait(refused, seconds=seconds, until=lambda entry: entry.state is State.CONVERTED)
    assert all(mended[task].attempts > refused[task].attempts for task in refused)
    enforced.wait_until_idle(seconds=30)


def test_plain_http_is_refused(enforced: DeployedDemo) -> None:
    """Who may do everything is still refused where the connection is not encrypted."""
    source, queue = enforced.folders()[0].bucket, next(iter(enforced.resources.queues.values()))
    emulator = enforced.emulator
    with _administrator(enforced) as keys:
        over_tls = emulator.client("s3", **keys)
        over_http = emulator.client("s3", endpoint_url=emulator.plain_url, verify=None, **keys)
        queues_over_http = emulator.client("sqs", endpoint_url=emulator.plain_url, verify=None, **keys)

        assert over_tls.list_objects_v2(Bucket=source)["KeyCount"] >= 0
        with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
            over_http.list_objects_v2(Bucket=source)
        with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
            queues_over_http.send_message(QueueUrl=queue, MessageBody="{}")


def test_caller_without_credentials_is_refused(enforced: DeployedDemo) -> None:
    """Nothing is public."""
    stranger = enforced.emulator.client("s3", aws_access_key_id="AKIAIOSFODNN7EXAMPLE", aws_secret_access_key="x")
    with pytest.raises(botocore.exceptions.ClientError, match=r"InvalidAccessKeyId|AccessDenied|Unrecognized"):
        stranger.list_objects_v2(Bucket=enforced.folders()[0].bucket)


@contextlib.contextmanager
def _administrator(deployed: DeployedDemo) -> Iterator[dict[str, str]]:
    """The keys of a user who may do everything. The root user would not do: the emulator asks no policy about it."""
    iam = deployed.emulator.client("iam")
    iam.create_user(UserName="admin")
    everything = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    iam.put_user_policy(UserName="admin", PolicyName="all", PolicyDocument=json.dumps(everything))
    made = iam.create_access_key(UserName="admin")["AccessKey"]
    yield {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}
    iam.delete_access_key(UserName="admin", AccessKeyId=made["AccessKeyId"])
    iam.delete_user_policy(UserName="admin", PolicyName="all")
    iam.delete_user(UserName="admin")
