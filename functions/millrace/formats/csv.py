"""Reading CSV: text first, then types that every value proves.

A blank line carries no value: it is passed over, except in a file of one column, where it is a row whose value is
missing. That is also how such a row is written, so that it comes back.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import BinaryIO, NoReturn

import pyarrow as pa
import pyarrow.csv as arrow_csv

from millrace import schema
from millrace.errors import (
    DataError,
    InvalidConfiguration,
    RaggedRow,
    TruncatedFile,
    ValueDoesNotFit,
    WrongEncoding,
)
from millrace.file_format import BadRows, ReadOptions
from millrace.formats.base import BadRow, Records
from millrace.formats.compression import open_plain
from millrace.formats.csv_blocks import Block, Feed, line_ends
from millrace.formats.csv_dialect import DETECTION_BYTES, Dialect, dialect_of
from millrace.formats.encoding import Utf8Stream
from millrace.printing import with_form

SAMPLE_BYTES = 8 * 2**20
"""How much text is looked at before types are chosen and writing begins."""
_UNKNOWN = schema.Evidence()
Report = Callable[[BadRow], None]


@dataclass(frozen=True, slots=True)
class _Layout:
    """What is known of a file before its first row is read."""

    dialect: Dialect
    names: tuple[str, ...]
    options: ReadOptions
    report: Report

    @property
    def quarantines(self) -> bool:
        return self.options.bad_rows is BadRows.QUARANTINE


@dataclass(frozen=True, slots=True)
class _Texts:
    """One block's rows as columns of text; ``rows`` counts the bad ones, too, ``first`` is the number of the first."""

    batch: pa.RecordBatch
    first: int
    rows: int
    block: Block


def read(source: BinaryIO, options: ReadOptions, *, types: object = None, report: Report) -> Records:
    """Open a CSV file; see ``formats.base.Reader``."""
    opened = _open(source, options, report)
    if opened is None:
        return Records(pa.schema([]), iter(()))
    layout, blocks = opened
    texts = _texts(layout, blocks)
    if isinstance(types, tuple):
        return _typed(layout, types, texts, source)
    sample = _take_sample(texts)
    blank = _blank(layout, sample)
    if options.column_types:
        return _typed(layout, _sample_kinds(layout, sample), chain(_emptying(sample), texts), source, blank=blank)
    kinds, columns = zip(*_inferred(layout, sample), strict=True)
    return _typed(layout, kinds, texts, source, before=columns, blank=blank)


def _open(source: BinaryIO, options: ReadOptions, report: Report) -> tuple[_Layout, Iterator[Block]] | None:
    stream = Utf8Stream(open_plain(source, options.compression), options.encoding)
    feed = Feed(stream)
    feed.skip_lines(options.skip_lines)
    dialect = dialect_of(options, feed.peek(DETECTION_BYTES))
    header = feed.first_record(dialect)
    if header is None:
        return None
    fields = dialect.fields(_checked(header))
    names = schema.column_names(fields if options.has_headers else [""] * len(fields))
    if options.has_headers:
        feed.drop(header)
    if unknown := [name for name in options.column_types if name not in names]:
        raise InvalidConfiguration(f"column_types: the file has no column {unknown[0]!r}; it has {', '.join(names)}")
    return _Layout(dialect, tuple(names), options, report), feed.blocks(dialect)


def _checked(block: Block) -> bytes:
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


def _texts(layout: _Layout, blocks: Iterator[Block]) -> Iterator[_Texts]:
    parser = _Parser(layout)
    row = 1
    for block in blocks:
        texts = parser.parse(block, row)
        row += texts.rows
        yield texts


