"""The kernel's UTF-8 check is Python's decoder: the same texts, and the same first wrong byte."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.engine.native.utf8 import measure_utf8
from tests.unit.engine.native.kernels import require_kernel

BORDERS = (0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF)
HIGH_BORDERS = (0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF)
CHARACTERS = st.characters(exclude_categories=["Cs"])
PIECES = st.one_of(st.text(CHARACTERS, max_size=40).map(str.encode), st.binary(max_size=4), st.just(b"a" * 70))


def _measure(data: bytes) -> int:
    """How many bytes are text, by the kernel."""
    return measure_utf8(require_kernel(), data)


def _measure_by_python(data: bytes) -> int:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return len(data)


@given(st.lists(PIECES, max_size=8).map(b"".join))
def test_it_agrees_with_pythons_decoder(data: bytes) -> None:
    assert _measure(data) == _measure_by_python(data)


@pytest.mark.slow
@pytest.mark.parametrize("before", [0, 30, 68, 69, 70], ids="after {} bytes".format)
def test_every_border_of_the_second_and_third_byte(before: int) -> None:
    """At the start, in a block of 64 bytes that begins after the first six, and across its end."""
    borders = (*BORDERS, *HIGH_BORDERS)
    for first, second, third in product(borders, repeat=3):
        data = b"a" * before + bytes([first, second, third, 0xBF]) + b"b" * 70

        assert _measure(data) == _measure_by_python(data), data


def test_a_character_that_is_cut_by_the_end_is_none() -> None:
    for character in ("é", "漢", "😀"):
        whole = character.encode()
        for length in range(1, len(whole)):
            assert _measure(b"abc" + whole[:length]) == 3
