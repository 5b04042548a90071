"""Webhooks: signatures that a public library checks, answers of every kind, and what is never sent to."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as StandardWebhook
from standardwebhooks.webhooks import WebhookVerificationError

from millrace.config.document import Document, parse
from millrace.config.notices import Webhook, WebhookEvent
from millrace.errors import BadCredentials, InvalidConfiguration, LostRace, ServiceUnavailable, UsageError
from millrace.notices.envelopes import HeardEvent, WebhookRequest
from millrace.notices.events import EVENTS, WebhookTest
from millrace.notices.posting import HttpPoster
from millrace.notices.sending import MOST_TRIES, Switch, WebhookSender, find_wait, parse_call
from millrace.notices.signatures import parse_secrets
from tests.configurations import bulk_sync, connection, model_document
from tests.receivers import Receiver, receiving

NEW = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
DETAIL: dict[str, Any] = {
    "id": "0123456789abcdef0123456789abcdef",
    "time": "2026-11-22T12:00:00+00:00",
    "deployment": "millrace",
    "schema": 1,
    "sync": "nightly",
    "object": {"bucket": "acme-in", "key": "in/ü.csv"},
}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def configured(*webhooks: dict[str, Any], **sync: Any) -> Document:
    """One sync, and webhooks."""
    return parse(
        {
            "connections": [connection("landing", "s3://acme-in/in"), connection("lake", "s3://acme-out/lake")],
            "bulk_syncs": [bulk_sync(**sync)],
            "webhooks": [{"name": "ops", "url": "https://x.example/h", "secret": "s"} | one for one in webhooks],
        }
    )


@contextmanager
def dripping() -> Iterator[int]:
    """The port of a receiver whose answer never ends, a byte at a time."""
    server, is_over = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def drip() -> None:
        connection, _ = server.accept()
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not is_over.wait(0.02):
                connection.sendall(b"x")

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        is_over.set()
        thread.join()
        server.close()


@dataclass
class InMemorySwitches:
    """Satisfies Switches."""

    held: dict[str, Switch] = field(default_factory=dict)

    def get(self, webhook: str) -> Switch | None:
        """The newest."""
        return self.held.get(webhook)

    def put(self, switch: Switch) -> None:
        """Replace the revision before."""
        there = self.held.get(switch.webhook)
        if (there.revision if there else 0) != switch.revision - 1:
            raise LostRace("another revision")
        self.held[switch.webhook] = switch


class Posted:
    """A sender whose receiver is on loopback."""

    def __init__(self, receiver: Receiver, *, secret: str = NEW, timeout: float = 5.0, **webhook: Any) -> None:
        self.switches = InMemorySwitches()
        self.sender = WebhookSender(
            document=configured({"url": f"{receiver.url}/hook?a=b"} | webhook),
            deployment="millrace",
            read_secret=lambda _name, _of: secret,
            poster=HttpPoster(may_be_loopback=True, timeout=timeout),
            switches=self.switches,
            now=lambda: datetime.now(UTC),
        )

    def send(self, name: str = "object.failed", **detail: Any) -> int | None:
        """Send an event."""
        return self.sender.send("ops", HeardEvent(name=name, detail=DETAIL | detail)).status


class TestWebhookSignatures:
    def test_a_public_library_verifies_it(self, receiver: Receiver) -> None:
        assert Posted(receiver).send() == 200

        (got,) = receiver.got
        payload = StandardWebhook(NEW).verify(got.body.decode(), got.headers)
        assert payload == {"type": "object.failed", "timestamp": DETAIL["time"], "data": DETAIL}
        assert (got.path, got.headers["webhook-id"]) == ("/hook?a=b", DETAIL["id"])
        assert got.headers["content-type"] == "application/json"

    def test_while_a_secret_is_rotated_a_receiver_with_either_is_content(self, receiver: Receiver) -> None:
        Posted(receiver, secret=f"{NEW} {OLD}\n").send()

        (got,) = receiver.got
        for secret in (NEW, OLD):
            assert StandardWebhook(secret).verify(got.body.decode(), got.headers)

    def test_what_somebody_changed_is_noticed(self, receiver: Receiver) -> None:
        Posted(receiver).send()

        (got,) = receiver.got
        changed = got.body.replace(b"nightly", b"weekly")
        for body, headers in ((changed, got.headers), (got.body, got.headers | {"webhook-id": "another"})):
            with pytest.raises(WebhookVerificationError):
                StandardWebhook(NEW).verify(body.decode(), headers)
        with pytest.raises(WebhookVerificationError):
            StandardWebhook(OLD).verify(got.body.decode(), got.headers)

    @pytest.mark.parametrize("text", ["", "whsec_", "short", "whsec_c2hvcnQ=", f"{NEW} " * 3, "whsec_no base64!"])
    def test_a_secret_that_signs_nothing_is_refused_and_not_shown(self, text: str) -> None:
        with pytest.raises(BadCredentials, match="the secret 's'") as refused:
            parse_secrets(text, of="the secret 's'")

        assert not any(word in str(refused.value) for word in text.split() if len(word) > len("whsec_"))


class TestReceiversAnswers:
    @pytest.mark.parametrize("status", [500, 503, 429, 404, 301, 302])
    def test_what_is_not_taken_is_tried_again(self, receiver: Receiver, status: int) -> None:
        """A redirect, too: it is followed nowhere."""
        receiver.answers["/hook?a=b"] = [status, 204]
        posted = Posted(receiver)

        with pytest.raises(ServiceUnavailable, match=f"answered {status}"):
            posted.send()
        assert posted.send() == 204
        assert [got.path for got in receiver.got] == ["/hook?a=b"] * 2
        first, second = (got.headers["webhook-id"] for got in receiver.got)
        assert first == second

    def test_after_410_nothing_is_sent_any_more(self, receiver: Receiver) -> None:
        receiver.answers["/hook?a=b"] = [410]
        posted = Posted(receiver)

        assert [posted.send(), posted.send(), posted.send()] == [410, None, None]

        assert len(receiver.got) == 1
        (listed,) = posted.sender.list()
        assert listed["off_since"] is not None

    def test_a_test_that_is_taken_switches_it_on_again(self, receiver: Receiver) -> None:
        receiver.answers["/hook?a=b"] = [410, 500]
        posted = Posted(receiver)
        posted.send()

        assert posted.sender.test("ops")["taken"] is False
        assert posted.send() is None
        answer = posted.sender.test("ops")

        assert (answer["taken"], answer["status"]) == (True, 200)
        assert posted.send() == 200
        got = receiver.got[-2]
        assert StandardWebhook(NEW).verify(got.body.decode(), got.headers)["type"] == "webhook.test"

    def test_another_address_of_a_webhook_that_is_off_is_on(self, receiver: Receiver) -> None:
        posted = Posted(receiver)
        posted.switches.put(Switch(webhook="ops", url="https://old.example", since=datetime.now(UTC), revision=1))

        assert posted.send() == 200

    def test_who_is_slow_is_given_up_within_the_time(self, receiver: Receiver) -> None:
        receiver.delay = 30.0

        with pytest.raises(ServiceUnavailable, match=r"within 0\.2 seconds"):
            Posted(receiver, timeout=0.2).send()

    def test_who_sends_a_byte_now_and_then_is_given_up_too(self) -> None:
        """Each read would be in time."""
        with dripping() as port:
            poster = HttpPoster(may_be_loopback=True, timeout=0.3)

            with pytest.raises(ServiceUnavailable, match=r"within 0\.3 seconds"):
                poster.post(f"http://127.0.0.1:{port}/", WebhookRequest(b"{}", {}))

    def test_who_is_not_there_is_said_to_be_so(self) -> None:
        with receiving() as gone:
            posted = Posted(gone)

        with pytest.raises(ServiceUnavailable, match="could not be reached"):
            posted.send()
        assert "could not be reached" in posted.sender.test("ops")["reason"]

    def test_what_is_not_active_gets_nothing(self, receiver: Receiver) -> None:
        assert Posted(receiver, active=False).send() is None
        assert receiver.got == []

    def test_there_are_five_tries_with_growing_waits(self) -> None:
        waits = [find_wait(tries) for tries in range(1, MOST_TRIES + 1)]

        assert waits == [5, 60, 600, 3600, None]

    def test_a_webhook_that_is_not_there_is_refused_with_those_that_are(self, receiver: Receiver) -> None:
        with pytest.raises(UsageError, match="has ops"):
            Posted(receiver).sender.test("opps")


class TestWebhookAddresses:
    """What is never sent to, whoever wrote the configuration."""

    def post(self, url: str) -> None:
        HttpPoster(timeout=1.0).post(url, WebhookRequest(b"{}", {}))

    @pytest.mark.parametrize(
        "host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.1", "[fe80::1]", "100.64.0.1"]
    )
    def test_no_address_within_the_network_is_sent_to(self, host: str) -> None:
        with pytest.raises(ServiceUnavailable, match="no public address"):
            self.post(f"https://{host}/latest/meta-data")

    def test_nothing_is_sent_in_the_clear(self, receiver: Receiver) -> None:
        with pytest.raises(ServiceUnavailable, match="only https"):
            self.post(receiver.url)
        assert receiver.got == []

    @pytest.mark.parametrize(
        "url",
        [
            "http://hooks.example.com/x",
            "ftp://hooks.example.com",
            "https://user:word@hooks.example.com",
            "https://hooks.example.com/#part",
            "https:///path",
            "https://hooks.example.com:port/",
            "https://hooks.example.com/a b",
            "http://127.0.0.1.example.com/",
        ],
    )
    def test_an_address_that_is_none_of_ours_is_refused(self, url: str) -> None:
        with pytest.raises(InvalidConfiguration, match="https://host/path"):
            configured({"url": url})


class TestVendorsFormat:
    """The envelope, names and signature that receivers of Polytomic's webhooks know."""

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("run.started", "bulk_sync.running"),
            ("run.completed", "bulk_sync.completed"),
            ("run.completed_with_errors", "bulk_sync.completed_with_error"),
            ("run.failed", "bulk_sync.failed"),
        ],
    )
    def test_a_run_has_the_vendors_name(self, receiver: Receiver, name: str, kind: str) -> None:
        Posted(receiver, secret="a shared secret", format="polytomic").send(name, run="r1", error={"message": "why"})

        (got,) = receiver.got
        body = json.loads(got.body)
        assert (body["type"], body["event"]["name"], body["event"]["error"]) == (kind, "nightly", "why")
        assert len(body["event"]["organization_id"]) == 36
        assert got.headers["polytomic-signature"] == hmac.new(b"a", got.body, hashlib.sha256).hexdigest()
        assert "webhook-signature" not in got.headers

    def test_a_model_syncs_runs_have_others(self, receiver: Receiver) -> None:
        posted = Posted(receiver, secret="word", format="polytomic")
        model = model_document({"key": "in/customers.csv"})
        document = model.model_copy(update={"webhooks": posted.sender.document.webhooks})
        sender = WebhookSender(
            document=document,
            deployment="millrace",
            read_secret=lambda _name, _of: "word",
            poster=posted.sender.poster,
            switches=posted.switches,
            now=posted.sender.now,
        )

        for name in ("run.completed", "run.completed_with_errors"):
            sender.send("ops", HeardEvent(name=name, detail=DETAIL))

        assert [json.loads(got.body)["type"] for got in receiver.got] == [
            "sync.completed",
            "sync.completed_with_errors",
        ]

    def test_it_asks_for_runs_alone(self) -> None:
        (webhook,) = configured({"format": "polytomic"}).webhooks

        assert {str(name) for name in webhook.wanted_events} == {
            "run.started",
            "run.completed",
            "run.completed_with_errors",
            "run.failed",
        }
        with pytest.raises(InvalidConfiguration, match=r"none for object\.failed"):
            configured({"format": "polytomic", "events": ["run.failed", "object.failed"]})


