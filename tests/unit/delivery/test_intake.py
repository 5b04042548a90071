"""One message: settled and acknowledged, or put off and kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from millrace.delivery.intake import ASKED_ANEW_AT, Intake, NotSettled
from millrace.delivery.worker import Outcome, Worker
from millrace.errors import OutOfTime, ServiceUnavailable, UnknownMessage
from millrace.ledger.claims import Delivery
from millrace.ledger.entries import State
from millrace.objects.messages import Request, compose_message
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef
from millrace.planning.planner import Planner
from tests.configurations import bulk_sync, document
from tests.fakes import InMemoryLedger, InMemoryObjectStore

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOURCE = ObjectRef("acme-in", "in/a.csv")


class Desk:
    """An intake on the fakes, which remembers what it told."""

    def __init__(self) -> None:
        self.store = InMemoryObjectStore({"acme-in": {}, "acme-out": {}})
        self.ledger = InMemoryLedger()
        self.outcomes: list[Outcome] = []
        self.notes: list[str] = []
        self.put_off: list[int] = []
        self.now = NOON
        worker = Worker.build(
            planner=Planner(document(bulk_sync(to="json"))),
            ledger=self.ledger,
            stores={"landing": self.store, "lake": self.store},
            queues={},
            now=lambda: self.now,
            engine="1",
            timeout_seconds=900,
        )
        self.intake = Intake(worker=worker, tell=self.outcomes.append, note=self.notes.append)

    def take(self, body: str, *, remaining: float = 900.0, message: str = "m", receives: int = 1) -> None:
        delivery = Delivery(message_id=message, remaining=lambda: remaining, receives=receives)
        self.intake.take(body, delivery, self.put_off.append)


def request(ref: ObjectRef = SOURCE) -> str:
    return compose_message(Request(change=ObjectChange(kind=ChangeKind.CREATED, ref=ref)))


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_settled_message_is_acknowledged(desk: Desk) -> None:
    desk.store.put(SOURCE, b"a\n1\n")

    desk.take(request())

    assert [outcome.result for outcome in desk.outcomes] == [State.CONVERTED]
    assert desk.put_off == []


def test_a_message_is_not_started_without_time_and_comes_back_at_once(desk: Desk) -> None:
    with pytest.raises(OutOfTime):
        desk.take(request(), remaining=59.0)

    assert (desk.put_off, desk.outcomes) == ([0], [])


def test_an_unknown_message_comes_back_at_once_so_that_it_reaches_the_dead_letters_soon(desk: Desk) -> None:
    with pytest.raises(UnknownMessage):
        desk.take("hello")

    assert desk.put_off == [0]


def test_a_test_event_is_noted_and_acknowledged(desk: Desk) -> None:
    desk.take('{"Event": "s3:TestEvent", "Bucket": "acme-in"}')

    assert desk.notes == ["test event of bucket acme-in"]


@pytest.mark.parametrize(("receives", "seconds"), [(1, 30), (2, 60), (3, 1440)])
def test_work_in_flight_puts_the_message_off_shortly_and_then_until_the_lease_ends(
    desk: Desk, receives: int, seconds: int
) -> None:
    desk.store.put(SOURCE, b"a\n1\n")
    desk.take(request())
    entry = desk.ledger.puts[0]
    desk.ledger.entries["nightly", SOURCE] = entry
    desk.now = NOON + timedelta(seconds=60)

    with pytest.raises(NotSettled):
        desk.take(request(), receives=receives)

    assert desk.put_off == [seconds]


class TestConfigurationErrors:
    """What only waits for another configuration is sent anew before its receipts are used up."""

    @pytest.fixture
    def denied(self, desk: Desk) -> Desk:
        """An intake whose source bucket does not exist."""
        self.anew: list[tuple[str, int]] = []
        del desk.store.buckets["acme-in"]
        desk.intake = replace(desk.intake, ask_anew=lambda body, seconds: self.anew.append((body, seconds)))
        return desk

    def test_the_first_receipts_come_back(self, denied: Desk) -> None:
        for receives in range(1, ASKED_ANEW_AT):
            with pytest.raises(NotSettled):
                denied.take(request(), receives=receives)

        assert self.anew == []
        assert denied.put_off == [30, 60]

    def test_a_later_one_is_sent_anew_and_acknowledged(self, denied: Desk) -> None:
        """So it never has five receipts, and never gets to the dead-letter queue."""
        denied.take(request(), receives=ASKED_ANEW_AT)

        assert self.anew == [(request(), 120)]
        assert denied.put_off == []

    def test_what_the_queue_did_not_take_comes_back(self, denied: Desk) -> None:
        def refuse(_body: str, _seconds: int) -> None:
            raise ServiceUnavailable("sqs:SendMessage failed")

        denied.intake = replace(denied.intake, ask_anew=refuse)

        with pytest.raises(ServiceUnavailable):
            denied.take(request(), receives=ASKED_ANEW_AT)

    def test_what_stays_transient_is_not_sent_anew(self, denied: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        """Objects that stayed transient are for the dead-letter queue."""

        def fail(*_: object, **__: object) -> None:
            raise ServiceUnavailable("s3:GetObject failed")

        monkeypatch.setattr(denied.store, "open", fail)

        with pytest.raises(NotSettled):
            denied.take(request(), receives=ASKED_ANEW_AT)
        assert self.anew == []
