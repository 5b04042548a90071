"""One message: settled and acknowledged, put off and kept, or made a dead letter."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from millrace.delivery.batch import take_batch
from millrace.delivery.intake import Grounds, Intake, NotSettled, Received
from millrace.delivery.tickets import TicketCounter
from millrace.delivery.worker import TRIED_AGAIN, Outcome, Worker
from millrace.errors import OutOfTime, ServiceUnavailable
from millrace.ledger.claims import Delivery
from millrace.ledger.entries import LONGEST_WAIT, Entry, State
from millrace.ledger.rules import MOST_ATTEMPTS, RefusalKind
from millrace.objects.messages import Request, Ticket, TicketResult, compose_message
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef
from millrace.operations.backfills.board import Backfill, BackfillState, Board
from millrace.planning.planner import Planner
from tests.configurations import bulk_sync, document
from tests.fakes import InMemoryBackfills, InMemoryLedger, InMemoryObjectStore

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOURCE = ObjectRef("acme-in", "in/a.csv")


class Desk:
    """An intake on the fakes, which remembers what it heard. ``refuses``: the queues take nothing."""

    def __init__(self) -> None:
        self.store = InMemoryObjectStore({"acme-in": {}, "acme-out": {}})
        self.ledger = InMemoryLedger()
        self.outcomes: list[Outcome] = []
        self.notes: list[str] = []
        self.delays: list[int] = []
        self.deleted: list[str] = []
        self.buried: list[tuple[str, Grounds]] = []
        self.refuses = False
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

    def receive(
        self,
        body: str,
        *,
        remaining: Callable[[], float] = lambda: 900.0,
        message: str = "m",
        receives: int = 1,
        is_alone: bool = True,
        sent: datetime = NOON,
    ) -> Received:
        delivery = Delivery(
            message_id=message,
            remaining=remaining,
            receives=receives,
            sent=sent,
            is_alone=is_alone,
        )
        return Received(body=body, delivery=delivery, receipt=DeskReceipt(self, message))

    def take(self, body: str, *, remaining: float = 900.0, message: str = "m", receives: int = 1) -> None:
        self.intake.take(self.receive(body, remaining=lambda: remaining, message=message, receives=receives))

    def die_over(self, key: str = "a") -> Entry:
        """Leave a lease that ran out over an object, as a worker does that is killed."""
        ref = ObjectRef("acme-in", f"in/{key}.csv")
        self.take(request(ref))
        entry = next(put for put in self.ledger.works_put() if put.source == ref)
        self.ledger.entries["nightly", ref] = entry
        self.outcomes.clear()
        self.now += timedelta(hours=2)
        return entry


class DeskReceipt:
    """Satisfies Receipt."""

    def __init__(self, desk: Desk, message: str) -> None:
        self.desk = desk
        self.message = message

    def put_off(self, seconds: int, /) -> None:
        self.desk.delays.append(seconds)

    def delete(self) -> None:
        if self.desk.refuses:
            raise ServiceUnavailable("sqs:DeleteMessage failed")
        self.desk.deleted.append(self.message)

    def bury(self, body: str, grounds: Grounds, /) -> None:
        if self.desk.refuses:
            raise ServiceUnavailable("sqs:SendMessage failed")
        self.desk.buried.append((body, grounds))


def request(ref: ObjectRef = SOURCE) -> str:
    return compose_message(Request(change=ObjectChange(kind=ChangeKind.CREATED, ref=ref)))


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_settled_message_is_acknowledged(desk: Desk) -> None:
    desk.store.put(SOURCE, b"a\n1\n")

    desk.take(request())

    assert [outcome.result for outcome in desk.outcomes] == [State.CONVERTED]
    assert desk.delays == []


def test_a_message_is_not_started_without_time_and_comes_back_at_once(desk: Desk) -> None:
    with pytest.raises(OutOfTime):
        desk.take(request(), remaining=59.0)

    assert (desk.delays, desk.outcomes) == ([0], [])


def test_the_clock_is_looked_at_for_each_record_of_a_message(desk: Desk) -> None:
    """A message names up to ten objects, and the invocation may end after the first."""
    names = ("a", "b")
    for name in names:
        desk.store.put(ObjectRef("acme-in", f"in/{name}.csv"), b"a\n1\n")
    records = ", ".join(map(_record, names))

    with pytest.raises(NotSettled):
        desk.intake.take(
            desk.receive(f'{{"Records": [{records}]}}', remaining=lambda: 10.0 if desk.outcomes else 900.0)
        )

    assert [outcome.source.key for outcome in desk.outcomes] == ["in/a.csv"]
    assert desk.delays == [0]
    assert desk.buried == []


def _record(name: str) -> str:
    return (
        '{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "acme-in"},'
        f' "object": {{"key": "in/{name}.csv", "sequencer": "0A"}}}}}}'
    )


def test_a_test_event_is_noted_and_acknowledged(desk: Desk) -> None:
    desk.take('{"Event": "s3:TestEvent", "Bucket": "acme-in"}')

    assert desk.notes == ["test event of bucket acme-in"]


class TestWaiting:
    """Receipts are no attempts: whatever a message waits for, it costs nothing."""

    @pytest.mark.parametrize(("receives", "seconds"), [(1, 30), (2, 60), (3, 1440), (900, 1440)])
    def test_a_copy_of_work_in_flight_looks_soon_then_hides_until_the_lease_ends(
        self, desk: Desk, receives: int, seconds: int
    ) -> None:
        desk.store.put(SOURCE, b"a\n1\n")
        desk.take(request())
        entry = desk.ledger.puts[0]
        desk.ledger.entries["nightly", SOURCE] = entry
        desk.now = NOON + timedelta(seconds=60)

        with pytest.raises(NotSettled):
            desk.intake.take(desk.receive(_event("0B", "m"), receives=receives))

        assert desk.delays == [seconds]
        assert desk.buried == []

    @pytest.mark.parametrize(("receives", "seconds"), [(1, 30), (2, 60), (3, 1440), (900, 1440)])
    def test_a_newer_change_looks_soon_whether_the_work_in_flight_is_over(
        self, desk: Desk, receives: int, seconds: int
    ) -> None:
        desk.store.put(SOURCE, b"a\n1\n")
        desk.take(_event("0A", "first"))
        desk.ledger.entries["nightly", SOURCE] = desk.ledger.puts[0]
        desk.now = NOON + timedelta(seconds=60)

        with pytest.raises(NotSettled):
            desk.intake.take(desk.receive(_event("0B", "e2"), receives=receives, message="m2"))

        assert desk.delays == [seconds]

    def test_what_only_a_grant_can_help_waits_for_as_long_as_it_takes(self, desk: Desk) -> None:
        del desk.store.buckets["acme-in"]

        for receives in range(1, 40):
            with pytest.raises(NotSettled):
                desk.take(request(), receives=receives)

        assert desk.buried == []
        assert desk.delays[:6] == [30, 60, 120, 240, 480, 900]
        assert next(desk.ledger.works()).attempts == 0

    def test_a_message_that_waited_nine_days_is_a_dead_letter_before_its_queue_deletes_it(self, desk: Desk) -> None:
        del desk.store.buckets["acme-in"]
        body = request()

        desk.intake.take(desk.receive(body, sent=NOON - LONGEST_WAIT - timedelta(seconds=1), receives=700))

        ((sent, grounds),) = desk.buried
        assert (sent, grounds.error, grounds.sync, grounds.key) == (body, "NoSuchBucket", "nightly", SOURCE.key)

    def test_one_that_only_waited_for_other_work_until_then_says_for_what(self, desk: Desk) -> None:
        desk.store.put(SOURCE, b"a\n1\n")
        desk.take(_event("0A", "first"))
        desk.ledger.entries["nightly", SOURCE] = desk.ledger.puts[0]

        late = NOON - LONGEST_WAIT - timedelta(seconds=1)
        desk.intake.take(desk.receive(_event("0B", "e2"), sent=late, receives=700, message="m2"))

        ((_, grounds),) = desk.buried
        assert (grounds.reason, grounds.error) == (RefusalKind.BUSY, RefusalKind.BUSY)

    def test_work_that_ran_out_of_time_was_no_attempt(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(desk.store, "open", raiser(OutOfTime("too late")))

        for receives in range(1, 20):
            with pytest.raises(NotSettled):
                desk.take(request(), receives=receives)

        assert desk.buried == []
        assert {outcome.result for outcome in desk.outcomes} == {TRIED_AGAIN}


def test_a_message_that_was_cut_comes_back_however_old_it_is(desk: Desk) -> None:
    """Nothing of it has failed: the invocation ended before the second of its records."""
    for name in ("a", "b"):
        desk.store.put(ObjectRef("acme-in", f"in/{name}.csv"), b"a\n1\n")
    records = ", ".join(map(_record, ("a", "b")))
    remaining = {0: 900.0, 1: 10.0}
    message = desk.receive(
        f'{{"Records": [{records}]}}',
        remaining=lambda: remaining[len(desk.outcomes)],
        sent=NOON - LONGEST_WAIT - timedelta(days=1),
    )

    with pytest.raises(NotSettled):
        desk.intake.take(message)

    assert [outcome.result for outcome in desk.outcomes] == [State.CONVERTED]
    assert (desk.delays, desk.buried) == ([0], [])


def _event(sequencer: str, etag: str) -> str:
    from millrace.objects.references import Sequencer  # noqa: PLC0415 - used here alone

    change = ObjectChange(kind=ChangeKind.CREATED, ref=SOURCE, sequencer=Sequencer.parse(sequencer), etag=etag)
    return compose_message(Request(change=change))


def raiser(error: Exception) -> object:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


class TestDeadLetters:
    """The function makes them, with the reason."""

    @pytest.fixture
    def failing(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
        monkeypatch.setattr(desk.store, "open", raiser(ServiceUnavailable("s3:GetObject failed")))
        return desk

    def test_five_real_attempts_make_one(self, failing: Desk) -> None:
        for receives in range(1, MOST_ATTEMPTS):
            with pytest.raises(NotSettled):
                failing.take(request(), receives=receives)

        failing.take(request(), receives=MOST_ATTEMPTS)

        ((body, grounds),) = failing.buried
        assert body == request()
        assert grounds == Grounds(
            reason="s3:GetObject failed", error="ServiceUnavailable", sync="nightly", key=SOURCE.key
        )

    def test_receipts_without_work_do_not_count(self, failing: Desk) -> None:
        """For example those of an invocation that was throttled."""
        with pytest.raises(NotSettled):
            failing.take(request(), receives=600)

        assert failing.buried == []

    def test_one_that_is_sent_back_has_all_its_attempts_again(self, failing: Desk) -> None:
        for receives in range(1, MOST_ATTEMPTS):
            with pytest.raises(NotSettled):
                failing.take(request(), receives=receives)
        failing.take(request(), receives=MOST_ATTEMPTS)

        with pytest.raises(NotSettled):
            failing.take(request(), message="sent back", receives=1)

        assert next(failing.ledger.works()).attempts == 1

    def test_a_message_that_nobody_can_read_is_one_at_once(self, desk: Desk) -> None:
        desk.take("hello")

        ((body, grounds),) = desk.buried
        assert (body, grounds.error) == ("hello", "UnknownMessage")
        assert "not JSON" in grounds.reason
        assert desk.delays == []

    def test_one_that_the_queue_did_not_take_comes_back(self, desk: Desk) -> None:
        desk.refuses = True

        with pytest.raises(NotSettled):
            desk.take("hello")

        assert desk.delays == [30]

    def test_what_can_be_read_of_a_message_is_worked_on_before_the_rest_is_one(self, desk: Desk) -> None:
        desk.store.put(SOURCE, b"a\n1\n")
        body = f'{{"Records": [{_record("a")}, {{}}, 7]}}'

        desk.take(body)

        assert [outcome.result for outcome in desk.outcomes] == [State.CONVERTED]
        ((sent, grounds),) = desk.buried
        assert (sent, grounds.error) == (body, "UnknownMessage")
        assert "record 2 of 3" in grounds.reason
        assert "; record 3 of 3" in grounds.reason

    def test_a_message_is_none_while_a_part_of_it_may_still_succeed(self, failing: Desk) -> None:
        with pytest.raises(NotSettled):
            failing.take(f'{{"Records": [{_record("a")}, {{}}]}}')

        assert (failing.buried, failing.delays) == ([], [30])

    def test_one_of_two_that_are_given_up_keeps_the_message(self, failing: Desk) -> None:
        """Its objects were asked for by other messages, too, and so have other counts."""
        for receives in range(1, MOST_ATTEMPTS):
            with pytest.raises(NotSettled):
                failing.take(f'{{"Records": [{_record("a")}]}}', receives=receives)

        with pytest.raises(NotSettled, match="2 of what the message names"):
            failing.take(f'{{"Records": [{_record("a")}, {_record("b")}]}}', receives=MOST_ATTEMPTS)

        assert failing.buried == []

    def test_reasons_that_are_alike_are_said_once(self, failing: Desk) -> None:
        body = f'{{"Records": [{_record("a")}, {_record("b")}]}}'
        for receives in range(1, MOST_ATTEMPTS):
            with pytest.raises(NotSettled):
                failing.take(body, receives=receives)
        failing.take(body, receives=MOST_ATTEMPTS)

        ((_, grounds),) = failing.buried
        assert (grounds.reason, grounds.key) == ("s3:GetObject failed", "in/a.csv")

    @pytest.mark.parametrize(("over", "is_one"), [(timedelta(0), False), (timedelta(seconds=1), True)])
    def test_a_message_may_come_back_for_nine_days(self, desk: Desk, over: timedelta, *, is_one: bool) -> None:
        del desk.store.buckets["acme-in"]
        old = desk.receive(request(), sent=NOON - LONGEST_WAIT - over)

        with suppress(NotSettled):
            desk.intake.take(old)

        assert bool(desk.buried) == is_one

    def test_a_message_that_does_not_say_when_it_was_sent_comes_back(self, desk: Desk) -> None:
        del desk.store.buckets["acme-in"]
        message = desk.receive(request())
        undated = replace(message, delivery=replace(message.delivery, sent=None))

        with pytest.raises(NotSettled):
            desk.intake.take(undated)


@pytest.mark.parametrize(("timeout", "left", "starts"), [(900, 60.0, True), (100, 20.0, True), (100, 19.9, False)])
def test_a_minute_or_a_fifth_of_the_time_is_enough_to_start(
    desk: Desk, timeout: float, left: float, *, starts: bool
) -> None:
    desk.store.put(SOURCE, b"a\n1\n")
    worker = desk.intake.worker
    objects = replace(worker.objects, timeout_seconds=timeout)
    desk.intake = replace(desk.intake, worker=replace(worker, objects=objects))

    with suppress(OutOfTime):
        desk.take(request(), remaining=left)

    assert bool(desk.outcomes) == starts


class TestSuspects:
    """One object's death costs one object."""

    @pytest.fixture
    def batch(self, desk: Desk) -> list[Received]:
        """Three messages; a worker died over what the second names."""
        for name in ("a", "killer", "b"):
            desk.store.put(ObjectRef("acme-in", f"in/{name}.csv"), b"a\n1\n")
        desk.die_over("killer")
        return [
            desk.receive(request(ObjectRef("acme-in", f"in/{name}.csv")), message=name, is_alone=False)
            for name in ("a", "killer", "b")
        ]

    def test_one_works_last_after_the_settled_messages_are_deleted(self, desk: Desk, batch: list[Received]) -> None:
        returning = take_batch(desk.intake, batch, lambda _message, _error: None)

        assert returning == []
        assert desk.deleted == ["b", "a"]
        assert [(outcome.source.key, outcome.result) for outcome in desk.outcomes] == [
            ("in/a.csv", State.CONVERTED),
            ("in/killer.csv", RefusalKind.SUSPECT),
            ("in/b.csv", State.CONVERTED),
            ("in/killer.csv", State.CONVERTED),
        ]

    def test_one_does_not_work_if_the_others_could_not_be_deleted(self, desk: Desk, batch: list[Received]) -> None:
        desk.refuses = True

        heard: list[tuple[str, str]] = []

        def hear(message: Received, error: Exception) -> None:
            heard.append((message.delivery.message_id, type(error).__name__))

        returning = take_batch(desk.intake, batch, hear)

        assert returning == ["killer"]
        assert desk.delays == [30]
        assert heard == [("killer", "ServiceUnavailable")]
        assert RefusalKind.SUSPECT in {outcome.result for outcome in desk.outcomes}
        assert len(desk.outcomes) == 3, "it was not worked on"

    def test_a_message_that_fails_comes_back_and_the_others_are_worked_on(
        self, desk: Desk, batch: list[Received]
    ) -> None:
        heard: list[str] = []
        bad = replace(batch[0], receipt=DeskReceipt(desk, "bad"), delivery=replace(batch[0].delivery, message_id="bad"))
        late = replace(bad, delivery=replace(bad.delivery, remaining=lambda: 1.0))

        returning = take_batch(desk.intake, [late, *batch], lambda message, _: heard.append(message.body))

        assert returning == ["bad"]
        assert heard == [late.body]
        assert desk.deleted == ["b", "a"]

    def test_a_batch_of_one_needs_no_second_turn(self, desk: Desk, batch: list[Received]) -> None:
        take_batch(desk.intake, [batch[1].alone()], lambda _message, _error: None)

        assert [outcome.result for outcome in desk.outcomes] == [State.CONVERTED]

    def test_three_deaths_fail_the_object_as_data(self, desk: Desk) -> None:
        desk.store.put(SOURCE, b"a\n1\n")
        for _ in range(3):
            desk.die_over()
            desk.ledger.entries["nightly", SOURCE] = _last_in_flight(desk)

        desk.take(request())

        entry = desk.ledger.get("nightly", SOURCE)
        assert entry is not None
        assert entry.failure is not None
        assert (entry.state, entry.failure.error, entry.settled) == (State.FAILED, "Crashed", True)
        assert desk.buried == []


