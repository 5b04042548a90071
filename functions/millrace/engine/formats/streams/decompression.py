"""Compressed files as streams of plain bytes: several members in a row are one file, and half a file is refused."""

from __future__ import annotations

import bz2
import io
import zlib
from collections.abc import Callable
from functools import partial
from typing import BinaryIO, Protocol

import pyarrow as pa

from millrace.engine.options import Compression, WorkSizes
from millrace.errors import MalformedFile, TooBig, TruncatedFile

_MAGIC = {Compression.GZIP: b"\x1f\x8b", Compression.ZSTD: b"\x28\xb5\x2f\xfd", Compression.BZIP2: b"BZh"}
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"
MAX_RATIO = 250
"""How many times larger than its file the content may be, once it is larger than ``WorkSizes.unpacked_freely``."""
_READ_BYTES = 2**18
_GZIP_CONTAINER = 31
"""Window bits by which zlib expects a gzip file, and checks its sums."""
_TRUNCATED = ("truncated", "end-of-stream", "unexpected end", "ended before")


class ByteStream(Protocol):
    """Bytes, one after the other."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most ``size``; none at the end."""
        ...


class _CountedSource(io.RawIOBase):
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

    def __init__(self, source: BinaryIO, compression: Compression, free_bytes: int, read_bytes: int) -> None:
        self._counted = _CountedSource(source)
        self._compression = compression
        self._free_bytes = free_bytes
        self._stream = _OPENERS[compression](self._counted, read_bytes)
        self._written = 0

    def read(self, size: int) -> bytes:
        try:
            data = bytes(self._stream.read(size))
        except (EOFError, OSError, ValueError, zlib.error, pa.ArrowException) as error:
            raise self._translate(error) from error
        self._written += len(data)
        if self._written > max(self._free_bytes, MAX_RATIO * self._counted.bytes_read):
            raise TooBig(
                f"the content is more than {MAX_RATIO} times as large as its {self._compression} file "
                f"({self._written:,} bytes from {self._counted.bytes_read:,}): it looks like a bomb and is not read on",
                byte=self._written,
            )
        return data

    def _translate(self, error: BaseException) -> BaseException:
        if self._counted.fault is not None:
            return self._counted.fault
        where = f"after {self._written:,} bytes of content"
        if isinstance(error, EOFError) or any(word in str(error).lower() for word in _TRUNCATED):
            return TruncatedFile(f"the {self._compression} file stops before its end, {where}", byte=self._written)
        return MalformedFile(f"the {self._compression} file is damaged, {where}: {error}", byte=self._written)


class _Decompressor(Protocol):
    """What zlib and bz2 have in common: decompresses one member."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Members:
    """The content of members, one after the other; what follows them and is none is refused."""

    def __init__(
        self, source: _CountedSource, read_bytes: int, compression: Compression, begin: Callable[[], _Decompressor]
    ) -> None:
        self._source = source
        self._read_bytes = read_bytes
        self._magic = _MAGIC[compression]
        self._padded = compression is Compression.GZIP
        self._begin = begin
        self._member = begin()
        self._waiting = b""

    def read(self, size: int) -> bytes:
        while True:
            if self._member.eof and not self._next_member():
                return b""
            data = self._member.decompress(self._packed(), size)
            self._waiting = _left_over(self._member)
            if data:
                return data

    def _packed(self) -> bytes:
        """The bytes to decompress next; none if the member has enough of them inside."""
        if self._waiting or not _wants(self._member):
            return self._waiting
        packed = self._source.read(self._read_bytes)
        if not packed:
            raise EOFError("truncated")
        return packed

    def _next_member(self) -> bool:
        """Begin the next member; False if there is none. Zeros may follow those of gzip, as on tapes."""
        while True:
            if self._padded:
                self._waiting = self._waiting.lstrip(b"\0")
            if len(self._waiting) >= len(self._magic):
                break
            more = self._source.read(self._read_bytes)
            if not more:
                break
            self._waiting += more
        if not self._waiting:
            return False
        if not self._waiting.startswith(self._magic):
            if self._magic.startswith(self._waiting):
                raise EOFError("truncated")
            at = self._source.bytes_read - len(self._waiting)
            raise ValueError(f"behind its end, at byte {at:,} of the file, something else follows")
        self._member = self._begin()
        return True


def _wants(member: _Decompressor) -> bool:
    """Whether a member has nothing left to decompress; zlib gives back what it has not taken."""
    return bool(getattr(member, "needs_input", True))


def _left_over(member: _Decompressor) -> bytes:
    """The bytes that a member was given and has not decompressed: those behind its end, or what zlib gives back."""
    if member.eof:
        return member.unused_data
    left: bytes = getattr(member, "unconsumed_tail", b"")
    return left


def _open_gzip(source: _CountedSource, read_bytes: int) -> ByteStream:
    return _Members(source, read_bytes, Compression.GZIP, partial(zlib.decompressobj, _GZIP_CONTAINER))


def _open_bzip2(source: _CountedSource, read_bytes: int) -> ByteStream:
    return _Members(source, read_bytes, Compression.BZIP2, bz2.BZ2Decompressor)


def _open_zstd(source: _CountedSource, _read_bytes: int) -> ByteStream:
    stream: ByteStream = pa.CompressedInputStream(pa.PythonFile(source, mode="r"), "zstd")
    return stream


_OPENERS: dict[Compression, Callable[[_CountedSource, int], ByteStream]] = {
    Compression.GZIP: _open_gzip,
    Compression.BZIP2: _open_bzip2,
    Compression.ZSTD: _open_zstd,
}


def open_plain(
    source: BinaryIO,
    compression: Compression,
    *,
    free_bytes: int = WorkSizes().unpacked_freely,
    read_bytes: int = _READ_BYTES,
) -> ByteStream:
    """The source's content from its beginning; raise MalformedFile if it is not compressed as said.

    Up to ``free_bytes`` of content are unpacked whatever their ratio; ``read_bytes`` of the file are read at once.
    """
    source.seek(0)
    if compression is Compression.NONE:
        return source
    _check_magic(source, compression)
    source.seek(0)
    return _Decompressed(source, compression, free_bytes, read_bytes)


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
