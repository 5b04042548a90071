"""Avro's container files: a header with the schema, then blocks of rows, each closed by the file's sync marker.

Source: the Avro specification 1.12, "Object Container Files". Every block is bounded before its bytes are taken, and
every marker is compared: a file that was cut off or put together wrongly is refused at the byte where it is.
"""

from __future__ import annotations

import bz2
import hashlib
import json
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa

from millrace.engine.formats.base import ByteSink
from millrace.engine.formats.limits import MAX_PAGE_BYTES
from millrace.engine.formats.streams.decompression import ByteStream
from millrace.engine.formats.varints import as_zigzag
from millrace.errors import DataError, MalformedFile, TooBig, TruncatedFile, UnsupportedType

MAGIC = b"Obj\x01"
SYNC_BYTES = 16
"""The marker behind each block, which the file's head names."""
_SCHEMA, _CODEC = "avro.schema", "avro.codec"
_MOST_METADATA = 16 * 2**20
"""Of the file's head: it is in memory as a whole, and holds a schema as text."""
_LONGEST_VARINT = 10
"""Bytes of seven bits for a number of 64."""
_READ_BYTES = 2**18
"""Asked of the source at once while the head and the blocks' sizes are read."""


@dataclass(frozen=True, slots=True)
class AvroBlock:
    """Rows of a file as they are encoded, unpacked; ``byte`` is where the block begins in the file."""

    number: int
    byte: int
    rows: int
    data: bytes


class _Bytes:
    """A stream that is read in small steps, and knows where it is."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._data = b""
        self._at = 0
        self.byte = 0

    def take(self, size: int, what: str) -> bytes:
        """The next bytes, exactly so many; raise TruncatedFile that says in what the file ends."""
        if not self.has(size):
            end = self.byte + len(self._data) - self._at
            raise TruncatedFile(f"the Avro file stops after {end:,} bytes, in {what}", byte=end)
        taken = self._data[self._at : self._at + size]
        self._at += size
        self.byte += size
        return taken

    def has(self, size: int) -> bool:
        """Whether there are so many bytes more."""
        pieces, count = [self._data[self._at :]], len(self._data) - self._at
        if count >= size:
            return True
        # The mark is read alone, so that little of a file of another format is fetched.
        step = _READ_BYTES if self.byte else size
        while count < size and (piece := self._stream.read(max(step, size - count))):
            pieces.append(piece)
            count += len(piece)
        self._data, self._at = b"".join(pieces), 0
        return count >= size

    def take_long(self, what: str) -> int:
        """A number in as few bytes as it needs: 1 is 0x02, -1 is 0x01, 64 is 0x80 0x01."""
        number = 0
        for step in range(_LONGEST_VARINT):
            byte = self.take(1, what)[0]
            number |= (byte & 127) << 7 * step
            if byte < 128:
                return (number >> 1) ^ -(number & 1)
        raise MalformedFile(f"{what} has a number of more than {_LONGEST_VARINT} bytes", byte=self.byte)

    def take_bytes(self, what: str, most: int) -> bytes:
        """Bytes behind their count."""
        size = self.take_long(what)
        if not 0 <= size <= most:
            raise MalformedFile(f"{what} says it has {size:,} bytes; at most {most:,} are expected", byte=self.byte)
        return self.take(size, what)


class AvroFile:
    """An opened container: its schema as JSON, its metadata, and its blocks, to be pulled once.

    ``head_bytes`` is where the first block begins.
    """

    def __init__(self, stream: ByteStream) -> None:
        self._bytes = _Bytes(stream)
        head = self._bytes.take(len(MAGIC), "its header")
        if head != MAGIC:
            raise MalformedFile(f"the file is not Avro: it begins with {head!r} instead of {MAGIC!r}", byte=0)
        self.metadata = self._read_metadata()
        self._sync = self._bytes.take(SYNC_BYTES, "its header")
        self.codec = self.metadata.get(_CODEC, b"null").decode(errors="replace")
        if self.codec not in _UNPACK:
            raise UnsupportedType(f"the Avro file is packed by {self.codec!r}; known are {', '.join(_UNPACK)}")
        self.schema = self._parse_schema()
        self.head_bytes = self._bytes.byte

    def _read_metadata(self) -> dict[str, bytes]:
        what, metadata = "its header", dict[str, bytes]()
        while count := self._bytes.take_long(what):
            # A negative count says that the bytes of the entries follow, for readers that pass them by ("Complex
            # types", maps).
            if count < 0:
                self._bytes.take_long(what)  # how many bytes the entries have
            for _ in range(abs(count)):
                name = self._bytes.take_bytes(what, _MOST_METADATA).decode(errors="replace")
                metadata[name] = self._bytes.take_bytes(what, _MOST_METADATA)
                if self._bytes.byte > 2 * _MOST_METADATA:
                    raise TooBig(f"the Avro file's header has more than {2 * _MOST_METADATA:,} bytes")
        return metadata

    def _parse_schema(self) -> Any:
        if _SCHEMA not in self.metadata:
            raise MalformedFile(f"the Avro file's header has no {_SCHEMA}")
        try:
            return json.loads(self.metadata[_SCHEMA])
        except (ValueError, RecursionError) as error:
            raise MalformedFile(f"the schema in the Avro file's header is no JSON: {error}") from error

    def blocks(self) -> Iterator[AvroBlock]:
        """The blocks in their order."""
        number = 0
        while self._bytes.has(1):
            number += 1
            byte = self._bytes.byte
            what = f"block {number:,}, which begins at byte {byte:,}"
            rows = self._bytes.take_long(what)
            if rows < 0:
                raise MalformedFile(f"{what} says it has {rows:,} rows", byte=byte)
            packed = self._take_packed(what)
            if self._bytes.take(SYNC_BYTES, what) != self._sync:
                raise MalformedFile(f"{what} does not end with the file's sync marker: it is damaged", byte=byte)
            yield AvroBlock(number, byte, rows, self._unpack(packed, what, byte))

    def _take_packed(self, what: str) -> bytes:
        size = self._bytes.take_long(what)
        if size < 0:
            raise MalformedFile(f"{what} says it has {size:,} bytes", byte=self._bytes.byte)
        if size > MAX_PAGE_BYTES:
            raise _too_big(what, size)
        return self._bytes.take(size, what)

    def _unpack(self, packed: bytes, what: str, byte: int) -> bytes:
        try:
            return _UNPACK[self.codec](packed, what)
        except DataError:
            raise
        except (zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, pa.ArrowException) as error:
            raise MalformedFile(f"{what} cannot be unpacked by {self.codec}: {error}", byte=byte) from error


def _too_big(what: str, size: int) -> TooBig:
    return TooBig(
        f"{what} has {size:,} bytes or more; {MAX_PAGE_BYTES:,} are the most of one block: write smaller blocks"
    )


def _keep(packed: bytes, _what: str) -> bytes:
    return packed


def _with_decompressor(begin: Callable[[], Any]) -> Callable[[bytes, str], bytes]:
    def unpack(packed: bytes, what: str) -> bytes:
        decompressor = begin()
        # One byte more than is allowed: enough to know that there is too much, and nothing beyond is unpacked.
        data: bytes = decompressor.decompress(packed, MAX_PAGE_BYTES + 1)
        if len(data) > MAX_PAGE_BYTES:
            raise _too_big(what, len(data))
        # zlib and lzma give what they have of data that was cut, without an error.
        if not decompressor.eof:
            raise EOFError("it stops before its end")
        return data

    return unpack


def _unpack_snappy(packed: bytes, what: str) -> bytes:
    """Snappy's raw form, which begins with the size, and the CRC-32 of the content behind it."""
    size = shift = 0
    for byte in packed[:5]:
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    if size > MAX_PAGE_BYTES:
        raise _too_big(what, size)
    data: bytes = pa.Codec("snappy").decompress(packed[:-4], decompressed_size=size, asbytes=True)
    # The plain CRC-32, big-endian; snappy's own framing has CRC-32C, masked and little-endian.
    if zlib.crc32(data) != int.from_bytes(packed[-4:], "big"):
        raise ValueError("its checksum is another")
    return data


