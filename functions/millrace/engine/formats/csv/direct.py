"""Blocks of plain CSV straight into batches of their types, by the native kernel; what is not plain stays in Python."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from millrace.engine.formats.csv.dialect import Dialect
from millrace.engine.native.library import find_kernel
from millrace.engine.types.printing import form_of

if TYPE_CHECKING:
    from millrace.engine.native.csv import ParseCsv, ParsedCsv


@dataclass(frozen=True, slots=True)
class DirectParser:
    """Parses whole records of a dialect, without a look at what is wrong with those that are not plain."""

    dialect: Dialect
    parse_csv: ParseCsv

    def parse(self, data: bytes) -> ParsedCsv | None:
        """The records' columns; None if the Python code has to read them."""
        if not data or self._has_escape(data) or self.dialect.has_comment(data):
            return None
        return self.parse_csv(data)

    def _has_escape(self, data: bytes) -> bool:
        return bool(self.dialect.escape) and (self.dialect.escape or "").encode() in data


def open_direct(
    dialect: Dialect, null_values: tuple[str, ...], schema: pa.Schema, blank: Collection[int], *, has_trailing: bool
) -> DirectParser | None:
    """What parses blocks into batches of the schema; None without a kernel, or where that does not know a type.

    ``blank`` are the positions of text columns in which no value may be.
    """
    kernel = find_kernel()
    if kernel is None or not len(schema):
        return None
    from millrace.engine.native.csv import CsvShape, open_csv  # noqa: PLC0415 - only a kernel needs ctypes

    shape = CsvShape(
        delimiter=dialect.delimiter,
        quote=dialect.quote,
        null_values=tuple(filter(None, null_values)),
        has_trailing=has_trailing,
    )
    parse_csv = open_csv(kernel, shape, schema, form_of, blank)
    if parse_csv is None:
        return None
    return DirectParser(dialect, parse_csv)
