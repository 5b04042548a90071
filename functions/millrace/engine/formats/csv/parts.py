"""Parts of a CSV file: cut behind line feeds, where nothing but a record or the inside of a quoted field can begin.

What the head says, such as dialect and names, is pinned by the plan. Each range is scanned for both states that it may
begin in; then all of them together say which it is, from the first range on.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from itertools import takewhile
from typing import BinaryIO

import pyarrow as pa

from millrace.engine.formats.base import BadRow, Learned, Reader, Records
from millrace.engine.formats.csv.blocks import Block, CsvFeed
from millrace.engine.formats.csv.endings import drop_end_marks
from millrace.engine.formats.csv.layout import Layout
from millrace.engine.formats.csv.opening import CsvHead, CsvLayout, has_value_at_end, open_head
from millrace.engine.formats.csv.pinned import PinnedCsv
from millrace.engine.formats.csv.reader import read_typed
from millrace.engine.formats.csv.scanning import CsvGrammar, RangeState, StateScan, find_cut, read_pieces, scan_text
from millrace.engine.formats.csv.text_rows import Report
from millrace.engine.formats.streams.encoding import Encoding, KnownText, is_like_ascii
from millrace.engine.option_list import say_option
from millrace.engine.options import FileFormat, PlaceInFile, ReadOptions
from millrace.engine.parts.documents import get_integer, get_numbers
from millrace.engine.parts.frames import FileFrame, FilePart, RangeScan, TextRange
from millrace.engine.parts.ranges import divide, open_range, refuse_compressed
from millrace.errors import CannotBeCut, DataError

_MOST_END_MARKS = 2**20
"""So much of the file's end is read to find the last row before blanks and zeros."""
_MOST_BYTES = 3
"""In UTF-8, of a character that is one byte in the file."""
_KEEPS_LAST = "keeps_last"


class CsvParts:
    """How CSV files are divided; see ``parts.base.FormatParts``."""

    def plan(self, source: BinaryIO, read: ReadOptions, part_bytes: int, /) -> FileFrame:
        """What the head says, as the reader of the whole file understands it."""
        _refuse_options(source, read)
        size = source.seek(0, io.SEEK_END)
        opened = open_head(source, read, counts_lines=True)
        if opened is None:
            empty = (TextRange(size, size),)
            return FileFrame(format=FileFormat.CSV, read=read, size=size, ranges=empty, needs_scan=False)
        head, feed = opened
        layout = head.layout(read, _ignore)
        _refuse_layout(layout)
        byte, line = feed.place
        begin = _find_in_file(source, byte, layout.encoding)
        ranges = divide(begin, _find_end(source, TextRange(begin, size), layout), part_bytes)
        return FileFrame(
            format=FileFormat.CSV,
            read=read,
            size=size,
            ranges=ranges,
            needs_scan=len(ranges) > 1 or layout.may_keep_last,
            pinned=PinnedCsv(head, line, byte).to_document(),
        )

    def scan(self, source: BinaryIO, frame: FileFrame, index: int, /) -> RangeScan:
        """Where records begin in a range and how many, in either state."""
        layout = PinnedCsv.from_document(frame.pinned).head.layout(frame.read, _ignore)
        start, end = _find_ends(source, frame, index)
        states = [StateScan(is_open=False)]
        # The first range begins behind the header, where no quote is open.
        if index and layout.dialect.quote:
            states.append(StateScan(is_open=True))
        grammar = CsvGrammar(layout.dialect, layout.width == 1, layout.encoding.name)
        total = scan_text(grammar, read_pieces(source, start, end, frame.read.work), start, states)
        found = [state.finish() for state in states]
        if layout.may_keep_last:
            # The last record that begins in the range ends behind it.
            text = open_range(source, 0, frame.ranges[-1].end)
            found = [replace(state, has_last=_has_last(text, layout, state, end)) for state in found]
        states_found = [list(astuple(state)) for state in found]
        return RangeScan(index, {"lines": total.lines, "extra": total.extra, "states": states_found})

    def split(self, frame: FileFrame, scans: Sequence[RangeScan], /) -> tuple[FilePart, ...]:
        """The ranges that a record begins in, each up to the first record of the next."""
        first, end = frame.ranges[0].start, frame.ranges[-1].end
        if not frame.pinned:
            return (FilePart(index=0, start=first, end=end, is_last=True),)
        pinned = PinnedCsv.from_document(frame.pinned)
        fold = _Fold(_Begin(first, PlaceInFile(byte=pinned.byte, line=pinned.line)))
        for scan in scans:
            fold.add(scan)
        # A file of a header alone has one part without rows: its columns have to be written.
        begins = fold.begins or [fold.next]
        ends = [*(begin.start for begin in begins[1:]), end]
        return tuple(
            FilePart(
                index=index,
                start=begin.start,
                end=end,
                row=begin.place.row,
                line=begin.place.line,
                byte=begin.place.byte,
                is_last=index == len(begins) - 1,
                detail={_KEEPS_LAST: fold.keeps_last},
            )
            for index, (begin, end) in enumerate(zip(begins, ends, strict=True))
        )

    def open_part(self, source: BinaryIO, _frame: FileFrame, part: FilePart, /) -> BinaryIO:
        """The part's bytes: the pinned head stands for the file's."""
        return open_range(source, part.start, part.end)

    def reader(self, frame: FileFrame, part: FilePart, /) -> Reader:
        """The reader of its rows."""
        if not frame.pinned:
            return _read_nothing
        head = PinnedCsv.from_document(frame.pinned).head
        return _PartReader(head, part.start, keeps_last=bool(part.detail[_KEEPS_LAST]))


