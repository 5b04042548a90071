"""The kernel finds the largest page as Python's walk does, or leaves it to that."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from millrace.engine.formats.parquet.pages import list_pages, measure_largest
from millrace.engine.native.parquet_pages import find_largest_page
from tests.unit.engine.native.kernels import require_kernel

LIMIT = 2**63
HEADS = st.sampled_from([0x15, 0x25, 0x05, 0x18, 0x1C, 0x2C, 0x13, 0x17, 0x11, 0x00, 0x19, 0x16, 0x06, 0x10])
BYTES = st.lists(HEADS | st.integers(0, 255), max_size=60).map(bytes)


def _measure_slowly(data: bytes) -> int:
    return max((page.unpacked for page in list_pages(memoryview(data))), default=0)


def _chunks(file: io.BytesIO) -> list[memoryview]:
    group = pq.read_metadata(file).row_group(0)
    parts = []
    for number in range(group.num_columns):
        chunk = group.column(number)
        start = min(chunk.data_page_offset, chunk.dictionary_page_offset or chunk.data_page_offset)
        parts.append(file.getbuffer()[start : start + chunk.total_compressed_size])
    return parts


def _stored(rows: Sequence[object], **options: object) -> list[memoryview]:
    file = io.BytesIO()
    pq.write_table(pa.table({"a": rows, "b": [str(row) * 30 for row in rows]}), file, data_page_size=600, **options)
    return _chunks(file)


def assert_law(data: bytes) -> None:
    """The kernel's answer is Python's, unless it has none."""
    largest = find_largest_page(require_kernel(), memoryview(data))
    assert largest is None or largest == _measure_slowly(data)
    assert measure_largest(memoryview(data)) == _measure_slowly(data)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_pages_as_arrow_writes_them(version: str) -> None:
    for chunk in _stored(range(2000), data_page_version=version, write_page_checksum=True):
        assert find_largest_page(require_kernel(), chunk) == _measure_slowly(bytes(chunk)) > 600


def test_pages_behind_one_with_statistics_are_seen() -> None:
    """The length of a text in the statistics is no part of the text."""
    rows = [f"{number:050}x" for number in range(4000)]
    for chunk in _stored(rows, use_dictionary=False, write_page_checksum=True):
        pages = [page.unpacked for page in list_pages(memoryview(bytes(chunk)))]
        assert len(pages) >= 4
        assert sum(len(page.stored) for page in list_pages(memoryview(bytes(chunk)))) > len(chunk) // 2


@given(BYTES)
@example(b"\x25" + b"\xff" * 9 + b"\x01\x00")
@example(b"\x25" + b"\xff" * 9 + b"\x7f\x00")
@example(b"\x25" + b"\xff" * 12)
@example(b"\x25\x01\x15\x01\x00")
@example(b"\x1c" * 12 + b"\x00" * 12)
@example(b"\x18" + b"\xff" * 8 + b"\x01")
@example(b"\x10\x00")
def test_any_bytes(data: bytes) -> None:
    assert_law(data)


@given(st.data(), st.integers(0, 255))
def test_damaged_pages(data: st.DataObject, byte: int) -> None:
    chunk = bytearray(_stored([7, None, 9] * 40)[data.draw(st.integers(0, 1))])
    chunk[data.draw(st.integers(0, len(chunk) - 1))] = byte

    assert_law(bytes(chunk[: data.draw(st.integers(0, len(chunk)))]))
