"""A range of a file as a file of its own, read piece by piece; and ranges of about one size."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import BinaryIO, cast

from millrace.engine.formats.streams.decompression import find_compression
from millrace.engine.options import Compression, ReadOptions
from millrace.engine.parts.frames import TextRange
from millrace.errors import CannotBeCut


class BytesFromAnyPlace(io.RawIOBase):
    """A file of ``size`` bytes that is sought in; a subclass reads at ``_at``, and moves it."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        """It is read from."""
        return True

    def seekable(self) -> bool:
        """At any place."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; nothing is read."""
        self._at = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence] + offset
        return self._at

    def tell(self) -> int:
        """The place of the next byte."""
        return self._at


class RangeOfFile(BytesFromAnyPlace):
    """The bytes of a seekable file from ``start`` up to ``end``; nothing is read before it is asked for."""

    def __init__(self, source: BinaryIO, start: int, end: int) -> None:
        super().__init__(end - start)
        self._source = source
        self._start = start

    def read(self, size: int = -1) -> bytes:
        """The next bytes, all that are left where no size is given; none at the range's end."""
        left = max(self._size - self._at, 0)
        if 0 <= size < left:
            left = size
        self._source.seek(self._start + self._at)
        data = self._source.read(left)
        self._at += len(data)
        return data


def open_range(source: BinaryIO, start: int, end: int) -> BinaryIO:
    """The bytes of a seekable file from ``start`` up to ``end``."""
    return cast("BinaryIO", RangeOfFile(source, start, end))


def divide(start: int, end: int, part_bytes: int) -> tuple[TextRange, ...]:
    """Ranges next to each other of about one size, at most ``part_bytes`` if there is more than one; at least one.

    Worked example: 0 to 10 in parts of 4 are 0 to 3, 3 to 6 and 6 to 10.
    """
    size = end - start
    count = max(1, -(-size // max(part_bytes, 1)))
    places = [start + size * number // count for number in range(count + 1)]
    return tuple(TextRange(first, last) for first, last in pairwise(places))


def refuse_compressed(source: BinaryIO, read: ReadOptions) -> None:
    """Raise CannotBeCut if a file's text is not seen in its bytes."""
    compression = find_compression(source, read.compression)
    if compression is not Compression.NONE:
        raise CannotBeCut(f"the file is a {compression} file of one piece: inflate it first", byte=0)
