"""Avro: every type there and back, files of another library, unions, codecs, and damage at its byte."""

from __future__ import annotations

import datetime as dt
import io
import json
from decimal import Decimal
from typing import Any

import fastavro
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.engine.explain.any_file import explain_file
from millrace.engine.formats.avro.container import SYNC_BYTES, AvroFile, AvroSink
from millrace.engine.formats.registry import FORMATS
from millrace.engine.formats.varints import as_zigzag
from millrace.engine.options import (
    TARGET_FORMATS,
    FileFormat,
    OutputCompression,
    ReadOptions,
    WriteOptions,
    output_compressions,
)
from millrace.errors import DataError, MalformedFile, TooBig, TruncatedFile, UnsupportedType
from tests.unit.engine.formats.builders import Memory, conversion

AVRO = FORMATS[FileFormat.AVRO]
US = dt.timedelta(microseconds=1)


def read_table(data: bytes) -> pa.Table:
    records = AVRO.read(io.BytesIO(data), ReadOptions(), report=lambda bad: pytest.fail(str(bad)))
    return pa.Table.from_batches(list(records.batches), records.schema)


def write_table(table: pa.Table, **options: Any) -> bytes:
    sink = Memory()
    writer = AVRO.write(sink, table.schema, WriteOptions(**options))
    for batch in table.to_batches():
        writer.write(batch)
    assert writer.close() == table.num_rows
    return sink.getvalue()


def foreign(schema: Any, rows: list[Any], **options: Any) -> bytes:
    """A file that fastavro writes."""
    file = io.BytesIO()
    fastavro.writer(file, schema, rows, **options)
    return file.getvalue()


def rows_of_fastavro(data: bytes) -> list[dict[str, Any]]:
    """What fastavro reads."""
    rows: list[Any] = list(fastavro.reader(io.BytesIO(data)))
    return rows


def record(**fields: Any) -> dict[str, Any]:
    return {
        "type": "record",
        "name": "row",
        "fields": [{"name": name, "type": kind} for name, kind in fields.items()],
    }


def column_of(kind: Any, values: list[Any]) -> pa.ChunkedArray:
    return read_table(foreign(record(a=kind), [{"a": value} for value in values])).column("a")


THERE_AND_BACK: dict[str, pa.Array] = {
    "boolean": pa.array([True, None, False]),
    "int8": pa.array([-128, 127, None], pa.int8()),
    "int32": pa.array([-(2**31), 2**31 - 1, None], pa.int32()),
    "uint32": pa.array([0, 2**32 - 1], pa.uint32()),
    "int64": pa.array([-(2**63), 2**63 - 1, 0, -1, 63, 64, -64, -65, None]),
    "uint64": pa.array([0, 2**64 - 1, None], pa.uint64()),
    "float": pa.array([1.5, -0.0, float("inf"), None], pa.float32()),
    "half": pa.array([1.5, None], pa.float16()),
    "double": pa.array([1e300, 5e-324, -0.0, None]),
    "text": pa.array(["", "é\n\0", None]),
    "large text": pa.array(["x" * 70_000, None], pa.large_string()),
    "bytes": pa.array([b"", b"\xff\0", None]),
    "fixed": pa.array([b"abc", None], pa.binary(3)),
    "decimal": pa.array([Decimal("12.50"), Decimal("-0.01"), None], pa.decimal128(38, 2)),
    "long decimal": pa.array([Decimal("9" * 76), Decimal("-" + "9" * 76), None], pa.decimal256(76, 0)),
    "date": pa.array([dt.date(1, 1, 1), dt.date(1969, 12, 31), dt.date(9999, 12, 31), None]),
    "seconds": pa.array([-1, 0, None], pa.timestamp("s")),
    "millis": pa.array([-1, 2**40, None], pa.timestamp("ms", tz="UTC")),
    "micros": pa.array([-(2**62), 2**62], pa.timestamp("us")),
    "nanos": pa.array([-1, 2**63 - 1, -(2**63), None], pa.timestamp("ns", tz="UTC")),
    "time": pa.array([0, 86_399_999, None], pa.time32("ms")),
    "time us": pa.array([1, None], pa.time64("us")),
    "list": pa.array([[1, None], [], None, [2]]),
    "fixed list": pa.array([[1, 2], None], pa.list_(pa.int32(), 2)),
    "struct": pa.array([{"a": 1, "b": [{"c": "x"}]}, None, {"a": None, "b": None}]),
    "map": pa.array([[("a", 1), ("b", None)], [], None], pa.map_(pa.string(), pa.int64())),
    "map of numbers": pa.array([[(1, "a")], None], pa.map_(pa.int32(), pa.string())),
    "dictionary": pa.array(["a", "b", "a", None]).dictionary_encode(),
    "null": pa.array([None, None], pa.null()),
}


