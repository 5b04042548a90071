"""Polytomic's own examples paste in and validate, to the letter; the blank forms, too."""

from __future__ import annotations

import json

from millrace.config.connection import AccessKeys
from millrace.config.document import parse
from millrace.config.layout import Folder, MultiTable
from millrace.config.model import ModelFrom
from millrace.engine.options import FileFormat
from tests.unit.config.builders import document

CONNECTION = """
{
  "name": "S3 connection",
  "type": "s3",
  "configuration": {
    "auth_mode": "access_key_and_secret",
    "aws_access_key_id": "AKIAIOSFODNN7EXAMPLE",
    "aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "csv_has_headers": false,
    "enable_event_notifications": false,
    "is_single_table": false,
    "s3_bucket_name": "s3://polytomic/dataset",
    "s3_bucket_region": "us-east-1"
  }
}
"""
MODEL = """
{
  "configuration": {
    "file_format": "",
    "key": "",
    "model_from": "",
    "skip_lines": 0,
    "subfolder": ""
  }
}
"""
TARGET = """
{
  "target": {
    "configuration": {
      "format": "csv"
    }
  }
}
"""
DESTINATION = """
{
  "destination_configuration": {
    "format": "csv",
    "subfolder": "reports"
  }
}
"""


def test_the_connection() -> None:
    """Nothing has to be changed."""
    (made,) = parse({"connections": [json.loads(CONNECTION)]}).connections

    assert (made.name, made.root, made.region) == ("S3 connection", Folder("polytomic", "dataset"), "us-east-1")
    assert isinstance(made.auth, AccessKeys)
    assert (made.layout, made.notifications, made.has_headers) == (MultiTable(), None, False)


def test_the_model() -> None:
    """A blank form is every file of the connection."""
    (made,) = parse(document(models=[{"name": "m", "connection": "in", **json.loads(MODEL)}])).models

    assert (made.model_from, made.key, made.subfolder) == (ModelFrom.MULTI_FILE_ARCHIVE, None, "")
    assert (made.file_format, made.skip_lines) == (None, 0)


def test_the_target() -> None:
    """With the connection's name, which their interface puts beside it."""
    target = json.loads(TARGET)["target"] | {"connection": "out"}

    (made,) = parse(
        document(
            models=[{"name": "m", "connection": "in"}],
            model_syncs=[{"name": "s", "model": "m", "target": target}],
        )
    ).model_syncs

    assert made.format is FileFormat.CSV


def test_the_destination() -> None:
    """Format and subfolder."""
    sync = {"name": "s", "source_connection": "in", "destination_connection": "out", **json.loads(DESTINATION)}

    (made,) = parse(document(bulk_syncs=[sync])).bulk_syncs

    assert (made.format, made.subfolder) == (FileFormat.CSV, "reports")
