"""The ports' implementations: the in-memory one, and the real one on moto."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from millrace.deployment.settings import LEDGER_INDEXES
from tests.aws_models import service_models_are_read_once

__all__ = ["service_models_are_read_once"]

REGION = "us-east-1"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An in-process AWS without a network."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


@pytest.fixture
def s3(aws: None) -> Any:
    """An S3 client with two buckets."""
    client = boto3.client("s3")
    client.create_bucket(Bucket="acme-in")
    client.create_bucket(Bucket="acme-out")
    return client


@pytest.fixture
def dynamodb(aws: None) -> Any:
    """A DynamoDB client with a ledger table as the storage stack makes it."""
    client = boto3.client("dynamodb")
    create_ledger_table(client, "ledger")
    return client


def create_ledger_table(client: Any, name: str) -> None:
    """The ledger's table: one key, two indexes."""
    attributes = ("pk", *(f"{index}_{part}" for index in LEDGER_INDEXES for part in ("pk", "sk")))
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": attribute, "AttributeType": "S"} for attribute in attributes],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": f"{index}_pk", "KeyType": "HASH"},
                    {"AttributeName": f"{index}_sk", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(carried)},
            }
            for index, carried in LEDGER_INDEXES.items()
        ],
    )
