"""Row groups that were written apart are joined into the file that one writer would have written."""

import io
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.engine.formats.parquet import writer as parquet_writer
from millrace.engine.formats.parquet.footers import (
    MAGIC,
    Footer,
    UnjoinableFooter,
    file_end,
    join_footers,
    read_footer,
    split_file,
)
from millrace.engine.options import WriteOptions

OPTIONS = {"version": "2.6", "write_page_checksum": True, "store_schema": True, "store_decimal_as_integer": True}

KINDS = [
    pa.int8(),
    pa.uint64(),
    pa.float64(),
    pa.string(),
    pa.binary(),
    pa.bool_(),
    pa.date32(),
    pa.timestamp("us", "UTC"),
    pa.decimal128(38, 6),
    pa.list_(pa.int32()),
    pa.struct([("x", pa.int16()), ("y", pa.list_(pa.string()))]),
    pa.map_(pa.string(), pa.float32()),
]
VALUES = {
    pa.int8(): 7,
    pa.uint64(): 2**63,
    pa.float64(): -0.5,
    pa.string(): "ünïcode",
    pa.binary(): b"\0\xff",
    pa.bool_(): True,
    pa.date32(): 20_000,
    pa.timestamp("us", "UTC"): 1_700_000_000_000_000,
    pa.decimal128(38, 6): "12.500000",
}


def written(table: pa.Table, rows: int, **options: object) -> bytes:
    file = io.BytesIO()
    with pq.ParquetWriter(file, table.schema, **{**OPTIONS, **options}) as writer:
        if table.num_rows:
            writer.write_table(table, row_group_size=rows)
    return file.getvalue()


def joined(table: pa.Table, rows: int, **options: object) -> bytes:
    pieces, footers, moves, size = [MAGIC], list[Footer](), list[int](), 0
    for start in range(0, table.num_rows, rows):
        group, footer = split_file(memoryview(written(table.slice(start, rows), rows, **options)))
        pieces.append(bytes(group))
        footers.append(read_footer(bytes(footer)))
        moves.append(size)
        size += len(group)
    return b"".join(pieces) + file_end(join_footers(footers, moves))


def column(kind: pa.DataType, rows: int, missing: int) -> pa.Array:
    """A column of one kind with every ``missing``-th value null."""
    if kind in VALUES:
        read_as = pa.string() if pa.types.is_decimal(kind) else kind
        values = pa.array([VALUES[kind]] * rows, read_as).cast(kind)
    elif pa.types.is_map(kind):
        values = pa.array([[("k", 1.5)]] * rows, kind)
    elif pa.types.is_list(kind):
        values = pa.array([[1, None, 3]] * rows, kind)
    else:
        values = pa.array([{"x": 1, "y": ["a", None]}] * rows, kind)
    kept = pa.array([number % missing != 0 for number in range(rows)])
    return pa.compute.if_else(kept, values, pa.scalar(None, kind))


@given(
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=20),
    rows=st.integers(1, 60),
    group=st.integers(1, 60),
    missing=st.integers(1, 5),
    codec=st.sampled_from(["snappy", "zstd", "none"]),
    named=st.booleans(),
)
def test_joined_groups_are_the_bytes_of_one_writer(
    kinds: list[pa.DataType], rows: int, group: int, missing: int, codec: str, *, named: bool
) -> None:
    arrays = [column(kind, rows, missing) for kind in kinds]
    table = pa.table(arrays, [f"c{number}" for number in range(len(arrays))])
    if named:
        table = table.replace_schema_metadata({"millrace.rows": "of a test"})
    assert joined(table, group, compression=codec) == written(table, group, compression=codec)


@pytest.mark.slow
def test_many_groups_and_columns_are_read_by_every_reader() -> None:
    rows = 4_000
    table = pa.table({f"c{number}": pa.array(range(number, rows + number)) for number in range(20)})
    data = joined(table, 100)
    assert pq.read_table(io.BytesIO(data)).equals(table)
    assert pl.read_parquet(io.BytesIO(data)).to_arrow().equals(table)


def test_duckdb_reads_what_was_joined(tmp_path: Path) -> None:
    table = pa.table({"a": ["x", None, "z"] * 50, "b": [[1, 2], [], None] * 50})
    file = tmp_path / "joined.parquet"
    file.write_bytes(joined(table, 7))
    read = duckdb.read_parquet(str(file)).to_arrow_table()
    assert read.cast(table.schema).equals(table)


def test_ordinals_count_from_the_first_group() -> None:
    data = joined(pa.table({"a": range(90)}), 3)
    groups = pq.read_metadata(io.BytesIO(data))
    assert groups.num_row_groups == 30
    assert [groups.row_group(number).num_rows for number in range(30)] == [3] * 30


def test_files_of_other_columns_are_not_joined() -> None:
    first = split_file(memoryview(written(pa.table({"a": [1]}), 1)))[1]
    second = split_file(memoryview(written(pa.table({"b": [1]}), 1)))[1]
    with pytest.raises(UnjoinableFooter, match="differ"):
        join_footers([read_footer(bytes(first)), read_footer(bytes(second))], [0, 100])


def test_page_indexes_are_refused() -> None:
    data = memoryview(written(pa.table({"a": [1]}), 1, write_page_index=True))
    with pytest.raises(UnjoinableFooter, match="page indexes"):
        read_footer(bytes(split_file(data)[1]))


@pytest.mark.parametrize("rows", [0, 1, 999, 1_000, 5_500])
def test_a_file_has_the_same_bytes_on_any_number_of_processors(rows: int) -> None:
    table = pa.table({"a": range(rows), "b": [f"text {number % 97}" for number in range(rows)]})
    outputs = list[bytes]()
    for processors in (1, 2, 5):
        sink = io.BytesIO()
        writer = parquet_writer.write(sink, table.schema, WriteOptions(group_rows=1_000, processors=processors))
        for batch in table.to_batches(max_chunksize=300):
            writer.write(batch)
        assert writer.close() == rows
        outputs.append(sink.getvalue())
    assert outputs[0] == outputs[1] == outputs[2]
    read = pq.ParquetFile(io.BytesIO(outputs[0]))
    assert read.metadata.num_row_groups == -(-rows // 1_000)
    assert read.read().equals(table)
