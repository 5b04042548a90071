"""What holds for every reader and every writer that is registered."""

from __future__ import annotations

import datetime as dt
import io
from decimal import Decimal
from typing import Any, BinaryIO

import pyarrow as pa
import pytest

from millrace.engine.formats.registry import READERS, WRITERS
from millrace.engine.options import FileFormat, ReadOptions, WriteOptions
from millrace.errors import DataError
from tests.unit.engine.formats.builders import Memory

FORMATS = sorted(WRITERS)
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


def written(file_format: FileFormat, *batches: pa.RecordBatch, schema: pa.Schema = SCHEMA) -> bytes:
    sink = Memory()
    writer = WRITERS[file_format](sink, schema, WriteOptions())
    for batch in batches:
        writer.write(batch)
    writer.close()
    assert not sink.closed
    return sink.getvalue()


def batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def rows_of(file_format: FileFormat, data: bytes | BinaryIO) -> list[dict[str, Any]]:
    source = io.BytesIO(data) if isinstance(data, bytes) else data
    records = READERS[file_format](source, ReadOptions(), types=None, report=lambda bad: pytest.fail(str(bad)))
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


@pytest.mark.parametrize("file_format", FORMATS)
def test_what_is_written_is_read_again(file_format: FileFormat) -> None:
    data = written(file_format, batch(ROWS))

    assert comparable(rows_of(file_format, data)) == ROWS


@pytest.mark.parametrize("file_format", FORMATS)
def test_how_rows_are_gathered_in_batches_changes_nothing(file_format: FileFormat) -> None:
    whole = written(file_format, batch(ROWS))
    single = written(file_format, *(batch([row]) for row in ROWS))
    sliced = written(file_format, batch(ROWS[:1] + ROWS).slice(1), batch([]))

    assert whole == single == sliced


@pytest.mark.parametrize("file_format", FORMATS)
def test_no_rows_are_a_whole_file(file_format: FileFormat) -> None:
    data = written(file_format)

    assert rows_of(file_format, data) == []


@pytest.mark.parametrize("file_format", FORMATS)
def test_no_columns_are_a_whole_file(file_format: FileFormat) -> None:
    data = written(file_format, schema=pa.schema([]))

    assert rows_of(file_format, data) == []


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("good_reads", [0, 1, 2])
def test_an_error_of_the_source_stays_what_it_is(file_format: FileFormat, good_reads: int) -> None:
    data = written(file_format, batch(ROWS))

    with pytest.raises(ConnectionResetError):
        rows_of(file_format, Faulty(data, good_reads))


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("data", [b"\xff\xfe\xfd\xfc" * 8, b'{"a": 1', b"PAR1 and so on", b'a,b\n"1,2'])
def test_what_is_no_such_file_is_refused_as_bad_data(file_format: FileFormat, data: bytes) -> None:
    if file_format is FileFormat.CSV and not data.endswith(b'"1,2'):
        pytest.skip("almost any text is a CSV file")

    with pytest.raises(DataError):
        rows_of(file_format, data)
