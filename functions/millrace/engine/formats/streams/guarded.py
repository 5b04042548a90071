"""Sources whose own errors are told apart from those of what reads them: Arrow, archives, decompressors."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, TypeVar

from millrace.errors import DataError

T = TypeVar("T")


class WatchedSource(io.RawIOBase):
    """A source that is read from its place on: it remembers the error that was its own, and counts what it gave."""

    def __init__(self, source: BinaryIO) -> None:
        super().__init__()
        self._source = source
        self.bytes_read = 0
        self.fault: BaseException | None = None

    def readable(self) -> bool:
        """It is read from."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes; all that are left where no size is given."""
        try:
            data = self._source.read(size)
        # Even KeyboardInterrupt: Arrow calls back from C++, and turns whatever is raised here into an error of its own.
        except BaseException as error:
            self.fault = error
            raise
        self.bytes_read += len(data)
        return data


class GuardedSource(WatchedSource):
    """A source as Arrow wants it, which may hold a range in memory."""

    def __init__(self, source: BinaryIO) -> None:
        super().__init__(source)
        self._position = 0
        self._start, self._kept = 0, memoryview(b"")
        self.size = source.seek(0, io.SEEK_END)
        self._refusal: OSError | None = None

    def keep(self, start: int, end: int) -> None:
        """Read a range in one go; what Arrow asks of it afterwards comes from memory."""
        self._kept = memoryview(b"")
        self._start, self._kept = start, memoryview(self._fetch(start, end - start))

    def kept_part(self, start: int, end: int) -> memoryview:
        """What is in memory of a range."""
        return self._kept[max(0, start - self._start) : max(0, end - self._start)]

    def seekable(self) -> bool:
        """At any place."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place, which is fetched when it is read."""
        self._position = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence] + offset
        return self._position

    def tell(self) -> int:
        """The place of the next byte."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """The next bytes; all that are left where no size is given."""
        return bytes(self.read_buffer(size))

    def read_buffer(self, size: int = -1) -> bytes | memoryview:
        """The same without a copy of what is in memory: Arrow calls this where it wants no place of its own filled."""
        wanted = size
        if size < 0:
            wanted = self.size - self._position
        begin = self._position - self._start
        data: bytes | memoryview
        if begin >= 0 and begin + wanted <= len(self._kept):
            data = self._kept[begin : begin + wanted]
        else:
            data = self._fetch(self._position, wanted)
        self._position += len(data)
        return data

    @contextmanager
    def closed_to_reads(self) -> Iterator[OSError]:
        """Refuse all reads with one error, which is given."""
        self._refusal, kept, self._kept = OSError("nothing is read yet"), self._kept, memoryview(b"")
        try:
            yield self._refusal
        finally:
            self._refusal, self._kept = None, kept

    def _fetch(self, start: int, size: int) -> bytes:
        if self._refusal is not None:
            self.fault = self._refusal
            raise self._refusal
        try:
            self._source.seek(start)
        except BaseException as error:  # see ``WatchedSource.read``
            self.fault = error
            raise
        return super().read(size)

    def translate(
        self,
        act: Callable[[], T],
        foreign: tuple[type[Exception], ...],
        refuse: Callable[[Exception, int | None], DataError],
        row: int | None = None,
    ) -> T:
        """What ``act`` gives; foreign errors become refusals of a row, or of the footer, the source's own stay theirs.

        A source that fails is no damaged file: its error goes to the queue, which tries again.
        """
        try:
            return act()
        except DataError:
            raise
        except foreign as error:
            raise self.fault or refuse(error, row) from error


def say_place(row: int | None) -> str:
    """Where a file is damaged, as messages say it: behind the rows that were read, or before any."""
    if row:
        return f"in or behind row {row:,}"
    return "in its footer"
