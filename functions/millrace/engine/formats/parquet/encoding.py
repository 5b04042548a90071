"""How each leaf of a Parquet file is encoded: what a sample of its first rows says is smallest.

Three encodings are chosen among, all of which every reader of Parquet knows: a dictionary; DELTA_BINARY_PACKED for
what is stored as INT32 or INT64 (integers, dates, times, short decimals); PLAIN for the rest. BYTE_STREAM_SPLIT would
serve some doubles, but Spark has not long read it.
"""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from millrace.engine.formats.parquet.chunks import Chunk
    from millrace.engine.formats.parquet.flat_groups import FlatEncoder

SAMPLE_ROWS = 4096
_SAMPLE_BYTES = 2 * 2**20
_SLICES = 16
FEW_ROWS = 512
"""Of so few rows no choice matters: all leaves have a dictionary."""
_DELTA = "DELTA_BINARY_PACKED"
_PHYSICAL_NAMES = {1: "INT32", 2: "INT64"}
_INTEGERS = frozenset(_PHYSICAL_NAMES.values())
_DICTIONARY_LIMIT = 2**20
"""Where a dictionary grows beyond, Arrow goes on without."""


@dataclass(frozen=True, slots=True)
class Encodings:
    """The leaves, by their path in the file's schema, that have a dictionary, and those with an encoding of their own.

    ``dictionary`` None means all leaves.
    """

    dictionary: tuple[str, ...] | None = None
    others: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def arguments(self) -> dict[str, Any]:
        """As the arguments of ``pyarrow.parquet.ParquetWriter``."""
        if self.dictionary is None:
            return {}
        return {"use_dictionary": list(self.dictionary) or False, "column_encoding": dict(self.others) or None}


