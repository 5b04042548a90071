"""The comparison that the end-to-end tests trust sees what it is there to see."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.e2e.records import csv_rows, differences, same

UTC = datetime.UTC


def test_csv_tells_missing_from_empty_and_minds_quotes() -> None:
    assert csv_rows('a,b,c\n1,,""\n"x, ""y""\nz",2,\n') == [
        {"a": "1", "b": None, "c": ""},
        {"a": 'x, "y"\nz', "b": "2", "c": None},
    ]


def test_csv_without_rows_is_empty() -> None:
    assert csv_rows("a,b\n") == []


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ("007", "007"),
        ("799.60", Decimal("799.60")),
        ("12", 12),
        ("true", True),
        ("2026-01-01", datetime.date(2026, 1, 1)),
        ("2026-01-01T10:00:00Z", datetime.datetime(2026, 1, 1, 10, tzinfo=UTC)),
        (datetime.datetime(2026, 1, 1, 10, tzinfo=UTC), "2026-01-01T10:00:00+00:00"),
        ({"a": None, "b": 1}, {"b": 1}),
        ({"a": [1, 2]}, '{"a": [1, 2]}'),
        ([{"x": Decimal("1.5")}], [{"x": 1.5}]),
        (None, None),
        (Decimal("19.90"), "19.90"),
    ],
)
def test_the_same_in_other_words(said: Any, says: Any) -> None:
    assert same(said, says)


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ("007", 7),
        ("799.60", Decimal("799.6")),
        ("", None),
        (None, ""),
        ("NULL", None),
        ("90071992547409931000", 90071992547409931001),
        ("1e5", 100000),
        ("2026-01-01T10:00:00Z", datetime.datetime(2026, 1, 1, 11, tzinfo=UTC)),
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {}),
        ([1, 2], [1]),
        (True, False),
        ("a", "a "),
        (0.1, 0.10000000000000002),
    ],
)
def test_what_is_not_the_same(said: Any, says: Any) -> None:
    assert not same(said, says)


def test_differences_name_row_and_column() -> None:
    assert differences([{"a": "1"}, {"a": "2"}], [{"a": "1"}, {"a": "3"}]) == ["row 2, a: '2' became '3'"]
    assert differences([{"a": "1"}], []) == ["1 rows became 0"]
    assert differences([{"a": "1"}], [{"a": "1", "b": "new"}]) == ["row 1, b: None became 'new'"]
