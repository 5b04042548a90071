"""Rendering whole columns: what a row's text is does not depend on the rows beside it."""

from __future__ import annotations

import datetime
import json
import math
import uuid
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine.formats.text.rows import render_by_arrow
from millrace.engine.formats.text.shapes import RowShape
from millrace.engine.options import FileFormat
from millrace.engine.types.printing import JSON, with_form
from millrace.errors import UnsupportedType
from tests.properties import examples
from tests.unit.engine.formats.builders import render_text

TEXTS = [
    "",
    'say "hi"',
    "a,b",
    "back\\slash",
    "line\nend\r",
    "\x00\x1f\t\b\f",
    "é\u0085\u2028\u2029",
    None,
    "plain",
    " ",
]
MOMENT = datetime.datetime(2026, 2, 28, 23, 59, 59, 123456, datetime.UTC)
DOUBLES = [0.0, -0.0, 1.0, 2.5, math.nan, math.inf, -math.inf, 1e10, 12345678901.5, 1e16, 5e-324, None, 0.1]
STRUCT = pa.struct([("a", pa.int64()), ("b", pa.string()), ("none", pa.struct([]))])
ITEMS = pa.list_(pa.struct([("text", pa.string()), ("numbers", pa.list_(pa.float64()))]))
LISTS = [[1, None, 3], [], None, [4]]

COLUMNS: dict[str, pa.Array] = {
    "text": pa.array(TEXTS, pa.string()),
    "large text": pa.array(TEXTS, pa.large_string()),
    "text view": pa.array(TEXTS, pa.string_view()),
    "text dictionary": pa.array(TEXTS, pa.string()).dictionary_encode(),
    "number dictionary": pa.array([1.5, None, -0.0], pa.float64()).dictionary_encode(),
    "runs": pa.RunEndEncodedArray.from_arrays(pa.array([2, 5], pa.int32()), pa.array(["x", None], pa.string())),
    "integers": pa.array([0, -5, None, 2**63 - 1], pa.int64()),
    "small integers": pa.array([0, 7, None], pa.uint8()),
    "booleans": pa.array([True, None, False], pa.bool_()),
    "bits": pa.ExtensionArray.from_storage(pa.bool8(), pa.array([0, 1, None, 7], pa.int8())),
    "doubles": pa.array(DOUBLES, pa.float64()),
    "usual doubles": pa.array([0.5, 1.0, None, -3.25], pa.float64()),
    "floats": pa.array(DOUBLES, pa.float32()),
    "halves": pa.array([0.5, -0.0, None, math.nan], pa.float16()),
    "decimals": pa.array([Decimal("1.10"), None, Decimal("-0.05")], pa.decimal128(9, 2)),
    "tiny decimals": pa.array([Decimal("0.00000001"), None], pa.decimal128(20, 8)),
    "wide decimals": pa.array([Decimal("-12345678901234567890.5"), None], pa.decimal256(50, 1)),
    "short decimals": pa.array([Decimal("1.5"), None], pa.decimal32(5, 1)),
    "dates": pa.array([datetime.date(2026, 2, 28), None], pa.date32()),
    "days": pa.array([datetime.date(2026, 2, 28), None], pa.date64()),
    "times": pa.array([datetime.time(1, 2, 3), None], pa.time32("s")),
    "timestamps": pa.array([MOMENT, None], pa.timestamp("us")),
    "instants": pa.array(
        [MOMENT, None, datetime.datetime(1, 1, 1, tzinfo=datetime.UTC)], pa.timestamp("us", "Europe/Berlin")
    ),
    "durations": pa.array([datetime.timedelta(days=1, milliseconds=5), None], pa.duration("ms")),
    "binary": pa.array([b"", b"\x00\xff", None], pa.binary()),
    "identifiers": pa.array([uuid.UUID(int=5).bytes, None], pa.uuid()),
    "nothing": pa.nulls(2),
    "lists": pa.array(LISTS, pa.list_(pa.int32())),
    "large lists": pa.array(LISTS, pa.large_list(pa.int32())),
    "list views": pa.array(LISTS, pa.list_view(pa.int32())),
    "pairs": pa.array([[1, 2], None, [None, 3]], pa.list_(pa.int32(), 2)),
    "structs": pa.array([{"a": 1, "b": 'x"', "none": {}}, {"a": None, "b": None, "none": None}, None], STRUCT),
    "items": pa.array([[{"text": "a,b", "numbers": [1.0, math.nan]}, {"text": None, "numbers": []}], [], None], ITEMS),
    "maps": pa.array([[("k", 1), ('"', None)], [], None], pa.map_(pa.string(), pa.int64())),
    "raw": pa.array(['{"a": 1,\n"b":[1.0]}', "no json", None, "12", "NaN", '"\u2028"'], pa.string()),
}
FORMS = {"raw": JSON, "timestamps": " 6", "instants": "T3Z", "usual doubles": "bare"}


