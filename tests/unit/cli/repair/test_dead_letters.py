"""Dead letters at the command line: all queues' are seen, one's trouble is its own, and nothing goes unasked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from millrace.aws.deployed import Deployed
from millrace.catalog.iceberg.messages import CommitRequest
from millrace.ledger.entries import Entry, State
from millrace.objects.references import ObjectRef
from tests.fakes import InMemoryLedger

REGION = "arn:aws:sqs:us-east-1:1:"


@dataclass
class QueuesOfLetters:
    """QueuesOfLetters of SQS and the event sources of a function. ``stuck``: bodies that may not be deleted."""

    letters: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    sent: dict[str, list[str]] = field(default_factory=dict)
    dead_letters_of: Mapping[str, str] = field(default_factory=dict)
    ordered: list[tuple[str, str]] = field(default_factory=list)
    """The groups and ids of what was sent to a queue that keeps an order."""
    stuck: frozenset[str] = frozenset()
    doubles: bool = False
    _given: set[str] = field(default_factory=set)

    def put(self, box: str, /, *bodies: str, **attributes: str) -> None:
        for body in bodies:
            given = {name: {"StringValue": value, "DataType": "String"} for name, value in attributes.items()}
            message = {"MessageId": body, "Body": body, "ReceiptHandle": body, "MessageAttributes": given}
            self.letters.setdefault(box, {})[body] = message

    def receive_message(self, **request: Any) -> dict[str, Any]:
        waiting = [one for body, one in self.letters.get(_name(request), {}).items() if body not in self._given][:2]
        if self.doubles and waiting and self._given:
            again = {"MessageId": min(self._given), "Body": min(self._given), "ReceiptHandle": "again"}
            return {"Messages": [again, *self._mark(waiting[:1])]}
        return {"Messages": self._mark(waiting)}

    def _mark(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self._given |= {message["Body"] for message in messages}
        return messages

    def delete_message(self, **request: Any) -> None:
        if request["ReceiptHandle"] in self.stuck:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "DeleteMessage")
        del self.letters[_name(request)][request["ReceiptHandle"]]

    def send_message(self, **request: Any) -> None:
        self.sent.setdefault(_name(request), []).append(request["MessageBody"])
        if "MessageGroupId" in request:
            self.ordered.append((request["MessageGroupId"], request["MessageDeduplicationId"]))

    def change_message_visibility_batch(self, **_: Any) -> None:
        pass

    def get_queue_url(self, **request: Any) -> dict[str, str]:
        return {"QueueUrl": f"https://sqs/1/{request['QueueName']}"}

    def get_queue_attributes(self, **request: Any) -> dict[str, Any]:
        name = _name(request)
        counts = ("ApproximateNumberOfMessages", *(f"ApproximateNumberOfMessages{rest}" for rest in REST))
        attributes = dict.fromkeys(counts, "0") | {"VisibilityTimeout": "1", "MessageRetentionPeriod": "1"}
        attributes["QueueArn"] = REGION + name
        if name in self.dead_letters_of:
            target = REGION + self.dead_letters_of[name]
            attributes["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": "5"})
        return {"Attributes": attributes, "ResponseMetadata": {"HTTPHeaders": {}}}

    def get_paginator(self, _name: str) -> QueuesOfLetters:
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        names = ("managed", *self.dead_letters_of)
        return [
            {
                "EventSourceMappings": [
                    {"EventSourceArn": REGION + one, "UUID": one, "State": "Enabled"} for one in names
                ]
            }
        ]


REST = ("NotVisible", "Delayed")


def _name(request: Mapping[str, str]) -> str:
    return request["QueueUrl"].rpartition("/")[2]


@dataclass
class DeploymentOfLetters:
    """A deployment with one managed queue, and maybe one of the backfills."""

    queues: QueuesOfLetters
    ledger: InMemoryLedger = field(default_factory=InMemoryLedger)
    backfill_queue: str | None = None
    commit_queue: str | None = None

    def find(self, _name: str, /) -> tuple[Deployed, Any]:
        deployed = Deployed(
            ledger_table="l",
            dead_letter_queue="https://sqs/1/dead",
            queues={"landing": "https://sqs/1/managed"},
            convert_function="c",
            reprocess_function="r",
            syncs=("nightly",),
            backfill_queue=self.backfill_queue,
            commit_queue=self.commit_queue,
            commit_dead_letter_queue=self.commit_queue and "https://sqs/1/dead-commits.fifo",
        )
        return deployed, self.ledger

    def client(self, _service: str) -> Any:
        return self.queues

    def invoke(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        raise AssertionError(f"{function} is not needed for {event}")


def body(number: int) -> str:
    return json.dumps({"millrace": 1, "kind": "created", "bucket": "b", "key": f"{number}.csv"})


@pytest.fixture
def queues() -> QueuesOfLetters:
    return QueuesOfLetters()


def commit_body(key: str) -> str:
    return CommitRequest("nightly", ObjectRef("b", key)).to_body()


@pytest.fixture
def committing(queues: QueuesOfLetters) -> DeploymentOfLetters:
    """Two dead letters of the committer: one that it gave up itself, and one that SQS did."""
    refused = {"error": "CommitRefused", "reason": "b is text in the file", "group": "table-1"}
    queues.put("dead-commits.fifo", commit_body("a.csv"), **refused)
    queues.put("dead-commits.fifo", commit_body("b.csv"))
    queues.letters["dead-commits.fifo"][commit_body("b.csv")]["Attributes"] = {
        "MessageGroupId": "table-2",
        "DeadLetterQueueSourceArn": f"{REGION}commits.fifo",
        "ApproximateReceiveCount": "100",
    }
    return DeploymentOfLetters(queues, commit_queue="https://sqs/1/commits.fifo")


def lines(ran: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ran.out.splitlines()]


def test_letters_of_a_queue_of_ones_own_are_seen_and_go_home(run: Any, queues: QueuesOfLetters) -> None:
    queues.dead_letters_of = {"own": "own-dead"}
    queues.put("dead", body(1), queue="managed")
    queues.put("own-dead", body(2))

    shown = lines(run("dead-letters", "--json", deployments=DeploymentOfLetters(queues)))
    queues._given.clear()
    moved = run("redrive", "--json", deployments=DeploymentOfLetters(queues))

    assert {line["dead_letter_queue"] for line in shown} == {"dead", "own-dead"}
    assert lines(moved) == [{"dry_run": False, "moved": {"transient": 2}}]
    assert queues.sent == {"managed": [body(1)], "own": [body(2)]}


def test_a_letter_of_the_committer_names_its_file_and_why_its_table_lacks_it(
    run: Any, committing: DeploymentOfLetters
) -> None:
    entry = Entry.unseen("nightly", ObjectRef("b", "a.csv"), fingerprint="f", engine="1")
    committing.ledger.put(replace(entry, state=State.CONVERTED, revision=1))

    first, second = lines(run("dead-letters", "--class", "commit", "--json", deployments=committing))

    assert (first["class"], first["objects"], first["dead_letter_queue"]) == (
        "commit",
        ["s3://b/a.csv"],
        "dead-commits.fifo",
    )
    assert first["given_up"] == {"reason": "b is text in the file", "error": "CommitRefused"}
    assert first["reason"] == "nightly: converted"
    assert (second["objects"], second["given_up"], second["queue"]) == (["s3://b/b.csv"], None, "commits.fifo")
    assert "the log of the commit function says why" in second["reason"]


def test_letters_of_the_committer_go_back_to_its_queue_in_the_order_of_their_tables(
    run: Any, queues: QueuesOfLetters, committing: DeploymentOfLetters
) -> None:
    """By ids of their own: SQS drops for five minutes what has the id of the message that they were made of."""
    queues.put("dead", body(1))

    assert lines(run("redrive", "--dry-run", "--json", deployments=committing)) == [
        {"dry_run": True, "moved": {"commit": 2, "transient": 1}}
    ]
    queues._given.clear()
    moved = run("redrive", "--json", deployments=committing)

    assert lines(moved) == [{"dry_run": False, "moved": {"commit": 2, "transient": 1}}]
    assert queues.sent == {"managed": [body(1)], "commits.fifo": [commit_body("a.csv"), commit_body("b.csv")]}
    assert queues.ordered == [(f"table-{n}", f"redrive-{commit_body(key)}") for n, key in ((1, "a.csv"), (2, "b.csv"))]
    assert queues.letters["dead-commits.fifo"] == {}


def test_letters_of_the_committer_can_be_thrown_away(
    run: Any, queues: QueuesOfLetters, committing: DeploymentOfLetters
) -> None:
    arguments = ("dead-letters", "--class", "commit", "--discard", "--yes", "--json")

    assert lines(run(*arguments, deployments=committing))[-1] == {"discarded": {"commit": 2}}
    assert queues.letters["dead-commits.fifo"] == {}


def test_what_no_committer_can_read_is_unreadable(
    run: Any, queues: QueuesOfLetters, committing: DeploymentOfLetters
) -> None:
    queues.put("dead-commits.fifo", body(1))

    (shown,) = lines(run("dead-letters", "--class", "unreadable", "--json", deployments=committing))

    assert "none of schema 1 to the committer" in shown["reason"]


def test_a_backfill_s_letter_goes_back_to_its_queue_and_one_of_unknown_origin_does_not(
    run: Any, queues: QueuesOfLetters
) -> None:
    queues.put("dead", body(1), queue="backfill")
    queues.put("dead", body(2))

    run("redrive", deployments=DeploymentOfLetters(queues, backfill_queue="https://sqs/1/backfill"))

    assert queues.sent == {"backfill": [body(1)], "managed": [body(2)]}


def test_that_there_are_none_is_said(run: Any, queues: QueuesOfLetters) -> None:
    assert run("dead-letters", deployments=DeploymentOfLetters(queues)).out == "no dead letters\n"


def test_what_the_function_said_is_shown(run: Any, queues: QueuesOfLetters) -> None:
    queues.put("dead", body(1), reason="503 five times", error="ServiceUnavailable", queue="managed")

    ran = run("dead-letters", deployments=DeploymentOfLetters(queues))

    assert "given up: ServiceUnavailable: 503 five times" in ran.out


def test_a_message_that_comes_twice_ends_no_look(run: Any, queues: QueuesOfLetters) -> None:
    """SQS delivers at least once. A redrive of one class saw a double, and left the rest where it was."""
    queues.doubles = True
    queues.put("dead", *map(body, range(7)))

    ran = run("redrive", "--class", "transient", "--json", deployments=DeploymentOfLetters(queues))

    assert lines(ran)[-1]["moved"] == {"transient": 7}


class TestDiscard:
    def test_it_asks_and_says_what(self, run: Any, queues: QueuesOfLetters) -> None:
        queues.put("dead", "no shape", body(1))

        refused = run("dead-letters", "--discard", stdin="n\n", deployments=DeploymentOfLetters(queues))

        assert refused.code == 1
        assert "delete 2 messages (1 transient, 1 unreadable) for good?" in refused.out
        assert len(queues.letters["dead"]) == 2

    def test_only_the_class_that_was_named_goes(self, run: Any, queues: QueuesOfLetters) -> None:
        queues.put("dead", "no shape", body(1))

        ran = run(
            "dead-letters", "--discard", "--class", "unreadable", stdin="y\n", deployments=DeploymentOfLetters(queues)
        )

        assert "discarded 1 message (1 unreadable)" in ran.out
        assert list(queues.letters["dead"]) == [body(1)]

    def test_it_goes_on_after_a_failure(self, run: Any, queues: QueuesOfLetters) -> None:
        queues.put("dead", body(1), body(2), body(3))
        queues.stuck = frozenset({body(2)})

        ran = run("dead-letters", "--discard", "--yes", deployments=DeploymentOfLetters(queues))

        assert ran.code == 1
        assert "1 message stayed where it was" in ran.err
        assert list(queues.letters["dead"]) == [body(2)]

    def test_json_asks_no_question(self, run: Any, queues: QueuesOfLetters) -> None:
        assert run("dead-letters", "--discard", "--json", deployments=DeploymentOfLetters(queues)).code == 2