class TestWebhookConfiguration:
    def test_every_event_has_the_name_that_its_class_has(self) -> None:
        classes = {event.name: event.detail_type for event in EVENTS if event is not WebhookTest}

        assert {str(name): name.detail_type for name in WebhookEvent} == classes

    def test_an_unknown_sync_is_refused_with_those_that_are(self) -> None:
        with pytest.raises(InvalidConfiguration, match=r"webhooks\[0\]\.syncs: found 'nighty'.*nightly"):
            configured({"syncs": ["nighty"]})

    def test_more_syncs_than_a_rule_can_name_are_refused_with_what_to_do(self) -> None:
        names = [f"{number:03} {'x' * 46}" for number in range(30)]

        with pytest.raises(InvalidConfiguration, match=r"webhooks\[0\]\.syncs: found 30 names of 1,6\d\d characters"):
            configured({"syncs": names})

    def test_two_of_one_name_are_refused(self) -> None:
        with pytest.raises(InvalidConfiguration, match="names are unique"):
            configured({}, {})

    def test_every_field_is_known_to_this_suite(self) -> None:
        assert set(Webhook.model_fields) == {"name", "url", "secret", "syncs", "events", "format", "active"}

    def test_messages_are_events_of_ours(self) -> None:
        body = json.dumps({"detail-type": "Millrace Object Failed", "detail": DETAIL, "source": "millrace"})

        assert HeardEvent.parse(body) == HeardEvent(name="object.failed", detail=DETAIL)
        with pytest.raises(LookupError):
            HeardEvent.parse('{"detail-type": "EC2 Instance State-change Notification", "detail": {}}')

    def test_a_call_by_hand_that_makes_no_sense_says_what_does(self) -> None:
        assert parse_call({"test": "ops"}) == "ops"
        assert parse_call({"list": True}) is None
        with pytest.raises(UsageError, match="expected"):
            parse_call({})
