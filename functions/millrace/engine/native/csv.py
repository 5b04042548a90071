"""CSV text into a batch of typed columns, by the kernel; see `source/csv.c`."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Collection
from dataclasses import dataclass

import pyarrow as pa

from millrace.engine.native.library import Kernel
from millrace.engine.native.seam import Code, ExportedArray, TypeEntry, describe_schema
from millrace.engine.types import arrow_types

_DOTTED, _BARE = 0, 1
_TEXT, _MISSING = 0, 1
_NOTHING, _SKIPPED = 0, 1
"""Forms, as `csv_columns.h` has them."""
_BYTES_A_BYTE, _BYTES_A_COLUMN = 64, 4096
"""The most memory of a batch: a field takes at least a byte of text, and at most 16 bytes, which may be doubled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvShape:
    """What cuts a text into fields; ``null_values`` mean missing, as the empty text does, unless they are in quotes.

    ``empty_is_text``: a field of no characters is the empty text, and not missing.
    ``has_trailing``: every record ends in a delimiter, with nothing or a null value behind it.
    """

    delimiter: str
    quote: str | None
    null_values: tuple[str, ...] = ()
    empty_is_text: bool = False
    has_trailing: bool = False


class _Csv(ctypes.Structure):
    """`MillraceCsv`."""

    _fields_ = (
        ("delimiter", ctypes.c_uint8),
        ("quote", ctypes.c_uint8),
        ("has_quote", ctypes.c_uint8),
        ("has_trailing", ctypes.c_uint8),
        ("empty_is_text", ctypes.c_uint8),
        ("width", ctypes.c_int32),
        ("nulls", ctypes.c_int32),
        ("null_texts", ctypes.c_char_p),
        ("null_lengths", ctypes.c_void_p),
    )


@dataclass(frozen=True, slots=True)
class ParsedCsv:
    """A batch whose columns at ``texts`` have a text that is, as far as the kernel knows, no value of their type."""

    batch: pa.RecordBatch
    texts: frozenset[int]


