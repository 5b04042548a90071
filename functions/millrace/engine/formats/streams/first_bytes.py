"""What a file is by its first bytes, whatever its name says: compressed, an archive, or another kind of file.

The marks are those of the formats' own specifications: gzip RFC 1952, Zstandard RFC 8878, bzip2's header and its block
marks, XZ 1.2.1, the LZ4 frame format 1.6.4, Snappy's framing format, APPNOTE.TXT 6.3 (zip), POSIX pax (tar).
"""

from __future__ import annotations

from millrace.engine.options import Compression

HEAD_BYTES = 512
"""How much of a file is looked at: a tar's first header is that long."""

MAGIC = {
    Compression.GZIP: b"\x1f\x8b",
    Compression.ZSTD: b"\x28\xb5\x2f\xfd",
    Compression.BZIP2: b"BZh",
    Compression.XZ: b"\xfd7zXZ\0",
    Compression.LZ4: b"\x04\x22\x4d\x18",
    Compression.SNAPPY: b"\xff\x06\0\0sNaPpY",
}
"""What a file of each compression begins with."""
_BZIP2_BLOCK, _BZIP2_END = b"1AY&SY", b"\x17rE8P\x90"
_BZIP2_LEVELS = frozenset(b"%d" % level for level in range(1, 10))
_SKIPPABLE = b"\x2a\x4d\x18"
"""Behind one of 0x50 to 0x5F, of a frame without content that both Zstandard and LZ4 have."""

_OTHERS = (
    (b"PK\x03\x04", "a zip archive (or a document in one, such as .xlsx)"),
    (b"PK\x05\x06", "a zip archive without members"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x1f\x9d", "a file packed by compress (.Z)"),
    (b"\x02\x21\x4c\x18", "an LZ4 file of the legacy format"),
    (b"Obj\x01", "an Avro file"),
    # The first page's header, or the footer of a file without pages, begins with a field that is 0x15 (Thrift).
    (b"PAR1\x15", "a Parquet file"),
    (b"%PDF-1.", "a PDF document"),
    (b"%PDF-2.", "a PDF document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document, such as .xls"),
    (b"\x89PNG\r\n\x1a\n", "a picture"),
    (b"SQLite format 3\0", "an SQLite database"),
)
"""Files that are no text, by marks that no text begins with."""
_MARKUP = (
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"<?xml", "an XML document"),
)
_NO_TEXT = frozenset(range(32)) - frozenset(b"\t\n\r\f\x1b")
"""Bytes that no text has: controls other than tab, line ends, form feed, and the escape of coloured terminals."""
_CHECKSUM = slice(148, 156)


def name_compression(head: bytes) -> Compression | None:
    """The compression whose mark the bytes begin with.

    ``BZh`` may begin a text, ``BZhandler,BZid``: bzip2 has a digit and one of two marks behind it.
    """
    if head.startswith(MAGIC[Compression.BZIP2]) and not _is_bzip2(head):
        return None
    # Zstandard's is 0x184D2A50 to 0x184D2A5F, little-endian (RFC 8878, 3.1.2): the first of the four bytes varies.
    if head[1:4] == _SKIPPABLE and 0x50 <= head[0] <= 0x5F:
        return Compression.ZSTD
    return next((compression for compression, magic in MAGIC.items() if head.startswith(magic)), None)


def _is_bzip2(head: bytes) -> bool:
    mark = head[4:10]
    # A file that was cut within its mark is one, too, and says so when it is read.
    is_mark = _BZIP2_BLOCK.startswith(mark) or _BZIP2_END.startswith(mark)
    return head[3:4] in _BZIP2_LEVELS and is_mark


def begins_like(head: bytes, compression: Compression) -> bool:
    """Whether bytes that are all of a file are the beginning of a compression's mark: the file was cut there."""
    magic = MAGIC.get(compression, b"")
    # "BZh" is all of bzip2's mark, and too little to know a file by.
    return bool(head) and magic.startswith(head)


def name_other(head: bytes) -> str | None:
    """What a file is that is no text, such as "a zip archive"; None for a text, as far as its beginning says."""
    if is_tar(head):
        return "a tar archive"
    # ORC's mark is three letters, which a header may begin with: `ORC,Name`. Lengths follow it in ORC.
    if head.startswith(b"ORC") and not _NO_TEXT.isdisjoint(head[3:16]):
        return "an ORC file"
    return next((name for mark, name in _OTHERS if head.startswith(mark)), None)


def name_markup(text: bytes) -> str | None:
    """What a text is that begins with markup, such as "an HTML page"; None for any other."""
    begin = text[:HEAD_BYTES].lstrip().lower()
    return next((name for mark, name in _MARKUP if begin.startswith(mark)), None)


def is_zip(head: bytes) -> bool:
    """Whether bytes begin like a zip archive."""
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def is_tar(head: bytes) -> bool:
    """Whether bytes begin with a tar's header: it holds the sum of its bytes, the sum's own eight being blanks.

    That also finds the tars of old programs, which have no other mark. In a text the eight bytes are hardly an octal
    number, and never that one.
    """
    if len(head) < HEAD_BYTES:
        return False
    header = head[:HEAD_BYTES]
    try:
        # `013772\0 ` or ` 13772 \0`: programs differ in zeros, blanks and NULs around the octal digits.
        told = int(header[_CHECKSUM].rstrip(b"\0 ").lstrip(b" ") or b"x", 8)
    except ValueError:
        return False
    return sum(header) - sum(header[_CHECKSUM]) + 8 * ord(" ") == told
