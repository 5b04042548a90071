"""The longest text of a dictionary is found in its page, as Arrow's reader would find it."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.engine.formats.parquet.dictionaries import measure_longest
from millrace.engine.native.longest_value import find_longest_value
from tests.unit.engine.native.kernels import require_kernel

TEXTS = ["short", "é" * 700, None, ""] * 50


def _measure(stored: io.BytesIO, *, cut: int = 0) -> int | None:
    require_kernel()
    chunk = pq.read_metadata(stored).row_group(0).column(0)
    start = min(chunk.data_page_offset, chunk.dictionary_page_offset or chunk.data_page_offset)
    return measure_longest(chunk, stored.getbuffer()[start : start + chunk.total_compressed_size - cut])


def _stored(**options: object) -> io.BytesIO:
    file = io.BytesIO()
    pq.write_table(pa.table({"a": TEXTS}), file, **options)
    return file


@pytest.mark.parametrize("compression", ["NONE", "SNAPPY", "GZIP", "ZSTD", "BROTLI"])
def test_the_longest_is_found_under_each_compression(compression: str) -> None:
    assert _measure(_stored(compression=compression)) == 1400


def test_what_the_page_does_not_say_is_left_to_arrow() -> None:
    assert _measure(_stored(compression="LZ4")) is None
    assert _measure(_stored(use_dictionary=False)) is None
    assert _measure(_stored(), cut=1) is None


def test_without_the_kernel_arrow_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_NATIVE", "0")
    chunk = pq.read_metadata(file := _stored()).row_group(0).column(0)

    assert measure_longest(chunk, file.getbuffer()) is None


@given(st.lists(st.binary(max_size=20)))
def test_a_page_is_lengths_and_values(values: list[bytes]) -> None:
    page = b"".join(len(value).to_bytes(4, "little") + value for value in values)
    kernel = require_kernel()

    assert find_longest_value(kernel, pa.py_buffer(page)) == max(map(len, values), default=0)
    assert find_longest_value(kernel, pa.py_buffer(page + b"\0")) is None


@pytest.mark.parametrize("page", [b"\x05\0\0\0abc", b"\xff\xff\xff\xffabc", b"\x01\0\0"])
def test_bytes_that_are_no_page_have_no_longest_value(page: bytes) -> None:
    assert find_longest_value(require_kernel(), pa.py_buffer(page)) is None
