"""A CSV file as columns of text: parsed by Arrow if its rows are good, record by record if one is not."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO, Protocol, TypeVar

import pyarrow as pa
import pyarrow.csv as arrow_csv

from millrace.engine.formats.base import BadRow
from millrace.engine.formats.csv.blocks import Block, CsvFeed, line_ends
from millrace.engine.formats.csv.detection import Detected, detect
from millrace.engine.formats.csv.dialect import Dialect
from millrace.engine.formats.csv.endings import FooterlessText, TextSource
from millrace.engine.formats.csv.refusals import (
    refuse_all_widths,
    refuse_open_quote,
    refuse_stray_quote,
    refuse_width,
)
from millrace.engine.formats.csv.rewriting import Rewriter
from millrace.engine.formats.csv.sep_line import skip_preamble
from millrace.engine.formats.limits import check_columns
from millrace.engine.formats.streams.decompression import open_plain
from millrace.engine.formats.streams.encoding import Encoding, Utf8Stream, is_utf8
from millrace.engine.names import column_names
from millrace.engine.options import BadRows, ReadOptions
from millrace.engine.parallel import in_order
from millrace.errors import DataError, RaggedRow, WrongEncoding

Report = Callable[[BadRow], None]
R = TypeVar("R")


class BlockParser(Protocol):
    """Makes columns of text of a file's blocks."""

    def parse(self, block: Block, /) -> pa.RecordBatch | None:
        """The block's rows, or None where one of them is bad."""
        ...

    def parse_good(self, block: Block, first: int, /) -> CsvTexts:
        """The block's good rows, the first of which has that number; the bad ones are reported or raised."""
        ...


class TextLayout(Protocol):
    """What is known of a file of rows of text before its first row is read, whatever cuts its rows into fields."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        ...

    @property
    def options(self) -> ReadOptions:
        """How the file is read."""
        ...

    @property
    def report(self) -> Report:
        """Gets the rows that are put aside."""
        ...

    @property
    def quarantines(self) -> bool:
        """Whether bad rows are put aside."""
        ...

    def parser(self) -> BlockParser:
        """What makes columns of text of its blocks."""
        ...

    def judge(self, block: Block, first: int, /) -> Iterator[Record]:
        """A block's rows one by one, the first of which has that number, each with what is wrong with it."""
        ...


L = TypeVar("L", bound=TextLayout)
Begin = Callable[[BinaryIO, ReadOptions, Report], tuple[L, Iterator[Block]] | None]
"""Opens a file: its layout and its blocks of whole rows, or None if it is empty."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What is known of a file before its first row is read; ``header`` is its first line's fields, None without one.

    ``titles`` are the lines above the table that are none of its rows.
    """

    names: tuple[str, ...]
    header: tuple[str, ...] | None
    detected: Detected
    encoding: Encoding
    options: ReadOptions
    report: Report
    titles: tuple[str, ...] = ()

    @property
    def dialect(self) -> Dialect:
        """What cuts records into fields."""
        return self.detected.dialect

    @property
    def quarantines(self) -> bool:
        """Whether bad rows are put aside."""
        return self.options.bad_rows is BadRows.QUARANTINE

    def parser(self) -> BlockParser:
        """What makes columns of text of its blocks."""
        return _CsvParser(self)

    def judge(self, block: Block, first: int, /) -> Iterator[Record]:
        """A block's records one by one; see ``judge_records``."""
        return judge_records(self, block, first)


@dataclass(frozen=True, slots=True)
class CsvTexts:
    """One block's rows as columns of text; ``rows`` counts the bad ones, too, ``first`` is the number of the first."""

    batch: pa.RecordBatch
    first: int
    rows: int
    block: Block


def texts(
    begin_rows: Begin[L], source: BinaryIO, options: ReadOptions, report: Report
) -> tuple[L, Iterator[CsvTexts]] | None:
    """A seekable file's layout and its rows as columns of text, block by block; None if the file is empty.

    Missing values are null, empty ones are not. ``report`` gets bad rows if the options say quarantine. Raises
    DataError, now or while blocks are pulled.
    """
    opened = begin_rows(source, options, report)
    if opened is None:
        return None
    layout, blocks = opened
    return layout, (texts for texts, _ in parse_blocks(layout, blocks, keep_text))


def keep_text(_batch: pa.RecordBatch) -> None:
    """Make nothing more of text: it is wanted as it is."""


