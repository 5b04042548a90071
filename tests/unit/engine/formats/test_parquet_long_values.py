"""Values of many megabytes in Parquet: kept, and not copied for statistics that no file holds."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from millrace.engine.formats.parquet import writer as parquet_writer
from millrace.engine.formats.parquet.long_values import LARGE_BATCH, spare_memory
from millrace.engine.options import WriteOptions
from tests.unit.engine.formats.builders import Memory

LONG = "x" * (LARGE_BATCH + 1)


def written(table: pa.Table) -> bytes:
    sink = Memory()
    writer = parquet_writer.write(sink, table.schema, WriteOptions())
    for batch in table.to_batches():
        writer.write(batch)
    writer.close()
    return sink.getvalue()


def columns(data: bytes) -> dict[str, pq.ColumnChunkMetaData]:
    group = pq.read_metadata(io.BytesIO(data)).row_group(0)
    chunks = map(group.column, range(group.num_columns))
    return {chunk.path_in_schema: chunk for chunk in chunks}


def test_a_long_value_has_no_statistics_and_those_beside_it_have() -> None:
    table = pa.table({"long": [LONG, "y"], "short": ["a", "b"], "number": [1, 2], "nested": [[1], [2]]})

    data = written(table)

    assert pq.read_table(io.BytesIO(data)) == table
    has_statistics = {name: chunk.is_stats_set for name, chunk in columns(data).items()}
    assert has_statistics == {"long": False, "short": True, "number": True, "nested.list.element": False}


def test_a_single_long_value_needs_no_dictionary_and_one_that_repeats_keeps_it() -> None:
    single = columns(written(pa.table({"long": [LONG]})))["long"]
    repeated = columns(written(pa.table({"long": [LONG] * 4})))["long"]

    assert not single.has_dictionary_page
    assert repeated.has_dictionary_page
    assert repeated.total_uncompressed_size < 2 * len(LONG)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary(), pa.binary_view()])
def test_long_values_are_seen_in_every_layout(kind: pa.DataType) -> None:
    assert spare_memory(pa.table({"a": pa.array([LONG], kind)})) == {"write_statistics": [], "use_dictionary": False}


def test_rows_without_long_values_are_written_as_ever() -> None:
    assert spare_memory(pa.table({"a": ["x"] * 3, "b": [1, 2, None], "c": pa.nulls(3, pa.string())})) == {}
