"""Queues through boto3: send requests, and put off messages that must come back later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Final

from millrace.aws.faults import translated
from millrace.errors import ServiceUnavailable
from millrace.objects.messages import Request, compose_message

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

_BATCH = 10
"""Messages of one SendMessageBatch (Amazon SQS quotas)."""
_TRIES = 4
_WAITING: Final = "ApproximateNumberOfMessages"
_LONGEST_DELAY_SECONDS = 43_200
"""The longest visibility timeout (Amazon SQS quotas)."""

_LONGEST_SEND_DELAY_SECONDS = 900
"""The longest delay of a message that is sent (Amazon SQS quotas)."""


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

    def send_again(self, body: str, delay_seconds: int) -> None:
        """Send a message's body as it was received, as a message of its own, to be seen after at most 900 seconds."""
        with translated("sqs:SendMessage to", self._url):
            self._client.send_message(
                QueueUrl=self._url, MessageBody=body, DelaySeconds=min(delay_seconds, _LONGEST_SEND_DELAY_SECONDS)
            )

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
            refused = {failed["Id"] for failed in answer.get("Failed", ())}
            entries = [entry for entry in entries if entry["Id"] in refused]
            if not entries:
                return
        raise ServiceUnavailable(f"{self._url} refused {len(entries)} messages {_TRIES} times; call again")


def _entries(batch: list[Request], delay_seconds: int) -> Iterator[SendMessageBatchRequestEntryTypeDef]:
    for number, request in enumerate(batch):
        yield {"Id": str(number), "MessageBody": compose_message(request), "DelaySeconds": delay_seconds}


class MessageDelay:
    """Puts a received message off, so that it is not seen again before its time."""

    def __init__(self, client: SQSClient) -> None:
        self._client = client
        self._url = lru_cache(maxsize=None)(self._find_url)

    def delay(self, queue_arn: str, receipt_handle: str, seconds: int) -> None:
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
