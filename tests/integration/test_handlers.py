"""The two functions as Lambda calls them, on moto."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import boto3
import pytest

import convert.handler
import reprocess.handler
from millrace import __version__
from millrace.aws.s3_objects import S3ObjectStore
from millrace.config.document import Document
from millrace.deployment.settings import MACHINE_VARIABLE
from millrace.errors import ServiceUnavailable, UnknownMessage, UsageError
from millrace.ledger.entries import State
from tests.configurations import bulk_sync, document
from tests.integration.conftest import FakeSurroundings, LambdaContext, s3_record
from tests.unit.engine.native.kernels import require_kernel

ORDERS = b'id,zip,note\n1,00501,"a"\n2,90210,\n'
CONVERTED = b'{"id":1,"zip":"00501","note":"a"}\n{"id":2,"zip":"90210","note":null}\n'


def convert_all(event: dict[str, Any], context: LambdaContext | None = None) -> list[str]:
    """Hand a batch to the function; the ids of the messages that come back."""
    answer = convert.handler.handle(event, context or LambdaContext())
    return [failed["itemIdentifier"] for failed in answer["batchItemFailures"]]


def ids(event: dict[str, Any]) -> list[str]:
    return [record["messageId"] for record in event["Records"]]


def test_an_uploaded_object_comes_out_converted(around: FakeSurroundings) -> None:
    event = around.deliver({"Records": [around.upload("in/2026 q1+ü.csv", ORDERS)]})

    assert convert_all(event) == []
    assert around.output("lake/2026 q1+ü.jsonl") == CONVERTED
    entry = around.entry("in/2026 q1+ü.csv")
    assert entry is not None
    assert (entry.state, entry.rows.written) == (State.CONVERTED, 2)


def test_a_cold_start_makes_no_client_that_few_messages_need(
    around: FakeSurroundings, made_clients: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "convert")
    monkeypatch.setenv(MACHINE_VARIABLE, "arn:aws:states:us-east-1:123456789012:stateMachine:big-runs")
    records = [around.upload("in/a.csv", ORDERS)]

    assert convert_all(around.deliver({"Records": records})) == []

    assert sorted(made_clients) == ["dynamodb", "s3", "sqs"]


def test_a_large_object_starts_the_machine_of_big_runs(
    around: FakeSurroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines = boto3.client("stepfunctions")
    definition = json.dumps({"StartAt": "end", "States": {"end": {"Type": "Succeed"}}})
    role = "arn:aws:iam::123456789012:role/big-runs"
    made = machines.create_state_machine(name="big-runs", definition=definition, roleArn=role)
    monkeypatch.setenv(MACHINE_VARIABLE, made["stateMachineArn"])
    monkeypatch.setenv("MILLRACE_BIG_RUN_BYTES", "10")
    monkeypatch.setenv("MILLRACE_BIG_RUN_PART_BYTES", "10")
    records = [around.upload("in/a.csv", ORDERS)]

    assert convert_all(around.deliver({"Records": records})) == []

    entry = around.entry("in/a.csv")
    assert entry is not None
    assert entry.big_run is not None
    runs = machines.list_executions(stateMachineArn=made["stateMachineArn"])["executions"]
    assert [run["name"] for run in runs] == [entry.big_run.name]


@pytest.mark.parametrize("is_used", [True, False])
def test_the_ledger_and_the_log_say_whether_the_native_kernel_is_used(
    around: FakeSurroundings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, *, is_used: bool
) -> None:
    if is_used:
        require_kernel()
    else:
        monkeypatch.setenv("MILLRACE_NATIVE", "0")
    for name in ("a", "b"):
        assert convert_all(around.deliver({"Records": [around.upload(f"in/{name}.csv", ORDERS)]})) == []

    entry = around.entry("in/a.csv")
    assert entry is not None
    assert entry.engine == (f"{__version__}+native" if is_used else __version__)
    assert around.output("lake/a.jsonl") == CONVERTED
    lines = [record for record in caplog.records if "the native kernel is not used" in getattr(record, "reason", "")]
    assert len(lines) == (0 if is_used else 1)


def test_a_message_with_several_records_is_worked_on_whole(around: FakeSurroundings) -> None:
    records = [around.upload(f"in/{number}.csv", ORDERS) for number in range(3)]

    assert convert_all(around.deliver({"Records": records})) == []
    assert around.outputs() == ["lake/0.jsonl", "lake/1.jsonl", "lake/2.jsonl"]


def test_exactly_the_message_that_nobody_can_read_is_a_dead_letter(around: FakeSurroundings) -> None:
    event = around.deliver(
        {"Records": [around.upload("in/good.csv", ORDERS)]},
        "not ours",
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "acme-in"},
        {"Records": [around.upload("in/bad.csv", b"a,b\n1\n")]},
    )

    assert convert_all(event) == []
    assert around.outputs() == ["lake/good.jsonl"]
    (letter,) = around.letters()
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert letter["Body"] == "not ours"
    assert "not JSON" in attributes.pop("reason")
    assert attributes == {"error": "UnknownMessage", "queue": "landing", "connection": "landing"}


def test_an_object_that_stays_transient_is_a_dead_letter_after_five_attempts(
    around: FakeSurroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ServiceUnavailable("s3:GetObject failed: \x00")

    monkeypatch.setattr(S3ObjectStore, "open", fail)
    event = around.deliver({"Records": [around.upload("in/a.csv", ORDERS)]})
    for receives in range(1, 5):
        event["Records"][0]["attributes"]["ApproximateReceiveCount"] = str(receives)
        assert convert_all(event) == ids(event)
    event["Records"][0]["attributes"]["ApproximateReceiveCount"] = "5"

    assert convert_all(event) == []
    (letter,) = around.letters()
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert letter["Body"] == event["Records"][0]["body"]
    assert attributes == {
        "error": "ServiceUnavailable",
        "reason": "s3:GetObject failed: \ufffd",
        "queue": "landing",
        "connection": "landing",
        "sync": "nightly",
        "key": "in/a.csv",
    }


def test_a_batch_whose_every_message_comes_back_reports_them_and_does_not_raise(around: FakeSurroundings) -> None:
    around.s3.delete_bucket(Bucket="acme-out")
    event = around.deliver(*({"Records": [around.upload(f"in/{name}.csv", ORDERS)]} for name in "ab"))

    assert sorted(convert_all(event)) == sorted(ids(event))


def test_one_unreadable_record_makes_a_dead_letter_but_keeps_no_other_from_work(around: FakeSurroundings) -> None:
    broken = s3_record("in/x.csv")
    del broken["s3"]["object"]["key"]
    event = around.deliver({"Records": [around.upload("in/good.csv", ORDERS), broken]})

    assert convert_all(event) == []
    assert around.outputs() == ["lake/good.jsonl"]
    assert [letter["Body"] for letter in around.letters()] == [event["Records"][0]["body"]]


def test_messages_that_there_is_no_time_for_are_reported_unstarted(around: FakeSurroundings) -> None:
    event = around.deliver({"Records": [around.upload("in/a.csv", ORDERS)]})

    assert convert_all(event, LambdaContext(milliseconds=[30_000])) == ids(event)
    assert around.entry("in/a.csv") is None


def test_a_message_that_comes_back_is_put_off_and_seen_again(around: FakeSurroundings) -> None:
    around.s3.delete_bucket(Bucket="acme-out")
    event = around.deliver({"Records": [around.upload("in/a.csv", ORDERS)]})

    assert convert_all(event) == ids(event)
    entry = around.entry("in/a.csv")
    assert entry is not None
    assert entry.failure is not None
    assert (entry.failure.error, str(entry.failure.branch)) == ("NoSuchBucket", "configuration")


def test_every_outcome_is_one_log_line_and_one_metric(
    around: FakeSurroundings, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    convert_all(around.deliver({"Records": [around.upload("in/a.csv", ORDERS)]}))

    (line,) = [vars(record) for record in caplog.records if record.message == "converted"]
    assert (line["object"], line["sync"], line["rows"]) == ("s3://acme-in/in/a.csv", "nightly", 2)
    assert line["targets"] == ["s3://acme-out/lake/a.jsonl"]
    (metric,) = [json.loads(text) for text in capsys.readouterr().out.splitlines() if "_aws" in text]
    assert (metric["Messages"], metric["Converted"]) == ([1.0], [1.0])


class TestDirectInvocation:
    """S3, SNS and EventBridge may call the function themselves, without a queue between."""

    def test_s3_hands_over_an_event(self, around: FakeSurroundings) -> None:
        event = {"Records": [around.upload(f"in/{number}.csv", ORDERS) for number in range(2)]}

        assert convert_all(event) == []
        assert around.outputs() == ["lake/0.jsonl", "lake/1.jsonl"]

    def test_sns_hands_over_an_event(self, around: FakeSurroundings) -> None:
        inner = json.dumps({"Records": [around.upload("in/a.csv", ORDERS)]})

        assert convert_all({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": inner}}]}) == []
        assert around.outputs() == ["lake/a.jsonl"]

    def test_eventbridge_hands_over_an_event(self, around: FakeSurroundings) -> None:
        around.upload("in/a.csv", ORDERS)
        detail = {"bucket": {"name": "acme-in"}, "object": {"key": "in/a.csv", "size": len(ORDERS)}}

        assert convert_all({"source": "aws.s3", "detail-type": "Object Created", "detail": detail}) == []
        assert around.outputs() == ["lake/a.jsonl"]

    def test_what_must_come_back_raises_so_that_lambda_invokes_again(self, around: FakeSurroundings) -> None:
        """After the batch: the other objects are converted first."""
        broken = s3_record("in/x.csv")
        del broken["s3"]["object"]["key"]

        with pytest.raises(UnknownMessage, match="record 1 of 2"):
            convert.handler.handle({"Records": [broken, around.upload("in/a.csv", ORDERS)]}, LambdaContext())
        assert around.outputs() == ["lake/a.jsonl"]

    @pytest.mark.parametrize("event", [{}, {"Records": []}, {"hello": "world"}])
    def test_an_event_of_no_known_shape_raises_and_asks_for_nothing(
        self, around: FakeSurroundings, event: dict[str, Any]
    ) -> None:
        if event == {"Records": []}:
            assert convert_all(event) == []
            return
        with pytest.raises(UnknownMessage):
            convert_all(event)
        assert around.outputs() == []


class TestBadInput:
    @pytest.fixture
    def configuration(self) -> Document:
        return document(bulk_sync(to="json"), bulk_sync("reports", to="parquet", subfolder="reports"))

    @pytest.mark.parametrize(
        ("key", "data", "error"),
        [
            ("in/cut.csv.gz", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03KL", "TruncatedFile"),
            ("in/really.parquet", ORDERS, "MalformedFile"),
            ("in/torn.json", b'{"a": 1}\n{"a": ', "TruncatedFile"),
        ],
    )
    def test_a_file_that_cannot_be_read_fails_under_its_key_and_is_acknowledged(
        self, around: FakeSurroundings, key: str, data: bytes, error: str
    ) -> None:
        assert convert_all(around.deliver({"Records": [around.upload(key, data)]})) == []

        entry = around.entry(key)
        assert entry is not None
        assert entry.failure is not None
        assert (entry.state, entry.failure.error) == (State.FAILED, error)
        assert around.outputs() == []

    @pytest.mark.parametrize(("data", "rows"), [(b"", b""), (b"id,zip\n", b"")])
    def test_an_empty_file_comes_out_empty(self, around: FakeSurroundings, data: bytes, rows: bytes) -> None:
        assert convert_all(around.deliver({"Records": [around.upload("in/empty.csv", data)]})) == []

        assert around.output("lake/empty.jsonl") == rows
        entry = around.entry("in/empty.csv")
        assert entry is not None
        assert (entry.state, entry.rows.read) == (State.CONVERTED, 0)

    def test_an_object_deleted_before_it_is_read_is_acknowledged(self, around: FakeSurroundings) -> None:
        record = around.upload("in/gone.csv", ORDERS)
        around.s3.delete_object(Bucket="acme-in", Key="in/gone.csv")

        assert convert_all(around.deliver({"Records": [record]})) == []
        entry = around.entry("in/gone.csv")
        assert entry is not None
        assert entry.state is State.REMOVED


class TestReprocess:
    def test_a_key_is_converted_again_once(self, around: FakeSurroundings) -> None:
        convert_all(around.deliver({"Records": [around.upload("in/a.csv", ORDERS)]}))

        answer = reprocess.handler.handle({"sync": "nightly", "keys": ["in/a.csv"]}, LambdaContext())

        assert (answer["selected"], answer["sent"], answer["complete"]) == (1, 1, True)
        event = around.deliver_waiting()
        assert convert_all(event) == []
        assert convert_all(event) == []
        entry = around.entry("in/a.csv")
        assert entry is not None
        assert (entry.run_id, entry.fence, entry.state) == (answer["run_id"], 2, State.CONVERTED)

    def test_a_prefix_selects_what_is_below_and_passes_over_foreign_files(self, around: FakeSurroundings) -> None:
        for key in ("in/eu/a.csv", "in/eu/b.csv", "in/eu/notes.txt", "in/us/c.csv"):
            around.upload(key, ORDERS)

        answer = reprocess.handler.handle({"sync": "nightly", "prefix": "eu/"}, LambdaContext())

        assert (answer["selected"], answer["ignored"]) == (2, 1)

    def test_a_dry_run_sends_nothing(self, around: FakeSurroundings) -> None:
        around.upload("in/a.csv", ORDERS)

        answer = reprocess.handler.handle({"sync": "nightly", "dry_run": True}, LambdaContext())

        assert (answer["selected"], answer["sent"]) == (1, 0)
        assert answer["examples"] == ["s3://acme-in/in/a.csv"]

    def test_a_state_selects_what_failed(self, around: FakeSurroundings) -> None:
        records = [around.upload("in/bad.csv", b"a,b\n1\n"), around.upload("in/a.csv", ORDERS)]
        convert_all(around.deliver({"Records": records}))

        answer = reprocess.handler.handle({"sync": "nightly", "state": "failed"}, LambdaContext())

        assert answer["examples"] == ["s3://acme-in/in/bad.csv"]

    def test_a_selection_that_outlasts_the_invocation_says_where_to_go_on(
        self, around: FakeSurroundings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        small = replace(reprocess.handler.world(), portion=2)
        monkeypatch.setattr(reprocess.handler, "world", cache(lambda: small))
        for number in range(5):
            around.upload(f"in/{number}.csv", ORDERS)

        first = reprocess.handler.handle({"sync": "nightly"}, LambdaContext(milliseconds=[15_000]))
        again = {"sync": "nightly", "run_id": first["run_id"], "start_after": first["start_after"]}
        second = reprocess.handler.handle(again, LambdaContext())

        assert (first["sent"], first["complete"], first["start_after"]) == (2, False, "in/1.csv")
        assert (second["sent"], second["complete"], second["run_id"]) == (3, True, first["run_id"])

    @pytest.mark.parametrize(
        ("event", "told"),
        [
            ({}, "sync is None"),
            ({"sync": "weekly"}, "no active sync 'weekly'"),
            ({"sync": "nightly", "key": "in/a.csv"}, "there is no field"),
            ({"sync": "nightly", "keys": "in/a.csv"}, "expected a list"),
            ({"sync": "nightly", "keys": ["in/a.csv"], "prefix": "in/"}, "given together"),
            ({"sync": "nightly", "state": "converted"}, "expected 'failed', 'in flight' or 'waiting'"),
            ({"sync": "nightly", "dry_run": "yes"}, "expected true or false"),
            ({"sync": "nightly", "reset_schema": "yes"}, "expected true or false"),
        ],
    )
    def test_an_event_that_makes_no_sense_is_refused_with_what_was_expected(
        self, around: FakeSurroundings, event: dict[str, Any], told: str
    ) -> None:
        with pytest.raises(UsageError, match=told):
            reprocess.handler.handle(event, LambdaContext())
