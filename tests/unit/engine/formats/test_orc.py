"""ORC: types there and back, what it has no type for, bounded reading, and damage."""

from __future__ import annotations

import datetime as dt
import io
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import orc

from millrace.engine.explain.any_file import explain_file
from millrace.engine.formats.orc.tail import read_tail
from millrace.engine.formats.registry import FORMATS
from millrace.engine.options import (
    TARGET_FORMATS,
    Compression,
    FileFormat,
    OutputCompression,
    ReadOptions,
    WorkSizes,
    WriteOptions,
    output_compressions,
)
from millrace.errors import DataError, MalformedFile, TruncatedFile, UnsupportedType
from tests.unit.engine.formats.builders import Memory, conversion

ORC = FORMATS[FileFormat.ORC]


def read_table(data: bytes, **options: Any) -> pa.Table:
    records = ORC.read(io.BytesIO(data), ReadOptions(**options), report=lambda bad: pytest.fail(str(bad)))
    return pa.Table.from_batches(list(records.batches), records.schema)


def write_table(table: pa.Table, **options: Any) -> bytes:
    sink = Memory()
    writer = ORC.write(sink, table.schema, WriteOptions(**options))
    for batch in table.to_batches():
        writer.write(batch)
    assert writer.close() == table.num_rows
    return sink.getvalue()


THERE_AND_BACK: dict[str, pa.Array] = {
    "boolean": pa.array([True, None, False]),
    "int8": pa.array([-128, 127, None], pa.int8()),
    "uint8": pa.array([255, None], pa.uint8()),
    "int64": pa.array([-(2**63), 2**63 - 1, None]),
    "uint64": pa.array([0, 2**64 - 1, None], pa.uint64()),
    "half": pa.array([1.5, None], pa.float16()),
    "double": pa.array([1e300, 5e-324, None]),
    "text": pa.array(["", "é\n\0", None]),
    "large text": pa.array(["x" * 70_000, None], pa.large_string()),
    "bytes": pa.array([b"", b"\xff\0", None]),
    "fixed": pa.array([b"abc", None], pa.binary(3)),
    "decimal": pa.array([Decimal("12.50"), Decimal("-0.01"), None], pa.decimal128(38, 2)),
    "date": pa.array([dt.date(1, 1, 1), dt.date(1969, 12, 31), dt.date(9999, 12, 31), None]),
    "seconds": pa.array([-1, 0, None], pa.timestamp("s")),
    "micros": pa.array([-1, -1_000_001, None], pa.timestamp("us", tz="UTC")),
    "nanos": pa.array([-1, -999_999_999, 2**62, None], pa.timestamp("ns", tz="UTC")),
    "list": pa.array([[1, None], [], None, [2]]),
    "fixed list": pa.array([[1, 2], None], pa.list_(pa.int32(), 2)),
    "struct": pa.array([{"a": 1, "b": [{"c": "x"}]}, None, {"a": None, "b": None}]),
    "map": pa.array([[("a", 1), ("b", None)], [], None], pa.map_(pa.string(), pa.int64())),
    "dictionary": pa.array(["a", "b", "a", None]).dictionary_encode(),
    "null": pa.array([None, None], pa.null()),
}


@pytest.mark.slow
@pytest.mark.parametrize("codec", output_compressions(FileFormat.ORC))
@pytest.mark.parametrize("name", THERE_AND_BACK)
def test_every_type_comes_back_with_its_values(name: str, codec: OutputCompression) -> None:
    column = THERE_AND_BACK[name]

    back = read_table(write_table(pa.table({"a": column}), compression=codec)).column("a").combine_chunks()

    if isinstance(column, pa.DictionaryArray):
        column = column.dictionary_decode()
    assert back.equals(column.cast(back.type))


def test_times_and_durations_are_their_text() -> None:
    table = pa.table({"a": pa.array([1500], pa.duration("ms")), "b": pa.array([1], pa.time32("ms"))})

    assert read_table(write_table(table)).to_pylist() == [{"a": "PT1.500S", "b": "00:00:00.001"}]


