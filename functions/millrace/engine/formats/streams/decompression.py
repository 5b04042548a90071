"""Compressed files as streams of plain bytes: several members in a row are one file, and half a file is refused.

How a file is compressed its first bytes say, whatever its name does: plain bytes under ``.gz`` are read, and so are
gzip's under ``.csv``.
"""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable
from functools import partial
from typing import BinaryIO, Protocol

import pyarrow as pa

from millrace.engine.file_names import ARCHIVE_EXTENSIONS
from millrace.engine.formats.streams.fast_zlib import find_zlib
from millrace.engine.formats.streams.first_bytes import HEAD_BYTES, MAGIC, begins_like, name_compression, name_other
from millrace.engine.formats.streams.guarded import WatchedSource
from millrace.engine.formats.streams.snappy import SnappyStream
from millrace.engine.options import Compression, WorkSizes
from millrace.errors import MalformedFile, TooBig, TruncatedFile

MAX_RATIO = 250
"""How many times larger than its file the content may be, once it is larger than ``WorkSizes.unpacked_freely``."""
_READ_BYTES = 2**18
_GZIP_CONTAINER = 31
"""Window bits by which zlib expects a gzip file, and checks its sums."""
XZ_MEMORY = 96 * 2**20
"""xz -9 needs 65 MB to be unpacked; a file may ask for 4 GB."""
_TRUNCATED = ("truncated", "end-of-stream", "unexpected end", "ended before")


class ByteStream(Protocol):
    """Bytes, one after the other."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most ``size``; none at the end."""
        ...


class _Decompressed:
    """The content of a compressed source; Arrow's and Python's errors become ours."""

    def __init__(self, source: BinaryIO, compression: Compression, free_bytes: int, read_bytes: int) -> None:
        self._counted = WatchedSource(source)
        self._compression = compression
        self._free_bytes = free_bytes
        self._stream = _OPENERS[compression](self._counted, read_bytes)
        self._written = 0

    def read(self, size: int) -> bytes:
        try:
            data = bytes(self._stream.read(size))
        except (EOFError, OSError, ValueError, find_zlib().error, lzma.LZMAError, pa.ArrowException) as error:
            raise self._translate(error) from error
        self._written += len(data)
        # Deflate packs at most 1,032 to 1 (zlib's technical details), bzip2 packs zeros a hundred thousand times and
        # more. Small content may have any ratio: a thousand equal lines are no bomb.
        if self._written > max(self._free_bytes, MAX_RATIO * self._counted.bytes_read):
            raise TooBig(
                f"the content is more than {MAX_RATIO} times as large as its {self._compression} file "
                f"({self._written:,} bytes from {self._counted.bytes_read:,}): it looks like a bomb and is not read on",
                byte=self._written,
            )
        return data

    def _translate(self, error: BaseException) -> BaseException:
        # Arrow wraps what a Python source raises into an OSError of its own: a lost connection would look like a
        # damaged file.
        if self._counted.fault is not None:
            return self._counted.fault
        where = f"after {self._written:,} bytes of content"
        if isinstance(error, lzma.LZMAError) and "memory usage limit" in str(error).lower():
            return TooBig(
                f"the xz file asks for more than {XZ_MEMORY:,} bytes of memory; pack it by xz -9 or less", byte=0
            )
        # Arrow has no error type for a file that was cut: its words are all there is to know it by.
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
        self, source: WatchedSource, read_bytes: int, compression: Compression, begin: Callable[[], _Decompressor]
    ) -> None:
        self._source = source
        self._read_bytes = read_bytes
        self._magic = MAGIC[compression]
        self._padded = compression in {Compression.GZIP, Compression.XZ}
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
        """Begin the next member; False if there is none. Zeros may follow those of gzip, as on tapes, and of xz."""
        while True:
            # tar and tape drives fill the last block with zeros; gzip itself passes them by, and xz allows them in
            # fours (2.2).
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
            # A few bytes of a mark are a member that was cut; anything else was never one.
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


def _open_gzip(source: WatchedSource, read_bytes: int) -> ByteStream:
    return _Members(source, read_bytes, Compression.GZIP, partial(find_zlib().decompressobj, _GZIP_CONTAINER))


def _open_bzip2(source: WatchedSource, read_bytes: int) -> ByteStream:
    return _Members(source, read_bytes, Compression.BZIP2, bz2.BZ2Decompressor)


def _open_xz(source: WatchedSource, read_bytes: int) -> ByteStream:
    begin = partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, XZ_MEMORY)
    return _Members(source, read_bytes, Compression.XZ, begin)


def _open_by_arrow(codec: str, source: WatchedSource, _read_bytes: int) -> ByteStream:
    stream: ByteStream = pa.CompressedInputStream(pa.PythonFile(source, mode="r"), codec)
    return stream


