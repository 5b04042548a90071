"""What the committer gave up: a redrive brings it back, also within the five minutes in which SQS drops repetitions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import boto3
import pytest
from moto import mock_aws

from millrace.aws.commit_queue import SQSCommitQueue
from millrace.aws.dead_letter_queue import DeadLetterQueue
from millrace.aws.sqs_requests import ReceivedMessages
from millrace.catalog.iceberg.committing import CommitReport, Committer
from millrace.catalog.iceberg.expiring import TableExpiry
from millrace.catalog.iceberg.messages import CommitRequest
from millrace.composition.commit import CommitMessage, CommitWorld
from millrace.objects.references import ObjectRef

BODY = CommitRequest("nightly", ObjectRef("acme-in", "in/a.csv")).to_body()


class CommitterThatRefuses:
    """Whatever it is asked for can never be in its table."""

    def commit(self, bodies: Sequence[str], _remaining: Callable[[], float]) -> CommitReport:
        """Refuse all."""
        return CommitReport(refused=dict.fromkeys(range(len(bodies)), "its column is text"))


class RefusedCommits:
    """The committer's queue and what it gives up, on SQS in this process."""

    def __init__(self) -> None:
        self.client: Any = boto3.client("sqs", region_name="us-east-1")
        self.ids: list[tuple[str, str]] = []
        """Queue and id of each message that was sent: moto forgets ids with their messages, and SQS does not."""
        self.client.meta.events.register("before-parameter-build.sqs.SendMessage", self._note)
        attributes: Any = {"FifoQueue": "true"}
        self.queue, self.dead = (
            self.client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
            for name in ("commit.fifo", "dead.fifo")
        )
        self.world = CommitWorld(
            cast("Committer", CommitterThatRefuses()),
            cast("TableExpiry", None),
            SQSCommitQueue(lambda: self.client, self.dead),
            ReceivedMessages(self.client, None),
        )

    def _note(self, params: Any, **_: Any) -> None:
        self.ids.append((params["QueueUrl"], params["MessageDeduplicationId"]))

    def send(self, body: str, *, revision: int) -> None:
        """As a worker tells the committer of an object."""
        SQSCommitQueue(lambda: self.client, self.queue).send(body, group="table-1", deduplication=str(revision))

    def work(self) -> int:
        """Take what is in the queue; how many messages that were."""
        names = ["MessageGroupId"]
        answer = self.client.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10, AttributeNames=names)
        received = answer.get("Messages", [])
        messages = [CommitMessage(m["Body"], m["MessageId"], m["Attributes"]["MessageGroupId"]) for m in received]
        report = self.world.commit(messages, lambda: 900.0)
        assert not report.failed
        for message in received:
            self.client.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return len(received)

    def redrive(self) -> list[str | None]:
        """Move all back; the groups that they go to."""
        groups = []
        with DeadLetterQueue(self.client, self.dead) as box:
            for letter in box.letters():
                groups.append(letter.group)
                box.move(letter, self.queue)
        return groups


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> Iterator[RefusedCommits]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    # All letters are old enough.
    later = datetime.now(UTC) + timedelta(days=1)
    monkeypatch.setattr(DeadLetterQueue, "_read_clock", lambda _: later)
    with mock_aws():
        yield RefusedCommits()


def test_what_is_refused_again_and_again_is_a_dead_letter_each_time(commits: RefusedCommits) -> None:
    commits.send(BODY, revision=7)

    for _ in range(3):
        assert commits.work() == 1
        assert commits.redrive() == ["table-1"]

    assert commits.work() == 1
    assert len(commits.ids) == len(set(commits.ids)) == 8


def test_all_of_one_table_can_be_looked_at_at_once(commits: RefusedCommits) -> None:
    """Of a group SQS shows the first few alone while somebody holds them."""
    for number in range(23):
        commits.send(BODY.replace("a.csv", f"{number}.csv"), revision=number)
    while commits.work():
        pass

    with DeadLetterQueue(commits.client, commits.dead) as box:
        assert len({letter.body for letter in box.letters()}) == 23
    assert len(commits.redrive()) == 23
