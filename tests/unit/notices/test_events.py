"""The classes of events, their schemas, and the bus that they go to."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest

from millrace.aws.event_bus import EventBus
from millrace.config.notices import Notify
from millrace.delivery.breaker import Circuit
from millrace.delivery.circuit_events import to_circuit_closed, to_circuit_opened
from millrace.errors import ServiceUnavailable
from millrace.notices.events import (
    EVENTS,
    CircuitEvent,
    DeadLetter,
    Event,
    SyncCaughtUp,
    Unaccounted,
    WebhookTest,
    to_id,
)
from millrace.notices.json_schemas import file_name, to_schema
from tests.places import ROOT

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
FOLDER = ROOT / "docs" / "events"
QUEUE = "arn:aws:sqs:us-east-1:111122223333:landing"
CIRCUIT = Circuit(queue=QUEUE, revision=10, paused=NOON, sync="nightly", reason="s3:PutObject was denied")


class TestEventSchemas:
    def test_the_committed_files_are_current(self) -> None:
        """`make docs` writes them."""
        committed = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")}

        assert committed == {file_name(event): to_schema(event) for event in EVENTS}

    @pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
    def test_a_schema_is_sound_and_demands_what_every_event_has(self, event: type[Event]) -> None:
        schema = to_schema(event)

        jsonschema.Draft202012Validator.check_schema(schema)
        assert {"id", "time", "deployment", "schema"} <= set(schema["required"])
        assert set(schema["properties"]) == {field.name for field in fields(event)}

    def test_every_class_of_events_is_sent_under_a_name_of_its_own(self) -> None:
        assert len({event.name for event in EVENTS}) == len({event.detail_type for event in EVENTS}) == len(EVENTS)
        assert all(event.detail_type.startswith("Millrace ") for event in EVENTS)
        assert all(event.level is not Notify.NONE for event in EVENTS)


@pytest.mark.parametrize(
    "event",
    [
        to_circuit_opened(CIRCUIT, "millrace", NOON),
        to_circuit_closed(CIRCUIT, "millrace", NOON),
        DeadLetter(id="1", time=NOON, deployment="millrace", queue="q", error="UnknownMessage", reason="no shape"),
        Unaccounted(id="1", time=NOON, deployment="millrace", sync="nightly", count=3),
        SyncCaughtUp(id="1", time=NOON, deployment="millrace", sync="nightly", since=NOON, objects=3),
        WebhookTest(id="1", time=NOON, deployment="millrace", webhook="ops"),
    ],
    ids=lambda event: event.name,
)
def test_an_event_fits_its_schema(event: Event) -> None:
    detail = json.loads(json.dumps(event.to_detail()))

    jsonschema.validate(detail, to_schema(type(event)), format_checker=jsonschema.FormatChecker())
    assert detail["schema"] == 1


def test_an_opened_circuit_says_what_it_said_in_0_1() -> None:
    """Rules that were written for it go on working."""
    detail = to_circuit_opened(CIRCUIT, "millrace", NOON).to_detail()

    assert (
        detail.items()
        >= {
            "queue": QUEUE,
            "sync": "nightly",
            "reason": "s3:PutObject was denied",
            "since": "2026-11-22T12:00:00+00:00",
        }.items()
    )
    assert "millrace resume" in detail["resume"]


PAGE = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
EXAMPLES = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]


class TestPage:
    @pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["detail-type"])
    def test_its_examples_are_events(self, example: dict[str, Any]) -> None:
        event = next(event for event in EVENTS if event.detail_type == example["detail-type"])
        detail = example["detail"]

        jsonschema.validate(detail, to_schema(event), format_checker=jsonschema.FormatChecker())
        assert set(detail) <= {field.name for field in fields(event)}

    def test_it_lists_every_event_with_its_level(self) -> None:
        rows = re.findall(r"^\| (Millrace [\w ]+) \| `([\w.]+)` \| (`\w+`|always|) ?\|", PAGE, re.MULTILINE)
        listed = {name: (kind, level.strip("`")) for name, kind, level in rows}

        wanted = {event.detail_type: (event.name, _name_level(event)) for event in EVENTS}
        assert listed == wanted


def _name_level(event: type[Event]) -> str:
    """As the page says it: circuits are of the deployment, and tests of a webhook."""
    if event is WebhookTest:
        return ""
    return "always" if issubclass(event, CircuitEvent) else str(event.level)


def test_an_id_does_not_mix_up_its_parts() -> None:
    assert to_id("a", "b") != to_id("ab", "")
    assert to_id("\ud800") != to_id("?")


class FakeEvents:
    """Takes what boto3's client of EventBridge takes."""

    def __init__(self, *, failed: int = 0) -> None:
        self.requests: list[list[dict[str, Any]]] = []
        self.failed = failed

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - AWS's name
        """As PutEvents."""
        self.requests.append(Entries)
        return {"FailedEntryCount": self.failed, "Entries": [{"ErrorCode": "InternalFailure"}] * self.failed}


class TestBus:
    def event(self, reason: str = "r") -> Event:
        return DeadLetter(id="1", time=NOON, deployment="millrace", queue="q", error="E", reason=reason)

    def test_an_event_bears_source_type_and_time(self) -> None:
        client = FakeEvents()
        EventBus(lambda: client).send([self.event("причина")])

        ((request,),) = client.requests
        assert (request["Source"], request["DetailType"], request["Time"]) == ("millrace", "Millrace Dead Letter", NOON)
        assert json.loads(request["Detail"])["reason"] == "причина"
        assert "причина" in request["Detail"]

    def test_ten_go_in_one_request_and_as_many_as_fit(self) -> None:
        client = FakeEvents()
        EventBus(lambda: client).send([self.event()] * 12)
        EventBus(lambda: client).send([self.event("x" * 150_000)] * 2)

        assert [len(request) for request in client.requests] == [10, 2, 1, 1]

    def test_what_the_bus_refuses_is_said(self) -> None:
        with pytest.raises(ServiceUnavailable, match="InternalFailure"):
            EventBus(lambda: FakeEvents(failed=1)).send([self.event()])
