"""Reading fixed width: a layout says at which characters of every line a field is.

Blanks around a value are padding and go, unless the field's ``trim`` says otherwise; a field of blanks alone is
missing. A line that stops early was stripped of the blanks at its end: what it lacks is missing. Empty lines are no
rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.formats.base import BadRow, Learned, Records
from millrace.engine.formats.csv.blocks import Block
from millrace.engine.formats.csv.text_rows import Report
from millrace.engine.formats.lines.texts import PLAIN_LINES, Cell, LineLayout, NoFit, open_lines, read_lines
from millrace.engine.names import unique_names
from millrace.engine.options import FixedField, ReadOptions, Trim
from millrace.errors import InvalidConfiguration, MisfitLine

_NO_ROWS = b"\x00\x1a "
"""What old systems fill a file's last block with."""
_ENOUGH_LINES = 3


def read(
    source: BinaryIO,
    options: ReadOptions,
    *,
    learned: Learned | None = None,
    report: Callable[[BadRow], None],
) -> Records:
    """Open a file of fixed width; see ``formats.base.Reader``."""
    return read_lines(begin, source, options, learned, report)


def begin(source: BinaryIO, options: ReadOptions, report: Report) -> tuple[LineLayout, Iterator[Block]] | None:
    """A file's layout and its blocks of lines.

    Raises InvalidConfiguration without a layout, or if two of its fields share a character.
    """
    check_layout(options.fixed_width)
    stream, feed = open_lines(source, options)
    layout = LineLayout(FixedCutter(options.fixed_width), stream.encoding, options, report)
    return layout, feed.blocks(PLAIN_LINES, len(options.fixed_width))


def check_layout(fields: Sequence[FixedField]) -> None:
    """Raise InvalidConfiguration where no line could be read by these fields, or two have characters in common."""
    if not fields:
        raise InvalidConfiguration(
            "fixed_width: a file of fixed width has no header that names its fields; give "
            '[{"name": "id", "start": 1, "length": 8}, ...], start counts characters from 1'
        )
    ordered = sorted(fields, key=lambda field: field.start)
    for earlier, later in itertools.pairwise(ordered):
        if later.start < earlier.end:
            raise InvalidConfiguration(
                f"fixed_width: {later.name!r} starts at character {later.start:,}, inside of {earlier.name!r}, which "
                f"has {earlier.start:,} to {earlier.end - 1:,}"
            )


class FixedCutter:
    """Cuts lines at the characters of a layout."""

    def __init__(self, fields: Sequence[FixedField]) -> None:
        self._fields = tuple(fields)
        self._names = tuple(unique_names([field.name for field in fields]))
        self._width = max(field.end for field in fields) - 1

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return self._names

    @staticmethod
    def is_row(line: bytes) -> bool:
        """Whether there is anything in a line, beside blanks and what fills a last block."""
        return bool(line.strip(_NO_ROWS))

    def cut_lines(self, data: bytes) -> list[pa.Array] | None:
        """The columns of text of whole lines; None where they have to be looked at one by one.

        Raises MisfitLine for lines of one and the same number of bytes, and not of characters.
        """
        if b"\x1a" in data or b"\x00" in data:
            return None
        lines = pc.list_flatten(pc.split_pattern(pa.array([data[:-1].decode()]), "\n"))
        lines = lines.filter(pc.not_equal(pc.ascii_trim(lines, " "), ""))
        if not data.isascii():
            _check_unit(lines)
        return [self._cut(lines, field) for field in self._fields]

    @staticmethod
    def _cut(lines: pa.Array, field: FixedField) -> pa.Array:
        text = pc.utf8_slice_codeunits(lines, field.start - 1, field.end - 1)
        if field.trim is Trim.BOTH:
            text = pc.ascii_trim(text, " ")
        elif field.trim is Trim.RIGHT:
            text = pc.ascii_rtrim(text, " ")
        is_blank = pc.equal(pc.ascii_trim(text, " "), "")
        return pc.if_else(is_blank, pa.scalar(None, pa.string()), text)

    def cut_line(self, line: str, *, is_whole: bool) -> Sequence[Cell]:
        """A line's fields; raise NoFit for a last one that stops early: its blanks were stripped, or it was cut off."""
        if not is_whole and len(line) < self._width:
            raise NoFit(
                f"has {len(line):,} characters and no line end, where {self._width:,} are expected; is the file whole? "
                "If it is, end its last line with a line end"
            )
        return [self._cut_field(line, field) for field in self._fields]

    @staticmethod
    def _cut_field(line: str, field: FixedField) -> Cell:
        text = line[field.start - 1 : field.end - 1]
        if not text.strip(" "):
            return None
        if field.trim is Trim.BOTH:
            return text.strip(" ")
        if field.trim is Trim.RIGHT:
            return text.rstrip(" ")
        return text


def _check_unit(lines: pa.Array) -> None:
    """Raise MisfitLine where positions seem to count bytes: in UTF-8 an é has two of them, and would move what follows.

    Worked example: "Zoé   1" and "Bob    2" have 8 bytes each, and 7 and 8 characters: the 1 is at the 8th byte.
    """
    sizes, lengths = pc.unique(pc.binary_length(lines)), pc.unique(pc.utf8_length(lines))
    if len(lines) < _ENOUGH_LINES or len(sizes) > 1 or len(lengths) == 1:
        return
    low, high = pc.min(lengths).as_py(), pc.max(lengths).as_py()
    raise MisfitLine(
        f"each of {len(lines):,} lines has {sizes[0].as_py():,} bytes, and from {low:,} to {high:,} characters: their "
        "layout seems to count bytes, while fixed_width counts characters; write the file with one byte a character "
        "and say so with csv_encoding, such as latin-1"
    )
