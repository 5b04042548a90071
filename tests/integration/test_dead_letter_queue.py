"""The dead-letter queue: looking takes nothing away, moving loses nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from millrace.aws.dead_letter_queue import DeadLetterQueue
from millrace.operations.dead_letters import Letter

LETTERS = 23


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of an account with two queues, whose messages are all old enough."""
    later = datetime.now(UTC) + timedelta(days=1)
    monkeypatch.setattr(DeadLetterQueue, "_read_clock", lambda _: later)
    with mock_aws():
        client = boto3.client("sqs", region_name="us-east-1")
        for name in ("dead", "landing"):
            client.create_queue(QueueName=name)
        for number in range(LETTERS):
            client.send_message(QueueUrl=_url(client, "dead"), MessageBody=f"letter {number}")
        yield client


def _url(client: Any, name: str) -> str:
    return str(client.get_queue_url(QueueName=name)["QueueUrl"])


def _look(client: Any) -> list[Letter]:
    with DeadLetterQueue(client, _url(client, "dead")) as queue:
        return list(queue.letters())


def test_looking_shows_each_once_and_leaves_all(sqs: Any) -> None:
    first, second = _look(sqs), _look(sqs)

    assert sorted(letter.body for letter in first) == sorted(f"letter {number}" for number in range(LETTERS))
    assert {letter.id for letter in first} == {letter.id for letter in second}
    assert all(letter.sent is not None for letter in first)


def test_what_is_moved_is_there_once_and_the_rest_stays(sqs: Any) -> None:
    with DeadLetterQueue(sqs, _url(sqs, "dead")) as queue:
        moved = [letter for letter in queue.letters() if letter.body.endswith("7")]
        for letter in moved:
            queue.move(letter, _url(sqs, "landing"))

    left = {letter.body for letter in _look(sqs)}
    arrived = sqs.receive_message(QueueUrl=_url(sqs, "landing"), MaxNumberOfMessages=10)["Messages"]
    assert sorted(message["Body"] for message in arrived) == ["letter 17", "letter 7"]
    assert len(left) == LETTERS - 2
    assert not left & {message["Body"] for message in arrived}


def test_what_comes_back_meanwhile_is_left_for_the_next_time(sqs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Moved to itself, a message comes again as another: without an end, were it looked at again."""
    url = _url(sqs, "dead")
    monkeypatch.setattr(DeadLetterQueue, "_read_clock", lambda _: datetime.now(UTC))
    time.sleep(0.01)
    with DeadLetterQueue(sqs, url) as queue:
        for letter in queue.letters():
            queue.move(letter, url)

    monkeypatch.setattr(DeadLetterQueue, "_read_clock", lambda _: datetime.now(UTC) + timedelta(days=1))
    assert len(_look(sqs)) == LETTERS
