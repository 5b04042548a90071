"""How many rows of a Parquet file fit into a batch: a dictionary can make few bytes of a file many of memory.

A column of texts whose values are in a dictionary is read as one, and made plain in slices whose bytes are counted.
If that cannot be, the longest value in the dictionary bounds the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from millrace.engine.types import arrow_types

BATCH_BYTES = 2 * 2**20
BATCH_ROWS = 32_768
EXPANDED_BYTES = 8 * 2**20
"""What a batch may grow to by its dictionaries."""
# Bytes in memory of Parquet's physical types (parquet.thrift, Type); a boolean is counted as a whole byte.
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 12, "FLOAT": 4, "DOUBLE": 8}
_INDEX_BYTES = 4
_FEW_BYTES = 24
_SMALL_DICTIONARY = 16 * 2**10


@dataclass(frozen=True, slots=True)
class Reading:
    """How a row group is read: rows a batch, and the columns that are read as dictionaries."""

    rows: int
    dictionaries: tuple[str, ...]


def plan_reading(
    group: pq.RowGroupMetaData,
    file: pq.ParquetFile,
    measure: Callable[[pq.ColumnChunkMetaData], int | None],
    read_first: Callable[[Sequence[str]], pa.RecordBatch],
    *,
    expanded_bytes: int = EXPANDED_BYTES,
) -> Reading:
    """How to read a row group.

    ``measure`` gives the bytes of the longest text in a chunk's dictionary, or None if it cannot; then ``read_first``
    gives the first row of some leaves, read as dictionaries.
    """
    # A column of 1,000,000 rows may be stored in 4 MB because one text of 1 MB is in its dictionary and each row points
    # to it: its chunk is small, a batch of its rows is not. Such leaves are suspects. If little but places is stored
    # (a small dictionary of a plain column), they stay dictionaries; of the others the longest text bounds the batch.
    chunks = list(map(group.column, range(group.num_columns)))
    rows = _rows_by_width(chunks, file, group.num_rows)
    texts = {field.name for field in file.schema_arrow if _is_stored_as_bytes(field.type)}
    dictionaries, expanding = dict[str, pq.ColumnChunkMetaData](), dict[str, pq.ColumnChunkMetaData]()
    for chunk in chunks:
        if _may_explode(chunk, rows, expanded_bytes):
            if chunk.path_in_schema in texts and _is_small_dictionary(chunk):
                dictionaries[chunk.path_in_schema] = chunk
            else:
                expanding[chunk.path_in_schema] = chunk
    if expanding:
        longest = _longest(expanding, group.num_rows, measure, read_first)
        rows = min(rows, max(1, int(expanded_bytes // max(1, longest))))
    return Reading(rows, tuple(dictionaries))


def _rows_by_width(chunks: Sequence[pq.ColumnChunkMetaData], file: pq.ParquetFile, rows: int) -> int:
    """How many rows a batch may have by what the footer says of their width."""
    width = 0.0
    for number, chunk in enumerate(chunks):
        width += _width(chunk, file.schema.column(number), rows)
    return max(1, min(BATCH_ROWS, int(BATCH_BYTES // max(1, width))))


def expand(batch: pa.RecordBatch, into: pa.Schema, *, expanded_bytes: int = EXPANDED_BYTES) -> Iterator[pa.RecordBatch]:
    """The batch as the file's schema has it, in slices that stay small."""
    # 1,000 rows that all point to a text of 1 MB are 1 GB as plain texts: halved until a slice has at most 8 of them.
    if batch.num_rows > 1 and _expanded_size(batch) > expanded_bytes:
        middle = batch.num_rows // 2
        yield from expand(batch.slice(0, middle), into, expanded_bytes=expanded_bytes)
        yield from expand(batch.slice(middle), into, expanded_bytes=expanded_bytes)
        return
    if batch.schema.equals(into):
        yield batch
        return
    yield pa.RecordBatch.from_arrays(list(map(_plain, batch.columns, into.types)), schema=into)


