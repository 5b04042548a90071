"""A listing against the ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.ledger import Entry, State
from millrace.object_store import ListedObject
from millrace.objects import ChangeKind, ObjectRef
from millrace.reconciliation import Finding, UnsortedStream, differences

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def listed(key: str, etag: str = "e") -> ListedObject:
    return ListedObject(ObjectRef("b", key), etag, 1)


def entry(key: str, etag: str = "e", state: State = State.CONVERTED, lease: datetime | None = None) -> Entry:
    return Entry(
        sync="s",
        source=ObjectRef("b", key),
        state=state,
        revision=1,
        fence=1,
        fingerprint="f",
        engine="1",
        etag=etag,
        lease_until=lease,
    )


def found(here: list[ListedObject], known: list[Entry]) -> list[tuple[str, str]]:
    return [(one.finding, one.change.ref.key) for _, one in differences(here, known, NOON) if one is not None]


def test_new_changed_and_gone_objects_are_told_and_no_others() -> None:
    here = [listed("a"), listed("b", "new"), listed("c")]
    known = [entry("b"), entry("c"), entry("d")]

    assert found(here, known) == [(Finding.NEW, "a"), (Finding.CHANGED, "b"), (Finding.GONE, "d")]


def test_a_gone_object_asks_for_its_removal() -> None:
    ((_, one),) = differences([], [entry("d")], NOON)

    assert one is not None
    assert one.change.kind is ChangeKind.REMOVED


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (entry("a", state=State.FAILED), []),
        (entry("a", state=State.IGNORED), []),
        (entry("a", "old", State.FAILED), [(Finding.CHANGED, "a")]),
        (entry("a", state=State.REMOVED), [(Finding.CHANGED, "a")]),
        (entry("a", "old", State.IN_FLIGHT, NOON + timedelta(seconds=1)), []),
        (entry("a", state=State.IN_FLIGHT, lease=NOON - timedelta(seconds=1)), [(Finding.CHANGED, "a")]),
    ],
)
def test_what_the_ledger_says_decides(known: Entry, expected: list[tuple[str, str]]) -> None:
    assert found([listed("a")], [known]) == expected


def test_what_was_removed_and_is_not_there_is_no_difference() -> None:
    assert found([], [entry("a", state=State.REMOVED)]) == []


KEYS = st.dictionaries(st.text(min_size=1, max_size=3), st.sampled_from("ef"), max_size=20)


@given(KEYS, KEYS)
def test_the_merge_finds_what_sets_find(here: dict[str, str], known: dict[str, str]) -> None:
    def in_order(keys: dict[str, str]) -> list[str]:
        return sorted(keys, key=str.encode)

    merged = set(found([listed(k, here[k]) for k in in_order(here)], [entry(k, known[k]) for k in in_order(known)]))

    assert merged == (
        {(Finding.NEW, key) for key in here.keys() - known.keys()}
        | {(Finding.GONE, key) for key in known.keys() - here.keys()}
        | {(Finding.CHANGED, key) for key in here.keys() & known.keys() if here[key] != known[key]}
    )


def test_a_listing_out_of_order_is_refused() -> None:
    with pytest.raises(UnsortedStream):
        list(differences([listed("b"), listed("a")], [], NOON))
