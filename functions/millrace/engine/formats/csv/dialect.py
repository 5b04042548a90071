"""How a CSV file is cut into records and fields: what opens a quote, what ends a record.

A quote opens only at a field's beginning, a doubled quote inside quotes is one, and ``\\n``, ``\\r\\n`` and ``\\r``
end a record. Records are cut as Python's csv module cuts them. A quote that is neither around a field nor doubled
inside of one is *stray*: no value is made of such a record, unless the dialect is lenient.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.native.library import find_kernel


@dataclass(frozen=True)  # no slots: the patterns are cached in the instance
class Dialect:
    """The three characters of a CSV file, each of one byte.

    ``lenient``: a quote closes only before a delimiter or a line end, and any other is a character like others.
    ``comment`` is what a line begins with that is no record.
    """

    delimiter: str
    quote: str | None
    escape: str | None
    lenient: bool = False
    comment: str | None = None

    def is_comment(self, text: str, at: int = 0) -> bool:
        """Whether a record that begins there is a comment."""
        return self.comment is not None and text.startswith(self.comment, at)

    @cached_property
    def _quoted(self) -> bytes:
        if self.lenient:
            return self._quoted_leniently
        return self._quoted_strictly

    @property
    def quoted_pattern(self) -> bytes:
        """A regular expression for a quoted field."""
        return self._quoted

    @cached_property
    def _quoted_leniently(self) -> bytes:
        # A field that ends on its line matches all of "He said "hi" to me" and all of "say "hi"", whose last quote
        # closes: it is before the field's end. One of several lines must not take rows for its text: its first line has
        # no stray quote, and no stray quote begins a field. Of "a" ,x over 2,"b" the first quote opens nothing.
        delimiter, quote, escape = map(self._bytes, (self.delimiter, self.quote, self.escape))
        field_end = rb"[\r\n" + delimiter + rb"]|\Z"
        stray = quote + rb"(?!" + field_end + rb")"
        pair = quote + stray
        pairs = b""
        if escape:
            pairs = rb"|" + escape + rb"(?s:.)"
        line = rb"[^\r\n" + quote + escape + rb"]++" + pairs
        text = rb"[^" + quote + escape + rb"]++" + pairs
        of_one_line = rb"(?:" + line + rb"|" + pair + rb"|" + stray + rb")*+"
        first_line = rb"(?:" + line + rb"|" + quote + quote + rb")*+[\r\n]"
        more_lines = rb"(?:" + text + rb"|" + pair + rb"|(?<![\r\n" + delimiter + rb"])" + stray + rb")*+"
        inside = rb"(?:" + of_one_line + quote + rb"|" + first_line + more_lines + quote + rb")"
        return rb"(?:" + quote + inside + rb"(?=" + field_end + rb"))"

    @cached_property
    def _plain_quote(self) -> bytes:
        """A pattern for a quote that begins a field of a lenient dialect and opens nothing: others are on its line."""
        # Doubled quotes are no such others: "a ""b"" may go on in the next line.
        quote = self._bytes(self.quote)
        return quote + rb"(?=(?:[^\r\n" + quote + rb"]++|" + quote + quote + rb")*+" + quote + rb")"

    @cached_property
    def _quoted_strictly(self) -> bytes:
        quote, escape = self._bytes(self.quote), self._bytes(self.escape)
        # For quote " and no escape: "(?:[^"]++|"")*+" matches "said ""hi""". The possessive ++ and *+ never give
        # back what they took: without them an open quote in a long text would be tried in every possible way.
        pairs = b""
        if escape:
            pairs = rb"|" + escape + rb"(?s:.)"
        return quote + rb"(?:[^" + quote + escape + rb"]++|" + quote + quote + pairs + rb")*+" + quote

    @cached_property
    def _piece(self) -> bytes:
        """A pattern for whatever of a record cannot end it."""
        delimiter, quote, escape = map(self._bytes, (self.delimiter, self.quote, self.escape))
        pieces = [rb"[^\r\n" + quote + escape + rb"]++"]
        if escape:  # a quote after an escaped character is inside a field
            quotes_behind = quote and quote + b"*+"
            pieces.append(escape + rb"(?s:.)" + quotes_behind)
        if quote:
            # A quote opens at a field's beginning (the character before it is a delimiter or a line end, or there is
            # none) and is a plain character elsewhere: a,"b,c" has one quoted field, a,b"c" has none.
            pieces.append(rb"(?<![^\r\n" + delimiter + rb"])" + self._quoted)
            pieces.append(rb"(?<=[^\r\n" + delimiter + rb"])" + quote)
            if self.lenient:
                pieces.append(self._plain_quote)
        return rb"|".join(pieces)

    @cached_property
    def _piece_or_comment(self) -> bytes:
        """A pattern for whatever of a record, or of a line that is none, cannot end it."""
        if not self.comment:
            return self._piece
        # A quote in a comment opens nothing: # the "old" table, "new
        return rb"(?<![^\r\n])" + re.escape(self.comment.encode()) + rb"[^\r\n]*+|" + self._piece

    def has_comment(self, data: bytes) -> bool:
        """Whether a line begins like a comment; it may be inside of a quoted field."""
        if not self.comment:
            return False
        comment = self.comment.encode()
        return data.startswith(comment) or b"\n" + comment in data or b"\r" + comment in data

    def without_comments(self, data: bytes) -> bytes:
        """Whole records without those that are comments."""
        if not self.has_comment(data):
            return data
        return b"".join(data[start:stop] for start, _, stop, _ in self.records(data))

    @staticmethod
    def _bytes(character: str | None) -> bytes:
        if not character:
            return b""
        return re.escape(character.encode())

    @cached_property
    def _whole_records(self) -> re.Pattern[bytes]:
        # A \r at the very end may be half of \r\n, so it ends a record only once the next byte is known.
        return re.compile(rb"(?:" + self._piece_or_comment + rb"|(\r\n|\n|\r(?=[^\n])))*+")

    @cached_property
    def _record(self) -> re.Pattern[bytes]:
        # `*+` never gives back what it took (Python 3.11): without it a record whose quote stays open would be tried at
        # each of its characters, in quadratic time.
        return re.compile(rb"((?:" + self._piece_or_comment + rb")*+)(\r\n|\n|\r|\Z)")

    @cached_property
    def _field(self) -> re.Pattern[bytes]:
        delimiter = self._bytes(self.delimiter)
        piece = self._piece.replace(rb"[^\r\n", rb"[^" + delimiter + rb"\r\n", 1)
        # Within a record that is known to be whole: only the delimiter and its end can end a field.
        return re.compile(rb"((?:" + piece + rb")*+)(" + delimiter + rb"|\Z)")

    def end_of_records(self, data: bytes, *, final: bool) -> int:
        """The offset after a record that surely ends in the data, which begin at a record's beginning.

        It is 0 only if no record surely ends, and after the last one unless quotes are inside of fields.
        """
        if final:
            return len(data)
        quote = self._find(self.quote, data)
        # Where a quote may be escaped, or open nothing because it is in a comment, to count quotes says nothing.
        if self._find(self.escape, data) or (quote and self.has_comment(data)):
            return self._end_step_by_step(data)
        if not quote:
            return _last_line_end(data, len(data))
        return self._end_behind_quotes(data, quote)

    def end_of_open_record(self, data: bytes) -> int | None:
        """The offset after the record that data within its quotes end; None if it is open to their end.

        For , and " the text ``b",c`` and a line end, of ``a,"b",c``, end it there. The dialect is strict and has no
        escape.
        """
        if not self._find(self.quote, data) or (closed := self._rest_of_quoted.match(data)) is None:
            return None
        rest = self._record.match(data, closed.end())
        return rest and rest.end()

    @cached_property
    def _rest_of_quoted(self) -> re.Pattern[bytes]:
        # For ": begun within quotes, b""c",d ends them behind b""c".
        quote = self._bytes(self.quote)
        return re.compile(rb"(?:[^" + quote + rb"]++|" + quote + quote + rb")*+" + quote)

    def _end_behind_quotes(self, data: bytes, quote: bytes) -> int:
        if (end := self._end_directly(data)) is not None:
            return end
        end = self._end_by_parity(data, quote)
        if end and self._quotes_whole_fields(data[:end]):
            return end
        return self._end_step_by_step(data)

    def _end_directly(self, data: bytes) -> int | None:
        """The end by the kernel, if there is one and quotes are around fields alone."""
        kernel = find_kernel()
        if kernel is None or self.lenient or self.quote is None:
            return None
        from millrace.engine.native.csv import cut_records  # noqa: PLC0415 - only a kernel needs ctypes

        return cut_records(kernel, self.delimiter, self.quote, data)

    @staticmethod
    def _find(character: str | None, data: bytes) -> bytes | None:
        """A character's byte if the data have it."""
        if not character or character.encode() not in data:
            return None
        return character.encode()

    def _end_step_by_step(self, data: bytes) -> int:
        match = self._whole_records.match(data)
        if match is None:
            return 0
        return max(match.end(1), 0)

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
        """Whether quotes are around fields and, doubled, within quotes alone: then each other one ends a quote."""
        if not self.quote or self.escape or self.lenient:
            return False
        return self._has_quotes_around_fields(data)

    def _has_quotes_around_fields(self, data: bytes) -> bool:
        offsets = pa.array([0, len(data)], pa.int32()).buffers()[1]
        text = pa.Array.from_buffers(pa.binary(), 1, [None, offsets, pa.py_buffer(data)])
        matches: bool = pc.match_substring_regex(text, self._around_fields)[0].as_py()
        return matches

    @cached_property
    def _around_fields(self) -> str:
        # Arrow's regular expressions (RE2) need time in proportion to the text, and no step of Python's. For , and "
        # a quoted part "[^"]*" comes first or behind a comma or a line end, and a comma, a line end, the text's end or
        # directly another quoted part (they are halves of a field with a doubled quote) comes behind it.
        # "a","b""c" matches, a"b" and "a"b do not.
        quote, delimiter = (rf"\x{ord(character):02x}" for character in (self.quote or "", self.delimiter))
        plain, edge = rf"[^{quote}]*", rf"[\r\n{delimiter}]"
        part = rf"{quote}{plain}{quote}"
        quoted = rf"(?:{plain}{edge})?{part}(?:(?:{edge}(?:{plain}{edge})?)?{part})*(?:{edge}{plain})?"
        return rf"\A(?:{quoted}|{plain})\z"

    def is_strict(self, data: bytes) -> bool:
        """Whether whole records have no stray quote and leave none open."""
        if not self.quote or self.quote.encode() not in data:
            return True
        # The quick pattern knows no escapes: by it "say \"hi\"" would have stray quotes.
        if self.lenient or (self.escape and self.escape.encode() in data):
            return self._strict_records.fullmatch(data) is not None
        return self._has_quotes_around_fields(data)

    @cached_property
    def _strict_field(self) -> bytes:
        # For , and ": "(?:[^"]++|"")*+"|(?:[^\r\n,"]++)*+ matches "a,b" and ab, and of a"b" the a alone.
        delimiter, quote, escape = map(self._bytes, (self.delimiter, self.quote, self.escape))
        pairs = b""
        if escape:
            pairs = rb"|" + escape + rb"(?s:.)"
        plain = rb"(?:[^\r\n" + delimiter + quote + escape + rb"]++" + pairs + rb")*+"
        if not quote:
            return plain
        return self._quoted_strictly + rb"|" + plain

    @cached_property
    def _strict_records(self) -> re.Pattern[bytes]:
        # \r\n first, as one end: as two there would be an empty record between them.
        edge = rb"(?:\r\n|[\r\n" + self._bytes(self.delimiter) + rb"])"
        return re.compile(rb"(?:(?:" + self._strict_field + rb")" + edge + rb")*+(?:" + self._strict_field + rb")")

    def find_stray_quote(self, record: bytes) -> int | None:
        """The offset in a whole record of the first quote that breaks the rules, or of text behind a closing one."""
        if not self.quote or self.quote.encode() not in record or self.lenient:
            return None
        field = re.compile(rb"(?:" + self._strict_field + rb")(?:" + self._bytes(self.delimiter) + rb"|\Z)")
        start = 0
        while match := field.match(record, start):
            start = match.end()
            if start == len(record):
                return None
        # In 1,"a"b a quoted field is followed by text, at byte 5. In 1,a"b no quote is opened, and the stray one is at
        # 3.
        closed = re.compile(self._quoted_strictly).match(record, start)
        if closed is None:
            return record.find(self.quote.encode(), start)
        return closed.end()

    @cached_property
    def _closed(self) -> re.Pattern[bytes]:
        # All of the text as pieces and line ends: an open quote is no piece, so 1,"a matches only up to the comma.
        return re.compile(rb"(?:" + self._piece_or_comment + rb"|[\r\n])*+\Z")

    def ends_in_escape(self, data: bytes) -> bool:
        """Whether the last character is an escape of nothing, as the file's end may leave one."""
        if not self.escape:
            return False
        escape = self.escape.encode()
        return (len(data) - len(data.rstrip(escape))) % 2 == 1

    def leaves_quote_open(self, data: bytes) -> bool:
        """Whether whole records are followed by one whose quote is never closed."""
        if not self.quote or self.quote.encode() not in data or self._quotes_whole_fields(data):
            return False
        return self._closed.match(data) is None

    def records(self, data: bytes) -> Iterator[tuple[int, int, int, bool]]:
        """Begin, end without line end, end, and whether it is whole (no quote left open), of each record.

        Comments are passed over.
        """
        if not self.has_comment(data):
            yield from self._all_records(data)
            return
        comment = (self.comment or "").encode()
        for start, end, stop, whole in self._all_records(data):
            if not data.startswith(comment, start):
                yield start, end, stop, whole

    def _all_records(self, data: bytes) -> Iterator[tuple[int, int, int, bool]]:
        start = 0
        while start < len(data):
            match = self._record.match(data, start)
            if match is None:
                yield start, len(data), len(data), False
                return
            yield start, match.end(1), match.end(), True
            start = match.end()

    @cached_property
    def sampled_field(self) -> re.Pattern[str]:
        """A pattern for one field of a text, quoted by the rules or plain, and what ends it."""
        # For , and ": (?:"(?P<quoted>...)"(?=[,\r\n]|\Z)|(?P<plain>[^,\r\n]*+))(?P<end>,|\r\n|\n|\r|\Z), so that "a"x
        # is plain, with a stray quote.
        delimiter, escape = self._bytes(self.delimiter).decode(), self._bytes(self.escape).decode()
        pairs = ""
        if escape:
            pairs = rf"|{escape}(?s:.)|{escape}\Z"
        plain = rf"(?P<plain>(?:[^\r\n{delimiter}{escape}]++{pairs})*+)"
        # A group that never matches: who uses the pattern may ask for `quoted` in any dialect.
        quoted = "(?P<quoted>(?!))"
        if self.quote:
            quoted = rf"(?P<quoted>{self._quoted.decode()})(?=[\r\n{delimiter}]|\Z)"
        return re.compile(rf"(?:{quoted}|{plain})(?P<end>{delimiter}|\r\n|\n|\r|\Z)")

    @cached_property
    def _closed_quote(self) -> re.Pattern[str]:
        pattern = self._quoted
        if self.lenient:
            pattern += rb"|" + self._plain_quote
        return re.compile(pattern.decode())

    def closes_quote(self, text: str, at: int) -> bool:
        """Whether the quote that opens there is closed somewhere behind, or opens nothing."""
        return self._closed_quote.match(text, at) is not None

    def has_quote(self, field: str) -> bool:
        """Whether a field has a quote that is not escaped."""
        if not self.quote or self.quote not in field:
            return False
        if not self.escape:
            return True
        return self.quote in re.sub(re.escape(self.escape) + "(?s:.)", "", field)

    def fields(self, record: bytes) -> list[str]:
        """The fields of a whole record, unquoted."""
        return list(map(self.unquote, self.raw_fields(record)))

    def raw_fields(self, record: bytes) -> list[str]:
        """The fields of a whole record as the text has them."""
        fields, start = [], 0
        while match := self._field.match(record, start):
            fields.append(match[1].decode())
            start = match.end()
            if not match[2]:
                break
        return fields

    def count(self, record: bytes) -> int:
        """How many fields a whole record has, be it text or not."""
        if not self._find(self.quote, record) and not self._find(self.escape, record):
            return record.count(self.delimiter.encode()) + 1
        fields, start = 0, 0
        while match := self._field.match(record, start):
            fields += 1
            start = match.end()
            if not match[2]:
                break
        return fields

    def unquote(self, field: str) -> str:
        """The value that a field's text means."""
        if not self.quote or not field.startswith(self.quote):
            return self._unescape(field)
        body = re.match(self._quoted.decode(), field)
        if body is None:
            return self._unescape(field)
        inside = body[0][1:-1]
        return self._unescape(inside, quoted=True) + self._unescape(field[body.end() :])

    def _unescape(self, text: str, *, quoted: bool = False) -> str:
        # With the escape \ and inside quotes \n becomes n, and "" becomes ": the character that a group keeps.
        patterns = list[str]()
        if self.escape:
            patterns.append(re.escape(self.escape) + "(?s:(.))")
        if quoted:
            quote = re.escape(self.quote or "")
            patterns.append(f"({quote}){quote}")
        if not patterns:
            return text
        return re.sub("|".join(patterns), _kept_character, text)


def _kept_character(match: re.Match[str]) -> str:
    return str(match[match.lastindex or 0])


def _last_line_end(data: bytes, stop: int) -> int:
    """The offset after the last line end before ``stop``; a \\r at the end of the data may be half of \\r\\n."""
    return max(data.rfind(b"\n", 0, stop), data.rfind(b"\r", 0, min(stop, len(data) - 1))) + 1
