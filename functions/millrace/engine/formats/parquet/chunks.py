"""Column chunks as the kernel's pages make them: headers, ranges and the chunk's own description in a footer.

The numbers are those of parquet.thrift (apache/parquet-format). What Arrow leaves out is left out here, too: a chunk
has the same bytes, whoever writes it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import pyarrow as pa

from millrace.engine.formats.parquet.thrift import BINARY, I32, I64, TRUE, as_binary, as_numbers, list_head
from millrace.engine.formats.streams.fast_zlib import find_zlib
from millrace.engine.formats.varints import as_zigzag
from millrace.engine.native.parquet_encoding import (
    DELTA,
    DICTIONARY,
    PLAIN,
    DictionaryBody,
    LeafForC,
    LeafType,
    PageBody,
    RowsForC,
)

_DATA_PAGE, _DICTIONARY_PAGE = 0, 2
_RLE = 3
_RLE_LEVELS = b"\x15\x06\x15\x06\x1c"
"""Both kinds of levels are of encoding 3, and statistics follow."""
BOOLEAN, INT32, INT64, FLOAT, DOUBLE, BYTE_ARRAY = 0, 1, 2, 4, 5, 6
"""Physical types."""
_FORMATS = {BOOLEAN: "<B", INT32: "<i", INT64: "<q", FLOAT: "<f", DOUBLE: "<d"}
_LONGEST_BOUND = 4096
"""The ends of a range that are longer stay out of the file."""
_ENCODINGS = {PLAIN: (_RLE, PLAIN), DELTA: (_RLE, DELTA), DICTIONARY: (PLAIN, _RLE, DICTIONARY)}
_CODECS = {"none": 0, "snappy": 1, "zstd": 6}

Range = tuple[bytes, bytes]


class PageCodec:
    """Compresses the bodies of pages, by Arrow's codecs."""

    def __init__(self, name: str, level: int | None = None) -> None:
        self.number = _CODECS[name]
        self._codec = None
        if name != "none":
            self._codec = pa.Codec(name, level)

    def compress(self, body: pa.Buffer) -> bytes:
        """A body as it is stored, in memory of its own."""
        if self._codec is None:
            return bytes(memoryview(body))
        # As bytes, since a buffer that is cut to its size is copied by the C library's allocator.
        stored: bytes = self._codec.compress(body, asbytes=True)
        return stored


@dataclass(frozen=True, slots=True)
class LeafPlan:
    """A column of a group: which one it is, its path in the file's schema, its type, and how it is encoded."""

    column: int
    path: bytes
    type: LeafType
    encoding: int


@dataclass(slots=True)
class Chunk:
    """A column chunk in the making: its bytes in pieces, and what the footer says of it."""

    plan: LeafPlan
    codec: int
    pieces: list[bytes] = field(default_factory=list)
    stored_bytes: int = 0
    unpacked_bytes: int = 0
    dictionary_bytes: int = 0
    pages: int = 0
    rows: int = 0
    nulls: int = 0
    text_bytes: int = 0
    range: Range | None = None

    def add_page(self, header: bytes, stored: bytes, unpacked: int) -> None:
        """Append a page."""
        self.pieces += [header, stored]
        self.stored_bytes += len(header) + len(stored)
        self.unpacked_bytes += len(header) + unpacked

    def count_page(self, page: PageBody) -> None:
        """Count what is in a page of rows."""
        self.pages += 1
        self.rows += page.rows
        self.nulls += page.nulls
        self.text_bytes += page.text_bytes
        if page.range is not None:
            self.range = (
                page.range if self.range is None else _join_ranges(self.plan.type.physical, self.range, page.range)
            )

    def describe(self, offset: int) -> tuple[bytes, list[tuple[int, int, int]]]:
        """The ColumnChunk for a footer, and the offsets in it: where they begin and end, and what they are."""
        return _describe_chunk(self, offset)


def encode_chunk(rows: RowsForC, plan: LeafPlan, codec: PageCodec) -> Chunk:
    """Encode and compress one column of a group.

    Raises: NotForKernel.
    """
    chunk = Chunk(plan, codec.number)
    described = _begin_chunk(rows, chunk, codec)
    for page in rows.pages(described):
        stored = codec.compress(page.body)
        chunk.add_page(_page_header(chunk, page, stored), stored, len(page.body))
        chunk.count_page(page)
    return chunk


def encode_dictionary(rows: RowsForC, plan: LeafPlan, codec: PageCodec) -> Chunk:
    """One column of a group with its dictionary alone, for its size.

    Raises: NotForKernel.
    """
    chunk = Chunk(plan, codec.number)
    _begin_chunk(rows, chunk, codec)
    return chunk


def _begin_chunk(rows: RowsForC, chunk: Chunk, codec: PageCodec) -> LeafForC:
    """Describe a column to C, and write its dictionary if it has one."""
    described = rows.leaf(chunk.plan.column, chunk.plan.type, chunk.plan.encoding)
    if chunk.plan.encoding == DICTIONARY:
        dictionary = rows.make_dictionary(described)
        stored = codec.compress(dictionary.body)
        chunk.add_page(_dictionary_header(dictionary, stored), stored, len(dictionary.body))
        chunk.dictionary_bytes = chunk.stored_bytes
        chunk.text_bytes = dictionary.text_bytes
    return described


def _start_header(kind: int, unpacked: int, stored: bytes) -> bytes:
    """The first fields of PageHeader: 1 type, 2 size unpacked, 3 size as stored, 4 sum."""
    crc: int = find_zlib().crc32(stored)
    if crc >= 2**31:  # stored as a signed number
        crc -= 2**32
    numbers = (kind, unpacked, len(stored), crc)
    return b"\x15" + b"\x15".join(map(as_zigzag, numbers))


