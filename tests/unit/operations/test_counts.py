"""What a comparison counts, and what of a file of a model it asks for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from millrace.ledger.entries import Entry, State
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef, SourceVersion
from millrace.objects.store import ListedObject
from millrace.operations.checkpoints import Checkpoint, Counts
from millrace.operations.comparison import Compared, Difference, Finding, Pair, compare_planned
from millrace.planning.planner import Planner
from tests.configurations import document, model_document

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
REF = ObjectRef("acme-in", "in/a.csv")
LISTED = ListedObject(REF, "e", 1, NOON)
ENTRY = replace(Entry.unseen("nightly", REF, fingerprint="f", engine="1"), version=SourceVersion(etag="e"))


def different(finding: Finding, modified: datetime | None) -> Compared:
    return "k", Difference(finding, ObjectChange(kind=ChangeKind.CREATED, ref=REF), modified)


PORTION = [
    ("k", None),
    different(Finding.NEW, NOON - timedelta(seconds=1)),
    different(Finding.CHANGED, NOON),
    different(Finding.CHANGED, NOON + timedelta(seconds=1)),
    different(Finding.GONE, None),
    different(Finding.VANISHED, None),
]


@pytest.mark.parametrize(("overdue", "unaccounted"), [(NOON, 1), (NOON + timedelta(seconds=1), 2), (None, 0)])
def test_each_key_is_counted_and_what_is_older_than_its_news_may_be_is_unaccounted(
    overdue: datetime | None, unaccounted: int
) -> None:
    """Of what is gone nobody knows since when; without notifications there is no news that could be late."""
    counts = Counts.of(PORTION, overdue=overdue)

    assert counts == Counts(compared=6, new=1, changed=2, gone=1, unaccounted=unaccounted, vanished=1)


def test_counts_of_portions_add_up_and_begin_at_nothing() -> None:
    one = Counts(compared=1, new=2, changed=3, gone=4, unaccounted=5, vanished=6)

    assert one + one == Counts(compared=2, new=4, changed=6, gone=8, unaccounted=10, vanished=12)
    assert Counts() + one == one == Counts.of([]) + one
    assert Checkpoint(sync="s", folder="f").revision == 0


SINGLE_FILES = Planner(document())
MODEL = Planner(model_document({"model_from": "multi_file_archive"}))


@pytest.mark.parametrize(
    ("planner", "listed", "entry", "finding"),
    [
        (SINGLE_FILES, LISTED, replace(ENTRY, state=State.WAITING), Finding.CHANGED),
        (SINGLE_FILES, replace(LISTED, is_readable=False), replace(ENTRY, state=State.WAITING), None),
        (SINGLE_FILES, LISTED, replace(ENTRY, state=State.CONVERTED), None),
        (MODEL, LISTED, replace(ENTRY, state=State.WAITING), None),
        (SINGLE_FILES, LISTED, None, Finding.NEW),
        (MODEL, LISTED, None, Finding.NEW),
        (SINGLE_FILES, None, replace(ENTRY, state=State.WAITING), Finding.GONE),
        (SINGLE_FILES, None, None, None),
    ],
    ids=["changed", "archived", "converted", "of a model", "new", "new of a model", "gone", "never was"],
)
def test_only_what_is_converted_by_itself_is_news_when_it_can_be_read_again(
    planner: Planner, listed: ListedObject | None, entry: Entry | None, finding: Finding | None
) -> None:
    """A file of a model waits for its table, however readable it is."""
    difference = compare_planned(planner, "nightly", Pair(REF, listed, entry), NOON)

    assert (difference.finding if difference else None) == finding


def test_a_difference_says_what_is_there_and_what_was_known() -> None:
    waiting = replace(ENTRY, state=State.WAITING)
    difference = compare_planned(SINGLE_FILES, "nightly", Pair(REF, LISTED, waiting), NOON)

    assert difference == Difference(
        Finding.CHANGED, ObjectChange(kind=ChangeKind.CREATED, ref=REF, etag="e", size=1), NOON, waiting
    )
    assert Pair(REF, LISTED, None).key == REF.key
