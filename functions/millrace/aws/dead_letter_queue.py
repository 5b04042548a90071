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
from millrace.operations.dead_letters import GROUNDS, Letter
from millrace.operations.queue_facts import name_of_queue

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_BATCH = 10
"""Messages of one request (Amazon SQS quotas)."""
_HOLD_SECONDS = 600
_LAST_RECEIPTS = 5
"""So many receipts in a row without a message that was not seen yet end a look."""
_WAIT_SECONDS = 1
_WAITING: Final = "ApproximateNumberOfMessages"


class DeadLetterQueue:
    """A queue whose messages are held while they are looked at; leaving the context lets all go that were not moved."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url
        self._held: dict[str, str] = {}

    @property
    def name(self) -> str:
        """The queue's."""
        return name_of_queue(self._url)

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
        last one. SQS delivers at least once: a message that comes a second time says nothing about those that did not
        come yet, so only receipts without a new one end the look.
        """
        start = self._read_clock()
        seen: set[str] = set()
        receipts_without_new = 0
        while receipts_without_new < _LAST_RECEIPTS and (received := self._receive()):
            new = [message for message in received if message["MessageId"] not in seen]
            receipts_without_new = 0 if new else receipts_without_new + 1
            seen.update(message["MessageId"] for message in new)
            # The newest handle of a message is the one that SQS takes.
            self._held |= {message["MessageId"]: message["ReceiptHandle"] for message in received}
            for letter in map(self._to_letter, new):
                if letter.sent is None or letter.sent <= start:
                    yield letter

    def move(self, letter: Letter, queue_url: str) -> None:
        """Send a letter to a queue, then delete it here: stopped in between it is there twice, and not lost."""
        with translated("sqs:SendMessage to", queue_url):
            self._client.send_message(QueueUrl=queue_url, MessageBody=letter.body)
        self.discard(letter)

    def discard(self, letter: Letter) -> None:
        """Delete a letter: nobody tries again what it names."""
        with translated("sqs:DeleteMessage on", self._url):
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=self._held[letter.id])
        del self._held[letter.id]

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
                MessageAttributeNames=["All"],
            )
        return list(answer.get("Messages", ()))

    def _to_letter(self, message: Any) -> Letter:
        attributes = message.get("Attributes", {})
        # The function says why it gave a message up; of one that SQS moved by itself only the queue is known.
        said = {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}
        sent, source = attributes.get("SentTimestamp"), attributes.get("DeadLetterQueueSourceArn")
        return Letter(
            id=message["MessageId"],
            body=message["Body"],
            box=self.name,
            sent=datetime.fromtimestamp(int(sent) / 1000, UTC) if sent else None,
            receives=int(attributes.get("ApproximateReceiveCount", 0)),
            queue=said.get("queue") or (name_of_queue(source) if source else None),
            grounds={name: said[name] for name in GROUNDS if name in said},
        )
