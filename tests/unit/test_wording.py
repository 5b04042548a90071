"""How messages count things and name several of them."""

from __future__ import annotations

import pytest

from millrace.wording import count_of, join_names, list_counts


@pytest.mark.parametrize(
    ("number", "noun", "expected"),
    [
        (0, "object", "0 objects"),
        (1, "object", "1 object"),
        (1234, "entry", "1,234 entries"),
        (1, "entry", "1 entry"),
        (2, "key", "2 keys"),
    ],
)
def test_a_number_has_its_noun(number: int, noun: str, expected: str) -> None:
    assert count_of(number, noun) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [((), "none"), (("a",), "'a'"), (("a", "b"), "'a' and 'b'"), (("a", "b", "c"), "'a', 'b' and 'c'")],
)
def test_names_are_joined_as_in_a_sentence(names: tuple[str, ...], expected: str) -> None:
    assert join_names(names) == expected


def test_counts_are_listed_in_the_order_given() -> None:
    assert list_counts({"converted": 1204, "failed": 3}) == "1,204 converted, 3 failed"
    assert list_counts([("b", 1), ("a", 2)]) == "1 b, 2 a"
    assert list_counts({}) == ""
