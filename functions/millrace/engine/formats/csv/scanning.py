"""What a range of CSV holds if it begins at a record, and if it begins within quotes: where records begin, how many.

A range begins behind a line feed and is read in pieces that end in one, so that each piece, too, begins in one of these
two states. Mostly both are the same after a few quotes; from there on a piece is looked at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

from millrace.engine.formats.csv.blocks import line_ends
from millrace.engine.formats.csv.dialect import Dialect
from millrace.engine.native.library import find_kernel
from millrace.engine.options import WorkSizes
from millrace.errors import CannotBeCut

if TYPE_CHECKING:
    from millrace.engine.native.csv import PieceScanner

_FIRST_PIECE = 2**16
_BLOCKS_A_PIECE = 4
_STEP = 2**16


@dataclass(frozen=True, slots=True)
class CsvGrammar:
    """What cuts a text into records; ``has_blank_rows``: an empty line is one, as in a file of one column.

    ``encoding`` is UTF-8, or one in which each byte is a character.
    """

    dialect: Dialect
    has_blank_rows: bool
    encoding: str = "utf-8"

    def count_extra(self, text: bytes) -> int:
        """How many bytes more the text is in UTF-8."""
        if self.encoding == "utf-8" or text.isascii():
            return 0
        return len(text.decode(self.encoding, "replace").encode()) - len(text)


@dataclass(frozen=True, slots=True)
class ScannedPiece:
    """What a piece of text is in one of the states: where its first record begins, None without one.

    ``ended`` are the records that end in it, without blank lines and comments; ``lines`` all line ends, those within
    quotes, too; ``is_open``: its end is within quotes.
    """

    first: int | None
    ended: int
    lines: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class RangeState:
    """What a range is in one of the states: the byte of its first record, None without one, and what is before it.

    That is how many ``lines`` and, in UTF-8, how many ``extra`` bytes. ``rows`` are the records that begin in it;
    ``is_open``: its end is within quotes. ``has_last``: a record has a value behind a delimiter that all records of the
    head end in.
    """

    first: int | None
    lines: int
    extra: int
    rows: int
    is_open: bool
    has_last: bool = False


def find_cut(source: BinaryIO, at: int, end: int, longest: int) -> int:
    """The first place from ``at`` on that is behind a line feed; ``end`` if there is none before.

    Raises:
        CannotBeCut: so many bytes have no line feed.
    """
    source.seek(at - 1)
    place = at - 1
    while place < end and (data := source.read(min(_STEP, end - place))):
        found = data.find(b"\n")
        if found >= 0:
            return min(place + found + 1, end)
        place += len(data)
        if place - at > longest:
            raise _refuse_line(at, longest)
    return end


def _refuse_line(at: int, longest: int) -> CannotBeCut:
    return CannotBeCut(
        f"the file has no line feed in the {longest:,} bytes behind byte {at:,}, so that it cannot be cut there; a row"
        " may not be so long: does the file have other line ends, or is it no CSV?",
        byte=at,
    )


def read_pieces(source: BinaryIO, start: int, end: int, work: WorkSizes) -> Iterator[bytes]:
    """The bytes between in pieces that end behind a line feed; the last one may end otherwise.

    The first pieces are small: in them both states mostly become the same.

    Raises:
        CannotBeCut: so many bytes as are the longest record have no line feed.
    """
    source.seek(start)
    size, largest = min(work.block, _FIRST_PIECE), _BLOCKS_A_PIECE * work.block
    place, held = start, b""
    while place < end and (data := source.read(min(size, end - place))):
        place += len(data)
        held += data
        # The range's own end is behind a line feed already, or is the end of the file.
        cut = len(held) if place >= end else held.rfind(b"\n") + 1
        if cut:
            yield held[:cut]
            held = held[cut:]
            size = min(2 * size, largest)
        elif len(held) > work.longest_record:
            raise _refuse_line(place - len(held), work.longest_record)
    if held:
        yield held


@dataclass(frozen=True, slots=True)
class Distance:
    """How many line ends a text has, and how many bytes more it is in UTF-8."""

    lines: int = 0
    extra: int = 0

    def __add__(self, other: Distance) -> Distance:
        """That of both texts."""
        return Distance(self.lines + other.lines, self.extra + other.extra)


class StateScan:
    """Adds up what the pieces of a range are in one state."""

    def __init__(self, *, is_open: bool) -> None:
        self.is_open = is_open
        self._first: int | None = None
        self._before = Distance()
        self._rows = 0

    def add(self, piece: ScannedPiece, text: bytes, byte: int) -> bool:
        """Add the next piece, which begins at a byte; whether the range's first record begins in it."""
        is_first = False
        if piece.first is not None:
            # The record that was open before the piece ends in it, and was counted where it began, or is another
            # range's.
            self._rows += piece.ended - self.is_open + piece.is_open
            is_first = self._first is None and piece.first < len(text)
            if is_first:
                self._first = byte + piece.first
        self.is_open = piece.is_open
        return is_first

    def set_distance(self, before: Distance) -> None:
        """Say what of the range is before its first record."""
        self._before = before

    def finish(self) -> RangeState:
        """What the range is."""
        return RangeState(self._first, self._before.lines, self._before.extra, self._rows, self.is_open)


