"""Row groups of flat columns by the kernel: the same bytes as Arrow writes, in a third of the time.

What the kernel does not know is Arrow's: nested columns, rare types, a dictionary that grows too large.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import pyarrow as pa

from millrace.engine.formats.parquet.chunks import (
    BOOLEAN,
    BYTE_ARRAY,
    DOUBLE,
    FLOAT,
    INT32,
    INT64,
    Chunk,
    LeafPlan,
    PageCodec,
    encode_chunk,
    encode_dictionary,
)
from millrace.engine.formats.parquet.encoding import Encodings
from millrace.engine.formats.parquet.footers import GroupDescription, PlacedNumber
from millrace.engine.formats.parquet.thrift import list_head
from millrace.engine.formats.varints import as_zigzag
from millrace.engine.native.library import Kernel
from millrace.engine.native.parquet_encoding import (
    DELTA,
    DICTIONARY,
    PLAIN,
    LeafType,
    NotForKernel,
    PageSizes,
    RowsForC,
    open_rows,
)
from millrace.engine.native.seam import TypeKind
from millrace.engine.types import arrow_types

_PAGE_ROWS, _PAGE_BYTES = 20_000, 2**20
"""As Arrow has them by default."""
_BEGIN = 4
"""Where the first row group of a file begins: behind the magic."""
_DIGITS = {9: INT32, 18: INT64}
"""How many digits a decimal has at most that is stored as such an integer."""
_ENCODINGS = {"DELTA_BINARY_PACKED": DELTA}
_STORED: dict[int, tuple[TypeKind, int]] = {
    pa.lib.Type_BOOL: (TypeKind.BOOL, BOOLEAN),
    pa.lib.Type_INT8: (TypeKind.INT8, INT32),
    pa.lib.Type_INT16: (TypeKind.INT16, INT32),
    pa.lib.Type_INT32: (TypeKind.INT32, INT32),
    pa.lib.Type_INT64: (TypeKind.INT64, INT64),
    pa.lib.Type_FLOAT: (TypeKind.FLOAT32, FLOAT),
    pa.lib.Type_DOUBLE: (TypeKind.FLOAT64, DOUBLE),
    pa.lib.Type_STRING: (TypeKind.STRING, BYTE_ARRAY),
    pa.lib.Type_LARGE_STRING: (TypeKind.LARGE_STRING, BYTE_ARRAY),
    pa.lib.Type_BINARY: (TypeKind.BINARY, BYTE_ARRAY),
    pa.lib.Type_LARGE_BINARY: (TypeKind.LARGE_BINARY, BYTE_ARRAY),
    pa.lib.Type_DATE32: (TypeKind.DATE32, INT32),
    pa.lib.Type_TIME64: (TypeKind.TIME64, INT64),
    pa.lib.Type_TIMESTAMP: (TypeKind.TIMESTAMP, INT64),
}


EncodeColumn = Callable[[RowsForC, LeafPlan, PageCodec], Chunk]


@dataclass(frozen=True, slots=True)
class FlatGroup:
    """A row group: the bytes of its pages in pieces, and its columns."""

    pieces: tuple[bytes, ...]
    chunks: tuple[Chunk, ...]

    @property
    def rows(self) -> int:
        """How many rows were written."""
        return self.chunks[0].rows

    def describe(self) -> GroupDescription:
        """The row group as a footer says it is, at the beginning of a file."""
        return _describe_group(self.chunks)


@dataclass(frozen=True, slots=True)
class FlatEncoder:
    """Encodes groups of rows with these columns; many threads may use one."""

    kernel: Kernel
    names: tuple[str, ...]
    leaves: tuple[LeafType, ...]

    def encode(
        self, batches: Sequence[pa.RecordBatch], encodings: Encodings, options: Mapping[str, Any]
    ) -> FlatGroup | None:
        """The rows as a group; None if Arrow has to encode them. ``options`` are those of Arrow's writer."""
        columns = self.begin(list(batches), encodings, options)
        columns.encode_remaining()
        return columns.finish()

    def measure_dictionaries(
        self, batches: Sequence[pa.RecordBatch], options: Mapping[str, Any]
    ) -> tuple[Chunk, ...] | None:
        """The columns with their dictionaries alone, if all have one; None if Arrow has to encode them."""
        columns = self.begin(list(batches), Encodings(), options, encode_dictionary)
        columns.encode_remaining()
        return columns.chunks()

    def begin(
        self,
        batches: list[pa.RecordBatch],
        encodings: Encodings,
        options: Mapping[str, Any],
        encode: EncodeColumn = encode_chunk,
    ) -> ColumnsInTheMaking:
        """The rows as a group whose columns are yet to be encoded."""
        choose = _EncodingChoice(encodings)
        plans = list[LeafPlan]()
        for position, (name, leaf) in enumerate(zip(self.names, self.leaves, strict=True)):
            plans.append(LeafPlan(position, name.encode(), leaf, choose.number(name, leaf)))
        codec = PageCodec(options["compression"], options.get("compression_level"))
        sizes = PageSizes(_PAGE_ROWS, options.get("data_page_size", _PAGE_BYTES))
        open_batches = partial(open_rows, self.kernel, sizes=sizes)
        return ColumnsInTheMaking(open_batches, batches, plans, lambda rows, plan: encode(rows, plan, codec))


