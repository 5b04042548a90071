"""The backfill function as people and its schedule call it, on moto; the convert function does what it asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

import backfill.handler
import convert.handler
from millrace.aws.backfill_switch import BackfillEventSource
from millrace.aws.circuits import DynamoDBCircuits
from millrace.aws.deployed import Deployed
from millrace.aws.dynamodb_ledger import DynamoDBLedger
from millrace.cli.command_line import app
from millrace.cli.interrupts import Interrupted
from millrace.cli.repair.backfill import RemoteBackfills
from millrace.composition.backfill import backfill_actions
from millrace.delivery.breaker import Circuit
from millrace.errors import ConfigurationError, InvalidConfiguration, ServiceUnavailable, UsageError
from millrace.operations.backfills.actions import BackfillActions
from millrace.operations.backfills.steering import QueueDepth
from tests.integration.conftest import FakeSurroundings, LambdaContext
from tests.world import NOON

ORDERS = b"id,zip\n1,00501\n"
FUNCTION = "millrace-convert"
ARN = "arn:aws:sqs:us-east-1:123456789012:millrace-backfill"


@dataclass
class MappedFunctions:
    """As much of Lambda's client as switches an event source; moto's would run the function by Docker."""

    state: str = "Disabled"
    updates: list[dict[str, Any]] = field(default_factory=list)
    refusals: int = 0

    def get_paginator(self, name: str) -> MappedFunctions:
        """The pages of the one listing that is asked for."""
        assert name == "list_event_source_mappings"
        return self

    def paginate(self, **request: str) -> list[dict[str, Any]]:
        """One page with two event sources."""
        assert request == {"FunctionName": FUNCTION}
        live = {"EventSourceArn": ARN.replace("millrace-backfill", "landing"), "UUID": "1", "State": "Enabled"}
        own = {"EventSourceArn": ARN, "UUID": "2", "State": self.state, "ScalingConfig": {"MaximumConcurrency": 5}}
        return [{"EventSourceMappings": [live, own]}]

    def get_function_configuration(self, **request: str) -> dict[str, Any]:
        """The convert function's."""
        assert request == {"FunctionName": FUNCTION}
        return {"MemorySize": 1769, "Architectures": ["arm64"]}

    def update_event_source_mapping(self, **request: Any) -> None:
        """Switch it, unless it is being switched."""
        if self.refusals:
            self.refusals -= 1
            error: Any = {"Error": {"Code": "ResourceInUseException", "Message": "being updated"}}
            raise ClientError(error, "UpdateEventSourceMapping")
        assert request["UUID"] == "2"
        self.updates.append(request)
        self.state = "Enabling" if request["Enabled"] else "Disabling"


@dataclass
class Site:
    """The backfills' queue, its event source, and the events that the function calls itself with."""

    queue: str
    functions: MappedFunctions = field(default_factory=MappedFunctions)
    calls: list[Mapping[str, Any]] = field(default_factory=list)
    naps: list[float] = field(default_factory=list)

    def switch(self, around: FakeSurroundings, url: str | None = None) -> BackfillEventSource:
        """The real adapter."""
        functions: Any = self.functions
        circuits = DynamoDBCircuits(boto3.client("dynamodb"), "ledger")
        queue = url or self.queue
        return BackfillEventSource(
            sqs=around.sqs,
            functions=functions,
            circuits=circuits,
            url=queue,
            function=FUNCTION,
            sleep=self.naps.append,
        )


@pytest.fixture
def site(around: FakeSurroundings, monkeypatch: pytest.MonkeyPatch) -> Site:
    """As it is deployed: the event source is off."""
    url: str = around.sqs.create_queue(QueueName="millrace-backfill")["QueueUrl"]
    monkeypatch.setenv("MILLRACE_BACKFILL_QUEUE", url)
    monkeypatch.setenv("MILLRACE_CONVERT_FUNCTION", FUNCTION)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "millrace-backfill")
    backfill.handler.world.cache_clear()
    site = Site(url)
    world = backfill.handler.world()
    steering = replace(world.steering, call=site.calls.append, switch=site.switch(around))
    monkeypatch.setattr(backfill.handler, "world", cache(lambda: BackfillActions(steering, world.lister)))
    return site


def act(**event: Any) -> dict[str, Any]:
    """What the function answers."""
    answer: dict[str, Any] = backfill.handler.handle(event, LambdaContext(milliseconds=[900_000]))
    return answer


def list_all(site: Site) -> None:
    while site.calls:
        act(**site.calls.pop(0))


def convert_all(around: FakeSurroundings, url: str) -> int:
    """Let the convert function work on what is in the queue; the number of messages."""
    received = around.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"]).get(
        "Messages", []
    )
    records = [
        {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": ARN,
        }
        for message in received
    ]
    if records:
        assert convert.handler.handle({"Records": records}, LambdaContext()) == {"batchItemFailures": []}
    for message in received:
        around.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return len(received)


