"""The webhook function as Lambda calls it, on moto, with a receiver on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from standardwebhooks.webhooks import Webhook

import webhook.handler
from millrace.config.document import Document, parse
from millrace.notices.sending import MOST_TRIES
from tests.configurations import bulk_sync, connection
from tests.integration.conftest import FakeSurroundings, LambdaContext
from tests.receivers import Receiver, receiving
from tests.unit.notices.test_webhooks import DETAIL, NEW

QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:hooks"
EVENT = json.dumps({"source": "millrace", "detail-type": "Millrace Object Failed", "detail": DETAIL})


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def configuration(receiver: Receiver) -> Document:
    """As the emulator may have it."""
    receiver.got.clear()
    return parse(
        {
            "connections": [connection("landing", "s3://acme-in/in"), connection("lake", "s3://acme-out/lake")],
            "bulk_syncs": [bulk_sync()],
            "webhooks": [{"name": "ops", "url": f"{receiver.url}/hook", "secret": "millrace/hook"}],
        }
    )


class Hooks:
    """The queue of the webhook."""

    def __init__(self) -> None:
        self.sqs = boto3.client("sqs")
        self.url = self.sqs.create_queue(QueueName="hooks")["QueueUrl"]
        boto3.client("secretsmanager").create_secret(Name="millrace/hook", SecretString=NEW)

    def deliver(self, body: str = EVENT, *, tries: int = 1) -> list[str]:
        """Hand a message over that was received so often; the ids of those that come back."""
        self.sqs.send_message(QueueUrl=self.url, MessageBody=body)
        (message,) = self.sqs.receive_message(QueueUrl=self.url, AttributeNames=["All"])["Messages"]
        record = {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"] | {"ApproximateReceiveCount": str(tries)},
            "eventSourceARN": QUEUE_ARN,
        }
        answer = webhook.handler.handle({"Records": [record]}, LambdaContext())
        return [failed["itemIdentifier"] for failed in answer["batchItemFailures"]]


@pytest.fixture
def hooks(around: FakeSurroundings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hooks]:
    """With an empty queue, and the handler's world made anew."""
    found = Hooks()
    monkeypatch.setenv("MILLRACE_WEBHOOK_QUEUES", json.dumps({"ops": found.url}))
    webhook.handler.world.cache_clear()
    yield found
    webhook.handler.world.cache_clear()


def letters(around: FakeSurroundings) -> list[Any]:
    """What lies in the dead-letter queue."""
    answer = boto3.client("sqs").receive_message(QueueUrl=around.dead_letters, MessageAttributeNames=["All"])
    return list(answer.get("Messages", ()))


def test_an_event_is_sent_and_signed(hooks: Hooks, receiver: Receiver) -> None:
    assert hooks.deliver() == []

    (got,) = receiver.got
    assert Webhook(NEW).verify(got.body.decode(), got.headers)["data"] == DETAIL


def test_what_is_not_taken_comes_back_and_is_a_dead_letter_in_the_end(
    hooks: Hooks, receiver: Receiver, around: FakeSurroundings
) -> None:
    receiver.answers["/hook"] = [500, 500]

    assert len(hooks.deliver()) == 1
    assert hooks.deliver(tries=MOST_TRIES) == []

    (letter,) = letters(around)
    said = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert (said["error"], said["queue"]) == ("WebhookFailed", "hooks")
    assert "answered 500" in said["reason"]
    assert letter["Body"] == EVENT


def test_who_is_gone_gets_nothing_more_until_it_takes_a_test(hooks: Hooks, receiver: Receiver) -> None:
    receiver.answers["/hook"] = [410]
    assert hooks.deliver() == hooks.deliver() == []
    assert len(receiver.got) == 1
    (listed,) = webhook.handler.handle({"list": True}, LambdaContext())["webhooks"]
    assert listed["off_since"] is not None

    assert webhook.handler.handle({"test": "ops"}, LambdaContext())["taken"] is True

    assert hooks.deliver() == []
    assert len(receiver.got) == 3


def test_what_is_no_event_of_ours_is_a_dead_letter_at_once(
    hooks: Hooks, receiver: Receiver, around: FakeSurroundings
) -> None:
    assert hooks.deliver('{"hello": "world"}') == []

    assert len(letters(around)) == 1
    assert receiver.got == []


def test_without_a_secret_it_is_tried_again_and_the_log_says_why(
    hooks: Hooks, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    boto3.client("secretsmanager").delete_secret(SecretId="millrace/hook", ForceDeleteWithoutRecovery=True)

    assert len(hooks.deliver()) == 1

    assert any("millrace/hook" in getattr(record, "reason", "") for record in caplog.records)
    assert receiver.got == []
