"""Parquet files in parts: runs of row groups give the rows, the types and the errors of the whole file."""

from __future__ import annotations

import io
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine.options import FileFormat, ParquetBinary, ReadOptions, WriteOptions
from millrace.engine.recipe import Recipe
from tests.properties import examples
from tests.unit.engine.parts.dividing import assert_same, convert_divided, convert_whole, cut_file

TARGETS = (FileFormat.CSV, FileFormat.JSON, FileFormat.JSON_DOC, FileFormat.PARQUET)


def written(table: pa.Table, group_rows: int, **options: object) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=group_rows, **options)
    return file.getvalue()


def recipe_of(target: FileFormat, read: ReadOptions | None = None) -> Recipe:
    return Recipe(
        source_format=FileFormat.PARQUET, target_format=target, read=read or ReadOptions(), write=WriteOptions()
    )


def check(data: bytes, part_bytes: int, target: FileFormat, read: ReadOptions | None = None) -> None:
    recipe = recipe_of(target, read)
    whole, divided = convert_whole(data, recipe), convert_divided(data, recipe, part_bytes)
    assert_same(divided, whole, target)


TABLE = pa.table(
    {
        "id": pa.array(range(60)),
        "text": pa.array([None if number % 7 == 0 else f"text {number}" for number in range(60)]),
        "list": pa.array([[number] * (number % 3) for number in range(60)]),
        "text again": pa.array(["same"] * 60).dictionary_encode(),
    }
)


@pytest.mark.slow
@pytest.mark.kernel
@settings(max_examples=examples(40))
@given(st.integers(0, 60), st.integers(1, 25), st.integers(1, 5000), st.sampled_from(TARGETS))
def test_any_number_of_row_groups_and_parts(rows: int, group_rows: int, part_bytes: int, target: FileFormat) -> None:
    check(written(TABLE.slice(0, rows), group_rows), part_bytes, target)


def test_parts_are_runs_of_row_groups_of_about_the_size() -> None:
    data = written(TABLE, 10, compression="none")
    metadata = pq.read_metadata(io.BytesIO(data))
    size = max(metadata.row_group(number).total_byte_size for number in range(6))
    frame, parts = cut_file(data, FileFormat.PARQUET, ReadOptions(), 3 * size)
    assert not frame.needs_scan
    assert [(part.row, part.is_last) for part in parts] == [(1, False), (31, True)]
    assert len(cut_file(data, FileFormat.PARQUET, ReadOptions(), 1)[1]) == 6
    assert (parts[0].start, parts[0].end, parts[1].end) == (0, parts[1].start, len(data))


class TestInt96:
    NEVER = datetime(9999, 12, 31)  # noqa: DTZ001 - int96 has no zone
    TODAY = datetime(2026, 1, 1, 12)  # noqa: DTZ001 - int96 has no zone

    def data(self, *times: pa.Array) -> bytes:
        file = io.BytesIO()
        schema = pa.schema([("at", times[0].type)])
        with pq.ParquetWriter(file, schema, use_deprecated_int96_timestamps=True) as writer:
            for column in times:
                writer.write_table(pa.table([column], schema))
        return file.getvalue()

    @pytest.mark.slow
    @pytest.mark.kernel
    def test_one_row_group_with_years_far_away_decides_for_all(self) -> None:
        times = [[self.TODAY] * 3, [self.NEVER], [self.TODAY, None]]
        data = self.data(*(pa.array(values, pa.timestamp("us")) for values in times))
        frame, parts = cut_file(data, FileFormat.PARQUET, ReadOptions(), 1)
        assert frame.needs_scan
        assert len(parts) == 3
        for target in TARGETS:
            check(data, 1, target)

    def test_nanoseconds_alone(self) -> None:
        data = self.data(*(pa.array([number], pa.timestamp("ns")) for number in (1, 2**60 + 1)))
        for target in TARGETS:
            check(data, 1, target)


def test_a_value_that_is_no_text_is_named_by_its_row_in_the_file() -> None:
    values = [b"a"] * 25 + [b"\xff"] + [b"b"] * 4
    data = written(pa.table({"x": pa.array(values, pa.binary())}), 10)
    read = ReadOptions(parquet_binary=ParquetBinary.TEXT)
    for target in (FileFormat.JSON, FileFormat.PARQUET):
        check(data, 1, target, read)
    error = convert_divided(data, recipe_of(FileFormat.JSON, read), 1).error
    assert error is not None
    assert error[2] == 26


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_damaged_page_is_refused_in_its_row_group(place: float) -> None:
    data = bytearray(written(TABLE, 10, compression="none", write_page_checksum=True))
    data[int(place * (len(data) - 3000)) + 4] ^= 0xFF
    recipe = recipe_of(FileFormat.JSON)
    whole, divided = convert_whole(bytes(data), recipe), convert_divided(bytes(data), recipe, 1)
    assert whole.error is not None
    assert divided.error is not None
    assert divided.error[0] is whole.error[0]
    assert divided.error[2] == whole.error[2]


def test_what_is_no_parquet_is_refused_by_the_plan() -> None:
    for data in (b"", b"PAR1", b"a,b\n1,2\n", written(TABLE, 10)[:-4]):
        check(data, 10, FileFormat.JSON)