@pytest.mark.parametrize("codec", output_compressions(FileFormat.AVRO))
@pytest.mark.parametrize("name", THERE_AND_BACK)
def test_every_type_comes_back_with_its_values(name: str, codec: OutputCompression) -> None:
    column = THERE_AND_BACK[name]
    table = pa.table({"a": column})

    back = read_table(write_table(table, compression=codec)).column("a")

    if isinstance(column, pa.DictionaryArray):
        column = column.dictionary_decode()
    if name == "map of numbers":
        column = column.cast(pa.list_(pa.struct([("key", pa.int32()), ("value", pa.string())])))
    assert back.combine_chunks().equals(column.cast(back.type))
    assert back.type.id == column.type.id or name in {
        "int8", "uint32", "uint64", "half", "large text", "fixed", "decimal", "seconds", "fixed list"
    }  # fmt: skip


@pytest.mark.parametrize("name", [name for name in THERE_AND_BACK if name not in {"nanos", "micros"}])
def test_another_library_reads_the_same(name: str) -> None:
    """Without logical types, whose Python values cannot hold all of ours."""
    column = THERE_AND_BACK[name]

    rows = rows_of_fastavro(write_table(pa.table({"a": column})))

    assert len(rows) == len(column)
    assert [row["a"] is None for row in rows] == column.is_null().to_pylist()


def test_durations_are_their_text() -> None:
    table = pa.table({"a": pa.array([1500], pa.duration("ms"))})

    assert read_table(write_table(table)).column("a").to_pylist() == ["PT1.500S"]


def test_parts_of_a_microsecond_in_a_time_are_refused() -> None:
    """Avro has no time of nanoseconds."""
    with pytest.raises(UnsupportedType, match="'a'"):
        write_table(pa.table({"a": pa.array([1], pa.time64("ns"))}))

    back = read_table(write_table(pa.table({"a": pa.array([1000], pa.time64("ns"))})))
    assert back.column("a").cast(pa.int64()).to_pylist() == [1]


@pytest.mark.parametrize("kind", [pa.month_day_nano_interval(), pa.decimal128(5, -2)])
def test_what_avro_cannot_hold_is_refused(kind: pa.DataType) -> None:
    with pytest.raises(UnsupportedType, match=r"Avro|text form"):
        write_table(pa.table({"a": pa.nulls(1, kind)}))


def test_odd_and_double_names_come_back() -> None:
    names = ["", "1st", "a b", "a_b", "é", "a b", "ok"]
    table = pa.Table.from_arrays([pa.array([number]) for number in range(len(names))], names)

    data = write_table(table)

    assert read_table(data).schema.names == names
    assert len(rows_of_fastavro(data)[0]) == len(names)


def test_nested_types_of_one_name_are_two_types() -> None:
    inner = pa.struct([("a", pa.struct([("a", pa.int64())]))])
    table = pa.table({"a": pa.array([{"a": {"a": 1}}], inner), "row": pa.array([{"a": {"a": 2}}], inner)})

    data = write_table(table)

    assert read_table(data).to_pylist() == rows_of_fastavro(data) == table.to_pylist()


@pytest.mark.slow
def test_the_same_rows_are_the_same_file_with_their_lineage() -> None:
    table = pa.table({"a": list(range(100_000))})

    data = write_table(table, lineage={"millrace.source": "s3://b/k"})

    assert data == write_table(pa.concat_tables([table[:7], table[7:]]), lineage={"millrace.source": "s3://b/k"})
    assert AvroFile(io.BytesIO(data)).metadata["millrace.source"] == b"s3://b/k"
    assert data.count(data[-SYNC_BYTES:]) > 1


