"""Where the frames of a Zstandard file begin and end, found without unpacking any (RFC 8878, 3.1).

A frame is a header and blocks of at most 128 KB, each of which says its size: only these few bytes are looked at.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from millrace.errors import MalformedFile, TruncatedFile

_FRAME = bytes.fromhex("28b52ffd")
_SKIPPABLE = bytes.fromhex("2a4d18")
"""Behind a byte from 0x50 to 0x5f, and before the size of what is passed over."""
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
        self.at = source.seek(0)

    def take(self, count: int) -> bytes:
        data = self._source.read(count)
        self.at += len(data)
        if len(data) < count:
            raise self.truncated()
        return data

    def take_number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "little")

    def skip(self, count: int) -> None:
        self.at = self._source.seek(self.at + count)
        if self.at > self.size:
            raise self.truncated()

    def truncated(self) -> TruncatedFile:
        return TruncatedFile(f"the zstd file stops after {self.size:,} bytes, within a frame", byte=self.size)


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