@pytest.mark.parametrize(
    "kind", [pa.month_day_nano_interval(), pa.decimal256(40, 0), pa.decimal128(5, -2), pa.list_(pa.decimal256(50, 1))]
)
def test_what_orc_cannot_hold_is_refused(kind: pa.DataType) -> None:
    with pytest.raises(UnsupportedType, match="ORC"):
        write_table(pa.table({"a": pa.nulls(1, kind)}))


def test_odd_names_come_back() -> None:
    names = ["1st", "a b", "a.b", "é", "`", "ok"]
    table = pa.Table.from_arrays([pa.array([number]) for number in range(len(names))], names)

    assert read_table(write_table(table)).schema.names == names


def test_two_columns_of_one_name_are_refused() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"])
    file = io.BytesIO()
    orc.write_table(table, file)

    with pytest.raises(UnsupportedType, match="two columns of one name"):
        read_table(file.getvalue())


def test_a_year_beyond_nanoseconds_is_refused_with_its_row() -> None:
    far = pa.array([0, 253402300799], pa.timestamp("s"))

    with pytest.raises(UnsupportedType, match="after 2262") as refused:
        read_table(write_table(pa.table({"a": far})))

    assert refused.value.row == 1


@pytest.mark.parametrize("target", TARGET_FORMATS)
def test_it_becomes_every_format_and_counts_add_up(target: FileFormat) -> None:
    data = write_table(pa.table({"a": [1, None], "b": ["x", ""]}))

    rows = conversion(data, "orc", target).rows

    assert (rows.read, rows.written) == (2, 2)


def test_the_same_rows_are_the_same_file() -> None:
    table = pa.table({"a": list(range(50_000)), "b": [f"text {number % 70}" for number in range(50_000)]})

    assert write_table(table) == write_table(pa.concat_tables([table[:7], table[7:40_001], table[40_001:]]))


def test_batches_are_bounded_by_the_bytes_of_their_values() -> None:
    """2,000 texts of 10 kB are 20 MB in memory, and a few kB in the file."""
    data = write_table(pa.table({"a": ["x" * 10_000] * 2_000}))
    options = ReadOptions(work=WorkSizes(expanded=2**20))

    sizes = [batch.num_rows for batch in ORC.read(io.BytesIO(data), options, report=print).batches]

    assert sum(sizes) == 2_000
    assert max(sizes) <= 105


def test_every_cut_is_refused() -> None:
    data = write_table(pa.table({"a": list(range(1000))}))

    for end in [*range(0, len(data), 97), len(data) - 1]:
        with pytest.raises((TruncatedFile, MalformedFile)):
            read_table(data[:end])


def test_damage_is_refused_with_its_place() -> None:
    """ORC has no checksums: what is noticed is that the bytes do not unpack."""
    data = bytearray(write_table(pa.table({"a": [f"text {number}" for number in range(1000)]})))
    data[200:2200] = b"\xff" * 2000

    with pytest.raises(MalformedFile, match="damaged in or behind row 1"):
        read_table(bytes(data))


def test_a_compressed_file_around_it_is_refused() -> None:
    with pytest.raises(MalformedFile, match="ORC compresses inside"):
        read_table(b"", compression=Compression.GZIP)


def test_explain_says_who_wrote_it_and_what_is_in_it() -> None:
    data = write_table(pa.table({"a": [1, None], "b": [{"c": "x"}, None]}))

    content = explain_file(io.BytesIO(data), FileFormat.ORC, ReadOptions()).content

    assert content.error is None
    assert [fact.name for fact in content.facts] == ["written by", "stripes"]
    assert [(column.name, column.missing) for column in content.columns] == [("a", 1), ("b", 1), ("b.c", None)]


@pytest.mark.parametrize("data", [b"", b"ORC", b"x" * 100, b"ORC" + b"\0" * 100])
def test_explain_says_what_is_wrong(data: bytes) -> None:
    assert isinstance(explain_file(io.BytesIO(data), FileFormat.ORC, ReadOptions()).content.error, DataError)


@pytest.mark.parametrize("message", [b"\x80", b"\x0f\x01", b"\x12\x7f"])
def test_a_tail_that_is_damaged_is_an_error_or_says_nothing(message: bytes) -> None:
    try:
        assert read_tail(message).expanded == 0
    except (ValueError, IndexError):
        return