def _unpack_zstd(packed: bytes, what: str) -> bytes:
    stream = pa.CompressedInputStream(pa.BufferReader(packed), "zstd")
    data: bytes = stream.read(MAX_PAGE_BYTES + 1)
    if len(data) > MAX_PAGE_BYTES:
        raise _too_big(what, len(data))
    return data


_UNPACK: Mapping[str, Callable[[bytes, str], bytes]] = {
    "null": _keep,
    # Negative window bits: Avro's deflate is raw (RFC 1951), without zlib's head and sum.
    "deflate": _with_decompressor(lambda: zlib.decompressobj(-15)),
    "snappy": _unpack_snappy,
    "zstandard": _unpack_zstd,
    "bzip2": _with_decompressor(bz2.BZ2Decompressor),
    "xz": _with_decompressor(lzma.LZMADecompressor),
}


def _pack_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
    return compressor.compress(data) + compressor.flush()


def _pack_snappy(data: bytes) -> bytes:
    return bytes(pa.Codec("snappy").compress(data, asbytes=True)) + zlib.crc32(data).to_bytes(4, "big")


def _pack_zstd(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data, asbytes=True))


PACK: Mapping[str, Callable[[bytes], bytes]] = {
    "null": bytes,
    "deflate": _pack_deflate,
    "snappy": _pack_snappy,
    "zstandard": _pack_zstd,
}
"""How a block is packed, by the codec's name in the file."""


class AvroSink:
    """Writes a container; the same schema and rows are the same file, its sync marker with them."""

    def __init__(self, sink: ByteSink, schema: Any, codec: str, lineage: Mapping[str, str]) -> None:
        self._sink = sink
        self._pack = PACK[codec]
        metadata = {name: value.encode() for name, value in sorted(lineage.items())}
        metadata |= {_SCHEMA: json.dumps(schema, ensure_ascii=False).encode(), _CODEC: codec.encode()}
        entries = b"".join(_encode_text(name.encode()) + _encode_text(value) for name, value in metadata.items())
        # Random bytes would do, too; those of a digest make the output a matter of its content alone.
        self._sync = hashlib.sha256(entries).digest()[:SYNC_BYTES]
        sink.write(MAGIC + as_zigzag(len(metadata)) + entries + b"\x00" + self._sync)

    def write(self, rows: int, data: bytes) -> None:
        """Write a block of encoded rows."""
        packed = self._pack(data)
        self._sink.write(as_zigzag(rows) + as_zigzag(len(packed)) + packed + self._sync)


def _encode_text(data: bytes) -> bytes:
    return as_zigzag(len(data)) + data


def open_container(source: BinaryIO) -> AvroFile:
    """The container that a seekable file is."""
    source.seek(0)
    return AvroFile(source)
