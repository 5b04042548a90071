"""Batches of a Parquet file stay small, however many bytes its dictionaries stand for."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from millrace.engine.formats.parquet import reader as parquet_reader
from millrace.engine.options import ReadOptions, WorkSizes

ROWS = 1200
LONG = "x" * 3000
LIMIT = 60_000


def batches(file: io.BytesIO, work: WorkSizes = WorkSizes(expanded=LIMIT)) -> list[pa.RecordBatch]:  # noqa: B008 - it is frozen
    records = parquet_reader.read(file, ReadOptions(work=work), report=lambda bad: pytest.fail(str(bad)))
    found = list(records.batches)
    assert all(batch.schema.equals(records.schema) for batch in found)
    return found


def written(array: pa.Array, **options: Any) -> io.BytesIO:
    file = io.BytesIO()
    pq.write_table(pa.table({"value": array}), file, **options)
    file.seek(0)
    return file


TEXTS = pa.array([LONG, "short", None] * (ROWS // 3))
SHAPES = {
    "text": TEXTS,
    "large text": TEXTS.cast(pa.large_string()),
    "binary": TEXTS.cast(pa.binary()),
    "dictionary": TEXTS.dictionary_encode(),
    "list": pa.array([[LONG], [], None] * (ROWS // 3)),
    "struct": pa.array([{"a": LONG, "b": 1}, {"a": None, "b": 2}, None] * (ROWS // 3)),
    "list of structs": pa.array([[{"a": LONG, "b": 1}], [{"a": None, "b": 2}], None] * (ROWS // 3)),
    "map value": pa.array([[("a", LONG)], [], None] * (ROWS // 3), pa.map_(pa.string(), pa.string())),
    "map key": pa.array([[(LONG, 1)], [], None] * (ROWS // 3), pa.map_(pa.string(), pa.int64())),
    "json": pa.ExtensionArray.from_storage(pa.json_(), pa.array([f'"{LONG}"', "1", None] * (ROWS // 3))),
    "text view": TEXTS.cast(pa.string_view()),
}


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.parametrize("array", SHAPES.values(), ids=SHAPES)
def test_a_long_value_that_many_rows_share_is_given_in_small_batches(array: pa.Array) -> None:
    file = written(array)

    found = batches(file)

    assert max(batch.num_rows for batch in found) * len(LONG) <= 3 * 1.1 * LIMIT
    assert pa.Table.from_batches(found) == pq.read_table(file)


def test_short_values_are_given_in_large_batches() -> None:
    file = written(pa.array([f"value {row % 10}" for row in range(5000)]))

    assert [batch.num_rows for batch in batches(file)] == [5000]


def test_values_beyond_the_dictionary_are_read_plainly() -> None:
    """A column whose dictionary grew too large goes on without; the longest value of it still bounds the rows."""
    array = pa.array([LONG] * 100 + [f"{row:030}" for row in range(4000)])
    file = written(array, dictionary_pagesize_limit=4000)

    found = batches(file)

    assert max(batch.nbytes for batch in found) < 4 * LIMIT
    assert pa.Table.from_batches(found) == pq.read_table(file)


@pytest.mark.slow
@pytest.mark.kernel
def test_a_small_row_group_is_read_in_one_go() -> None:
    class Counted(io.BytesIO):
        reads = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.reads += 1
            return super().read(size)

    file = io.BytesIO()
    pq.write_table(pa.table({f"c{place}": range(10_000) for place in range(30)}), file, row_group_size=5000)
    counted = Counted(file.getvalue())

    found = batches(counted)

    assert sum(batch.num_rows for batch in found) == 10_000
    assert counted.reads < 10


def test_a_large_row_group_is_read_piece_by_piece() -> None:
    file = written(pa.array(range(20_000)), row_group_size=10_000)
    work = WorkSizes(expanded=LIMIT, row_group=1000)

    assert pa.Table.from_batches(batches(file, work)) == pq.read_table(file)
