"""Settled work is told after the ledger says so, at least once, and what nobody asked for costs nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from millrace.errors import AccessDenied, MalformedFile, MillraceError, NoSuchBucket, ServiceUnavailable
from millrace.ledger.announcing import Tellers, demand_told
from millrace.ledger.claims import Claims, Delivery
from millrace.ledger.entries import Announcement, Branch, Entry, Failure, Finish, State, WorkEntry
from millrace.ledger.rules import ClaimSubject, Refusal
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef, Sequencer
from tests.fakes import InMemoryLedger

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOURCE = ObjectRef("acme-in", "in/a.csv")
DELIVERY = Delivery(message_id="m", remaining=lambda: 900.0)
CONVERTED = Finish(state=State.CONVERTED, outputs=())
SLOW = Finish(state=State.FAILED, failure=Failure.of(ServiceUnavailable("s3:GetObject answered 503")))
DENIED = Finish(state=State.FAILED, failure=Failure.of(AccessDenied("s3:PutObject was denied")))


class Dead(BaseException):
    """The worker is killed."""


@dataclass
class Recorder:
    """Satisfies Teller: remembers what was told, and what the ledger said then."""

    ledger: InMemoryLedger
    states: frozenset[State] = frozenset({State.CONVERTED, State.FAILED})
    branches: frozenset[Branch] = frozenset(Branch)
    told: list[tuple[State, int]] = field(default_factory=list)
    trouble: BaseException | None = None

    def wants(self, entry: WorkEntry, /) -> bool:
        """By state, and of failures by their branch."""
        return entry.state in self.states and (entry.failure is None or entry.failure.branch in self.branches)

    def tell(self, entry: WorkEntry, /) -> None:
        """Refuse what the ledger does not say."""
        assert self.ledger.get(entry.sync, entry.source) == entry
        if self.trouble is not None:
            raise self.trouble
        self.told.append((entry.state, entry.fence))


class TellingWorld:
    """One object of one sync."""

    def __init__(self, *states: State) -> None:
        self.ledger = InMemoryLedger()
        self.teller = Recorder(self.ledger, frozenset(states or (State.CONVERTED, State.FAILED)))
        self.claims = Claims(
            ledger=self.ledger,
            now=lambda: NOON + timedelta(seconds=len(self.ledger.puts)),
            engine="1",
            teller=self.teller,
        )

    def claim(self, number: int = 1) -> Entry | Refusal[Entry]:
        """For the event of that number."""
        sequencer = Sequencer.parse(f"{number:04X}")
        change = ObjectChange(kind=ChangeKind.CREATED, ref=SOURCE, etag=f"e{number}", sequencer=sequencer)
        subject = ClaimSubject(sync="nightly", change=change, fingerprint="f", position=sequencer)
        return self.claims.claim(subject, DELIVERY)

    def work(self, finish: Finish, number: int = 1) -> Entry:
        """Claim and settle."""
        claimed = self.claim(number)
        assert isinstance(claimed, Entry)
        return self.claims.settle(claimed, finish)

    def kept(self) -> Entry:
        """What the ledger says."""
        entry = self.ledger.get("nightly", SOURCE)
        assert entry is not None
        return entry


def test_what_is_asked_for_is_told_once_and_written_down() -> None:
    world = TellingWorld()

    settled = world.work(CONVERTED)

    assert world.teller.told == [(State.CONVERTED, 1)]
    assert settled == world.kept()
    assert settled.announcement is None
    assert [entry.is_untold for entry in world.ledger.works_put()] == [False, True, False]


@pytest.mark.parametrize(("outputs", "has_written"), [((), True), (None, False)])
def test_what_is_told_says_whether_outputs_were_written_or_found_as_they_were(
    outputs: tuple[()] | None, *, has_written: bool
) -> None:
    world = TellingWorld()

    world.work(replace(CONVERTED, outputs=outputs))

    (announced,) = [entry.announcement for entry in world.ledger.works_put() if entry.announcement is not None]
    assert announced.has_written is has_written


def test_of_several_who_tell_each_tells_what_it_wants() -> None:
    world = TellingWorld()
    failures = Recorder(world.ledger, frozenset({State.FAILED}))
    world.claims = replace(world.claims, teller=Tellers((failures, world.teller)))

    world.work(CONVERTED)
    world.work(DENIED, 2)

    assert world.teller.told == [(State.CONVERTED, 1), (State.FAILED, 2)]
    assert failures.told == [(State.FAILED, 2)]


def test_what_nobody_asks_for_costs_no_put() -> None:
    world = TellingWorld(State.FAILED)

    world.work(CONVERTED)

    assert (world.teller.told, len(world.ledger.puts)) == ([], 2)


@pytest.mark.parametrize("number", [1, 2], ids=["its own message", "a newer version"])
def test_a_worker_killed_before_it_told_leaves_that_to_the_next_claim(number: int) -> None:
    world = TellingWorld()
    world.teller.trouble = Dead()
    with pytest.raises(Dead):
        world.work(CONVERTED)
    world.teller.trouble = None

    decision = world.claim(number)

    assert isinstance(decision, Refusal) is (number == 1)
    assert world.teller.told == [(State.CONVERTED, 1)]
    assert not world.kept().is_untold


def test_what_cannot_be_told_now_is_settled_and_untold() -> None:
    world = TellingWorld()
    world.teller.trouble = ServiceUnavailable("events:PutEvents failed")

    settled = world.work(CONVERTED)

    assert settled.is_untold
    assert settled.settled
    with pytest.raises(ServiceUnavailable, match="event could not be sent"):
        demand_told(settled)
    with pytest.raises(MillraceError, match="PutEvents"):
        world.claim(2)
    world.teller.trouble = None
    world.work(CONVERTED, 2)
    assert world.teller.told == [(State.CONVERTED, 1), (State.CONVERTED, 2)]


def test_a_configuration_error_is_told_once_however_often_it_is_met() -> None:
    world = TellingWorld()

    for _ in range(4):
        world.work(DENIED)

    assert world.teller.told == [(State.FAILED, 1)]
    world.work(CONVERTED)
    world.work(DENIED, 2)
    assert [state for state, _ in world.teller.told] == [State.FAILED, State.CONVERTED, State.FAILED]


def test_a_configuration_error_is_no_news_after_an_attempt_that_failed_for_a_while() -> None:
    world = TellingWorld()
    world.teller.branches = frozenset({Branch.CONFIGURATION})

    for finish in (DENIED, SLOW, DENIED):
        world.work(finish)

    assert world.teller.told == [(State.FAILED, 1)]


def test_a_configuration_error_is_news_after_work_that_came_to_an_end_and_nobody_asks_for() -> None:
    world = TellingWorld(State.FAILED)

    world.work(DENIED)
    world.work(CONVERTED)
    world.work(DENIED, 2)

    assert world.teller.told == [(State.FAILED, 1), (State.FAILED, 3)]


def test_another_configuration_error_is_news() -> None:
    world = TellingWorld()

    for error in (AccessDenied("s3:PutObject was denied"), NoSuchBucket("acme-out is gone")):
        world.work(replace(DENIED, failure=Failure.of(error)))

    assert world.teller.told == [(State.FAILED, 1), (State.FAILED, 2)]


def test_a_failure_of_the_data_is_told_of_each_version() -> None:
    world = TellingWorld()

    for number in (1, 2):
        world.work(Finish(state=State.FAILED, failure=Failure.of(MalformedFile("x"))), number)

    assert world.teller.told == [(State.FAILED, 1), (State.FAILED, 2)]


def test_who_changes_an_entry_without_a_claim_tells_first() -> None:
    world = TellingWorld()
    world.work(CONVERTED)
    untold = replace(world.kept(), revision=world.kept().revision + 1, announcement=Announcement())
    world.ledger.put(untold)

    entry = world.claims.read_to_change("nightly", SOURCE)

    assert entry == world.kept()
    assert not world.kept().is_untold
    assert len(world.teller.told) == 2
    assert world.claims.read_to_change("nightly", ObjectRef("acme-in", "in/b.csv")) is None