def _dictionary_header(dictionary: DictionaryBody, stored: bytes) -> bytes:
    """A PageHeader with field 7, DictionaryPageHeader: 1 values, 2 encoding, 3 whether they are sorted (no)."""
    start = _start_header(_DICTIONARY_PAGE, len(dictionary.body), stored)
    return b"".join((start, b"\x3c\x15", as_zigzag(dictionary.entries), b"\x15", as_zigzag(PLAIN), b"\x12\0\0"))


def _page_header(chunk: Chunk, page: PageBody, stored: bytes) -> bytes:
    """A PageHeader with field 5, DataPageHeader: 1 rows, 2 to 4 encodings of values and levels, 5 statistics."""
    start = _start_header(_DATA_PAGE, len(page.body), stored)
    statistics = _describe_values(chunk.plan.type.physical, page.nulls, page.range)
    encoding = as_zigzag(chunk.plan.encoding)
    return b"".join((start, b"\x1c\x15", as_zigzag(page.rows), b"\x15", encoding, _RLE_LEVELS, statistics, b"\0\0"))


def _describe_values(physical: int, nulls: int, values: Range | None) -> bytes:
    """Statistics: 3 nulls, 5 and 6 the greatest and the least value, 7 and 8 that they are these.

    Fields 1 and 2 are 5 and 6 for old readers, which take all values for signed numbers.
    """
    if values is None:
        return b"\x36" + as_zigzag(nulls) + b"\0"
    least, greatest = map(as_binary, values)
    if physical == BYTE_ARRAY:
        return _describe_texts(nulls, least, greatest)
    both = b"".join((greatest, b"\x18", least))
    return b"".join((b"\x18", both, b"\x16", as_zigzag(nulls), b"\x28", both, b"\x11\x11\0"))


def _describe_texts(nulls: int, least: bytes, greatest: bytes) -> bytes:
    """The same for texts: long ones are left out, one by one."""
    fields = ((5, BINARY, greatest), (6, BINARY, least), (7, TRUE, b""), (8, TRUE, b""))
    described, last = b"\x36" + as_zigzag(nulls), 3
    for number, kind, value in fields:
        bound = greatest if number in {5, 7} else least
        if len(bound) <= _LONGEST_BOUND + 2:  # with two bytes for its length
            described += bytes([(number - last) << 4 | kind]) + value
            last = number
    return described + b"\0"


def _join_ranges(physical: int, one: Range, other: Range) -> Range:
    """The range of two pages."""
    if physical == BYTE_ARRAY:
        return min(one[0], other[0]), max(one[1], other[1])
    unpack = struct.Struct(_FORMATS[physical]).unpack
    return min(one[0], other[0], key=unpack), max(one[1], other[1], key=unpack)


def _describe_chunk(chunk: Chunk, offset: int) -> tuple[bytes, list[tuple[int, int, int]]]:
    """A ColumnChunk: 2 no offset of its own, 3 ColumnMetaData; and the offsets in it."""
    start, located = _start_metadata(chunk), list[tuple[int, int, int]]()
    # 9 where the pages begin, 11 where the dictionary is.
    places = [offset + chunk.dictionary_bytes]
    if chunk.dictionary_bytes:
        places.append(offset)
    for place in places:
        begin = len(start) + 1
        start += b"\x26" + as_zigzag(place)
        located.append((begin, len(start), place))
    # 12 statistics, 13 counts of pages, 16 sizes.
    statistics = _describe_values(chunk.plan.type.physical, chunk.nulls, chunk.range)
    to_statistics = b"\x1c" if chunk.dictionary_bytes else b"\x3c"
    rest = (to_statistics, statistics, b"\x19", _count_pages(chunk), _describe_sizes(chunk), b"\0\0")
    return b"".join((start, *rest)), located


def _start_metadata(chunk: Chunk) -> bytes:
    """ColumnMetaData: 1 type, 2 encodings, 3 path, 4 codec, 5 values, 6 size unpacked, 7 size as stored."""
    encodings = as_numbers(I32, _ENCODINGS[chunk.plan.encoding])
    sizes = (chunk.rows, chunk.unpacked_bytes, chunk.stored_bytes)
    return b"".join(
        (
            *(b"\x26\0\x1c\x15", as_zigzag(chunk.plan.type.physical), b"\x19", encodings),
            *(b"\x19", list_head(1, BINARY), as_binary(chunk.plan.path), b"\x15", as_zigzag(chunk.codec)),
            *(b"\x16", b"\x16".join(map(as_zigzag, sizes))),
        )
    )


def _count_pages(chunk: Chunk) -> bytes:
    """A list of PageEncodingStats: 1 kind of page, 2 encoding, 3 how many."""
    counts = [(_DATA_PAGE, chunk.plan.encoding, chunk.pages)]
    if chunk.dictionary_bytes:
        counts.insert(0, (_DICTIONARY_PAGE, PLAIN, 1))
    described = [b"\x15" + b"\x15".join(map(as_zigzag, count)) + b"\0" for count in counts]
    return list_head(len(counts)) + b"".join(described)


def _describe_sizes(chunk: Chunk) -> bytes:
    """SizeStatistics: 1 bytes of text, 2 and 3 how often each level comes; nothing of numbers that cannot be null."""
    is_text = chunk.plan.type.physical == BYTE_ARRAY
    if not (is_text or chunk.plan.type.is_nullable):
        return b""
    levels = (chunk.nulls, chunk.rows - chunk.nulls) if chunk.plan.type.is_nullable else ()
    texts = b"\x16" + as_zigzag(chunk.text_bytes) + b"\x19" if is_text else b"\x29"
    return b"".join((b"\x3c", texts, as_numbers(I64, ()), b"\x19", as_numbers(I64, levels), b"\0"))
