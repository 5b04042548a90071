"""Lines as columns of text: many at once if all of them fit, line by line if one does not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.formats.base import Learned, Records
from millrace.engine.formats.csv import reader as csv_reader
from millrace.engine.formats.csv.blocks import Block, CsvFeed
from millrace.engine.formats.csv.dialect import Dialect
from millrace.engine.formats.csv.direct import WantedColumns
from millrace.engine.formats.csv.refusals import refuse_bytes
from millrace.engine.formats.csv.text_rows import Begin, BlockParser, CsvTexts, Record, Report, refuse
from millrace.engine.formats.csv.wording import shorten
from millrace.engine.formats.streams.decompression import open_plain
from millrace.engine.formats.streams.encoding import Encoding, Utf8Stream, is_utf8
from millrace.engine.options import BadRows, Face, ReadOptions
from millrace.errors import DataError, MisfitLine, WrongEncoding

PLAIN_LINES = Dialect(",", None, None)
"""Without a quote every line end ends a record."""
# "a\r\nb" is the lines "a\r\n" and "b": a line's text, and its end, which the last one may lack.
_LINE = re.compile(rb"([^\r\n]*)(\r\n|\n|\r|\Z)")
Cell = str | None


class NoFit(Exception):
    """A line that is no row of the format; its text says why."""


class LineCutter(Protocol):
    """Cuts lines into the fields of a format."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        ...

    def is_row(self, line: bytes, /) -> bool:
        """Whether a line is a row, not a comment and not blank; raise NoFit for one that changes what rows mean."""
        ...

    def cut_lines(self, data: bytes, /) -> list[pa.Array] | None:
        """The columns of text of lines that end in a line feed; None where not all of them are surely rows that fit."""
        ...

    def cut_line(self, line: str, /, *, is_whole: bool) -> Sequence[Cell]:
        """A row's fields, None for a missing one; ``is_whole`` says whether a line end was behind it.

        Raises NoFit.
        """
        ...


@dataclass(frozen=True, slots=True)
class LineLayout:
    """What is known of a file before its first row is read."""

    cutter: LineCutter
    encoding: Encoding
    options: ReadOptions
    report: Report

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return self.cutter.names

    @property
    def quarantines(self) -> bool:
        """Whether bad rows are put aside."""
        return self.options.bad_rows is BadRows.QUARANTINE

    def parser(self) -> BlockParser:
        """What makes columns of text of its blocks."""
        return _LineParser(self)

    def direct_parser(self, _wanted: WantedColumns, /) -> None:
        """Nothing: each format of lines cuts them in its own way."""

    def judge(self, block: Block, first: int, /) -> Iterator[Record]:
        """A block's rows one by one, comments and blank lines passed over."""
        for row in _rows_of(self.cutter, block, first, self.options.face):
            yield row.record


def open_lines(source: BinaryIO, options: ReadOptions) -> tuple[Utf8Stream, CsvFeed]:
    """A file's text from its beginning, after the lines to be skipped."""
    plain = open_plain(source, options.compression, free_bytes=options.work.unpacked_freely)
    stream = Utf8Stream(plain, options.encoding)
    feed = CsvFeed(stream, options.work, counts_lines=options.bad_rows is BadRows.QUARANTINE)
    feed.skip_lines(options.skip_lines)
    return stream, feed


def read_lines(
    begin: Begin[LineLayout], source: BinaryIO, options: ReadOptions, learned: Learned | None, report: Report
) -> Records:
    """Open a file of lines, whose columns get the types that all of their values have."""
    return csv_reader.read_typed(begin, source, options, learned, report)


@dataclass(frozen=True, slots=True)
class _Row:
    """A line that is a row, with its fields where it fits."""

    record: Record
    fields: Sequence[Cell]


def _rows_of(cutter: LineCutter, block: Block, first: int, face: Face) -> Iterator[_Row]:
    row, line = first, block.line
    for match in _LINE.finditer(block.data):
        if not match[0]:
            return
        byte = block.byte + match.start()
        fields: Sequence[Cell] = ()
        error: DataError | None = None
        try:
            is_row = cutter.is_row(match[1])
            if is_row:
                fields = cutter.cut_line(_decode(match[1], row, byte, face), is_whole=bool(match[2]))
        except NoFit as misfit:
            is_row, error = True, _misfit(match[1], row, byte, str(misfit))
        except WrongEncoding as wrong:
            is_row, error = True, wrong
        if is_row:
            yield _Row(Record(match[0], row, line, byte, error), fields)
            row += 1
        line += 1


def _decode(line: bytes, row: int, byte: int, face: Face) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise refuse_bytes(error, byte, row, face) from error


def _misfit(line: bytes, row: int, byte: int, reason: str) -> DataError:
    text = shorten(line.decode(errors="backslashreplace"))
    return MisfitLine(f"row {row:,} at byte {byte:,} {reason}: {text}", row=row, byte=byte)


class _LineParser:
    """Parses blocks of lines into columns of text."""

    def __init__(self, layout: LineLayout) -> None:
        self._layout = layout
        positions = map(str, range(len(layout.names)))
        self._schema = pa.schema([pa.field(position, pa.string()) for position in positions])
        self._null_values = pa.array(layout.options.null_values, pa.string())

    def parse(self, block: Block) -> pa.RecordBatch | None:
        """The block's rows, or None where one of them is bad, or may be."""
        data = block.data
        if not data.endswith((b"\n", b"\r")) or not is_utf8(data):
            return None  # the last line may be half of one
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        columns = self._layout.cutter.cut_lines(data)
        if columns is None:
            return None
        return self._as_batch(columns)

    def parse_good(self, block: Block, first: int) -> CsvTexts:
        """The block's good rows; the bad ones are reported or raised."""
        good = list[Sequence[Cell]]()
        count = 0
        for row in _rows_of(self._layout.cutter, block, first, self._layout.options.face):
            count += 1
            if row.record.error is None:
                good.append(row.fields)
            else:
                refuse(self._layout, row.record, row.record.error)
        columns = [pa.array([], pa.string()) for _ in self._schema]
        if good:
            columns = [pa.array(column, pa.string()) for column in zip(*good, strict=True)]
        return CsvTexts(self._as_batch(columns), first, count, block)

    def _as_batch(self, columns: list[pa.Array]) -> pa.RecordBatch:
        if len(self._null_values):
            columns = list(map(self._without_nulls, columns))
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)

    def _without_nulls(self, column: pa.Array) -> pa.Array:
        is_null = pc.is_in(column, self._null_values)
        return pc.if_else(is_null, pa.scalar(None, pa.string()), column)
