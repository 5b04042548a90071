"""Compressed and encoded files as streams of text."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable

import pyarrow as pa
import pytest

from millrace.errors import DataError, MalformedFile, TooBig, TruncatedFile, WrongEncoding
from millrace.file_format import Compression
from millrace.formats import compression as compression_format
from tests.unit.formats.builders import converted

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


def test_a_bomb_is_not_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression_format, "FREE_BYTES", 2**20)

    with pytest.raises(TooBig, match="bomb"):
        converted(gzip.compress(b"a\n" + b"0\n" * 2**21), "csv", "csv", compression=Compression.GZIP)


@pytest.mark.parametrize("compression", PACK)
def test_a_compressed_file_that_is_not_told_is_named(compression: Compression) -> None:
    with pytest.raises(WrongEncoding, match=compression):
        converted(PACK[compression](ONE), "csv", "csv")