class ColumnsInTheMaking:
    """A group's columns, which several threads may encode: each takes the next one that nobody has begun.

    The list of ``batches`` is emptied as soon as all columns are encoded: what follows may take its time.
    """

    def __init__(
        self,
        open_batches: Callable[[Sequence[pa.RecordBatch]], AbstractContextManager[RowsForC]],
        batches: list[pa.RecordBatch],
        plans: Sequence[LeafPlan],
        encode: Callable[[RowsForC, LeafPlan], Chunk],
    ) -> None:
        self._open_batches = open_batches
        self._batches = batches
        self._encode = encode
        self.count = len(plans)
        self._remaining = deque(plans)
        self._chunks = dict[int, Chunk]()
        self._is_for_kernel = True

    def encode_remaining(self) -> bool:
        """Encode columns until none is left; False, once, if one of them is found to be Arrow's: then all are."""
        # As a tuple, since another thread may let them go.
        batches = tuple(self._batches)
        try:
            if self._remaining:
                with self._open_batches(batches) as rows:
                    while (plan := self._take_next()) is not None:
                        self._chunks[plan.column] = self._encode(rows, plan)
        except NotForKernel:
            # Another thread may have found the same, and has let Arrow begin.
            is_first, self._is_for_kernel = self._is_for_kernel, False
            return not is_first
        if len(self._chunks) == self.count:
            self._batches.clear()
        return True

    def _take_next(self) -> LeafPlan | None:
        """The next column that nobody has begun; None if there is none, or no use for it."""
        if not self._is_for_kernel:
            return None
        try:
            return self._remaining.popleft()
        except IndexError:
            return None

    def finish(self) -> FlatGroup | None:
        """The group, when all its columns are encoded; None if Arrow has to encode them."""
        chunks = self.chunks()
        if chunks is None:
            return None
        pieces = chain.from_iterable(chunk.pieces for chunk in chunks)
        return FlatGroup(tuple(pieces), chunks)

    def chunks(self) -> tuple[Chunk, ...] | None:
        """The columns, when all are encoded; None if Arrow has to encode them."""
        if not self._is_for_kernel:
            return None
        return tuple(self._chunks[position] for position in range(self.count))


def open_flat_encoder(kernel: Kernel, schema: pa.Schema) -> FlatEncoder | None:
    """What encodes rows of a schema; None if the kernel does not know one of its types."""
    leaves = list[LeafType]()
    for column in schema:
        leaf = _find_leaf(column)
        if leaf is None:
            return None
        leaves.append(leaf)
    if not leaves:
        return None
    return FlatEncoder(kernel, tuple(schema.names), tuple(leaves))


def _find_leaf(column: pa.Field) -> LeafType | None:
    kind = column.type
    if arrow_types.is_decimal128(kind):
        return _find_decimal(column)
    if kind.id not in _STORED:
        return None
    # Parquet has no seconds: Arrow stores milliseconds.
    factor = 1
    if arrow_types.is_timestamp(kind) and kind.unit == "s":
        factor = 1000
    return LeafType(*_STORED[kind.id], is_nullable=column.nullable, factor=factor)


def _find_decimal(column: pa.Field) -> LeafType | None:
    for digits, physical in _DIGITS.items():
        if column.type.precision <= digits:
            return LeafType(TypeKind.DECIMAL128, physical, is_nullable=column.nullable)
    return None


class _EncodingChoice:
    """The encodings of leaves by name, made for a look at each of many."""

    def __init__(self, encodings: Encodings) -> None:
        self._others = encodings.others
        self._all = encodings.dictionary is None
        self._dictionary = frozenset(encodings.dictionary or ())

    def number(self, name: str, leaf: LeafType) -> int:
        """A leaf's encoding, by Parquet's number. Arrow gives booleans no dictionary."""
        if leaf.physical != BOOLEAN and (self._all or name in self._dictionary):
            return DICTIONARY
        return _ENCODINGS.get(self._others.get(name, ""), PLAIN)


def _describe_group(chunks: Sequence[Chunk]) -> GroupDescription:
    """A RowGroup: 1 columns, 2 size unpacked, 3 rows, 5 offset, 6 size as stored."""
    described = bytearray(b"\x19" + list_head(len(chunks)))
    offset, offsets = _BEGIN, list[PlacedNumber]()
    for chunk in chunks:
        text, places = chunk.describe(offset)
        start = len(described)
        offsets += [PlacedNumber(start + begin, start + end, value) for begin, end, value in places]
        described += text
        offset += chunk.stored_bytes
    unpacked = sum(chunk.unpacked_bytes for chunk in chunks)
    described += b"\x16" + as_zigzag(unpacked) + b"\x16" + as_zigzag(chunks[0].rows) + b"\x26"
    begin = len(described)
    described += as_zigzag(_BEGIN)
    offsets.append(PlacedNumber(begin, len(described), _BEGIN))
    described += b"\x16" + as_zigzag(offset - _BEGIN) + b"\0"
    return GroupDescription(bytes(described), tuple(offsets), None)
