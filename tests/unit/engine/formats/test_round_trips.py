"""Whatever the values, they survive every pair of formats; types and blocks notwithstanding."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.errors import UnsupportedType
from tests.properties import examples
from tests.unit.engine.formats.builders import BLANK, Cell, cells, converted, parquet, small_work, table

TARGETS = ("csv", "json", "json-doc", "parquet", "avro", "orc")
quickly = settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.too_slow])

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
numbers = st.from_regex(r"-?(0|[1-9][0-9]{0,22})(\.[0-9]{1,8})?(e-?[0-9]{1,3})?", fullmatch=True)
dates = st.dates().map(str) | st.datetimes().map(lambda at: at.isoformat(timespec="milliseconds") + "Z")
kinds = st.sampled_from([texts, numbers, dates, st.integers().map(str), st.sampled_from(["true", "false"])])
columns = kinds.flatmap(lambda kind: st.lists(st.none() | kind, min_size=4, max_size=4))


def quoted(cell: Cell) -> str:
    if cell is None:
        return ""
    return '"' + cell.replace('"', '""') + '"' if not cell or set(cell) & set('",\r\n') else cell


@pytest.mark.slow
@pytest.mark.kernel
@quickly
@given(st.lists(columns, min_size=1, max_size=3), st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from([5, 2**20]))
def test_csv_survives_every_format(values: list[list[Cell]], ending: str, size: int) -> None:
    rows = [list(row) for row in zip(*values, strict=True)]
    lines = [",".join(f"h{place}" for place in range(len(values))), *(",".join(map(quoted, row)) for row in rows)]
    data = "".join(line + ending for line in lines).encode()

    for target in TARGETS:
        there = converted(data, "csv", target, delimiter=",", work=small_work(size))
        back = there if target == "csv" else to_csv(there, target, size)
        if back is None:
            continue
        found = [[None] if row == BLANK else row for row in cells(back.decode())[1:]]
        assert found == rows


def to_csv(data: bytes, source: str, size: int) -> bytes | None:
    """A file as CSV, or None where its times are refused: Arrow reads those of ORC in nanoseconds, 1677 to 2262."""
    try:
        return converted(data, source, "csv", work=small_work(size))
    except UnsupportedType as refusal:
        if source != "orc" or "nanoseconds cannot hold" not in str(refusal):
            raise
        return None


values = st.recursive(
    st.none() | st.booleans() | texts | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def without_missing(value: object) -> object:
    """A JSON value without fields that are null: missing ones become null."""
    match value:
        case dict():
            return {name: without_missing(inner) for name, inner in value.items() if inner is not None}
        case list():
            return [without_missing(inner) for inner in value]
        case float():
            return Decimal(repr(value))
    return value


@pytest.mark.slow
@quickly
@given(
    st.lists(st.dictionaries(st.sampled_from(["a", "b", "é"]), values, min_size=1), max_size=5),
    st.booleans(),
    st.sampled_from([3, 2**20]),
)
def test_json_survives_every_format(rows: list[dict[str, Any]], as_array: bool, size: int) -> None:  # noqa: FBT001 # drawn
    data = (json.dumps(rows) if as_array else "\n".join(map(json.dumps, rows))).encode()

    work = small_work(size)
    for target in TARGETS[1:]:
        there = converted(data, "json", target, work=work)
        back = there if target == "json" else converted(there, target, "json", work=work)
        found = [json.loads(line) for line in back.decode().splitlines()]
        assert str(without_missing(found)) == str(without_missing(in_order(rows, found)))


def in_order(rows: list[Any], like: list[Any]) -> list[Any]:
    """Rows with their fields in the order of other rows: it means nothing in JSON."""
    return [ordered(row, other) for row, other in zip(rows, like, strict=True)]


def ordered(value: Any, like: Any) -> Any:
    if isinstance(value, dict) and isinstance(like, dict):
        return {name: ordered(value[name], inner) for name, inner in like.items() if name in value}
    if isinstance(value, list) and isinstance(like, list):
        return [ordered(one, other) for one, other in zip(value, like, strict=True)]
    return value


def json_rows(data: bytes, target: str) -> list[Any]:
    """Rows of a JSON file, its floats as decimals."""
    text = data.decode()
    document = text if target == "json-doc" else "[" + ",".join(text.splitlines()) + "]"
    rows: list[Any] = json.loads(document, parse_float=Decimal)
    return rows


types = st.sampled_from(
    [
        (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
        (pa.uint64(), st.integers(0, 2**64 - 1)),
        (pa.float64(), st.floats(allow_nan=False, allow_infinity=False)),
        (pa.string(), texts),
        (pa.bool_(), st.booleans()),
        (pa.decimal128(30, 9), st.decimals(-(10**20), 10**20, places=9)),
        (pa.list_(pa.int32()), st.lists(st.none() | st.integers(-9, 9), max_size=3)),
        (
            pa.struct([("x", pa.string()), ("y", pa.int8())]),
            st.fixed_dictionaries({"x": texts, "y": st.integers(0, 9)}),
        ),
    ]
)
arrays = types.flatmap(
    lambda drawn: st.lists(st.none() | drawn[1], min_size=1, max_size=5).map(lambda items: pa.array(items, drawn[0]))
)


@quickly
@given(arrays)
def test_parquet_survives_every_format(array: pa.Array) -> None:
    data = parquet(value=array)
    expected = table(data)["value"].to_pylist()

    assert table(converted(data, "parquet", "parquet")).equals(table(data))
    for target in ("json", "json-doc"):
        there = converted(data, "parquet", target)
        said_there = [row["value"] for row in json_rows(there, target)]
        assert [without_missing(item) for item in said_there] == [without_missing(item) for item in expected]
        assert json_rows(converted(there, "json", target), target) == json_rows(there, target)
    said = cells(converted(data, "parquet", "csv").decode())[1:]
    assert [row == BLANK for row in said] == [item is None for item in expected]
