"""Decimals of more digits than their type: each format keeps them or refuses them, and none writes another number."""

from __future__ import annotations

import io
import re
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine.formats.registry import FORMATS
from millrace.engine.options import FileFormat, ReadOptions, WriteOptions
from millrace.engine.types.decimals import require_precision
from millrace.errors import UnsupportedType
from tests.properties import examples
from tests.unit.engine.formats.builders import Memory, render_text

MANY = 600
"""Rows that the kernel encodes, if there is one."""
TYPED = (FileFormat.PARQUET, FileFormat.AVRO, FileFormat.ORC)


def decimals(digits: int, *numbers: int) -> pa.Array:
    """A column as Arrow reads it of a file whose values have more digits than its type."""
    data = b"".join(number.to_bytes(16, "little", signed=True) for number in numbers)
    return pa.Array.from_buffers(pa.decimal128(digits, 0), len(numbers), [None, pa.py_buffer(data)])


def written(column: pa.Array, target: FileFormat) -> bytes:
    batch = pa.record_batch({"a": column})
    sink = Memory()
    writer = FORMATS[target].write(sink, batch.schema, WriteOptions())
    writer.write(batch)
    writer.close()
    return sink.getvalue()


def refusal_of(column: pa.Array, target: FileFormat) -> str | None:
    try:
        written(column, target)
    except UnsupportedType as error:
        return str(error)
    return None


def read_numbers(data: bytes, source: FileFormat) -> list[Any]:
    records = FORMATS[source].read(io.BytesIO(data), ReadOptions(), report=lambda _bad: None)
    numbers: list[Any] = pa.Table.from_batches(list(records.batches), records.schema).column("a").to_pylist()
    return numbers


@pytest.mark.parametrize("target", TYPED)
@given(digits=st.integers(1, 38), number=st.integers(-(10**38) + 1, 10**38 - 1), rows=st.sampled_from([1, MANY]))
@settings(max_examples=examples(40), deadline=None)
def test_a_number_is_the_same_or_refused(target: FileFormat, digits: int, number: int, rows: int) -> None:
    column = decimals(digits, number, *[1] * (rows - 1))
    refusal = refusal_of(column, target)
    if refusal is None:
        assert read_numbers(written(column, target), target)[0] == number
    else:
        assert abs(number) >= 10**digits
        assert re.search(f"'a' .* {number} ", refusal)


@pytest.mark.parametrize("number", [10**12, -(10**12), 2**31, 2**32 + 5])
@pytest.mark.parametrize("rows", [1, MANY])
def test_what_its_integers_do_not_hold_is_refused_in_parquet(number: int, rows: int) -> None:
    with pytest.raises(UnsupportedType, match=f"the column 'a' has a number of more digits .* {number} "):
        written(decimals(9, number, *[1] * (rows - 1)), FileFormat.PARQUET)


def test_text_formats_keep_all_digits() -> None:
    batch = pa.record_batch({"a": decimals(9, 10**12)})

    assert b"".join(render_text(batch, FileFormat.CSV).pieces) == b"1000000000000\n"


def nested(column: pa.Array) -> list[pa.Array]:
    """The column inside of everything that holds values."""
    return [
        pa.StructArray.from_arrays([column], ["x"]),
        pa.ListArray.from_arrays([0, len(column)], column),
        pa.MapArray.from_arrays([0, len(column)], pa.array(["k"] * len(column)), column),
        pa.DictionaryArray.from_arrays(pa.array([0]), column),
    ]


@pytest.mark.parametrize("holder", range(4))
def test_it_is_found_inside_of_other_values(holder: int) -> None:
    good, bad = nested(decimals(20, 1))[holder], nested(decimals(20, 10**20))[holder]

    require_precision(good, "a")
    require_precision(bad, "a", beyond=20)
    with pytest.raises(UnsupportedType, match="the column 'a' has a number of more digits"):
        require_precision(bad, "a")


def test_a_missing_value_may_have_any_bytes() -> None:
    data = pa.py_buffer((10**12).to_bytes(16, "little") * MANY)
    column = pa.Array.from_buffers(pa.decimal128(9, 0), MANY, [pa.py_buffer(bytes(MANY // 8)), data])

    table = pq.read_table(io.BytesIO(written(column, FileFormat.PARQUET)))

    assert table.column("a").null_count == MANY
