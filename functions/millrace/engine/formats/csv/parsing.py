"""Blocks of CSV into columns of text: by the kernel or by Arrow if all rows are good, record by record if not."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from millrace.engine.formats.csv.bad_records import judge_records
from millrace.engine.formats.csv.blocks import Block
from millrace.engine.formats.csv.dialect import Dialect
from millrace.engine.formats.csv.direct import CsvReading, DirectParser, WantedColumns, open_direct
from millrace.engine.formats.csv.layout import Layout
from millrace.engine.formats.csv.refusals import RecordPlace, refuse_all_widths
from millrace.engine.formats.csv.rewriting import Rewriter, find_unsure_escape
from millrace.engine.formats.csv.text_rows import CsvTexts, Record, refuse
from millrace.engine.formats.streams.encoding import is_utf8
from millrace.errors import DataError, RaggedRow, WrongEncoding


def open_direct_parser(layout: Layout, wanted: WantedColumns) -> DirectParser | None:
    """What makes columns with types of a file's blocks at once, if anything does; see ``open_direct``."""
    reading = CsvReading(layout.dialect, layout.options.null_values, layout.has_empty_texts, layout.has_trailing)
    return open_direct(reading, wanted)


class CsvParser:
    """Parses blocks into columns of text: at once if all rows are good, record by record if one is not."""

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
        empty_is_text = layout.has_empty_texts
        self._rewriter = Rewriter(dialect, layout.options.null_values, empty_is_text=empty_is_text)
        self._column_types = dict.fromkeys(self._positions, pa.string())
        self._schema = pa.schema([pa.field(position, pa.string()) for position in self._positions[: len(layout.names)]])
        self._direct = open_direct_parser(layout, WantedColumns(self._schema))

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
        if self._layout.has_found_escape and find_unsure_escape(self._layout.dialect, data):
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
        return self._layout.dialect.count(raw) == self._width and not self._layout.has_no_value_at_end(raw)

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


def empty(of: pa.Schema) -> pa.RecordBatch:
    """A batch without rows."""
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in of], schema=of)
