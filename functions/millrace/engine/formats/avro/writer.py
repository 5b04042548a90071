"""Writing Avro: rows encoded column by column, gathered in blocks."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.formats.avro.container import AvroSink
from millrace.engine.formats.avro.schema import FORM, NAME
from millrace.engine.formats.base import ByteSink, RecordWriter, Text, require_batch
from millrace.engine.formats.varints import as_zigzag
from millrace.engine.names import unique_names
from millrace.engine.options import OutputCompression, WriteOptions
from millrace.engine.types import arrow_types
from millrace.engine.types.decimals import require_precision
from millrace.engine.types.printing import form_of, plain
from millrace.errors import UnsupportedType

_BLOCK_BYTES = 2**18
"""A block is compressed as one, and a reader holds it as a whole."""
_CODECS = {
    OutputCompression.DEFLATE_INSIDE: "deflate",
    OutputCompression.SNAPPY_INSIDE: "snappy",
    OutputCompression.ZSTD_INSIDE: "zstandard",
    OutputCompression.NONE: "null",
}
_EXACT = Context(prec=80)
_LOGICAL_UNITS = {"s": "millis", "ms": "millis", "us": "micros", "ns": "nanos"}
_MISSING = as_zigzag(0)
_PRESENT = as_zigzag(1)
Encode = Callable[[pa.Array], list[bytes]]


@dataclass(frozen=True, slots=True)
class _Encoder:
    """A type's schema in Avro, and what makes bytes of each value; missing ones are encoded as something, too."""

    schema: Any
    encode: Encode


def write(sink: ByteSink, into: pa.Schema, options: WriteOptions) -> RecordWriter:
    """Begin an Avro file; see ``formats.base.Writer``."""
    return _AvroWriter(sink, into, options)


class _AvroWriter:
    """Writes blocks of about 256 KB before they are packed."""

    def __init__(self, sink: ByteSink, into: pa.Schema, options: WriteOptions) -> None:
        self._schema = into
        record, self._encoders = _encoder_of_fields(list(into), "row", set())
        codec = _CODECS[options.compression or OutputCompression.DEFLATE_INSIDE]
        self._file = AvroSink(sink, record, codec, options.lineage)
        self._waiting: list[bytes] = []
        self._size = 0
        self._rows = 0

    def write(self, rows: pa.RecordBatch | Text) -> None:
        """Write the next rows."""
        batch = require_batch(rows, self._schema, "Avro")
        for column, field in zip(batch.columns, self._schema, strict=True):
            require_precision(column, field.name)
        columns = [
            _name_refusal(name, partial(encode, column))
            for (name, encode), column in zip(self._encoders, batch.columns, strict=True)
        ]
        for values in zip(*columns, strict=True):
            self._add(b"".join(values))

    def _add(self, row: bytes) -> None:
        self._waiting.append(row)
        self._size += len(row)
        if self._size >= _BLOCK_BYTES:
            self._flush()

    def _flush(self) -> None:
        self._file.write(len(self._waiting), b"".join(self._waiting))
        self._rows += len(self._waiting)
        self._waiting, self._size = [], 0

    def close(self) -> int:
        """Write the last block."""
        if self._waiting:
            self._flush()
        return self._rows


def _name_refusal(name: str, encode: Callable[[], list[bytes]]) -> list[bytes]:
    try:
        return encode()
    except (pa.ArrowException, OverflowError) as error:
        raise UnsupportedType(f"Avro cannot hold the values of {name!r}: {error}", column=name) from error


def _encoder_of_fields(
    fields: Sequence[pa.Field], name: str, taken: set[str]
) -> tuple[dict[str, Any], list[tuple[str, Encode]]]:
    """The schema of a record, and what encodes each of its fields."""
    record_name = name
    while record_name in taken:
        record_name += "_"
    taken.add(record_name)
    names = unique_names([_to_name(field.name) for field in fields])
    described, encoders = list[dict[str, Any]](), list[tuple[str, Encode]]()
    for own, field in zip(names, fields, strict=True):
        encoder = _encoder_of_field(field, f"{record_name}_{own}", taken)
        entry: dict[str, Any] = {"name": own, "type": encoder.schema}
        if own != field.name:
            entry[NAME] = field.name
        if form_of(field):
            entry[FORM] = form_of(field)
        if field.nullable and encoder.schema != "null":
            entry["default"] = None
        described.append(entry)
        encoders.append((field.name, encoder.encode))
    return {"type": "record", "name": record_name, "fields": described}, encoders


