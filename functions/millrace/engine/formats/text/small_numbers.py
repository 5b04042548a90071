"""Small numbers by their place in a table, so that each of them is rendered once, not once a batch.

Whole numbers stand in it, and doubles that are hundredths: what most counts, codes and amounts of money are. Finding a
place takes a few passes of arithmetic, a twentieth of what printing takes, and no hashing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

_MOST = 2**14
_FEWEST = 2**8
_ROWS_FOR = 2
"""A table has at most this many times as many numbers as the rows that it is looked up for."""
_HUNDREDTHS = 100.0
_TRIED = 64
_WHOLE = frozenset(
    {pa.bool_(), pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()}
)


@dataclass(frozen=True, slots=True)
class Numbers:
    """All numbers of a type from the least to the greatest; doubles by hundredths, which the bounds count."""

    kind: pa.DataType
    least: int
    count: int

    def values(self) -> pa.Array:
        """The numbers, and behind them a missing one."""
        counts = pa.arange(self.least, self.least + self.count)
        values = _hundredths(counts) if self.kind == pa.float64() else counts.cast(self.kind, safe=False)
        return pa.concat_arrays([values, pa.nulls(1, self.kind)])


@dataclass(frozen=True, slots=True)
class Places:
    """A column as places in a table of numbers."""

    numbers: Numbers
    chosen: pa.Array


def places(array: pa.Array) -> Places | None:
    """The place of each value, that of missing ones behind all others; None where a value is not in the table."""
    if array.type in _WHOLE:
        counts = array.cast(pa.uint8()) if array.type == pa.bool_() else array
    elif array.type == pa.float64() and _are_hundredths(array.slice(0, _TRIED)):
        counts = pc.multiply(array, _HUNDREDTHS)
    else:
        return None
    numbers = _table(array.type, counts)
    if numbers is None:
        return None
    if array.type == pa.float64():
        counts = _rounded(counts)
        if not _equal(_hundredths(counts), array):
            return None
    chosen = counts.cast(pa.int32())
    if numbers.least:
        chosen = pc.subtract(chosen, pa.scalar(numbers.least, pa.int32()))
    return Places(numbers, pc.fill_null(chosen, numbers.count) if chosen.null_count else chosen)


def _table(kind: pa.DataType, counts: pa.Array) -> Numbers | None:
    """The table that all are within; its bounds are powers of two, so that columns and batches share tables."""
    bounds = pc.min_max(counts).as_py()
    least, most = bounds["min"], bounds["max"]
    if least is None or not -_MOST < least <= most < _MOST:
        return None
    bound = max(_FEWEST, 2 ** math.ceil(max(-least, most)).bit_length())
    numbers = Numbers(kind, -bound if least < 0 else 0, bound * 2 if least < 0 else bound)
    return numbers if numbers.count <= min(_MOST, len(counts) * _ROWS_FOR) else None


def _are_hundredths(array: pa.Array) -> bool:
    return _equal(_hundredths(_rounded(pc.multiply(array, _HUNDREDTHS))), array)


def _rounded(counts: pa.Array) -> pa.Array:
    return pc.floor(pc.add(counts, 0.5)).cast(pa.int32(), safe=False)


def _hundredths(counts: pa.Array) -> pa.Array:
    return pc.divide(counts.cast(pa.float64()), _HUNDREDTHS)


def _equal(some: pa.Array, others: pa.Array) -> bool:
    """Whether doubles are the same to the bit, so that -0.0 is not 0.0; where one is missing both are."""
    return pc.all(pc.equal(some.view(pa.int64()), others.view(pa.int64()))).as_py() is not False