class TestForeignFiles:
    @pytest.mark.slow
    @pytest.mark.parametrize("codec", ["null", "deflate", "snappy", "zstandard", "bzip2", "xz"])
    def test_every_codec_is_read(self, codec: str) -> None:
        try:
            data = foreign(record(a="string"), [{"a": "x" * 100}] * 1000, codec=codec, sync_interval=1000)
        except ValueError as error:
            pytest.skip(f"fastavro lacks a library: {error}")

        assert read_table(data).column("a").to_pylist() == ["x" * 100] * 1000

    @pytest.mark.parametrize(
        ("kind", "values", "expected"),
        [
            ({"type": "int", "logicalType": "date"}, [dt.date(1900, 1, 1)], pa.date32()),
            ({"type": "int", "logicalType": "time-millis"}, [dt.time(1, 2, 3)], pa.time32("ms")),
            ({"type": "long", "logicalType": "time-micros"}, [dt.time(1, 2, 3, 4)], pa.time64("us")),
            (
                {"type": "long", "logicalType": "timestamp-millis"},
                [dt.datetime(1969, 1, 1, tzinfo=dt.UTC)],
                pa.timestamp("ms", tz="UTC"),
            ),
            (
                {"type": "long", "logicalType": "local-timestamp-micros"},
                [dt.datetime(2026, 1, 1)],  # noqa: DTZ001 - a time without a zone is what is tried
                pa.timestamp("us"),
            ),
            (
                {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2},
                [Decimal("-123.45")],
                pa.decimal128(10, 2),
            ),
            (
                {"type": "fixed", "name": "f", "size": 9, "logicalType": "decimal", "precision": 20, "scale": 4},
                [Decimal("1.0001")],
                pa.decimal128(20, 4),
            ),
            ({"type": "enum", "name": "e", "symbols": ["A", "B"]}, ["B", "A"], pa.string()),
            ({"type": "fixed", "name": "f", "size": 2}, [b"\xff\x00"], pa.binary(2)),
            ({"type": "array", "items": ["null", "int"]}, [[1, None], []], pa.list_(pa.int32())),
            ({"type": "map", "values": "long"}, [{"a": 1}, {}], None),
            (["null", "string"], [None, ""], pa.string()),
            (["string", "null"], ["x", None], pa.string()),
        ],
    )
    def test_types_are_those_of_the_schema(self, kind: Any, values: list[Any], expected: pa.DataType | None) -> None:
        column = column_of(kind, values)

        if expected is None:
            assert [dict(entries) for entries in column.to_pylist()] == values
            return
        assert column.type == expected
        assert column.to_pylist() == values

    def test_a_union_of_types_has_a_field_for_each(self) -> None:
        column = column_of(["null", "int", "string", {"type": "array", "items": "long"}], [1, "a", None, [2]])

        assert column.to_pylist() == [
            {"int": 1, "string": None, "array": None},
            {"int": None, "string": "a", "array": None},
            None,
            {"int": None, "string": None, "array": [2]},
        ]

    def test_a_type_may_be_used_again_by_its_name(self) -> None:
        address = {"type": "record", "name": "x.Address", "fields": [{"name": "zip", "type": "string"}]}
        schema = record(home=address, work=["null", "x.Address"])

        rows = [{"home": {"zip": "1"}, "work": None}, {"home": {"zip": "2"}, "work": {"zip": "3"}}]
        assert read_table(foreign(schema, rows)).to_pylist() == rows

    def test_a_type_that_holds_itself_is_refused(self) -> None:
        schema = record(next=["null", "row"])

        with pytest.raises(UnsupportedType, match=r"the schema.next.*'row' holds itself"):
            read_table(foreign(schema, [{"next": None}]))

    def test_a_file_of_no_records_has_one_column(self) -> None:
        assert read_table(foreign("long", [1, 2])).to_pylist() == [{"value": 1}, {"value": 2}]

    def test_uuids_and_durations(self) -> None:
        text = "12345678-1234-5678-1234-567812345678"
        schema = {"type": "fixed", "name": "u", "size": 16, "logicalType": "uuid"}
        file = _file(record(a=schema), 1, bytes.fromhex(text.replace("-", "")))
        assert read_table(file).to_pylist() == [{"a": text}]

        schema = {"type": "fixed", "name": "d", "size": 12, "logicalType": "duration"}
        file = _file(record(a=schema), 1, b"\1\0\0\0\2\0\0\0\xff\xff\xff\xff")
        assert read_table(file).to_pylist() == [{"a": {"months": 1, "days": 2, "milliseconds": 2**32 - 1}}]

    def test_blocks_of_lists_may_say_their_bytes(self) -> None:
        """A negative count is followed by a size: -1 item, 1 byte, the item, and the end."""
        file = _file(record(a={"type": "array", "items": "int"}), 1, b"\x01\x02\x0e\x00")

        assert read_table(file).to_pylist() == [{"a": [7]}]


