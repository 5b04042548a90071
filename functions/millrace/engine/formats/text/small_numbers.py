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
"""Numbers of a table: more of them would be rendered in vain more often than they are met again."""
_FEWEST = 2**8
"""The smallest table; larger ones are powers of two."""
_ROWS_FOR = 2
"""A table has at most this many times as many numbers as the rows that it is looked up for."""
_HUNDREDTHS = 100.0
_TRIED = 64
"""Doubles of a column that are looked at before all of them are."""
_WHOLE = frozenset(
    {pa.bool_(), pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()}
)


@dataclass(frozen=True, slots=True)
class NumberTable:
    """All numbers of a type from the least to the greatest; doubles by hundredths, which the bounds count."""

    kind: pa.DataType
    least: int
    count: int

    def values(self) -> pa.Array:
        """The numbers, and behind them a missing one."""
        return pa.concat_arrays([self._present(), pa.nulls(1, self.kind)])

    def _present(self) -> pa.Array:
        counts = pa.arange(self.least, self.least + self.count)
        if self.kind == pa.float64():
            return _hundredths(counts)
        return counts.cast(self.kind, safe=False)


@dataclass(frozen=True, slots=True)
class Places:
    """A column as places in a table of numbers."""

    numbers: NumberTable
    chosen: pa.Array


def find_places(array: pa.Array) -> Places | None:
    """The place of each value, that of missing ones behind all others; None if a value is not in the table."""
    # The doubles 1.5, 0.25 and missing are the hundredths 150 and 25: they stand in the table of 0.00 to 2.55 at the
    # places 150 and 25, a missing one at 256, which is the first behind the table's numbers.
    counts = _count_steps(array)
    if counts is None:
        return None
    numbers = _table(array.type, counts)
    if numbers is None:
        return None
    if array.type == pa.float64():
        counts = _round_half_up(counts)
        if not _equal(_hundredths(counts), array):
            return None
    chosen = counts.cast(pa.int32())
    if numbers.least:
        chosen = pc.subtract(chosen, pa.scalar(numbers.least, pa.int32()))
    if chosen.null_count:
        chosen = pc.fill_null(chosen, numbers.count)
    return Places(numbers, chosen)


def _count_steps(array: pa.Array) -> pa.Array | None:
    """How many steps each value is from zero, a step being 1 or a hundredth; None for other numbers and types."""
    if array.type == pa.bool_():
        return array.cast(pa.uint8())
    if array.type in _WHOLE:
        return array
    if array.type == pa.float64() and _are_hundredths(array.slice(0, _TRIED)):
        return pc.multiply(array, _HUNDREDTHS)
    return None


def _table(kind: pa.DataType, counts: pa.Array) -> NumberTable | None:
    """The table that all are within; its bounds are powers of two, so that columns and batches share tables."""
    bounds = pc.min_max(counts).as_py()
    least, most = bounds["min"], bounds["max"]
    if least is None or not -_MOST < least <= most < _MOST:
        return None
    # Columns of 0 to 90 and of 0 to 200 share the table of 256; exact bounds would be a new table for each batch.
    bound = max(_FEWEST, 2 ** math.ceil(max(-least, most)).bit_length())
    numbers = NumberTable(kind, 0, bound)
    if least < 0:
        numbers = NumberTable(kind, -bound, bound * 2)
    # Of a batch of 300 rows a table of 16,384 numbers would be rendered for the sake of a few.
    if numbers.count > min(_MOST, len(counts) * _ROWS_FOR):
        return None
    return numbers


def _are_hundredths(array: pa.Array) -> bool:
    return _equal(_hundredths(_round_half_up(pc.multiply(array, _HUNDREDTHS))), array)


def _round_half_up(counts: pa.Array) -> pa.Array:
    # Any way of rounding would do, since a comparison of bits decides afterwards.
    return pc.floor(pc.add(counts, 0.5)).cast(pa.int32(), safe=False)


def _hundredths(counts: pa.Array) -> pa.Array:
    return pc.divide(counts.cast(pa.float64()), _HUNDREDTHS)


def _equal(left: pa.Array, right: pa.Array) -> bool:
    """Whether doubles are the same to the bit, so that -0.0 is not 0.0; if one is missing, both are."""
    return pc.all(pc.equal(left.view(pa.int64()), right.view(pa.int64()))).as_py() is not False
