"""The order of a snapshot table's files."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.ledger.table_entries import TableOrder
from millrace.objects.references import ObjectRef

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEYS = st.text(min_size=1, max_size=300).filter(lambda key: key.isprintable())


def order(key: str, when: datetime = NOON) -> TableOrder:
    return TableOrder.of(when, ObjectRef("acme-in", key))


@given(KEYS, KEYS)
def test_within_a_second_files_are_in_the_order_of_their_keys_bytes(first: str, second: str) -> None:
    assert (order(first) < order(second)) == (first.encode() < second.encode())


@pytest.mark.parametrize(("smaller", "greater"), [("in/a.csv", "in/a.csv.gz"), ("in/a0b", "in/a:b"), ("z", "é")])
def test_keys_whose_encoded_form_has_another_order(smaller: str, greater: str) -> None:
    assert order(smaller) < order(greater)


@given(KEYS, KEYS)
def test_time_goes_before_key(first: str, second: str) -> None:
    assert order(first) < order(second, NOON.replace(second=1))


@given(KEYS)
def test_a_place_is_that_of_its_file_in_every_form(key: str) -> None:
    source = ObjectRef("acme-in", key)

    assert order(key).is_of(source)
    assert order(key).shortened().is_of(source)
    assert order(key).at_deletion().shortened().is_of(source)
    assert not order(key).is_of(ObjectRef("acme-in", key + "x"))


def test_a_deletion_comes_after_its_version_and_before_the_next_file() -> None:
    assert order("in/a") < order("in/a").at_deletion() < order("in/b")


@pytest.mark.parametrize("stored", ["00006921A880/in/a.csv/", "00006921A880/in/a.csv/+", "00006921A880/in/a.csv/~"])
def test_what_0_1_0_stored_is_read(stored: str) -> None:
    assert TableOrder(stored).is_of(ObjectRef("acme-in", "in/a.csv"))
    assert TableOrder(stored) <= TableOrder("00006921A880/in/a.csv/~")
