"""How one file is divided: what its head says of all of it, what its ranges were found to be, and its parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from millrace.engine.options import FileFormat, PlaceInFile, ReadOptions
from millrace.engine.parts.documents import SCHEMA, Document, get_document, get_integer, get_numbers, get_text


@dataclass(frozen=True, slots=True)
class TextRange:
    """Bytes of a file's text, from ``start`` up to, and without, ``end``."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class TextFrame:
    """A frame of a compressed file that is inflated alone: where it begins in the file, and its text in all text."""

    byte: int
    text_start: int
    text_end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFrame:
    """What a file's head says of all of it: nothing of this is found out once more when a part is read.

    ``size`` counts the text's bytes: those of the file, or of what is inflated if there are ``frames``. ``ranges`` are
    next to each other; each is scanned alone if the format ``needs_scan``, and a part or none comes of each. ``pinned``
    is what the format alone understands. ``read`` is not in the document: who reads it has the options.
    """

    format: FileFormat
    read: ReadOptions
    size: int
    ranges: tuple[TextRange, ...]
    needs_scan: bool
    pinned: Document = field(default_factory=dict)
    frames: tuple[TextFrame, ...] = ()

    def to_document(self) -> Document:
        """The frame without its options, for ``from_document``."""
        return {
            "schema": SCHEMA,
            "format": str(self.format),
            "size": self.size,
            "ranges": [[place.start, place.end] for place in self.ranges],
            "needs_scan": self.needs_scan,
            "pinned": self.pinned,
            "frames": [[frame.byte, frame.text_start, frame.text_end] for frame in self.frames],
        }

    @classmethod
    def from_document(cls, document: Document, read: ReadOptions) -> FileFrame:
        """The frame that gave the document, to be read with these options: the ones that it was planned with."""
        return cls(
            format=FileFormat(get_text(document, "format")),
            read=read,
            size=get_integer(document, "size"),
            ranges=tuple(TextRange(*place) for place in get_numbers(document, "ranges")),
            needs_scan=bool(document["needs_scan"]),
            pinned=get_document(document, "pinned"),
            frames=tuple(TextFrame(*frame) for frame in get_numbers(document, "frames")),
        )


@dataclass(frozen=True, slots=True)
class RangeScan:
    """What one range was found to be; ``found`` is what the format alone understands."""

    index: int
    found: Document = field(default_factory=dict)

    def to_document(self) -> Document:
        """The scan, for ``from_document``."""
        return {"schema": SCHEMA, "index": self.index, "found": self.found}

    @classmethod
    def from_document(cls, document: Document) -> RangeScan:
        """The scan that gave the document."""
        return cls(get_integer(document, "index"), get_document(document, "found"))


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePart:
    """A part of a file: whole records, from the byte ``start`` of its text up to ``end``.

    ``index`` counts parts from 0. ``row`` and ``line`` are the numbers that the part's first ones have in the file,
    from 1. ``byte`` is where it begins as errors count, None if that is ``start``: they count the bytes of UTF-8,
    whatever the file is in. ``is_last``: no row of the file is behind it. ``detail`` is what the format alone
    understands, such as Parquet's row groups.
    """

    index: int
    start: int
    end: int
    row: int = 1
    line: int = 1
    byte: int | None = None
    is_last: bool = False
    detail: Document = field(default_factory=dict)

    @property
    def place(self) -> PlaceInFile:
        """Where the part begins, as its reader counts."""
        byte = self.start if self.byte is None else self.byte
        return PlaceInFile(row=self.row, line=self.line, byte=byte, continues=not self.is_last)

    def to_document(self) -> Document:
        """The part, for ``from_document``."""
        return {
            "schema": SCHEMA,
            "index": self.index,
            "start": self.start,
            "end": self.end,
            "row": self.row,
            "line": self.line,
            "byte": self.byte,
            "is_last": self.is_last,
            "detail": self.detail,
        }

    @classmethod
    def from_document(cls, document: Document) -> FilePart:
        """The part that gave the document."""
        return cls(
            index=get_integer(document, "index"),
            start=get_integer(document, "start"),
            end=get_integer(document, "end"),
            row=get_integer(document, "row"),
            line=get_integer(document, "line"),
            byte=cast("int | None", document["byte"]),
            is_last=bool(document["is_last"]),
            detail=get_document(document, "detail"),
        )
