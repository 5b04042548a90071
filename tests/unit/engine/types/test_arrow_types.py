"""One module asks Arrow about types: its questions cover every layout, and nobody else asks."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

import millrace.engine
from millrace.engine.types import arrow_types

NUMBER = pa.int8()
LISTS = [pa.list_(NUMBER), pa.large_list(NUMBER), pa.list_(NUMBER, 2), pa.list_view(NUMBER), pa.large_list_view(NUMBER)]
TEXTS = [pa.string(), pa.large_string(), pa.string_view()]
BINARIES = [pa.binary(), pa.large_binary(), pa.binary(16), pa.binary_view()]
NUMBERS = [pa.int64(), pa.uint8(), pa.float16(), pa.float64(), pa.decimal128(5, 2), pa.decimal256(50, 0)]
STRUCT = pa.struct([("a", NUMBER)])
MAP = pa.map_(pa.string(), NUMBER)
UNION = pa.sparse_union([pa.field("a", NUMBER)])
OTHERS = [pa.null(), pa.bool_(), pa.date32(), pa.time32("s"), pa.timestamp("us", "UTC"), pa.duration("s"), pa.uuid()]
ENCODED = [pa.dictionary(pa.int8(), pa.string()), pa.run_end_encoded(pa.int32(), pa.string())]
ALL = [*LISTS, *TEXTS, *BINARIES, *NUMBERS, STRUCT, MAP, UNION, *OTHERS, *ENCODED]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (arrow_types.is_any_list, LISTS),
        (arrow_types.is_any_text, TEXTS),
        (arrow_types.is_any_binary, BINARIES),
        (arrow_types.is_number, NUMBERS),
        (arrow_types.is_encoded, ENCODED),
        (arrow_types.is_extension, [pa.uuid()]),
        (arrow_types.holds_values, [*LISTS, STRUCT, MAP, UNION]),
    ],
)
def test_a_question_covers_all_layouts_and_no_other_type(
    question: arrow_types.TypeQuestion, expected: list[pa.DataType]
) -> None:
    assert [kind for kind in ALL if question(kind)] == expected


def test_an_extension_holds_what_it_stands_for() -> None:
    assert not arrow_types.holds_values(pa.uuid())
    assert arrow_types.holds_values(pa.fixed_shape_tensor(NUMBER, [2]))


def test_nobody_else_asks_arrow() -> None:
    sources = Path(millrace.engine.__path__[0]).rglob("*.py")
    asking = [path.name for path in sources if "pa.types" in path.read_text()]

    assert asking == ["arrow_types.py"]
