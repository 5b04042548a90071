"""CRC-32C (Castagnoli), of blocks of some ten kilobytes; Python's zlib has another polynomial."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache

_POLYNOMIAL = 0x82F63B78
"""0x1EDC6F41 with its bits reversed (RFC 3720, appendix B.4)."""
_COLUMNS = 256
_FROM_BYTES = 16 * _COLUMNS
"""Below that, columns are so short that one byte after the other is quicker."""


def crc32c(data: bytes) -> int:
    """The sum of the data: 0xE3069283 for ``b"123456789"``.

    One byte after the other, Python sums 3 MB/s. So the data is laid out in 256 columns, and a step takes a row of
    them, a byte of each column: 65,536 bytes are 256 steps on texts of 256 bytes, by ``translate`` and by exclusive or
    of large integers, 24 MB/s (128 to 2,048 columns were measured). Then the columns' sums are put together: a sum is
    linear, so that of ``ab`` is that of ``a`` followed by as many zeros as ``b`` is long, exclusive or that of ``b``.
    """
    rows = len(data) // _COLUMNS if len(data) >= _FROM_BYTES else 0
    state = 0xFFFFFFFF
    if rows:
        shift = _shift_tables(rows)
        for of_column in _column_sums(data, rows):
            state = _shift(state, shift) ^ of_column
    table = _table()
    for byte in data[rows * _COLUMNS :]:
        state = state >> 8 ^ table[(state ^ byte) & 0xFF]
    return state ^ 0xFFFFFFFF


def _column_sums(data: bytes, rows: int) -> Iterator[int]:
    """The sum of each of 256 columns of ``rows`` bytes, from a state of 0."""
    # The state of a column is four bytes; `low` to `high` hold such a byte of every column.
    low = second = third = high = 0
    tables = _byte_tables()
    for row in range(rows):
        # `data[row::rows]` is byte number `row` of every column: column 0 is `data[0:rows]`, column 1 the next `rows`
        # bytes. One exclusive or of two integers of 2,048 bits is 256 steps of the loop in `crc32c` at once.
        index = (low ^ int.from_bytes(data[row : rows * _COLUMNS : rows])).to_bytes(_COLUMNS)
        looked_up = [int.from_bytes(index.translate(table)) for table in tables]
        # `state >> 8 ^ entry` for all columns: each byte moves down by one, and the entry's byte of that place is
        # added.
        low, second, third, high = (
            second ^ looked_up[0],
            third ^ looked_up[1],
            high ^ looked_up[2],
            looked_up[3],
        )
    planes = [plane.to_bytes(_COLUMNS) for plane in (low, second, third, high)]
    for a, b, c, d in zip(*planes, strict=True):
        yield a | b << 8 | c << 16 | d << 24


@cache
def _table() -> tuple[int, ...]:
    """What a byte does to the state."""
    table = []
    for state in range(256):
        for _ in range(8):
            state = state >> 1 ^ (_POLYNOMIAL if state & 1 else 0)  # noqa: PLW2901 - eight steps of one bit
        table.append(state)
    return tuple(table)


@cache
def _byte_tables() -> tuple[bytes, bytes, bytes, bytes]:
    """The lowest, second, third and highest byte of each entry of the table."""
    lowest, second, third, highest = zip(*(entry.to_bytes(4, "little") for entry in _table()), strict=True)
    return bytes(lowest), bytes(second), bytes(third), bytes(highest)


@lru_cache(maxsize=4)
def _shift_tables(zeros: int) -> tuple[tuple[int, ...], ...]:
    """For each byte of a state what it becomes after so many zeros."""
    table = _table()
    of_bit = []
    # Zeros are linear, too: what 32 single bits become is enough, and any state is put together of them. So a table
    # costs 32 walks over the zeros, not 1,024.
    for bit in range(32):
        state = 1 << bit
        for _ in range(zeros):
            state = state >> 8 ^ table[state & 0xFF]
        of_bit.append(state)
    tables = []
    for byte in range(4):
        entries = [0] * 256
        for value in range(1, 256):
            # 0b10110 is 0b10100 and its lowest bit, whose entries are known.
            lowest = value & -value
            entries[value] = entries[value ^ lowest] ^ of_bit[8 * byte + lowest.bit_length() - 1]
        tables.append(tuple(entries))
    return tuple(tables)


def _shift(state: int, tables: tuple[tuple[int, ...], ...]) -> int:
    return (
        tables[0][state & 0xFF] ^ tables[1][state >> 8 & 0xFF] ^ tables[2][state >> 16 & 0xFF] ^ tables[3][state >> 24]
    )
