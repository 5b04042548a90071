"""Opening a CSV file: its dialect, its columns and its blocks of whole records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from millrace.engine.formats.csv.bad_records import judge_records
from millrace.engine.formats.csv.blocks import Block, CsvFeed
from millrace.engine.formats.csv.detecting.detection import Detected, detect
from millrace.engine.formats.csv.detecting.judging import Trailing
from millrace.engine.formats.csv.dialect import Dialect
from millrace.engine.formats.csv.direct import DirectParser, WantedColumns
from millrace.engine.formats.csv.endings import FooterlessText, TextSource
from millrace.engine.formats.csv.first_lines import check_first_lines
from millrace.engine.formats.csv.layout import Layout
from millrace.engine.formats.csv.parsing import CsvParser, open_direct_parser
from millrace.engine.formats.csv.refusals import RecordPlace, refuse_bytes, refuse_open_quote, refuse_stray_quote
from millrace.engine.formats.csv.sep_line import skip_preamble
from millrace.engine.formats.csv.text_rows import BlockParser, Record, Report
from millrace.engine.formats.limits import check_columns
from millrace.engine.formats.streams.decompression import open_plain
from millrace.engine.formats.streams.encoding import Encoding, Utf8Stream
from millrace.engine.names import column_names
from millrace.engine.options import BadRows, Face, ReadOptions


@dataclass(frozen=True, slots=True)
class CsvLayout(Layout):
    """What is known of a file, and what reads its rows by that; see ``TextLayout``."""

    def parser(self) -> BlockParser:
        """What makes columns of text of its blocks."""
        return CsvParser(self)

    def direct_parser(self, wanted: WantedColumns, /) -> DirectParser | None:
        """What makes columns with types of its blocks at once, if anything does."""
        return open_direct_parser(self, wanted)

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

    def layout(self, options: ReadOptions, report: Report, *, keeps_last: bool = False) -> CsvLayout:
        """The layout of the rows below; ``keeps_last``: a field behind a trailing delimiter is a column."""
        has_trailing = self.detected.trailing is not Trailing.NONE and not keeps_last
        fields = list(self.fields)
        if has_trailing and self.detected.trailing is Trailing.ALL:
            fields.pop()
        names, header = _name_columns(fields, options)
        return CsvLayout(names, header, self.detected, self.encoding, options, report, self.titles, has_trailing)


def begin(source: BinaryIO, options: ReadOptions, report: Report) -> tuple[CsvLayout, Iterator[Block]] | None:
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
    parser = CsvParser(layout)
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
    # Titles are only found where the table below them is proven: then nothing above it makes the file doubtful.
    if not titles:
        check_first_lines(sample, options)
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
