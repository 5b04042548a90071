"""Values of Thrift's compact protocol, as headers of pages and footers are written (thrift-compact-protocol.md).

A struct is its fields in the order of their numbers, and a zero byte. A field begins with a byte: its upper half says
by how much its number is greater than the last one's, its lower half of what type it is. So 0x15 0x04 is, as the first
field, number 1 with an I32 of 2.
"""

from __future__ import annotations

from collections.abc import Sequence

from millrace.engine.formats.varints import as_varint, as_zigzag

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
"""Types of values: the lower half of the byte that begins a field."""
LONG_LIST = 15
"""The upper half of a list's first byte, if the number of its items follows instead of being there."""


def as_binary(value: bytes) -> bytes:
    """Bytes behind their length."""
    return as_varint(len(value)) + value


def list_head(count: int, kind: int = STRUCT) -> bytes:
    """What a list begins with, by default of structs."""
    if count < LONG_LIST:
        return bytes([count << 4 | kind])
    return bytes([LONG_LIST << 4 | kind]) + as_varint(count)


def as_numbers(kind: int, numbers: Sequence[int]) -> bytes:
    """A list of numbers of 32 or 64 bits."""
    return list_head(len(numbers), kind) + b"".join(map(as_zigzag, numbers))