@dataclass(frozen=True, slots=True)
class _Begin:
    """Where a part begins in the file's bytes, and as errors count."""

    start: int
    place: PlaceInFile


class _Fold:
    """Goes from range to range, each in the state that the one before ended in."""

    def __init__(self, first: _Begin) -> None:
        self.next = first
        self.begins = list[_Begin]()
        self.keeps_last = False
        self._is_open = False
        self._extra = first.place.byte - first.start

    def add(self, scan: RangeScan) -> None:
        """Go through the next range."""
        first, lines, extra, rows, is_open, has_last = get_numbers(scan.found, "states")[self._is_open]
        state = RangeState(first, lines, extra, rows, is_open=bool(is_open), has_last=bool(has_last))
        place = self.next.place
        if state.first is not None:
            byte = state.first + self._extra + state.extra
            self.begins.append(_Begin(state.first, replace(place, byte=byte, line=place.line + state.lines)))
        line = place.line + get_integer(scan.found, "lines")
        self.next = replace(self.next, place=replace(place, row=place.row + state.rows, line=line))
        self.keeps_last = self.keeps_last or state.has_last
        self._is_open = state.is_open
        self._extra += get_integer(scan.found, "extra")


@dataclass(frozen=True, slots=True)
class _PartReader:
    """Reads the rows of a part below a head that is known; see ``formats.base.Reader``."""

    head: CsvHead
    start: int
    keeps_last: bool

    def __call__(
        self, source: BinaryIO, options: ReadOptions, *, learned: Learned | None = None, report: Report
    ) -> Records:
        """Open the part."""
        return read_typed(self._begin, source, options, learned, report)

    def _begin(self, source: BinaryIO, options: ReadOptions, report: Report) -> tuple[CsvLayout, Iterator[Block]]:
        source.seek(0)
        layout = self.head.layout(options, report, keeps_last=self.keeps_last)
        text = KnownText(source, self.head.encoding, self.start)
        feed = CsvFeed(text, options.work, counts_lines=layout.quarantines, place=options.place)
        return layout, feed.blocks(layout.dialect, layout.width)


def _read_nothing(
    source: BinaryIO, options: ReadOptions, *, learned: Learned | None = None, report: Callable[[BadRow], None]
) -> Records:
    """The rows of a file without a head: none, without columns."""
    del source, options, learned, report
    return Records(pa.schema([]), iter(()))


