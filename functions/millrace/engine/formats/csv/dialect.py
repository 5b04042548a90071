"""How a CSV file is cut into records and fields: what opens a quote, what ends a record, which delimiter it is.

The rules are those of Python's csv module: a quote opens only at a field's beginning, text after a closing quote
belongs to the field, a doubled quote inside quotes is one, and ``\\n``, ``\\r\\n`` and ``\\r`` end a record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.options import ReadOptions
from millrace.errors import InvalidConfiguration

DELIMITERS = (",", ";", "\t", "|")
DETECTION_BYTES = 65536
"""How much of a file the delimiter is detected from."""


@dataclass(frozen=True)  # no slots: the patterns are cached in the instance
class Dialect:
    """The three characters of a CSV file, each of one byte."""

    delimiter: str
    quote: str | None
    escape: str | None

    @cached_property
    def _quoted(self) -> bytes:
        quote, escape = self._bytes(self.quote), self._bytes(self.escape)
        # For quote " and no escape: "(?:[^"]++|"")*+" matches "said ""hi""". The possessive ++ and *+ never give
        # back what they took: without them an open quote in a long text would be tried in every possible way.
        pairs = rb"|" + escape + rb"(?s:.)" if escape else b""
        return quote + rb"(?:[^" + quote + escape + rb"]++|" + quote + quote + pairs + rb")*+" + quote

    @cached_property
    def _piece(self) -> bytes:
        """A pattern for whatever of a record cannot end it."""
        delimiter, quote, escape = (self._bytes(c) for c in (self.delimiter, self.quote, self.escape))
        pieces = [rb"[^\r\n" + quote + escape + rb"]++"]
        if escape:  # a quote after an escaped character stands inside a field
            pieces.append(escape + rb"(?s:.)" + (quote + b"*+" if quote else b""))
        if quote:
            # A quote opens at a field's beginning (the character before it is a delimiter or a line end, or there is
            # none) and is a plain character elsewhere: a,"b,c" has one quoted field, a,b"c" has none.
            pieces.append(rb"(?<![^\r\n" + delimiter + rb"])" + self._quoted)
            pieces.append(rb"(?<=[^\r\n" + delimiter + rb"])" + quote)
        return rb"|".join(pieces)

    @staticmethod
    def _bytes(character: str | None) -> bytes:
        return re.escape(character.encode()) if character else b""

    @cached_property
    def _whole_records(self) -> re.Pattern[bytes]:
        # A \r at the very end may be half of \r\n, so it ends a record only once the next byte is known.
        return re.compile(rb"(?:" + self._piece + rb"|(\r\n|\n|\r(?=[^\n])))*+")

    @cached_property
    def _record(self) -> re.Pattern[bytes]:
        return re.compile(rb"((?:" + self._piece + rb")*+)(\r\n|\n|\r|\Z)")

    @cached_property
    def _field(self) -> re.Pattern[bytes]:
        delimiter = self._bytes(self.delimiter)
        piece = self._piece.replace(rb"[^\r\n", rb"[^" + delimiter + rb"\r\n", 1)
        return re.compile(rb"((?:" + piece + rb")*+)(" + delimiter + rb"|\Z)")

    def end_of_records(self, data: bytes, *, final: bool) -> int:
        """The offset after a record that surely ends in the data, which begin at a record's beginning.

        It is 0 only where no record surely ends, and after the last one but where quotes stand inside of fields.
        """
        if final:
            return len(data)
        quote, escape = self.quote, self.escape
        if escape and escape.encode() in data:
            return self._end_step_by_step(data)
        if not quote or quote.encode() not in data:
            return _last_line_end(data, len(data))
        end = self._end_by_parity(data, quote.encode())
        return end if end and self._quotes_whole_fields(data[:end]) else self._end_step_by_step(data)

    def _end_step_by_step(self, data: bytes) -> int:
        match = self._whole_records.match(data)
        return max(match.end(1), 0) if match else 0

    @staticmethod
    def _end_by_parity(data: bytes, quote: bytes) -> int:
        """The offset after the last line end with an even number of quotes before it."""
        # In 1,"a\n2,"b\nc the quotes before the last line end are two, so none is open there; before the first line
        # end it is one, so that line end belongs to the field. Counting is quicker than matching record by record.
        before, stop = data.count(quote), len(data)
        end = len(data)
        while True:
            line = _last_line_end(data, stop)
            before -= data.count(quote, line, end)
            if before % 2 == 0 or not line:
                return line
            end = line
            stop = data.rfind(quote, 0, line)  # it has been open since here

    def _quotes_whole_fields(self, data: bytes) -> bool:
        """Whether quotes stand around fields and, doubled, within quotes alone: then each other one ends a quote."""
        if not self.quote or self.escape:
            return False
        offsets = pa.array([0, len(data)], pa.int32()).buffers()[1]
        text = pa.Array.from_buffers(pa.binary(), 1, [None, offsets, pa.py_buffer(data)])
        matches: bool = pc.match_substring_regex(text, self._around_fields)[0].as_py()
        return matches

    @cached_property
    def _around_fields(self) -> str:
        # Arrow's regular expressions (RE2) need time in proportion to the text, and no step of Python's. For , and "
        # it is \A(?:(?:[^"]*[\r\n,])?"[^"]*")*[^"]*\z: each quote that opens comes first, after a comma or a line end,
        # or directly after one that closes (a doubled one). "a","b""c" matches, a"b" does not.
        quote, delimiter = (rf"\x{ord(character):02x}" for character in (self.quote or "", self.delimiter))
        return rf"\A(?:(?:[^{quote}]*[\r\n{delimiter}])?{quote}[^{quote}]*{quote})*[^{quote}]*\z"

    @cached_property
    def _closed(self) -> re.Pattern[bytes]:
        # All of the text as pieces and line ends: an open quote is no piece, so 1,"a matches only up to the comma.
        return re.compile(rb"(?:" + self._piece + rb"|[\r\n])*+\Z")

    def leaves_quote_open(self, data: bytes) -> bool:
        """Whether whole records are followed by one whose quote is never closed."""
        if not self.quote or self.quote.encode() not in data or self._quotes_whole_fields(data):
            return False
        return self._closed.match(data) is None

    def records(self, data: bytes) -> Iterator[tuple[int, int, int, bool]]:
        """Begin, end without line end, end, and whether it is whole (no quote left open), of each record."""
        start = 0
        while start < len(data):
            match = self._record.match(data, start)
            if match is None:
                yield start, len(data), len(data), False
                return
            yield start, match.end(1), match.end(), True
            start = match.end()

    def fields(self, record: bytes) -> list[str]:
        """The fields of a whole record, unquoted."""
        fields, start = [], 0
        while match := self._field.match(record, start):
            fields.append(self._unquote(match[1].decode()))
            start = match.end()
            if not match[2]:
                break
        return fields

    def count(self, record: bytes) -> int:
        """How many fields a whole record has, be it text or not."""
        if not any(special and special.encode() in record for special in (self.quote, self.escape)):
            return record.count(self.delimiter.encode()) + 1
        fields, start = 0, 0
        while match := self._field.match(record, start):
            fields += 1
            start = match.end()
            if not match[2]:
                break
        return fields

    def _unquote(self, field: str) -> str:
        if not self.quote or not field.startswith(self.quote):
            return self._unescape(field)
        body = re.match(self._quoted.decode(), field)
        if body is None:
            return self._unescape(field)
        inside = body[0][1:-1]
        return self._unescape(inside, quoted=True) + self._unescape(field[body.end() :])

    def _unescape(self, text: str, *, quoted: bool = False) -> str:
        quote = self.quote or ""
        pattern = "|".join(
            ([re.escape(self.escape) + "(?s:(.))"] if self.escape else [])
            + ([f"({re.escape(quote)}){re.escape(quote)}"] if quoted else [])
        )
        return re.sub(pattern, lambda match: match[match.lastindex or 0], text) if pattern else text


