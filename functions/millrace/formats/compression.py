"""Compressed files as streams of plain bytes: several members in a row are one file, and half a file is refused."""

from __future__ import annotations

import bz2
import gzip
import io
import zlib
from collections.abc import Callable
from typing import BinaryIO, Protocol

import pyarrow as pa

from millrace.errors import MalformedFile, TooBig, TruncatedFile
from millrace.file_format import Compression

_MAGIC = {Compression.GZIP: b"\x1f\x8b", Compression.ZSTD: b"\x28\xb5\x2f\xfd", Compression.BZIP2: b"BZh"}
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"
MAX_RATIO = 250
"""How many times larger than its file the content may be, once it is larger than FREE_BYTES."""
FREE_BYTES = 256 * 2**20
_TRUNCATED = ("truncated", "end-of-stream", "unexpected end", "ended before")


class ByteStream(Protocol):
    """Bytes, one after the other."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most ``size``; none at the end."""
        ...


class _Counted(io.RawIOBase):
    """A source that counts what is read of it, and remembers which errors are its own."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.bytes_read = 0
        self.fault: BaseException | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._source.read(size)
        except BaseException as error:
            self.fault = error
            raise
        self.bytes_read += len(data)
        return data


class _Decompressed:
    """The content of a compressed source; Arrow's and Python's errors become ours."""

    def __init__(self, source: BinaryIO, compression: Compression) -> None:
        self._counted = _Counted(source)
        self._compression = compression
        self._stream = _OPENERS[compression](self._counted)
        self._written = 0

    def read(self, size: int) -> bytes:
        try:
            data = bytes(self._stream.read(size))
        except (EOFError, OSError, ValueError, zlib.error, pa.ArrowException) as error:
            raise self._translated(error) from error
        self._written += len(data)
        if self._written > max(FREE_BYTES, MAX_RATIO * self._counted.bytes_read):
            raise TooBig(
                f"the content is more than {MAX_RATIO} times as large as its {self._compression} file "
                f"({self._written:,} bytes from {self._counted.bytes_read:,}): it looks like a bomb and is not read on",
                byte=self._written,
            )
        return data

    def _translated(self, error: BaseException) -> BaseException:
        if self._counted.fault is not None:
            return self._counted.fault
        where = f"after {self._written:,} bytes of content"
        if isinstance(error, EOFError) or any(word in str(error).lower() for word in _TRUNCATED):
            return TruncatedFile(f"the {self._compression} file stops before its end, {where}", byte=self._written)
        return MalformedFile(f"the {self._compression} file is damaged, {where}: {error}", byte=self._written)


def _open_zstd(source: _Counted) -> ByteStream:
    stream: ByteStream = pa.CompressedInputStream(pa.PythonFile(source, mode="r"), "zstd")
    return stream


_OPENERS: dict[Compression, Callable[[_Counted], ByteStream]] = {
    Compression.GZIP: lambda source: gzip.GzipFile(fileobj=source, mode="rb"),
    Compression.BZIP2: lambda source: bz2.BZ2File(source, "rb"),
    Compression.ZSTD: _open_zstd,
}


def open_plain(source: BinaryIO, compression: Compression) -> ByteStream:
    """The source's content from its beginning; raise MalformedFile where it is not compressed as said."""
    source.seek(0)
    if compression is Compression.NONE:
        return source
    _check_magic(source, compression)
    source.seek(0)
    return _Decompressed(source, compression)


def _check_magic(source: BinaryIO, compression: Compression) -> None:
    head = source.read(4)
    magic = _MAGIC[compression]
    if head.startswith(magic) or (compression is Compression.ZSTD and head[1:4] == _ZSTD_SKIPPABLE):
        return
    if magic.startswith(head):
        raise TruncatedFile(f"the file has {len(head)} bytes, too few for a {compression} file", byte=len(head))
    raise MalformedFile(
        f"the file does not begin like a {compression} file but with {head!r}; is its extension right?", byte=0
    )


def name_compression(head: bytes) -> Compression | None:
    """The compression whose mark the bytes begin with."""
    return next((compression for compression, magic in _MAGIC.items() if head.startswith(magic)), None)


__all__ = ["FREE_BYTES", "MAX_RATIO", "ByteStream", "name_compression", "open_plain"]
