"""Writing ORC by Arrow, whose types ORC lacks are written as wider ones that it has."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import pyarrow as pa

from millrace.engine.formats.base import ByteSink, RecordWriter, Text, require_batch
from millrace.engine.formats.streams.arrow_sink import PassingSink
from millrace.engine.options import OutputCompression, WriteOptions
from millrace.engine.types import arrow_types
from millrace.engine.types.decimals import require_precision
from millrace.engine.types.printing import plain
from millrace.errors import UnsupportedType

_STRIPE_BYTES = 32 * 2**20
_CODECS = {
    OutputCompression.SNAPPY_INSIDE: "snappy",
    OutputCompression.ZSTD_INSIDE: "zstd",
    OutputCompression.DEFLATE_INSIDE: "zlib",
    OutputCompression.NONE: "uncompressed",
}
_GATHERED = 2**14
"""Rows that are handed on at once, so that the file does not depend on how they came."""
T = TypeVar("T")


def write(sink: ByteSink, into: pa.Schema, options: WriteOptions) -> RecordWriter:
    """Begin an ORC file; see ``formats.base.Writer``."""
    return _OrcWriter(sink, into, options)


class _OrcWriter:
    """Writes stripes of about 32 MB."""

    def __init__(self, sink: ByteSink, into: pa.Schema, options: WriteOptions) -> None:
        from pyarrow import orc  # noqa: PLC0415 - only who writes ORC needs its module

        self._into = pa.schema(list(map(_storable_field, into)))
        self._waiting: list[pa.RecordBatch] = []
        self._gathered = 0
        self._rows = 0
        self._writer: Any = orc.ORCWriter(
            pa.PythonFile(PassingSink(sink), mode="w"),
            compression=_CODECS[options.compression or OutputCompression.SNAPPY_INSIDE],
            stripe_size=_STRIPE_BYTES,
        )
        _name_refusal(partial(self._writer.write, pa.Table.from_batches([], self._into)))

    def write(self, rows: pa.RecordBatch | Text) -> None:
        """Write the next rows."""
        batch = require_batch(rows, self._into, "ORC")
        while batch.num_rows:
            part = batch.slice(0, _GATHERED - self._gathered)
            batch = batch.slice(part.num_rows)
            self._waiting.append(part)
            self._gathered += part.num_rows
            if self._gathered == _GATHERED:
                self._flush()

    def _flush(self) -> None:
        gathered = pa.concat_batches(self._waiting)
        for column, field in zip(gathered.columns, self._into, strict=True):
            require_precision(column, field.name)
        columns = [
            _name_refusal(partial(_to_storable, column, field.type))
            for column, field in zip(gathered.columns, self._into, strict=True)
        ]
        _name_refusal(partial(self._writer.write, pa.Table.from_arrays(columns, schema=self._into)))
        self._rows += self._gathered
        self._waiting, self._gathered = [], 0

    def close(self) -> int:
        """Write the last rows and the footer."""
        if self._waiting:
            self._flush()
        self._writer.close()
        return self._rows


def _storable_field(field: pa.Field) -> pa.Field:
    return field.with_type(_storable(field.type, field.name)).with_nullable(nullable=True)


def _storable(kind: pa.DataType, name: str) -> pa.DataType:
    """The type in which ORC holds the values of another; raise UnsupportedType if there is none."""
    kind = _unwrap(kind)
    if arrow_types.is_struct(kind):
        return pa.struct(list(map(_storable_field, kind)))
    if arrow_types.is_map(kind):
        return pa.map_(_storable(kind.key_type, name), _storable_field(kind.item_field))
    if arrow_types.is_any_list(kind):
        return pa.list_(_storable_field(kind.value_field))
    return _storable_leaf(kind) or _refuse(kind, name)


def _unwrap(kind: pa.DataType) -> pa.DataType:
    """The type of the values themselves, as text for a dictionary of texts, or for an extension of text."""
    while True:
        if isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        elif arrow_types.is_encoded(kind):
            kind = kind.value_type
        else:
            return kind


def _storable_leaf(kind: pa.DataType) -> pa.DataType | None:
    """The type in which ORC holds the values of one that is not nested; None if there is none."""
    for is_of_family, into in _STORABLE:
        if is_of_family(kind):
            return into(kind)
    return None


def _refuse(kind: pa.DataType, name: str) -> pa.DataType:
    raise UnsupportedType(f"ORC has no type for {kind} of {name!r}", column=name)


def _to_storable(column: pa.Array, into: pa.DataType) -> pa.Array:
    if column.type == into:
        return column
    if isinstance(column.type, pa.BaseExtensionType):
        return _to_storable(column.storage, into)
    if arrow_types.is_dictionary(column.type):
        return _to_storable(column.dictionary_decode(), into)
    # ORC has neither, so that they are written as text: 12:30:00.
    if arrow_types.is_duration(column.type) or arrow_types.is_time(column.type):
        return plain(column)
    return column.cast(into)


def _integer(kind: pa.DataType) -> pa.DataType:
    if not arrow_types.is_unsigned_integer(kind):
        return kind
    return {8: pa.int16(), 16: pa.int32(), 32: pa.int64(), 64: pa.decimal128(20, 0)}[kind.bit_width]


def _decimal(kind: pa.DataType) -> pa.DataType | None:
    if kind.precision > 38 or not 0 <= kind.scale <= kind.precision:
        return None
    return pa.decimal128(kind.precision, kind.scale)


_STORABLE: tuple[tuple[arrow_types.TypeQuestion, Callable[[pa.DataType], pa.DataType | None]], ...] = (
    (arrow_types.is_null, lambda _kind: pa.string()),
    (arrow_types.is_boolean, lambda kind: kind),
    (arrow_types.is_integer, _integer),
    (arrow_types.is_float16, lambda _kind: pa.float32()),
    (arrow_types.is_floating, lambda kind: kind),
    (arrow_types.is_decimal, _decimal),
    (arrow_types.is_date, lambda _kind: pa.date32()),
    (arrow_types.is_timestamp, lambda kind: kind),
    (arrow_types.is_time, lambda _kind: pa.string()),
    (arrow_types.is_duration, lambda _kind: pa.string()),
    (arrow_types.is_any_text, lambda _kind: pa.string()),
    (arrow_types.is_any_binary, lambda _kind: pa.binary()),
)
"""The types without types inside, and what holds their values in ORC; None: nothing does."""


def _name_refusal(act: Callable[[], T]) -> T:
    try:
        return act()
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise UnsupportedType(f"ORC cannot hold these values: {error}") from error
