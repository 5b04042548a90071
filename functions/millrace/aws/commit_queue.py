"""The queue of the committer of Iceberg tables: first in, first out for each table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from millrace.aws.faults import translated
from millrace.aws.sqs_requests import to_attribute
from millrace.mappings import leave_out_empty

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class SQSCommitQueue:
    """Satisfies ``catalog.iceberg.messages.CommitRequests``; no client is made before there is something to send."""

    def __init__(self, client: Callable[[], SQSClient], url: str) -> None:
        self._make_client = client
        self._client: SQSClient | None = None
        self._url = url

    def send(self, body: str, *, group: str, deduplication: str, attributes: Mapping[str, str] | None = None) -> None:
        """One SendMessage, with string attributes; empty ones are left out."""
        if self._client is None:
            self._client = self._make_client()
        said = {name: to_attribute(value) for name, value in leave_out_empty(attributes or {}).items()}
        with translated("sqs:SendMessage to", self._url):
            self._client.send_message(
                QueueUrl=self._url,
                MessageBody=body,
                MessageGroupId=group,
                MessageDeduplicationId=deduplication,
                MessageAttributes=said,
            )
