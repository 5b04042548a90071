"""A window that moves over JSON text: as much of it as the value that begins in it needs."""

from __future__ import annotations

import codecs
import re
from typing import Any, NamedTuple

from millrace.engine.formats.json import values as json_values
from millrace.engine.formats.json.values import NotJson, Refused
from millrace.engine.formats.limits import MAX_RECORD_BYTES, MAX_VALUES
from millrace.engine.formats.streams.encoding import Utf8Stream
from millrace.errors import DataError, MalformedFile, TooBig, TruncatedFile

_BETWEEN_OBJECTS = re.compile(r"[ \t\n\r]*,[ \t\n\r]*(?=\{)")
_LONGEST_RUN = 2**12
"""Objects of one run: their values are all in memory."""
_SPACE = re.compile(r"[ \t\n\r]*")
_LONG_VALUE = 2**22
"""Characters from which it pays to count a value's commas before more is read."""
_ERRORS = "surrogateescape"
"""Bytes that are no text become lone surrogates, and bytes again in rows: who parses a row refuses them."""


class ObjectRun(NamedTuple):
    """Objects of a list, one behind the other: their values, their texts on one line each, their bytes and lines."""

    values: list[dict[str, Any]]
    texts: list[str]
    bytes: list[int]
    lines: list[int]


class TextPlace(NamedTuple):
    """A place in the file: its byte, its line from 1, and the character there."""

    byte: int
    line: int
    character: str