def _plain(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if column.type == kind:
        return column
    return column.dictionary_decode().cast(kind)


def _expanded_size(batch: pa.RecordBatch) -> int:
    """The bytes of the texts that the batch's rows have by their dictionaries."""
    return sum(map(_text_bytes, batch.columns))


def _text_bytes(column: pa.Array) -> int:
    if not arrow_types.is_dictionary(column.type):
        return 0
    if not _is_stored_as_bytes(column.dictionary.type) or not len(column.dictionary):
        return 0
    lengths = pc.binary_length(column.dictionary)
    return int(pc.sum(pc.cast(pc.take(lengths, column.indices), pa.int64())).as_py() or 0)


_TEXTS = (
    arrow_types.is_string,
    arrow_types.is_large_string,
    arrow_types.is_binary,
    arrow_types.is_large_binary,
)


def _is_stored_as_bytes(kind: pa.DataType) -> bool:
    """Whether Parquet stores values as BYTE_ARRAY, of which Arrow's readers make no views."""
    return arrow_types.is_one_of(kind, _TEXTS)


def _width(chunk: pq.ColumnChunkMetaData, column: pq.ColumnSchema, rows: int) -> float:
    """About the bytes that a row's values of a leaf take in memory."""
    values = float(chunk.num_values) / max(1, rows)
    if chunk.physical_type == "BYTE_ARRAY":
        # A dictionary of few texts is stored in less than the places in memory take: these are the least.
        return max(float(chunk.total_uncompressed_size) / max(1, rows), _INDEX_BYTES * values)
    return float(_WIDTHS.get(chunk.physical_type, column.length) * values)


def _may_explode(chunk: pq.ColumnChunkMetaData, rows: int, expanded_bytes: int) -> bool:
    of_texts = chunk.physical_type == "BYTE_ARRAY" and chunk.has_dictionary_page
    # The worst case: all that is stored is one text, and every row points to it.
    return bool(of_texts and chunk.total_uncompressed_size * rows > expanded_bytes)


def _is_small_dictionary(chunk: pq.ColumnChunkMetaData) -> bool:
    """Whether a dictionary is soon made, batch by batch, and little more than places in it is stored."""
    # The dictionary's page comes first in a chunk, so that the first page of data says how long it is.
    stored = chunk.data_page_offset - chunk.dictionary_page_offset
    return bool(stored <= _SMALL_DICTIONARY and chunk.total_uncompressed_size <= _FEW_BYTES * chunk.num_values)


def _longest(
    leaves: Mapping[str, pq.ColumnChunkMetaData],
    rows: int,
    measure: Callable[[pq.ColumnChunkMetaData], int | None],
    read_first: Callable[[Sequence[str]], pa.RecordBatch],
) -> float:
    """About the most bytes that a row of these leaves takes: of each, the longest value in its dictionary."""
    chunks = list(leaves.values())
    longest = _longest_measured(chunks, rows, measure)
    if longest is None:
        return _longest_read(read_first(list(leaves)), chunks, rows)
    return longest


def _longest_measured(
    chunks: Sequence[pq.ColumnChunkMetaData], rows: int, measure: Callable[[pq.ColumnChunkMetaData], int | None]
) -> float | None:
    """The same by their pages, if each dictionary can be measured."""
    total = 0
    for chunk in chunks:
        longest = measure(chunk)
        if longest is None:
            return None
        total += longest
    return _most_values_a_row(chunks, rows) * total


def _most_values_a_row(chunks: Sequence[pq.ColumnChunkMetaData], rows: int) -> float:
    most_values = max(chunk.num_values for chunk in chunks)
    return max(1.0, float(most_values) / max(1, rows))


def _longest_read(first: pa.RecordBatch, chunks: Sequence[pq.ColumnChunkMetaData], rows: int) -> float:
    """The same by a row that Arrow read.

    A dictionary comes whole with the first row. If a column is given without one, all that it stores may be in it.
    """
    dictionaries = list(chain.from_iterable(map(_dictionaries, first.columns)))
    if len(dictionaries) < len(chunks):
        return sum(float(chunk.total_uncompressed_size) for chunk in chunks)
    return _most_values_a_row(chunks, rows) * sum(map(_longest_value, dictionaries))


def _longest_value(texts: pa.Array) -> float:
    return float(pc.max(pc.binary_length(texts)).as_py() or 0.0)


def _dictionaries(values: pa.Array) -> Iterator[pa.Array]:
    """The dictionaries of texts inside a column."""
    kind = values.type
    if arrow_types.is_dictionary(kind) and _is_stored_as_bytes(kind.value_type):
        yield values.dictionary
    elif arrow_types.is_struct(kind):
        for member in map(values.field, range(kind.num_fields)):
            yield from _dictionaries(member)
    elif arrow_types.is_map(kind):
        yield from _dictionaries(values.keys)
        yield from _dictionaries(values.items)
    elif arrow_types.is_nested(kind):
        yield from _dictionaries(values.values)
