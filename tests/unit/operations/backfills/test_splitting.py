"""Where a key range is divided: always between its ends, and with something to list on either side."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.operations.backfills.splitting import find_middle, find_split
from tests.properties import examples

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
"""What a key may hold: anything that UTF-8 can write."""


def in_order(*texts: str) -> bool:
    encoded = [text.encode() for text in texts]
    return encoded == sorted(set(encoded))


def find_behind(listed: list[str], place: str) -> str | None:
    return next((key for key in listed if key.encode() > place.encode()), None)


@pytest.mark.slow
@given(TEXTS, TEXTS)
@settings(max_examples=examples(200))
def test_a_middle_lies_between(first: str, second: str) -> None:
    low, high = sorted((first, second), key=str.encode)
    middle = find_middle(low, high)

    if middle is not None:
        assert in_order(low, middle)
        assert high == "" or in_order(middle, high)


def test_a_middle_of_what_people_call_their_files() -> None:
    assert find_middle("in/a", "in/q") == "in/i"
    assert find_middle("part-0001.csv", "part-0009.csv") == "part-0005.csv"[:9]
    assert find_middle("a", "b") == "aO"
    assert find_middle("a", "a") is None


@pytest.mark.slow
@given(st.sets(TEXTS.filter(bool), min_size=2, max_size=30), st.data())
@settings(max_examples=examples(200))
def test_something_is_behind_a_split_and_nothing_is_lost(keys: set[str], data: st.DataObject) -> None:
    listed = sorted(keys, key=str.encode)
    low = data.draw(st.sampled_from(listed[:-1]))

    place = find_split(low, partial(find_behind, listed))

    if place is not None:
        assert in_order(low, place)
        assert any(place.encode() < key.encode() for key in listed)


def test_two_halves_are_worth_their_while() -> None:
    """A million numbered files are divided near their middle, whatever stands before the numbers."""
    names = [f"year=2026/month=11/day=22/part-{number:06}.csv" for number in range(0, 1_000_000, 1000)]

    probes: list[str] = []

    def find_next(place: str) -> str | None:
        probes.append(place)
        return find_behind(names, place)

    place = find_split(names[0], find_next)

    assert place is not None
    assert len(probes) <= 20, "each costs a listing"
    behind = sum(name > place for name in names)
    assert 0.25 * len(names) < behind < 0.75 * len(names)
