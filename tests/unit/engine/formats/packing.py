"""Files packed for tests: zips and tars, and compressions that Python's own modules do not write."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping

import pyarrow as pa

from millrace.engine.formats.streams.crc32c import crc32c

IDENTIFIER = b"\xff\x06\0\0sNaPpY"


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive with the same bytes every time."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return made.getvalue()


def tarred(files: Mapping[str, bytes], *others: tarfile.TarInfo) -> bytes:
    """A tar archive; ``others`` are members without content."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in others:
            archive.addfile(info)
    return made.getvalue()


def pack_lz4(data: bytes) -> bytes:
    """One frame of LZ4."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "lz4") as stream:
        stream.write(data)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def pack_snappy(data: bytes, *, block: int = 2**16) -> bytes:
    """A framed snappy stream of blocks."""
    blocks = [data[at : at + block] for at in range(0, len(data), block)]
    return IDENTIFIER + b"".join(map(snappy_chunk, blocks))


def snappy_chunk(data: bytes) -> bytes:
    """A compressed chunk."""
    return chunk(0, masked_sum(data) + pa.Codec("snappy").compress(data, asbytes=True))


def chunk(kind: int, data: bytes) -> bytes:
    """A chunk of any type."""
    return bytes([kind]) + len(data).to_bytes(3, "little") + data


def masked_sum(data: bytes) -> bytes:
    """The sum of a chunk's content as the chunk holds it."""
    checksum = crc32c(data)
    masked = (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    return masked.to_bytes(4, "little")
