"""NaN and infinities on their way to JSON, which has no numbers for them."""

from __future__ import annotations

import io
import json
import math

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.engine.conditions import Condition, FilterFunction, Filters, parse_logic
from millrace.engine.destination import Destination
from millrace.engine.formats.json.non_finite import make_missing
from millrace.engine.one_file import convert
from millrace.engine.options import FileFormat, NonFinite, ReadOptions, WriteOptions
from millrace.engine.recipe import Recipe
from millrace.engine.transform.spec import TableTransform
from millrace.errors import ValueDoesNotFit
from tests.unit.engine.formats.builders import Memory, conversion, converted, parquet

NAN, INFINITY = math.nan, math.inf
NESTED = {
    "d": pa.array([NAN, 1.5, None]),
    "h": pa.array([INFINITY, 1.5, None], pa.float16()),
    "l": pa.array([[1.0, NAN], None, []]),
    "f": pa.array([[1.0, NAN], None, [2.0, 3.0]], pa.list_(pa.float32(), 2)),
    "s": pa.array([{"x": -INFINITY, "y": 1}, None, {"x": 2.0, "y": None}]),
    "m": pa.array([[("k", NAN), ("j", 1.0)], None, []], pa.map_(pa.string(), pa.float64())),
    "e": pa.array([1.0, NAN, 1.0]).dictionary_encode(),
}


def test_they_are_texts_if_nothing_is_said() -> None:
    data = parquet(a=[NAN, INFINITY, -INFINITY, 1.5])

    lines = converted(data, "parquet", "json").splitlines()

    assert [json.loads(line)["a"] for line in lines] == ["NaN", "Infinity", "-Infinity", 1.5]


@pytest.mark.parametrize("target", ["json", "json-doc"])
def test_null_writes_them_as_missing_wherever_they_are(target: str) -> None:
    out = converted(parquet(**NESTED), "parquet", target, write=WriteOptions(json_non_finite=NonFinite.NULL))

    rows = json.loads(out) if target == "json-doc" else [json.loads(line) for line in out.splitlines()]
    assert rows == [
        {"d": None, "h": None, "l": [1.0, None], "f": [1.0, None], "s": {"x": None, "y": 1}}
        | {"m": {"k": None, "j": 1.0}, "e": 1.0},
        {"d": 1.5, "h": 1.5, "l": None, "f": None, "s": None, "m": None, "e": None},
        {"d": None, "h": None, "l": [], "f": [2.0, 3.0], "s": {"x": 2.0, "y": None}, "m": {}, "e": 1.0},
    ]


@pytest.mark.parametrize("column", sorted(NESTED))
def test_error_names_row_and_field(column: str) -> None:
    row = 2 if column == "e" else 1

    with pytest.raises(ValueDoesNotFit, match=f"row {row}: the field '{column}' .*json_non_finite: null") as refused:
        conversion(
            parquet(**{column: NESTED[column]}),
            "parquet",
            "json",
            write=WriteOptions(json_non_finite=NonFinite.ERROR),
        )

    assert (refused.value.row, refused.value.column) == (row, column)


@pytest.mark.parametrize("target", ["csv", "parquet"])
@pytest.mark.parametrize("policy", NonFinite)
def test_other_targets_keep_them(target: str, policy: NonFinite) -> None:
    data = parquet(**{name: NESTED[name] for name in ("d", "s")})

    options = WriteOptions(json_non_finite=policy)
    assert converted(data, "parquet", target, write=options) == converted(data, "parquet", target)


@pytest.mark.parametrize("row", [1, 500, 999, 1000])
def test_the_row_is_that_of_the_source_though_filters_leave_rows_out(row: int) -> None:
    values = [1.5] * 1000
    values[row - 1] = NAN
    kept = pa.array([number % 3 == 0 or number == row - 1 for number in range(1000)])
    recipe = Recipe(
        source_format=FileFormat.PARQUET,
        target_format=FileFormat.JSON,
        read=ReadOptions(),
        write=WriteOptions(json_non_finite=NonFinite.ERROR),
        transform=_only_where_kept(),
    )

    with pytest.raises(ValueDoesNotFit) as refused:
        convert(io.BytesIO(parquet(v=values, kept=kept)), recipe, Destination(Memory, Memory))
    assert refused.value.row == row

    # A row that a filter leaves out is not written, so its NaN is no error.
    without = pa.array([False if number == row - 1 else kept[number].as_py() for number in range(1000)])
    done = convert(io.BytesIO(parquet(v=values, kept=without)), recipe, Destination(Memory, Memory))
    assert done.rows.written == pc.sum(without).as_py()


def _only_where_kept() -> TableTransform:
    kept = Condition(field="kept", function=FilterFunction.TRUE)
    return TableTransform(filters=Filters(conditions=(("A", kept),), logic=parse_logic("A")))


VALUES = st.one_of(st.none(), st.floats(width=64))


@given(
    st.lists(st.one_of(st.none(), st.lists(VALUES, max_size=4)), min_size=1, max_size=12),
    st.integers(0, 6),
    st.integers(1, 6),
)
def test_whatever_a_list_holds_all_else_stays(rows: list[list[float | None] | None], start: int, count: int) -> None:
    array = pa.array(rows, pa.list_(pa.float64())).slice(start, count)
    batch = pa.RecordBatch.from_arrays([array], names=["l"])

    made = make_missing(batch).column(0).to_pylist()

    expected = [None if row is None else list(map(_finite_or_none, row)) for row in rows[start : start + count]]
    assert made == expected


def _finite_or_none(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
