"""What an ORC file says of itself at its end: rows, stripes, and how many values and bytes its columns have.

Source: the Apache ORC specification v1, "File Tail" and "Column Statistics", whose messages are protocol buffers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_FOOTER, _METADATA, _STATISTICS = 2, 5, 7
_COUNT, _STRINGS, _BINARIES = 1, 4, 8
_SUM_OF_STRINGS, _SUM_OF_BINARIES = 3, 1
_BYTES_OF_A_VALUE = 8
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class OrcTail:
    """``expanded`` is about how many bytes all values take in memory, ``metadata`` are the user's names."""

    expanded: int
    metadata: tuple[str, ...]


def read_tail(serialized: bytes) -> OrcTail:
    """What the serialized tail says; raise ValueError or IndexError for one that is damaged."""
    # The serialized tail is a message FileTail (orc_proto.proto): the postscript is its field 1, the footer its field
    # 2.
    footer = next((value for number, value in _fields(serialized) if number == _FOOTER), b"")
    expanded, names = 0, list[str]()
    for number, value in _fields(_as_bytes(footer)):
        if number == _STATISTICS:
            expanded += _size_of_column(_as_bytes(value))
        elif number == _METADATA:
            names += [_as_bytes(text).decode(errors="replace") for part, text in _fields(_as_bytes(value)) if part == 1]
    return OrcTail(expanded, tuple(names))


def _size_of_column(statistics: bytes) -> int:
    size = 0
    for number, value in _fields(statistics):
        if number == _COUNT and isinstance(value, int):
            size += value * _BYTES_OF_A_VALUE
        elif number == _STRINGS:
            size += _sum(_as_bytes(value), _SUM_OF_STRINGS)
        elif number == _BINARIES:
            size += _sum(_as_bytes(value), _SUM_OF_BINARIES)
    return size


def _sum(statistics: bytes, field: int) -> int:
    total = next((value for number, value in _fields(statistics) if number == field), 0)
    if not isinstance(total, int):
        return 0
    # Zigzag: sint64 has the sign in its lowest bit, 0, -1, 1, -2 are 0, 1, 2, 3 (Protocol Buffers, "Encoding"). A
    # writer whose sum has overflown writes a negative one, which must not make the file smaller.
    return max(0, (total >> 1) ^ -(total & 1))


def _as_bytes(value: int | bytes) -> bytes:
    return value if isinstance(value, bytes) else b""


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message: ``0x08 0x96 0x01`` is field 1 with the number 150."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        # A key is the field's number and, in its lowest three bits, the kind: 0x08 is 1 and 0, field 1 as a varint.
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        size = {_FIXED64: 8, _FIXED32: 4}.get(kind, 0)
        if kind == _BYTES:
            size, at = _varint(message, at)
        # Kinds 3 and 4 are groups, which ORC does not use; without a size they cannot be passed by.
        if not size and kind != _BYTES:
            raise ValueError(f"a field of the unknown kind {kind}")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = message[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7