@dataclass(frozen=True, slots=True)
class Candidate:
    """How well a delimiter explains the sample: the width of its first record, and how many records are as wide.

    Where the first record does not have the delimiter, the others are not looked at.
    """

    delimiter: str
    width: int
    alike: int
    records: int

    @property
    def score(self) -> tuple[bool, float, int]:
        """All records of one width of at least two come first, then most records as wide as the first."""
        if self.width < 2:
            return False, 0.0, 0
        return self.alike == self.records, self.alike / self.records, self.width


@dataclass(frozen=True, slots=True)
class Detected:
    """A dialect, and what speaks for its delimiter: the candidates, the best first; none where it was told."""

    dialect: Dialect
    candidates: tuple[Candidate, ...] = ()

    @property
    def confidence(self) -> float:
        """1 where the delimiter was told or explains every record; 0 where no delimiter does better than another."""
        if not self.candidates:
            return 1.0
        _, alike, _ = self.candidates[0].score
        return alike


def _last_line_end(data: bytes, stop: int) -> int:
    """The offset after the last line end before ``stop``; a \\r at the end of the data may be half of \\r\\n."""
    return max(data.rfind(b"\n", 0, stop), data.rfind(b"\r", 0, min(stop, len(data) - 1))) + 1


def detect(options: ReadOptions, sample: bytes) -> Detected:
    """The dialect as told, its delimiter detected in the sample where it is not told."""
    for name, character in (("delimiter", options.delimiter), ("quote", options.quote), ("escape", options.escape)):
        _check(name, character)
    if options.delimiter in {options.quote, options.escape} and options.delimiter:
        raise InvalidConfiguration(f"delimiter: {options.delimiter!r} cannot be quote or escape, too")
    quote = options.quote or None
    escape = options.escape if options.escape != quote else None
    if options.delimiter:
        return Detected(Dialect(options.delimiter, quote, escape))
    candidates = [_candidate(Dialect(delimiter, quote, escape), sample) for delimiter in DELIMITERS]
    candidates.sort(key=lambda candidate: candidate.score, reverse=True)  # stable: the first of equals stays first
    return Detected(Dialect(candidates[0].delimiter, quote, escape), tuple(candidates))


def _check(name: str, character: str | None) -> None:
    if character and (len(character) != 1 or not character.isascii() or character in "\r\n\0"):
        raise InvalidConfiguration(f"{name}: {character!r} is not one ASCII character that is no line end")


def _candidate(dialect: Dialect, sample: bytes) -> Candidate:
    whole = sample[: dialect.end_of_records(sample, final=len(sample) < DETECTION_BYTES)]
    records = (whole[start:end] for start, end, _, whole_ in dialect.records(whole) if whole_ and end > start)
    first = next(records, None)
    width = dialect.count(first) if first is not None else 0
    if width < 2:  # it does not matter how many records are like that
        return Candidate(dialect.delimiter, width, width, width)
    widths = [width, *map(dialect.count, records)]
    return Candidate(dialect.delimiter, width, widths.count(width), len(widths))
