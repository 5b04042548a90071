"""The reconcile function as its schedule calls it, on moto; the convert function does what it asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from io import BytesIO
from typing import Any

import pyarrow.parquet as pq
import pytest

import convert.handler
import reconcile.handler
from millrace.config.document import Document
from millrace.errors import ConfigurationError, UsageError
from millrace.ledger.entries import State
from millrace.operations.reconcile import CALLS
from tests.configurations import bulk_sync, document
from tests.integration.conftest import FakeSurroundings, LambdaContext

ORDERS = b'id,zip,note\n1,00501,"a"\n2,90210,\n'
CONVERTED = b'{"id":1,"zip":"00501","note":"a"}\n{"id":2,"zip":"90210","note":null}\n'
OTHER = b"id,zip,note\n3,00501,c\n"


def compare(event: dict[str, Any] | None = None, *, milliseconds: int = 900_000) -> dict[str, Any]:
    """What the function answers."""
    context = LambdaContext(function_name="millrace-reconcile", milliseconds=[milliseconds])
    answer: dict[str, Any] = reconcile.handler.handle(event or {"sync": "nightly"}, context)
    return answer


def counts(answer: Mapping[str, Any]) -> tuple[int, int, int]:
    """New, changed, gone, of a comparison that came to its end."""
    assert answer["progress"] == "complete"
    return answer["new"], answer["changed"], answer["gone"]


def settle(around: FakeSurroundings, messages: int) -> None:
    """Let the convert function work on so many messages, and see that there are no more."""
    if messages:
        event = around.deliver_waiting(messages)
        assert convert.handler.handle(event, LambdaContext()) == {"batchItemFailures": []}
        for record in event["Records"]:
            around.sqs.delete_message(QueueUrl=around.queue, ReceiptHandle=record["receiptHandle"])
    assert "Messages" not in around.sqs.receive_message(QueueUrl=around.queue)


@pytest.fixture
def again(around: FakeSurroundings, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Mapping[str, Any]]]:
    """The calls that the function makes of itself."""
    calls: list[tuple[str, Mapping[str, Any]]] = []
    world = reconcile.handler.world()
    heard = replace(world, invoke_later=lambda name, event: calls.append((name, event)))
    monkeypatch.setattr(reconcile.handler, "world", cache(lambda: heard))
    return calls


class TestWithoutNotifications:
    @pytest.fixture
    def configuration(self) -> Document:
        quiet = {"enable_event_notifications": False, "event_queue_arn": ""}
        return document(bulk_sync(to="json", on_delete="remove"), source=quiet)

    def test_what_is_uploaded_overwritten_and_deleted_is_found_and_done(self, around: FakeSurroundings) -> None:
        """A schedule is all that it needs: nobody tells of anything."""
        around.upload("in/2026 q1+ü.csv", ORDERS)
        around.upload("in/b.csv", ORDERS)
        around.upload("elsewhere/c.csv", ORDERS)
        assert counts(compare()) == (2, 0, 0)
        settle(around, 2)
        assert around.outputs() == ["lake/2026 q1+ü.jsonl", "lake/b.jsonl"]
        assert around.output("lake/2026 q1+ü.jsonl") == CONVERTED

        around.upload("in/b.csv", OTHER)
        around.s3.delete_object(Bucket="acme-in", Key="in/2026 q1+ü.csv")
        assert counts(compare()) == (0, 1, 1)
        settle(around, 2)
        assert around.outputs() == ["lake/b.jsonl"]
        assert around.output("lake/b.jsonl") == b'{"id":3,"zip":"00501","note":"c"}\n'

        around.upload("in/2026 q1+ü.csv", ORDERS)
        assert counts(compare()) == (0, 1, 0)
        settle(around, 1)
        assert around.output("lake/2026 q1+ü.jsonl") == CONVERTED

    def test_what_is_known_is_left_alone(self, around: FakeSurroundings) -> None:
        """Converted, failed, ignored or removed: the second comparison finds nothing, and neither does any after."""
        around.upload("in/good.csv", ORDERS)
        around.upload("in/bad.csv", b"a,b\n1\n")
        around.upload("in/notes.txt", b"hello")
        around.upload("in/", b"")
        compare()
        settle(around, 4)
        assert counts(compare()) == (0, 0, 0)

        for key in ("in/good.csv", "in/notes.txt", "in/bad.csv"):
            around.s3.delete_object(Bucket="acme-in", Key=key)
        assert counts(compare()) == (0, 0, 2), "an object that was ignored leaves nothing to do"
        settle(around, 2)
        assert counts(compare()) == (0, 0, 0)
        assert around.outputs() == []

    def test_asking_twice_converts_once(self, around: FakeSurroundings) -> None:
        """The comparison came again before the first message was worked on."""
        around.upload("in/a.csv", ORDERS)

        assert (counts(compare()), counts(compare())) == ((1, 0, 0), (1, 0, 0))
        settle(around, 2)

        entry = around.entry("in/a.csv")
        assert entry is not None
        assert (entry.state, entry.fence) == (State.CONVERTED, 1)


class TestWithNotifications:
    def test_a_lost_event_is_healed(self, around: FakeSurroundings) -> None:
        """S3 told of one upload and not of the other, and not of a deletion."""
        told = around.upload("in/told.csv", ORDERS)
        convert.handler.handle(around.deliver({"Records": [told]}), LambdaContext())
        around.sqs.purge_queue(QueueUrl=around.queue)
        around.upload("in/lost.csv", ORDERS)
        assert around.entry("in/lost.csv") is None

        assert counts(compare()) == (1, 0, 0)
        settle(around, 1)

        assert around.output("lake/lost.jsonl") == CONVERTED
        around.s3.delete_object(Bucket="acme-in", Key="in/told.csv")
        assert counts(compare()) == (0, 0, 1)
        settle(around, 1)
        entry = around.entry("in/told.csv")
        assert entry is not None
        assert entry.state is State.REMOVED

    def test_an_event_that_was_late_and_not_lost_does_no_harm(self, around: FakeSurroundings) -> None:
        """What the comparison found first is not done again when the event comes."""
        late = around.upload("in/late.csv", ORDERS)
        compare()
        settle(around, 1)

        convert.handler.handle(around.deliver({"Records": [late]}), LambdaContext())

        entry = around.entry("in/late.csv")
        assert entry is not None
        assert (entry.state, entry.fence) == (State.CONVERTED, 1)


def _use_sizes(monkeypatch: pytest.MonkeyPatch, *, portion: int = 1000, most_waiting: int = 1000) -> None:
    """Have the function work with a reconciler of other sizes."""
    world = reconcile.handler.world()
    small = replace(world, reconciler=replace(world.reconciler, portion=portion, most_waiting=most_waiting))
    monkeypatch.setattr(reconcile.handler, "world", cache(lambda: small))


class TestOutOfTime:
    @pytest.fixture(autouse=True)
    def portions(self, around: FakeSurroundings, monkeypatch: pytest.MonkeyPatch) -> None:
        _use_sizes(monkeypatch, portion=2)

    def test_it_calls_itself_and_goes_on_where_it_stopped(
        self, around: FakeSurroundings, again: list[tuple[str, Mapping[str, Any]]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing is listed twice from the start."""
        for number in range(5):
            around.upload(f"in/{number}.csv", ORDERS)
        starts: list[str] = []
        store = reconcile.handler.world().reconciler.stores["landing"]
        listing = store.list

        def noted(bucket: str, prefix: str, *, start_after: str = "") -> Any:
            starts.append(start_after)
            return listing(bucket, prefix, start_after=start_after)

        monkeypatch.setattr(store, "list", noted)

        answers = [compare(milliseconds=10_000)]
        while again:
            name, event = again.pop()
            assert name == "millrace-reconcile"
            answers.append(compare(dict(event), milliseconds=10_000 if event["calls_left"] > CALLS - 2 else 900_000))

        assert [answer["progress"] for answer in answers] == ["partial", "partial", "complete"]
        assert [answer["compared"] for answer in answers] == [2, 4, 5]
        assert starts == ["", "in/1.csv", "in/3.csv"]
        settle(around, 5)
        assert len(around.outputs()) == 5

    def test_its_chain_of_calls_ends_and_the_schedule_goes_on(
        self, around: FakeSurroundings, again: list[tuple[str, Mapping[str, Any]]]
    ) -> None:
        """Before Lambda would end it; the next scheduled call begins behind the checkpoint."""
        for number in range(3):
            around.upload(f"in/{number}.csv", ORDERS)

        assert compare({"sync": "nightly", "calls_left": 0}, milliseconds=10_000)["progress"] == "partial"
        assert again == []
        assert compare()["compared"] == 3
        settle(around, 3)

    def test_every_call_tells_its_own_counts_as_metrics(
        self, around: FakeSurroundings, again: list[Any], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """So that their sum is the whole."""
        for number in range(3):
            around.upload(f"in/{number}.csv", ORDERS)

        compare(milliseconds=10_000)
        compare()

        told = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
        assert [(one["Compared"], one["New"], one["Gone"]) for one in told] == [
            ([2.0], [2.0], [0.0]),
            ([1.0], [1.0], [0.0]),
        ]


def test_a_full_queue_comes_first(around: FakeSurroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits would be found again, and asked for again."""
    _use_sizes(monkeypatch, most_waiting=0)
    around.upload("in/a.csv", ORDERS)
    around.sqs.send_message(QueueUrl=around.queue, MessageBody="{}")

    answer = compare()

    assert (answer["progress"], answer["compared"]) == ("put off", 0)
    assert "about 1 message," in answer["reason"]


def test_trouble_is_an_error_of_the_function_and_the_next_call_begins(around: FakeSurroundings) -> None:
    """So that its alarm tells of it."""
    around.s3.delete_bucket(Bucket="acme-in")

    for _ in range(2):
        with pytest.raises(ConfigurationError, match="acme-in"):
            compare()


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({}, "sync is None"),
        ({"source": "aws.events", "detail-type": "Scheduled Event"}, "there is no field"),
        ({"sync": "weekly"}, "no active sync 'weekly'"),
        ({"sync": "nightly", "calls_left": 99}, "calls_left is 99"),
    ],
)
def test_an_event_that_makes_no_sense_is_refused(around: FakeSurroundings, event: dict[str, Any], told: str) -> None:
    """With what was expected."""
    with pytest.raises(UsageError, match=told):
        reconcile.handler.handle(event, LambdaContext())


class TestExportedHistory:
    """The function exports finished work, by its schedule and by hand."""

    def test_a_day_is_exported_and_read_again(self, around: FakeSurroundings, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MILLRACE_HISTORY", "s3://acme-out/lake/.millrace/history/")
        monkeypatch.setenv("MILLRACE_MEMORY_MB", "2048")
        reconcile.handler.world.cache_clear()
        around.upload("in/a.csv", ORDERS)
        around.upload("in/bad.csv", b"a,b\n1\n")
        compare()
        settle(around, 2)
        entry = around.entry("in/a.csv")
        assert entry is not None
        assert entry.finished is not None
        day = f"{entry.finished:%Y-%m-%d}"

        assert compare({"history": day}) == {"exported": {day: {"rows": 2, "kept": 0}}, "deleted": [], "problems": []}
        table = pq.read_table(BytesIO(around.output(f"lake/.millrace/history/day={day}/history.parquet")))
        rows = {row["object"]: row for row in table.to_pylist()}
        converted, failed = rows["s3://acme-in/in/a.csv"], rows["s3://acme-in/in/bad.csv"]
        assert (converted["state"], converted["rows_written"], converted["bytes_read"]) == ("converted", 2, len(ORDERS))
        assert converted["gigabyte_seconds"] == pytest.approx(converted["seconds"] * 2)
        assert (failed["state"], failed["error"]) == ("failed", "RaggedRow")

    def test_without_a_folder_it_says_how_to_choose_one(self, around: FakeSurroundings) -> None:
        with pytest.raises(UsageError, match="--context history=s3://bucket/folder"):
            compare({"history": "due"})