class _Parser:
    """Parses blocks into columns of text: with Arrow where all rows are good, record by record where one is not."""

    def __init__(self, layout: _Layout) -> None:
        self._layout = layout
        self._width = len(layout.names)
        places = [str(place) for place in range(self._width)]
        dialect = layout.dialect
        self._bad = False
        self._parse = arrow_csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote or False,
            double_quote=dialect.quote is not None,
            escape_char=dialect.escape or False,
            newlines_in_values=True,
            ignore_empty_lines=self._width != 1,
            invalid_row_handler=self._notice,
        )
        self._convert = arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(places, pa.string()),
            null_values=["", *layout.options.null_values],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            check_utf8=False,  # checked before, where the offset is known
        )
        self._places = places
        self._schema = pa.schema([pa.field(place, pa.string()) for place in places])

    def _notice(self, _row: object) -> str:
        self._bad = True
        return "skip"

    def parse(self, block: Block, first: int) -> _Texts:
        """The block's good rows; the bad ones are reported or raised."""
        # Only the last block can leave a quote open: the others were cut where a record ends.
        open_quote = block.last and self._layout.dialect.leaves_quote_open(block.data)
        self._bad = open_quote or not _is_utf8(block.data)
        if not self._bad:
            batch = self._with_arrow(block.data)
            if not self._bad:
                return _Texts(batch, first, batch.num_rows, block)
        return self._record_by_record(block, first)

    def _with_arrow(self, data: bytes) -> pa.RecordBatch:
        if self._width != 1 and not data.strip(b"\r\n"):
            return _empty(self._schema)
        if not data.endswith((b"\n", b"\r")):
            data += b"\n"  # without it Arrow takes a missing last field behind a quoted one for an empty one
        if data.startswith(codecs.BOM_UTF8):
            data = codecs.BOM_UTF8 + data  # Arrow drops one wherever a block begins; the file's own is gone already
        options = arrow_csv.ReadOptions(
            column_names=self._places, use_threads=False, block_size=min(len(data) + 1, 2**31 - 1)
        )
        table = arrow_csv.read_csv(
            pa.BufferReader(data), read_options=options, parse_options=self._parse, convert_options=self._convert
        )
        batches = table.combine_chunks().to_batches()
        return batches[0] if batches else _empty(self._schema)

    def _record_by_record(self, block: Block, first: int) -> _Texts:
        good: list[bytes] = []
        rows = 0
        for record in _judged(self._layout, block, first):
            rows += 1
            if record.error is None:
                good.append(record.data)
            else:
                _refuse(self._layout, record, record.error)
        batch = self._with_arrow(b"".join(good)) if good else _empty(self._schema)
        return _Texts(batch, first, rows, block)


@dataclass(frozen=True, slots=True)
class _Record:
    """One record of a block, with its line end, its place and what is wrong with it."""

    data: bytes
    row: int
    line: int
    byte: int
    error: DataError | None


def _judged(layout: _Layout, block: Block, first: int) -> Iterator[_Record]:
    """A block's records one by one, blank lines passed over: slow, for places where something is wrong."""
    width = len(layout.names)
    row, line, seen = first, block.line, 0
    for start, end, stop, whole in layout.dialect.records(block.data):
        if start == end and width != 1:
            continue
        line += line_ends(block.data[seen:start])
        seen = start
        byte = block.byte + start
        error = _judge(layout, block.data[start:end], row, byte, whole=whole)
        yield _Record(block.data[start:stop], row, line, byte, error)
        row += 1


def _judge(layout: _Layout, record: bytes, row: int, byte: int, *, whole: bool) -> DataError | None:
    try:
        record.decode()
    except UnicodeDecodeError as error:
        return _wrong_encoding(error, byte, row)
    if not whole:
        return TruncatedFile(f"row {row:,} at byte {byte:,}: a quote is opened and never closed", row=row, byte=byte)
    width, expected = layout.dialect.count(record), len(layout.names)
    if width == expected:
        return None
    return RaggedRow(
        f"row {row:,} at byte {byte:,} has {width:,} fields where {expected:,} are expected; mend the row, or let bad "
        "rows be put aside with bad_rows: quarantine",
        row=row,
        byte=byte,
    )


def _refuse(layout: _Layout, record: _Record, error: DataError) -> None:
    """Put a bad row aside, or raise what is wrong with it."""
    if not layout.quarantines:
        raise error
    raw = record.data.rstrip(b"\r\n").decode(errors="backslashreplace")
    layout.report(BadRow(line=record.line, row=record.row, byte=record.byte, reason=str(error), raw=raw))


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _empty(of: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in of], schema=of)


def _take_sample(texts: Iterator[_Texts]) -> list[_Texts]:
    sample: list[_Texts] = []
    size = 0
    for block in texts:
        sample.append(block)
        size += len(block.block.data)
        if size >= SAMPLE_BYTES:
            break
    return sample


def _inferred(layout: _Layout, sample: list[_Texts]) -> Iterator[tuple[schema.Kind, pa.Array]]:
    infer = schema.infer_values if layout.options.infer_types else lambda texts: (schema.TEXT, texts)
    for place in range(len(layout.names)):
        yield infer(_sample_column(sample, place))


def _sample_column(sample: list[_Texts], place: int) -> pa.Array:
    return pa.concat_arrays([block.batch.column(place) for block in sample] or [pa.array([], pa.string())])


def _blank(layout: _Layout, sample: list[_Texts]) -> frozenset[int]:
    """The places of columns to be typed without a value in the sample: that they are text is not known of them."""
    places = [place for place, name in enumerate(layout.names) if _first_evidence(layout.options, name) == _UNKNOWN]
    return frozenset(place for place in places if _is_blank(block.batch.column(place) for block in sample))


