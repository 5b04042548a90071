"""The deployed functions' surroundings on moto: buckets, ledger, queue, configuration and environment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.session import Session
from moto import mock_aws

from millrace.aws.dynamodb_ledger import DynamoDBLedger
from millrace.config.document import Document
from millrace.deployment.settings import Settings
from millrace.ledger.entries import Entry
from millrace.objects.references import ObjectRef
from tests.aws_models import service_models_are_read_once
from tests.configurations import bulk_sync, document
from tests.contract.conftest import create_ledger_table

__all__ = ["service_models_are_read_once"]
REGION = "us-east-1"


@dataclass
class LambdaContext:
    """What a handler asks of Lambda's context."""

    function_name: str = "convert"
    memory_limit_in_mb: int = 1769
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:convert"
    aws_request_id: str = "52fdfc07-2182-154f-163f-5f0f9a621d72"
    milliseconds: list[int] = field(default_factory=lambda: [900_000])

    def get_remaining_time_in_millis(self) -> int:
        """The next of what is told, then the last for ever."""
        return self.milliseconds.pop(0) if len(self.milliseconds) > 1 else self.milliseconds[0]


@dataclass
class FakeSurroundings:
    """A deployment without its functions."""

    s3: Any
    sqs: Any
    queue: str
    ledger: DynamoDBLedger
    dead_letters: str
    configuration: Path
    sequence: int = 0

    def deploy(self, document: Document) -> None:
        """Another configuration; what is invoked from now on works by it."""
        self.configuration.write_text(document.to_json())
        _forget_worlds()

    def upload(self, key: str, data: bytes) -> dict[str, Any]:
        """Put an object; the record that S3 sends of it."""
        self.sequence += 1
        answer = self.s3.put_object(Bucket="acme-in", Key=key, Body=data)
        return s3_record(key, sequencer=f"{self.sequence:016X}", etag=answer["ETag"].strip('"'), size=len(data))

    def output(self, key: str) -> bytes:
        """An output's bytes."""
        body: bytes = self.s3.get_object(Bucket="acme-out", Key=key)["Body"].read()
        return body

    def outputs(self) -> list[str]:
        """All keys of the target bucket."""
        return [found["Key"] for found in self.s3.list_objects_v2(Bucket="acme-out").get("Contents", ())]

    def entry(self, key: str, sync: str = "nightly") -> Entry | None:
        """The ledger's entry of an object."""
        return self.ledger.get(sync, ObjectRef("acme-in", key))

    def letters(self) -> list[dict[str, Any]]:
        """The dead letters, with their attributes."""
        answer = self.sqs.receive_message(
            QueueUrl=self.dead_letters, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return list(answer.get("Messages", ()))

    def deliver(self, *bodies: Any) -> dict[str, Any]:
        """Messages as Lambda hands them over, really received from the queue."""
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.queue, MessageBody=body if isinstance(body, str) else json.dumps(body))
        return self.deliver_waiting(len(bodies))

    def deliver_waiting(self, count: int = 1) -> dict[str, Any]:
        """What stands in the queue already, ``count`` messages of it."""
        records: list[dict[str, Any]] = []
        while len(records) < count:
            answer = self.sqs.receive_message(
                QueueUrl=self.queue, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
            )
            records += map(_record, answer["Messages"])
        return {"Records": records}


def _record(message: dict[str, Any]) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:landing",
        "awsRegion": REGION,
    }


def s3_record(key: str, *, sequencer: str = "01", etag: str = "e", size: int = 1) -> dict[str, Any]:
    """A record of an S3 event notification."""
    from urllib.parse import quote_plus  # noqa: PLC0415 - used here alone

    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "bucket": {"name": "acme-in"},
            "object": {"key": quote_plus(key), "sequencer": sequencer, "eTag": etag, "size": size},
        },
    }


@pytest.fixture
def configuration() -> Document:
    """One sync to newline-delimited JSON; a test may have another."""
    return document(bulk_sync(to="json"))


@pytest.fixture
def around(configuration: Document, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeSurroundings]:
    """The surroundings, with the handlers' caches emptied."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    path = tmp_path / "configuration.json"
    path.write_text(configuration.to_json())
    with mock_aws():
        s3, sqs, dynamodb = boto3.client("s3"), boto3.client("sqs"), boto3.client("dynamodb")
        s3.create_bucket(Bucket="acme-in")
        s3.create_bucket(Bucket="acme-out")
        create_ledger_table(dynamodb, "ledger")
        queue = sqs.create_queue(QueueName="landing", Attributes={"VisibilityTimeout": "5400"})["QueueUrl"]
        dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
        settings = Settings(ledger_table="ledger", queues={"landing": queue}, timeout_seconds=900, dead_letters=dead)
        for name, value in settings.to_environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("MILLRACE_CONFIGURATION", str(path))
        _forget_worlds()
        yield FakeSurroundings(s3, sqs, queue, DynamoDBLedger(dynamodb, "ledger"), dead, path)
        _forget_worlds()


def _forget_worlds() -> None:
    import convert.handler  # noqa: PLC0415 - Powertools reads the environment at import
    import reconcile.handler  # noqa: PLC0415 - as above
    import reprocess.handler  # noqa: PLC0415 - as above

    convert.handler.world.cache_clear()
    reconcile.handler.world.cache_clear()
    reprocess.handler.world.cache_clear()


@pytest.fixture
def made_clients(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The services that clients are made of from now on."""
    services: list[str] = []
    create = Session.create_client

    def create_noted(session: Session, service: str, **options: Any) -> Any:
        services.append(service)
        return create(session, service, **options)

    monkeypatch.setattr(Session, "create_client", create_noted)
    return services
