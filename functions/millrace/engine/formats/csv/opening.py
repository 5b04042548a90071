"""A CSV file as columns of text: parsed by Arrow if its rows are good, record by record if one is not."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import BinaryIO, Protocol, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from millrace.engine.formats.base import BadRow
from millrace.engine.formats.csv.blocks import Block, CsvFeed, line_ends
from millrace.engine.formats.csv.detection import Detected, detect
from millrace.engine.formats.csv.dialect import Dialect
from millrace.engine.formats.csv.direct import CsvReading, DirectParser, WantedColumns, open_direct
from millrace.engine.formats.csv.endings import FooterlessText, TextSource
from millrace.engine.formats.csv.judging import Trailing
from millrace.engine.formats.csv.refusals import (
    RecordPlace,
    refuse_all_widths,
    refuse_bytes,
    refuse_open_quote,
    refuse_stray_quote,
    refuse_unsure_escape,
    refuse_width,
)
from millrace.engine.formats.csv.rewriting import Rewriter, find_unsure_escape
from millrace.engine.formats.csv.sep_line import skip_preamble
from millrace.engine.formats.limits import check_columns
from millrace.engine.formats.streams.decompression import open_plain
from millrace.engine.formats.streams.encoding import Encoding, Utf8Stream, is_utf8
from millrace.engine.names import column_names
from millrace.engine.options import BadRows, Face, ReadOptions
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

    def direct_parser(self, wanted: WantedColumns, /) -> DirectParser | None:
        """What makes columns with types of its blocks at once, if anything does; see ``direct.open_direct``."""
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

    ``titles`` are the lines above the table that are none of its rows, ``has_trailing`` says that every row ends in a
    delimiter with nothing behind it.
    """

    names: tuple[str, ...]
    header: tuple[str, ...] | None
    detected: Detected
    encoding: Encoding
    options: ReadOptions
    report: Report
    titles: tuple[str, ...] = ()
    has_trailing: bool = False

    @property
    def width(self) -> int:
        """How many fields a record has; the one behind a trailing delimiter is no column."""
        return len(self.names) + self.has_trailing

    @property
    def may_keep_last(self) -> bool:
        """Whether a row far behind may say that there is a column behind the trailing delimiter all the same."""
        return self.has_trailing and self.detected.trailing is Trailing.ALL

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

    def direct_parser(self, wanted: WantedColumns, /) -> DirectParser | None:
        """What makes columns with types of its blocks at once, if anything does."""
        options = self.options
        reading = CsvReading(self.dialect, options.null_values, has_empty_texts(options), self.has_trailing)
        return open_direct(reading, wanted)

    def judge(self, block: Block, first: int, /) -> Iterator[Record]:
        """A block's records one by one; see ``judge_records``."""
        return judge_records(self, block, first)


@dataclass(frozen=True, slots=True)
class CsvHead:
    """What a file says before its first row: the fields of its first record, and what ``Layout`` has of it."""

    fields: tuple[str, ...]
    detected: Detected
    encoding: Encoding
    titles: tuple[str, ...] = ()

    def layout(self, options: ReadOptions, report: Report, *, keeps_last: bool = False) -> Layout:
        """The layout of the rows below; ``keeps_last``: a field behind a trailing delimiter is a column."""
        has_trailing = self.detected.trailing is not Trailing.NONE and not keeps_last
        fields = list(self.fields)
        if has_trailing and self.detected.trailing is Trailing.ALL:
            fields.pop()
        names, header = _name_columns(fields, options)
        return Layout(names, header, self.detected, self.encoding, options, report, self.titles, has_trailing)


@dataclass(frozen=True, slots=True)
class CsvTexts:
    """One block's rows as columns of text; ``rows`` counts the bad ones, too, ``first`` is the number of the first.

    Rows that were read with their types at once, without a bad one, are in ``batch`` with these.
    """

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
    opened = open_head(source, options)
    if opened is None:
        return None
    head, feed = opened
    layout = head.layout(options, report)
    if layout.may_keep_last:
        # id,name, over 1,Anna, has no third column, unless a row far behind has a value there: the whole file says so.
        keeps_last = has_value_at_end(layout, feed.blocks(layout.dialect, layout.width))
        head, feed = open_head(source, options) or opened
        layout = head.layout(options, report, keeps_last=keeps_last)
    return layout, feed.blocks(layout.dialect, layout.width)


