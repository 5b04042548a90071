"""One output of the outputs that its parts became: which bytes of which part follow each other, and what is between.

Nothing is unpacked or parsed but the beginnings of texts and the footers of Parquet, so most of the bytes need never be
fetched: a store copies ranges of its own objects. What is joined equals what one writer would have written; if it is
compressed, its content does.

| target | of the first part with rows | of the others | around |
|---|---|---|---|
| CSV | header and rows | rows | |
| JSON lines | rows | rows | |
| JSON array | elements | a comma and elements | `[` and `]` |
| Avro | header and blocks | blocks | |
| Parquet | row groups | row groups | one footer behind all |

Text that is compressed is members (gzip, bzip2) or frames (Zstandard), one behind the other, as RFC 1952 and 8878
allow: what is left out or put between are members of their own.
"""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, TypeAlias

from millrace.engine.formats.avro.container import open_container
from millrace.engine.formats.parquet import footers
from millrace.engine.formats.streams import zstd_frames
from millrace.engine.formats.streams.compression import pack
from millrace.engine.formats.streams.decompression import read_fully
from millrace.engine.options import FileFormat, OutputCompression
from millrace.engine.parallel import in_order
from millrace.errors import CannotBeCut, MiscountedRows

_READ_BYTES = 2**16
"""Fetched of a part's beginning or end: most headers, and most footers of Parquet, are in it."""
_GZIP_CONTAINER = 31
"""Window bits by which zlib expects a gzip file."""
_FOOTER_END = 8
"""A Parquet file ends with its footer's length, four bytes, and the magic, four more."""
_DEFECT = "; nothing is published. This is a defect of Millrace: please report it with the file"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOutput:
    """What a part became, written by ``bodies.BODY_FORMATS``; ``open`` gives its ``size`` bytes as a seekable file."""

    size: int
    rows: int
    open: Callable[[], AbstractContextManager[BinaryIO]]


@dataclass(frozen=True, slots=True)
class Literal:
    """Bytes that are in no part."""

    content: bytes

    @property
    def size(self) -> int:
        """How many bytes they are."""
        return len(self.content)


@dataclass(frozen=True, slots=True)
class Piece:
    """The bytes of a part, counted from 0, from ``start`` to before ``end``; there is at least one."""

    part: int
    start: int
    end: int

    @property
    def size(self) -> int:
        """How many bytes they are."""
        return self.end - self.start


JoinedBytes: TypeAlias = "Literal | Piece"


@dataclass(frozen=True, slots=True)
class JoinPlan:
    """What an output consists of, in order, and how many rows it holds."""

    pieces: tuple[JoinedBytes, ...]
    rows: int

    @property
    def size(self) -> int:
        """The output's bytes."""
        return sum(piece.size for piece in self.pieces)


def join_plan(
    target: FileFormat, compression: OutputCompression | None, parts: Sequence[PartOutput], *, workers: int = 1
) -> JoinPlan:
    """How the outputs of all parts, in the parts' order, become one; ``workers`` of them are looked at side by side.

    Raises:
        CannotBeCut: outputs of this format cannot be joined.
        MiscountedRows: the parts do not fit together, or hold other rows than they were said to.
    """
    if not parts:
        raise ValueError("an output has at least one part")
    pieces = _join(target, compression, parts, workers)
    return JoinPlan(tuple(piece for piece in pieces if piece.size), sum(part.rows for part in parts))


def _join(
    target: FileFormat, compression: OutputCompression | None, parts: Sequence[PartOutput], workers: int
) -> list[JoinedBytes]:
    match target:
        case FileFormat.JSON:
            return _join_lines(parts, compression)
        case FileFormat.CSV | FileFormat.AVRO:
            return _join_behind_heads(parts, partial(_measure_head, target, compression), workers)
        case FileFormat.JSON_DOC:
            return _join_elements(parts, compression)
        case FileFormat.PARQUET:
            return _join_parquet(parts, workers)
        case _:
            raise CannotBeCut(
                f"outputs of the format {target} cannot be joined from parts; write csv, json, json-doc, parquet or"
                " avro, or divide the source into smaller objects"
            )


def _join_lines(parts: Sequence[PartOutput], compression: OutputCompression | None) -> list[JoinedBytes]:
    with_rows: list[JoinedBytes] = [Piece(number, 0, part.size) for number, part in enumerate(parts) if part.rows]
    # A compressed file has a member, though it has no content.
    return with_rows or [Literal(pack(b"", compression))]


def _join_behind_heads(
    parts: Sequence[PartOutput], measure: Callable[[BinaryIO], int], workers: int
) -> list[JoinedBytes]:
    """The first part, with or without rows, and behind it the rows of the others, whose heads must be the same."""
    pieces: list[JoinedBytes] = [Piece(0, 0, parts[0].size)]
    others = [(number, part) for number, part in enumerate(parts) if part.rows and number]
    if not others:
        return pieces
    head = _read_head(parts[0], measure)

    def extract_rows(numbered: tuple[int, PartOutput]) -> Piece:
        number, part = numbered
        if _read_start(part, len(head)) != head:
            raise MiscountedRows(f"part {number} has other columns than part 0, so they are not joined{_DEFECT}")
        return Piece(number, len(head), part.size)

    pieces += in_order(extract_rows, others, workers=workers)
    return pieces


