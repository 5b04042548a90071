"""`millrace explain` and `millrace convert` read objects, too."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from millrace.cli.command_line import app
from tests.places import EXAMPLES

STORES = EXAMPLES / "data" / "shop" / "stores.parquet"
OBJECTS = {
    "a/orders.csv.gz": gzip.compress(b"zip\n00501\n"),
    "a/events.jsonl": b'{"n": 1}\n{"n": 2.5}\n',
    "a/stores.parquet": STORES.read_bytes(),
}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="acme-in")
        for key, data in OBJECTS.items():
            client.put_object(Bucket="acme-in", Key=key, Body=data)
        yield client


@pytest.mark.parametrize(
    ("key", "types"),
    [
        ("a/orders.csv.gz", ["text"]),
        ("a/events.jsonl", ["float64"]),
        ("a/stores.parquet", ["text", "text", "date", "timestamp(us, UTC)"]),
    ],
)
def test_an_object_is_explained(s3: Any, key: str, types: list[str]) -> None:
    ran = CliRunner().invoke(app, ["explain", f"s3://acme-in/{key}", "--json"])

    assert ran.exit_code == 0, ran.output
    document = json.loads(ran.stdout)
    assert document["bytes"] == len(OBJECTS[key])
    assert [column["type"] for column in document["columns"]][:4] == types
    assert {found["Key"] for found in s3.list_objects_v2(Bucket="acme-in")["Contents"]} == set(OBJECTS)


@pytest.mark.parametrize("key", OBJECTS)
def test_and_converted(s3: Any, key: str, tmp_path: Path) -> None:  # the objects are there
    ran = CliRunner().invoke(app, ["convert", f"s3://acme-in/{key}", str(tmp_path / "out.jsonl")])

    assert ran.exit_code == 0, ran.output
    assert (tmp_path / "out.jsonl").read_text().startswith("{")
