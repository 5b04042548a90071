"""The rules of claiming and settling, one fact a test."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from millrace.engine.row_counts import RowCounts
from millrace.errors import AccessDenied, MalformedFile, OutOfTime, ServiceUnavailable, WorkInFlight
from millrace.ledger.entries import Entry, Failure, Finish, Output, State
from millrace.ledger.rules import (
    MOST_ATTEMPTS,
    ClaimRequest,
    ClaimSubject,
    Refusal,
    RefusalKind,
    advance_sequencer,
    announce_outputs,
    claim,
    settle,
    to_be_done_again,
)
from millrace.objects.output_names import OutputVersion
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef, Sequencer, SourceVersion

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LEASE = timedelta(minutes=16)
SOURCE = ObjectRef("in", "orders.csv")
UNSEEN = Entry.unseen("s", SOURCE, fingerprint="f0", engine="0")
TARGET = Output(ref=ObjectRef("out", "orders.parquet"), etag="t1", size=10, rows=3)


def claim_request(
    *,
    sequencer: str | None = "0A",
    etag: str | None = "e1",
    message: str = "m1",
    at: datetime = NOON,
    kind: ChangeKind = ChangeKind.CREATED,
    fingerprint: str = "f1",
    run_id: str | None = None,
) -> ClaimRequest:
    change = ObjectChange(
        kind=kind, ref=SOURCE, sequencer=Sequencer.parse(sequencer) if sequencer else None, etag=etag, size=99
    )
    return ClaimRequest(
        subject=ClaimSubject(
            sync="s", change=change, fingerprint=fingerprint, position=change.sequencer, run_id=run_id
        ),
        message_id=message,
        engine="1",
        now=at,
        lease_until=at + LEASE,
    )


def granted(decision: Entry | Refusal[Entry]) -> Entry:
    assert isinstance(decision, Entry), decision
    return decision


def refused(decision: Entry | Refusal[Entry]) -> Refusal[Entry]:
    assert isinstance(decision, Refusal), decision
    return decision


def in_flight(**words: object) -> Entry:
    return granted(claim(UNSEEN, claim_request(**words)))  # type: ignore[arg-type] # builder's words


def converted(**words: object) -> Entry:
    claimed = in_flight(**words)
    rows = RowCounts(read=3, written=3)
    finish = Finish(state=State.CONVERTED, outputs=(TARGET,), version=claimed.version, rows=rows)
    return settle(claimed, finish, NOON + timedelta(seconds=2))


def failed(error: Exception) -> Entry:
    return settle(in_flight(), Finish(state=State.FAILED, failure=Failure.of(error)), NOON)


class TestClaim:
    def test_an_unknown_object_is_granted_with_the_first_fence(self) -> None:
        entry = granted(claim(UNSEEN, claim_request()))

        assert (entry.state, entry.revision, entry.fence, entry.attempts) == (State.IN_FLIGHT, 1, 1, 1)
        assert (entry.owner, entry.lease_until) == ("m1", NOON + LEASE)

    def test_an_older_event_is_superseded_and_acknowledged(self) -> None:
        refusal = refused(claim(converted(sequencer="0B"), claim_request(sequencer="0A", etag="e0")))

        assert (refusal.kind, refusal.acknowledge) == (RefusalKind.SUPERSEDED, True)

    def test_sequencers_of_unequal_length_compare_padded_on_the_right(self) -> None:
        refusal = refused(claim(converted(sequencer="0B"), claim_request(sequencer="0AFFFF", etag="e0")))

        assert refusal.kind is RefusalKind.SUPERSEDED

    def test_the_same_event_again_does_nothing(self) -> None:
        refusal = refused(claim(converted(), claim_request(message="m2")))

        assert (refusal.kind, refusal.acknowledge) == (RefusalKind.ALREADY_DONE, True)

    def test_the_same_bytes_again_do_nothing(self) -> None:
        assert refused(claim(converted(), claim_request(sequencer="0B"))).kind is RefusalKind.ALREADY_DONE

    def test_new_bytes_are_granted_under_a_higher_fence(self) -> None:
        entry = granted(claim(converted(), claim_request(sequencer="0B", etag="e2")))

        assert (entry.fence, entry.revision, entry.outputs) == (2, 3, (TARGET,))

    def test_a_changed_configuration_is_granted(self) -> None:
        assert granted(claim(converted(), claim_request(fingerprint="f2"))).fingerprint == "f2"

    def test_a_duplicate_of_live_work_comes_back_as_the_owners_message_may_be_gone(self) -> None:
        refusal = refused(claim(in_flight(), claim_request(message="m2", at=NOON + timedelta(minutes=1))))

        assert (refusal.kind, refusal.acknowledge) == (RefusalKind.DUPLICATE, False)

    def test_the_only_copy_of_a_message_is_never_acknowledged_under_its_own_lease(self) -> None:
        refusal = refused(claim(in_flight(), claim_request(at=NOON + timedelta(minutes=1))))

        assert (refusal.kind, refusal.retry_at) == (RefusalKind.OWN_LEASE, NOON + LEASE)

    def test_newer_bytes_wait_for_live_work_on_older_ones(self) -> None:
        refusal = refused(claim(in_flight(), claim_request(sequencer="0B", etag="e2", message="m2")))

        assert (refusal.kind, refusal.acknowledge) == (RefusalKind.BUSY, False)

    def test_an_expired_lease_is_taken_over_with_the_next_fence(self) -> None:
        entry = granted(claim(in_flight(), claim_request(message="m2", at=NOON + LEASE)))

        assert (entry.fence, entry.owner, entry.attempts) == (2, "m2", 2)

    @pytest.mark.parametrize("error", [ServiceUnavailable("503"), RuntimeError("bug")])
    def test_what_may_succeed_later_is_granted_again(self, error: Exception) -> None:
        assert granted(claim(failed(error), claim_request())).attempts == 2

    @pytest.mark.parametrize("error", [AccessDenied("no"), OutOfTime("late"), WorkInFlight("busy")])
    def test_what_waits_for_a_grant_or_for_time_or_for_others_was_no_attempt(self, error: Exception) -> None:
        assert granted(claim(failed(error), claim_request())).attempts == 1

    def test_an_attempt_is_written_down_before_the_work_begins(self) -> None:
        """So that one whose worker dies is counted, too."""
        assert in_flight().attempts == 1

    def test_a_message_that_was_not_here_before_begins_to_count_after_the_last_attempt(self) -> None:
        worn = replace(failed(ServiceUnavailable("503")), attempts=MOST_ATTEMPTS)

        again = granted(claim(worn, replace(claim_request(), is_first_receipt=True)))
        more = granted(claim(worn, claim_request()))

        assert (again.attempts, more.attempts) == (1, MOST_ATTEMPTS + 1)

    def test_a_build_counts_its_attempts_although_its_request_names_no_event(self) -> None:
        build = replace(failed(ServiceUnavailable("503")), sequencer=None, attempts=3)
        build = replace(build, version=SourceVersion(etag="digest"))

        assert granted(claim(build, claim_request(sequencer=None, etag=None))).attempts == 4

    def test_a_worker_that_died_makes_a_suspect_that_is_claimed_only_alone(self) -> None:
        dead = in_flight()
        late = claim_request(message="m2", at=NOON + LEASE)

        refusal = refused(claim(dead, replace(late, is_alone=False)))
        entry = granted(claim(dead, late))

        assert refusal.kind is RefusalKind.SUSPECT
        assert entry.deaths == 1

    @pytest.mark.parametrize(
        ("minutes", "message", "attempts", "deaths"),
        [(20, "m1", 1, 0), (90, "m1", 1, 1), (20, "m2", 1, 1), (20, "m1", MOST_ATTEMPTS, 1)],
        ids=["it is back soon", "it was hidden", "another is here", "too often"],
    )
    def test_a_worker_whose_message_is_back_before_the_queue_shows_it_was_alive(
        self, minutes: int, message: str, attempts: int, deaths: int
    ) -> None:
        """It could not write down what came of its work, and put its message off."""
        left = replace(in_flight(), attempts=attempts)
        late = claim_request(message=message, at=NOON + timedelta(minutes=minutes))

        entry = granted(claim(left, replace(late, hidden_for=timedelta(minutes=90))))

        assert entry.deaths == deaths

    def test_a_run_goes_on_with_work_that_has_a_follow_up(self) -> None:
        """The worker of a build may have died when the table was made, and its files were not written down."""
        run = claim_request(sequencer=None, etag=None, run_id="r2")
        done = settle(granted(claim(UNSEEN, run)), Finish(state=State.CONVERTED, outputs=(TARGET,)), NOON)
        build = replace(run.subject, has_follow_up=True)

        assert granted(claim(done, replace(run, subject=build))).state is State.IN_FLIGHT
        assert refused(claim(done, run)).kind is RefusalKind.ALREADY_DONE
        earlier = replace(run, subject=replace(build, run_id="r1"))
        assert refused(claim(done, earlier)).kind is RefusalKind.ALREADY_DONE

    @pytest.mark.parametrize(
        ("is_of_several", "is_put_back", "is_granted"),
        [(None, True, False), (True, True, True), (True, False, False), (False, True, False)],
    )
    def test_what_a_rebuild_put_back_is_done_again_only_if_some_of_its_outputs_may_lack(
        self, *, is_of_several: bool | None, is_put_back: bool, is_granted: bool
    ) -> None:
        """Of several the rebuild may have found some; nobody says so of work that does not know it is of several."""
        done = converted()
        entry = replace(done, started=None) if is_put_back else done
        request = claim_request()
        if is_of_several is not None:
            request = replace(request, subject=replace(request.subject, has_several_outputs=is_of_several))

        assert entry.is_put_back is is_put_back
        assert isinstance(claim(entry, request), Refusal) is not is_granted

    def test_a_worker_that_names_no_deployment_is_of_the_oldest(self) -> None:
        assert granted(claim(UNSEEN, claim_request())).deployment == 0

    def test_a_suspect_stays_one_until_it_is_settled(self) -> None:
        suspect = granted(claim(in_flight(), claim_request(message="m2", at=NOON + LEASE)))
        late = settle(suspect, Finish(state=State.FAILED, failure=Failure.of(OutOfTime("late"))), NOON + LEASE)
        done = settle(suspect, Finish(state=State.CONVERTED, outputs=()), NOON + LEASE)

        assert refused(claim(late, replace(claim_request(), is_alone=False))).kind is RefusalKind.SUSPECT
        assert done.deaths == 0

    def test_a_newer_version_of_a_suspect_is_none(self) -> None:
        newer = claim_request(message="m2", sequencer="0B", etag="e2", at=NOON + LEASE)

        assert granted(claim(in_flight(), replace(newer, is_alone=False))).deaths == 0

    def test_a_worker_of_an_older_deployment_is_refused_and_its_message_comes_back(self) -> None:
        entry = granted(claim(UNSEEN, replace(claim_request(), deployment=2)))
        done = settle(entry, Finish(state=State.CONVERTED, outputs=(TARGET,)), NOON)

        refusal = refused(claim(done, replace(claim_request(sequencer="0B", etag="e2"), deployment=1)))
        newest = granted(claim(done, replace(claim_request(sequencer="0B", etag="e2"), deployment=3)))

        assert (refusal.kind, refusal.acknowledge) == (RefusalKind.OUTDATED, False)
        assert newest.deployment == 3

    def test_a_malformed_file_is_not_tried_again_for_the_same_event(self) -> None:
        assert refused(claim(failed(MalformedFile("bad")), claim_request())).kind is RefusalKind.ALREADY_DONE

    def test_a_malformed_file_that_was_uploaded_again_is_tried(self) -> None:
        assert granted(claim(failed(MalformedFile("bad")), claim_request(sequencer="0B"))).attempts == 1

    def test_a_listing_finds_nothing_to_do_where_the_etag_is_known(self) -> None:
        assert refused(claim(converted(), claim_request(sequencer=None))).kind is RefusalKind.ALREADY_DONE

    def test_a_listing_finds_work_where_the_etag_is_new_and_keeps_the_sequencer(self) -> None:
        entry = granted(claim(converted(), claim_request(sequencer=None, etag="e2")))

        assert entry.sequencer == Sequencer.parse("0A")

    def test_a_deletion_after_the_conversion_is_granted(self) -> None:
        assert granted(claim(converted(), claim_request(sequencer="0B", kind=ChangeKind.REMOVED, etag=None)))

    def test_a_deletion_twice_does_nothing(self) -> None:
        claimed = in_flight(sequencer="0B", kind=ChangeKind.REMOVED, etag=None)
        removed = settle(claimed, Finish(state=State.REMOVED, outputs=()), NOON)

        assert refused(claim(removed, claim_request(sequencer="0B", kind=ChangeKind.REMOVED, etag=None))).acknowledge

    def test_an_object_that_comes_back_after_its_deletion_is_granted(self) -> None:
        removed = settle(in_flight(sequencer="0B", kind=ChangeKind.REMOVED), Finish(state=State.REMOVED), NOON)

        assert granted(claim(removed, claim_request(sequencer="0C")))

    def test_an_event_from_before_the_deletion_is_superseded(self) -> None:
        removed = settle(in_flight(sequencer="0B", kind=ChangeKind.REMOVED), Finish(state=State.REMOVED), NOON)

        assert refused(claim(removed, claim_request(sequencer="0A"))).kind is RefusalKind.SUPERSEDED

    def test_a_restored_object_that_waited_is_granted(self) -> None:
        waiting = settle(in_flight(), Finish(state=State.WAITING), NOON)

        assert granted(claim(waiting, claim_request(sequencer=None, kind=ChangeKind.RESTORED)))

    @pytest.mark.parametrize(
        ("etag", "kind"), [("e1", RefusalKind.DUPLICATE), ("e2", RefusalKind.BUSY)], ids=["same bytes", "other bytes"]
    )
    def test_the_etag_of_a_listing_says_whether_work_in_flight_is_on_these_bytes(
        self, etag: str, kind: RefusalKind
    ) -> None:
        """A listing has no sequencer."""
        listed = claim_request(sequencer=None, etag=etag, message="m2", at=NOON + timedelta(minutes=1))

        assert refused(claim(in_flight(), listed)).kind is kind

    def test_the_same_event_of_an_object_that_waits_is_granted(self) -> None:
        """Its worker may have died while it asked for a build or for a restore."""
        waiting = settle(in_flight(), Finish(state=State.WAITING), NOON)

        assert granted(claim(waiting, claim_request())).state is State.IN_FLIGHT

    @pytest.mark.parametrize(("etag", "is_done"), [(None, True), ("e1", True), ("e2", False)])
    def test_news_of_a_restore_is_done_if_that_version_is_converted(self, etag: str | None, *, is_done: bool) -> None:
        """It may come before the news of the version that was restored."""
        restored = claim_request(sequencer="0B", kind=ChangeKind.RESTORED, etag=etag)

        assert isinstance(claim(converted(), restored), Refusal) == is_done

    def test_two_listings_are_no_one_event(self) -> None:
        """Neither has a sequencer: the second of other bytes is news."""
        assert granted(claim(converted(sequencer=None), claim_request(sequencer=None, etag="e2")))

    def test_a_deletion_is_news_even_if_it_names_the_bytes(self) -> None:
        assert granted(claim(converted(), claim_request(sequencer="0B", kind=ChangeKind.REMOVED)))

    def test_bytes_that_nobody_names_are_not_the_same(self) -> None:
        assert granted(claim(converted(etag=None), claim_request(sequencer="0B", etag=None)))

    @pytest.mark.parametrize(("sequencer", "is_done"), [("0B", False), (None, True)])
    def test_the_same_bytes_are_news_if_their_time_matters(self, sequencer: str | None, *, is_done: bool) -> None:
        """A snapshot table is made of its newest file; a listing without an order says nothing new."""
        request = claim_request(sequencer=sequencer)
        timed = replace(request, subject=replace(request.subject, bytes_decide=False))

        assert isinstance(claim(converted(), timed), Refusal) == is_done

    @pytest.mark.parametrize(
        ("sequencer", "is_done"), [("0B", True), ("0C", False), (None, False)], ids=["same", "later", "listing"]
    )
    def test_under_another_configuration_only_the_same_deletion_is_done(
        self, sequencer: str | None, *, is_done: bool
    ) -> None:
        gone = claim_request(sequencer="0B", kind=ChangeKind.REMOVED, etag=None)
        removed = settle(granted(claim(UNSEEN, gone)), Finish(state=State.REMOVED, outputs=()), NOON)
        changed = claim_request(sequencer=sequencer, kind=ChangeKind.REMOVED, etag=None, fingerprint="f2")

        assert isinstance(claim(removed, changed), Refusal) == is_done

    def test_an_event_keeps_the_run_that_reached_the_object(self) -> None:
        done = settle(in_flight(run_id="r1"), Finish(state=State.CONVERTED), NOON)

        assert granted(claim(done, claim_request(sequencer="0B", etag="e2"))).run_id == "r1"

    def test_an_entry_that_never_said_when_work_began_leaves_a_death(self) -> None:
        dead = replace(in_flight(), started=None)
        late = replace(claim_request(at=NOON + LEASE), hidden_for=timedelta(hours=9))

        assert granted(claim(dead, late)).deaths == 1


class TestAttempts:
    @pytest.mark.parametrize(
        ("words", "attempts"),
        [
            ({}, 4),
            ({"sequencer": "0B", "etag": "e2"}, 1),
            ({"sequencer": None, "etag": "e1"}, 4),
            ({"sequencer": None, "etag": "e2"}, 1),
            ({"sequencer": None, "etag": None}, 4),
            ({"sequencer": "0B", "etag": None}, 1),
            ({"sequencer": None, "etag": None, "run_id": "r2"}, 1),
            ({"sequencer": None, "etag": None, "run_id": "r1"}, 4),
            ({"run_id": "r1"}, 4),
            ({"run_id": "r2"}, 1),
        ],
    )
    def test_only_the_same_wish_once_more_is_another_attempt(self, words: dict[str, str | None], attempts: int) -> None:
        claimed = replace(in_flight(run_id="r1"), attempts=3)
        worn = settle(claimed, Finish(state=State.FAILED, failure=Failure.of(ServiceUnavailable("503"))), NOON)

        assert granted(claim(worn, claim_request(**words))).attempts == attempts  # type: ignore[arg-type] # builder's

    @pytest.mark.parametrize("other", [{}, {"sequencer": None, "etag": None, "run_id": "r1"}], ids=["event", "run"])
    def test_a_run_that_others_took_over_goes_on_counting(self, other: dict[str, str | None]) -> None:
        run = claim_request(message="m2", sequencer=None, etag=None, run_id="r2")
        entry: Entry = in_flight()
        deaths = []
        for request in (run, claim_request(**other), run, claim_request(**other)):  # type: ignore[arg-type] # builder's
            entry = granted(claim(replace(entry, lease_until=None), request))
            deaths.append(entry.deaths)

        assert deaths == [0, 1, 2, 3]
        done = settle(entry, Finish(state=State.CONVERTED), NOON)
        assert granted(claim(done, run)).deaths == 0

    @pytest.mark.parametrize("etags", [("e1", "e2"), ("e1", "e2", "e3")], ids=["two", "three"])
    def test_messages_that_name_other_bytes_by_turns_go_on_counting(self, etags: tuple[str, ...]) -> None:
        """Comparisons listed versions of one object, and whichever message comes, its worker dies."""
        messages = [claim_request(message=f"m-{etag}", sequencer=None, etag=etag) for etag in etags]
        entry = granted(claim(UNSEEN, messages[0]))
        deaths = []
        for request in messages[1:] + messages:
            entry = granted(claim(replace(entry, lease_until=None), request))
            deaths.append(entry.deaths)

        assert deaths == [0] * (len(etags) - 1) + list(range(1, len(etags) + 1))
        assert settle(entry, Finish(state=State.CONVERTED), NOON).dead_owners == ()

    def test_other_bytes_by_a_message_that_nobody_died_over_count_from_none(self) -> None:
        dead = replace(in_flight(), lease_until=None, deaths=2, dead_owners=("m0", "m0"))

        assert granted(claim(dead, claim_request(message="m2", sequencer="0B"))).deaths == 0

    def test_a_worker_that_settled_as_failed_has_not_died(self) -> None:
        assert granted(claim(failed(ServiceUnavailable("503")), claim_request())).deaths == 0

    def test_what_was_settled_counts_from_one(self) -> None:
        done = replace(converted(), attempts=3)

        assert granted(claim(done, claim_request(fingerprint="f2"))).attempts == 1

    @pytest.mark.parametrize(("before", "attempts"), [(MOST_ATTEMPTS - 1, MOST_ATTEMPTS), (MOST_ATTEMPTS, 1)])
    def test_a_first_receipt_begins_to_count_only_after_the_last_attempt(self, before: int, attempts: int) -> None:
        worn = replace(failed(ServiceUnavailable("503")), attempts=before)

        assert granted(claim(worn, replace(claim_request(), is_first_receipt=True))).attempts == attempts


class TestAdvancing:
    @pytest.mark.parametrize(
        ("kind", "position", "becomes"),
        [
            (RefusalKind.ALREADY_DONE, "0B", "0B"),
            (RefusalKind.ALREADY_DONE, "0A", None),
            (RefusalKind.ALREADY_DONE, "09", None),
            (RefusalKind.ALREADY_DONE, None, None),
            (RefusalKind.SUPERSEDED, "0B", None),
            (RefusalKind.DUPLICATE, "0B", None),
        ],
    )
    def test_only_a_later_event_of_work_that_is_done_is_remembered(
        self, kind: RefusalKind, position: str | None, becomes: str | None
    ) -> None:
        entry = converted()
        parsed = Sequencer.parse(position) if position else None

        advanced = advance_sequencer(Refusal(kind=kind, entry=entry), parsed)

        assert advanced == (
            replace(entry, revision=entry.revision + 1, sequencer=Sequencer.parse(becomes)) if becomes else None
        )

    def test_the_first_event_of_an_object_that_was_listed_is_remembered(self) -> None:
        listed = converted(sequencer=None)

        advanced = advance_sequencer(Refusal(kind=RefusalKind.ALREADY_DONE, entry=listed), Sequencer.parse("0A"))

        assert advanced is not None
        assert advanced.sequencer == Sequencer.parse("0A")


class TestRuns:
    RUN = "20261122T120000000000Z"
    LATER_RUN = "20261122T130000000000Z"

    def test_a_run_converts_again_what_is_converted(self) -> None:
        entry = granted(claim(converted(), claim_request(sequencer=None, etag=None, run_id=self.RUN)))

        assert (entry.run_id, entry.sequencer) == (self.RUN, Sequencer.parse("0A"))

    def test_a_run_converts_once(self) -> None:
        done = settle(in_flight(run_id=self.RUN), Finish(state=State.CONVERTED), NOON)

        assert refused(claim(done, claim_request(run_id=self.RUN, message="m2"))).kind is RefusalKind.ALREADY_DONE

    def test_a_late_duplicate_of_an_earlier_run_does_nothing(self) -> None:
        done = settle(in_flight(run_id=self.LATER_RUN), Finish(state=State.CONVERTED), NOON)

        assert refused(claim(done, claim_request(run_id=self.RUN, message="m2"))).kind is RefusalKind.ALREADY_DONE

    @pytest.mark.parametrize(("sequencer", "is_done"), [("0A", True), ("0B", False), (None, True)])
    def test_in_one_run_a_newer_file_of_a_snapshot_table_is_news(self, sequencer: str | None, *, is_done: bool) -> None:
        """The table is claimed for each of its files."""
        done = settle(in_flight(run_id=self.RUN), Finish(state=State.CONVERTED), NOON)

        assert isinstance(claim(done, claim_request(sequencer=sequencer, run_id=self.RUN)), Refusal) == is_done

    def test_a_run_of_before_is_a_duplicate_of_live_work_and_a_later_one_waits(self) -> None:
        live = in_flight(run_id=self.RUN)

        same = refused(claim(live, claim_request(run_id=self.RUN, message="m2")))
        later = refused(claim(live, claim_request(run_id=self.LATER_RUN, message="m2")))

        assert (same.kind, later.kind) == (RefusalKind.DUPLICATE, RefusalKind.BUSY)

    def test_a_run_waits_for_live_work(self) -> None:
        assert refused(claim(in_flight(), claim_request(run_id=self.RUN, message="m2"))).kind is RefusalKind.BUSY

    def test_a_run_that_failed_for_a_moment_is_granted_again(self) -> None:
        claimed = in_flight(run_id=self.RUN)
        entry = settle(claimed, Finish(state=State.FAILED, failure=Failure.of(ServiceUnavailable("503"))), NOON)

        assert granted(claim(entry, claim_request(run_id=self.RUN)))


class TestSettle:
    def test_the_lease_ends_and_the_revision_grows(self) -> None:
        entry = converted()

        assert (entry.lease_until, entry.owner, entry.revision, entry.milliseconds) == (None, None, 2, 2000)

    def test_outputs_that_the_new_work_lacks_become_obsolete_by_name(self) -> None:
        again = granted(claim(converted(), claim_request(fingerprint="f2")))
        csv = replace(TARGET, ref=ObjectRef("out", "orders.csv"))

        entry = settle(again, Finish(state=State.CONVERTED, outputs=(csv,)), NOON)

        assert (entry.outputs, entry.obsolete) == ((csv,), (TARGET,))

    @pytest.mark.parametrize("is_own", [True, False])
    def test_an_earlier_output_that_is_never_written_over_is_left_to_the_committer(self, *, is_own: bool) -> None:
        """Snapshots of the Iceberg table name it; a name that only looks alike is that of any other output."""
        source = ObjectRef("acme-in", "in/another.csv")
        before = converted()
        version = OutputVersion.planned(before.sync, before.source if is_own else source).at_claim(1, NOON)
        old = replace(TARGET, ref=ObjectRef("out", f"orders{version}.parquet"))
        again = granted(claim(replace(before, outputs=(old,)), claim_request(sequencer="0B", etag="e2")))

        entry = settle(again, Finish(state=State.CONVERTED, outputs=(TARGET,)), NOON)

        assert entry.obsolete == (() if is_own else (old,))

    def test_an_output_that_is_written_again_is_not_obsolete(self) -> None:
        again = granted(claim(converted(), claim_request(sequencer="0B", etag="e2")))

        entry = settle(again, Finish(state=State.CONVERTED, outputs=(replace(TARGET, etag="t2"),)), NOON)

        assert entry.obsolete == ()

    def test_a_failure_keeps_the_last_good_outputs(self) -> None:
        again = granted(claim(converted(), claim_request(sequencer="0B", etag="e2")))

        entry = settle(again, Finish(state=State.FAILED, failure=Failure.of(MalformedFile("bad", row=7))), NOON)

        assert entry.outputs == (TARGET,)
        assert entry.failure == Failure.of(MalformedFile("bad", row=7))

    def test_a_fence_is_the_claims_unless_the_work_read_a_higher_one(self) -> None:
        assert settle(in_flight(), Finish(state=State.CONVERTED), NOON).fence == 1
        assert settle(in_flight(), Finish(state=State.CONVERTED, fence=7), NOON).fence == 7

    def test_snapshots_of_before_stay_but_what_was_announced_goes(self) -> None:
        """Each version of a model's snapshots has an output of its own, and none is obsolete."""
        again = granted(claim(converted(), claim_request(sequencer="0B", etag="e2")))
        announced = announce_outputs(again, [ObjectRef("out", "killed.parquet")])
        newer = replace(TARGET, ref=ObjectRef("out", "newer.parquet"))

        kept = settle(announced, Finish(state=State.CONVERTED, outputs=(newer,), keep_earlier=True), NOON)
        replaced = settle(announced, Finish(state=State.CONVERTED, outputs=(newer,)), NOON)

        assert [output.ref.key for output in kept.obsolete] == ["killed.parquet"]
        assert [output.ref.key for output in replaced.obsolete] == ["killed.parquet", "orders.parquet"]

    def test_outputs_that_are_announced_may_stand_and_have_nothing_yet(self) -> None:
        again = granted(claim(converted(), claim_request(sequencer="0B", etag="e2")))
        new = ObjectRef("out", "new.parquet")

        announced = announce_outputs(again, [TARGET.ref, new])

        assert announced.obsolete == (Output(ref=new, etag="", size=0, rows=0),)
        assert announced.revision == again.revision + 1

    def test_what_the_entry_says_already_is_not_announced(self) -> None:
        again = granted(claim(converted(), claim_request(sequencer="0B", etag="e2")))
        announced = announce_outputs(again, [ObjectRef("out", "new.parquet")])

        assert announce_outputs(again, [TARGET.ref]) is again
        assert announce_outputs(announced, [ObjectRef("out", "new.parquet"), TARGET.ref]) is announced

    def test_outputs_that_are_known_before_are_written_down_with_the_claim(self) -> None:
        request = claim_request()
        subject = replace(request.subject, outputs=(TARGET.ref,))

        assert granted(claim(UNSEEN, replace(request, subject=subject))).obsolete == (
            Output(ref=TARGET.ref, etag="", size=0, rows=0),
        )


class TestDoneAgain:
    def test_what_a_late_worker_wrote_over_is_asked_for_by_any_event(self) -> None:
        done = converted()

        marked = to_be_done_again(done)

        assert (marked.state, marked.revision, marked.sequencer) == (State.FAILED, done.revision + 1, None)
        assert not marked.settled
        assert granted(claim(marked, claim_request())).state is State.IN_FLIGHT

    def test_work_in_flight_goes_on_and_cannot_settle(self) -> None:
        live = in_flight()

        assert to_be_done_again(live) == replace(live, revision=live.revision + 1)
