"""Dividing one file into parts: its head first, then its ranges, each alone, then all of them together.

::

    frame = plan_file(source, file_format, read, part_bytes=…)     reads the head
    scans = [scan_range(source, frame, index) for index in …]      one process a range, if ``frame.needs_scan``; else ()
    parts = split(frame, scans)                                    reads nothing
    sources = [part_source(name, open_file, frame, part) for part in parts]
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import BinaryIO

from millrace.engine.formats.registry import FORMATS
from millrace.engine.formats.streams.decompression import find_compression
from millrace.engine.options import Compression, FileFormat, ReadOptions, words_of
from millrace.engine.parts.base import FormatParts
from millrace.engine.parts.framed import find_text_frames, open_text, read_text_head
from millrace.engine.parts.frames import FileFrame, FilePart, RangeScan
from millrace.engine.table_sources import Source, WholeOfPart
from millrace.engine.tables.rows import errors_naming
from millrace.errors import CannotBeCut, DataError

OpenFile = Callable[[], AbstractContextManager[BinaryIO]]
"""Gives a seekable file, as often as it is asked."""


def plan_file(
    source: BinaryIO, file_format: FileFormat, read: ReadOptions, *, part_bytes: int, name: str | None = None
) -> FileFrame:
    """What the head of a seekable file says of all of it, with ranges of about so many bytes of its text.

    Errors begin with the file's ``name``, if it has one.

    Raises:
        CannotBeCut: parts of the file cannot be read alone; the reason is by name, with what to do.
        DataError: the head is refused, as the reader of the whole file would.
    """
    with errors_naming(name):
        parts = _parts_of(file_format)
        frames = find_text_frames(source, read.work) if _is_zstd(source, file_format, read) else ()
        read_as = replace(read, compression=Compression.NONE) if frames else read
        frame = parts.plan(open_text(source, frames), read_as, part_bytes)
        return replace(frame, read=read, frames=frames)


def can_text_be_cut(source: BinaryIO, file_format: FileFormat, read: ReadOptions) -> bool:
    """Whether a compressed file could be divided once it is inflated, by the beginning of its text.

    Raises what unpacking the beginning raises.
    """
    text = read_text_head(source, read)
    if not text:  # no frame comes of no text, so there is nothing to cut: one invocation makes the empty table
        return False
    head = io.BytesIO(text)
    try:
        plan_file(head, file_format, replace(read, compression=Compression.NONE), part_bytes=len(text) + 1)
    except CannotBeCut:
        return False
    except DataError:  # the head ends within a row; what is wrong with the file, its parts will say
        return True
    return True


def scan_range(source: BinaryIO, frame: FileFrame, index: int, *, name: str | None = None) -> RangeScan:
    """What one range of the file holds, whatever is before it; errors begin with the file's ``name``.

    Raises:
        CannotBeCut: the range has something that no part can be read with.
    """
    with errors_naming(name):
        return _parts_of(frame.format).scan(open_text(source, frame.frames), frame, index)


def split(frame: FileFrame, scans: Sequence[RangeScan]) -> tuple[FilePart, ...]:
    """The file's parts, made of the scans of all of its ranges in their order; at least one.

    Raises:
        CannotBeCut: something that only all ranges together show.
    """
    return _parts_of(frame.format).split(frame, scans)


def part_source(name: str | None, open_file: OpenFile, frame: FileFrame, part: FilePart) -> Source:
    """One part as a source of a table; rows, lines and bytes in errors, quarantine and columns are the file's.

    ``name`` is the file's, which errors begin with, or None; ``open_file`` opens the whole file.
    """
    parts = _parts_of(frame.format)

    @contextmanager
    def open_part() -> Iterator[BinaryIO]:
        with open_file() as file:
            yield parts.open_part(open_text(file, frame.frames), frame, part)

    return Source(
        name=f"{name or 'file'} part {part.index}",
        format=frame.format,
        read=replace(frame.read, compression=Compression.NONE, place=part.place),
        open=open_part,
        reader=parts.reader(frame, part),
        part_of=WholeOfPart(name),
    )


def _is_zstd(source: BinaryIO, file_format: FileFormat, read: ReadOptions) -> bool:
    if words_of(file_format).compresses_inside:
        return False
    return find_compression(source, read.compression) is Compression.ZSTD


def _parts_of(file_format: FileFormat) -> FormatParts:
    parts = FORMATS[file_format].parts
    if parts is None:
        raise CannotBeCut(
            f"{file_format}: files of this format are not divided into parts; one invocation has to be enough for each:"
            " write smaller files, or another format"
        )
    return parts
