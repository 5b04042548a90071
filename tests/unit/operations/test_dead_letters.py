"""Why a message is in the dead-letter queue."""

from __future__ import annotations

from dataclasses import replace

import pytest

from millrace.errors import AccessDenied, MalformedFile, ServiceUnavailable
from millrace.ledger.entries import Entry, Failure, State
from millrace.objects.messages import Request, compose_message
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef
from millrace.operations.dead_letters import Examined, Letter, LetterClass, examine
from tests.fakes import InMemoryLedger

SOURCE = ObjectRef("acme-in", "a.csv")
BODY = compose_message(Request(change=ObjectChange(kind=ChangeKind.CREATED, ref=SOURCE)))


def examined(*states: tuple[str, State, Exception | None], body: str = BODY) -> Examined:
    ledger = InMemoryLedger()
    for sync, state, error in states:
        entry = Entry.unseen(sync, SOURCE, fingerprint="f", engine="1")
        failure = Failure.of(error) if error else None
        ledger.put(replace(entry, state=state, revision=1, failure=failure))
    return examine(Letter(id="m", body=body), syncs=("orders", "others"), ledger=ledger)


@pytest.mark.parametrize(
    ("state", "error", "expected"),
    [
        (State.FAILED, ServiceUnavailable("503"), LetterClass.TRANSIENT),
        (State.FAILED, AccessDenied("denied"), LetterClass.CONFIGURATION),
        (State.FAILED, MalformedFile("bad"), LetterClass.SETTLED),
        (State.IN_FLIGHT, None, LetterClass.TRANSIENT),
        (State.CONVERTED, None, LetterClass.SETTLED),
        (State.REMOVED, None, LetterClass.SETTLED),
    ],
)
def test_the_ledger_says_why(state: State, error: Exception | None, expected: LetterClass) -> None:
    found = examined(("orders", state, error))

    assert found.letter_class is expected
    assert found.objects == (str(SOURCE),)
    assert found.reason is not None
    assert found.reason.startswith("orders: ")


def test_the_worst_of_several_syncs_counts() -> None:
    """Redriving does not help before the grant is there."""
    found = examined(
        ("orders", State.FAILED, ServiceUnavailable("503")), ("others", State.FAILED, AccessDenied("denied"))
    )

    assert found.letter_class is LetterClass.CONFIGURATION


def test_what_the_ledger_never_heard_of_was_never_begun() -> None:
    assert examined().letter_class is LetterClass.TRANSIENT


@pytest.mark.parametrize("body", ["{}", "no JSON", '{"Records": [{"eventSource": "aws:s3"}]}'])
def test_what_nobody_can_read_is_told_with_what_was_found(body: str) -> None:
    found = examined(body=body)

    assert found.letter_class is LetterClass.UNREADABLE
    assert found.reason


def test_a_test_event_asks_for_nothing() -> None:
    assert examined(body='{"Event": "s3:TestEvent", "Bucket": "acme-in"}').letter_class is LetterClass.SETTLED


def test_a_letter_that_names_its_sync_is_judged_by_that_alone() -> None:
    change = ObjectChange(kind=ChangeKind.CREATED, ref=SOURCE)
    body = compose_message(Request(change=change, sync="others"))
    found = examined(("orders", State.FAILED, AccessDenied("no")), ("others", State.CONVERTED, None), body=body)

    assert (found.letter_class, found.reason) == (LetterClass.SETTLED, "others: converted")


def test_all_that_is_unreadable_is_said_with_what_could_be_read() -> None:
    record = (
        '{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", '
        '"s3": {"bucket": {"name": "b"}, "object": {"key": "k"}}}'
    )
    found = examined(body=f'{{"Records": [{record}, {{}}, 7]}}')

    assert (found.letter_class, found.objects) == (LetterClass.UNREADABLE, ("s3://b/k",))
    assert "record 2 of 3" in str(found.reason)
    assert "; record 3 of 3" in str(found.reason)


def test_a_letter_is_of_no_receipt_until_it_says_so() -> None:
    assert (Letter(id="m", body="").receives, Letter(id="m", body="").grounds) == (0, {})
