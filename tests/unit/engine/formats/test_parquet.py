"""Parquet: every type kept in Parquet, and said in the text formats by a written rule."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import random
import struct
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from millrace.engine.destination import Destination
from millrace.engine.formats.base import BadRow
from millrace.engine.formats.parquet import reader as parquet_reader
from millrace.engine.one_file import convert
from millrace.engine.options import Compression, FileFormat, ReadOptions, WorkSizes, WriteOptions
from millrace.engine.recipe import Recipe
from millrace.engine.types.printing import FORM, JSON
from millrace.errors import DataError, MalformedFile, TruncatedFile, UnsupportedType
from tests.unit.engine.formats.builders import Memory, converted, parquet, table

TYPES: dict[str, tuple[pa.Array, list[Any]]] = {
    "uint64": (pa.array([2**64 - 1, None], pa.uint64()), [2**64 - 1, None]),
    "int8": (pa.array([-128, None], pa.int8()), [-128, None]),
    "float32": (pa.array([0.1, None], pa.float32()), [0.10000000149011612, None]),
    "float64": (pa.array([1.0, None, float("inf"), float("-inf")]), [1.0, None, "Infinity", "-Infinity"]),
    "not a number": (pa.array([float("nan"), 1e300]), ["NaN", 1e300]),
    "decimal32": (pa.array([Decimal("1.10"), None], pa.decimal32(5, 2)), [Decimal("1.10"), None]),
    "decimal256": (
        pa.array([Decimal("1" * 60 + ".123456789012"), Decimal("-0.000000000001")], pa.decimal256(76, 12)),
        [Decimal("1" * 60 + ".123456789012"), Decimal("-0.000000000001")],
    ),
    "seconds": (pa.array([0, None], pa.timestamp("s")), ["1970-01-01T00:00:00.000", None]),
    "nanoseconds": (
        pa.array([1, -5], pa.timestamp("ns")),
        ["1970-01-01T00:00:00.000000001", "1969-12-31T23:59:59.999999995"],
    ),
    "zone": (pa.array([1], pa.timestamp("us", tz="Europe/Berlin")), ["1970-01-01T00:00:00.000001Z"]),
    "far times": (
        pa.array([-62135596800000000, 253402300799999999], pa.timestamp("us")),
        ["0001-01-01T00:00:00.000000", "9999-12-31T23:59:59.999999"],
    ),
    "date64": (pa.array([dt.date(2024, 2, 29), None], pa.date64()), ["2024-02-29", None]),
    "time32": (pa.array([1, None], pa.time32("ms")), ["00:00:00.001", None]),
    "time64": (pa.array([1], pa.time64("ns")), ["00:00:00.000000001"]),
    "duration": (pa.array([1500, None, -1], pa.duration("ms")), ["PT1.500S", None, "PT-0.001S"]),
    "binary": (pa.array([b"\xff\x00", None, b""]), ["/wA=", None, ""]),
    "fixed binary": (pa.array([b"ab", None], pa.binary(2)), ["YWI=", None]),
    "large text": (pa.array(["x", None, ""], pa.large_string()), ["x", None, ""]),
    "text view": (pa.array(["x", None], pa.string_view()), ["x", None]),
    "dictionary": (pa.array(["x", None, "x"]).dictionary_encode(), ["x", None, "x"]),
    "nulls": (pa.nulls(2), [None, None]),
    "list": (pa.array([[1, None], None, []]), [[1, None], None, []]),
    "nested list": (pa.array([[[1], None], None, [[]]]), [[[1], None], None, [[]]]),
    "fixed list": (pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int64(), 2)), [[1, 2], None, [3, 4]]),
    "struct": (pa.array([{"a": {"b": "x"}}, None, {"a": None}]), [{"a": {"b": "x"}}, None, {"a": None}]),
    "map": (
        pa.array([[("a", 1), ("b", None)], None, []], pa.map_(pa.string(), pa.int64())),
        [{"a": 1, "b": None}, None, {}],
    ),
    "map of numbers": (pa.array([[(1, "a")]], pa.map_(pa.int64(), pa.string())), [{"1": "a"}]),
    "list of maps": (pa.array([[[("a", 1)], None]], pa.list_(pa.map_(pa.string(), pa.int64()))), [[{"a": 1}, None]]),
    "list of times": (pa.array([[dt.date(2024, 1, 1)]]), [["2024-01-01"]]),
    "uuid": (pa.array([bytes(16), None], pa.uuid()), ["00000000-0000-0000-0000-000000000000", None]),
    "json": (pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a":1}', None])), [{"a": 1}, None]),
    "bool8": (pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, None, 0], pa.int8())), [True, None, False]),
}


@pytest.mark.slow
@pytest.mark.parametrize(("array", "said"), TYPES.values(), ids=TYPES)
def test_a_type_is_kept_in_parquet_and_said_in_json(array: pa.Array, said: list[Any]) -> None:
    data = parquet(value=array)

    kept = table(converted(data, "parquet", "parquet"))
    lines = converted(data, "parquet", "json").decode().splitlines()

    assert kept.schema == table(data).schema
    assert str(kept["value"].to_pylist()) == str(table(data)["value"].to_pylist())
    assert [json.loads(line, parse_float=Decimal)["value"] for line in lines] == [
        Decimal(repr(value)) if isinstance(value, float) else value for value in said
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("array", "said"), TYPES.values(), ids=TYPES)
def test_a_slice_of_a_type_is_said_like_the_whole(array: pa.Array, said: list[Any]) -> None:
    whole = converted(parquet(value=array), "parquet", "csv").decode().splitlines()
    sink = Memory()
    schema = table(parquet(value=array)).schema
    writer = parquet_format_to_csv(sink, schema)

    for row in range(len(array)):
        writer.write(
            pa.RecordBatch.from_arrays([array], schema=pa.schema([schema.field(0).with_type(array.type)])).slice(row, 1)
        )

    if array.type == table(parquet(value=array)).schema.field(0).type:  # Parquet has no seconds
        assert sink.getvalue().decode().splitlines() == whole


def parquet_format_to_csv(sink: Memory, schema: pa.Schema) -> Any:
    from millrace.engine.formats.registry import FORMATS  # noqa: PLC0415 # beside what uses it

    return FORMATS[FileFormat.CSV].write(sink, schema, WriteOptions())


def test_names_that_come_twice_are_told_apart_in_text() -> None:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array([3])], names=["a", "a", ""]), file)

    assert converted(file.getvalue(), "parquet", "json") == b'{"a":1,"a_2":2,"":3}\n'
    assert converted(file.getvalue(), "parquet", "csv") == b"a,a_2,column_3\n1,2,3\n"
    assert table(converted(file.getvalue(), "parquet", "parquet")).schema.names == ["a", "a", ""]


def test_text_that_only_says_it_is_json_becomes_a_string() -> None:
    field = pa.field("value", pa.string(), metadata={FORM: JSON})
    file = io.BytesIO()
    pq.write_table(pa.table([pa.array(['{"a":\n1}', "{no", "NaN", None])], schema=pa.schema([field])), file)

    assert converted(file.getvalue(), "parquet", "json").decode().splitlines() == [
        '{"value":{"a": 1}}',
        '{"value":"{no"}',
        '{"value":"NaN"}',
        '{"value":null}',
    ]


def test_a_map_with_a_key_twice_is_impossible_in_json() -> None:
    data = parquet(value=pa.array([[("a", 1), ("a", 2)]], pa.map_(pa.string(), pa.int64())))

    with pytest.raises(UnsupportedType, match="'a' twice"):
        converted(data, "parquet", "json")
    assert table(converted(data, "parquet", "parquet")).to_pylist() == [{"value": [("a", 1), ("a", 2)]}]


def int96(values: list[int], unit: str) -> bytes:
    file = io.BytesIO()
    column = pa.table({"value": pa.array(values, pa.timestamp(unit))})
    pq.write_table(column, file, use_deprecated_int96_timestamps=True, store_schema=False)
    return file.getvalue()


def test_int96_times_keep_their_nanoseconds() -> None:
    assert converted(int96([1], "ns"), "parquet", "csv") == b"value\n1970-01-01T00:00:00.000000001\n"


def test_int96_times_far_away_keep_their_year() -> None:
    data = int96([-62135596800000000, 253402300799999999], "us")

    output = converted(data, "parquet", "csv")

    assert output == b"value\n0001-01-01T00:00:00.000000\n9999-12-31T23:59:59.999999\n"


def move_int96(days: int, nanoseconds: int) -> bytes:
    """A file with an int96 so many days and nanoseconds behind 1970, which no type of Arrow has to hold."""
    file = io.BytesIO()
    column = pa.table({"value": pa.array([1, 10**18], pa.timestamp("ns"))})
    pq.write_table(
        column,
        file,
        use_deprecated_int96_timestamps=True,
        store_schema=False,
        use_dictionary=False,
        compression="none",
        write_statistics=False,
    )
    data, epoch = file.getvalue(), 2_440_588  # the Julian day of 1970-01-01
    stored = struct.pack("<qi", 1, epoch)
    assert stored in data
    return data.replace(stored, struct.pack("<qi", nanoseconds, epoch + days))


@pytest.mark.parametrize(("days", "nanoseconds"), [(-135_140, 123_456_789), (2_932_896, 1), (-719_162, 999)])
def test_int96_times_far_away_lose_no_nanoseconds(days: int, nanoseconds: int) -> None:
    with pytest.raises(UnsupportedType, match="both nanoseconds and years beyond 1677 to 2262"):
        converted(move_int96(days, nanoseconds), "parquet", "csv")

    microseconds = converted(move_int96(days, nanoseconds * 1000), "parquet", "csv").split()[1]
    assert microseconds.endswith(f".{nanoseconds % 10**6:06}".encode())


@pytest.mark.parametrize("days", [2**31 - 1 - 2_440_588, -(2**31), 110_000_000, 213_503_983])
def test_int96_times_that_would_wrap_around_are_refused(days: int) -> None:
    with pytest.raises(UnsupportedType, match="years beyond 290,000"):
        converted(move_int96(days, 0), "parquet", "csv")


@pytest.mark.parametrize("target", ["csv", "json"])
@pytest.mark.parametrize(("unit", "digits"), [("s", ""), ("ms", ".000"), ("us", ".000000"), ("ns", ".000000000")])
class TestTimesOfADay:
    def write(self, unit: str, *halves: int) -> bytes:
        """Times as multiples of half a day, and behind them as many of one count more."""
        count = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit] * 43_200
        kind, stored = (pa.time32, pa.int32()) if unit in {"s", "ms"} else (pa.time64, pa.int64())
        return parquet(a=pa.array([half * count for half in halves], stored).view(kind(unit)))

    def test_a_day_may_end_at_24_hours(self, unit: str, digits: str, target: str) -> None:
        output = converted(self.write(unit, 1, 2, 0), "parquet", target).decode()
        kept = ".000" if unit == "s" else digits  # Parquet has no seconds

        assert [hours + kept in output for hours in ("12:00:00", "24:00:00", "00:00:00")] == [True, True, True]

    @pytest.mark.parametrize("halves", [3, -1])
    def test_what_no_day_has_is_refused(self, unit: str, digits: str, target: str, halves: int) -> None:
        with pytest.raises(UnsupportedType, match="behind midnight is no time of a day"):
            converted(self.write(unit, 1, halves), "parquet", target)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (pa.array([8_640_000_000_000_000], pa.timestamp("ms")), "+275760-09-13T00:00:00.000"),
        (pa.array([1_608_822_900_000_000_000], pa.timestamp("us", tz="UTC")), "+052951-07-27T10:00:00.000000Z"),
        (pa.array([-62_135_596_800_000_001], pa.timestamp("us")), "+000000-12-31T23:59:59.999999"),
        (pa.array([253_402_300_800_000], pa.timestamp("ms")), "+010000-01-01T00:00:00.000"),
        (pa.array([2_932_897], pa.date32()), "+010000-01-01"),
        (pa.array([-719_163], pa.date32()), "+000000-12-31"),
        (pa.array([-1_085_000], pa.date32()), "-001001-05-16"),
    ],
)
def test_years_beyond_four_digits_are_said_rightly(array: pa.Array, said: str) -> None:
    both = pa.concat_arrays(
        [
            array,
            pa.array([0, None], pa.int64())
            .cast(pa.int32() if array.type == pa.date32() else pa.int64())
            .cast(array.type),
        ]
    )

    lines = converted(parquet(value=both), "parquet", "csv").decode().splitlines()

    assert lines[1] == said
    assert lines[2].startswith("1970-01-01")
    assert lines[3] == ""


def test_text_that_is_none_is_refused() -> None:
    bad = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])

    for target in ("csv", "json"):
        with pytest.raises(MalformedFile, match="UTF-8"):
            converted(parquet(value=bad), "parquet", target)


GOOD = parquet(a=list(range(3000)), b=["x", "y", "z"] * 1000)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", MalformedFile),
        (b"a,b\n1,2\n", MalformedFile),
        (b"PAR1", TruncatedFile),
        (GOOD[:-1], TruncatedFile),
        (GOOD[: len(GOOD) // 2], TruncatedFile),
        (GOOD[:100] + b"\xff" * 50 + GOOD[150:], MalformedFile),
        (GOOD[:-60] + bytes(40) + GOOD[-20:], MalformedFile),
        (b"PAR1" + bytes(20) + b"PAR1", MalformedFile),
        (b"PAR1\xff\xff\xff\x7fPAR1", MalformedFile),
        (b"PARE" + GOOD[4:-4] + b"PARE", UnsupportedType),
    ],
)
@pytest.mark.parametrize("target", ["csv", "parquet"])
def test_what_is_no_whole_parquet_file_is_refused(data: bytes, kind: type[DataError], target: str) -> None:
    with pytest.raises(kind):
        converted(data, "parquet", target)


@pytest.mark.slow
def test_damage_is_refused_or_does_no_harm_wherever_it_is() -> None:
    """Arrow ends the process on some of these unless it is asked with care."""
    rows = range(300)
    nested = pa.table({"a": rows, "b": ["x", "long text", None] * 100, "c": [[{"d": str(row)}] for row in rows]})
    file, chance, refused = io.BytesIO(), random.Random(7), 0
    pq.write_table(nested, file, row_group_size=100)
    good = file.getvalue()
    footer = int.from_bytes(good[-8:-4], "little") + 8

    for _ in range(120):
        data = bytearray(good)
        data[-chance.randrange(1, footer if chance.random() < 0.7 else len(data))] = chance.randrange(256)
        try:
            converted(bytes(data), "parquet", "csv")
        except DataError:
            refused += 1

    assert 30 < refused < 120


def test_a_compressed_parquet_file_is_refused() -> None:
    with pytest.raises(MalformedFile, match="compresses inside"):
        converted(GOOD, "parquet", "csv", compression=Compression.GZIP)


def test_row_groups_stay_bounded() -> None:
    recipe = Recipe(
        source_format=FileFormat.PARQUET,
        target_format=FileFormat.PARQUET,
        read=ReadOptions(),
        write=WriteOptions(group_rows=1000),
    )

    done = convert(io.BytesIO(GOOD), recipe, Destination(Memory))

    metadata = pq.ParquetFile(io.BytesIO(done.parts[0].sink.getvalue())).metadata
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [1000] * 3


def test_lineage_is_metadata_and_the_bytes_repeat() -> None:
    recipe = Recipe(
        source_format=FileFormat.PARQUET,
        target_format=FileFormat.PARQUET,
        read=ReadOptions(),
        write=WriteOptions(lineage={"millrace.source": "s3://in/ü", "millrace.rows": "3"}),
    )

    once, again = (convert(io.BytesIO(GOOD), recipe, Destination(Memory)).parts[0].sink.getvalue() for _ in range(2))

    assert once == again
    assert pq.read_metadata(io.BytesIO(once)).metadata[b"millrace.source"] == "s3://in/ü".encode()


def test_a_parquet_file_that_is_packed_is_named() -> None:
    with pytest.raises(MalformedFile, match="as a gz file does; unpack it"):
        converted(gzip.compress(GOOD), "parquet", "csv")


def _expect_no_bad_row(bad: BadRow) -> None:
    raise AssertionError(bad)


def _pack_nested_rows(count: int) -> Memory:
    rows = [{"a": {"b": [number, None], "c": f"{number:0200}"}, "d": [{"e": number}] * 3} for number in range(count)]
    file = Memory()
    pq.write_table(pa.Table.from_pylist(rows), file, use_dictionary=False)
    return file


def _read_nested_rows(file: Memory, processors: int) -> list[pa.RecordBatch]:
    options = ReadOptions(work=WorkSizes(processors=processors))
    return list(parquet_reader.read(file, options, report=_expect_no_bad_row).batches)


def test_nested_rows_are_the_same_whoever_reads_them() -> None:
    """There are several batches, which two threads put together."""
    file = _pack_nested_rows(20_000)

    alone, together = _read_nested_rows(file, 1), _read_nested_rows(file, 2)

    assert len(alone) > 1
    assert together == alone


class _Lost(Memory):
    """A file whose source is gone once its footer was read."""

    is_lost = False

    def read(self, size: int | None = -1, /) -> bytes:
        if self.is_lost and self.tell() < 2**20:
            raise ConnectionError("the source is gone")
        return super().read(size)


def test_a_source_that_fails_in_another_thread_has_its_own_error() -> None:
    file = _Lost()
    file.write(_pack_nested_rows(20_000).getvalue())
    options = ReadOptions(work=WorkSizes(processors=2, row_group=0))
    records = parquet_reader.read(file, options, report=_expect_no_bad_row)
    file.is_lost = True

    with pytest.raises(ConnectionError, match="the source is gone"):
        list(records.batches)