def choose_encodings(
    table: pa.Table, options: Mapping[str, Any], flat: FlatEncoder | None = None, *, size: int | None = None
) -> Encodings:
    """The encodings for the first row group's rows, and so for all; the same rows give the same.

    ``options`` are the writer's others. ``flat`` tries them faster than Arrow, and its chunks have the same sizes.
    ``size`` is the table's ``nbytes``, if it was counted already: of 200 columns it takes 6 ms.
    """
    if table.num_rows < FEW_ROWS:
        return Encodings()
    sample = _sample(table, table.nbytes if size is None else size)
    # Without compression, because a dictionary and the places in it are compressed by different ratios: see
    # `_with_dictionary`.
    uncompressed = {**options, "compression": "none", "compression_level": None}
    trial = _Trial(flat)
    whole = trial.measure(sample, uncompressed, Encodings())
    half = trial.measure_dictionaries(sample.slice(0, sample.num_rows // 2), uncompressed)
    integers = _delta_encodings(whole)
    direct = trial.measure(sample, options, Encodings(dictionary=(), others=integers))
    # Of 4,096 sampled rows a leaf's 1,000 different texts take 8 kB as a dictionary and 5 kB as places; half the rows
    # had 900 of them, so there will hardly be more in 122,880 rows: 8 kB + 30 * 5 kB = 158 kB. Without a dictionary
    # the sample takes 30 kB, so all rows would take 900 kB: the leaf gets a dictionary.
    times = table.num_rows / sample.num_rows
    dictionary = list[str]()
    for leaf, smaller_bytes, plain in zip(whole, half, direct, strict=True):
        if leaf.dictionary_bytes and _with_dictionary(leaf, smaller_bytes, plain, times) < plain.bytes * times:
            dictionary.append(leaf.path)
    remaining = {path: encoding for path, encoding in integers.items() if path not in dictionary}
    return Encodings(tuple(dictionary), MappingProxyType(remaining))


def _delta_encodings(leaves: Sequence[_Leaf]) -> dict[str, str]:
    """The encoding of each leaf of integers; Arrow cannot say which leaf is meant if two have one path."""
    paths = Counter(leaf.path for leaf in leaves)
    encodings = dict[str, str]()
    for leaf in leaves:
        if leaf.physical in _INTEGERS and paths[leaf.path] == 1:
            encodings[leaf.path] = _DELTA
    return encodings


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leaf:
    """A leaf's column chunk of a sample: its values, its bytes as they are stored, how many times they are inside."""

    path: str
    physical: str
    values: int
    bytes: int
    ratio: float
    dictionary_bytes: int


def _sample(table: pa.Table, size: int) -> pa.Table:
    """Runs of rows from all over the table, every other first, so that the first half is from all over it, too."""
    affordable = table.num_rows * _SAMPLE_BYTES // max(1, size)
    rows = min(SAMPLE_ROWS, max(_SLICES, affordable))
    if table.num_rows <= rows:
        return table
    run, step = rows // _SLICES, table.num_rows / _SLICES
    numbers = [*range(0, _SLICES, 2), *range(1, _SLICES, 2)]
    slices = [table.slice(int(number * step), run) for number in numbers]
    return pa.concat_tables(slices).combine_chunks()


@dataclass(frozen=True, slots=True)
class _Trial:
    """Encodes samples to see what their leaves take."""

    flat: FlatEncoder | None

    def measure(self, sample: pa.Table, options: Mapping[str, Any], encodings: Encodings) -> list[_Leaf]:
        """What each leaf of the sample takes in these encodings."""
        if self.flat is not None:
            group = self.flat.encode(sample.to_batches(), encodings, options)
            if group is not None:
                return list(map(_measure_chunk, group.chunks))
        writer = pq.ParquetWriter(io.BytesIO(), sample.schema, **{**options, **encodings.arguments})
        writer.write_table(sample, row_group_size=max(1, sample.num_rows))
        writer.close()
        described = writer.writer.metadata.row_group(0)
        return list(map(_leaf, map(described.column, range(described.num_columns))))

    def measure_dictionaries(self, sample: pa.Table, options: Mapping[str, Any]) -> list[int]:
        """What the dictionary of each leaf of the sample takes."""
        if self.flat is not None:
            chunks = self.flat.measure_dictionaries(sample.to_batches(), options)
            if chunks is not None:
                return [chunk.dictionary_bytes for chunk in chunks]
        return [leaf.dictionary_bytes for leaf in self.measure(sample, options, Encodings())]


def _measure_chunk(chunk: Chunk) -> _Leaf:
    return _Leaf(
        path=chunk.plan.path.decode(),
        physical=_PHYSICAL_NAMES.get(chunk.plan.type.physical, ""),
        values=chunk.rows,
        bytes=chunk.stored_bytes,
        ratio=chunk.unpacked_bytes / max(1, chunk.stored_bytes),
        dictionary_bytes=chunk.dictionary_bytes,
    )


def _leaf(chunk: pq.ColumnChunkMetaData) -> _Leaf:
    dictionary = 0
    if chunk.has_dictionary_page:
        dictionary = chunk.data_page_offset - chunk.dictionary_page_offset
    return _Leaf(
        path=chunk.path_in_schema,
        physical=chunk.physical_type,
        values=chunk.num_values,
        bytes=chunk.total_compressed_size,
        ratio=chunk.total_uncompressed_size / max(1, chunk.total_compressed_size),
        dictionary_bytes=dictionary,
    )


def _with_dictionary(leaf: _Leaf, half_bytes: int, direct: _Leaf, times: float) -> float:
    """About what the leaf takes with a dictionary in a row group of ``times`` as many rows.

    ``half_bytes`` are those of the dictionary of half as many rows. The values in the dictionary are compressed like
    those outside of it; indices hardly are.
    """
    growth = _growth(leaf.dictionary_bytes / max(1, half_bytes), times)
    dictionary = leaf.dictionary_bytes * growth
    if dictionary > _DICTIONARY_LIMIT:
        return math.inf
    wider_indices = leaf.values * math.log2(growth) / 8
    indices = (leaf.bytes - leaf.dictionary_bytes + wider_indices) * times
    return dictionary / max(1.0, direct.ratio) + indices


def _growth(ratio: float, times: float) -> float:
    """How many times as many distinct values there are in ``times`` as many rows, where twice as many gave ``ratio``.

    Of D values that are all as frequent, n rows hold D * (1 - exp(-n / D)).
    """
    # A sample of n rows has 1 + exp(-n / 2D) times as many distinct values as its half: behind the 1 is the share that
    # the half has not seen. Squared, it is the share that the sample has not seen.
    unseen = min(0.9999, max(0.0, ratio - 1.0)) ** 2
    return float((1 - unseen**times) / (1 - unseen))
