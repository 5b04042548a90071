"""References and sequencers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.errors import InvalidReference, UnknownMessage
from millrace.objects.references import ObjectRef, Sequencer

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
