"""Parquet files that were written apart, joined into one: their row groups one behind the other, and one footer.

A footer says where each column begins in its file. Moved behind 5,000 bytes of other row groups, a column that began
at byte 4 begins at byte 5,004; nothing else in a row group depends on where it is. So the joined file has the same
bytes as if one writer had written all of the row groups.

A footer is a struct of Thrift's compact protocol (thrift-compact-protocol.md of apache/thrift), whose fields are those
of ``FileMetaData`` in parquet.thrift (apache/parquet-format). Only the numbers that change are understood; all other
bytes are copied.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from millrace.engine.formats.parquet.thrift import (
    BINARY,
    BYTE,
    DOUBLE,
    FALSE,
    I16,
    I32,
    I64,
    LIST,
    LONG_LIST,
    SET,
    STRUCT,
    TRUE,
    list_head,
)
from millrace.engine.formats.varints import as_zigzag

MAGIC = b"PAR1"
_LENGTH_BYTES = 4

_WIDTHS = {TRUE: 0, FALSE: 0, BYTE: 1, DOUBLE: 8}
_NUMBERS = frozenset({I16, I32, I64})

# FileMetaData: 1 version, 2 schema, 3 number of rows, 4 row groups; the rest is the same in all files of a table.
_ROWS, _ROW_GROUPS = 3, 4
_ROWS_HEAD, _ROW_GROUPS_HEAD = bytes([1 << 4 | I64]), bytes([1 << 4 | LIST])
# RowGroup.
_COLUMNS, _GROUP_OFFSET, _ORDINAL = 1, 5, 7
# ColumnChunk. Its own offset is 0 where its metadata is in the footer alone.
_CHUNK_OFFSET, _CHUNK_METADATA = 2, 3
_CHUNK_INDEXES = frozenset({4, 5, 6, 7})
# ColumnMetaData: of data pages, index pages, the dictionary and the Bloom filter.
_PAGE_OFFSETS = frozenset({9, 10, 11, 14})


class UnjoinableFooter(ValueError):
    """A footer of another shape than those that are joined: Arrow writes them without page indexes."""


@dataclass(frozen=True, slots=True)
class PlacedNumber:
    """A number in a row group's description: the bytes that hold it, and its value."""

    start: int
    end: int
    value: int


@dataclass(frozen=True, slots=True)
class GroupDescription:
    """A row group as its footer describes it; ``offsets`` are the numbers in it that change when it moves."""

    description: bytes
    offsets: tuple[PlacedNumber, ...]
    ordinal: PlacedNumber | None

    def moved(self, by: int, ordinal: int) -> bytes:
        """The description of the row group ``by`` bytes further on, the file's ``ordinal``-th, counted from 0."""
        pieces, copied = list[bytes](), 0
        for number in self.offsets:
            pieces += [self.description[copied : number.start], as_zigzag(number.value + by)]
            copied = number.end
        if self.ordinal is not None:
            pieces += [self.description[copied : self.ordinal.start], as_zigzag(ordinal)]
            copied = self.ordinal.end
        return b"".join([*pieces, self.description[copied:]])


@dataclass(frozen=True, slots=True)
class Footer:
    """A file's footer. ``before`` holds version and schema, ``behind`` all that follows the row groups."""

    before: bytes
    rows: int
    groups: tuple[GroupDescription, ...]
    behind: bytes


def split_file(data: memoryview) -> tuple[memoryview, memoryview]:
    """A whole file's row groups, which begin behind four bytes of magic, and its footer without length and magic."""
    end = len(data) - _LENGTH_BYTES - len(MAGIC)
    start = end - int.from_bytes(data[end : end + _LENGTH_BYTES], "little")
    return data[len(MAGIC) : start], data[start:end]


def file_end(footer: bytes) -> bytes:
    """What a file ends with: the footer, its length and the magic."""
    return footer + len(footer).to_bytes(_LENGTH_BYTES, "little") + MAGIC


def read_footer(data: bytes) -> Footer:
    """Read a footer; raise UnjoinableFooter if a column has page indexes, or if fields are missing or out of order."""
    walker = _Walker(data)
    start = _go_to_rows(walker)
    rows = walker.read_number()
    number, _ = walker.next_field(_ROWS)
    if number != _ROW_GROUPS:
        raise UnjoinableFooter("the footer of a Parquet file has no row groups behind the number of rows")
    _, count = walker.read_list_head()
    groups = list[GroupDescription]()
    for _ in range(count):
        groups.append(_read_group(walker))
    return Footer(data[:start], rows, tuple(groups), data[walker.at :])


def read_rows(data: bytes) -> int:
    """How many rows a file has by its footer; raises UnjoinableFooter if it does not say."""
    walker = _Walker(data)
    _go_to_rows(walker)
    return walker.read_number()


def _go_to_rows(walker: _Walker) -> int:
    """Step to the number of rows; gives where its field begins."""
    start, number = 0, 0
    while number != _ROWS:
        start = walker.at
        number, kind = walker.next_field(number)
        if number > _ROWS or kind is None:
            raise UnjoinableFooter("the footer of a Parquet file does not say how many rows there are")
        if number != _ROWS:
            walker.skip(kind)
    return start


