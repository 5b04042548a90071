"""What the ledger grants while a big run is at work, one fact a test."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from millrace.errors import MalformedFile, ServiceUnavailable, WorkInFlight
from millrace.ledger.entries import LONGEST_BIG_RUN, BigRunFacts, Entry, Failure, Finish, State, is_at_work, is_stuck
from millrace.ledger.rules import (
    BigRunClaim,
    ClaimRequest,
    Refusal,
    RefusalKind,
    advance_sequencer,
    claim,
    claim_for_big_run,
    settle,
)
from millrace.objects.references import ChangeKind, ObjectRef, Sequencer, SourceVersion
from tests.unit.ledger.test_rules import NOON, UNSEEN, claim_request, granted, in_flight, refused

HOME = ObjectRef("out", ".millrace/runs/s-1/")
FACTS = BigRunFacts(name="s-1", execution="s-1", connection="lake", home=HOME)
HOUR = timedelta(hours=1)


def waiting() -> Entry:
    """An object of the bytes e1 that a run was started for at noon."""
    finish = Finish(state=State.WAITING, version=SourceVersion(etag="e1", size=99), big_run=FACTS)
    return settle(in_flight(), finish, NOON)


def run_claim(*, name: str = "s-1", fence: int = 1, at: datetime = NOON + HOUR) -> BigRunClaim:
    return BigRunClaim(name=name, fence=fence, lease_until=at + HOUR)


def running(entry: Entry) -> Entry:
    claimed = claim_for_big_run(entry, run_claim())
    assert claimed is not None
    return claimed


@pytest.mark.parametrize(
    "request_",
    [
        claim_request(at=NOON + HOUR),
        claim_request(sequencer="0B", at=NOON + HOUR),
        claim_request(sequencer=None, at=NOON + HOUR),
        claim_request(sequencer=None, etag=None, at=NOON + HOUR),
        claim_request(etag=None, at=NOON + HOUR),
        claim_request(kind=ChangeKind.RESTORED, at=NOON + HOUR),
    ],
    ids=[
        "the same event",
        "a later event of the same bytes",
        "a listing",
        "a wish that says nothing",
        "the same event without bytes",
        "a restore",
    ],
)
def test_what_asks_for_the_bytes_that_the_run_reads_is_done(request_: ClaimRequest) -> None:
    refusal = refused(claim(waiting(), request_))

    assert (refusal.kind, refusal.acknowledge) == (RefusalKind.IN_BIG_RUN, True)


@pytest.mark.parametrize(
    "request_",
    [
        claim_request(sequencer="0B", etag="e2", at=NOON + HOUR),
        claim_request(sequencer="0B", etag=None, at=NOON + HOUR),
        claim_request(sequencer="0B", kind=ChangeKind.REMOVED, etag=None, at=NOON + HOUR),
        claim_request(sequencer=None, etag="e2", at=NOON + HOUR),
        claim_request(fingerprint="f2", at=NOON + HOUR),
        claim_request(sequencer=None, run_id="r1", at=NOON + HOUR),
        claim_request(at=NOON + LONGEST_BIG_RUN),
    ],
    ids=["new bytes", "an event without bytes", "deleted", "listed", "another configuration", "a person", "too late"],
)
def test_what_asks_for_more_is_granted_and_takes_the_object_from_the_run(request_: ClaimRequest) -> None:
    entry = granted(claim(waiting(), request_))

    assert (entry.fence, entry.big_run) == (2, None)
    assert claim_for_big_run(entry, run_claim()) is None


def test_a_run_that_a_person_asked_for_is_not_asked_for_twice() -> None:
    entry = replace(waiting(), run_id="r2")

    assert refused(claim(entry, claim_request(run_id="r2", at=NOON + HOUR))).kind is RefusalKind.IN_BIG_RUN
    assert granted(claim(entry, claim_request(run_id="r3", at=NOON + HOUR)))


def test_an_older_event_is_superseded_as_ever() -> None:
    assert refused(claim(waiting(), claim_request(sequencer="09", etag="e0"))).kind is RefusalKind.SUPERSEDED


def test_a_later_event_of_the_same_bytes_is_remembered_and_the_run_goes_on() -> None:
    later = Sequencer.parse("0B")
    refusal: Refusal[Entry] = refused(claim(waiting(), claim_request(sequencer="0B", at=NOON + HOUR)))

    advanced = advance_sequencer(refusal, later)

    assert advanced is not None
    assert running(advanced).sequencer == later


def test_a_run_claims_what_it_was_started_for_and_keeps_the_fence() -> None:
    claimed = running(waiting())

    assert (claimed.state, claimed.fence, claimed.owner) == (State.IN_FLIGHT, 1, "s-1")
    assert claimed.started == NOON
    assert refused(claim(claimed, claim_request(sequencer="0B", etag="e2", at=NOON + HOUR))).retry_at is not None


def test_a_child_that_was_killed_while_it_published_is_repeated_at_once() -> None:
    first = running(waiting())

    assert running(first).revision == first.revision + 1


@pytest.mark.parametrize("run", [run_claim(name="s-2"), run_claim(fence=2)])
def test_another_run_claims_nothing(run: BigRunClaim) -> None:
    assert claim_for_big_run(waiting(), run) is None


def test_a_run_that_is_settled_claims_nothing() -> None:
    failure = Failure.of(MalformedFile("no"))
    settled = settle(running(waiting()), Finish(state=State.FAILED, failure=failure), NOON + HOUR)

    assert settled.big_run == FACTS
    assert claim_for_big_run(settled, run_claim()) is None


def test_an_object_whose_run_failed_for_a_while_is_granted_to_who_asks() -> None:
    failure = Failure.of(ServiceUnavailable("503"))
    failed = settle(running(waiting()), Finish(state=State.FAILED, failure=failure), NOON + HOUR)

    assert not is_at_work(failed, NOON + HOUR)
    assert granted(claim(failed, claim_request(at=NOON + HOUR))).fence == 2


def test_a_run_whose_starter_failed_before_it_was_written_down_has_lost() -> None:
    failure = Failure.of(ServiceUnavailable("503"))
    failed = settle(in_flight(), Finish(state=State.FAILED, failure=failure), NOON)

    assert claim_for_big_run(failed, run_claim()) is None


def test_a_run_waits_for_the_worker_that_started_it_to_write_it_down() -> None:
    with pytest.raises(WorkInFlight):
        claim_for_big_run(in_flight(), run_claim())


def test_the_run_of_a_worker_that_died_before_it_was_written_down_has_lost() -> None:
    taken_over = granted(claim(in_flight(), claim_request(message="m2", at=NOON + HOUR)))

    assert claim_for_big_run(taken_over, run_claim()) is None


def test_an_object_in_a_run_is_at_work_and_not_stuck_for_a_day() -> None:
    assert (is_at_work(waiting(), NOON + 20 * HOUR), is_stuck(waiting(), NOON + 20 * HOUR)) == (True, False)
    assert (is_at_work(waiting(), NOON + 26 * HOUR), is_stuck(waiting(), NOON + 26 * HOUR)) == (False, True)


def test_an_unseen_object_is_in_no_run() -> None:
    assert not UNSEEN.is_in_big_run(NOON)
