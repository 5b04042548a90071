"""Text in any encoding as streams of UTF-8, refused at the first byte that is not of the encoding."""

from __future__ import annotations

import codecs
import contextlib
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from millrace.engine.formats.streams.decompression import ByteStream, read_fully
from millrace.engine.native.library import find_kernel
from millrace.errors import InvalidConfiguration, WrongEncoding

_MARKS = (  # the mark of UTF-16 begins that of UTF-32, so the longer come first
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_HEAD = 4096
"""Looked at to find the encoding."""
JSON_ENCODING = "utf-8"
"""What JSON is in if no mark says UTF-16 or UTF-32 (RFC 8259), whatever a configuration says of CSV."""
_UNMARKED = (("utf-16-le", 1), ("utf-16-be", 0))
"""For text that is mostly ASCII, which byte of each two is zero: A is 41 00 in little-endian, 00 41 in big-endian."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """A text's encoding, and how it is known."""

    name: str
    known_by: Literal["configuration", "byte order mark", "zero bytes", "default"]


class KnownText:
    """Text in a known encoding as UTF-8: of a part of a file, which begins with a character.

    ``offset`` is that of its first byte in the file. ``start`` is 0: who divides the file counts from where the part
    begins. UTF-8 itself is handed on unchecked: who cuts it into records checks it, and can tell the row.
    """

    def __init__(self, stream: ByteStream, encoding: Encoding, offset: int, pending: bytes = b"") -> None:
        self.encoding = encoding
        self.start = 0
        self._stream = stream
        self._pending = pending
        self._offset = offset
        self._decoder = None
        if encoding.name != "utf-8":
            self._decoder = codecs.getincrementaldecoder(encoding.name)("strict")

    def read(self, size: int) -> bytes:
        """The next UTF-8 bytes, about ``size`` of them; none at the end."""
        while True:
            data = self._pending or self._stream.read(size)
            self._pending = b""
            if self._decoder is None:
                return data
            text = self._decode(data)
            # The bytes may be half of a character: an empty answer would be taken for the end.
            if text or not data:
                return text

    def _decode(self, data: bytes) -> bytes:
        assert self._decoder is not None  # noqa: S101 # only called where there is one
        held = len(self._decoder.getstate()[0])
        try:
            text = self._decoder.decode(data, final=not data)
            encoded = text.encode()
        except UnicodeError as error:
            at = self._offset - held + getattr(error, "start", 0)
            raise WrongEncoding(
                f"the byte at offset {at:,} is not {self.encoding.name} text ({error})", byte=at
            ) from error
        self._offset += len(data)
        return encoded


class Utf8Stream(KnownText):
    """A stream's text as UTF-8 without a byte order mark.

    ``start`` is the offset of the first byte of text, ``encoding`` what it is in.
    """

    def __init__(self, stream: ByteStream, encoding: str) -> None:
        head = read_fully(stream, _HEAD)
        detected, start = _detect(head, encoding)
        super().__init__(stream, detected, start, head[start:])
        self.start = start


def _detect(head: bytes, encoding: str) -> tuple[Encoding, int]:
    name = _codec_name(encoding)
    # A mark outweighs cp1252 and the like, in which it would be the text \xff\xfe. FF FE 00 00 is UTF-32, unless it is
    # told to be UTF-16, in which a file may begin with a zero.
    is_wide = name.startswith(("utf-16", "utf-32"))
    for mark, marked in _MARKS:
        if head.startswith(mark) and (not is_wide or marked.startswith(name)):
            return Encoding(marked, "byte order mark"), len(mark)
    if name != "utf-8":
        return Encoding(name, "configuration"), 0
    if unmarked := _unmarked_utf16(head):
        return Encoding(unmarked, "zero bytes"), 0
    return Encoding(name, "default"), 0


def _codec_name(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
        with contextlib.suppress(UnicodeError):
            b"00".decode(encoding)  # LookupError for codecs that are not of text, such as hex
    except LookupError as error:
        raise InvalidConfiguration(
            f"encoding: {encoding!r} is no text encoding that is known; give a name such as utf-8, latin-1, utf-16"
        ) from error
    return "utf-8" if name == "utf-8-sig" else name


def _unmarked_utf16(head: bytes) -> str | None:
    """UTF-16 that does not say so: every other byte of mostly western text is zero, and no other is."""
    pairs = len(head) // 2
    for encoding, zero_at in _UNMARKED:
        zeros = head[zero_at : 2 * pairs : 2].count(0)
        other_zeros = head[1 - zero_at : 2 * pairs : 2].count(0)
        is_mostly_western = pairs >= 2 and zeros >= 0.9 * pairs
        if is_mostly_western and other_zeros == 0:
            return encoding
    return None


def is_like_ascii(encoding: str) -> bool:
    """Whether each byte is a character by itself, those of ASCII the same: Latin-1 is such, UTF-16 and GBK are not."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    characters = [decoder.decode(bytes([byte])) for byte in range(256)]
    return "".join(characters[:128]).encode() == bytes(range(128)) and all(map(_is_one, characters))


def _is_one(character: str) -> bool:
    return len(character) == 1


def is_utf8(data: bytes) -> bool:
    """Whether bytes are UTF-8 text; looked at by the kernel or by Arrow, which make no text of them to find out."""
    if data.isascii():
        return True
    if kernel := find_kernel():
        from millrace.engine.native.utf8 import measure_utf8  # noqa: PLC0415 - only with a kernel is ctypes needed

        return measure_utf8(kernel, data) == len(data)
    return _is_utf8_by_arrow(data)


def _is_utf8_by_arrow(data: bytes) -> bool:
    ends = pa.array([0, len(data)], pa.int32()).buffers()[1]
    try:
        pa.Array.from_buffers(pa.string(), 1, [None, ends, pa.py_buffer(data)]).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
