"""What holds for every format that is registered: one suite over all of them."""

from __future__ import annotations

import datetime as dt
import io
from decimal import Decimal
from typing import Any, BinaryIO

import pyarrow as pa
import pytest

from millrace.engine.formats.base import Format, Text
from millrace.engine.formats.registry import FORMATS
from millrace.engine.options import (
    TARGET_FORMATS,
    Compression,
    FileFormat,
    OutputCompression,
    ReadOptions,
    WriteOptions,
    output_compressions,
    output_extension,
    recognise,
)
from millrace.errors import DataError, UsageError
from tests.unit.engine.formats.builders import Memory

ROWS: list[dict[str, Any]] = [
    {"id": 1, "name": "Ada", "born": "1815-12-10", "ratio": 1.5, "paid": True, "price": Decimal("10.10")},
    {"id": -(2**63), "name": 'a "quoted", text\nof lines', "born": None, "ratio": None, "paid": None, "price": None},
    {"id": 2**63 - 1, "name": "", "born": "2024-02-29", "ratio": -0.25, "paid": False, "price": Decimal("-3.25")},
    {"id": None, "name": None, "born": "1970-01-01", "ratio": 1e300, "paid": True, "price": Decimal("0.00")},
]
SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("name", pa.string()),
        ("born", pa.string()),
        ("ratio", pa.float64()),
        ("paid", pa.bool_()),
        ("price", pa.decimal128(18, 2)),
    ]
)


def write(
    entry: Format,
    *rows: pa.RecordBatch | Text,
    schema: pa.Schema = SCHEMA,
    compression: OutputCompression | None = None,
) -> bytes:
    """The bytes of an output; the sink stays open."""
    sink = Memory()
    writer = entry.write(sink, schema, WriteOptions(compression=compression))
    for part in rows:
        writer.write(part)
    writer.close()
    assert not sink.closed
    return sink.getvalue()


def batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def read(entry: Format, data: bytes | BinaryIO, compression: Compression = Compression.NONE) -> list[dict[str, Any]]:
    """The rows of a file, none of which may be bad."""
    source = io.BytesIO(data) if isinstance(data, bytes) else data
    options = ReadOptions(compression=compression)
    records = entry.read(source, options, report=lambda bad: pytest.fail(str(bad)))
    return [row for part in records.batches for row in part.to_pylist()]


def comparable(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows in which a date is its text, as the formats without types have it."""
    return [{k: v.isoformat() if isinstance(v, dt.date) else v for k, v in row.items()} for row in rows]


class Faulty(io.BytesIO):
    """A source whose reads fail after some bytes."""

    def __init__(self, data: bytes, good_reads: int) -> None:
        super().__init__(data)
        self.good_reads = good_reads

    def read(self, size: int | None = -1, /) -> bytes:
        self.good_reads -= 1
        if self.good_reads < 0:
            raise ConnectionResetError("the line went dead")
        return super().read(size)


every_format = pytest.mark.parametrize("entry", FORMATS.values(), ids=FORMATS)
WRITTEN = [FORMATS[name] for name in TARGET_FORMATS]
written_format = pytest.mark.parametrize("entry", WRITTEN, ids=TARGET_FORMATS)
READ_ONLY = [entry for entry in FORMATS.values() if not entry.words.is_written]


def test_every_format_of_the_configuration_is_registered_under_its_name() -> None:
    assert [entry.name for entry in FORMATS.values()] == list(FORMATS) == list(FileFormat)


@every_format
def test_its_name_may_be_given_for_reading_or_for_writing(entry: Format) -> None:
    assert entry.words.is_read or entry.words.is_written
    assert (entry.name in TARGET_FORMATS) is entry.words.is_written


@pytest.mark.parametrize("entry", READ_ONLY, ids=[entry.name for entry in READ_ONLY])
def test_what_is_only_read_is_not_written(entry: Format) -> None:
    with pytest.raises(UsageError, match=f"{entry.name} is read and not written"):
        entry.write(Memory(), SCHEMA, WriteOptions())


@written_format
def test_what_is_written_is_read_again(entry: Format) -> None:
    data = write(entry, batch(ROWS))

    assert comparable(read(entry, data)) == ROWS


@written_format
def test_how_rows_are_gathered_in_batches_changes_nothing(entry: Format) -> None:
    whole = write(entry, batch(ROWS))
    single = write(entry, *(batch([row]) for row in ROWS))
    sliced = write(entry, batch(ROWS[:1] + ROWS).slice(1), batch([]))

    assert whole == single == sliced


@written_format
def test_no_rows_are_a_whole_file(entry: Format) -> None:
    data = write(entry)

    assert read(entry, data) == []


@written_format
def test_no_columns_are_a_whole_file(entry: Format) -> None:
    data = write(entry, schema=pa.schema([]))

    assert read(entry, data) == []


@written_format
@pytest.mark.parametrize("good_reads", [0, 1, 2])
def test_an_error_of_the_source_stays_what_it_is(entry: Format, good_reads: int) -> None:
    data = write(entry, batch(ROWS))

    with pytest.raises(ConnectionResetError):
        read(entry, Faulty(data, good_reads))


@written_format
@pytest.mark.parametrize("data", [b"\xff\xfe\xfd\xfc" * 8, b'{"a": 1', b"PAR1 and so on", b'a,b\n"1,2'])
def test_what_is_no_such_file_is_refused_as_bad_data(entry: Format, data: bytes) -> None:
    if entry.name is FileFormat.CSV and not data.endswith(b'"1,2'):
        pytest.skip("almost any text is a CSV file")

    with pytest.raises(DataError):
        read(entry, data)


@written_format
def test_its_compressions_change_no_row(entry: Format) -> None:
    for compression in output_compressions(entry.name):
        data = write(entry, batch(ROWS), compression=compression)
        key = recognise("folder/name" + output_extension(entry.name, compression))

        assert key is not None
        assert comparable(read(FORMATS[key.format], data, key.compression)) == ROWS


@written_format
def test_its_first_compression_is_the_default(entry: Format) -> None:
    first = entry.words.compressions[0]

    assert write(entry, batch(ROWS)) == write(entry, batch(ROWS), compression=first)


@written_format
def test_what_is_rendered_apart_is_what_its_writer_renders(entry: Format) -> None:
    if entry.render is None:
        pytest.skip("its rows are not rendered apart")
    halves = [entry.render(batch(half), SCHEMA) for half in (ROWS[:2], ROWS[2:])]

    assert sum(text.rows for text in halves) == len(ROWS)
    assert write(entry, *halves) == write(entry, batch(ROWS))


@every_format
def test_the_extensions_that_it_reads_name_it(entry: Format) -> None:
    for extension, delimiter in entry.words.read_extensions.items():
        key = recognise(f"folder/name{extension}")

        assert key is not None
        assert (key.format, key.stem, key.delimiter) == (entry.name, "folder/name", delimiter)
