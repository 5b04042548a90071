"""References and sequencers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.errors import InvalidReference, UnknownMessage
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef, Sequencer, SourceVersion
from millrace.objects.store import ListedObject, ObjectHead

HEX = st.text("0123456789abcdefABCDEF", min_size=1, max_size=32)


@pytest.mark.parametrize("uri", ["", "s3://", "s3://bucket", "s3://bucket/", "s3:///key", "bucket/key", "http://a/b"])
def test_what_is_no_address_is_refused(uri: str) -> None:
    with pytest.raises(InvalidReference, match="expected s3://bucket/key"):
        ObjectRef.parse(uri)


@given(st.text(min_size=1))
def test_an_address_prints_as_it_is_read(key: str) -> None:
    ref = ObjectRef("bucket", key)

    assert ObjectRef.parse(str(ref)) == ref


@given(HEX, HEX)
def test_sequencers_order_like_numbers_with_zeros_on_the_right(left: str, right: str) -> None:
    def number(text: str) -> int:
        return int(text.ljust(32, "0"), 16)

    assert (Sequencer.parse(left) < Sequencer.parse(right)) == (number(left) < number(right))


@pytest.mark.parametrize("text", ["", "xyz", "0x1", "0" * 65])
def test_what_is_no_sequencer_is_refused(text: str) -> None:
    with pytest.raises(UnknownMessage, match="hexadecimal"):
        Sequencer.parse(text)


def test_a_sequencer_prints_as_it_compares() -> None:
    assert str(Sequencer.parse("0a")) == "0A" + "0" * 62


WHOLE = SourceVersion(etag="e", version_id="v", size=7)


@pytest.mark.parametrize(
    ("older", "newer", "updated"),
    [
        (WHOLE, SourceVersion(), WHOLE),
        (SourceVersion(), WHOLE, WHOLE),
        (WHOLE, SourceVersion(etag="f"), SourceVersion(etag="f", version_id="v", size=7)),
        (WHOLE, SourceVersion(version_id="w", size=0), SourceVersion(etag="e", version_id="w", size=0)),
        (WHOLE, SourceVersion(etag="f", version_id="w", size=8), SourceVersion(etag="f", version_id="w", size=8)),
    ],
)
def test_what_a_newer_version_leaves_open_stays_known(
    older: SourceVersion, newer: SourceVersion, updated: SourceVersion
) -> None:
    """A size of no bytes is known."""
    assert older.updated(newer) == updated


def test_a_change_and_a_head_say_which_version_they_are_of() -> None:
    ref, now = ObjectRef("b", "k"), datetime(2026, 11, 28, tzinfo=UTC)
    change = ObjectChange(kind=ChangeKind.CREATED, ref=ref, etag="e", version_id="v", size=7)
    head = ObjectHead(etag="e", version_id="v", size=7, modified=now)

    assert change.version == head.version == WHOLE
    other = SourceVersion(etag="f", size=8)
    assert change.at_version(other) == ObjectChange(kind=ChangeKind.CREATED, ref=ref, etag="f", size=8)


def test_an_object_listed_without_more_is_older_than_any_and_can_be_read() -> None:
    listed = ListedObject(ObjectRef("b", "k"), "e", 7)

    assert (listed.modified, listed.is_readable) == (datetime.fromtimestamp(0, UTC), True)