def scan_text(grammar: CsvGrammar, pieces: Iterator[bytes], byte: int, states: list[StateScan]) -> Distance:
    """Add the pieces of a range, the first of which begins at a byte, to its states; what all of it is."""
    scan, total = open_scanner(grammar), Distance()
    for text in pieces:
        # Where both states have become the same by now, the set is of one, and the piece is looked at once.
        found = {is_open: scan(text, is_open=is_open) for is_open in {state.is_open for state in states}}
        for state in states:
            piece = found[state.is_open]
            if state.add(piece, text, byte):
                before = text[: piece.first]
                state.set_distance(total + Distance(line_ends(before), grammar.count_extra(before)))
        byte += len(text)
        total += Distance(next(iter(found.values())).lines, grammar.count_extra(text))
    return total


class Scanner(Protocol):
    """Looks at pieces of text."""

    def __call__(self, text: bytes, /, *, is_open: bool) -> ScannedPiece:
        """What a piece is that begins at a record, or within quotes."""
        ...


def open_scanner(grammar: CsvGrammar) -> Scanner:
    """What looks at pieces: the kernel if there is one, but for pieces with comments."""
    plain = PlainScanner(grammar)
    kernel = find_kernel()
    if kernel is None:
        return plain
    from millrace.engine.native.csv import PieceScanner  # noqa: PLC0415 - only a kernel needs ctypes

    dialect = grammar.dialect
    native = PieceScanner(kernel, dialect.delimiter, dialect.quote, has_blank_rows=grammar.has_blank_rows)
    return _KernelScanner(dialect, native, plain)


@dataclass(frozen=True, slots=True)
class _KernelScanner:
    """Looks at pieces with the kernel; those that may have comments are looked at without."""

    dialect: Dialect
    native: PieceScanner
    plain: PlainScanner

    def __call__(self, text: bytes, /, *, is_open: bool) -> ScannedPiece:
        """What a piece is."""
        if self.dialect.has_comment(text):
            return self.plain(text, is_open=is_open)
        piece = self.native.scan(text, is_open=is_open)
        first = None
        if piece.first >= 0:
            first = piece.first
        return ScannedPiece(first, piece.ended, piece.lines, is_open=bool(piece.is_open))


class PlainScanner:
    """Looks at pieces without the kernel."""

    def __init__(self, grammar: CsvGrammar) -> None:
        self._dialect = grammar.dialect
        self._has_blank_rows = grammar.has_blank_rows
        self._quote = (grammar.dialect.quote or "").encode()
        # An edge of fields becomes a comma, a quote stays, and all else an x.
        marks = bytearray(b"x" * 256)
        for edge in (b"\n", b"\r", grammar.dialect.delimiter.encode()):
            marks[ord(edge)] = ord(",")
        if self._quote:
            marks[ord(self._quote)] = ord('"')
        self._marks = bytes(marks)

    def __call__(self, text: bytes, /, *, is_open: bool) -> ScannedPiece:
        """What a piece is."""
        lines = line_ends(text)
        if not is_open:
            ended, ends_open = self._count_records(text)
            return ScannedPiece(0, ended, lines, ends_open)
        first = self._dialect.end_of_open_record(text)
        if first is None:
            return ScannedPiece(None, 0, lines, is_open=True)
        ended, ends_open = self._count_records(text[first:])
        return ScannedPiece(first, ended + 1, lines, ends_open)

    def _count_records(self, text: bytes) -> tuple[int, bool]:
        """How many records end in a text that begins at one, and whether its end is within quotes."""
        if self._dialect.has_comment(text):
            return self._count_step_by_step(text)
        if not self._quote or self._quote not in text:
            return self._count_lines(text), False
        # Each second piece between quotes is outside of them: of 1,"a\nb",2 it is 1, and ,2. Quotes are left between:
        # a line that has one is not blank.
        pieces = text.split(self._quote)
        is_open = len(pieces) % 2 == 0
        outside = self._quote.join(pieces[::2]) + is_open * self._quote
        marks = outside.translate(self._marks)
        if b'x"' in marks or b'"x' in marks:  # a quote is in the midst of a field
            return self._count_step_by_step(text)
        return self._count_lines(outside) - is_open, is_open

    def _count_step_by_step(self, text: bytes) -> tuple[int, bool]:
        rows = 0
        for start, end, _, is_whole in self._dialect.records(text):
            if not is_whole:
                return rows, True
            rows += start < end or self._has_blank_rows
        return rows, False

    def _count_lines(self, text: bytes) -> int:
        """How many lines there are, without the empty ones if these are no rows; the last one may have no end."""
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        has_rest = bool(text) and not text.endswith(b"\n")
        # a\n\nb has two rows, or three in a file of one column, where the empty line is a row whose value is missing.
        if self._has_blank_rows or not (text.startswith(b"\n") or b"\n\n" in text):
            return text.count(b"\n") + has_rest
        return sum(map(bool, text.split(b"\n")))
