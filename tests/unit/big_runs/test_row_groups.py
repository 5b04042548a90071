"""Row groups of runs whose output is Parquet: larger ones for larger objects, and never more than can be joined."""

from __future__ import annotations

import io
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from millrace.big_runs.documents import ORDER, RunDocuments, RunOrder
from millrace.big_runs.events import Phase
from millrace.big_runs.row_groups import (
    LARGE_BYTES,
    LARGE_GROUP_BYTES,
    count_leaves,
    demand_small_footer,
    group_bytes_of,
)
from millrace.big_runs.run_work import RunWork
from millrace.engine.formats.parquet.writer import write as open_parquet
from millrace.engine.options import WriteOptions
from millrace.errors import TooBig
from millrace.planning.plans import Plan
from tests.configurations import bulk_sync
from tests.unit.big_runs.running import RunWorld
from tests.unit.big_runs.test_equal_outputs import to_csv
from tests.world import SOURCE

TERABYTE = 10**12


def test_larger_objects_have_larger_row_groups() -> None:
    assert group_bytes_of(LARGE_BYTES) == WriteOptions().group_bytes
    assert group_bytes_of(LARGE_BYTES + 1) == LARGE_GROUP_BYTES


@pytest.mark.parametrize("group_bytes", [2**16, 2**18])
def test_row_groups_have_about_the_bytes_that_are_asked_for(group_bytes: int) -> None:
    batch = pa.record_batch({"a": range(1_000)})
    sink = io.BytesIO()
    writer = open_parquet(sink, batch.schema, WriteOptions(group_bytes=group_bytes))
    for _ in range(100):
        writer.write(batch)
    writer.close()

    groups = pq.read_metadata(sink)
    sizes = [8 * groups.row_group(number).num_rows for number in range(groups.num_row_groups)]
    assert all(group_bytes <= size < group_bytes + 8_000 for size in sizes[:-1])


def test_leaves_are_counted_as_parquet_has_them() -> None:
    schema = pa.schema(
        {
            "number": pa.decimal128(5),
            "pairs": pa.map_(pa.string(), pa.int64()),
            "items": pa.list_(pa.struct({"x": pa.int8(), "tags": pa.list_(pa.string())})),
        }
    )
    sink = io.BytesIO()
    pq.write_table(schema.empty_table(), sink)

    assert count_leaves(schema) == pq.read_metadata(sink).num_columns == 5


def test_a_footer_that_nobody_could_put_together_is_refused() -> None:
    write = WriteOptions(group_bytes=LARGE_GROUP_BYTES)

    demand_small_footer(TERABYTE, 10**9, 4_000, 100, write)
    with pytest.raises(TooBig, match="about 158,011 row groups of 100 columns"):
        demand_small_footer(10 * TERABYTE, 10**10, 9_000, 100, write)
    demand_small_footer(10 * TERABYTE, 10**10, 9_000, 10, write)
    # Of narrow tables it is the number of rows that counts.
    with pytest.raises(TooBig, match="about 822,802 row groups of 4 columns"):
        demand_small_footer(TERABYTE, 10**11, 9_000, 4, write)


@pytest.fixture
def begun() -> RunWorld:
    world = RunWorld(syncs=(bulk_sync(to="parquet"),))
    world.one(world.upload(to_csv()))
    return world


def read_order(documents: RunDocuments, size: int) -> RunOrder:
    """The order of the run, which says that the file has another size."""
    return replace(RunOrder.from_document(documents.read(ORDER)), size=size)


def test_it_is_refused_before_anything_is_converted(begun: RunWorld) -> None:
    documents = RunDocuments(begun.store, begun.place(), workers=1)
    documents.replace(ORDER, read_order(documents, 10**16).to_document())

    assert begun.drive() == "failed"

    failure = begun.entry(SOURCE).failure
    assert failure is not None
    assert (failure.error, "Divide the source into smaller objects" in failure.message) == ("TooBig", True)
    assert not [event for event in begun.events if event.phase is Phase.CONVERT]


def test_all_parts_of_a_large_run_write_large_row_groups(begun: RunWorld) -> None:
    documents = RunDocuments(begun.store, begun.place(), workers=1)
    (plan,) = begun.planner.plan(SOURCE)
    assert isinstance(plan, Plan)
    work = RunWork(
        ports=begun.phases.ports,
        order=read_order(documents, LARGE_BYTES + 1),
        plan=plan,
        documents=documents,
        remaining=lambda: 900.0,
    )

    assert work.recipe.write.group_bytes == LARGE_GROUP_BYTES
    assert plan.recipe.write.group_bytes == WriteOptions().group_bytes
