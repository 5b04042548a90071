"""A listing shows whether an archived object can be read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from millrace.aws.s3_objects import S3ObjectStore

MODIFIED = datetime(2026, 11, 28, tzinfo=UTC)
RESTORED = {"IsRestoreInProgress": False, "RestoreExpiryDate": MODIFIED}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("said", "is_readable"),
    [
        ({}, True),
        ({"StorageClass": "GLACIER_IR"}, True),
        ({"StorageClass": "GLACIER"}, False),
        ({"StorageClass": "DEEP_ARCHIVE", "RestoreStatus": {"IsRestoreInProgress": True}}, False),
        ({"StorageClass": "GLACIER", "RestoreStatus": RESTORED}, True),
        ({"StorageClass": "INTELLIGENT_TIERING"}, False),
    ],
)
def test_an_archived_object_that_can_be_read_is_shown(said: dict[str, Any], *, is_readable: bool) -> None:
    client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    item = {"Key": "in/a.csv", "ETag": '"e"', "Size": 3, "LastModified": MODIFIED, **said}
    asked = {"Bucket": "acme-in", "Prefix": "in/", "StartAfter": "", "OptionalObjectAttributes": ["RestoreStatus"]}

    with Stubber(client) as stubber:
        stubber.add_response("list_objects_v2", {"IsTruncated": False, "Contents": [item]}, asked)
        (listed,) = S3ObjectStore(client).list("acme-in", "in/")

    assert listed.is_readable is is_readable
