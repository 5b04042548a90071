"""Inputs that exist nowhere as a whole: pieces, each repeated many times, read as one seekable file."""

from __future__ import annotations

import io
from bisect import bisect_right
from itertools import accumulate

Piece = tuple[bytes, int]
_AT_ONCE = 10_000


class Repeated(io.RawIOBase):
    """A file made of pieces, each so many times in a row; no more of it is in memory than is asked for."""

    def __init__(self, *pieces: Piece) -> None:
        super().__init__()
        self._pieces = [piece for piece in pieces if piece[0] and piece[1]]
        self._ends = list(accumulate(len(data) * times for data, times in self._pieces))
        self._at = 0

    @property
    def size(self) -> int:
        """How long the file is."""
        return self._ends[-1] if self._ends else 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence] + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        wanted = self.size - self._at if size < 0 else min(size, self.size - self._at)
        parts = []
        while wanted > 0:
            part = self._part(wanted)
            parts.append(part)
            self._at += len(part)
            wanted -= len(part)
        return b"".join(parts)

    def _part(self, most: int) -> bytes:
        place = bisect_right(self._ends, self._at)
        data, times = self._pieces[place]
        offset = self._at - (self._ends[place] - len(data) * times)
        begin = offset % len(data)
        most = min(most, len(data) * times - offset)
        if begin + most <= len(data):
            return data[begin : begin + most]
        return (data * ((begin + most) // len(data) + 1))[begin : begin + most]


def many(count: int, form: str, between: str = "") -> bytes:
    """A text of numbered things: ``form`` has ``{}`` where the number stands."""
    before, after = form.split("{}")
    out = bytearray()
    for first in range(0, count, _AT_ONCE):
        numbers = range(first, min(count, first + _AT_ONCE))
        out += (between if first else "").encode()
        out += (before + f"{after}{between}{before}".join(map(str, numbers)) + after).encode()
    return bytes(out)
