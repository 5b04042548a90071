"""What is measured of a column's values while they pass by."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc


class TextLengths:
    """The lengths of a column's texts in characters, and how many of them are empty."""

    def __init__(self) -> None:
        self.lengths: tuple[int, int] | None = None
        self.empty = 0

    def observe(self, texts: pa.Array) -> None:
        """Add the next texts, of which not all are missing."""
        self.empty += pc.sum(pc.equal(pc.binary_length(texts), 0)).as_py()
        lengths = pc.min_max(pc.utf8_length(texts)).as_py()
        low, high = self.lengths or (lengths["min"], lengths["max"])
        self.lengths = min(low, lengths["min"]), max(high, lengths["max"])


def ends(values: pa.Array) -> pa.Array:
    """The least and the greatest of the values."""
    limits = pc.min_max(values)
    positions = [_position(values, limits["min"]), _position(values, limits["max"])]
    return values.take(pa.array(positions, pa.int64()))


def _position(values: pa.Array, wanted: pa.Scalar) -> int | None:
    position: int = pc.index(values, wanted).as_py()
    if position < 0:
        return None  # NaN alone is not found: it equals nothing
    return position


def first_that(texts: pa.Array, is_so: Callable[[pa.Array], bool]) -> int:
    """The place of the first text of which something is so, where it is so of some, and asked of any part of them."""
    start, size = 0, len(texts)
    while size > 1:
        half = size // 2
        if is_so(texts.slice(start, half)):
            size = half
        else:
            start, size = start + half, size - half
    return start