def _last_in_flight(desk: Desk) -> Entry:
    return [put for put in desk.ledger.works_put() if put.state is State.IN_FLIGHT][-1]


class TestTickets:
    """What became of a backfill's requests is counted when their messages need not come back."""

    @pytest.fixture
    def book(self, desk: Desk) -> InMemoryBackfills:
        book = InMemoryBackfills()
        desk.intake = replace(desk.intake, tickets=TicketCounter(book, lambda: desk.now))
        return book

    @pytest.mark.parametrize(("data", "result"), [(b"a\n1\n", TicketResult.DONE), (b'a\n"1', TicketResult.FAILED)])
    def test_a_settled_request_counts_as_what_became_of_it(
        self, desk: Desk, book: InMemoryBackfills, data: bytes, result: TicketResult
    ) -> None:
        desk.store.put(SOURCE, data)

        desk.take(ticketed(3))

        assert book.settled == {}
        assert desk.intake.count_tickets() == {}
        assert book.settled == {("fill", "1-1-0", result): {3}}

    def test_a_request_without_a_ticket_counts_nowhere(self, desk: Desk, book: InMemoryBackfills) -> None:
        """An event of S3, in the same batch as a backfill's."""
        desk.store.put(SOURCE, b"a\n1\n")
        desk.take(request(), message="of an event")
        desk.take(ticketed(3), message="of a backfill")

        assert desk.intake.count_tickets() == {}
        assert book.settled == {("fill", "1-1-0", TicketResult.DONE): {3}}

    def test_where_no_backfills_come_a_ticket_counts_nowhere(self, desk: Desk) -> None:
        """The message of one was moved by hand to the queue of another function."""
        desk.store.put(SOURCE, b"a\n1\n")

        desk.take(ticketed(3))

        assert [outcome.result for outcome in desk.outcomes] == [State.CONVERTED]
        assert desk.intake.count_tickets() == {}

    def test_a_request_that_comes_back_does_not_count_yet(self, desk: Desk, book: InMemoryBackfills) -> None:
        del desk.store.buckets["acme-in"]

        with pytest.raises(NotSettled):
            desk.take(ticketed(3))

        assert (desk.intake.count_tickets(), book.settled) == ({}, {})

    def test_a_request_that_is_a_dead_letter_has_failed(self, desk: Desk, book: InMemoryBackfills) -> None:
        del desk.store.buckets["acme-in"]
        old = NOON - LONGEST_WAIT - timedelta(seconds=1)

        desk.intake.take(desk.receive(ticketed(3), sent=old))

        assert len(desk.buried) == 1
        assert desk.intake.count_tickets() == {}
        assert book.settled == {("fill", "1-1-0", TicketResult.FAILED): {3}}

    def test_a_message_whose_ticket_cannot_be_counted_comes_back(
        self, desk: Desk, book: InMemoryBackfills, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_args: object) -> None:
            raise ServiceUnavailable("the table is throttled")

        monkeypatch.setattr(book, "count", refuse)
        desk.store.put(SOURCE, b"a\n1\n")
        desk.take(ticketed(3), message="m3")

        assert list(desk.intake.count_tickets()) == ["m3"]
        assert desk.intake.count_tickets() == {}

    def test_requests_of_a_backfill_that_was_given_up_are_noted_and_not_worked_on(
        self, desk: Desk, book: InMemoryBackfills
    ) -> None:
        desk.store.put(SOURCE, b"a\n1\n")
        row = Backfill(name="fill", sync="nightly", prefix="in/", started=NOON, state=BackfillState.STOPPED)
        book.put_board(Board().with_row(row))

        desk.take(ticketed(3))

        assert (desk.outcomes, desk.deleted, desk.delays) == ([], [], [])
        assert desk.notes == [f"{SOURCE}: the backfill that asked for it was stopped"]


def ticketed(number: int) -> str:
    change = ObjectChange(kind=ChangeKind.CREATED, ref=SOURCE)
    return compose_message(Request(change=change, sync="nightly", ticket=Ticket("fill", "1-1-0", number)))
