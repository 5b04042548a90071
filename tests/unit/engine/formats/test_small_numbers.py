"""Small numbers by their place in a table: the place stands for the value to the bit, or there is none."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.engine.formats.text.small_numbers import find_places
from millrace.engine.options import FileFormat
from millrace.engine.types.printing import BARE, with_form
from tests.unit.engine.formats.builders import render_text

ROWS = 400
WHOLE = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]
HUNDREDTHS = [0.0, 0.01, 0.1, 0.29, 1.0, 1.1, 1.15, -0.05, -1.0, None, 2.55]


def _repeated(values: list[Any], kind: pa.DataType) -> pa.Array:
    return pa.array((values * ROWS)[:ROWS], kind)


def _found(array: pa.Array) -> pa.Array:
    found = find_places(array)
    assert found is not None
    return found.numbers.values().take(found.chosen)


@pytest.mark.parametrize("kind", WHOLE, ids=str)
def test_whole_numbers_are_found(kind: pa.DataType) -> None:
    array = _repeated([0, 1, 100, None, 127], kind)
    assert _found(array).equals(array)


@pytest.mark.parametrize("array", [_repeated([-128, 127], pa.int8()), _repeated([-3, 5, None], pa.int64())])
def test_numbers_below_nought_are_found(array: pa.Array) -> None:
    assert _found(array).equals(array)


def test_booleans_are_found() -> None:
    array = _repeated([True, None, False], pa.bool_())
    assert _found(array).equals(array)


def test_hundredths_are_found_to_the_bit() -> None:
    array = _repeated(HUNDREDTHS, pa.float64())
    assert _found(array).view(pa.int64()).equals(array.view(pa.int64()))


@given(st.lists(st.one_of(st.none(), st.integers(-200, 200).map(lambda count: count / 100)), min_size=1))
def test_what_is_found_is_what_there_was(values: list[float | None]) -> None:
    array = _repeated(values, pa.float64())
    found = find_places(array)
    assert found is None or found.numbers.values().take(found.chosen).view(pa.int64()).equals(array.view(pa.int64()))


@pytest.mark.parametrize("stranger", [math.nan, math.inf, -math.inf, -0.0, 0.125, 1e-9, 0.1 + 0.2, 1e300, 2.0**31])
@pytest.mark.parametrize("place", [0, ROWS - 1])
def test_one_double_that_is_no_hundredth_leaves_the_column_alone(stranger: float, place: int) -> None:
    values = [0.5] * ROWS
    values[place] = stranger
    assert find_places(pa.array(values, pa.float64())) is None


@pytest.mark.parametrize(
    "array",
    [
        _repeated([2**14], pa.int64()),
        _repeated([-(2**63)], pa.int64()),
        _repeated([2**64 - 1], pa.uint64()),
        _repeated([None], pa.int64()),
        _repeated([None], pa.float64()),
        _repeated(["1"], pa.string()),
        _repeated([0.5], pa.float32()),
        pa.array([1, 2, 3], pa.int64()),
    ],
    ids=str,
)
def test_others_have_no_place(array: pa.Array) -> None:
    assert find_places(array) is None


def test_a_table_is_at_most_twice_as_long_as_the_column() -> None:
    assert find_places(_repeated([1000], pa.int64())) is None
    assert find_places(_repeated([700], pa.int64())) is None
    assert find_places(_repeated([511], pa.int64())) is not None


@pytest.mark.parametrize("form", ["", BARE])
@pytest.mark.parametrize("file_format", [FileFormat.CSV, FileFormat.JSON], ids=str)
def test_forms_do_not_share_a_table(form: str, file_format: FileFormat) -> None:
    field = with_form(pa.field("n", pa.float64()), form)
    batch = pa.RecordBatch.from_arrays([_repeated([1.0, 0.5, None], pa.float64())], schema=pa.schema([field]))
    text = b"".join(render_text(batch, file_format).pieces).decode().splitlines()
    shown = "1" if form else "1.0"
    expected = [shown, "0.5", ""] if file_format is FileFormat.CSV else [f'{{"n":{v}}}' for v in (shown, "0.5", "null")]
    assert text[:3] == expected
    assert len(text) == ROWS