def _to_name(name: str) -> str:
    """A name of letters, digits and _ (all that Avro has), which does not begin with a digit."""
    cleaned = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return cleaned if re.match(r"[A-Za-z_]", cleaned) else f"_{cleaned}"


def _encoder_of_field(field: pa.Field, name: str, taken: set[str]) -> _Encoder:
    encoder = _encoder(field.type, name, taken, field.name)
    if encoder.schema == "null" or not field.nullable:
        return encoder
    return _Encoder(["null", encoder.schema], partial(_encode_nullable, encoder.encode))


def _encode_nullable(encode: Encode, column: pa.Array) -> list[bytes]:
    if not column.null_count:
        return [_PRESENT + value for value in encode(column)]
    values = encode(column)
    return [
        _PRESENT + value if is_there else _MISSING
        for value, is_there in zip(values, column.is_valid().to_pylist(), strict=True)
    ]


def _encoder(kind: pa.DataType, name: str, taken: set[str], column: str) -> _Encoder:
    make = next((make for question, make in _SIMPLE if question(kind)), None)
    if make is not None:
        return make(kind)
    if isinstance(kind, pa.BaseExtensionType):
        return _through(lambda values: values.storage, _encoder(kind.storage_type, name, taken, column))
    if arrow_types.is_dictionary(kind):
        return _through(lambda values: values.dictionary_decode(), _encoder(kind.value_type, name, taken, column))
    return _encoder_of_nested(kind, name, taken, column)


def _encoder_of_nested(kind: pa.DataType, name: str, taken: set[str], column: str) -> _Encoder:
    if arrow_types.is_struct(kind):
        record, encoders = _encoder_of_fields(list(kind), name, taken)
        return _Encoder(record, partial(_encode_struct, [encode for _, encode in encoders]))
    if arrow_types.is_map(kind):
        return _encoder_of_map(kind, name, taken)
    if arrow_types.is_any_list(kind):
        items = _encoder_of_field(kind.value_field, f"{name}_item", taken)
        schema = {"type": "array", "items": items.schema}
        if form := form_of(kind.value_field):
            schema[FORM] = form
        return _Encoder(schema, partial(_encode_list, items.encode))
    raise UnsupportedType(f"Avro has no type for {kind} of {column!r}", column=column)


def _through(convert: Callable[[pa.Array], pa.Array], encoder: _Encoder) -> _Encoder:
    return _Encoder(encoder.schema, lambda values: encoder.encode(convert(values)))


def _encode_struct(encoders: Sequence[Encode], column: pa.Array) -> list[bytes]:
    if not encoders:
        return [b""] * len(column)
    parts = [encode(child) for encode, child in zip(encoders, column.flatten(), strict=True)]
    return list(map(b"".join, zip(*parts, strict=True)))


def _encode_list(encode: Encode, column: pa.Array) -> list[bytes]:
    column = column.cast(pa.large_list(column.type.value_field))  # the one of five layouts that all others become
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_pylist()
    return list(_join_items(encode(pc.list_flatten(column)), lengths))


def _join_items(items: Sequence[bytes], lengths: Iterable[int]) -> Iterable[bytes]:
    """A list's bytes: the count of its items, these, and a count of 0; an empty list is that 0 alone."""
    start = 0
    for length in lengths:
        if not length:
            yield b"\x00"
            continue
        yield as_zigzag(length) + b"".join(items[start : start + length]) + b"\x00"
        start += length


def _encoder_of_map(kind: pa.DataType, name: str, taken: set[str]) -> _Encoder:
    """Maps of text; others are lists of their entries, since Avro's keys are text."""
    entries = pa.list_(pa.field("entry", pa.struct([kind.key_field, kind.item_field]), nullable=False))
    if not arrow_types.is_any_text(kind.key_type):
        as_list = _encoder(entries, name, taken, name)
        return _through(lambda values: values.cast(entries), as_list)
    items = _encoder_of_field(kind.item_field, f"{name}_value", taken)
    schema = {"type": "map", "values": items.schema}
    return _Encoder(schema, lambda values: _encode_map(items.encode, values.cast(entries)))


def _encode_map(encode: Encode, column: pa.Array) -> list[bytes]:
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_pylist()
    keys, items = pc.list_flatten(column).flatten()
    parts = zip(_encode_texts(keys), encode(items), strict=True)
    return list(_join_items([key + item for key, item in parts], lengths))


