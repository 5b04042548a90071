"""Dead letters at the command line: all queues' are seen, one's trouble is its own, and nothing goes unasked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from millrace.aws.deployed import Deployed
from tests.fakes import InMemoryLedger

REGION = "arn:aws:sqs:us-east-1:1:"


@dataclass
class QueuesOfLetters:
    """QueuesOfLetters of SQS and the event sources of a function. ``stuck``: bodies that may not be deleted."""

    letters: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    sent: dict[str, list[str]] = field(default_factory=dict)
    dead_letters_of: Mapping[str, str] = field(default_factory=dict)
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

    def find(self, _name: str, /) -> tuple[Deployed, Any]:
        deployed = Deployed(
            ledger_table="l",
            dead_letter_queue="https://sqs/1/dead",
            queues={"landing": "https://sqs/1/managed"},
            convert_function="c",
            reprocess_function="r",
            syncs=("nightly",),
            backfill_queue=self.backfill_queue,
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


def test_a_backfill_s_letter_goes_back_to_its_queue_and_one_of_unknown_origin_does_not(
    run: Any, queues: QueuesOfLetters
) -> None:
    queues.put("dead", body(1), queue="backfill")
    queues.put("dead", body(2))

    run("redrive", deployments=DeploymentOfLetters(queues, backfill_queue="https://sqs/1/backfill"))

    assert queues.sent == {"backfill": [body(1)], "managed": [body(2)]}


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