def has_value_at_end(layout: Layout, blocks: Iterable[Block]) -> bool:
    """Whether a row has a value behind the delimiter that all sampled rows end in."""
    parser = _CsvParser(layout)
    for block in blocks:
        if parser.parse(block) is None and any(map(parser.ends_in_value, judge_records(layout, block, 1))):
            return True
    return False


def open_head(source: BinaryIO, options: ReadOptions, *, counts_lines: bool = False) -> tuple[CsvHead, CsvFeed] | None:
    """What a file says before its first row, and all from there on; None if it is empty.

    ``counts_lines``: though no option asks for it.
    """
    plain = open_plain(source, options.compression, free_bytes=options.work.unpacked_freely)
    stream = Utf8Stream(plain, options.encoding)
    counts_lines = counts_lines or options.bad_rows is BadRows.QUARANTINE
    feed = CsvFeed(_without_footer(stream, options), options.work, counts_lines=counts_lines)
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
    fields = _read_first(header, dialect, options)
    if options.has_headers:
        feed.drop(header)
    return CsvHead(tuple(fields), detected, stream.encoding, titles), feed


def _read_first(block: Block, dialect: Dialect, options: ReadOptions) -> list[str]:
    """The fields of the record that names the columns or counts them."""
    record, is_whole = _record_of_text(block, dialect, options.face)
    _check_quotes_of_first(dialect, block, record, options, is_whole=is_whole)
    check_columns(dialect.count(record), f"the record at byte {block.byte:,}")
    return dialect.fields(record)


def _name_columns(fields: list[str], options: ReadOptions) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """The columns' names, and the header if the first record is one."""
    if options.has_headers:
        return tuple(column_names(fields)), tuple(fields)
    return tuple(column_names([""] * len(fields))), None


def _without_footer(stream: Utf8Stream, options: ReadOptions) -> TextSource:
    if not options.skip_footer:
        return stream
    return FooterlessText(stream, options.skip_footer, most=options.work.longest_record)


def _check_quotes_of_first(
    dialect: Dialect, block: Block, record: bytes, options: ReadOptions, *, is_whole: bool
) -> None:
    """Raise TruncatedFile or StrayQuote for the record that names the columns or counts them."""
    spot = RecordPlace(record, None, block.byte)
    if not options.has_headers:
        spot = replace(spot, row=1)
    if not is_whole or dialect.leaves_quote_open(block.data):
        raise refuse_open_quote(spot, options.face)
    if (stray := dialect.find_stray_quote(record)) is not None:
        raise refuse_stray_quote(spot, stray, dialect, None, options.face)


def _record_of_text(block: Block, dialect: Dialect, face: Face) -> tuple[bytes, bool]:
    """A block's one record without its line end, and whether it is whole; raise WrongEncoding if it is no UTF-8."""
    _, end, _, is_whole = next(dialect.records(block.data))
    record = block.data[:end]
    try:
        record.decode()
    except UnicodeDecodeError as error:
        raise refuse_bytes(error, block.byte, None, face) from error
    return record, is_whole


Direct = Callable[[Block], tuple[pa.RecordBatch, R] | None]
"""Makes of a block at once what is wanted of its columns of text; None where these are needed."""


def parse_blocks(
    layout: TextLayout,
    blocks: Iterable[Block],
    then: Callable[[pa.RecordBatch], R],
    first: int = 1,
    direct: Direct[R] | None = None,
) -> Generator[tuple[CsvTexts, R], None, None]:
    """Blocks as columns of text and what ``then`` makes of these, on all processors; ``first`` is the next row.

    Bad rows are reported or raised in their order.
    """
    parser = layout.parser()

    def work(block: Block) -> tuple[Block, tuple[pa.RecordBatch, R] | None]:
        if direct is not None and (result := direct(block)) is not None:
            return block, result
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


def has_empty_texts(options: ReadOptions) -> bool:
    """Whether a field of no characters is the empty text: it cannot be quoted, and something else means missing."""
    # UNLOAD and MySQL write 1|\\N| for a missing value and an empty text.
    return options.quote == "" and bool(options.null_values) and "" not in options.null_values


