"""Snappy's framing format, as a stream: chunks of at most 64 KiB, each with the sum of its content.

Source: google/snappy, ``framing_format.txt``. A chunk is its type (1 byte), its length (3, little-endian) and its data.
"""

from __future__ import annotations

from typing import Protocol

import pyarrow as pa

from millrace.engine.formats.streams.crc32c import crc32c

_COMPRESSED, _PLAIN, _IDENTIFIER = 0x00, 0x01, 0xFF
_NAME = b"sNaPpY"
_LAST_UNSKIPPABLE = 0x7F
_MOST_CONTENT = 2**16
_MOST_DATA = 2**17
"""Content of 64 KiB never takes more, and a length of three bytes could say 16 MiB."""
_SUM_BYTES = 4


class _PackedBytes(Protocol):
    def read(self, size: int, /) -> bytes: ...


class SnappyStream:
    """The content of a framed snappy file; raises EOFError for one that is cut, ValueError for one that is damaged."""

    def __init__(self, source: _PackedBytes, read_bytes: int) -> None:
        self._source = source
        self._read_bytes = read_bytes
        self._waiting = b""
        self._codec = pa.Codec("snappy")
        self._ready = b""
        self._taken = 0

    def read(self, size: int, /) -> bytes:
        """The next bytes of content; none at the end."""
        while self._taken == len(self._ready):
            content = self._next_chunk()
            if content is None:
                return b""
            self._ready, self._taken = content, 0
        piece = self._ready[self._taken : self._taken + size]
        self._taken += len(piece)
        return piece

    def _next_chunk(self) -> bytes | None:
        """The content of the next chunk, which may be empty; None at the file's end."""
        head = self._read(4, may_end=True)
        if not head:
            return None
        kind, length = head[0], int.from_bytes(head[1:], "little")
        if kind == _IDENTIFIER:
            # It may come again in the middle: two framed files one behind the other are one file (4.1).
            if self._read(length) != _NAME:
                raise ValueError("a stream identifier is not that of snappy")
            return b""
        # Types 0x80 to 0xFE are padding or for later versions, and a reader passes them by; 0x02 to 0x7F it must refuse
        # (framing_format.txt, 4.4 to 4.6).
        if kind > _LAST_UNSKIPPABLE:
            self._skip(length)
            return b""
        if kind not in {_COMPRESSED, _PLAIN} or not _SUM_BYTES <= length <= _MOST_DATA:
            raise ValueError(f"a chunk of type 0x{kind:02x} and {length:,} bytes is not known")
        return self._open_chunk(kind, self._read(length))

    def _open_chunk(self, kind: int, data: bytes) -> bytes:
        told, content = int.from_bytes(data[:_SUM_BYTES], "little"), data[_SUM_BYTES:]
        if kind == _COMPRESSED:
            content = self._codec.decompress(content, _content_length(content), asbytes=True)
        # A plain chunk says no size of its own: its data may have up to 128 KiB by the check of its length above.
        if len(content) > _MOST_CONTENT:
            raise ValueError(f"a chunk has {len(content):,} bytes of content; {_MOST_CONTENT:,} are the most")
        if _mask(crc32c(content)) != told:
            raise ValueError("the sum of a chunk's content is not what the chunk says")
        return content

    def _read(self, size: int, *, may_end: bool = False) -> bytes:
        pieces, missing = [self._waiting], size - len(self._waiting)
        while missing > 0:
            more = self._source.read(self._read_bytes)
            if not more:
                if may_end and missing == size:
                    return b""
                raise EOFError("truncated")
            pieces.append(more)
            missing -= len(more)
        data = b"".join(pieces)
        self._waiting = data[size:]
        return data[:size]

    def _skip(self, size: int) -> None:
        while size:
            size -= len(self._read(min(size, _MOST_CONTENT)))


def _content_length(data: bytes) -> int:
    """The length of the content, with which snappy data begins: 7 bits a byte, the lowest first.

    For example ``b"\\x80\\x80\\x04"`` is 4 * 128 * 128 = 65,536.
    """
    length = 0
    for position, byte in enumerate(data[:5]):
        length |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:
            break
    if length > _MOST_CONTENT:
        raise ValueError(f"a chunk has {length:,} bytes of content; {_MOST_CONTENT:,} are the most")
    return length


def _mask(checksum: int) -> int:
    """The sum as it is stored: turned right by 15 bits, plus a constant, so that a sum of sums is none."""
    turned = (checksum >> 15 | checksum << 17) & 0xFFFFFFFF
    return (turned + 0xA282EAD8) & 0xFFFFFFFF
