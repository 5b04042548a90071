"""Blocks of plain CSV straight into batches of their types, by the native kernel; what is not plain stays in Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from millrace.engine.formats.csv.dialect import Dialect
from millrace.engine.native.library import find_kernel
from millrace.engine.types.printing import form_of

if TYPE_CHECKING:
    from millrace.engine.native.csv import ParseCsv, ParsedCsv


@dataclass(frozen=True, slots=True)
class WantedColumns:
    """The columns to make: in ``blank`` ones no value may be, ``skipped`` ones come as nulls, unread."""

    schema: pa.Schema
    blank: frozenset[int] = frozenset()
    skipped: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class DirectParser:
    """Parses whole records of a dialect, without a look at what is wrong with those that are not plain."""

    dialect: Dialect
    parse_csv: ParseCsv

    def parse(self, data: bytes) -> ParsedCsv | None:
        """The records' columns; None if the Python code has to read them."""
        records = self.dialect.without_comments(data)
        if not records or self._has_escape(records):
            return None
        return self.parse_csv(records)

    def _has_escape(self, data: bytes) -> bool:
        escape = self.dialect.escape
        return escape is not None and escape.encode() in data


@dataclass(frozen=True, slots=True)
class CsvReading:
    """How records are read: what cuts them, and what of them is missing; see ``Layout``."""

    dialect: Dialect
    null_values: tuple[str, ...]
    empty_is_text: bool
    has_trailing: bool


def open_direct(reading: CsvReading, wanted: WantedColumns) -> DirectParser | None:
    """What parses blocks into the columns that are wanted; None without a kernel, or if it does not know a type."""
    kernel = find_kernel()
    if kernel is None or not len(wanted.schema):
        return None
    from millrace.engine.native.csv import CsvColumns, CsvShape, open_csv  # noqa: PLC0415 - only a kernel needs ctypes

    dialect = reading.dialect
    shape = CsvShape(
        delimiter=dialect.delimiter,
        quote=dialect.quote,
        null_values=tuple(filter(None, reading.null_values)),
        empty_is_text=reading.empty_is_text,
        has_trailing=reading.has_trailing,
    )
    columns = CsvColumns(schema=wanted.schema, form_of=form_of, blank=wanted.blank, skipped=wanted.skipped)
    parse_csv = open_csv(kernel, shape, columns)
    if parse_csv is None:
        return None
    return DirectParser(dialect, parse_csv)