def _file(schema: Any, rows: int, data: bytes, codec: str = "null") -> bytes:
    sink = Memory()
    AvroSink(sink, schema, codec, {}).write(rows, data)
    return sink.getvalue()


LONG = record(a="long")


class TestDamage:
    @pytest.mark.slow
    def test_every_cut_is_refused_except_behind_a_block(self) -> None:
        data = write_table(pa.table({"a": ["x" * 100] * 50}), compression=OutputCompression.NONE)
        empty = write_table(pa.table({"a": pa.array([], pa.string())}), compression=OutputCompression.NONE)

        for end in range(len(data)):
            if end == len(empty):
                continue
            with pytest.raises(TruncatedFile, match=f"stops after {end:,} bytes"):
                read_table(data[:end])

    def test_another_sync_marker_is_refused(self) -> None:
        data = _file(LONG, 1, b"\x02")

        with pytest.raises(MalformedFile, match=r"block 1, which begins at byte \d+ does not end with"):
            read_table(data[:-1] + bytes([data[-1] ^ 1]))

    @pytest.mark.parametrize(
        ("rows", "data", "says"),
        [
            (1, b"", "cannot hold them"),
            (1, b"\x02\x02", "1 bytes more than its 1 rows"),
            (1, b"\x80", "does not end where the block does"),
            (1, b"\xff" * 10 + b"\x01", "more than ten bytes"),
            (1, b"\xff" * 9 + b"\x7f", "damaged"),
            (-1, b"\x02", "says it has -1 rows"),
        ],
    )
    def test_numbers_that_do_not_fit_their_block(self, rows: int, data: bytes, says: str) -> None:
        with pytest.raises(MalformedFile, match=says):
            read_table(_file(LONG, rows, data))

    @pytest.mark.parametrize(
        ("kind", "data", "says"),
        [
            ("int", as_zigzag(2**31), "damaged"),
            ("boolean", b"\x02", "a boolean is 2"),
            ("string", b"\x04\xff\xff", "damaged"),
            ("string", b"\x01", "does not end where"),
            ("bytes", b"\x7e", "does not end where"),
            (["null", "int"], b"\x04", "a union of 2 types has the number 2"),
            ({"type": "enum", "name": "e", "symbols": ["A"]}, b"\x02", "an enum of 1 symbols has the number 1"),
            ({"type": "array", "items": "int"}, b"\x7e", "does not end where"),
            ({"type": "bytes", "logicalType": "decimal", "precision": 2}, b"\x04\x7f\xff", "damaged"),
        ],
    )
    def test_values_that_are_none_of_their_type(self, kind: Any, data: bytes, says: str) -> None:
        with pytest.raises(MalformedFile, match=says):
            read_table(_file(record(a=kind), 1, data))

    def test_a_list_of_nothing_is_bounded(self) -> None:
        data = as_zigzag(2**40) + b"\x00"

        with pytest.raises(TooBig, match=r"row 1: a row has more than 2,000,000 values"):
            read_table(_file(record(a={"type": "array", "items": "null"}), 1, data))

    def test_rows_of_nothing_are_bounded(self) -> None:
        with pytest.raises(TooBig, match="looks like a bomb"):
            read_table(_file(record(a="null"), 2**40, b""))

    @pytest.mark.slow
    @pytest.mark.parametrize("codec", ["deflate", "zstandard", "snappy"])
    def test_a_block_that_unpacks_to_much_is_refused(self, codec: str) -> None:
        with pytest.raises(TooBig, match="67,108,864 are the most of one block"):
            read_table(_file(record(a="bytes"), 1, bytes(70 * 2**20), codec))

    @pytest.mark.parametrize("codec", ["deflate", "zstandard", "snappy"])
    def test_a_block_that_does_not_unpack_is_refused(self, codec: str) -> None:
        data = _file(LONG, 1, b"\x02", codec)

        with pytest.raises((MalformedFile, TooBig), match="block 1"):
            read_table(data[: -SYNC_BYTES - 3] + b"abc" + data[-SYNC_BYTES:])

    def test_an_unknown_codec_is_named(self) -> None:
        data = _file(LONG, 1, b"\x02").replace(b"\x08null", b"\x08lzo2")

        with pytest.raises(UnsupportedType, match="packed by 'lzo2'"):
            read_table(data)

    @pytest.mark.parametrize(
        "schema",
        [
            "text", {"type": "record"}, record(a="Nowhere"), {"a": 1}, 7, ["null", ["int"]],
            {"type": "record", "name": "r", "fields": [{"name": "a"}]}, {"type": "enum", "name": "e", "symbols": 3},
            {"type": "fixed", "name": "f", "size": -1}, {"type": "array"}, {"type": "record", "name": 1},
        ],
    )  # fmt: skip
    def test_what_is_no_schema_is_refused(self, schema: Any) -> None:
        with pytest.raises(MalformedFile, match="schema"):
            read_table(_file(schema, 0, b""))

    @pytest.mark.slow
    def test_a_schema_that_unfolds_without_end_is_refused(self) -> None:
        """Each type has the one before twice: 2 to the power of 40 columns in 4 kB."""
        kind: Any = "int"
        for number in range(40):
            first = {"type": "record", "name": f"r{number}", "fields": [
                {"name": "a", "type": kind}, {"name": "b", "type": f"r{number - 1}" if number else "int"}]}  # fmt: skip
            kind = first

        with pytest.raises(TooBig, match="columns"):
            read_table(_file(kind, 0, b""))

    def test_a_deep_schema_is_refused(self) -> None:
        schema: Any = "int"
        for _ in range(200):
            schema = {"type": "array", "items": schema}

        with pytest.raises(MalformedFile, match="nested more than 128 deep"):
            read_table(_file(record(a=schema), 0, b""))

    def test_a_schema_that_is_no_json_is_refused(self) -> None:
        data = _file(LONG, 1, b"\x02").replace(b'{"type"', b'["type"')

        with pytest.raises(MalformedFile, match="no JSON"):
            read_table(data)


