"""What a format is: a reader that gives record batches, a writer that takes them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol, Self

import pyarrow as pa

from millrace.engine.options import TARGET_FORMATS, FileFormat, FormatWords, ReadOptions, WriteOptions, words_of
from millrace.engine.parts.base import FormatParts
from millrace.errors import UnsupportedType, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that could not be read; ``line`` and ``row`` count from 1, ``byte`` from 0 in the uncompressed text.

    Without ``line`` and ``byte`` the row could be read, and does not fit its table: ``raw`` is its JSON then.
    ``raw`` is the row's text. Where it is not UTF-8, its bytes are in ``raw_base64``, and backslashes stand for those
    of ``raw`` that are no text.
    """

    line: int | None
    row: int
    byte: int | None
    reason: str
    raw: str
    raw_base64: str | None = None

    @classmethod
    def of(cls, raw: bytes, *, line: int | None, row: int, byte: int | None, reason: str) -> Self:
        """A row with its bytes, be they text or not."""
        text, encoded = raw.decode(errors="backslashreplace"), None
        if text.encode() != raw:
            encoded = base64.b64encode(raw).decode()
        return cls(line=line, row=row, byte=byte, reason=reason, raw=text, raw_base64=encoded)


@dataclass(frozen=True, slots=True)
class Records:
    """An opened source: its schema, and its batches, to be pulled once. Errors rise while they are pulled, too."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class Learned:
    """What a reader has learned of a whole file, for its next attempt; each reader that learns has its own kind."""


class Widened(Exception):
    """A value contradicts the types that writing began with; the conversion starts over.

    ``learned`` is what the reader now knows of the whole file, None if somebody other than the reader noticed.
    """

    def __init__(self, learned: Learned | None) -> None:
        super().__init__("the types had to be widened")
        self.learned = learned


class Reader(Protocol):
    """Reads one format."""

    def __call__(
        self,
        source: BinaryIO,
        options: ReadOptions,
        *,
        learned: Learned | None = None,
        report: Callable[[BadRow], None],
    ) -> Records:
        """Open a seekable source.

        ``learned`` is what a ``Widened`` of an earlier attempt carried. ``report`` gets every bad row if the options
        say quarantine. Raises DataError, now or while batches are pulled, and Widened while batches are pulled: what
        was written of them is then to be discarded.
        """
        ...


class ByteSink(Protocol):
    """Takes bytes."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Take the next bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Text:
    """Rows rendered as text, in pieces; ``rows`` is how many were rendered."""

    pieces: tuple[memoryview, ...]
    rows: int


class Render(Protocol):
    """Renders rows of one schema as the text of one format, wherever they stand, beside other rows."""

    def __call__(self, batch: pa.RecordBatch, into: pa.Schema, /) -> Text:
        """The rows' text; raise UnsupportedType where the format cannot hold their values."""
        ...


class RecordWriter(Protocol):
    """An output in the making."""

    def write(self, rows: pa.RecordBatch | Text, /) -> None:
        """Write the next rows, or what the format's ``Render`` made of them."""
        ...

    def close(self) -> int:
        """Write what the format wants at its end; the sink stays open.

        The number of rows that the output holds: told by what was written, not by what was asked for.
        """
        ...


def require_batch(rows: pa.RecordBatch | Text, into: pa.Schema, format_name: str) -> pa.RecordBatch:
    """The rows of a format that has no text; raise UnsupportedType for rows without any field: they would vanish."""
    if isinstance(rows, Text):
        raise TypeError(f"{format_name} takes batches: it has no text")
    if not len(into) and rows.num_rows:
        raise UnsupportedType(f"{rows.num_rows:,} rows have no field at all; json and json-doc alone can keep them")
    return rows


class Writer(Protocol):
    """Writes one format."""

    def __call__(self, sink: ByteSink, into: pa.Schema, options: WriteOptions, /) -> RecordWriter:
        """Begin an output; raise UnsupportedType where the format cannot hold the schema's types."""
        ...


def refuse_writing(name: FileFormat) -> Writer:
    """The writer of a format that is only read: it raises UsageError."""

    def write(_sink: ByteSink, _into: pa.Schema, _options: WriteOptions, /) -> RecordWriter:
        raise UsageError(f"{name} is read and not written; write one of {', '.join(TARGET_FORMATS)}")

    return write


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A file format as one object: how it is read and written, and under which extensions and compressions.

    ``render`` is there for formats whose rows can be made text one batch beside another, ``open_parts`` for those whose
    files can be divided. A new format is a folder beside the others and one line in `registry`; what a configuration
    needs of it is a line in `engine.options`.
    """

    name: FileFormat
    read: Reader
    write: Writer
    render: Render | None = None
    open_parts: Callable[[], FormatParts] | None = None

    @property
    def parts(self) -> FormatParts | None:
        """How its files are divided; None if they are not."""
        return None if self.open_parts is None else self.open_parts()

    @property
    def words(self) -> FormatWords:
        """Its extensions and compressions."""
        return words_of(self.name)
