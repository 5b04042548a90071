"""A CSV file's text in blocks of whole records, each with its offset in the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from millrace.engine.formats.csv.detecting.detection import DETECTION_BYTES
from millrace.engine.formats.csv.dialect import Dialect
from millrace.engine.formats.csv.endings import TextSource, are_end_marks, drop_end_marks
from millrace.engine.options import PlaceInFile, WorkSizes
from millrace.errors import TooBig

_LARGEST_SAMPLE, _FEWEST_LINES = 2**22, 3
_PLAIN_LINES = Dialect(",", None, None)
BEGINNING = PlaceInFile()
_COLUMNS_A_BLOCK, _MOST_BLOCKS = 500, 8
"""Each column of a block has its price, however few its values: so many columns are read in blocks twice as large."""


@dataclass(frozen=True, slots=True)
class Block:
    """Whole records, the offset of the first byte and the count of line ends before it, if they are counted."""

    data: bytes
    byte: int
    line: int
    last: bool = False


class CsvFeed:
    """A file's text, or that of a part of it, in blocks of whole records, with the offset of each in the file."""

    def __init__(
        self, stream: TextSource, work: WorkSizes, *, counts_lines: bool, place: PlaceInFile = BEGINNING
    ) -> None:
        self._stream = stream
        self._work = work
        self._counts_lines = counts_lines
        self._data = b""
        self._byte = place.byte + stream.start
        self._line = place.line
        self._continues = place.continues
        self._ended = False

    @property
    def place(self) -> tuple[int, int]:
        """The offset of the next byte and the count of line ends before it."""
        return self._byte, self._line

    def peek(self, size: int) -> bytes:
        """The next bytes, without dropping them: at least ``size``, or all if the file ends before."""
        parts, count = [self._data], len(self._data)
        while count < size and not self._ended:
            data = self._stream.read(size - count)
            self._ended = not data
            parts.append(data)
            count += len(data)
        if len(parts) > 1:
            self._data = b"".join(parts)
        return self._data

    def drop(self, block: Block) -> None:
        """Forget a block at the beginning."""
        self._advance(block.data)

    def _advance(self, data: bytes) -> None:
        if self._counts_lines:
            self._line += line_ends(data)
        self._byte += len(data)
        self._data = self._data[len(data) :]

    def skip_lines(self, count: int) -> None:
        """Pass over lines, whatever is in them."""
        for _ in range(count):
            line = self.first_line()
            if line is None:
                return
            self.drop(line)

    def first_line(self) -> Block | None:
        """The next line, whatever stands in it; it stays."""
        return self._next_record(_PLAIN_LINES)

    def sample(self) -> tuple[bytes, bool]:
        """The text to detect a dialect in, and whether it is all of the file."""
        size = DETECTION_BYTES
        data = self.peek(size)
        # A header of 10,000 names may be longer than the usual sample, and says little without rows.
        while size < _LARGEST_SAMPLE and len(data) >= size and line_ends(data[:size]) < _FEWEST_LINES:
            size *= 2
            data = self.peek(size)
        is_all = len(data) < size or (self._ended and len(data) == size)
        if is_all:
            return drop_end_marks(data, _PLAIN_LINES, 2), True
        return data[:size], False

    def _next_record(self, dialect: Dialect) -> Block | None:
        """The next record; it stays, comments before it do not."""
        size = DETECTION_BYTES
        while data := self.peek(size):
            end = dialect.end_of_records(data, final=self._ended)
            for start, _, stop, _whole in dialect.records(data[:end]):
                self._advance(data[:start])
                return Block(data[start:stop], self._byte, self._line)
            if end:  # comments alone
                self._advance(data[:end])
            else:
                size = self._grow(size)
        return None

    def _grow(self, size: int) -> int:
        if size >= self._work.longest_record:
            raise TooBig(
                f"the record that begins at byte {self._byte:,} is longer than {self._work.longest_record:,} bytes; "
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

    def take_titles(self, dialect: Dialect, count: int) -> tuple[str, ...]:
        """The next records, blank lines passed over, which are a title above the table; they are dropped."""
        titles = list[str]()
        while len(titles) < count and (record := self.first_record(dialect)):
            titles.append(record.data.rstrip(b"\r\n").decode(errors="backslashreplace"))
            self.drop(record)
        return tuple(titles)

    def blocks(self, dialect: Dialect, width: int) -> Iterator[Block]:
        """All that is left, in blocks of whole records of so many fields; the last may leave a quote open.

        Marks of the file's end are left out.
        """
        if self._continues:  # the end of a part is a record's, and not the file's
            return self._blocks(dialect, width)
        return self._blocks_before_end_marks(dialect, width)

    def _blocks_before_end_marks(self, dialect: Dialect, width: int) -> Iterator[Block]:
        held: Block | None = None
        for block in self._blocks(dialect, width):
            # A block is held back, since what is behind it may be the rest of the same marks.
            if held is not None and self._may_join(held, block) and are_end_marks(block.data, dialect, width):
                held = Block(held.data + block.data, held.byte, held.line, block.last)
                continue
            if held is not None:
                yield held
            held = block
        if held is not None and (data := drop_end_marks(held.data, dialect, width)):
            yield replace(held, data=data)

    def _may_join(self, first: Block, second: Block) -> bool:
        return len(first.data) + len(second.data) <= self._work.longest_record

    def _blocks(self, dialect: Dialect, width: int) -> Iterator[Block]:
        usual = size = self._work.block * min(1 + width // _COLUMNS_A_BLOCK, _MOST_BLOCKS)
        while data := self.peek(size):
            last = self._ended and len(data) <= size
            end = dialect.end_of_records(data[:size], final=last)
            if end == 0:
                size = self._grow(size)
                continue
            block = Block(data[:end], self._byte, self._line, last and not self._continues)
            self._advance(block.data)
            size = usual
            yield block


def line_ends(data: bytes) -> int:
    """How many line ends of any kind there are."""
    # "a\r\nb\rc\n" has two \n and two \r, one pair of which is one line end: 2 + 2 - 1 = 3. The pairs are counted only
    # if there is a \r, since most files have none and each count is a pass over the bytes.
    carriage_returns = data.count(b"\r")
    if not carriage_returns:
        return data.count(b"\n")
    return data.count(b"\n") + carriage_returns - data.count(b"\r\n")
