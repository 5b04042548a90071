"""Compressed text outputs, as streams: the same content is the same file to the byte."""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Callable
from typing import Protocol

import pyarrow as pa

from millrace.engine.formats.base import ByteSink, RecordWriter, Text, Writer
from millrace.engine.formats.streams.arrow_sink import ArrowSink
from millrace.engine.options import OutputCompression, WriteOptions

_GZIP_LEVEL = 4
"""Measured on trips and reviews: level 4 compresses 60 to 110 MB/s to 26 and 16 %, level 6 21 to 29 MB/s to 24 and
13 %, and 9 only 7 MB/s for half a percent more."""
_GZIP_CONTAINER = 31
"""Window bits that ask zlib for a gzip file: it writes neither a time nor a name into its head."""


class _Compressor(Protocol):
    def compress(self, data: bytes | memoryview, /) -> bytes: ...

    def flush(self) -> bytes: ...


class _Zstd:
    """Arrow's stream with the methods of the others; like them it lets go of the interpreter while it compresses."""

    def __init__(self) -> None:
        self._ready = _CompressedBytes()
        self._stream = pa.CompressedOutputStream(self._ready, "zstd")

    def compress(self, data: bytes | memoryview, /) -> bytes:
        self._stream.write(data)
        return self._ready.take()

    def flush(self) -> bytes:
        self._stream.close()
        return self._ready.take()


class _CompressedBytes(ArrowSink):
    """What is compressed already, as a file that Arrow writes to."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(data)
        return len(data)

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


_COMPRESSORS: dict[OutputCompression, Callable[[], _Compressor]] = {
    OutputCompression.GZIP: lambda: zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_CONTAINER),
    OutputCompression.ZSTD: _Zstd,
    OutputCompression.BZIP2: bz2.BZ2Compressor,
}


class _Compressing:
    """A sink that hands on what it takes, compressed."""

    def __init__(self, sink: ByteSink, begin: Callable[[], _Compressor]) -> None:
        self._sink = sink
        self._begin = begin
        self._compressor = begin()
        self._is_new = True

    def write(self, data: bytes | memoryview, /) -> int:
        self._is_new = False
        if compressed := self._compressor.compress(data):
            self._sink.write(compressed)
        return len(data)

    def end_member(self) -> None:
        """Compress what follows apart from what was written, if anything was."""
        if self._is_new:
            return
        self.finish()
        self._compressor = self._begin()
        self._is_new = True

    def finish(self) -> None:
        self._sink.write(self._compressor.flush())


class _CompressedWriter:
    """A writer whose bytes are compressed on their way."""

    def __init__(self, writer: RecordWriter, sink: _Compressing) -> None:
        self._writer = writer
        self._sink = sink

    def write(self, rows: pa.RecordBatch | Text) -> None:
        """Write the next rows."""
        self._writer.write(rows)

    def close(self) -> int:
        """Write the ends of the text and of the compression."""
        rows = self._writer.close()
        self._sink.finish()
        return rows


def compressible(write: Writer, *, is_head_apart: bool = False) -> Writer:
    """A writer of text that compresses it as the options say.

    ``is_head_apart``: what it writes before any row, such as a header, is compressed as a member of its own.
    """

    def begin(sink: ByteSink, into: pa.Schema, options: WriteOptions, /) -> RecordWriter:
        compressor = _COMPRESSORS.get(options.compression or OutputCompression.NONE)
        if compressor is None:
            return write(sink, into, options)
        compressing = _Compressing(sink, compressor)
        writer = write(compressing, into, options)
        if is_head_apart:
            compressing.end_member()
        return _CompressedWriter(writer, compressing)

    return begin


def pack(data: bytes, compression: OutputCompression | None) -> bytes:
    """Bytes as a member of a file of that compression; as they are if it has none."""
    compressor = _COMPRESSORS.get(compression or OutputCompression.NONE)
    if compressor is None:
        return data
    packing = compressor()
    return packing.compress(data) + packing.flush()