def _ignore(_bad: BadRow) -> None:
    """Do nothing with a bad row: its part's reader reports it."""


def _find_ends(source: BinaryIO, frame: FileFrame, index: int) -> tuple[int, int]:
    """Where a range begins and ends if both are behind line feeds; the same place if no line begins in it."""
    longest, end = frame.read.work.longest_record, frame.ranges[-1].end
    start = frame.ranges[index].start
    if index:
        start = find_cut(source, start, end, longest)
    if index + 1 < len(frame.ranges):
        end = find_cut(source, frame.ranges[index + 1].start, end, longest)
    return start, max(start, end)


def _find_in_file(source: BinaryIO, byte: int, encoding: Encoding) -> int:
    """The offset in the file of an offset in its text as UTF-8, which begins a character."""
    if encoding.name == "utf-8":
        return byte
    # Each byte of the file is a character here, so that characters are counted: "Zürich,1\n" has 10 bytes in UTF-8, and
    # 9 in latin-1. So many bytes as the text has up to there are at least so much of the file.
    source.seek(0)
    text = source.read(byte).decode(encoding.name, "replace").encode()
    return len(text[:byte].decode())


def _find_end(source: BinaryIO, rows: TextRange, layout: Layout) -> int:
    """Where the rows end: before the marks of the file's end, which are no rows."""
    start = max(rows.start, rows.end - _MOST_END_MARKS)
    source.seek(start)
    tail = source.read(rows.end - start)
    content = drop_end_marks(tail, layout.dialect, layout.width)
    if not content and start > rows.start:
        raise CannotBeCut(
            f"the last {_MOST_END_MARKS:,} bytes are blanks, zeros or marks of a file's end, so that nobody can say"
            " where its rows end; cut them off",
            byte=start,
        )
    return start + len(content)


def _has_last(text: BinaryIO, layout: Layout, state: RangeState, end: int) -> bool:
    """Whether a record that begins in a range has a value behind the delimiter that the head's records end in."""
    if state.first is None:
        return False
    text.seek(state.first)
    feed = CsvFeed(KnownText(text, layout.encoding, 0), layout.options.work, counts_lines=False)
    size = _MOST_BYTES * (end - state.first)  # at least the range: what is behind it is of the file as well
    blocks = takewhile(lambda block: block.byte < size, feed.blocks(layout.dialect, layout.width))
    try:
        return has_value_at_end(layout, blocks)
    except DataError:  # of a range that begins otherwise, a record may have no end; if it does not, its reader says so
        return False


def _refuse_options(source: BinaryIO, read: ReadOptions) -> None:
    """Raise CannotBeCut for what can be seen before the head is read."""
    refuse_compressed(source, read)
    if read.skip_footer:
        option = say_option(read.face, "skip_footer")
        raise CannotBeCut(f"{option} drops the last lines, and which are the last no part can say: take it away")


def _refuse_layout(layout: Layout) -> None:
    """Raise CannotBeCut for a dialect or an encoding in which the state behind a line feed cannot be known."""
    face, dialect = layout.options.face, layout.dialect
    if dialect.escape:
        option = say_option(face, "escape", "none")
        raise CannotBeCut(
            f"the file escapes with {dialect.escape}, which may be before a line feed, too; if it is text, set {option}"
        )
    if dialect.lenient and dialect.quote:
        option = say_option(face, "quotes", "strict")
        raise CannotBeCut(f"a stray quote may open a field or not, which what is behind it decides; set {option}")
    encoding = layout.encoding.name
    if encoding == "utf-8":
        return
    # In UTF-16 the byte of a line feed, 0A, is also half of other characters, such as U+0A05. A comment's mark such as
    # § is two bytes in UTF-8, for which the bytes of a file in latin-1 would be searched in vain.
    if not is_like_ascii(encoding) or not (dialect.comment or "").isascii():
        raise CannotBeCut(
            f"the file is in {encoding}, in whose bytes line feeds and quotes cannot be seen alone: write it in UTF-8"
        )
