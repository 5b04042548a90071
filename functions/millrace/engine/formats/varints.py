"""Whole numbers in as few bytes as they need, as Avro and Thrift's compact protocol have them."""

from __future__ import annotations

from functools import lru_cache


def as_varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; every byte but the last has its highest bit set."""
    stored = bytearray()
    while number > 127:
        stored.append(number & 127 | 128)
        number >>= 7
    stored.append(number)
    return bytes(stored)


@lru_cache(2**14)  # small numbers come again and again: lengths, counts, codes
def as_zigzag(number: int) -> bytes:
    """A number of up to 64 bits: 0, -1, 1, -2, ... are stored as 0, 1, 2, 3, ..."""
    # The sign comes last, so that small negative numbers are short, too. `>> 63` is 0 or -1, all bits of the sign.
    return as_varint((number << 1) ^ (number >> 63))
