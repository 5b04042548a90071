"""What a range of CSV holds if it begins at a record, and if it begins within quotes: where records begin, how many.

A range begins behind a line feed and is read in pieces that end in one, so that each piece, too, begins in one of these
two states. Mostly both are the same after a few quotes; from there on a piece is looked at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from millrace.engine.formats.csv.blocks import line_ends
from millrace.engine.formats.csv.dialect import Dialect
from millrace.errors import CannotBeCut

_FIRST_PIECE, _LARGEST_PIECE = 2**16, 2**22
_STEP = 2**16


@dataclass(frozen=True, slots=True)
class CsvGrammar:
    """What cuts a text into records; ``has_blank_rows``: an empty line is one, as in a file of one column."""

    dialect: Dialect
    has_blank_rows: bool


@dataclass(frozen=True, slots=True)
class ScannedPiece:
    """What a piece of text is in one of the states: where its first record begins, None without one.

    ``ended`` are the records that end in it, without blank lines and comments; ``is_open``: its end is within quotes.
    """

    first: int | None
    ended: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class RangeState:
    """What a range is in one of the states: the byte of its first record, None without one, and the lines before it.

    ``rows`` are the records that begin in it; ``is_open``: its end is within quotes. ``has_last``: a record has a value
    behind a delimiter that all records of the head end in.
    """

    first: int | None
    lines: int
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


def read_pieces(source: BinaryIO, start: int, end: int, longest: int) -> Iterator[bytes]:
    """The bytes between in pieces that end behind a line feed; the last one may end otherwise.

    Raises:
        CannotBeCut: so many bytes have no line feed.
    """
    source.seek(start)
    size, place, held = _FIRST_PIECE, start, b""
    while place < end and (data := source.read(min(size, end - place))):
        place += len(data)
        held += data
        cut = len(held) if place >= end else held.rfind(b"\n") + 1
        if cut:
            yield held[:cut]
            held = held[cut:]
            size = min(2 * size, _LARGEST_PIECE)
        elif len(held) > longest:
            raise _refuse_line(place - len(held), longest)
    if held:
        yield held


class StateScan:
    """Adds up what the pieces of a range are in one state."""

    def __init__(self, *, is_open: bool) -> None:
        self.is_open = is_open
        self._first: int | None = None
        self._lines_before = 0
        self._rows = 0

    def add(self, piece: ScannedPiece, text: bytes, byte: int, lines: int) -> None:
        """Add the next piece, which begins at a byte, behind so many line ends of the range."""
        if piece.first is not None:
            # The record that was open before the piece ends in it, and was counted where it began, or is another
            # range's.
            self._rows += piece.ended - self.is_open + piece.is_open
            if self._first is None and piece.first < len(text):
                self._first = byte + piece.first
                self._lines_before = lines + line_ends(text[: piece.first])
        self.is_open = piece.is_open

    def finish(self) -> RangeState:
        """What the range is."""
        return RangeState(self._first, self._lines_before, self._rows, self.is_open)


def scan_text(grammar: CsvGrammar, pieces: Iterator[bytes], byte: int, states: list[StateScan]) -> int:
    """Add the pieces of a range, the first of which begins at a byte, to its states; how many line ends it has."""
    lines = 0
    for text in pieces:
        found = {is_open: scan_piece(grammar, text, is_open=is_open) for is_open in {state.is_open for state in states}}
        for state in states:
            state.add(found[state.is_open], text, byte, lines)
        byte += len(text)
        lines += line_ends(text)
    return lines


def scan_piece(grammar: CsvGrammar, text: bytes, *, is_open: bool) -> ScannedPiece:
    """What a piece is that begins at a record, or within quotes."""
    if not is_open:
        ended, ends_open = _count_records(grammar, text)
        return ScannedPiece(0, ended, ends_open)
    first = grammar.dialect.end_of_open_record(text)
    if first is None:
        return ScannedPiece(None, 0, is_open=True)
    ended, ends_open = _count_records(grammar, text[first:])
    return ScannedPiece(first, ended + 1, ends_open)


def _count_records(grammar: CsvGrammar, text: bytes) -> tuple[int, bool]:
    """How many records end in a text that begins at one, and whether its end is within quotes."""
    dialect = grammar.dialect
    if dialect.has_comment(text):
        return _count_step_by_step(grammar, text)
    quote = (dialect.quote or "").encode()
    if not quote or quote not in text:
        return _count_lines(grammar, text), False
    end = dialect.end_of_records(text, final=False)
    if not dialect.quotes_whole_fields(text[:end]):
        return _count_step_by_step(grammar, text)
    # Each second piece between quotes is outside of them: of 1,"a\nb",2 it is 1, and ,2. A quote is left between, since
    # a line that has one is not blank.
    outside = quote.join(text[:end].split(quote)[::2])
    rows, is_open = _count_step_by_step(grammar, text[end:])
    return _count_lines(grammar, outside) + rows, is_open


def _count_step_by_step(grammar: CsvGrammar, text: bytes) -> tuple[int, bool]:
    rows = 0
    for start, end, _, is_whole in grammar.dialect.records(text):
        if not is_whole:
            return rows, True
        rows += start < end or grammar.has_blank_rows
    return rows, False


def _count_lines(grammar: CsvGrammar, text: bytes) -> int:
    """How many lines there are, without the empty ones if these are no rows; the last one may have no end."""
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    has_rest = bool(text) and not text.endswith(b"\n")
    if grammar.has_blank_rows or not (text.startswith(b"\n") or b"\n\n" in text):
        return text.count(b"\n") + has_rest
    return sum(map(bool, text.split(b"\n")))