class TextWindow:
    """Text of a stream from a place on. ``where`` in errors says what is being read."""

    def __init__(self, stream: Utf8Stream, block_bytes: int) -> None:
        self._stream = stream
        self._block_bytes = block_bytes
        self._decode = codecs.getincrementaldecoder("utf-8")(_ERRORS)
        self._text = ""
        self._at = 0
        self._ended = False
        # The last place that was asked for, so that no text is counted twice.
        self._counted = 0
        self._byte = stream.start
        self._line = 1

    @property
    def character(self) -> str:
        """The character at the place; empty at the end."""
        return self._text[self._at : self._at + 1]

    def place(self) -> TextPlace:
        """The place, which only moves on."""
        self._count()
        return TextPlace(self._byte, self._line, self.character)

    def peek(self, size: int) -> str:
        """The next characters on the line."""
        while len(self._text) < self._at + size and self._more("the text"):
            pass
        lines = self._text[self._at : self._at + size].splitlines()
        return lines[0] if lines else ""

    def step(self, count: int) -> None:
        """Move on by so many characters."""
        self._at += count

    def seek(self) -> bool:
        """Move to the next character that is no white space; False at the end of all text."""
        while True:
            match = _SPACE.match(self._text, self._at)
            if match:
                self._at = match.end()
            if self._at < len(self._text):
                return True
            if not self._more("white space"):
                return False

    def take_value(self, where: str, *, row: int | None = None) -> tuple[Any, str]:
        """The value that begins here, its numbers as texts, and its text; moves on behind it.

        Raises MalformedFile, TruncatedFile or TooBig with the byte.
        """
        while True:
            try:
                value, end = json_values.any_value(self._text, self._at)
            except NotJson as error:
                self._read_on_or_refuse(error, where, row)
                continue
            except Refused as error:
                raise self._error(MalformedFile, where, str(error), row) from None
            # A number goes on as long as digits do: 12 at the end of what was read may be the beginning of 123.
            if end < len(self._text) or isinstance(value, dict | list) or not self._more(where, row=row):
                text = self._text[self._at : end]
                self._at = end
                return value, text

    def take_objects(self) -> ObjectRun:
        """The objects that begin here and have another one behind their comma, as far as they are in the window.

        None where something else begins, or where an object may be the last: ``take_value`` reads these, and says what
        is wrong. This is the quick way for the others: it has no errors, and looks at a comma with one search.
        """
        text, at, begins, ends, values = self._text, self._at, list[int](), list[int](), list[dict[str, Any]]()
        last = at + self._block_bytes
        while at < last and len(begins) < _LONGEST_RUN:
            try:
                value, end = json_values.any_value(text, at)
            except (NotJson, Refused):
                break
            comma = _BETWEEN_OBJECTS.match(text, end)
            if comma is None or not isinstance(value, dict):
                break
            begins.append(at)
            ends.append(end)
            values.append(value)
            at = comma.end()
        return self._run(begins, ends, values, at)

    def _run(self, begins: list[int], ends: list[int], values: list[dict[str, Any]], behind: int) -> ObjectRun:
        self._count()
        passed = self._text[self._at : behind]
        # Many documents are one line of ASCII: there each character is a byte, and a place is a difference.
        if passed.isascii() and "\n" not in passed:
            bytes_in_file = [self._byte + begin - self._at for begin in begins]
            lines = [self._line] * len(begins)
        else:
            places = list(map(self._place_at, begins))
            bytes_in_file, lines = [place.byte for place in places], [place.line for place in places]
        texts = [on_one_line(self._text[begin:end]) for begin, end in zip(begins, ends, strict=True)]
        self._at = behind
        return ObjectRun(values, texts, bytes_in_file, lines)

    def _place_at(self, at: int) -> TextPlace:
        self._at = at
        return self.place()

    def truncated(self, where: str, reason: str) -> DataError:
        """The error of a file that stops too early."""
        self._at = len(self._text)
        return self._error(TruncatedFile, where, f"the file stops before its end: {reason}", None)

    def _read_on_or_refuse(self, error: NotJson, where: str, row: int | None) -> None:
        behind = error.at - self._at
        if not (json_values.may_be_cut_off(error, self._text) and self._more(where, row=row)):
            raise self._not_json(where, error.reason, self._at + behind, row) from None

    def _not_json(self, where: str, reason: str, at: int, row: int | None) -> DataError:
        if self._ended and json_values.is_unfinished(reason, self._text[at:]):
            self._at = len(self._text)
            return self._error(TruncatedFile, where, f"the file stops before its end: {reason}", row)
        self._at = at
        return self._error(MalformedFile, where, reason, row)

    def _error(self, kind: type[DataError], where: str, reason: str, row: int | None) -> DataError:
        byte = self.place().byte
        return kind(f"{where} at byte {byte:,}: {reason}", row=row, byte=byte)

    def _more(self, where: str, *, row: int | None = None) -> bool:
        """Read on; what is before the place is forgotten. False at the end of the text."""
        if self._ended:
            return False
        self._count()
        self._text, self._at, self._counted = self._text[self._at :], 0, 0
        self._check_size(where, row)
        held = len(self._text)
        wanted = max(self._block_bytes, min(held, MAX_RECORD_BYTES - held))
        added = 0
        while added < wanted and not self._ended:
            data = self._stream.read(wanted - added)
            self._ended = not data
            self._text += self._decode.decode(data, final=self._ended)
            added += len(data)
        return len(self._text) > held

    def _check_size(self, where: str, row: int | None) -> None:
        held = len(self._text)
        if held > MAX_RECORD_BYTES:
            reason = f"a value is longer than {MAX_RECORD_BYTES:,} bytes; divide it"
            raise self._error(TooBig, where, reason, row)
        if held > _LONG_VALUE and self._text.count(",") > MAX_VALUES:
            raise self._error(TooBig, where, f"a value has more than {MAX_VALUES:,} commas; divide it", row)

    def _count(self) -> None:
        """Count the bytes and lines that were passed since the last time."""
        passed = self._text[self._counted : self._at]
        self._byte += len(passed) if passed.isascii() else len(passed.encode(errors=_ERRORS))
        self._line += passed.count("\n")
        self._counted = self._at


def on_one_line(text: str) -> str:
    """JSON text without line ends, which are only between its values: in its texts they are escaped."""
    if "\n" in text or "\r" in text:
        return text.replace("\n", " ").replace("\r", " ")
    return text
