"""The dead-letter queue through boto3: look without taking away, and move back by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Self

from millrace.aws.faults import translated
from millrace.errors import MillraceError
from millrace.mappings import pick
from millrace.operations.dead_letters import GROUNDS, Letter
from millrace.operations.queue_facts import name_of_queue

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_BATCH = 10
"""Messages of one request (Amazon SQS quotas)."""
_HOLD_SECONDS = 600
"""So long a letter that is looked at is hidden: who leaves without a word holds it no longer."""
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
        come yet, so only receipts without a new one end the look. Of a group of a queue that keeps an order the first
        few are seen: SQS shows no others while these are held.
        """
        start = self._read_clock()
        seen: set[str] = set()
        receipts_without_new = 0
        while receipts_without_new < _LAST_RECEIPTS and (received := self._receive()):
            receipts_without_new += 1
            for message in received:
                # The newest handle of a message is the one that SQS takes.
                self._held[message["MessageId"]] = message["ReceiptHandle"]
                if message["MessageId"] in seen:
                    continue
                receipts_without_new = 0
                seen.add(message["MessageId"])
                letter = _to_letter(message, self.name)
                if not _is_sent_after(letter, start):
                    yield letter

    def move(self, letter: Letter, queue_url: str) -> None:
        """Send a letter to a queue, then delete it here: stopped in between it is there twice, and not lost."""
        order: Mapping[str, Any] = {}
        if queue_url.endswith(".fifo"):
            # By the letter's own id: for five minutes SQS drops what has the id of another message, and the one that
            # the letter was made of may have been sent a minute ago.
            order = {"MessageGroupId": letter.group or letter.id, "MessageDeduplicationId": f"redrive-{letter.id}"}
        with translated("sqs:SendMessage to", queue_url):
            self._client.send_message(QueueUrl=queue_url, MessageBody=letter.body, **order)
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


def _is_sent_after(letter: Letter, start: datetime) -> bool:
    return letter.sent is not None and letter.sent > start


def _to_letter(message: Any, box: str) -> Letter:
    """A message as SQS gives it; times are in milliseconds since 1970."""
    attributes = message.get("Attributes", {})
    sent: datetime | None = None
    if "SentTimestamp" in attributes:
        sent = datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC)
    said = {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}
    queue: str | None = said.get("queue")
    if not queue and "DeadLetterQueueSourceArn" in attributes:
        # The function says why it gave a message up; of one that SQS moved by itself only the queue is known.
        queue = name_of_queue(attributes["DeadLetterQueueSourceArn"])
    return Letter(
        id=message["MessageId"],
        body=message["Body"],
        box=box,
        sent=sent,
        receives=int(attributes.get("ApproximateReceiveCount", 0)),
        queue=queue,
        # Of a message that the committer gave up the group is its own, so that each can be looked at.
        group=said.get("group") or attributes.get("MessageGroupId"),
        grounds=pick(said, *GROUNDS),
    )
