"""What is wrong with the records of a block, one by one: slow, for blocks that are not parsed at once."""

from __future__ import annotations

from collections.abc import Iterator

from millrace.engine.formats.csv.blocks import Block, line_ends
from millrace.engine.formats.csv.layout import Layout
from millrace.engine.formats.csv.refusals import (
    RecordPlace,
    refuse_bytes,
    refuse_open_quote,
    refuse_stray_quote,
    refuse_unsure_escape,
    refuse_width,
)
from millrace.engine.formats.csv.rewriting import find_unsure_escape
from millrace.engine.formats.csv.text_rows import Record
from millrace.errors import DataError


def judge_records(layout: Layout, block: Block, first: int) -> Iterator[Record]:
    """A block's records one by one, blank lines passed over: slow, for blocks in which something is wrong."""
    width = layout.width
    row, line, seen = first, block.line, 0
    for start, end, stop, whole in layout.dialect.records(block.data):
        # Only in a file of one column an empty line is a row, whose value is missing.
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
    if layout.has_found_escape and (unsure := _find_unsure_field(layout, spot.record)):
        return refuse_unsure_escape(spot, unsure, dialect, face)
    return None


def _judge_width(layout: Layout, spot: RecordPlace) -> DataError | None:
    width = layout.dialect.count(spot.record)
    if width == layout.width and (not layout.has_trailing or layout.has_no_value_at_end(spot.record)):
        return None
    first = (layout.header or ("",))[0]
    return refuse_width(spot, (width, layout.width), layout.options, first=first, is_trailing=layout.has_trailing)


def _find_unsure_field(layout: Layout, record: bytes) -> str | None:
    """The escape and the letter of a field that is no null value, as in ``C:\\temp`` or ``\\N``."""
    for raw in layout.dialect.raw_fields(record):
        if raw not in layout.options.null_values and (unsure := find_unsure_escape(layout.dialect, raw.encode())):
            return unsure.decode()
    return None
