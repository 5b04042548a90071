"""Parquet's values of bytes as text, where the configuration says that they are texts."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from millrace.engine.options import ParquetBinary, WorkSizes
from millrace.errors import WrongEncoding
from tests.unit.engine.formats.builders import conversion, converted, parquet, table

TEXT = ParquetBinary.TEXT
FLAT = [pa.binary(), pa.large_binary(), pa.binary(2)]


@pytest.mark.parametrize("kind", FLAT, ids=str)
@pytest.mark.parametrize("target", ["csv", "json"])
def test_bytes_are_written_as_the_text_that_they_are(kind: pa.DataType, target: str) -> None:
    data = parquet(t=pa.array([b"ab", None, "é".encode()], kind), n=[1, 2, 3])

    expected = {
        "csv": "t,n\nab,1\n,2\né,3\n",
        "json": '{"t":"ab","n":1}\n{"t":null,"n":2}\n{"t":"é","n":3}\n',
    }
    assert converted(data, "parquet", target, parquet_binary=TEXT).decode() == expected[target]


def test_bytes_are_base64_if_nothing_is_said() -> None:
    assert converted(parquet(t=pa.array([b"ab"])), "parquet", "json") == b'{"t":"YWI="}\n'


def test_texts_within_others_are_texts_too() -> None:
    nested = pa.struct([("l", pa.list_(pa.binary())), ("m", pa.map_(pa.binary(), pa.large_binary()))])
    data = parquet(s=pa.array([{"l": [b"a", None], "m": [(b"k", b"v")]}, None], nested), n=[1, 2])

    rows = [json.loads(line) for line in converted(data, "parquet", "json", parquet_binary=TEXT).splitlines()]

    assert rows == [{"s": {"l": ["a", None], "m": {"k": "v"}}, "n": 1}, {"s": None, "n": 2}]


def test_a_parquet_target_has_columns_of_text() -> None:
    written = table(converted(parquet(t=pa.array([b"ab"])), "parquet", "parquet", parquet_binary=TEXT))

    assert written.schema.field("t").type == pa.string()


def test_columns_of_repeating_values_are_texts_too() -> None:
    data = parquet(t=pa.array([b"x" * 1000] * 5000), n=list(range(5000)))

    text = converted(data, "parquet", "csv", parquet_binary=TEXT, work=WorkSizes(expanded=100_000))

    assert text.count(b"x" * 1000) == 5000


@pytest.mark.parametrize("row", [1, 2, 5001, 9999])
def test_bytes_that_are_no_text_are_refused_with_row_and_field(row: int) -> None:
    values = [b"ab"] * 10_000
    values[row - 1] = b"\xff\xfe"
    data = parquet(id=list(range(10_000)), t=pa.array(values))

    with pytest.raises(WrongEncoding, match=rf"row {row:,}: the field 't' .* parquet_binary: base64") as refused:
        conversion(data, "parquet", "json", parquet_binary=TEXT)

    assert (refused.value.row, refused.value.column) == (row, "t")
