"""Little JSON text may be many missing values: rows are divided by what they fill; one of too many is refused."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pytest

from millrace.engine.formats import limits
from millrace.engine.formats.base import Widened
from millrace.engine.formats.json import fast, plans, reader
from millrace.engine.formats.json import types as json_types
from millrace.engine.formats.json.cells import MOST_CELLS, CellCounter
from millrace.engine.options import BadRows, ReadOptions, WorkSizes
from millrace.errors import TooBig

WIDE = "{" + ",".join(f'"f{number}":1' for number in range(1000)) + "}"
SHAPES = [
    ('{"a":%s}', "a[]"),
    ('{"b":1,"s":{"a":%s}}', "s.a[]"),
    ('{"a":[%s]}', "a[][]"),
    ('{"a":[null,{"deep":%s}]}', "a[].deep[]"),
]
FINDERS = [
    pytest.param(plans.plan, id="fastest"),
    pytest.param(fast.plan, id="Arrow"),
    pytest.param(lambda _: None, id="exact"),
]


def batches_of(text: str, find_plan: reader.FindPlan, options: ReadOptions | None = None) -> list[pa.RecordBatch]:
    """A file's rows, as they are read."""
    records = reader.read(
        io.BytesIO(text.encode()), options or ReadOptions(), report=lambda _: None, find_plan=find_plan
    )
    return list(records.batches)


def items(missing: str, count: int) -> str:
    """A list of so many missing items."""
    return "[" + ",".join([missing] * count) + "]"


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.parametrize("find_plan", FINDERS)
@pytest.mark.parametrize(("shape", "path"), SHAPES)
def test_rows_of_missing_objects_are_divided(shape: str, path: str, find_plan: reader.FindPlan) -> None:
    """Four and a half million cells, of which a batch may have 4,194,304."""
    rows = [shape % f"[{WIDE}]", *[shape % items("null", 900)] * 5]

    batches = batches_of("\n".join(rows), find_plan)

    assert sum(batch.num_rows for batch in batches) == len(rows)
    assert len(batches) > 1
    for batch in batches:
        names = {name: batch.column(name).to_pylist() for name in batch.schema.names}
        assert CellCounter.of(batch.schema)._find_crowded(names, batch.num_rows) is None, path


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.parametrize("find_plan", FINDERS)
@pytest.mark.parametrize("missing", ["null", " null"])
@pytest.mark.parametrize(("shape", "path"), SHAPES)
def test_one_row_of_too_many_is_refused_with_its_place(
    shape: str, path: str, missing: str, find_plan: reader.FindPlan
) -> None:
    good = "\n".join([shape % f"[{WIDE}]"] * 5) + '\n{"z":"\u00e9"}\n'
    text = good + shape % items(missing, MOST_CELLS // 1000 + 1)

    with pytest.raises(TooBig, match="divide the list among several rows") as caught:
        batches_of(text, find_plan)

    assert caught.value.row == 7
    assert caught.value.byte == len(good.encode())
    assert caught.value.column == path
    assert f"{MOST_CELLS:,}" in str(caught.value)


def test_bad_rows_that_are_put_aside_are_counted() -> None:
    text = f'{{"a":[{WIDE}]}}\nnothing\n{{"a":{items("null", 5000)}}}'

    with pytest.raises(TooBig, match=r"row 3 at byte .* 5,000 items in a\[\] of 1,000 fields"):
        batches_of(text, plans.plan, ReadOptions(bad_rows=BadRows.QUARANTINE))


SPARSE = "\n".join("{" + ",".join(f'"k{row}_{key}":"a"' for key in range(100)) + "}" for row in range(20))
"""2,000 columns, of which each row has 100 that no other has."""
FEW = '\n{"k0_0":"a"}' * 8400
"""Rows of one value; with those above they are 16.8 million cells."""


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.parametrize("find_plan", FINDERS)
def test_rows_that_would_be_nearly_empty_columns_are_refused(find_plan: reader.FindPlan) -> None:
    with pytest.raises(TooBig, match="8,420 objects have 2,000 different names together, each but a few of them"):
        batches_of(SPARSE + FEW, find_plan)


@pytest.mark.slow
@pytest.mark.kernel
def test_all_rows_of_a_file_say_whether_its_columns_are_nearly_empty() -> None:
    """Rows at its beginning that are nearly empty say nothing where others behind them are not."""
    filled = '\n{"k0_0":"' + "a" * 200_000 + '"}'
    text = io.BytesIO((SPARSE + FEW + filled).encode())
    options = ReadOptions(work=WorkSizes(block=2**14, json_sample=20_000))

    with pytest.raises(Widened) as widened:
        list(reader.read(text, options, report=lambda _: None).batches)
    text.seek(0)
    records = reader.read(text, options, learned=widened.value.learned, report=lambda _: None)

    assert len(records.schema) == 2000
    assert next(records.batches).num_rows > 0


def test_columns_are_nearly_empty_by_their_cells_and_their_text() -> None:
    most = limits.MANY_CELLS // 1000

    assert limits.are_nearly_empty(most + 1, 1000, 1000)
    assert not limits.are_nearly_empty(most, 1000, 1000)
    assert not limits.are_nearly_empty(most + 1, 1000, (most + 1) * 1000 // limits.MAX_CELLS_A_BYTE + 1)


def test_items_without_fields_are_as_many_as_their_text_says() -> None:
    schema = pa.schema([("a", pa.list_(pa.int64())), ("s", pa.struct([("b", pa.list_(pa.list_(pa.string())))]))])

    assert CellCounter.of(schema).ways == ()


def test_missing_values_of_objects_are_no_missing_items() -> None:
    node = json_types.Node()
    row = json.loads(f'{{"x":null,"a":[{WIDE}]}}')
    node.observe_columns(json_types.columns_of([row]), 0)
    plan = fast.plan(node)

    assert plan is not None
    assert plan._is_sparse(b'{"a":[null, null,\nnull]}\n' * 2000)
    assert not plan._is_sparse(b'{"x": null,"y":null}\n' * 2000)
