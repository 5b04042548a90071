"""What is written as Parquet: small, the same every time, and readable by whatever reads Parquet."""

from __future__ import annotations

import io
import random
from decimal import Decimal
from pathlib import Path

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine.formats.parquet import encoding as parquet_encoding
from millrace.engine.formats.parquet import writer as parquet_writer
from millrace.engine.formats.parquet.encoding import Encodings, choose_encodings
from millrace.engine.options import WriteOptions
from tests.properties import examples
from tests.unit.engine.formats.builders import Memory

ROWS = 6000
CHANCE = random.Random(1)
TABLE = pa.table(
    {
        "number": range(ROWS),
        "code": CHANCE.choices(range(0, 70_000, 10_000), k=ROWS),
        "word": ["red", "green", "blue"] * (ROWS // 3),
        "name": [f"{row * 7919 % 1_000_003:x}-{row}" for row in range(ROWS)],
        "price": pa.array([Decimal(row * 7919 % 1_000_003).scaleb(-2) for row in range(ROWS)], pa.decimal128(12, 2)),
        "ratio": [row * 0.7919 % 1 for row in range(ROWS)],
        "flag": [row % 3 == 0 for row in range(ROWS)],
        "moment": pa.array([1_700_000_000_000 + row * 997 for row in range(ROWS)], pa.timestamp("ms")),
        "nested": [[{"id": row, "kind": "abc"[row % 3]}] if row % 5 else None for row in range(ROWS)],
    }
)


def written(table: pa.Table, batch_rows: int = 1000) -> bytes:
    sink = Memory()
    writer = parquet_writer.write(sink, table.schema, WriteOptions())
    for batch in table.to_batches(batch_rows):
        writer.write(batch)
    assert writer.close() == table.num_rows
    return sink.getvalue()


def encodings(data: bytes) -> dict[str, set[str]]:
    group = pq.read_metadata(io.BytesIO(data)).row_group(0)
    columns = [group.column(place) for place in range(group.num_columns)]
    return {column.path_in_schema: set(column.encodings) for column in columns}


def test_each_leaf_has_the_encoding_that_pays() -> None:
    found = encodings(written(TABLE))

    dictionary = {path for path, names in found.items() if "RLE_DICTIONARY" in names}
    delta = {path for path, names in found.items() if "DELTA_BINARY_PACKED" in names}
    assert dictionary == {"code", "word", "nested.list.element.kind"}
    assert delta == {"number", "price", "moment", "nested.list.element.id"}


def test_the_file_is_smaller_than_with_dictionaries_everywhere() -> None:
    plain = io.BytesIO()
    pq.write_table(TABLE, plain)

    assert len(written(TABLE)) < 0.7 * len(plain.getvalue())


@pytest.mark.slow
def test_duckdb_and_polars_read_the_same_values(tmp_path: Path) -> None:
    path = tmp_path / "file.parquet"
    path.write_bytes(written(TABLE))
    expected = TABLE.drop_columns(["moment"]).to_pylist()

    assert polars.read_parquet(path).drop("moment").to_dicts() == expected
    with duckdb.connect() as database:
        rows = database.sql(f"select * exclude (moment) from '{path}'").fetchall()  # noqa: S608 # a path of ours
    names = TABLE.drop_columns(["moment"]).schema.names
    assert [dict(zip(names, row, strict=True)) for row in rows] == expected


def test_the_same_rows_give_the_same_bytes() -> None:
    assert written(TABLE) == written(TABLE)


def test_few_rows_are_not_looked_at() -> None:
    assert choose_encodings(TABLE.slice(0, 100), {"compression": "snappy"}) == Encodings()


@pytest.mark.slow
def test_large_rows_are_sampled_sparingly() -> None:
    large = pa.table({"text": ["x" * 100_000] * 600})

    assert parquet_encoding._sample(large, large.nbytes).num_rows < 100


def test_columns_of_one_name_are_left_to_the_general_rule() -> None:
    twice = pa.Table.from_arrays([pa.array(range(ROWS)), TABLE["name"].combine_chunks()], names=["a", "a"])

    assert pq.ParquetFile(io.BytesIO(written(twice))).read() == twice


@pytest.mark.parametrize("rows", [0, 1, 511, 512, 5000])
def test_any_number_of_rows_is_kept(rows: int) -> None:
    assert pq.read_table(io.BytesIO(written(TABLE.slice(0, rows)))) == TABLE.slice(0, rows)


@settings(max_examples=examples(15))
@given(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), min_size=1, max_size=40))
def test_any_integers_are_kept(values: list[int | None]) -> None:
    table = pa.table({"value": pa.array(values * (600 // len(values) + 1), pa.int64())})

    assert pq.read_table(io.BytesIO(written(table))) == table


def test_pages_have_checksums() -> None:
    data = bytearray(written(TABLE))
    data[len(data) // 3] ^= 1

    with pytest.raises(OSError, match="CRC"):
        pq.ParquetFile(io.BytesIO(bytes(data)), page_checksum_verification=True).read()
