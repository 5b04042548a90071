"""The committer's handler as Lambda calls it: what comes back, when, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

import commit.handler
from millrace.composition.commit import CommitMessage
from millrace.errors import ServiceUnavailable
from tests.integration.conftest import LambdaContext

QUEUE = "arn:aws:sqs:us-east-1:123456789012:millrace-commits.fifo"


@dataclass
class SaidReport:
    """What a commit came to."""

    failed: Mapping[int, str] = field(default_factory=dict)
    refused: Mapping[int, str] = field(default_factory=dict)
    metrics: Mapping[str, int] = field(default_factory=dict)

    def to_log(self) -> dict[str, Any]:
        """Nothing that these tests look at."""
        return {"failed": len(self.failed)}


@dataclass
class CommitterInMemory:
    """Commits nothing, and says what it is given to say."""

    report: SaidReport = field(default_factory=SaidReport)
    bodies: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    put_off_for: dict[str, int] = field(default_factory=dict)
    expired: int = 0
    is_queue_away: bool = False

    def commit(self, messages: Sequence[CommitMessage], remaining: Callable[[], float]) -> SaidReport:
        """Take note of the bodies."""
        assert remaining() > 0
        self.bodies += [message.body for message in messages]
        self.groups += [message.group for message in messages]
        return self.report

    def expire(self, remaining: Callable[[], float]) -> SaidReport:
        """Take note of the call."""
        assert remaining() > 0
        self.expired += 1
        return self.report

    def put_off(self, queue_arn: str, handle: str, seconds: int) -> None:
        """Take note of the time."""
        assert queue_arn == QUEUE
        if self.is_queue_away:
            raise ServiceUnavailable("the queue is away")
        self.put_off_for[handle] = seconds


@pytest.fixture
def committer(monkeypatch: pytest.MonkeyPatch) -> CommitterInMemory:
    made = CommitterInMemory()
    monkeypatch.setattr(commit.handler, "world", lambda: made)
    return made


def deliver(*receives: int) -> list[str]:
    """Hand over messages that were received so often; the ids of those that come back."""
    records = []
    for index, count in enumerate(receives):
        records.append(
            {
                "messageId": f"id-{index}",
                "receiptHandle": f"handle-{index}",
                "body": f"body-{index}",
                "attributes": {"ApproximateReceiveCount": str(count), "MessageGroupId": f"table-{index}"},
                "eventSourceARN": QUEUE,
            }
        )
    answer = commit.handler.handle({"Records": records}, LambdaContext())
    return [failed["itemIdentifier"] for failed in answer["batchItemFailures"]]


def test_a_batch_is_committed_whole(committer: CommitterInMemory) -> None:
    assert deliver(1, 1) == []
    assert committer.bodies == ["body-0", "body-1"]
    assert committer.groups == ["table-0", "table-1"]


def test_what_failed_comes_back_and_nothing_else(committer: CommitterInMemory) -> None:
    """What was refused for ever does not: it is a dead letter already."""
    committer.report = SaidReport(failed={2: "denied"}, refused={0: "its type"})

    assert deliver(1, 1, 1) == ["id-2"]


@pytest.mark.parametrize(("receives", "seconds"), [(1, 5), (2, 10), (8, 640), (9, 900), (100, 900)])
def test_it_comes_back_later_each_time(committer: CommitterInMemory, receives: int, seconds: int) -> None:
    """A hundred receives are a day."""
    committer.report = SaidReport(failed={0: "denied"})

    deliver(receives)

    assert committer.put_off_for == {"handle-0": seconds}


def test_a_queue_that_is_away_changes_nothing(committer: CommitterInMemory) -> None:
    committer.report = SaidReport(failed={0: "denied"})
    committer.is_queue_away = True

    assert deliver(1) == ["id-0"]


def test_old_snapshots_expire_by_the_clocks_call(committer: CommitterInMemory) -> None:
    assert commit.handler.handle({"expire": "due"}, LambdaContext()) == {"failed": 0}
    assert committer.expired == 1