ParseCsv = Callable[[bytes], ParsedCsv | None]
"""Parses whole records; None if they are irregular: then the Python code says what is wrong with them, if anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvColumns:
    """What the columns become: those of the schema, but for those at ``skipped``, which come as nulls.

    ``form_of`` gives a field's form, ``blank`` are the positions of text columns in which no value may be.
    """

    schema: pa.Schema
    form_of: Callable[[pa.Field], str]
    blank: Collection[int] = ()
    skipped: Collection[int] = ()

    def fields(self) -> list[pa.Field]:
        """The fields as they come."""
        fields = list(self.schema)
        for position in self.skipped:
            fields[position] = pa.field(fields[position].name, pa.null())
        return fields


def open_csv(kernel: Kernel, shape: CsvShape, columns: CsvColumns) -> ParseCsv | None:
    """What parses text of a shape into batches; None if a column has a type that texts are not read as."""
    fields = columns.fields()
    schema = pa.schema(fields)
    if shape.has_trailing:
        # What is behind the trailing delimiter is a column to C, in which no value may be; the batch is without it.
        fields.append(pa.field("", pa.null()))
    described = describe_schema(pa.schema(fields), _FormNumber(columns.form_of))
    if described is None:
        return None
    for position in columns.blank:
        described.types[position].form = _MISSING
    for position in columns.skipped:
        described.types[position].form = _SKIPPED
    return _KernelParser(kernel, shape, schema, described.types)


def cut_records(kernel: Kernel, delimiter: str, quote: str, data: bytes) -> int | None:
    """The offset after the last record that surely ends in the data, 0 without one; None if quotes are irregular."""
    end = _bind_cut(kernel)(ord(delimiter), ord(quote), data, len(data))
    return None if end < 0 else end


@functools.cache
def _bind_cut(kernel: Kernel) -> Callable[[int, int, bytes, int], int]:
    function: Callable[[int, int, bytes, int], int] = kernel.bind(
        "millrace_csv_cut", ctypes.c_int64, ctypes.c_uint8, ctypes.c_uint8, ctypes.c_char_p, ctypes.c_int64
    )
    return function


class CsvGrammarForC(ctypes.Structure):
    """`MillraceCsvGrammar`."""

    _fields_ = (
        ("delimiter", ctypes.c_uint8),
        ("quote", ctypes.c_uint8),
        ("has_quote", ctypes.c_uint8),
        ("has_blank_rows", ctypes.c_uint8),
    )


class NativePiece(ctypes.Structure):
    """`MillraceCsvPiece`: ``first`` is -1 if no record begins."""

    _fields_ = (
        ("first", ctypes.c_int64),
        ("ended", ctypes.c_int64),
        ("lines", ctypes.c_int64),
        ("is_open", ctypes.c_int64),
    )


class PieceScanner:
    """Says what pieces of strict CSV hold, without escapes and comments."""

    def __init__(self, kernel: Kernel, delimiter: str, quote: str | None, *, has_blank_rows: bool) -> None:
        self._scan = kernel.bind(
            "millrace_csv_scan",
            None,
            ctypes.POINTER(CsvGrammarForC),
            ctypes.c_bool,
            ctypes.c_char_p,
            ctypes.c_int64,
            ctypes.POINTER(NativePiece),
        )
        self._grammar = CsvGrammarForC(ord(delimiter), ord(quote or "\0"), quote is not None, has_blank_rows)

    def scan(self, text: bytes, *, is_open: bool) -> NativePiece:
        """What a piece is that begins at a record, or within quotes; without a line end, its last record ends there."""
        piece = NativePiece()
        self._scan(self._grammar, is_open, text, len(text), piece)
        return piece


@dataclass(frozen=True, slots=True)
class _FormNumber:
    """Says a field's form as the kernel's number for it."""

    form_of: Callable[[pa.Field], str]

    def __call__(self, field: pa.Field) -> int:
        form = self.form_of(field)
        # Of "T3Z" the separator alone is sent: unit and zone are in the type.
        if arrow_types.is_timestamp(field.type):
            return ord(form[:1] or "T")
        return _BARE if form == "bare" else _DOTTED


class _KernelParser:
    """Parses text into batches; many threads may use one."""

    def __init__(self, kernel: Kernel, shape: CsvShape, schema: pa.Schema, types: ctypes.Array[TypeEntry]) -> None:
        self._parse = kernel.bind(
            "millrace_csv",
            ctypes.c_int32,
            ctypes.POINTER(_Csv),
            ctypes.POINTER(TypeEntry),
            ctypes.c_char_p,
            ctypes.c_int64,
            ctypes.c_int64,
            ctypes.c_char_p,
            ctypes.POINTER(ExportedArray),
        )
        self._schema = schema
        self._types = types
        nulls = [value.encode() for value in shape.null_values]
        # Kept with the parser: C has their addresses alone, and Python would free what nobody holds.
        self._null_texts = b"".join(nulls)
        self._null_lengths = (ctypes.c_int32 * len(nulls))(*map(len, nulls))
        self._csv = _Csv(
            delimiter=ord(shape.delimiter),
            quote=ord(shape.quote or "\0"),
            has_quote=shape.quote is not None,
            has_trailing=shape.has_trailing,
            empty_is_text=shape.empty_is_text,
            width=len(types),
            nulls=len(nulls),
            null_texts=self._null_texts,
            null_lengths=ctypes.addressof(self._null_lengths),
        )

    def __call__(self, data: bytes) -> ParsedCsv | None:
        out = ExportedArray()
        as_text = ctypes.create_string_buffer(len(self._types))
        limit = _BYTES_A_BYTE * len(data) + _BYTES_A_COLUMN * len(self._types)
        code = self._parse(self._csv, self._types, data, len(data), limit, as_text, out)
        if code != Code.OK:
            return None
        texts = frozenset(position for position, mark in enumerate(as_text.raw) if mark)
        return ParsedCsv(out.to_batch(self._with_texts(texts)), texts)

    def _with_texts(self, texts: Collection[int]) -> pa.Schema:
        """The schema of a batch that has text at some positions."""
        schema = self._schema
        for position in texts:
            schema = schema.set(position, pa.field(schema.field(position).name, pa.string()))
        return schema
