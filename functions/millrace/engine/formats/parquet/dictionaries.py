"""The longest text in a column chunk's dictionary, from the page that holds it."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from millrace.engine.formats.parquet.pages import first_dictionary
from millrace.engine.native.library import find_kernel

_CODECS = frozenset({"SNAPPY", "GZIP", "ZSTD", "BROTLI"})
"""Compressions that Arrow undoes by itself; Parquet's LZ4 has two framings."""


def measure_longest(chunk: pq.ColumnChunkMetaData, stored: memoryview) -> int | None:
    """How many bytes the longest text in a chunk's dictionary has; None if only Arrow's reader can say it.

    ``stored`` is the chunk as it is in the file. The page's size was checked before.
    """
    # Arrow's reader puts each text into a table and unpacks the first page of rows as well, to give one row: a third
    # of all the time that reading took.
    kernel = find_kernel()
    if kernel is None or len(stored) < chunk.total_compressed_size:
        return None
    page = first_dictionary(stored)
    if page is None:
        return None
    texts = _unpack(chunk.compression, page.stored, page.unpacked)
    if texts is None:
        return None
    from millrace.engine.native.longest_value import find_longest_value  # noqa: PLC0415 - it imports ctypes

    return find_longest_value(kernel, texts)


def _unpack(compression: str, stored: memoryview, size: int) -> pa.Buffer | None:
    if compression == "UNCOMPRESSED":
        return pa.py_buffer(stored)
    if compression not in _CODECS or size < 0:
        return None
    try:
        return pa.Codec(compression.lower()).decompress(stored, decompressed_size=size)
    except (pa.ArrowException, OSError):  # damaged: the reader says how
        return None
