"""A file whose bytes are fetched by ranges, the next one while the last is parsed; in several places side by side."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from millrace.errors import WrongAnswer

CHUNK = 8 * 1024 * 1024
"""Bytes of one ranged GET: large enough that its latency does not count, small enough to hold three in memory."""
_CHUNKS_AHEAD = 2
"""The most chunks that are fetched ahead, or were and are not asked for yet."""
_PLACES = 1024
"""How many ends of ranges are remembered: whoever goes on at one of them reads on."""
_THREADS = 4

Fetch = Callable[[int, int], bytes]
"""Gives the bytes from an offset, as many as asked for; called from another thread for what is read ahead."""


class RangedReader(io.RawIOBase):
    """A seekable reader over ``fetch``; who reads on where an earlier range ended has the next one fetched ahead.

    Parquet's columns are read by turns, each on from where it was left: each is read ahead for itself, by ranges as
    long as those asked for. ``held`` is an offset and the bytes that are known to stand there already.
    """

    def __init__(self, fetch: Fetch, size: int, held: tuple[int, bytes], *, chunk: int = CHUNK) -> None:
        super().__init__()
        self._fetch = fetch
        self._size = size
        self._start, self._chunk = held
        self._chunk_size = chunk
        self._position = 0
        self._threads: ThreadPoolExecutor | None = None
        self._ahead: dict[int, tuple[int, Future[bytes]]] = {}
        self._ends: dict[int, None] = {}

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """The offset of the next byte."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to an offset from the start, from here or from the end."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"seek to {base + offset}, before the first byte")
        self._position = base + offset
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        """As many bytes as asked for; fewer only at the end."""
        left = max(0, self._size - self._position)
        wanted = left if size is None or size < 0 else min(size, left)
        pieces = []
        while wanted:
            piece = self._piece(wanted)
            pieces.append(piece)
            self._position += len(piece)
            wanted -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def readall(self) -> bytes:
        """All bytes from here."""
        return self.read()

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override] # Buffer has no name before 3.12
        """Fill a buffer; fewer bytes only at the end."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Wait for what is being read ahead and forget it."""
        if self._threads is not None:
            self._threads.shutdown(wait=True, cancel_futures=True)
        self._chunk = b""
        super().close()

    def _piece(self, wanted: int) -> bytes:
        if not self._start <= self._position < self._start + len(self._chunk):
            self._load(wanted)
        begin = self._position - self._start
        if begin == 0 and wanted >= len(self._chunk):
            return self._chunk
        return self._chunk[begin : begin + wanted]

    def _load(self, wanted: int) -> None:
        """Fetch the range at the position; a jump asks for what is wanted alone, reading on for a whole chunk."""
        # Parquet's readers jump: to the footer, then from column to column. A whole chunk after each jump would read
        # the file several times. Who comes back to where an earlier read ended reads on, and gets a chunk again.
        sequential = self._position == self._start + len(self._chunk)
        reads_on = sequential or self._position in self._ends
        # Taken out before it is put in again further on: each place is a column's newest end, so that 1,024 of them
        # serve a table of as many columns.
        self._ends.pop(self._position, None)
        # Only a range that begins exactly here: who reads on asks for the byte behind the last one.
        if self._position in self._ahead:
            self._chunk = self._ahead.pop(self._position)[1].result()
            reads_on = True
        else:
            self._chunk = self._fetch_exactly(
                self._position, min(self._size - self._position, self._chunk_size if sequential else wanted)
            )
        self._start = self._position
        following = self._start + len(self._chunk)
        if reads_on and following < self._size:
            self._read_ahead(following, min(self._chunk_size if sequential else wanted, self._size - following))
        else:
            self._remember(following)

    def _read_ahead(self, start: int, length: int) -> None:
        """Fetch a range in a thread; what was fetched longest ago and never asked for makes room."""
        # Bounded by bytes, not by number: a hundred columns of 100 kB each are read ahead in the room of two chunks.
        # Dictionaries keep their order, so that the first key is the oldest.
        while self._ahead and self._count_ahead() + length > _CHUNKS_AHEAD * self._chunk_size:
            oldest = next(iter(self._ahead))
            # What is on its way already cannot be cancelled: it ends in its thread, and its bytes are dropped.
            self._ahead.pop(oldest)[1].cancel()
            self._remember(oldest)
        self._threads = self._threads or ThreadPoolExecutor(_THREADS, "read-ahead")
        self._ahead[start] = length, self._threads.submit(self._fetch_exactly, start, length)

    def _count_ahead(self) -> int:
        """The bytes that are read ahead, or will be."""
        count = 0
        for size, _ in self._ahead.values():
            count += size
        return count

    def _fetch_exactly(self, start: int, length: int) -> bytes:
        """The bytes asked for; fewer or more would move everything behind them."""
        data = self._fetch(start, length)
        if len(data) != length:
            raise WrongAnswer(f"{length} bytes from {start} on were asked for, and {len(data)} came")
        return data

    def _remember(self, end: int) -> None:
        self._ends[end] = None
        if len(self._ends) > _PLACES:
            self._ends.pop(next(iter(self._ends)))
