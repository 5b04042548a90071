"""The order of a snapshot table's files."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.engine.options import FileFormat
from millrace.ledger.entries import Finish, State
from millrace.ledger.table_entries import FormatEntry, SchemaEntry, TableEntry, TableOrder, table_sync
from millrace.objects.references import ObjectRef, Sequencer, SourceVersion

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEYS = st.text(min_size=1, max_size=300).filter(lambda key: key.isprintable())


def order(key: str, when: datetime = NOON) -> TableOrder:
    return TableOrder.of(when, ObjectRef("acme-in", key))


@pytest.mark.slow
@given(KEYS, KEYS)
def test_within_a_second_files_are_in_the_order_of_their_keys_bytes(first: str, second: str) -> None:
    assert (order(first) < order(second)) == (first.encode() < second.encode())


@pytest.mark.parametrize(("smaller", "greater"), [("in/a.csv", "in/a.csv.gz"), ("in/a0b", "in/a:b"), ("z", "é")])
def test_keys_whose_encoded_form_has_another_order(smaller: str, greater: str) -> None:
    assert order(smaller) < order(greater)


@pytest.mark.slow
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


TABLE = ObjectRef("acme-in", "in/orders")
FILE = ObjectRef("acme-in", "in/orders/a.csv")
BLANK = TableEntry.unseen("nightly", TABLE, fingerprint="f", engine="1")


def test_a_table_nobody_wrote_is_of_no_revision_and_of_no_file() -> None:
    assert (BLANK.revision, BLANK.fence, BLANK.made_of, BLANK.position) == (0, 0, None, None)
    assert BLANK.stored_sync == table_sync("nightly") == "nightly#table"


@pytest.mark.parametrize(
    ("file", "order_of", "is_sure"),
    [(FILE, FILE, True), (None, FILE, False), (FILE, None, False), (FILE, TABLE, False)],
)
def test_a_table_is_made_of_a_file_if_its_order_is_that_files(
    file: ObjectRef | None, order_of: ObjectRef | None, *, is_sure: bool
) -> None:
    entry = replace(BLANK, file=file, order=order(order_of.key) if order_of else None)

    assert entry.made_of == (FILE if is_sure else None)


@pytest.mark.parametrize(
    ("etag", "version_id", "is_same"),
    [("e", "v", True), ("e", None, False), ("e", "w", False), ("f", "v", False)],
)
def test_a_version_is_the_same_by_etag_and_id(etag: str, version_id: str | None, *, is_same: bool) -> None:
    entry = replace(BLANK, version=SourceVersion(etag="e", version_id="v"))

    assert entry.is_version(etag, version_id) == is_same
    assert replace(entry, version=SourceVersion(etag="e")).is_version(etag, version_id) == (etag == "e")


def test_a_table_stays_that_of_its_file_until_the_work_has_succeeded() -> None:
    entry = replace(BLANK, order=order("in/orders/a.csv"), file=FILE)
    newer = order("in/orders/b.csv")

    assert entry.position == order("in/orders/a.csv")
    assert entry.as_begun(newer) is entry
    assert entry.as_finished(Finish(state=State.CONVERTED)) is entry
    assert entry.without_position() is entry
    assert entry.at_position(None) is entry
    assert entry.at_position(newer).order == newer


def test_orders_of_two_kinds_do_not_compare() -> None:
    with pytest.raises(TypeError):
        assert order("a") < Sequencer.parse("0A")


def test_schemas_and_formats_are_stored_under_names_that_no_sync_has() -> None:
    schema = SchemaEntry(sync="s", source=TABLE, revision=1, schema=b"", schema_version=1, finished=NOON)
    chosen = FormatEntry(sync="s", source=TABLE, revision=1, fingerprint="f", format=FileFormat.CSV, finished=NOON)

    assert (schema.stored_sync, chosen.stored_sync) == ("s#schema", "s#format")
    assert isinstance(BLANK, TableEntry)


@pytest.mark.parametrize(("length", "is_whole"), [(200, True), (201, False)])
def test_a_key_of_200_bytes_is_carried_whole(length: int, *, is_whole: bool) -> None:
    place = order("k" * length)

    assert (place.shortened() == place) == is_whole
    assert is_whole or re.fullmatch(r"[0-9A-F]{12}/k{200}[0-9a-f]{16}/", place.shortened().value)
    assert place.shortened().is_of(ObjectRef("acme-in", "k" * length))
