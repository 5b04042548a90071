"""The dead-letter queue through boto3: look without taking away, and move back by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Self

from millrace.aws.faults import translated
from millrace.errors import MillraceError
from millrace.operations.dead_letters import Letter

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_BATCH = 10
"""Messages of one request (Amazon SQS quotas)."""
_HOLD_SECONDS = 600
_WAIT_SECONDS = 1
_WAITING: Final = "ApproximateNumberOfMessages"


class DeadLetterQueue:
    """A queue whose messages are held while they are looked at; leaving the context lets all go that were not moved."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url
        self._held: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        handles = iter(self._held.values())
        while batch := list(islice(handles, _BATCH)):
            with suppress(MillraceError), translated("sqs:ChangeMessageVisibility on", self._url):
                self._client.change_message_visibility_batch(
                    QueueUrl=self._url,
                    Entries=[
                        {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                        for number, handle in enumerate(batch)
                    ],
                )
        self._held.clear()

    def waiting(self) -> int:
        """About how many messages there are."""
        with translated("sqs:GetQueueAttributes of", self._url):
            answer = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=[_WAITING])
        return int(answer["Attributes"][_WAITING])

    def letters(self) -> Iterator[Letter]:
        """Every message once, in no order; nobody else sees it meanwhile, for at most ten minutes.

        What is sent from the second of the first call on is left out: a message that was moved may be back before the
        last one.
        """
        start = self._read_clock()
        while received := self._receive():
            for message in received:
                if message["MessageId"] in self._held:
                    return
                self._held[message["MessageId"]] = message["ReceiptHandle"]
            for letter in map(_to_letter, received):
                if letter.sent is None or letter.sent <= start:
                    yield letter

    def move(self, letter: Letter, queue_url: str) -> None:
        """Send a letter to a queue, then delete it here: stopped in between it is there twice, and not lost."""
        with translated("sqs:SendMessage to", queue_url):
            self._client.send_message(QueueUrl=queue_url, MessageBody=letter.body)
        with translated("sqs:DeleteMessage on", self._url):
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=self._held.pop(letter.id))

    def _read_clock(self) -> datetime:
        """The beginning of the second that it is by the service's own clock, which stamps the messages."""
        with translated("sqs:GetQueueAttributes of", self._url):
            answer = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=[_WAITING])
        date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        return parsedate_to_datetime(date) if date else datetime.now(UTC)

    def _receive(self) -> list[Any]:
        with translated("sqs:ReceiveMessage on", self._url):
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=_BATCH,
                VisibilityTimeout=_HOLD_SECONDS,
                WaitTimeSeconds=_WAIT_SECONDS,
                MessageSystemAttributeNames=["All"],
            )
        return list(answer.get("Messages", ()))


def _to_letter(message: Any) -> Letter:
    attributes = message.get("Attributes", {})
    sent, source = attributes.get("SentTimestamp"), attributes.get("DeadLetterQueueSourceArn")
    return Letter(
        id=message["MessageId"],
        body=message["Body"],
        sent=datetime.fromtimestamp(int(sent) / 1000, UTC) if sent else None,
        receives=int(attributes.get("ApproximateReceiveCount", 0)),
        queue=source.rpartition(":")[2] if source else None,
    )