def rendered(batch: pa.RecordBatch, file_format: FileFormat) -> bytes:
    text = render_text(batch, file_format)
    assert text.rows == batch.num_rows
    return b"".join(text.pieces)


def column(name: str, rows: list[int]) -> pa.RecordBatch:
    field = with_form(pa.field(name, COLUMNS[name].type), FORMS.get(name, ""))
    values = pa.concat_arrays([COLUMNS[name].slice(place, 1) for place in rows])
    return pa.RecordBatch.from_arrays([values], schema=pa.schema([field]))


@pytest.mark.slow
@pytest.mark.parametrize("file_format", [FileFormat.CSV, FileFormat.JSON])
@pytest.mark.parametrize("name", COLUMNS)
def test_a_rows_text_is_its_own(name: str, file_format: FileFormat) -> None:
    """Rendered with many that repeat, with a few, from the midst of a batch, or alone: the same."""
    count = len(COLUMNS[name])
    many = column(name, [place for place in range(count) for _ in range(600)])

    alone = [rendered(column(name, [place]), file_format) for place in range(count)]

    assert rendered(many, file_format) == b"".join(text * 600 for text in alone)
    assert rendered(many.slice(300, 900), file_format) == (alone[0] * 300 + alone[1] * 600)
    assert rendered(column(name, list(range(count))), file_format) == b"".join(alone)


@pytest.mark.parametrize("name", COLUMNS)
def test_every_line_of_json_is_an_object_of_one_member(name: str) -> None:
    """Valid for a parser that takes neither NaN nor infinities, and on one line for any tool."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    text = rendered(column(name, list(range(len(COLUMNS[name])))), FileFormat.JSON).decode()
    lines = text.splitlines()

    assert len(lines) == len(COLUMNS[name])
    assert all(list(json.loads(line, parse_constant=refuse)) == [name] for line in lines)


@pytest.mark.parametrize(
    "kind", [pa.binary(), pa.large_binary(), pa.binary_view(), pa.dictionary(pa.int8(), pa.binary())]
)
def test_empty_bytes_are_not_missing_in_csv(kind: pa.DataType) -> None:
    batch = pa.record_batch({"a": pa.array([b"", None, b"a"], kind), "b": pa.array([1, 2, 3])})

    text = render_by_arrow(batch, batch.schema, RowShape.CSV_LINES)

    assert b"".join(text.pieces) == b'"",1\n,2\nYQ==,3\n'


def test_what_json_has_no_numbers_for_are_strings() -> None:
    lines = rendered(column("doubles", [4, 5, 6, 11]), FileFormat.JSON)

    assert lines == b'{"doubles":"NaN"}\n{"doubles":"Infinity"}\n{"doubles":"-Infinity"}\n{"doubles":null}\n'


@pytest.mark.slow
@pytest.mark.kernel
@settings(max_examples=examples(50))
@given(rows=st.lists(st.none() | st.lists(st.none() | st.text(max_size=3), max_size=3), max_size=6))
def test_lists_are_what_python_says(rows: list[Any]) -> None:
    batch = pa.RecordBatch.from_arrays([pa.array(rows, pa.list_(pa.string()))], names=["x"])

    assert [json.loads(line)["x"] for line in rendered(batch, FileFormat.JSON).splitlines()] == rows


@pytest.mark.parametrize("rows", [1, 500])
def test_a_key_twice_in_a_map_is_refused(rows: int) -> None:
    """In one map: the next may have it again."""
    kind = pa.map_(pa.string(), pa.int64())
    sound = pa.array([[("a", 1), ("b", 2)], None, [("a", 3)]] * rows, kind)
    twice = pa.concat_arrays([sound, pa.array([[("b", 1), ("c", 2), ("b", 3)]], kind)])

    assert rendered(pa.RecordBatch.from_arrays([sound], names=["m"]), FileFormat.JSON)
    with pytest.raises(UnsupportedType, match="key 'b' twice"):
        rendered(pa.RecordBatch.from_arrays([twice], names=["m"]), FileFormat.JSON)
