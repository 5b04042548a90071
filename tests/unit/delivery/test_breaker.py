"""Circuit breakers: what counts, what opens, and that the breaker's own trouble is nobody else's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from millrace.delivery.breaker import TRIPS_AT, Breaker, Circuit, how_to_resume
from millrace.delivery.worker import Outcome
from millrace.errors import AccessDenied, LostRace, MalformedFile
from millrace.ledger.entries import Failure, State
from millrace.objects.references import ObjectRef
from tests.fakes import InMemoryCircuits

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
QUEUE = "arn:aws:sqs:us-east-1:111122223333:landing"
SOURCE = ObjectRef("acme-in", "a.csv")


def outcome(error: Exception | None = None, *, sync: str = "orders", source: ObjectRef = SOURCE) -> Outcome:
    if error is None:
        return Outcome(result=State.CONVERTED, source=source, sync=sync)
    failure = Failure.of(error)
    return Outcome(result=State.FAILED, source=source, sync=sync, failure=failure, reason=failure.message)


def denied(count: int, *, first: int = 0) -> list[Outcome]:
    """Configuration errors of so many distinct objects."""
    error = AccessDenied("s3:PutObject was denied")
    return [outcome(error, source=ObjectRef("acme-in", f"{first + number}.csv")) for number in range(count)]


(DENIED,) = denied(1)


class Panel:
    """A breaker on fakes, and what it did."""

    def __init__(self, circuits: InMemoryCircuits | None = None) -> None:
        self.circuits = circuits or InMemoryCircuits()
        self.paused: list[str] = []
        self.announced: list[Circuit] = []
        self.trouble: list[str] = []
        self.breaker = self.another()

    def another(self) -> Breaker:
        """The breaker of another process."""
        return Breaker(
            circuits=self.circuits,
            sources=self,
            now=lambda: NOON,
            announce=self.announced.append,
            trouble=self.trouble.append,
        )

    def pause(self, queue: str) -> None:
        self.paused.append(queue)

    def hear(self, *outcomes: Outcome) -> None:
        for one in outcomes:
            self.breaker.hear(one, QUEUE)


def test_errors_in_a_row_pause_the_event_source_and_are_announced_once() -> None:
    panel = Panel()

    panel.hear(*denied(TRIPS_AT - 1))
    assert panel.paused == []

    panel.hear(*denied(2, first=TRIPS_AT))
    assert set(panel.paused) == {QUEUE}
    (circuit,) = panel.announced
    assert (circuit.sync, circuit.reason, circuit.paused) == ("orders", "s3:PutObject was denied", NOON)


def test_one_object_that_comes_back_again_and_again_pauses_nothing() -> None:
    """In 12 quiet minutes it failed ten times, and a whole connection stood still; after each resume, too."""
    panel = Panel()

    for _ in range(3 * TRIPS_AT):
        panel.another().hear(DENIED, QUEUE)
        panel.hear(DENIED)

    circuit = panel.circuits.get(QUEUE)
    assert panel.paused == []
    assert circuit is not None
    assert circuit.revision == 1, "what is known already is not written again"


def test_without_the_ledger_one_object_pauses_nothing_either() -> None:
    panel = Panel()
    panel.circuits.denied = True

    panel.hear(*[DENIED] * 3 * TRIPS_AT)

    assert panel.paused == []


def test_errors_are_counted_across_processes() -> None:
    """Ten functions that see one error each are ten errors in a row."""
    panel = Panel()
    for error in denied(TRIPS_AT):
        panel.another().hear(error, QUEUE)

    assert panel.paused == [QUEUE]


def test_a_success_begins_the_count_anew() -> None:
    panel = Panel()
    panel.hear(*denied(TRIPS_AT - 1), outcome(), *denied(TRIPS_AT - 1, first=TRIPS_AT))

    assert panel.paused == []


def test_the_success_of_another_sync_says_nothing() -> None:
    panel = Panel()
    panel.hear(*denied(TRIPS_AT - 1), outcome(sync="others"), *denied(1, first=TRIPS_AT))

    assert panel.paused == [QUEUE]


def test_errors_of_the_data_do_not_count() -> None:
    panel = Panel()
    panel.hear(*[outcome(MalformedFile("no"))] * 50)

    assert panel.paused == []
    assert panel.circuits.get(QUEUE) is None


def test_good_days_cost_nothing() -> None:
    """Without a failure seen, a success neither reads nor writes."""
    panel = Panel()
    panel.circuits.denied = True

    panel.hear(*[outcome()] * 3)

    assert panel.trouble == []


def test_a_resumed_circuit_counts_from_nought() -> None:
    panel = Panel()
    panel.hear(*denied(TRIPS_AT))
    known = panel.circuits.get(QUEUE)
    assert known is not None
    panel.circuits.put(known.resumed())
    panel.paused.clear()

    panel.hear(*denied(TRIPS_AT - 1))
    assert panel.paused == []

    panel.hear(*denied(1, first=TRIPS_AT))
    assert panel.paused == [QUEUE]


def test_without_the_ledger_what_one_process_saw_must_do() -> None:
    """The ledger's own grant may be what is missing."""
    panel = Panel()
    panel.circuits.denied = True

    panel.hear(*denied(TRIPS_AT))

    assert panel.paused == [QUEUE]
    assert [circuit.sync for circuit in panel.announced] == ["orders"]
    assert len(panel.trouble) == TRIPS_AT


