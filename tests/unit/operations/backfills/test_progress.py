"""How far a backfill has come, when it may end, and what somebody has to look at: by what its row and counts say."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from millrace.operations.backfills.board import Backfill, BackfillCounts, BackfillState
from millrace.operations.backfills.progress import BackfillProgress, as_next_generation, describe_progress
from tests.world import NOON

HOUR = timedelta(hours=1)
ROW = Backfill(name="fill", sync="nightly", prefix="in/", started=NOON)
COUNTS = BackfillCounts(compared=500, known=100, asked=400, done=90, failed=10)
FINISHED: dict[str, Any] = {"state": BackfillState.FINISHED, "finished": NOON + HOUR}


def progress_of(*, listed: int = 3, counts: BackfillCounts = COUNTS, **row: Any) -> BackfillProgress:
    """An hour after it began, its listing in three ranges, of 400 objects 100 settled."""
    backfill = replace(ROW, **row)
    return BackfillProgress(backfill=backfill, counts=counts, ranges=3, listed=listed, now=NOON + HOUR)


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (progress_of(), NOON + 4 * HOUR),
        (progress_of(paused_seconds=1800.0), NOON + 2.5 * HOUR),
        (progress_of(listed=2), None),
        (progress_of(state=BackfillState.PAUSED, paused_at=NOON + HOUR / 2), None),
        (progress_of(state=BackfillState.STOPPED, finished=NOON + HOUR), None),
        (progress_of(counts=replace(COUNTS, done=390)), None),
        (progress_of(counts=replace(COUNTS, done=0, failed=0)), None),
        (progress_of(started=NOON + HOUR), None),
    ],
    ids=["goes on", "was paused", "is listed", "is paused", "given up", "all settled", "none settled", "just begun"],
)
def test_an_end_is_expected_of_what_goes_on_at_a_rate(progress: BackfillProgress, expected: datetime | None) -> None:
    assert progress.expected_end == expected


@pytest.mark.parametrize(
    ("row", "hours"),
    [
        ({}, 1),
        ({"paused_seconds": 900.0}, 0.75),
        ({"state": BackfillState.PAUSED, "paused_at": NOON + HOUR / 2}, 0.5),
        ({"state": BackfillState.FINISHED, "finished": NOON + HOUR / 4}, 0.25),
        ({"state": BackfillState.STOPPED, "paused_at": NOON + HOUR / 2, "finished": NOON + HOUR}, 0.5),
        ({"started": NOON + 2 * HOUR}, 0),
    ],
    ids=["goes on", "was paused", "is paused", "ended", "given up in its pause", "of a clock that goes wrong"],
)
def test_pauses_and_what_comes_after_the_end_are_no_work(row: dict[str, Any], hours: float) -> None:
    progress = progress_of(**row)

    assert progress.worked_seconds == hours * 3600
    assert progress.rate == (pytest.approx(100 / (hours * 3600)) if hours else 0.0)


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (
            progress_of(),
            (
                "running, 90 of 400 done; 10 failed, 100 were converted already; 0.0 objects a second; "
                "expected end 2026-11-22 16:00 UTC"
            ),
        ),
        (
            progress_of(listed=2),
            (
                "running (still listing: 500 objects so far), 90 of 400 done; 10 failed, 100 were converted already; "
                "0.0 objects a second"
            ),
        ),
        (
            progress_of(listed=2, trouble="no grant"),
            (
                "running (still listing: 500 objects so far), 90 of 400 done; 10 failed, 100 were converted already; "
                "0.0 objects a second; listing failed: no grant"
            ),
        ),
        (
            progress_of(listed=3, trouble="no grant", started=NOON + HOUR),
            "running, 90 of 400 done; 10 failed, 100 were converted already",
        ),
        (
            progress_of(**FINISHED, counts=replace(COUNTS, waiting=7, failed_before=1)),
            (
                "finished, 90 of 400 done; 10 failed, 100 were converted already; "
                "1 had failed before (millrace reprocess nightly --state failed); "
                "7 wait for a restore or a big run (millrace status); 0.0 objects a second; "
                "293 not accounted for: begin it again"
            ),
        ),
        (
            progress_of(**FINISHED, counts=replace(COUNTS, done=390), is_listed=False, started=NOON + HOUR),
            "finished (not all was listed: 500 objects so far), 390 of 400 done; 10 failed, 100 were converted already",
        ),
    ],
    ids=["goes on", "is listed", "cannot be listed", "could not be listed before", "ended with open ones", "ended"],
)
def test_a_line_says_all_that_matters_and_no_more(progress: BackfillProgress, line: str) -> None:
    assert describe_progress(progress) == f"backfill of nightly: {line}"


def test_for_programs_what_nobody_knows_is_left_out() -> None:
    running, ended = progress_of(listed=2).to_json(), progress_of(**FINISHED).to_json()

    assert running.keys() & {"finished", "expected_end", "trouble", "inventory"} == set()
    assert (running["listed"], running["open"], running["rate"]) == (False, 300, 0.028)
    assert (ended["listed"], ended["finished"]) == (True, (NOON + HOUR).isoformat())
    assert progress_of().to_json()["expected_end"] == (NOON + 4 * HOUR).isoformat()


def test_what_is_listed_once_more_is_asked_for_but_once() -> None:
    """What was lost counts as never asked for, and is counted when it is asked for again."""
    row = as_next_generation(replace(ROW, idle_since=NOON), COUNTS)

    assert (row.generation, row.idle_since, row.root) == (2, None, "2")
    assert row.earlier == replace(COUNTS, asked=100)