def _encode_nulls(column: pa.Array) -> list[bytes]:
    return [b""] * len(column)


def _encode_booleans(column: pa.Array) -> list[bytes]:
    return [b"\x01" if value else b"\x00" for value in column.to_pylist()]


def _encode_integers(column: pa.Array) -> list[bytes]:
    return [as_zigzag(value or 0) for value in column.cast(pa.int64()).to_pylist()]


def _encode_floats(form: str, kind: pa.DataType, column: pa.Array) -> list[bytes]:
    pack = struct.Struct(form).pack
    values = pc.fill_null(column.cast(kind), pa.scalar(0.0, kind)).to_pylist()
    return list(map(pack, values))


def _encode_texts(column: pa.Array) -> list[bytes]:
    values = column.cast(pa.large_binary()).to_pylist()
    return [as_zigzag(len(value or b"")) + (value or b"") for value in values]


def _encode_decimals(scale: int, column: pa.Array) -> list[bytes]:
    return [_encode_decimal(value, scale) for value in column.to_pylist()]


def _encode_decimal(value: Decimal | None, scale: int) -> bytes:
    whole = int((value or Decimal()).scaleb(scale, _EXACT))
    data = whole.to_bytes(whole.bit_length() // 8 + 1, "big", signed=True)
    return as_zigzag(len(data)) + data


def _counted(schema: str | dict[str, Any], *casts: pa.DataType) -> _Encoder:
    """A type that counts something: what it is cast to, until it is a number."""

    def encode(column: pa.Array) -> list[bytes]:
        for kind in casts:
            column = column.cast(kind)
        return _encode_integers(column)

    return _Encoder(schema, encode)


def _integer(kind: pa.DataType) -> _Encoder:
    if kind == pa.uint64():  # beyond Avro's longs, so a decimal of 20 digits
        decimal = pa.decimal128(20, 0)
        return _through(lambda values: values.cast(decimal), _decimal(decimal))
    return _counted("int" if kind.bit_width < 32 or kind == pa.int32() else "long")


def _decimal(kind: pa.DataType) -> _Encoder:
    if kind.scale < 0:
        raise UnsupportedType(f"Avro has no decimals of a negative scale, as {kind} has")
    schema = {"type": "bytes", "logicalType": "decimal", "precision": kind.precision, "scale": kind.scale}
    return _Encoder(schema, partial(_encode_decimals, kind.scale))


def _timestamp(kind: pa.DataType) -> _Encoder:
    unit = "ms" if kind.unit == "s" else kind.unit
    local = "" if kind.tz else "local-"
    schema = {"type": "long", "logicalType": f"{local}timestamp-{_LOGICAL_UNITS[kind.unit]}"}
    return _counted(schema, pa.timestamp(unit, tz=kind.tz))


def _time(kind: pa.DataType) -> _Encoder:
    if kind.bit_width == 32:
        return _counted({"type": "int", "logicalType": "time-millis"}, pa.time32("ms"), pa.int32())
    return _counted({"type": "long", "logicalType": "time-micros"}, pa.time64("us"))


def _date(_kind: pa.DataType) -> _Encoder:
    return _counted({"type": "int", "logicalType": "date"}, pa.date32(), pa.int32())


def _as_text(_kind: pa.DataType) -> _Encoder:
    return _Encoder("string", lambda values: _encode_texts(plain(values)))


_SIMPLE: Sequence[tuple[arrow_types.TypeQuestion, Callable[[pa.DataType], _Encoder]]] = (
    (arrow_types.is_null, lambda _kind: _Encoder("null", _encode_nulls)),
    (arrow_types.is_boolean, lambda _kind: _Encoder("boolean", _encode_booleans)),
    (arrow_types.is_integer, _integer),
    (arrow_types.is_float64, lambda _kind: _Encoder("double", partial(_encode_floats, "<d", pa.float64()))),
    (arrow_types.is_floating, lambda _kind: _Encoder("float", partial(_encode_floats, "<f", pa.float32()))),
    (arrow_types.is_decimal, _decimal),
    (arrow_types.is_date, _date),
    (arrow_types.is_timestamp, _timestamp),
    (arrow_types.is_time, _time),
    (arrow_types.is_duration, _as_text),
    (arrow_types.is_any_text, lambda _kind: _Encoder("string", _encode_texts)),
    (arrow_types.is_any_binary, lambda _kind: _Encoder("bytes", _encode_texts)),
)
"""The types without types inside: the first question that is answered with yes decides."""
