"""Values that do not fit their column are found one by one, and lost nowhere."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine.formats.text import rendering
from millrace.engine.tables import rescue
from millrace.engine.types import inference
from millrace.engine.types.printing import form_of, with_form
from tests.properties import examples

TEXTS = [
    *("0", "-0", "7", "007", "-12", "+1", " 5", "9223372036854775807", "9223372036854775808", "1_000", "0x1F"),
    *("1.5", "-0.25", "1.0", "1.50", "10.10", "1e400", "1e+20", "1e5", ".5", "5.", "NaN", "0.1", "123456789.123456789"),
    *(
        "true",
        "True",
        "2026-02-28",
        "2026-02-30",
        "2026-01-01T00:00:00Z",
        "2026-01-01T25:00:00Z",
        "2026-01-01 00:00:00",
    ),
    *("", "x", 'say "hi"', "ü", "null", "\n"),
]
FIELDS = [
    pa.field("x", pa.int64()),
    pa.field("x", pa.bool_()),
    pa.field("x", pa.date32()),
    pa.field("x", pa.float64()),
    with_form(pa.field("x", pa.float64()), "bare"),
    pa.field("x", pa.decimal128(18, 2)),
    pa.field("x", pa.decimal128(38, 0)),
    with_form(pa.field("x", pa.timestamp("s", tz="UTC")), "T0Z"),
]


@pytest.mark.parametrize("into", FIELDS, ids=str)
def test_a_value_is_kept_where_it_is_printed_back_and_rescued_where_not(into: pa.Field) -> None:
    texts = pa.array([*TEXTS, None])

    values, rest = rescue.divide(texts, pa.field("x", pa.string()), into, as_text=True)

    assert rest is not None
    printed = rendering.cells(values, into).to_pylist()
    for text, kept, spared in zip(TEXTS, printed, rest.to_pylist(), strict=False):
        fits = inference.fit(pa.array([text]), inference.Kind(into.type, form_of(into))) is not None
        assert (kept, spared) == ((text, None) if fits else (None, json.dumps(text, ensure_ascii=False)))
    assert (printed[-1], rest[-1].as_py()) == (None, None)


@settings(max_examples=examples(40), deadline=None)
@given(
    st.lists(st.none() | st.sampled_from(TEXTS), min_size=1, max_size=6),
    st.lists(st.none() | st.sampled_from(TEXTS), min_size=6, max_size=6),
)
def test_rows_get_an_object_of_what_does_not_fit(one: list[str | None], other: list[str | None]) -> None:
    arrays = {'a "b"': pa.array(one, pa.string()), "c": pa.array(other[: len(one)], pa.string())}
    rest = {name: rescue.all_of(array, pa.field(name, pa.string())) for name, array in arrays.items()}

    found = rescue.column(rest, len(one)).to_pylist()

    wanted = [
        {name: text for name, text in zip(arrays, row, strict=True) if text is not None}
        for row in zip(one, other, strict=False)
    ]
    assert [json.loads(text) if text else {} for text in found] == wanted


@pytest.mark.parametrize(
    ("into", "kept"),
    [
        (pa.field("x", pa.int64()), [1, None, None, None]),
        (pa.field("x", pa.string()), [None, "1", None, None]),
        (pa.field("x", pa.list_(pa.int64())), [None, None, None, None]),
        (pa.field("x", pa.timestamp("us")), [None, None, None, None]),
    ],
    ids=str,
)
def test_json_tells_numbers_from_texts(into: pa.Field, kept: list[object]) -> None:
    mixed, field = pa.array(["1", '"1"', "[1]", None]), with_form(pa.field("x", pa.string()), "json")

    values, rest = rescue.divide(mixed, field, into, as_text=False)

    assert rest is not None
    assert (values.type, values.to_pylist()) == (into.type, kept)
    assert pc.and_(values.is_valid(), rest.is_valid()).to_pylist() == [False] * 4
    assert pc.or_(values.is_valid(), rest.is_valid()).to_pylist() == [True, True, True, False]
