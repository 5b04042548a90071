"""What is behind the rows of a CSV file: marks of its end, which are no rows, and a footer that an option names."""

from __future__ import annotations

import re
from typing import Protocol

from millrace.engine.formats.csv.dialect import Dialect
from millrace.errors import TooBig

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BLANKS = b" \t"
_MARKS = b"\x1a\0"
"""Ctrl-Z, which ends a text on DOS, and the zeros of a file whose room was made before it was filled."""


class TextSource(Protocol):
    """Text as UTF-8; ``start`` is the offset of its first byte in the file."""

    start: int

    def read(self, size: int) -> bytes:
        """At most so many of the next bytes; none at the end."""
        ...


def drop_end_marks(data: bytes, dialect: Dialect, width: int) -> bytes:
    """The end of a file without its last lines of Ctrl-Z, zeros or blanks alone, if rows have so many fields.

    In a file of one column blanks are a value, and marks are one if a line end follows them.
    """
    if width == 1:
        content = data.rstrip(_MARKS)
        return content if _ends_line(content) else data
    delimiter = dialect.delimiter.encode()
    content = data.rstrip(b"\r\n" + _MARKS + _BLANKS.replace(delimiter, b""))
    if not content:
        return b""
    if dialect.escape and content.endswith(dialect.escape.encode()):
        return data  # the line end is escaped, and a part of a field
    line_end = _LINE_END.search(data, len(content))
    if line_end is None:
        return data
    return data[: line_end.end()]


def are_end_marks(data: bytes, dialect: Dialect, width: int) -> bool:
    """Whether nothing is left of data without such marks."""
    # The first byte of nearly every block says no: what is stripped would be a copy of the block.
    return not data[:1].strip(b"\r\n" + _MARKS + _BLANKS) and not drop_end_marks(data, dialect, width)


def _ends_line(data: bytes) -> bool:
    return not data or data.endswith((b"\n", b"\r"))


class FooterlessText:
    """A text without its last lines: so many are held back until it is known that others follow.

    Blank lines and marks at the very end of the file do not count. Raises TooBig if the lines are longer than ``most``.
    """

    def __init__(self, source: TextSource, lines: int, *, most: int) -> None:
        self._source = source
        self._lines = lines
        self._most = most
        self._held = b""
        self._ended = False
        self.start = source.start

    def read(self, size: int) -> bytes:
        """At most so many of the next bytes that are no part of the footer; none at the end."""
        while not (ready := self._count_ready()) and not self._ended:
            self._check_size()
            data = self._source.read(size)
            self._ended = not data
            self._held += data
        ready = min(ready, size)
        data, self._held = self._held[:ready], self._held[ready:]
        return data

    def _count_ready(self) -> int:
        """How many bytes are surely before the footer."""
        # Of a\nb\nc\nd\n and a footer of one line, a\nb\nc\n are before it at the end of the file. If more may follow,
        # c may yet be cut in the midst, so that a line more is held back.
        lines = self._lines
        if not self._ended:
            lines += 1
        at = begin = len(self._held.rstrip(b"\r\n" + _BLANKS + _MARKS))
        for _ in range(lines):
            line_end = max(self._held.rfind(b"\n", 0, at), self._held.rfind(b"\r", 0, at))
            if line_end < 0:
                return 0
            at = line_end
            begin = line_end + 1
            if self._held[at - 1 : at + 1] == b"\r\n":
                at -= 1
        return begin

    def _check_size(self) -> None:
        if len(self._held) > self._most:
            raise TooBig(
                f"the last {self._lines:,} lines, which csv_skip_footer drops, are longer than {self._most:,} bytes"
            )
