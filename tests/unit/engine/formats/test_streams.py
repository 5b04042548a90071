"""Compressed and encoded files as streams of text."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.engine.formats.streams import decompression
from millrace.engine.options import Compression, WorkSizes
from millrace.errors import DataError, MalformedFile, TooBig, TruncatedFile
from tests.unit.engine.formats.builders import converted
from tests.unit.engine.formats.packing import IDENTIFIER, pack_lz4, pack_snappy

ONE, MORE = b"a,b\n1,x\n", b"2,y\n" * 1000
PACK: dict[Compression, Callable[[bytes], bytes]] = {
    Compression.GZIP: gzip.compress,
    Compression.BZIP2: bz2.compress,
    Compression.ZSTD: lambda data: pa.compress(data, codec="zstd", asbytes=True),
    Compression.XZ: lzma.compress,
    Compression.LZ4: pack_lz4,
    Compression.SNAPPY: pack_snappy,
}


@pytest.mark.parametrize("compression", PACK)
def test_several_members_are_one_file(compression: Compression) -> None:
    data = PACK[compression](ONE) + PACK[compression](b"") + PACK[compression](MORE)

    assert converted(data, "csv", "csv", compression=compression) == ONE + MORE


@pytest.mark.parametrize("compression", PACK)
def test_half_a_file_is_refused_wherever_it_stops(compression: Compression) -> None:
    data = PACK[compression](ONE + MORE)

    for end in range(1, len(data)):
        if compression is Compression.SNAPPY and end == len(IDENTIFIER):
            continue  # that is a whole file without content
        with pytest.raises(TruncatedFile):
            converted(data[:end], "csv", "csv", compression=compression)


@pytest.mark.parametrize("compression", PACK)
def test_an_empty_file_has_no_rows(compression: Compression) -> None:
    """As it has none without the extension of a compression."""
    assert converted(b"", "csv", "csv", compression=compression) == b""


@pytest.mark.parametrize("compression", PACK)
def test_half_a_second_member_is_refused(compression: Compression) -> None:
    data = PACK[compression](ONE) + PACK[compression](MORE)[:-5]

    with pytest.raises(TruncatedFile):
        converted(data, "csv", "csv", compression=compression)


@pytest.mark.parametrize("more", [b"junk", b"j", b"\x1f\x8a and more"])
@pytest.mark.parametrize("compression", PACK)
def test_what_follows_the_last_member_and_is_none_is_refused(compression: Compression, more: bytes) -> None:
    data = PACK[compression](ONE)

    with pytest.raises(
        DataError, match=f"at byte {len(data)} of the file|Unknown frame|frameType|chunk|before its end"
    ):
        converted(data + more, "csv", "csv", compression=compression)


@pytest.mark.slow
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
@pytest.mark.parametrize("text", [ONE, b"BZhandler,BZid\n1,2\n", b"(\n1\n", b"PMID,P*M\n1,2\n", b"BZh9,a\n1,2\n"])
def test_a_file_that_is_not_compressed_is_read_whatever_its_name_says(compression: Compression, text: bytes) -> None:
    assert converted(text, "csv", "csv", compression=compression) == text


@pytest.mark.parametrize("compression", PACK)
def test_a_person_who_demands_a_compression_gets_it_or_an_error(compression: Compression) -> None:
    decompression.require_compression(io.BytesIO(PACK[compression](ONE)), compression)
    with pytest.raises(MalformedFile, match="does not begin like a"):
        decompression.require_compression(io.BytesIO(ONE), compression)
    with pytest.raises(MalformedFile, match=f"is a {compression} file, and its compression is to be none"):
        decompression.require_compression(io.BytesIO(PACK[compression](ONE)), Compression.NONE)


@pytest.mark.parametrize("compression", PACK)
def test_a_damaged_file_is_refused(compression: Compression) -> None:
    data = bytearray(PACK[compression](ONE + bytes(range(32, 127)) * 20))
    data[len(data) // 2] ^= 0xFF

    with pytest.raises(DataError):
        converted(bytes(data), "csv", "csv", compression=compression)


@pytest.mark.slow
def test_a_bomb_is_not_read_on() -> None:
    bomb, work = gzip.compress(b"a\n" + b"0\n" * 2**21), WorkSizes(unpacked_freely=2**20)

    with pytest.raises(TooBig, match="bomb"):
        converted(bomb, "csv", "csv", compression=Compression.GZIP, work=work)


@pytest.mark.parametrize("compression", PACK)
@pytest.mark.parametrize("named", [Compression.NONE, Compression.GZIP, Compression.ZSTD])
@pytest.mark.parametrize("source", ["csv", "json"])
def test_the_first_bytes_decide_whatever_the_name_says(
    compression: Compression, named: Compression, source: str
) -> None:
    text = ONE if source == "csv" else b'{"a":1}\n'

    assert converted(PACK[compression](text), source, source, compression=named) == text


@pytest.mark.parametrize("outer", PACK)
@pytest.mark.parametrize("inner", PACK)
def test_a_file_that_is_packed_twice_is_named(outer: Compression, inner: Compression) -> None:
    with pytest.raises(MalformedFile, match=f"packed twice: in the {outer} file is a {inner} file"):
        converted(PACK[outer](PACK[inner](ONE)), "csv", "csv", compression=outer)


def test_frames_without_content_are_those_of_the_compression_that_is_named() -> None:
    frame = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"abcd"

    assert converted(frame + PACK[Compression.LZ4](ONE), "csv", "csv", compression=Compression.LZ4) == ONE


@pytest.mark.slow
def test_an_xz_file_that_asks_for_much_memory_is_refused() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 2**28}]
    data = lzma.compress(ONE, filters=filters)

    with pytest.raises(TooBig, match="memory"):
        converted(data, "csv", "csv")


@pytest.mark.slow
@pytest.mark.parametrize("compression", PACK)
def test_bombs_of_every_compression_are_not_read_on(compression: Compression) -> None:
    bomb, work = PACK[compression](b"a\n" + b"0\n" * 2**20), WorkSizes(unpacked_freely=2**18)

    if len(bomb) * decompression.MAX_RATIO > 2**21:
        # Of these two content is never 250 times as large as its file.
        assert compression in {Compression.SNAPPY, Compression.LZ4}
        return
    with pytest.raises(TooBig, match="bomb"):
        converted(bomb, "csv", "csv", work=work)