def _join_elements(parts: Sequence[PartOutput], compression: OutputCompression | None) -> list[JoinedBytes]:
    with_rows = [(number, part) for number, part in enumerate(parts) if part.rows]
    if not with_rows:
        return [Literal(pack(b"[]\n", compression))]
    # The comma before the file's first element is left out; those before the first elements of other parts are wanted.
    first, first_part = with_rows[0]
    head = _read_head(first_part, partial(_measure_head, FileFormat.JSON_DOC, compression))
    pieces: list[JoinedBytes] = [Literal(pack(b"[", compression)), Piece(first, len(head), first_part.size)]
    for number, part in with_rows[1:]:
        pieces.append(Piece(number, 0, part.size))
    return [*pieces, Literal(pack(b"\n]\n", compression))]


def _read_start(part: PartOutput, size: int) -> bytes:
    with part.open() as file:
        return read_fully(file, size)


def _read_head(part: PartOutput, measure: Callable[[BinaryIO], int]) -> bytes:
    with part.open() as file:
        size = measure(file)
        file.seek(0)
        return read_fully(file, size)


def _measure_head(target: FileFormat, compression: OutputCompression | None, file: BinaryIO) -> int:
    """How many bytes of a part come before those of its rows."""
    if target is FileFormat.AVRO:
        return open_container(file).head_bytes
    # Compressed text has its head as a member of its own, whatever is in it. Else the head is a header or a comma.
    find_end = _FIND_MEMBER_END.get(compression or OutputCompression.NONE)
    if find_end is None:
        find_end = _find_comma_end if target is FileFormat.JSON_DOC else _find_header_end
    data = b""
    while (end := find_end(data)) is None:
        more = file.read(max(_READ_BYTES, len(data)))
        if not more:
            raise MiscountedRows(f"a part of {len(data):,} bytes holds no rows, though some were counted{_DEFECT}")
        data += more
    return end


def _find_comma_end(data: bytes) -> int | None:
    return 1 if data else None


def _find_header_end(data: bytes) -> int | None:
    """Where a header ends: at the first line feed that is in no quotes, as in ``a,"b\\nc"``."""
    end = data.find(b"\n")
    while end >= 0 and data.count(b'"', 0, end) % 2:
        end = data.find(b"\n", end + 1)
    return None if end < 0 else end + 1


def _find_gzip_end(data: bytes) -> int | None:
    member = zlib.decompressobj(_GZIP_CONTAINER)
    member.decompress(data)
    return len(data) - len(member.unused_data) if member.eof else None


def _find_bzip2_end(data: bytes) -> int | None:
    member = bz2.BZ2Decompressor()
    member.decompress(data)
    return len(data) - len(member.unused_data) if member.eof else None


_FIND_MEMBER_END: dict[OutputCompression, Callable[[bytes], int | None]] = {
    OutputCompression.GZIP: _find_gzip_end,
    OutputCompression.ZSTD: zstd_frames.find_first_end,
    OutputCompression.BZIP2: _find_bzip2_end,
}


def _join_parquet(parts: Sequence[PartOutput], workers: int) -> list[JoinedBytes]:
    """Row groups one behind the other, the first part's magic before them and one footer behind them."""
    magic = len(footers.MAGIC)
    pieces, written = list[JoinedBytes](), 0
    joined: footers.JoinedFooter | None = None
    for number, (end, footer) in enumerate(in_order(_read_footer, parts, workers=workers)):
        joined = joined or footers.JoinedFooter(footer)
        # Each part begins with PAR1; the joined file does so once.
        pieces.append(Piece(number, magic if number else 0, end))
        _add_footer(joined, footer, written)
        written += end - magic
    assert joined is not None  # noqa: S101 - for the type checker: an output has a part
    return [*pieces, Literal(footers.file_end(joined.to_bytes()))]


def _add_footer(joined: footers.JoinedFooter, footer: footers.Footer, by: int) -> None:
    try:
        joined.add(footer, by)
    except footers.UnjoinableFooter as error:
        raise MiscountedRows(f"{error}, so the parts are not joined{_DEFECT}") from error


def _read_footer(part: PartOutput) -> tuple[int, footers.Footer]:
    """A part's footer, and where it begins, which is where its row groups end."""
    with part.open() as file:
        # One request for nearly all of them: the length is within the last eight bytes, and the footer before it.
        end = _read_end(file, part.size, _READ_BYTES)
        length = _FOOTER_END + int.from_bytes(end[-_FOOTER_END : 4 - _FOOTER_END], "little")
        if length > len(end):
            end = _read_end(file, part.size, length)
    footer = footers.read_footer(end[-length:-_FOOTER_END])
    if footer.rows != part.rows:
        raise MiscountedRows(f"a part holds {footer.rows:,} rows, {part.rows:,} were expected{_DEFECT}")
    return part.size - length, footer


def _read_end(file: BinaryIO, size: int, count: int) -> bytes:
    file.seek(max(0, size - count))
    return read_fully(file, count)