def _open_snappy(source: WatchedSource, read_bytes: int) -> ByteStream:
    return SnappyStream(source, read_bytes)


_OPENERS: dict[Compression, Callable[[WatchedSource, int], ByteStream]] = {
    Compression.GZIP: _open_gzip,
    Compression.BZIP2: _open_bzip2,
    Compression.XZ: _open_xz,
    Compression.ZSTD: partial(_open_by_arrow, "zstd"),
    Compression.LZ4: partial(_open_by_arrow, "lz4"),
    Compression.SNAPPY: _open_snappy,
}


class _DecompressedBytes:
    """A stream whose beginning was looked at already."""

    def __init__(self, head: bytes, stream: ByteStream) -> None:
        self._head = head
        self._stream = stream

    def read(self, size: int) -> bytes:
        if self._head:
            piece, self._head = self._head[:size], self._head[size:]
            return piece
        return self._stream.read(size)


def open_plain(
    source: BinaryIO,
    named: Compression,
    *,
    free_bytes: int = WorkSizes().unpacked_freely,
    read_bytes: int = _READ_BYTES,
) -> ByteStream:
    """A seekable text's content from its beginning; its first bytes say whether it is compressed, and how.

    ``named`` is what its name says. Up to ``free_bytes`` of content are unpacked whatever their ratio; ``read_bytes``
    of the file are read at once.

    Raises MalformedFile for an archive or another file that is no text, and for one that is packed twice;
    TruncatedFile for one that was cut within its first bytes.
    """
    head = peek(source)
    compression = _name_of(head, named)
    if compression is Compression.NONE:
        _check_text(head, None)
        return source
    stream = _Decompressed(source, compression, free_bytes, read_bytes)
    content = read_fully(stream, HEAD_BYTES)
    _check_text(content, compression)
    return _DecompressedBytes(content, stream)


def open_unpacked(source: BinaryIO) -> ByteStream:
    """The content as ``open_plain`` gives it, whatever it is; the source itself if it is not compressed."""
    compression = find_compression(source, Compression.NONE)
    if compression is Compression.NONE:
        return source
    return _Decompressed(source, compression, WorkSizes().unpacked_freely, _READ_BYTES)


def find_compression(source: BinaryIO, named: Compression) -> Compression:
    """How a seekable file is compressed, by its first bytes; raise TruncatedFile if it was cut within them."""
    return _name_of(peek(source), named)


def peek(source: BinaryIO) -> bytes:
    """The first bytes of a seekable file, which is at its beginning again."""
    source.seek(0)
    head = source.read(HEAD_BYTES)
    source.seek(0)
    return head


def _name_of(head: bytes, named: Compression) -> Compression:
    compression = name_compression(head)
    if compression is Compression.ZSTD and named is Compression.LZ4 and not head.startswith(MAGIC[compression]):
        return named  # both may begin with a frame without content
    if compression is None and begins_like(head, named):
        raise TruncatedFile(f"the file has {len(head)} bytes, too few for a {named} file", byte=len(head))
    return compression or Compression.NONE


def require_compression(source: BinaryIO, demanded: Compression) -> None:
    """Raise MalformedFile if a seekable file is compressed otherwise than a person demands."""
    head = peek(source)
    found = _name_of(head, demanded)
    if found is demanded:
        return
    if found is not Compression.NONE:
        raise MalformedFile(f"the file is a {found} file, and its compression is to be {demanded}", byte=0)
    raise MalformedFile(
        f"the file does not begin like a {demanded} file but with {head[:4]!r}; leave its compression out, and its"
        " first bytes decide",
        byte=0,
    )


def _check_text(head: bytes, unpacked_from: Compression | None) -> None:
    """Raise MalformedFile for the beginning of what is no text."""
    inner = name_compression(head)
    if inner is not None and unpacked_from is not None:
        raise MalformedFile(
            f"the file is packed twice: in the {unpacked_from} file is a {inner} file; unpack it once", byte=0
        )
    other = name_other(head)
    if other is not None:
        within = f"in the {unpacked_from} file is" if unpacked_from else "it is"
        raise MalformedFile(
            f"the file is no text: {within} {other}, whatever its name says; {_advise_to_rename(other)}", byte=0
        )


def _advise_to_rename(other: str) -> str:
    if "archive" in other:
        return f"archives are read under names that end in {', '.join(ARCHIVE_EXTENSIONS)}"
    return "write it under its own name, or have it read as what it is"


def read_fully(stream: ByteStream, size: int) -> bytes:
    """The next ``size`` bytes of a stream, fewer only at its end."""
    data = b""
    while len(data) < size and (more := stream.read(size - len(data))):
        data += more
    return data