def test_a_race_is_counted_by_both() -> None:
    panel = Panel()
    panel.circuits.lose = 2

    panel.hear(DENIED)

    known = panel.circuits.get(QUEUE)
    assert known is not None
    assert {sync: len(objects) for sync, objects in known.failures.items()} == {"orders": 1}


def test_an_event_source_that_cannot_be_paused_is_announced_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = Panel()

    def refuse(_queue: str) -> None:
        raise AccessDenied("lambda:UpdateEventSourceMapping was denied")

    monkeypatch.setattr(panel, "pause", refuse)
    panel.hear(*denied(TRIPS_AT))

    assert panel.announced
    assert panel.trouble == ["lambda:UpdateEventSourceMapping was denied"]


def test_a_store_refuses_a_revision_that_was_not_read() -> None:
    circuits = InMemoryCircuits()
    circuits.put(Circuit(queue=QUEUE, revision=1))

    with pytest.raises(LostRace):
        circuits.put(Circuit(queue=QUEUE, revision=1))


def test_an_outcome_of_no_sync_says_nothing() -> None:
    """Nobody reads such an object."""
    panel = Panel()
    panel.circuits.denied = True

    panel.hear(Outcome(result=State.CONVERTED, source=SOURCE), Outcome(result=State.IGNORED, source=SOURCE))

    assert panel.trouble == []


@pytest.mark.parametrize(("result", "begins_anew"), [(State.QUARANTINED, True), (State.IGNORED, False)])
def test_only_what_is_converted_speaks_for_the_grants(result: State, *, begins_anew: bool) -> None:
    panel = Panel()
    panel.hear(*denied(TRIPS_AT - 1), Outcome(result=result, source=SOURCE, sync="orders"))
    panel.hear(*denied(1, first=TRIPS_AT))

    assert panel.paused == ([] if begins_anew else [QUEUE])


def test_a_success_is_written_down_only_by_who_saw_a_failure_and_once() -> None:
    panel = Panel()
    panel.hear(DENIED, outcome(), outcome())

    known = panel.circuits.get(QUEUE)
    assert known is not None
    assert (known.revision, known.failures) == (2, {})


def test_what_is_paused_stays_so_whatever_is_heard_and_is_announced_once() -> None:
    panel = Panel()
    panel.hear(*denied(TRIPS_AT), *denied(3, first=TRIPS_AT), outcome())

    known = panel.circuits.get(QUEUE)
    assert known is not None
    assert known.paused == NOON
    assert len(panel.announced) == 1
    assert panel.paused == [QUEUE] * 5, "a message that is still under way pauses it again"


@pytest.mark.parametrize(("lost", "in_trouble"), [(4, False), (5, True)])
def test_a_circuit_that_others_keep_changing_is_given_up_after_five_tries(lost: int, *, in_trouble: bool) -> None:
    panel = Panel()
    panel.circuits.lose = lost

    panel.hear(DENIED)

    assert bool(panel.trouble) == in_trouble


def test_a_circuit_nobody_wrote_is_of_no_revision_and_says_how_it_is_resumed() -> None:
    circuit = Circuit(queue=QUEUE, sync="orders", reason="no grant")

    assert (circuit.revision, circuit.paused) == (0, None)
    assert circuit.resumed() == Circuit(queue=QUEUE, revision=1)
    assert "millrace resume" in how_to_resume(circuit)
    assert "no grant" in how_to_resume(circuit)


def test_what_paused_a_circuit_first_is_what_it_says() -> None:
    circuit = Circuit(queue=QUEUE)
    for number in range(2 * TRIPS_AT):
        reason = f"no grant {number}"
        circuit = circuit.failed("orders", ObjectRef("acme-in", f"{number}.csv"), reason, NOON + timedelta(number))

    assert (circuit.reason, circuit.paused) == (f"no grant {TRIPS_AT - 1}", NOON + timedelta(TRIPS_AT - 1))
