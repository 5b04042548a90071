"""Rows of text put together from pieces, all gathered at once.

A piece is a constant, a text for each row, or a choice among few texts for each row. All texts are laid one after the
other; which of them follows which is a table of numbers, a row a row, and gathering the texts by those numbers is
the rows' text. A value that repeats is so rendered once, and quotes or brackets around values cost no pass over them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

_GATHERED_BYTES = 2**18
"""About how much text is gather_rows at once: more of it would leave the processor's cache."""
_FOLDED = 2
"""A constant is put before every text of a choice that has this many times fewer texts than rows."""


@dataclass(frozen=True, slots=True)
class RowTexts:
    """A text for each row, a missing one being none at all; ``chosen`` says which each row has, None: its own."""

    texts: pa.Array
    chosen: pa.Array | None = None


TextPiece: TypeAlias = "str | RowTexts"


def choice(which: pa.Array, no: str, yes: str) -> RowTexts:
    """The one text or the other, by a column of booleans without missing ones."""
    return RowTexts(pa.array([no, yes], pa.string()), which.cast(pa.int32()))


def joined_rows(pieces: Sequence[TextPiece], rows: int) -> pa.Array:
    """A text for each row."""
    match list(_merge_constants(pieces, rows)):
        case [RowTexts(texts, None)] if not texts.null_count:
            return texts
        case merged:
            return _rows(merged, rows)


def gather_rows(pieces: Sequence[TextPiece], rows: int, *, gathered_bytes: int = _GATHERED_BYTES) -> Iterator[pa.Array]:
    """The rows' texts, some rows after the other; ``printing.joined`` is their bytes."""
    merged = list(_merge_constants(pieces, rows))
    if not rows or not merged:
        return
    values, order = _lay_out(merged, rows)
    size = sum(_mean_size(piece) for piece in merged)
    # By the mean size of a row: 100 bytes make 2,621 rows at once.
    step = max(1, int(gathered_bytes / max(1.0, size)))
    for start in range(0, rows, step):
        part = order.slice(start, step)
        yield _gather(values, part, len(merged))


def _rows(merged: list[TextPiece], rows: int) -> pa.Array:
    if not rows or not merged:
        return pa.array([""] * rows, pa.string())
    values, order = _lay_out(merged, rows)
    return _gather(values, order, len(merged))


def _gather(values: pa.Array, order: pa.RecordBatch, width: int) -> pa.Array:
    """The texts of each row's numbers, one after the other, as one text a row."""
    # Two rows of "a", a value and "b" with the values 7 and 8: the texts are ["a", "7", "8", "b"], the order is
    # [[0, 1, 3], [0, 2, 3]]. Taken flat that is a7ba8b with the offsets 0 1 2 3 4 5 6, and every third offset, 0 3 6,
    # bounds a row: the rows' texts take no pass of their own. Numbers are within bounds, which need no check.
    numbers = pa.py_buffer(memoryview(order.to_tensor()).cast("B"))
    flat = pa.Array.from_buffers(pa.int32(), order.num_rows * width, [None, numbers])
    _, offsets, data = pc.take(values, flat, boundscheck=False).buffers()
    ends = memoryview(offsets).cast("i")[: len(flat) + 1 : width].tobytes()
    return pa.Array.from_buffers(pa.string(), order.num_rows, [None, pa.py_buffer(ends), data])


def _lay_out(merged: list[TextPiece], rows: int) -> tuple[pa.Array, pa.RecordBatch]:
    """All texts in one array, and for each row the numbers of its texts."""
    row_numbers = count_up(rows)
    values, columns, first = list[pa.Array](), list[pa.Array](), 0
    for piece in merged:
        match piece:
            case str():
                texts, numbers = pa.array([piece], pa.string()), pa.repeat(pa.scalar(first, pa.int32()), rows)
            case RowTexts(texts, None):
                numbers = pc.add(row_numbers, pa.scalar(first, pa.int32()))
            case RowTexts(texts, chosen):
                numbers = pc.add(chosen, pa.scalar(first, pa.int32()))
        values.append(texts)
        columns.append(numbers)
        first += len(texts)
    return pa.concat_arrays(values), pa.RecordBatch.from_arrays(columns, names=[""] * len(columns))


def count_up(count: int) -> pa.Array:
    """0, 1, 2 and so on."""
    return pa.arange(0, count).cast(pa.int32())


def _merge_constants(pieces: Sequence[TextPiece], rows: int) -> Iterator[TextPiece]:
    """The same pieces with constants put together, or before the texts that follow them if those are few."""
    # '{' '"id":' RowTexts becomes '{"id":' RowTexts: each piece less is a number less for every row to gather.
    constant = ""
    for piece in pieces:
        if isinstance(piece, str):
            constant += piece
            continue
        if constant and _is_choice_of_few(piece, rows):
            yield RowTexts(_put_before(constant, piece.texts), piece.chosen)
        elif constant:
            yield constant
            yield piece
        else:
            yield piece
        constant = ""
    if constant:
        yield constant


def _is_choice_of_few(piece: RowTexts, rows: int) -> bool:
    return piece.chosen is not None and len(piece.texts) * _FOLDED <= rows


def _put_before(constant: str, texts: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(constant, texts, "", null_handling="replace", null_replacement="")


def _mean_size(piece: TextPiece) -> float:
    if isinstance(piece, str):
        return len(piece) + 4.0
    return float(piece.texts.nbytes) / max(1, len(piece.texts)) + 4.0
