"""Queues through boto3: send requests, and say what becomes of received messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Final

from millrace.aws.faults import translated
from millrace.errors import ServiceUnavailable
from millrace.mappings import leave_out_empty
from millrace.objects.messages import Request, compose_message

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef, SendMessageBatchRequestEntryTypeDef

_BATCH = 10
"""Messages of one SendMessageBatch (Amazon SQS quotas)."""
_TRIES = 4
_WAITING: Final = "ApproximateNumberOfMessages"
_LONGEST_DELAY_SECONDS = 43_200 - 900
"""The longest that a message is put off. SQS counts its 12 hours from the receipt (Amazon SQS Developer Guide, "Amazon
SQS visibility timeout"), and an invocation that asks for it has had the message for at most 15 minutes."""
_NOT_FOR_ATTRIBUTES = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ud800-\\udfff\\ufffe\\uffff]")
"""What a string attribute may not hold: XML 1.0 has no such characters (SendMessage in the Amazon SQS API Reference).
For example a null byte becomes U+FFFD; the body has the key as S3 sent it."""


class SQSRequests:
    """Satisfies ``objects.queue.RequestQueue`` and ``operations.reconcile.ReconcileQueue``."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, requests: Iterable[Request], *, delay_seconds: int = 0) -> int:
        """Send all requests, ten at a time; the number sent. What SQS refused of a batch is sent again."""
        sent, remaining = 0, iter(requests)
        while batch := list(islice(remaining, _BATCH)):
            self._send(batch, delay_seconds)
            sent += len(batch)
        return sent

    def waiting(self) -> int:
        """What SQS says: approximate, and without the messages that somebody works on or that are put off."""
        with translated("sqs:GetQueueAttributes of", self._url):
            answer = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=[_WAITING])
        return int(answer["Attributes"][_WAITING])

    def _send(self, batch: list[Request], delay_seconds: int) -> None:
        entries = list(_entries(batch, delay_seconds))
        for _ in range(_TRIES):
            with translated("sqs:SendMessage to", self._url):
                answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            # SQS answers 200 though it refused some of the messages: they are listed in the answer.
            refused = {failed["Id"] for failed in answer.get("Failed", ())}
            entries = [entry for entry in entries if entry["Id"] in refused]
            if not entries:
                return
        raise ServiceUnavailable(f"{self._url} refused {len(entries)} messages {_TRIES} times; call again")


def _entries(batch: list[Request], delay_seconds: int) -> Iterator[SendMessageBatchRequestEntryTypeDef]:
    for number, request in enumerate(batch):
        yield {"Id": str(number), "MessageBody": compose_message(request), "DelaySeconds": delay_seconds}


class ReceivedMessages:
    """Puts received messages off, deletes them, and sends their bodies to the dead-letter queue."""

    def __init__(self, client: SQSClient, dead_letters: str | None) -> None:
        self._client = client
        self._dead_letters = dead_letters
        self._url = lru_cache(maxsize=None)(self._find_url)

    def delete(self, queue_arn: str, receipt_handle: str) -> None:
        """Delete the message that was received under that handle; SQS answers the same if it is gone already."""
        with translated("sqs:DeleteMessage on", queue_arn):
            self._client.delete_message(QueueUrl=self._url(queue_arn), ReceiptHandle=receipt_handle)

    def bury(self, body: str, attributes: Mapping[str, str]) -> None:
        """Send a body to the dead-letter queue, with string attributes that say why; empty ones are left out.

        Raises: ServiceUnavailable if the deployment has no such queue: then the message comes back.
        """
        if self._dead_letters is None:
            raise ServiceUnavailable("MILLRACE_DEAD_LETTERS is not set; deploy both stacks")
        with translated("sqs:SendMessage to", self._dead_letters):
            self._client.send_message(
                QueueUrl=self._dead_letters,
                MessageBody=body,
                MessageAttributes={name: to_attribute(value) for name, value in leave_out_empty(attributes).items()},
            )

    def put_off(self, queue_arn: str, receipt_handle: str, seconds: int) -> None:
        """Make the message visible again in ``seconds`` (at most 12 hours)."""
        with translated("sqs:ChangeMessageVisibility on", queue_arn):
            self._client.change_message_visibility(
                QueueUrl=self._url(queue_arn),
                ReceiptHandle=receipt_handle,
                VisibilityTimeout=min(seconds, _LONGEST_DELAY_SECONDS),
            )

    def _find_url(self, queue_arn: str) -> str:
        account, name = queue_arn.split(":")[4:6]
        return self._client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]


def to_attribute(value: str) -> MessageAttributeValueTypeDef:
    """A message's attribute of text; characters that SQS refuses become U+FFFD."""
    return {"DataType": "String", "StringValue": _NOT_FOR_ATTRIBUTES.sub("\ufffd", value)}
