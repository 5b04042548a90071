"""Tables in a table bucket by the genuine clients, on moto, which compares versions and forbids lists and deletions."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders
from moto import mock_aws
from moto.core.botocore_stubber import MockRawResponse
from pyiceberg.catalog.noop import NoopCatalog
from pyiceberg.serializers import FromInputFile
from pyiceberg.table import Table

from millrace.aws.iceberg_io import StoreFileIO
from millrace.aws.iceberg_table_buckets import TableBucketStore
from millrace.aws.inspection import Inspection
from millrace.aws.s3_upload import PART
from millrace.aws.sessions import Sessions
from millrace.catalog.iceberg.tables import IcebergCatalog
from millrace.composition.commit import open_table_buckets
from millrace.operations.doctor import Verdict
from tests.configurations import document
from tests.iceberg_world import DATABASE, ONE_TABLE, IcebergWorld, table_bucket_sync

REGION = "us-east-2"
TABLES = f"arn:aws:s3tables:{REGION}:123456789012:bucket/acme-tables"
PLACE = {"format": "iceberg", "table_bucket": TABLES, "database": DATABASE}
OF_EVERY_REQUEST = {
    "amz-sdk-invocation-id",
    "amz-sdk-request",
    "authorization",
    "expect",
    "host",
    "user-agent",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
}
OF_CHECKED_BODIES = {
    "content-encoding",
    "content-length",
    "content-type",
    "transfer-encoding",
    "x-amz-checksum-crc32",
    "x-amz-decoded-content-length",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-trailer",
}
DOCUMENTED: Mapping[str, set[str]] = {
    "AbortMultipartUpload": set(),
    "CompleteMultipartUpload": {"if-none-match", "content-type", "content-length", *OF_CHECKED_BODIES},
    "CreateMultipartUpload": {"content-type", "content-length", "x-amz-checksum-algorithm"},
    "GetObject": {"range", "if-match", "x-amz-checksum-mode"},
    "HeadObject": {"x-amz-checksum-mode"},
    "PutObject": {"if-none-match", *OF_CHECKED_BODIES},
    "UploadPart": OF_CHECKED_BODIES,
}
"""What they take (Amazon S3 API Reference, "Supported Amazon S3 object-level API operations for S3 Tables")."""


@dataclass
class TableBucketRequests:
    """What was asked of S3, by the operations' names, and how compaction was set."""

    asked: list[str] = field(default_factory=list)
    compaction: list[bytes] = field(default_factory=list)

    def check(self, request: AWSRequest, event_name: str, **_rest: Any) -> None:
        """Refuse what a table bucket would."""
        operation = event_name.rpartition(".")[2]
        self.asked.append(operation)
        unknown = {name.lower() for name in request.headers} - OF_EVERY_REQUEST - DOCUMENTED[operation]
        assert not unknown, f"{operation}: {unknown}"

    def keep(self, request: Any, **_rest: Any) -> AWSResponse:
        """In place of moto, which knows nothing of maintenance."""
        self.compaction.append(request.body)
        return AWSResponse(request.url, 204, HTTPHeaders(), MockRawResponse(b""))


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Iterator[TableBucketRequests]:
    """An in-process AWS with a table bucket."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    found, genuine = TableBucketRequests(), Sessions.client

    def client(self: Sessions, service: str, *, region: str | None = None) -> Any:
        assert region == REGION
        made = genuine(self, service, region=region)
        if service == "s3":
            made.meta.events.register_first("before-send.s3", found.check)
        else:
            made.meta.events.register_first("before-send.s3tables.PutTableMaintenanceConfiguration", found.keep)
        return made

    monkeypatch.setattr(Sessions, "client", client)
    with mock_aws():
        boto3.client("s3tables", region_name=REGION).create_table_bucket(name="acme-tables")
        yield found


@dataclass
class MotoWorld(IcebergWorld):
    """The committer's tables are moto's; its outputs are in memory."""

    sync: dict[str, Any] = field(default_factory=partial(table_bucket_sync, destination_configuration=PLACE))

    def open_catalog(self) -> IcebergCatalog:
        """As the function has it."""
        catalog = open_table_buckets(Sessions(document(self.sync, source=ONE_TABLE)))
        catalog._stores = {"lake": self.world.store}
        return catalog

    def table(self, name: str = "orders") -> Table:
        """As S3 Tables has it."""
        stored = boto3.client("s3tables", region_name=REGION).get_table(
            tableBucketARN=TABLES, namespace=DATABASE, name=name
        )
        io = StoreFileIO(TableBucketStore(boto3.client("s3", region_name=REGION)))
        metadata = FromInputFile.table_metadata(io.new_input(stored["metadataLocation"]))
        return Table((DATABASE, name), metadata, stored["metadataLocation"], io, NoopCatalog("tests"))


def test_a_table_is_made_overwritten_and_emptied(requests: TableBucketRequests) -> None:
    world = MotoWorld()
    assert world.take("a.csv", "id\n1\n").failed == {}
    world.take("b.csv", "id\n2\n")
    world.take("a.csv", "id\n3\n")
    assert world.rows() == [{"id": 2}, {"id": 3}]
    world.remove("a.csv")
    world.commit()

    assert world.rows() == [{"id": 2}]
    assert requests.compaction == [b'{"value": {"status": "disabled"}}']
    assert set(requests.asked) == {"GetObject", "HeadObject", "PutObject"}


def test_of_two_commits_on_one_version_the_second_loses(requests: TableBucketRequests) -> None:
    world = MotoWorld()
    world.take("a.csv", "id\n1\n")
    first, second = world.make_committer(), world.make_committer()
    genuine = first.catalog.load
    bodies = []
    for name in ("b.csv", "c.csv"):
        world.convert(name, f"id\n{ord(name[0])}\n")
        bodies.append([world.letters.bodies.pop()])

    def load(place: Any) -> Any:
        table = genuine(place)
        if bodies:
            assert second.commit(bodies.pop(), lambda: 900.0).commits == 1
        return table

    asked = bodies.pop(0)
    first.catalog.load = load  # type: ignore[method-assign]  # what happens in between
    report = first.commit(asked, lambda: 900.0)

    assert (report.conflicts, report.commits) == (1, 1)
    assert world.rows() == [{"id": 1}, {"id": 98}, {"id": 99}]
    assert requests.compaction


def test_a_large_file_is_sent_in_parts(requests: TableBucketRequests) -> None:
    """Of random texts, which no encoding makes small."""
    place = {**PLACE, "compression": "none"}
    world = MotoWorld(sync=table_bucket_sync(destination_configuration=place))
    chance, count = random.Random(7), 90
    texts = [chance.randbytes(PART // 160).hex() for _ in range(count)]
    report = world.take("a.csv", "\n".join(["text", *texts]))

    assert (report.failed, report.files) == ({}, 1)
    assert requests.asked.count("UploadPart") == 2
    assert sorted(row["text"] for row in world.rows()) == sorted(texts)


@pytest.mark.parametrize(
    ("name", "verdict", "text"),
    [
        ("acme-tables", Verdict.OK, "table bucket 'acme-tables' is there"),
        ("elsewhere", Verdict.TROUBLE, "there is no table bucket arn:"),
    ],
)
def test_doctor_looks_for_the_table_bucket(
    requests: TableBucketRequests, name: str, verdict: Verdict, text: str
) -> None:
    arn = TABLES.replace("acme-tables", name)
    place = {**PLACE, "table_bucket": arn}
    whole = document(table_bucket_sync(destination_configuration=place), source=ONE_TABLE)
    deployed: Any = None
    inspection = Inspection(deployed=deployed, document=whole, sessions=Sessions(whole), client=lambda _service: None)
    (check,) = inspection.check_table_buckets()

    assert check.verdict is verdict
    assert check.text.startswith(text)
    assert not requests.asked