class _CsvParser:
    """Parses blocks into columns of text: with Arrow if all rows are good, record by record if one is not."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._width = layout.width
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
        empty_is_text = has_empty_texts(layout.options)
        self._rewriter = Rewriter(dialect, layout.options.null_values, empty_is_text=empty_is_text)
        self._column_types = dict.fromkeys(self._positions, pa.string())
        self._schema = pa.schema([pa.field(position, pa.string()) for position in self._positions[: len(layout.names)]])
        self._direct = layout.direct_parser(WantedColumns(self._schema))

    def parse(self, block: Block) -> pa.RecordBatch | None:
        """The block's rows, or None where one of them is bad."""
        if self._direct is not None and (parsed := self._direct.parse(block.data)) is not None:
            return parsed.batch
        return self._parse_with_arrow(block)

    def _parse_with_arrow(self, block: Block) -> pa.RecordBatch | None:
        data = self._layout.dialect.without_comments(block.data)
        if not self._has_legal_quotes(data, is_last=block.last) or not is_utf8(data):
            return None
        if self._layout.dialect.ends_in_escape(data):
            return None
        # Null values are emptied first: a \\N that means missing is no escape before a letter.
        data, nulls = self._rewriter.rewrite(_end_last_line(data))
        if has_found_escape(self._layout) and find_unsure_escape(self._layout.dialect, data):
            return None
        try:
            return self._with_arrow(data, nulls)
        except pa.ArrowInvalid:  # a row of another width
            return None

    def _has_legal_quotes(self, data: bytes, *, is_last: bool) -> bool:
        """Whether no quote is stray or left open."""
        dialect = self._layout.dialect
        if dialect.lenient:  # only the last block can leave a quote open: the others were cut where a record ends
            return not is_last or not dialect.leaves_quote_open(data)
        return dialect.is_strict(data)

    def _with_arrow(self, data: bytes, nulls: list[str]) -> pa.RecordBatch:
        """The rows of records that were rewritten for Arrow; fields that are one of the nulls are missing."""
        if not data or (self._width != 1 and not data.strip(b"\r\n")):
            return empty(self._schema)
        if data.startswith(codecs.BOM_UTF8):
            data = codecs.BOM_UTF8 + data  # Arrow drops one wherever a block begins; the file's own is gone already
        options = arrow_csv.ReadOptions(
            column_names=self._positions, use_threads=False, block_size=min(len(data) + 1, 2**31 - 1)
        )
        convert = arrow_csv.ConvertOptions(
            column_types=self._column_types,
            null_values=nulls,
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            check_utf8=False,  # checked before, where the offset is known
        )
        table = arrow_csv.read_csv(
            pa.BufferReader(data), read_options=options, parse_options=self._parse, convert_options=convert
        )
        batches = table.combine_chunks().to_batches()
        if not batches:
            return empty(self._schema)
        if not self._layout.has_trailing:
            return batches[0]
        return self._without_last(batches[0])

    def _without_last(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The columns without the field behind the trailing delimiter; raise ArrowInvalid if a row has it."""
        last = batch.column(batch.num_columns - 1)
        if pc.any(pc.not_equal(last, "")).as_py():  # what is missing is neither
            raise pa.ArrowInvalid("a row has a value behind the trailing delimiter")
        return pa.RecordBatch.from_arrays(batch.columns[:-1], schema=self._schema)

    def ends_in_value(self, record: Record) -> bool:
        """Whether a record that has the usual width has a value in its last field; not one that is no text."""
        if isinstance(record.error, WrongEncoding):
            return False
        raw = record.data.rstrip(b"\r\n")
        return self._layout.dialect.count(raw) == self._width and not has_no_value_at_end(self._layout, raw)

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
            batch = self._with_arrow(*self._rewriter.rewrite(_end_last_line(b"".join(good))))
        return CsvTexts(batch, first, rows, block)

    def _describe_error(self, block: Block, record: Record, error: DataError) -> DataError:
        """What is wrong with a row, or with all rows if they are alike."""
        layout = self._layout
        first = 2  # without a header the first row says how many fields there are
        if layout.header is not None:
            first = 1
        if layout.quarantines or not isinstance(error, RaggedRow) or record.row != first:
            return error
        spot = RecordPlace(record.data.rstrip(b"\r\n"), record.row, record.byte, is_last=block.last)
        widths = list(map(layout.dialect.count, _filled_records(layout.dialect, block.data)))
        return refuse_all_widths(error, spot, widths[first - layout.options.place.row :], self._width, layout.options)


def _end_last_line(data: bytes) -> bytes:
    """Records with a line end behind the last one, too."""
    # Without it Arrow takes a missing last field behind a quoted one for an empty one, and of a null value that is the
    # only field of a last row nothing would be left once it is emptied.
    if not data or data.endswith((b"\n", b"\r")):
        return data
    return data + b"\n"


def _filled_records(dialect: Dialect, data: bytes) -> Iterator[bytes]:
    """The records that are no blank lines."""
    for start, end, _, _ in dialect.records(data):
        if start < end:
            yield data[start:end]


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
    width = layout.width
    row, line, seen = first, block.line, 0
    for start, end, stop, whole in layout.dialect.records(block.data):
        if start == end and width != 1:
            continue
        line += line_ends(block.data[seen:start])
        seen = start
        byte = block.byte + start
        spot = RecordPlace(block.data[start:end], row, byte, is_last=block.last and stop == len(block.data))
        error = _judge(layout, spot, whole=whole)
        yield Record(block.data[start:stop], row, line, byte, error)
        row += 1


def _judge(layout: Layout, spot: RecordPlace, *, whole: bool) -> DataError | None:
    """What is wrong with a record: its bytes first, then its quotes and escapes, then its number of fields."""
    face = layout.options.face
    try:
        spot.record.decode()
    except UnicodeDecodeError as error:
        return refuse_bytes(error, spot.byte, spot.row, face)
    if not whole:
        return refuse_open_quote(spot, face)
    return _judge_marks(layout, spot) or _judge_width(layout, spot)


def _judge_marks(layout: Layout, spot: RecordPlace) -> DataError | None:
    """What is wrong with the quotes and escapes of a record whose last quote is closed."""
    dialect, face = layout.dialect, layout.options.face
    if (stray := dialect.find_stray_quote(spot.record)) is not None:
        return refuse_stray_quote(spot, stray, dialect, layout.width, face)
    if has_found_escape(layout) and (unsure := _find_unsure_field(layout, spot.record)):
        return refuse_unsure_escape(spot, unsure, dialect, face)
    return None


def _judge_width(layout: Layout, spot: RecordPlace) -> DataError | None:
    width = layout.dialect.count(spot.record)
    if width == layout.width and (not layout.has_trailing or has_no_value_at_end(layout, spot.record)):
        return None
    return refuse_width(spot, (width, layout.width), layout.options, is_trailing=layout.has_trailing)


def has_found_escape(layout: Layout) -> bool:
    """Whether the file's quotes alone said that it has an escape, so that nobody said what it does before a letter."""
    return layout.dialect.escape is not None and layout.options.escape is None


def _find_unsure_field(layout: Layout, record: bytes) -> str | None:
    """The escape and the letter of a field that is no null value, as in ``C:\\temp`` or ``\\N``."""
    for raw in layout.dialect.raw_fields(record):
        if raw not in layout.options.null_values and (unsure := find_unsure_escape(layout.dialect, raw.encode())):
            return unsure.decode()
    return None


def has_no_value_at_end(layout: Layout, record: bytes) -> bool:
    """Whether nothing is behind the last delimiter of a record, or a text that means missing."""
    last = layout.dialect.raw_fields(record)[-1]
    return last == "" or last in layout.options.null_values


def refuse(layout: TextLayout, record: Record, error: DataError) -> None:
    """Put a bad row aside, or raise what is wrong with it."""
    if not layout.quarantines:
        raise error
    raw = record.data.rstrip(b"\r\n")
    layout.report(BadRow.of(raw, line=record.line, row=record.row, byte=record.byte, reason=str(error)))


def empty(of: pa.Schema) -> pa.RecordBatch:
    """A batch without rows."""
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in of], schema=of)