@pytest.mark.parametrize("target", TARGET_FORMATS)
def test_it_becomes_every_format_and_counts_add_up(target: FileFormat) -> None:
    data = write_table(pa.table({"a": [1, None], "b": ["x", ""]}))

    rows = conversion(data, "avro", target).rows

    assert (rows.read, rows.written) == (2, 2)


@pytest.mark.slow
def test_many_rows_come_in_batches_of_bounded_size() -> None:
    names = [f"c{number}" for number in range(300)]
    table = pa.Table.from_arrays([pa.nulls(5000, pa.int64())] * 300, names)
    records = AVRO.read(io.BytesIO(write_table(table)), ReadOptions(), report=pytest.fail)  # type: ignore[arg-type] # never called

    sizes = [batch.num_rows for batch in records.batches]

    assert sum(sizes) == 5000
    assert max(sizes) <= 2**20 // 300


def test_explain_says_codec_types_and_values() -> None:
    content = explain_file(
        io.BytesIO(write_table(pa.table({"a": [1, None], "b": [{"c": "x"}, None]}))), FileFormat.AVRO, ReadOptions()
    ).content

    assert content.error is None
    assert [(fact.name, fact.value) for fact in content.facts] == [("codec", "deflate")]
    assert [(column.name, column.missing, column.limits) for column in content.columns] == [
        ("a", 1, ("1", "1")), ("b", 1, None), ("b.c", None, None),
    ]  # fmt: skip


def test_explain_says_where_a_file_is_damaged() -> None:
    data = write_table(pa.table({"a": [1]}))

    content = explain_file(io.BytesIO(data[:-1]), FileFormat.AVRO, ReadOptions()).content

    assert isinstance(content.error, TruncatedFile)


@given(st.binary(max_size=60), st.sampled_from(["long", "string", ["null", "int"], {"type": "array", "items": "long"}]))
def test_any_bytes_are_rows_or_refused(data: bytes, kind: Any) -> None:
    try:
        table = read_table(_file(record(a=kind), 3, data))
    except DataError:
        return
    assert table.num_rows == 3


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_number_comes_back(number: int) -> None:
    assert read_table(_file(LONG, 1, as_zigzag(number))).to_pylist() == [{"a": number}]


def test_json_text_stays_text() -> None:
    """A column of mixed JSON is text in Avro, too."""
    done = conversion(b'{"a": 1}\n{"a": "x"}\n', "json", "avro")

    rows = read_table(done.parts[0].sink.getvalue()).column("a").to_pylist()

    assert [json.loads(row) for row in rows] == [1, "x"]