def test_what_was_there_is_converted_and_counted(around: FakeSurroundings, site: Site) -> None:
    for number in range(4):
        around.s3.put_object(Bucket="acme-in", Key=f"in/{number}.csv", Body=ORDERS)
    around.s3.put_object(Bucket="acme-in", Key="in/9.csv", Body=b'a,b\n1\n"x')

    started = act(action="start", sync="nightly", concurrency=4)
    list_all(site)
    while convert_all(around, site.queue):
        pass
    (ended,) = act(action="tend")["backfills"]

    assert started["state"] == "running"
    assert site.functions.updates == [
        {"UUID": "2", "Enabled": True, "ScalingConfig": {"MaximumConcurrency": 4}},
        {"UUID": "2", "Enabled": False},
    ]
    assert (ended["state"], ended["asked"], ended["done"], ended["failed"], ended["open"]) == ("finished", 5, 4, 1, 0)
    outputs = around.s3.list_objects_v2(Bucket="acme-out")["Contents"]
    assert [found["Key"] for found in outputs] == [f"lake/{number}.jsonl" for number in range(4)]
    assert act(action="tend") == {"backfills": []}


def test_a_pause_switches_the_event_source_off(around: FakeSurroundings, site: Site) -> None:
    around.s3.put_object(Bucket="acme-in", Key="in/a.csv", Body=ORDERS)
    act(action="start", sync="nightly")
    list_all(site)
    switch = backfill.handler.world().steering.switch

    paused = act(action="pause", sync="nightly")
    was_on = switch.is_on()
    resumed = act(action="resume", sync="nightly")

    assert (paused["state"], was_on, resumed["state"], switch.is_on()) == ("paused", False, "running", True)
    assert switch.depth() == QueueDepth(waiting=1, hidden=0)


def test_an_open_circuit_is_mended_first(site: Site) -> None:
    circuits = DynamoDBCircuits(boto3.client("dynamodb"), "ledger")
    circuits.put(Circuit(queue=ARN, revision=1, paused=NOON, sync="nightly", reason="no such bucket"))

    with pytest.raises(UsageError, match="millrace resume"):
        act(action="start", sync="nightly")
    assert site.calls == []


def test_a_queue_that_nobody_receives_from_is_said(around: FakeSurroundings, site: Site) -> None:
    switch = site.switch(around, site.queue.replace("millrace-backfill", "another"))

    with pytest.raises(ConfigurationError, match="does not receive from another; deploy with"):
        switch.turn_on()


def test_an_event_source_that_is_being_switched_is_waited_for(around: FakeSurroundings, site: Site) -> None:
    site.functions.refusals = 3
    site.switch(around).turn_on(7)

    assert site.naps == [5.0] * 3
    assert site.functions.updates[0]["ScalingConfig"] == {"MaximumConcurrency": 7}
    site.functions.refusals = 100
    with pytest.raises(ServiceUnavailable, match="is being switched; the schedule does it later"):
        site.switch(around).turn_off()