def begin(source: BinaryIO, options: ReadOptions, report: Report) -> tuple[Layout, Iterator[Block]] | None:
    """A file's layout and its blocks after the header; see ``texts``."""
    plain = open_plain(source, options.compression, free_bytes=options.work.unpacked_freely)
    stream = Utf8Stream(plain, options.encoding)
    feed = CsvFeed(_without_footer(stream, options), options.work, counts_lines=options.bad_rows is BadRows.QUARANTINE)
    named = skip_preamble(feed, options.skip_lines)
    sample, is_all = feed.sample()
    if is_all and not sample:
        return None
    detected = detect(options, sample, final=is_all, named=named)
    dialect = detected.dialect
    titles = feed.take_titles(dialect, detected.titles)
    header = feed.first_record(dialect)
    if header is None:
        return None
    record = _record_of_text(header)
    _check_quotes_of_first(dialect, header, record, row=None if options.has_headers else 1)
    check_columns(dialect.count(record), f"the record at byte {header.byte:,}")
    fields = dialect.fields(record)
    names, header_fields = column_names([""] * len(fields)), None
    if options.has_headers:
        names, header_fields = column_names(fields), tuple(fields)
        feed.drop(header)
    layout = Layout(tuple(names), header_fields, detected, stream.encoding, options, report, titles)
    return layout, feed.blocks(dialect, len(names))


def _without_footer(stream: Utf8Stream, options: ReadOptions) -> TextSource:
    if not options.skip_footer:
        return stream
    return FooterlessText(stream, options.skip_footer, most=options.work.longest_record)


def _check_quotes_of_first(dialect: Dialect, block: Block, record: bytes, row: int | None) -> None:
    """Raise TruncatedFile or StrayQuote for the record that names the columns or counts them."""
    if dialect.leaves_quote_open(block.data):
        raise refuse_open_quote(record, row, block.byte)
    if (stray := dialect.find_stray_quote(record)) is not None:
        raise refuse_stray_quote(record, row, block.byte, stray, dialect)


def _record_of_text(block: Block) -> bytes:
    """A block's bytes without their line end; raise WrongEncoding if they are no UTF-8."""
    record = block.data.rstrip(b"\r\n")
    try:
        record.decode()
    except UnicodeDecodeError as error:
        raise _wrong_encoding(error, block.byte, None) from error
    return record


def _wrong_encoding(error: UnicodeDecodeError, byte: int, row: int | None) -> WrongEncoding:
    at = byte + error.start
    value = error.object[error.start]
    return WrongEncoding(
        f"the byte 0x{value:02x} at offset {at:,} is not UTF-8 text; say which encoding the file has", row=row, byte=at
    )


def parse_blocks(
    layout: TextLayout, blocks: Iterable[Block], then: Callable[[pa.RecordBatch], R], first: int = 1
) -> Generator[tuple[CsvTexts, R], None, None]:
    """Blocks as columns of text and what ``then`` makes of these, on all processors; ``first`` is the next row.

    Bad rows are reported or raised in their order.
    """
    parser = layout.parser()

    def work(block: Block) -> tuple[Block, tuple[pa.RecordBatch, R] | None]:
        batch = parser.parse(block)
        if batch is None:
            return block, None
        return block, (batch, then(batch))

    # A block with a bad row waits for its turn, so that bad rows are reported in their order and with their numbers.
    with closing(in_order(work, blocks, workers=layout.options.work.processors)) as results:
        for block, result in results:
            if result is not None:
                batch, value = result
                texts = CsvTexts(batch, first, batch.num_rows, block)
            else:
                texts = parser.parse_good(block, first)
                value = then(texts.batch)
            first += texts.rows
            yield texts, value