class JoinedFooter:
    """One footer in the making, for the row groups of several files that are one behind the other.

    It keeps the bytes of what is added: what was read of them takes five times as much memory.
    """

    def __init__(self, first: Footer) -> None:
        self._before, self._behind = first.before, first.behind
        self._rows = 0
        self._groups: list[bytes] = []

    def add(self, footer: Footer, by: int) -> None:
        """Add the row groups of a file, moved by so many bytes.

        Raises UnjoinableFooter if the files differ in their schemas, their key-value pairs or in who wrote them.
        """
        if (footer.before, footer.behind) != (self._before, self._behind):
            raise UnjoinableFooter("these Parquet files differ in more than their row groups")
        self._rows += footer.rows
        for group in footer.groups:
            self._groups.append(group.moved(by, len(self._groups)))

    def to_bytes(self) -> bytes:
        """The footer, without its length and magic."""
        rows = _ROWS_HEAD + as_zigzag(self._rows)
        groups = _ROW_GROUPS_HEAD + list_head(len(self._groups))
        return b"".join([self._before, rows, groups, *self._groups, self._behind])


def join_footers(footers: Sequence[Footer], moves: Iterable[int]) -> bytes:
    """One footer for the row groups of several files, each file's moved by so many bytes; see ``JoinedFooter``."""
    joined = JoinedFooter(footers[0])
    for footer, by in zip(footers, moves, strict=True):
        joined.add(footer, by)
    return joined.to_bytes()


def _read_group(walker: _Walker) -> GroupDescription:
    start, offsets, ordinal = walker.at, list[PlacedNumber](), None
    number = 0
    while True:
        number, kind = walker.next_field(number)
        if kind is None:
            break
        if number == _COLUMNS:
            _, count = walker.read_list_head()
            for _ in range(count):
                _read_chunk(walker, start, offsets)
        elif number == _GROUP_OFFSET:
            offsets.append(walker.locate_number(start))
        elif number == _ORDINAL:
            ordinal = walker.locate_number(start)
        else:
            walker.skip(kind)
    return GroupDescription(walker.data[start : walker.at], tuple(offsets), ordinal)


def _read_chunk(walker: _Walker, start: int, offsets: list[PlacedNumber]) -> None:
    """Walk over a ColumnChunk; add where it says that it lies."""
    number = 0
    while True:
        number, kind = walker.next_field(number)
        if kind is None:
            return
        if number == _CHUNK_OFFSET:
            located = walker.locate_number(start)
            if located.value:
                offsets.append(located)
        elif number == _CHUNK_METADATA:
            _read_chunk_metadata(walker, start, offsets)
        elif number in _CHUNK_INDEXES:
            raise UnjoinableFooter("a column of a Parquet file has page indexes, which hold offsets of their own")
        else:
            walker.skip(kind)


def _read_chunk_metadata(walker: _Walker, start: int, offsets: list[PlacedNumber]) -> None:
    number = 0
    while True:
        number, kind = walker.next_field(number)
        if kind is None:
            return
        if number in _PAGE_OFFSETS:
            offsets.append(walker.locate_number(start))
        else:
            walker.skip(kind)


class _Walker:
    """Walks over Thrift's compact protocol; ``at`` is the next byte's position."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def next_field(self, last: int) -> tuple[int, int | None]:
        """The next field's number and type; the type None means that the struct ends here.

        A field's number counts from the ``last`` one: 0x26 is two further on (2) and an I64 (6).
        """
        head = self.data[self.at]
        self.at += 1
        if not head:
            return last, None
        if head >> 4:
            return last + (head >> 4), head & 15
        return self.read_number(), head

    def read_number(self) -> int:
        """A number as zigzag: 0, -1, 1, -2, ... are stored as 0, 1, 2, 3, ..."""
        stored = self._read_varint()
        return (stored >> 1) ^ -(stored & 1)

    def locate_number(self, start: int) -> PlacedNumber:
        """A number and where its bytes are, counted from ``start``."""
        begin = self.at
        value = self.read_number()
        return PlacedNumber(begin - start, self.at - start, value)

    def read_list_head(self) -> tuple[int, int]:
        """A list's type and number of items."""
        head = self.data[self.at]
        self.at += 1
        count = head >> 4
        if count == LONG_LIST:
            count = self._read_varint()
        return head & 15, count

    def skip(self, kind: int) -> None:
        """Pass over a field's value."""
        if kind in _NUMBERS:
            data, at = self.data, self.at
            while data[at] > 127:
                at += 1
            self.at = at + 1
        elif kind == BINARY:
            length = self._read_varint()
            self.at += length
        elif kind == STRUCT:
            self._skip_struct()
        elif kind in {LIST, SET}:
            self._skip_list()
        elif kind in _WIDTHS:
            self.at += _WIDTHS[kind]
        else:
            raise UnjoinableFooter(f"the footer of a Parquet file has a field of type {kind}, which none has")

    def _skip_struct(self) -> None:
        number, kind = self.next_field(0)
        while kind is not None:
            self.skip(kind)
            number, kind = self.next_field(number)

    def _skip_list(self) -> None:
        kind, count = self.read_list_head()
        if kind in {TRUE, FALSE}:  # in a list, a boolean is a byte
            kind = BYTE
        for _ in range(count):
            self.skip(kind)

    def _read_varint(self) -> int:
        """Seven bits a byte, the lowest first; every byte but the last has its highest bit set."""
        byte = self.data[self.at]
        self.at += 1
        number, shift = byte & 127, 7
        while byte > 127:
            byte = self.data[self.at]
            self.at += 1
            number |= (byte & 127) << shift
            shift += 7
        return number
