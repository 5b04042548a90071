"""What entries say: texts that are kept are never longer than an item of the ledger has room for."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.errors import (
    AccessDenied,
    LostRace,
    MalformedFile,
    MillraceError,
    OutOfTime,
    SchemaFrozen,
    ServiceUnavailable,
    WorkInFlight,
)
from millrace.ledger.entries import (
    LONGEST_WAIT,
    STALE_MARK,
    Branch,
    Entry,
    Failure,
    Finish,
    Output,
    State,
    has_no_message,
    holds_lease,
    is_at_work,
    is_newer_run,
    is_stale,
    is_stuck,
)
from millrace.ledger.schema_changes import SchemaChanges
from millrace.objects.references import ObjectRef, Sequencer
from millrace.texts import LONGEST_TEXT, shorten_text

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
NEW_COLUMN = SchemaChanges("new column")
BLANK = Entry.unseen("nightly", ObjectRef("acme-in", "in/a.csv"), fingerprint="f", engine="1")


@given(st.text(max_size=50), st.integers(1, 500), st.text(max_size=50))
def test_a_text_is_cut_in_its_middle_and_what_was_cut_is_counted(start: str, times: int, end: str) -> None:
    text = (start + end) * times
    short = shorten_text(text)

    assert len(short.encode()) <= LONGEST_TEXT
    if len(text.encode(errors="backslashreplace")) <= LONGEST_TEXT:
        assert short == text.encode(errors="backslashreplace").decode()
        return
    first, count, last = re.split(r" … \[([0-9,]+) characters left out\] … ", short, maxsplit=1)
    whole = text.encode(errors="backslashreplace").decode()
    assert whole.startswith(first)
    assert whole.endswith(last)
    assert len(first) + int(count.replace(",", "")) + len(last) == len(whole)


def test_half_a_character_is_written_out() -> None:
    """DynamoDB refuses an item that holds one."""
    assert shorten_text("a\ud800b") == "a\\ud800b"


def test_20_000_column_names_make_a_failure_of_two_kilobytes() -> None:
    names = ", ".join(f"column_{number}_of_a_very_wide_table" for number in range(20_000))
    failure = Failure.of(SchemaFrozen(f"the file has new fields: {names}", row=3))

    assert len(failure.message.encode()) <= LONGEST_TEXT
    assert failure.message.startswith("the file has new fields: column_0_")
    assert failure.message.endswith("column_19999_of_a_very_wide_table")
    assert failure.row == 3


def test_what_a_service_answers_is_bounded_too() -> None:
    assert len(Failure.of(ServiceUnavailable("<html>" * 10_000)).message.encode()) <= LONGEST_TEXT


def test_a_reason_and_the_changes_of_a_schema_are_bounded() -> None:
    finish = Finish(state=State.CONVERTED, reason="r" * 10_000, schema_changes=SchemaChanges("ü" * 10_000))

    assert len((finish.reason or "").encode()) <= LONGEST_TEXT
    assert finish.schema_changes is not None
    assert len(finish.schema_changes.text.encode()) <= LONGEST_TEXT


@pytest.mark.parametrize(
    ("error", "branch", "is_free", "is_lost_race"),
    [
        (MalformedFile("bad"), Branch.DATA, False, False),
        (AccessDenied("no"), Branch.CONFIGURATION, True, False),
        (ServiceUnavailable("503"), Branch.TRANSIENT, False, False),
        (OutOfTime("late"), Branch.TRANSIENT, True, True),
        (WorkInFlight("busy"), Branch.TRANSIENT, True, True),
        (LostRace("late"), Branch.TRANSIENT, False, True),
        (MillraceError("?"), Branch.TRANSIENT, False, False),
        (RuntimeError("bug"), Branch.TRANSIENT, False, False),
    ],
)
def test_a_failure_says_by_its_branch_what_becomes_of_the_message(
    error: Exception, branch: Branch, *, is_free: bool, is_lost_race: bool
) -> None:
    failure = Failure.of(error)

    assert (failure.branch, failure.is_free, failure.is_lost_race) == (branch, is_free, is_lost_race)
    assert failure.error == type(error).__name__
    assert failure.message.startswith("unexpected: ") == isinstance(error, RuntimeError)


@pytest.mark.parametrize(
    ("state", "error", "settled"),
    [
        (State.CONVERTED, None, True),
        (State.WAITING, None, True),
        (State.REMOVED, None, True),
        (State.IN_FLIGHT, None, False),
        (State.FAILED, MalformedFile("bad"), True),
        (State.FAILED, AccessDenied("no"), False),
        (State.FAILED, ServiceUnavailable("503"), False),
        (State.FAILED, None, False),
    ],
)
def test_an_entry_is_settled_if_nothing_is_left_to_do(state: State, error: Exception | None, *, settled: bool) -> None:
    entry = replace(BLANK, state=state, failure=Failure.of(error) if error else None)

    assert entry.settled == settled


@pytest.mark.parametrize(
    ("state", "started", "is_put_back"),
    [
        (State.CONVERTED, None, True),
        (State.QUARANTINED, None, True),
        (State.CONVERTED, NOON, False),
        (State.WAITING, None, False),
        (State.REMOVED, None, False),
    ],
)
def test_what_is_done_and_was_never_begun_was_put_back_by_a_rebuild(
    state: State, started: datetime | None, *, is_put_back: bool
) -> None:
    assert replace(BLANK, state=state, started=started).is_put_back is is_put_back


@pytest.mark.parametrize(
    ("state", "error", "finished", "is_gone"),
    [
        (State.FAILED, ServiceUnavailable("503"), NOON - LONGEST_WAIT - SECOND, True),
        (State.FAILED, ServiceUnavailable("503"), NOON - LONGEST_WAIT, False),
        (State.FAILED, ServiceUnavailable("503"), None, False),
        (State.FAILED, MalformedFile("bad"), NOON - LONGEST_WAIT - SECOND, False),
        (State.WAITING, None, NOON - LONGEST_WAIT - SECOND, False),
        (State.IN_FLIGHT, None, NOON - LONGEST_WAIT - SECOND, False),
    ],
)
def test_what_failed_for_a_while_has_no_message_after_nine_days(
    state: State, error: Exception | None, finished: datetime | None, *, is_gone: bool
) -> None:
    entry = replace(BLANK, state=state, failure=Failure.of(error) if error else None, finished=finished)

    assert has_no_message(entry, NOON) is is_gone


@pytest.mark.parametrize(
    ("started", "finished", "milliseconds"),
    [(NOON, NOON + timedelta(milliseconds=1500), 1500), (None, NOON, None), (NOON, None, None), (None, None, None)],
)
def test_the_time_of_finished_work_is_told_in_milliseconds(
    started: datetime | None, finished: datetime | None, milliseconds: int | None
) -> None:
    assert replace(BLANK, started=started, finished=finished).milliseconds == milliseconds


def test_an_output_is_found_by_its_place() -> None:
    outputs = tuple(Output(ref=ObjectRef("out", key), etag=key, size=1, rows=1) for key in ("a", "b"))
    entry = replace(BLANK, outputs=outputs)

    assert entry.output(ObjectRef("out", "b")) == outputs[1]
    assert entry.output(ObjectRef("out", "c")) is None


def test_a_later_place_is_kept_and_none_changes_nothing() -> None:
    entry = replace(BLANK, sequencer=Sequencer.parse("0A"), reason="old", schema_changes=NEW_COLUMN)
    later = Sequencer.parse("0B")

    assert entry.position == Sequencer.parse("0A")
    assert entry.at_position(later).sequencer == later
    assert entry.at_position(None) is entry
    assert entry.without_position().sequencer is None
    begun = entry.as_begun(later)
    assert (begun.sequencer, begun.reason, begun.schema_changes) == (later, None, None)
    assert entry.stored_sync == "nightly"


@pytest.mark.parametrize(("outputs", "version"), [(None, 3), ((), 4)])
def test_the_version_of_a_schema_is_that_of_what_was_written(outputs: tuple[Output, ...] | None, version: int) -> None:
    """Work that wrote nothing leaves the outputs as they are, and their schema."""
    entry = replace(BLANK, schema_version=3)
    finish = Finish(state=State.FAILED, outputs=outputs, schema_version=4, reason="why", schema_changes=NEW_COLUMN)

    finished = entry.as_finished(finish)

    assert (finished.schema_version, finished.reason, finished.schema_changes) == (version, "why", NEW_COLUMN)


def test_a_finish_without_texts_says_the_rest() -> None:
    finish = Finish(
        state=State.FAILED, failure=Failure.of(MalformedFile("bad", row=7)), reason="r", schema_changes=NEW_COLUMN
    )
    bare = finish.without_texts()

    assert bare.failure == replace(Failure.of(MalformedFile("bad", row=7)), message="")
    assert (bare.reason, bare.schema_changes, bare.state) == (None, None, State.FAILED)
    assert Finish(state=State.CONVERTED, reason="r").without_texts() == Finish(state=State.CONVERTED)
    assert not finish.keep_earlier


@pytest.mark.parametrize(
    ("run_id", "than", "is_newer"),
    [("r2", "r1", True), ("r1", "r1", False), ("r1", "r2", False), ("r1", None, True), (None, "r1", False)],
)
def test_runs_are_ordered_by_their_ids(run_id: str | None, than: str | None, *, is_newer: bool) -> None:
    assert is_newer_run(run_id, than) == is_newer


@pytest.mark.parametrize(
    ("until", "holds"), [(None, False), (NOON - SECOND, False), (NOON, False), (NOON + SECOND, True)]
)
def test_a_lease_keeps_others_away_until_it_ends(until: datetime | None, *, holds: bool) -> None:
    live = replace(BLANK, state=State.IN_FLIGHT, lease_until=until)

    assert holds_lease(until, NOON) == holds
    assert is_at_work(live, NOON) == holds
    assert is_stuck(live, NOON) == (not holds)
    assert not is_at_work(replace(live, state=State.CONVERTED), NOON)


@pytest.mark.parametrize(
    ("started", "stale"), [(None, True), (NOON - STALE_MARK - SECOND, True), (NOON - STALE_MARK, False), (NOON, False)]
)
def test_a_mark_is_trusted_for_an_hour(started: datetime | None, *, stale: bool) -> None:
    waiting = replace(BLANK, state=State.WAITING, started=started)
    failed = replace(waiting, state=State.FAILED, failure=Failure.of(ServiceUnavailable("503")))

    assert is_stale(waiting, NOON) == stale
    assert is_stuck(waiting, NOON) == stale
    assert is_stuck(failed, NOON) == stale
    assert not is_stuck(replace(waiting, state=State.CONVERTED), NOON)


def test_an_entry_that_nobody_wrote_is_of_no_revision() -> None:
    assert (BLANK.revision, BLANK.fence, BLANK.attempts, BLANK.deaths, BLANK.deployment) == (0, 0, 0, 0, 0)
    assert isinstance(BLANK, Entry)
