"""Where the frames of a Zstandard file begin and end, found without unpacking any (RFC 8878, 3.1).

A frame is a header and blocks of at most 128 KB, each of which says its size: only these few bytes are looked at.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from millrace.engine.formats.streams.decompression import read_fully
from millrace.errors import MalformedFile, TruncatedFile

_FRAME = bytes.fromhex("28b52ffd")
_SKIPPABLE = bytes.fromhex("2a4d18")
"""Behind a byte from 0x50 to 0x5f, and before the size of what is passed over."""
_TABLE_END = struct.Struct("<IBI")
"""A seek table's end: the number of frames, a descriptor, a magic (zstd's contrib/seekable_format)."""
_TABLE_MAGIC = 0x8F92EAB1
_WINDOW_BYTES = 2**23
"""Read at once: at least sixty heads of blocks are in it."""
_SIZES_OF_DICTIONARY = (0, 1, 2, 4)
_SIZES_OF_CONTENT = (0, 2, 4, 8)
_RUN, _RESERVED = 1, 3
"""Types of blocks: of a run only the one byte that is repeated is there."""


@dataclass(frozen=True, slots=True)
class ZstdFrame:
    """Where a frame is in its file; ``content_bytes`` is what it says of its content's size, None if nothing."""

    start: int
    end: int
    content_bytes: int | None


class _FrameWalk:
    """Reads on from a place in a file."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.size = source.seek(0, io.SEEK_END)
        self.at = 0
        self._start, self._window = 0, b""

    def take(self, count: int) -> bytes:
        begin = self.at - self._start
        if not 0 <= begin <= len(self._window) - count:
            # Blocks are small: a request for the head of each would take longer than to read all of them.
            self._source.seek(self.at)
            self._start, self._window, begin = self.at, read_fully(self._source, _WINDOW_BYTES), 0
        data = self._window[begin : begin + count]
        self.at += len(data)
        if len(data) < count:
            raise self.truncated()
        return data

    def take_number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "little")

    def skip(self, count: int) -> None:
        self.at += count
        if self.at > self.size:
            raise self.truncated()

    def truncated(self) -> TruncatedFile:
        return TruncatedFile(f"the zstd file stops after {self.size:,} bytes, within a frame", byte=self.size)


def read_seek_table(source: BinaryIO) -> tuple[ZstdFrame, ...] | None:
    """The frames by the table that a seekable file ends with; None if there is none, or if it is not of this file."""
    size = source.seek(0, io.SEEK_END)
    source.seek(max(0, size - _TABLE_END.size))
    end = read_fully(source, _TABLE_END.size)
    if len(end) < _TABLE_END.size:
        return None
    count, descriptor, magic = _TABLE_END.unpack(end)
    width = 12 if descriptor & 0x80 else 8  # with or without a checksum
    table_size = 8 + count * width + _TABLE_END.size
    if magic != _TABLE_MAGIC or table_size > size:
        return None
    source.seek(size - table_size + 8)
    entries = read_fully(source, count * width)
    frames, at = list[ZstdFrame](), 0
    for begin in range(0, count * width, width):
        packed, content = struct.unpack_from("<II", entries, begin)
        frames.append(ZstdFrame(at, at + packed, content))
        at += packed
    return tuple(frames) if at == size - table_size else None


def write_seek_table(frames: Sequence[ZstdFrame]) -> bytes:
    """What a file of these frames, next to each other, ends with; unpackers pass over it."""
    entries = [struct.pack("<II", frame.end - frame.start, frame.content_bytes or 0) for frame in frames]
    table = b"".join(entries) + _TABLE_END.pack(len(frames), 0, _TABLE_MAGIC)
    return b"\x5e" + _SKIPPABLE + len(table).to_bytes(4, "little") + table


def find_frames(source: BinaryIO) -> Iterator[ZstdFrame]:
    """The frames with content of a seekable file, in order.

    Raises TruncatedFile, and MalformedFile with the byte if what begins there is no frame.
    """
    walk = _FrameWalk(source)
    while walk.at < walk.size:
        start = walk.at
        magic = walk.take(len(_FRAME))
        if magic == _FRAME:
            content = _skip_frame(walk)
            yield ZstdFrame(start, walk.at, content)
        elif magic[1:] == _SKIPPABLE and magic[0] >> 4 == 5:
            walk.skip(walk.take_number(4))
        else:
            raise MalformedFile(f"the zstd file is damaged: at byte {start:,} no frame begins", byte=start)


def find_first_end(head: bytes) -> int | None:
    """Where the first frame ends in a file that begins with these bytes; None if not within them."""
    try:
        return next(find_frames(io.BytesIO(head))).end
    except (TruncatedFile, StopIteration):
        return None


def _skip_frame(walk: _FrameWalk) -> int | None:
    """Pass over a frame behind its magic; give the size of its content, if it says it."""
    # 0xA4 = 10 1 0 0 1 00: a content size of 4 bytes, no window, a checksum at the end, no dictionary.
    descriptor = walk.take(1)[0]
    has_window, has_checksum = not descriptor & 0x20, bool(descriptor & 4)
    walk.skip(has_window + _SIZES_OF_DICTIONARY[descriptor & 3])
    content = _take_content_size(walk, descriptor >> 6, has_window=has_window)
    is_last = False
    while not is_last:
        block = walk.take_number(3)
        is_last, kind, size = bool(block & 1), block >> 1 & 3, block >> 3
        if kind == _RESERVED:
            raise MalformedFile(f"the zstd file is damaged: at byte {walk.at - 3:,} no block begins", byte=walk.at - 3)
        walk.skip(1 if kind == _RUN else size)
    if has_checksum:
        walk.skip(4)
    return content


def _take_content_size(walk: _FrameWalk, flag: int, *, has_window: bool) -> int | None:
    if flag == 0:
        # A frame without a window always says how large it is: in one byte if it need be no more.
        return None if has_window else walk.take_number(1)
    size = walk.take_number(_SIZES_OF_CONTENT[flag])
    return size + 256 if flag == 1 else size
