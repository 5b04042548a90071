"""A file of rows of text explained: the texts that conversion reads, and the evidence that it types them by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, Generic

import pyarrow as pa

from millrace.engine.explain.csv_columns import CsvColumn
from millrace.engine.explain.facts import Content, Fact
from millrace.engine.explain.text_facts import facts_of_csv, facts_of_fixed_width, facts_of_log, reasons_of_names
from millrace.engine.formats.base import BadRow, Learned, Widened
from millrace.engine.formats.csv.opening import begin as begin_csv
from millrace.engine.formats.csv.reader import begin_evidence
from millrace.engine.formats.csv.text_rows import Begin, CsvTexts, L, TextLayout, texts
from millrace.engine.formats.fixed_width.reader import begin as begin_fixed_width
from millrace.engine.formats.log.reader import begin as begin_log
from millrace.engine.formats.registry import FORMATS
from millrace.engine.one_file import MOST_ATTEMPTS
from millrace.engine.options import BadRows, FileFormat, ReadOptions
from millrace.errors import DataError


def _keep_names(_layout: TextLayout) -> dict[str, str]:
    """No column is renamed where a layout or a preset names it."""
    return {}


@dataclass(frozen=True, slots=True)
class _TextReading(Generic[L]):
    """How files of one format are opened, and what is said of them; ``reasons_of_names`` of columns renamed."""

    format: FileFormat
    begin: Begin[L]
    facts: Callable[[L], tuple[Fact, ...]]
    reasons_of_names: Callable[[L], dict[str, str]] = _keep_names


class _TextSummary(Generic[L]):
    """What has been seen of a file."""

    def __init__(self, layout: L, kind: _TextReading[L]) -> None:
        self._layout = layout
        self._kind = kind
        self._columns = [CsvColumn(name, begin_evidence(layout.options, name)) for name in layout.names]
        self._gathered: list[pa.RecordBatch] = []
        self._bytes = 0
        self._rows = 0
        self.rows = 0

    def observe(self, batch: pa.RecordBatch) -> None:
        self._gathered.append(batch)
        self._bytes += batch.nbytes
        self.rows += batch.num_rows
        if self._bytes >= self._layout.options.work.explained:
            self.flush()

    def flush(self) -> None:
        if not self._gathered:
            return
        batch = pa.concat_batches(self._gathered)
        self._gathered, self._bytes = [], 0
        for column, texts_of_column in zip(self._columns, batch.columns, strict=True):
            column.observe(texts_of_column, self._rows + 1)
        self._rows += batch.num_rows

    def explain(self, error: DataError | None) -> Content:
        self.flush()
        why = self._kind.reasons_of_names(self._layout)
        notes = [
            *((name, f"renamed: {reason}") for name, reason in why.items()),
            *((name, f"{wanted} is demanded") for name, wanted in self._layout.options.column_types.items()),
        ]
        columns = tuple(
            column.explain(tuple(note for of, note in notes if of == name))
            for name, column in zip(self._layout.names, self._columns, strict=True)
        )
        facts = self._kind.facts(self._layout)
        if not self._layout.options.infer_types:
            facts += (Fact("types", "text", "types are not asked for"),)
        return Content(
            facts=facts,
            rows=self.rows,
            schema=pa.schema([column.field for column in columns]),
            columns=columns,
            error=error,
        )


def explain_csv(source: BinaryIO, options: ReadOptions) -> Content:
    """What is in a CSV file."""
    return _explain_text(_TextReading(FileFormat.CSV, begin_csv, facts_of_csv, reasons_of_names), source, options)


def explain_fixed_width(source: BinaryIO, options: ReadOptions) -> Content:
    """What is in a file of fixed width."""
    return _explain_text(_TextReading(FileFormat.FIXED_WIDTH, begin_fixed_width, facts_of_fixed_width), source, options)


def explain_log(source: BinaryIO, options: ReadOptions) -> Content:
    """What is in a log."""
    return _explain_text(_TextReading(FileFormat.LOG, begin_log, facts_of_log), source, options)


def _explain_text(kind: _TextReading[L], source: BinaryIO, options: ReadOptions) -> Content:
    seen = None
    try:
        opened = texts(kind.begin, source, options, _ignore)
        if opened is None:
            return Content()
        layout, blocks = opened
        seen = _TextSummary(layout, kind)
        for block in blocks:
            seen.observe(block.batch)
        _check_demands(kind, source, options)
    except DataError as error:
        if seen is None:
            return Content(error=error)
        for batch in _before(kind, source, options, seen.rows, error):
            seen.observe(batch)
        return seen.explain(error)
    return seen.explain(None)


def _ignore(_bad: BadRow) -> None:
    """Do nothing with bad rows: the error about the first is known already."""


def _check_demands(kind: _TextReading[L], source: BinaryIO, options: ReadOptions) -> None:
    """Read as conversion does if types are demanded, so that a value that does not fit has the same error."""
    learned: Learned | None = None
    for _attempt in range(MOST_ATTEMPTS if options.column_types else 0):
        try:
            for _batch in FORMATS[kind.format].read(source, options, learned=learned, report=_ignore).batches:
                pass
        except Widened as widened:
            learned = widened.learned
        else:
            return


def _before(
    kind: _TextReading[L], source: BinaryIO, options: ReadOptions, seen: int, error: DataError
) -> Iterator[pa.RecordBatch]:
    """The good rows that share their block with the bad one: read again, with bad rows put aside."""
    if error.row is None or error.row - 1 <= seen:
        return
    opened = texts(kind.begin, source, replace(options, bad_rows=BadRows.QUARANTINE), _ignore)
    try:
        for block in opened[1] if opened else ():
            yield from _part(block, seen, error.row - 1)
            if block.first + block.rows > error.row:
                return
    except DataError:
        return


def _part(block: CsvTexts, seen: int, last: int) -> Iterator[pa.RecordBatch]:
    start = max(0, seen + 1 - block.first)
    if start < block.batch.num_rows:
        yield block.batch.slice(start, last - (block.first + start) + 1)