def test_a_setting_that_is_missing_is_named(around: FakeSurroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MILLRACE_BACKFILL_QUEUE", raising=False)

    with pytest.raises(InvalidConfiguration, match="MILLRACE_BACKFILL_QUEUE"):
        backfill_actions()


def test_the_function_calls_itself_by_its_name(
    around: FakeSurroundings, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its role allows that name alone."""
    call: Any = backfill_actions().steering.call

    assert call.args[1:] == ("millrace-backfill",)


@dataclass
class CommandLine:
    """The command on moto: what it asks of the deployed function, the function does at once."""

    around: FakeSurroundings
    site: Site
    capsys: pytest.CaptureFixture[str]
    answer: str = "y"

    def find(self, _name: str, /) -> tuple[Deployed, DynamoDBLedger]:
        """What the stacks say."""
        deployed = Deployed(
            ledger_table="ledger",
            dead_letter_queue=self.around.dead_letters,
            queues={"landing": self.around.queue},
            convert_function=FUNCTION,
            reprocess_function="r",
            syncs=("nightly",),
            backfill_function="millrace-backfill",
            backfill_queue=self.site.queue,
        )
        return deployed, self.around.ledger

    def invoke(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        """The function, then all that it asks for, and the convert function."""
        assert function == "millrace-backfill"
        answer = act(**event)
        list_all(self.site)
        while self.site.functions.state == "Enabling" and convert_all(self.around, self.site.queue):
            pass
        return answer

    def client(self, service: str) -> Any:
        """Moto's, but of Lambda."""
        name: Any = service
        return self.site.functions if service == "lambda" else boto3.client(name)

    def run(self, *words: str) -> tuple[int, str]:
        """The exit code, and what it printed."""
        result = CliRunner().invoke(
            app, ["backfill", *words, "--config", str(self.around.configuration)], obj=self, input=self.answer
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output


@pytest.fixture
def command(around: FakeSurroundings, site: Site, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """Four objects that nobody told of, one of which is converted."""
    for number in range(4):
        around.s3.put_object(Bucket="acme-in", Key=f"in/{number}.csv", Body=ORDERS)
    line = CommandLine(around, site, capsys)
    line.run("nightly", "--prefix", "in/0", "--yes")
    return line


class TestCommand:
    def test_a_dry_run_says_what_it_takes_and_begins_nothing(self, command: CommandLine) -> None:
        code, text = command.run("nightly", "--dry-run", "--concurrency", "2")
        _, json_text = command.run("nightly", "--dry-run", "--json")

        fields = json.loads(json_text)
        assert code == 0
        assert "nightly: 3 objects to convert, 45 bytes" in text
        assert "of 4 listed, 1 are converted already, 0 failed before and 0 are not for the sync" in text
        assert "with 2 functions of 1,769 MB at work" in text
        assert (fields["objects"], fields["bytes"], fields["known"]) == (3, 45, 1)
        assert fields["forecast"]["functions"] == 5
        assert command.site.functions.state == "Disabling"

    def test_it_asks_then_shows_how_it_ended(self, command: CommandLine) -> None:
        code, text = command.run("nightly")

        assert code == 0
        assert "begin?" in text
        assert "backfill of nightly: finished, 3 of 3 done; 0 failed, 1 were converted already" in text

    def test_a_no_begins_nothing(self, command: CommandLine) -> None:
        command.answer = "n"

        code, _ = command.run("nightly")

        assert code == 1
        assert command.run("nightly", "--status")[1].count("backfill of nightly") == 1

    def test_nothing_to_do_is_no_question(self, command: CommandLine) -> None:
        command.run("nightly", "--yes")

        _, text = command.run("nightly")

        assert "nightly: 0 objects to convert" in text
        assert "begin?" not in text

    def test_a_prefix_that_names_nothing_is_shown_as_it_was_understood(self, command: CommandLine) -> None:
        _, text = command.run("nightly", "--prefix", "out/2024/")

        assert "a listing has nothing below s3://acme-in/in/out/2024/" in text

    def test_an_inventory_that_the_function_cannot_read_begins_nothing(self, command: CommandLine) -> None:
        command.around.s3.create_bucket(Bucket="acme-lists")

        with pytest.raises(UsageError, match=r"cannot read s3://acme-lists/manifest.json .*option inventories"):
            command.run("nightly", "--yes", "--inventory", "s3://acme-lists/manifest.json")
        assert command.run("nightly", "--status")[1].startswith("backfill of nightly: finished")

    def test_it_is_paused_resumed_and_stopped_by_the_same_command(self, command: CommandLine) -> None:
        command.site.functions.state = "Updating"
        command.around.s3.put_object(Bucket="acme-in", Key="in/9.csv", Body=ORDERS)
        command.run("nightly", "--yes", "--no-wait")
        with pytest.raises(UsageError, match="no backfill of sync 'other' goes on"):
            command.run("other", "--pause")

        texts = [command.run("nightly", flag)[1] for flag in ("--pause", "--resume", "--stop", "--status")]

        states = [text.split(": ")[1].split(",")[0] for text in texts]
        assert states == ["paused", "running", "stopped", "stopped"]

    def test_ctrl_c_says_how_to_go_on(self, command: CommandLine) -> None:
        remote = RemoteBackfills.find(command, "millrace")
        command.around.s3.put_object(Bucket="acme-in", Key="in/9.csv", Body=ORDERS)
        act(action="start", sync="nightly")

        with pytest.raises(Interrupted, match="the backfill goes on without this command: millrace backfill nightly"):
            remote.watch("nightly", _interrupt, as_json=False)

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (("--pause",), "say which sync"),
            (("nightly", "--pause", "--resume"), "--pause and --resume were given together"),
            (("nobody", "--dry-run"), "there is no active sync 'nobody'"),
            (("nightly", "--stop", "--dry-run"), "--stop and --dry-run were given together"),
            (("nightly", "--pause", "--concurrency", "5"), "--pause and --concurrency were given together"),
            (("nightly", "--resume", "--prefix", "in/", "--concurrency", "5"), "--resume and --prefix were given"),
            (("nightly", "--status", "--inventory", "s3://b/manifest.json"), "--status and --inventory were given"),
        ],
    )
    def test_wrong_use_is_said(self, command: CommandLine, words: tuple[str, ...], told: str) -> None:
        with pytest.raises(UsageError, match=told):
            command.run(*words)


def _interrupt(_seconds: float) -> None:
    raise KeyboardInterrupt
