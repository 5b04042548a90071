"""The headers of Parquet's pages: they alone say what a page takes in memory, and Arrow believes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from millrace.engine.formats.parquet.thrift import BINARY, BYTE, DOUBLE, FALSE, STRUCT, TRUE
from millrace.engine.native.library import find_kernel

# The kinds of Thrift's compact protocol (doc/specs/thrift-compact-protocol.md of Apache Thrift). A field of a struct
# begins with a byte: in its upper half how much greater its number is than the last one's, in its lower half its kind.
# 0x15 0x80 0x01 is a field whose number is one greater, of the kind 5, with the integer 64.
_BYTES_OF = {TRUE: 0, FALSE: 0, BYTE: 1, DOUBLE: 8}
"""The kinds of a fixed size; a boolean has its value in its kind."""
_INTEGERS = (4, 5, 6)
_KIND, _UNPACKED, _PACKED = 1, 2, 3
_DICTIONARY = 2
"""What a page's kind is called in parquet.thrift: DICTIONARY_PAGE."""
_DEEPEST = 8


class _NoHeader(ValueError):
    """The bytes are no header of a page."""


@dataclass(slots=True)
class _HeaderReader:
    """Thrift's compact protocol, as much of it as a page's header uses."""

    data: memoryview
    at: int

    def byte(self) -> int:
        if self.at >= len(self.data):
            raise _NoHeader
        self.at += 1
        return self.data[self.at - 1]

    def varint(self) -> int:
        number = shift = 0
        # Ten bytes of seven bits hold 64 bits; without an end, damaged bytes would make a number of a megabyte.
        while shift < 70:
            byte = self.byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7
        raise _NoHeader

    def integer(self) -> int:
        number = self.varint()
        return (number >> 1) ^ -(number & 1)

    def fields(self) -> Iterator[tuple[int, int]]:
        """Number and type of each field of a struct, whose value is to be read or skipped before the next."""
        number = 0
        while head := self.byte():
            step = head >> 4
            # An upper half of 0 says that the number itself follows, zigzag: for steps above 15, and backwards.
            if step:
                number += step
            else:
                number = self.integer()
            yield number, head & 0xF

    def skip(self, kind: int, depth: int = 0) -> None:
        """Pass a value by; raise _NoHeader for kinds that no page's header has."""
        if depth > _DEEPEST:
            raise _NoHeader
        if kind in _INTEGERS:
            self.varint()
        elif kind == BINARY:
            length = self.varint()
            self.at += length
        elif kind == STRUCT:
            for _, inner in self.fields():
                self.skip(inner, depth + 1)
        # Lists, sets and maps are left out: a page's header has none (parquet.thrift, PageHeader).
        elif kind in _BYTES_OF:
            self.at += _BYTES_OF[kind]
        else:
            raise _NoHeader


@dataclass(frozen=True, slots=True)
class Page:
    """What a page's header says, and its bytes as they are stored."""

    kind: int
    unpacked: int
    stored: memoryview


def list_pages(data: memoryview) -> Iterator[Page]:
    """The pages of a column chunk; ends at the first bytes that are none."""
    reader = _HeaderReader(data, 0)
    try:
        while reader.at < len(data):
            numbers = {_KIND: -1, _UNPACKED: 0, _PACKED: 0}
            for number, kind in reader.fields():
                if number in numbers and kind in _INTEGERS:
                    numbers[number] = reader.integer()
                else:
                    reader.skip(kind)
            end = reader.at + numbers[_PACKED]
            yield Page(numbers[_KIND], numbers[_UNPACKED], data[reader.at : max(reader.at, end)])
            # Backwards would read the same page for ever.
            if end < reader.at:
                return
            reader.at = end
    except _NoHeader:
        return


def measure_largest(data: memoryview) -> int:
    """The most bytes that a page of a column chunk says to be unpacked; 0 without one."""
    kernel = find_kernel()
    if kernel is not None:
        from millrace.engine.native.parquet_pages import find_largest_page  # noqa: PLC0415 - only a kernel needs ctypes

        largest = find_largest_page(kernel, data)
        if largest is not None:
            return largest
    return max(map(_unpacked_size, list_pages(data)), default=0)


def _unpacked_size(page: Page) -> int:
    return page.unpacked


def first_dictionary(data: memoryview) -> Page | None:
    """The dictionary of a column chunk, if it begins with one."""
    page = next(list_pages(data), None)
    return page if page is not None and page.kind == _DICTIONARY else None
