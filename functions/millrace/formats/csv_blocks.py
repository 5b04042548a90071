"""A CSV file's text in blocks of whole records, each with its place in the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from millrace.errors import TooBig
from millrace.formats.csv_dialect import DETECTION_BYTES, Dialect
from millrace.formats.encoding import Utf8Stream

BLOCK_BYTES = 2**20
MAX_RECORD_BYTES = 128 * 2**20


@dataclass(frozen=True, slots=True)
class Block:
    """Whole records, the offset of the first byte and the count of line ends before it."""

    data: bytes
    byte: int
    line: int
    last: bool = False


class Feed:
    """A file's text in blocks of whole records, with the offset of each."""

    def __init__(self, stream: Utf8Stream) -> None:
        self._stream = stream
        self._data = b""
        self._byte = stream.start
        self._line = 1
        self._ended = False

    def _more(self, size: int) -> None:
        data = self._stream.read(size)
        self._ended = not data
        self._data += data

    def peek(self, size: int) -> bytes:
        """The next bytes, left where they are; fewer than ``size`` only where the file ends."""
        while len(self._data) < size and not self._ended:
            self._more(size - len(self._data))
        return self._data[:size]

    def drop(self, block: Block) -> None:
        """Forget a block at the beginning."""
        self._advance(len(block.data))

    def _advance(self, size: int) -> None:
        self._line += line_ends(self._data[:size])
        self._byte += size
        self._data = self._data[size:]

    def skip_lines(self, count: int) -> None:
        """Pass over lines, whatever stands in them."""
        plain_lines = Dialect(",", None, None)
        for _ in range(count):
            line = self._next_record(plain_lines)
            if line is None:
                return
            self.drop(line)

    def _next_record(self, dialect: Dialect) -> Block | None:
        size = DETECTION_BYTES
        while self.peek(size):
            end = dialect.end_of_records(self._data, final=self._ended)
            for start, _, stop, _whole in dialect.records(self._data[:end]):
                return Block(self._data[start:stop], self._byte, self._line)
            size = self._grow(size)
        return None

    def _grow(self, size: int) -> int:
        if size >= MAX_RECORD_BYTES:
            raise TooBig(
                f"the record that begins at byte {self._byte:,} is longer than {MAX_RECORD_BYTES:,} bytes; "
                "is a quote left open there?",
                byte=self._byte,
            )
        return 2 * size

    def first_record(self, dialect: Dialect) -> Block | None:
        """The first record that is not a blank line; it stays, the blank lines before it do not."""
        while record := self._next_record(dialect):
            if record.data.strip(b"\r\n"):
                return record
            self.drop(record)
        return None

    def blocks(self, dialect: Dialect) -> Iterator[Block]:
        """All that is left, in blocks of whole records; the last may leave a quote open."""
        size = BLOCK_BYTES
        while self.peek(size):
            last = self._ended and len(self._data) <= size
            end = dialect.end_of_records(self._data[:size], final=last)
            if end == 0:
                size = self._grow(size)
                continue
            block = Block(self._data[:end], self._byte, self._line, last)
            self._advance(end)
            size = BLOCK_BYTES
            yield block


def line_ends(data: bytes) -> int:
    """How many line ends of any kind there are."""
    carriage_returns = data.count(b"\r")
    return data.count(b"\n") + (carriage_returns - data.count(b"\r\n") if carriage_returns else 0)
