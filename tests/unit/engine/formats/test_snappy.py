"""Framed snappy, and the sum of its chunks."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.engine.formats.streams.crc32c import crc32c
from millrace.engine.formats.streams.snappy import SnappyStream
from tests.unit.engine.formats.packing import IDENTIFIER, chunk, masked_sum, pack_snappy, snappy_chunk


def content_of(packed: bytes, size: int = 1000) -> bytes:
    stream = SnappyStream(io.BytesIO(packed), 100)
    return b"".join(iter(lambda: stream.read(size), b""))


def slow_crc32c(data: bytes) -> int:
    """Bit by bit, as the standard defines it."""
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_the_sums_of_the_standard(data: bytes, expected: int) -> None:
    """The last three are RFC 3720's, appendix B.4."""
    assert crc32c(data) == expected


@given(data=st.binary(max_size=300), times=st.integers(1, 60))
def test_long_data_is_summed_as_short(data: bytes, times: int) -> None:
    assert crc32c(data * times) == slow_crc32c(data * times)


@given(data=st.binary(max_size=5000), block=st.integers(1, 2000), size=st.integers(1, 3000))
def test_content_comes_back(data: bytes, block: int, size: int) -> None:
    assert content_of(pack_snappy(data, block=block), size) == data


def test_plain_padding_skippable_and_second_identifiers_are_read_or_passed_over() -> None:
    packed = (
        IDENTIFIER
        + chunk(1, masked_sum(b"plain,") + b"plain,")
        + chunk(0xFE, bytes(70_000))
        + chunk(0x80, b"for somebody else")
        + IDENTIFIER
        + snappy_chunk(b"packed")
    )

    assert content_of(packed) == b"plain,packed"


@pytest.mark.parametrize(
    ("damaged", "says"),
    [
        (chunk(0, b"\0\0\0\0" + snappy_chunk(b"abc")[8:]), "sum"),
        (chunk(1, b"\0\0\0\0abc"), "sum"),
        (chunk(2, b"\0\0\0\0abc"), "type 0x02"),
        (chunk(0, b"abc"), "3 bytes"),
        (b"\xff\x06\0\0sNaPpX", "identifier"),
        (chunk(1, masked_sum(bytes(70_000)) + bytes(70_000)), "65,536 are the most"),
        (chunk(0, b"\0\0\0\0\xff\xff\xff\xff\x7f"), "65,536 are the most"),
    ],
)
def test_a_damaged_chunk_is_refused(damaged: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        content_of(IDENTIFIER + damaged)


def test_half_a_chunk_is_refused() -> None:
    packed = pack_snappy(b"abc" * 100)

    for end in range(1, len(packed)):
        if end == len(IDENTIFIER):
            continue  # a file without a chunk
        with pytest.raises(EOFError):
            content_of(packed[:end])
