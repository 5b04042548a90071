"""Every shape of message, as recorded in tests/messages."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.errors import UnknownMessage
from millrace.objects.messages import Message, Request, Ticket, compose_message, parse_message
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef, Sequencer
from tests.places import TESTS

MESSAGES = TESTS / "messages"


def parsed(name: str) -> Message:
    return parse_message((MESSAGES / f"{name}.json").read_text())


def keys(message: Message) -> list[str]:
    return [request.change.ref.key for request in message.requests]


def test_an_s3_notification_tells_all_it_knows() -> None:
    (request,) = parsed("s3-put").requests

    assert request.change == ObjectChange(
        kind=ChangeKind.CREATED,
        ref=ObjectRef("acme-in", "landing/orders/2026-q1.csv"),
        sequencer=Sequencer.parse("0055AED6DCD90281E5"),
        etag="d41d8cd98f00b204e9800998ecf8427e",
        size=1024,
    )
    assert (request.sync, request.run_id) == (None, None)


def test_keys_of_s3_notifications_are_form_decoded_once() -> None:
    assert keys(parsed("s3-encoded-keys")) == [
        "landing/a b.csv",
        "landing/a+b.csv",
        "landing/100%.csv",
        "landing/grüße.csv",
        "landing//double.csv",
        "landing/two\nlines.csv",
    ]


def test_every_kind_of_change_is_known_not_only_puts() -> None:
    kinds = [request.change.kind for request in parsed("s3-several-kinds").requests]

    assert kinds == [ChangeKind.CREATED] * 2 + [ChangeKind.REMOVED] * 3 + [ChangeKind.RESTORED]


def test_version_ids_are_kept() -> None:
    assert parsed("s3-several-kinds").requests[0].change.version_id == "v1"


def test_the_test_event_is_noted_and_asks_for_nothing() -> None:
    message = parsed("s3-test-event")

    assert (message.requests, message.notes) == ((), ("test event of bucket acme-in",))


def test_event_names_that_change_no_content_are_passed_over_by_rule() -> None:
    message = parsed("s3-unknown-event-name")

    assert message.requests == ()
    assert len(message.notes) == 3
    assert "ObjectPolished:Twice" in message.notes[2]


def test_a_newer_version_of_the_structure_is_read_like_the_known_one() -> None:
    assert keys(parsed("s3-newer-version")) == ["landing/orders.csv"]


def test_one_unreadable_record_does_not_hide_the_others() -> None:
    message = parsed("s3-partly-unreadable")

    assert keys(message) == ["landing/good.csv"]
    assert [text[:11] for text in message.unreadable] == ["record 2 of", "record 3 of"]


def test_a_notification_through_sns_is_unwrapped() -> None:
    assert keys(parsed("sns-wrapped")) == ["landing/a b.csv"]


def test_a_raw_delivery_of_sns_is_an_s3_notification() -> None:
    wrapped = json.loads((MESSAGES / "sns-wrapped.json").read_text())

    assert keys(parse_message(wrapped["Message"])) == ["landing/a b.csv"]


def test_records_of_sns_as_lambda_gets_them_are_unwrapped() -> None:
    assert keys(parsed("sns-to-lambda")) == ["landing/a b.csv", "landing/b.csv"]


def with_sequencer(sequencer: object, shape: str = "s3") -> Message:
    if shape == "s3":
        event = json.loads((MESSAGES / "s3-put.json").read_text())
        event["Records"][0]["s3"]["object"]["sequencer"] = sequencer
        return parse_message(json.dumps(event))
    if shape == "eventbridge":
        event = json.loads((MESSAGES / "eventbridge-created.json").read_text())
        event["detail"]["object"]["sequencer"] = sequencer
        return parse_message(json.dumps(event))
    return parse_message(
        json.dumps({"millrace": 1, "kind": "created", "bucket": "b", "key": "k", "sequencer": sequencer})
    )


@pytest.mark.parametrize("shape", ["s3", "eventbridge", "request"])
@pytest.mark.parametrize("sequencer", ["minio-17", "0055AED6DCD90281E5-1", "F" * 65, 17, ["A"], "\ud800"])
def test_a_sequencer_that_is_not_hexadecimal_counts_as_absent_and_is_noted(sequencer: object, shape: str) -> None:
    message = with_sequencer(sequencer, shape)

    assert [request.change.sequencer for request in message.requests] == [None]
    assert message.unreadable == ()
    (note,) = message.notes
    assert "counts as one without a sequencer" in note


@pytest.mark.parametrize(
    "body",
    [
        '{"millrace": 1, "kind": "created", "bucket": "b", "key": ""}',
        '{"millrace": 1, "kind": "created", "bucket": "", "key": "k"}',
        '{"source":"aws.s3","detail-type":"Object Created","detail":{"bucket":{"name":"b"},"object":{"key":""}}}',
    ],
)
def test_an_empty_key_or_bucket_is_unreadable(body: str) -> None:
    with pytest.raises(UnknownMessage, match="an empty"):
        parse_message(body)


def test_an_empty_key_in_a_record_is_unreadable() -> None:
    event = json.loads((MESSAGES / "s3-put.json").read_text())
    event["Records"][0]["s3"]["object"]["key"] = ""

    message = parse_message(json.dumps(event))

    assert message.requests == ()
    assert message.unreadable == ("record 1 of 1: ValueError: an empty key, which no object has",)


def test_notes_and_what_is_unreadable_are_bounded() -> None:
    message = Message(notes=("n" * 100_000,), unreadable=("ü" * 100_000,))

    assert all(len(text.encode()) <= 2048 for text in (*message.notes, *message.unreadable))


def test_keys_of_eventbridge_are_taken_as_they_are() -> None:
    (request,) = parsed("eventbridge-created").requests

    assert request.change.ref == ObjectRef("acme-in", "landing/a+b 100% grüße.csv")
    assert request.change.version_id == "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e"


def test_eventbridge_tells_deletions() -> None:
    assert parsed("eventbridge-deleted").requests[0].change.kind is ChangeKind.REMOVED


def test_other_events_of_eventbridge_are_passed_over_by_rule() -> None:
    assert parsed("eventbridge-tags-added").notes == ("event 'Object Tags Added' changes no object's content",)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", "not JSON"),
        ("hello", "begins 'hello'"),
        ("[]", "a JSON list"),
        ('{"order": 1}', "none of"),
        ('{"Records": 3}', "none of"),
        ('{"source": "aws.s3"}', "none of"),
        ('{"source": "aws.s3", "detail": "x"}', "none of"),
        ('{"source": "aws.ec2", "detail": {"object": {}}}', "none of"),
        ('{"Type": "Notification"}', "none of"),
        ('{"Type": "Notification", "Message": {}}', "none of"),
        ('{"Type": "Other", "Message": "no"}', "none of"),
        ('{"millrace": 1, "kind": "created", "bucket": "b", "key": "\\ud800"}', "surrogates"),
        ('{"millrace": 1, "kind": "created", "bucket": "b", "key": 7}', "text is expected"),
        ('{"source": "aws.s3", "detail-type": "Object Created", "detail": {}}', "lacks 'object'"),
        ('{"millrace": 2}', "version 2"),
        ('{"millrace": 1, "kind": "created"}', "'bucket'"),
        ('{"millrace": 1, "kind": "eaten", "bucket": "b", "key": "k"}', "eaten"),
        ('{"Type": "Notification", "Message": "no"}', "not JSON"),
    ],
)
def test_a_message_that_is_not_ours_is_unknown_and_says_why(body: str, told: str) -> None:
    with pytest.raises(UnknownMessage, match=told):
        parse_message(body)


def test_envelopes_nest_three_deep_and_no_deeper() -> None:
    body = (MESSAGES / "s3-put.json").read_text()
    for _ in range(4):
        body = json.dumps({"Type": "Notification", "Message": body})

    with pytest.raises(UnknownMessage, match="none of"):
        parse_message(body)


def wrap_like_lambda(body: str, times: int) -> str:
    """An event as Lambda gets it from SNS, in so many envelopes."""
    for _ in range(times):
        body = json.dumps({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": body}}]})
    return body


def test_records_of_sns_nest_three_deep_and_no_deeper() -> None:
    body = (MESSAGES / "s3-put.json").read_text()

    assert keys(parse_message(wrap_like_lambda(body, 3))) == ["landing/orders/2026-q1.csv"]
    assert [text[:11] for text in parse_message(wrap_like_lambda(body, 4)).unreadable] == ["record 1 of"]


def test_what_is_unreadable_inside_an_envelope_is_not_lost() -> None:
    message = parse_message(wrap_like_lambda((MESSAGES / "s3-partly-unreadable.json").read_text(), 1))

    assert keys(message) == ["landing/good.csv"]
    assert len(message.unreadable) == 2


@pytest.mark.parametrize(
    ("stated", "size"), [(0, 0), (1024, 1024), (-1, None), (True, None), (1.5, None), ("7", None), (None, None)]
)
def test_a_size_is_a_count_of_bytes_or_not_known(stated: object, size: int | None) -> None:
    event = json.loads((MESSAGES / "s3-put.json").read_text())
    event["Records"][0]["s3"]["object"]["size"] = stated

    (request,) = parse_message(json.dumps(event)).requests

    assert request.change.size == size


@pytest.mark.parametrize("stated", [None, 1, "true", False])
def test_only_a_request_that_says_so_resets_a_schema(stated: object) -> None:
    body = {"millrace": 1, "kind": "created", "bucket": "b", "key": "k", "reset_schema": stated}
    (request,) = parse_message(json.dumps(body)).requests

    assert request == Request(change=request.change)
    assert (request.reset_schema, request.deployment) == (False, 0)


@pytest.mark.slow
@given(
    kind=st.sampled_from(ChangeKind),
    key=st.text(min_size=1),
    sequencer=st.none() | st.text("0123456789ABCDEF", min_size=1, max_size=24).map(Sequencer.parse),
    etag=st.none() | st.text("0123456789abcdef-", min_size=1),
    version_id=st.none() | st.text(min_size=1),
    deployment=st.integers(0, 2**40),
    size=st.none() | st.integers(0, 5 * 2**40),
    sync=st.none() | st.text(min_size=1),
    run_id=st.none() | st.text(min_size=1),
    decides_format=st.booleans(),
)
def test_our_own_requests_are_read_back_equal(
    kind: ChangeKind,
    key: str,
    sequencer: Sequencer | None,
    etag: str | None,
    version_id: str | None,
    deployment: int,
    size: int | None,
    sync: str | None,
    run_id: str | None,
    *,
    decides_format: bool,
) -> None:
    ref = ObjectRef("b", key)
    change = ObjectChange(kind=kind, ref=ref, sequencer=sequencer, etag=etag, version_id=version_id, size=size)
    reset = run_id is not None
    request = Request(
        change=change,
        sync=sync,
        run_id=run_id,
        reset_schema=reset,
        decides_format=decides_format,
        deployment=deployment,
    )

    assert parse_message(compose_message(request)) == Message(requests=(request,))


def test_a_plain_request_says_no_more_than_it_must() -> None:
    """Messages are counted by their bytes, so letters stay letters."""
    change = ObjectChange(kind=ChangeKind.CREATED, ref=ObjectRef("b", "grüße.csv"))

    assert compose_message(Request(change=change)) == (
        '{"millrace": 1, "kind": "created", "bucket": "b", "key": "grüße.csv"}'
    )


def test_a_backfill_s_ticket_comes_back() -> None:
    change = ObjectChange(kind=ChangeKind.CREATED, ref=ObjectRef("b", "k"))
    request = Request(change=change, sync="nightly", ticket=Ticket("20261122-nightly", "1.0-2-3", 999))

    assert parse_message(compose_message(request)).requests == (request,)


@pytest.mark.parametrize(
    "ticket", [7, "t", {"backfill": "b"}, {"backfill": "b", "portion": "p", "number": -1}, {"backfill": 1, "number": 1}]
)
def test_a_ticket_that_nobody_gave_is_unreadable(ticket: object) -> None:
    """What became of it would be counted somewhere else, or nowhere."""
    fields = {"millrace": 1, "kind": "created", "bucket": "b", "key": "k", "ticket": ticket}

    with pytest.raises(UnknownMessage, match="a Millrace request with"):
        parse_message(json.dumps(fields))
