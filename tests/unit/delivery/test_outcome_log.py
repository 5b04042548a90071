"""One line and one metric for each outcome; what is not known is left out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from millrace.delivery.outcome_log import Severity, fields, metric_names, severity
from millrace.delivery.worker import TRIED_AGAIN, Outcome
from millrace.engine.row_counts import RowCounts
from millrace.errors import AccessDenied, MalformedFile
from millrace.ledger.entries import Entry, Failure, Output, State
from millrace.ledger.rules import RefusalKind
from millrace.ledger.schema_changes import SchemaChanges
from millrace.objects.references import ObjectRef

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOURCE = ObjectRef("acme-in", "in/a.csv")
ENTRY = replace(
    Entry.unseen("nightly", SOURCE, fingerprint="f", engine="1"),
    attempts=2,
    outputs=(Output(ref=ObjectRef("acme-out", "a.parquet"), etag="t", size=1, rows=3),),
    rows=RowCounts(read=5, written=3, quarantined=2),
    started=NOON,
    finished=NOON + timedelta(seconds=1),
    schema_changes=SchemaChanges("new column"),
    schema_version=4,
)


@pytest.mark.parametrize(
    ("result", "retry_after", "expected"),
    [
        (State.CONVERTED, None, Severity.INFO),
        (RefusalKind.ALREADY_DONE, None, Severity.INFO),
        (State.FAILED, None, Severity.ERROR),
        (State.FAILED, 30, Severity.ERROR),
        (TRIED_AGAIN, 30, Severity.WARNING),
        (RefusalKind.BUSY, 0, Severity.WARNING),
    ],
)
def test_what_failed_is_louder_than_what_comes_back(result: str, retry_after: int | None, expected: Severity) -> None:
    assert severity(Outcome(result=result, source=SOURCE, retry_after=retry_after)) is expected


@pytest.mark.parametrize(
    ("result", "names"),
    [
        (State.CONVERTED, ("Converted", "SchemaEvolved")),
        (State.QUARANTINED, ("Quarantined", "SchemaEvolved")),
        (State.FAILED, ("Failed",)),
        (RefusalKind.ALREADY_DONE, ("AlreadyDone",)),
        (State.IN_FLIGHT, ("InFlight",)),
    ],
)
def test_a_change_of_a_schema_is_a_metric_of_the_work_that_made_it(result: str, names: tuple[str, ...]) -> None:
    """A message that finds it done reads the same entry, and changed nothing."""
    outcome = Outcome(result=result, source=SOURCE, entry=ENTRY)

    assert metric_names(outcome) == names
    assert ("schema_changes" in fields(outcome)) == (len(names) == 2)
    assert metric_names(replace(outcome, entry=None)) == names[:1]


def test_a_line_says_what_is_known_of_the_work() -> None:
    outcome = Outcome(result=State.QUARANTINED, source=SOURCE, sync="nightly", entry=ENTRY, reason="why")

    assert fields(outcome) == {
        "object": "s3://acme-in/in/a.csv",
        "sync": "nightly",
        "reason": "why",
        "targets": ["s3://acme-out/a.parquet"],
        "rows": 3,
        "rows_quarantined": 2,
        "milliseconds": 1000,
        "attempt": 2,
        "schema_version": 4,
        "schema_changes": "new column",
    }


def test_a_line_leaves_out_what_is_not_known_and_what_there_is_none_of() -> None:
    bare = replace(ENTRY, outputs=(), rows=RowCounts(read=0, written=0), run_id="r", schema_changes=None)
    failed = replace(bare, failure=Failure.of(MalformedFile("bad", row=7)))

    assert fields(Outcome(result=State.IGNORED, source=SOURCE)) == {"object": "s3://acme-in/in/a.csv"}
    line = fields(Outcome(result=State.FAILED, source=SOURCE, entry=failed, retry_after=30))
    assert (line["error"], line["row"], line["run_id"], line["retry_after_seconds"]) == ("MalformedFile", 7, "r", 30)
    assert not {"byte", "targets", "rows_quarantined"} & set(line)


def test_an_outcome_says_what_becomes_of_its_message() -> None:
    done = Outcome(result=State.CONVERTED, source=SOURCE)
    denied = Outcome(result=State.FAILED, source=SOURCE, failure=Failure.of(AccessDenied("no")), retry_after=0)
    bad = Outcome(result=State.FAILED, source=SOURCE, failure=Failure.of(MalformedFile("bad")))

    assert (done.acknowledge, done.misconfigured, done.is_suspect, done.is_given_up) == (True, False, False, False)
    assert (denied.acknowledge, denied.misconfigured) == (False, True)
    assert (bad.acknowledge, bad.misconfigured) == (True, False)
    assert replace(done, result=RefusalKind.SUSPECT).is_suspect
