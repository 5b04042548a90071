"""One message: settled and acknowledged, or put off and kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from millrace.errors import OutOfTime, UnknownMessage
from millrace.events import Request, compose_message
from millrace.intake import Intake, NotSettled
from millrace.ledger import State
from millrace.objects import ChangeKind, ObjectChange, ObjectRef
from millrace.plan import Planner
from millrace.worker import Delivery, Outcome, Worker
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


@pytest.mark.parametrize(("receives", "seconds"), [(1, 30), (2, 60), (3, 900)])
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
