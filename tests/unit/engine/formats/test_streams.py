"""Compressed and encoded files as streams of text."""

from __future__ import annotations

import bz2
import gzip
import io
from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.engine.formats.streams import decompression
from millrace.engine.options import Compression, WorkSizes
from millrace.errors import DataError, MalformedFile, TooBig, TruncatedFile, WrongEncoding
from tests.unit.engine.formats.builders import converted

ONE, MORE = b"a,b\n1,x\n", b"2,y\n" * 1000
PACK: dict[Compression, Callable[[bytes], bytes]] = {
    Compression.GZIP: gzip.compress,
    Compression.BZIP2: bz2.compress,
    Compression.ZSTD: lambda data: pa.compress(data, codec="zstd", asbytes=True),
}


@pytest.mark.parametrize("compression", PACK)
def test_several_members_are_one_file(compression: Compression) -> None:
    data = PACK[compression](ONE) + PACK[compression](b"") + PACK[compression](MORE)

    assert converted(data, "csv", "csv", compression=compression) == ONE + MORE


@pytest.mark.parametrize("compression", PACK)
def test_half_a_file_is_refused_wherever_it_stops(compression: Compression) -> None:
    data = PACK[compression](ONE + MORE)

    for end in range(len(data)):
        with pytest.raises(TruncatedFile):
            converted(data[:end], "csv", "csv", compression=compression)


@pytest.mark.parametrize("compression", PACK)
def test_half_a_second_member_is_refused(compression: Compression) -> None:
    data = PACK[compression](ONE) + PACK[compression](MORE)[:-5]

    with pytest.raises(TruncatedFile):
        converted(data, "csv", "csv", compression=compression)


@pytest.mark.parametrize("more", [b"junk", b"j", b"\x1f\x8a and more"])
@pytest.mark.parametrize("compression", PACK)
def test_what_follows_the_last_member_and_is_none_is_refused(compression: Compression, more: bytes) -> None:
    data = PACK[compression](ONE)

    with pytest.raises(MalformedFile, match=f"at byte {len(data)} of the file|Unknown frame"):
        converted(data + more, "csv", "csv", compression=compression)


@pytest.mark.parametrize("compression", [Compression.GZIP, Compression.BZIP2])
@given(sizes=st.lists(st.integers(0, 3000), max_size=5), asked=st.integers(1, 5000), block=st.integers(1, 50))
def test_members_are_read_whatever_the_sizes(
    compression: Compression, sizes: list[int], asked: int, block: int
) -> None:
    """However long members are, however much is asked for, and however little is read of the file at once."""
    content = [bytes(range(256)) * (size // 256) + b"x" * (size % 256) for size in sizes] or [b""]
    source = io.BytesIO(b"".join(map(PACK[compression], content)))

    stream = decompression.open_plain(source, compression, read_bytes=block)
    pieces = list(iter(lambda: stream.read(asked), b""))

    assert b"".join(pieces) == b"".join(content)
    assert all(len(piece) <= asked for piece in pieces)


def test_zeros_may_follow_a_gzip_file() -> None:
    """As tape archives pad them; gzip itself takes them, too."""
    data = gzip.compress(ONE) + bytes(512) + gzip.compress(MORE) + bytes(100)

    assert converted(data, "csv", "csv", compression=Compression.GZIP) == ONE + MORE


@pytest.mark.parametrize("at", range(3))
def test_skippable_frames_of_zstd_are_passed_over(at: int) -> None:
    frames = [PACK[Compression.ZSTD](ONE), PACK[Compression.ZSTD](MORE)]
    frames.insert(at, b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"abcd")

    assert converted(b"".join(frames), "csv", "csv", compression=Compression.ZSTD) == ONE + MORE


@pytest.mark.parametrize("compression", PACK)
def test_a_file_that_is_not_compressed_so_is_refused(compression: Compression) -> None:
    with pytest.raises(MalformedFile, match="does not begin"):
        converted(ONE, "csv", "csv", compression=compression)


@pytest.mark.parametrize("compression", PACK)
def test_a_damaged_file_is_refused(compression: Compression) -> None:
    data = bytearray(PACK[compression](ONE + bytes(range(32, 127)) * 20))
    data[len(data) // 2] ^= 0xFF

    with pytest.raises(DataError):
        converted(bytes(data), "csv", "csv", compression=compression)


def test_a_bomb_is_not_read_on() -> None:
    bomb, work = gzip.compress(b"a\n" + b"0\n" * 2**21), WorkSizes(unpacked_freely=2**20)

    with pytest.raises(TooBig, match="bomb"):
        converted(bomb, "csv", "csv", compression=Compression.GZIP, work=work)


@pytest.mark.parametrize("compression", PACK)
def test_a_compressed_file_that_is_not_told_is_named(compression: Compression) -> None:
    with pytest.raises(WrongEncoding, match=compression):
        converted(PACK[compression](ONE), "csv", "csv")