class _CsvParser:
    """Parses blocks into columns of text: with Arrow if all rows are good, record by record if one is not."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._width = len(layout.names)
        self._positions = list(map(str, range(self._width)))
        dialect = layout.dialect
        self._parse = arrow_csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote or False,
            double_quote=dialect.quote is not None,
            escape_char=dialect.escape or False,
            newlines_in_values=True,
            ignore_empty_lines=self._width != 1,
        )
        self._rewriter = Rewriter(dialect, layout.options.null_values)
        self._convert = arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(self._positions, pa.string()),
            null_values=[""] if self._rewriter.empties_nulls else ["", *layout.options.null_values],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            check_utf8=False,  # checked before, where the offset is known
        )
        self._schema = pa.schema([pa.field(position, pa.string()) for position in self._positions])

    def parse(self, block: Block) -> pa.RecordBatch | None:
        """The block's rows, or None where one of them is bad."""
        data = self._layout.dialect.without_comments(block.data)
        if not self._has_legal_quotes(data, is_last=block.last) or not is_utf8(data):
            return None
        try:
            return self._with_arrow(data)
        except pa.ArrowInvalid:  # a row of another width
            return None

    def _has_legal_quotes(self, data: bytes, *, is_last: bool) -> bool:
        """Whether no quote is stray or left open."""
        dialect = self._layout.dialect
        if dialect.lenient:  # only the last block can leave a quote open: the others were cut where a record ends
            return not is_last or not dialect.leaves_quote_open(data)
        return dialect.is_strict(data)

    def _with_arrow(self, data: bytes) -> pa.RecordBatch:
        data = self._rewriter.rewrite(data)
        if not data or (self._width != 1 and not data.strip(b"\r\n")):
            return empty(self._schema)
        if not data.endswith((b"\n", b"\r")):
            data += b"\n"  # without it Arrow takes a missing last field behind a quoted one for an empty one
        if data.startswith(codecs.BOM_UTF8):
            data = codecs.BOM_UTF8 + data  # Arrow drops one wherever a block begins; the file's own is gone already
        options = arrow_csv.ReadOptions(
            column_names=self._positions, use_threads=False, block_size=min(len(data) + 1, 2**31 - 1)
        )
        table = arrow_csv.read_csv(
            pa.BufferReader(data), read_options=options, parse_options=self._parse, convert_options=self._convert
        )
        batches = table.combine_chunks().to_batches()
        if not batches:
            return empty(self._schema)
        return batches[0]

    def parse_good(self, block: Block, first: int) -> CsvTexts:
        """The block's good rows; the bad ones are reported or raised."""
        good: list[bytes] = []
        rows = 0
        for record in judge_records(self._layout, block, first):
            rows += 1
            if record.error is None:
                good.append(record.data)
            else:
                refuse(self._layout, record, self._describe_error(block, record, record.error))
        batch = empty(self._schema)
        if good:
            batch = self._with_arrow(b"".join(good))
        return CsvTexts(batch, first, rows, block)

    def _describe_error(self, block: Block, record: Record, error: DataError) -> DataError:
        """What is wrong with a row, or with all rows if they are alike."""
        if self._layout.quarantines or not isinstance(error, RaggedRow) or self._layout.header is None:
            return error
        records = (
            block.data[start:end] for start, end, _, _ in self._layout.dialect.records(block.data) if start < end
        )
        widths = map(self._layout.dialect.count, records)
        raw = record.data.rstrip(b"\r\n")
        return refuse_all_widths(error, raw, widths, self._width, is_all=block.last)


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a block, with its line end, its row, line and byte, and what is wrong with it."""

    data: bytes
    row: int
    line: int
    byte: int
    error: DataError | None


def judge_records(layout: Layout, block: Block, first: int) -> Iterator[Record]:
    """A block's records one by one, blank lines passed over: slow, for blocks in which something is wrong."""
    width = len(layout.names)
    row, line, seen = first, block.line, 0
    for start, end, stop, whole in layout.dialect.records(block.data):
        if start == end and width != 1:
            continue
        line += line_ends(block.data[seen:start])
        seen = start
        byte = block.byte + start
        error = _judge(layout, block.data[start:end], row, byte, whole=whole)
        yield Record(block.data[start:stop], row, line, byte, error)
        row += 1


def _judge(layout: Layout, record: bytes, row: int, byte: int, *, whole: bool) -> DataError | None:
    try:
        record.decode()
    except UnicodeDecodeError as error:
        return _wrong_encoding(error, byte, row)
    if not whole:
        return refuse_open_quote(record, row, byte)
    if (stray := layout.dialect.find_stray_quote(record)) is not None:
        return refuse_stray_quote(record, row, byte, stray, layout.dialect)
    width, expected = layout.dialect.count(record), len(layout.names)
    if width == expected:
        return None
    return refuse_width(record, row, byte, (width, expected), is_aside=layout.quarantines)


def refuse(layout: TextLayout, record: Record, error: DataError) -> None:
    """Put a bad row aside, or raise what is wrong with it."""
    if not layout.quarantines:
        raise error
    raw = record.data.rstrip(b"\r\n")
    layout.report(BadRow.of(raw, line=record.line, row=record.row, byte=record.byte, reason=str(error)))


def empty(of: pa.Schema) -> pa.RecordBatch:
    """A batch without rows."""
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in of], schema=of)