def _is_blank(columns: Iterable[pa.Array]) -> bool:
    return all(column.null_count == len(column) for column in columns)


def _sample_kinds(layout: _Layout, sample: list[_Texts]) -> tuple[schema.Kind, ...]:
    kinds = []
    for place, name in enumerate(layout.names):
        evidence, texts = _first_evidence(layout.options, name), _sample_column(sample, place)
        kinds.append(schema.infer(texts) if evidence == _UNKNOWN else evidence.observe(texts).resolve())
    return tuple(kinds)


def _first_evidence(options: ReadOptions, name: str) -> schema.Evidence | schema.Demanded:
    if demanded := options.column_types.get(name):
        return schema.Demanded(demanded)
    return schema.Evidence() if options.infer_types else schema.Demanded("text")


def _typed(
    layout: _Layout,
    kinds: tuple[schema.Kind, ...],
    rows: Iterator[_Texts],
    source: BinaryIO,
    *,
    before: Sequence[pa.Array] = (),
    blank: frozenset[int] = frozenset(),
) -> Records:
    """Rows with their types; ``before`` are columns of rows that have theirs already, ``blank`` those without value."""
    fields = [with_form(pa.field(name, kind.type), kind.form) for name, kind in zip(layout.names, kinds, strict=True)]
    into = pa.schema(fields)
    first = [pa.RecordBatch.from_arrays(list(before), schema=into)] if before else []
    converter = _Converter(layout, kinds, into, blank)
    return Records(into, chain(first, _converted(converter, rows, partial(_widen, source, layout))))


def _converted(
    converter: _Converter, rows: Iterator[_Texts], widen: Callable[[], NoReturn]
) -> Iterator[pa.RecordBatch]:
    for texts in rows:
        batch = converter.convert(texts)
        if batch is None:
            widen()
        yield batch


def _emptying(sample: list[_Texts]) -> Iterator[_Texts]:
    while sample:  # what has been converted need not be held any longer
        yield sample.pop(0)


def _widen(source: BinaryIO, layout: _Layout) -> NoReturn:
    """Find the types of the whole file, and begin again with them."""
    opened = _open(source, layout.options, lambda _row: None)
    evidence = [_first_evidence(layout.options, name) for name in layout.names]
    for texts in _texts(*opened) if opened else ():
        evidence = [known.observe(column) for known, column in zip(evidence, texts.batch.columns, strict=True)]
    raise schema.Widened(tuple(known.resolve() for known in evidence))


class _Converter:
    """Turns columns of text into columns of the kinds that were chosen."""

    def __init__(self, layout: _Layout, kinds: tuple[schema.Kind, ...], into: pa.Schema, blank: frozenset[int]) -> None:
        self._layout = layout
        self._blank = blank
        self._kinds = kinds
        self._into = into
        self._demanded = [name in layout.options.column_types for name in layout.names]

    def convert(self, texts: _Texts) -> pa.RecordBatch | None:
        """The rows with their types; None where a value contradicts a type that was inferred."""
        batch, columns = self._without_misfits(texts), []
        if not _is_blank(batch.column(place) for place in self._blank):
            return None
        for column, kind, demanded in zip(batch.columns, self._kinds, self._demanded, strict=True):
            values = schema.demand(kind, column) if demanded else schema.fit(column, kind)
            if values is None:
                return None
            columns.append(values)
        return pa.RecordBatch.from_arrays(columns, schema=self._into)

    def _without_misfits(self, texts: _Texts) -> pa.RecordBatch:
        """The rows whose values are of the types that were demanded; the others are reported or raised."""
        misfits: dict[int, int] = {}
        for place, demanded in enumerate(self._demanded):
            if demanded:
                found = schema.misfits(self._kinds[place], texts.batch.column(place))
                misfits.update((row, place) for row in found if row not in misfits)
        if not misfits:
            return texts.batch
        good = (record for record in _judged(self._layout, texts.block, texts.first) if record.error is None)
        for position, record in enumerate(good):
            if position in misfits:
                value = texts.batch.column(misfits[position])[position].as_py()
                _refuse(self._layout, record, self._misfit(record, misfits[position], value))
        keep = [position not in misfits for position in range(texts.batch.num_rows)]
        return texts.batch.filter(pa.array(keep, pa.bool_()))

    def _misfit(self, record: _Record, place: int, value: str) -> ValueDoesNotFit:
        name = self._layout.names[place]
        wanted = self._layout.options.column_types[name]
        return ValueDoesNotFit(
            f"row {record.row:,} at byte {record.byte:,}: {value[:100]!r} in column {name!r} is not of the type "
            f"{wanted} that column_types demands",
            row=record.row,
            byte=record.byte,
            column=name,
        )
