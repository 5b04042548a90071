"""Cuts a log's lines into fields: many at once by Arrow, or one by one by a pattern."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from millrace.engine.formats.csv.wording import count_fields
from millrace.engine.formats.lines.texts import Cell, NoFit
from millrace.engine.formats.log.presets import FURTHER_FIELDS, MISSING, FieldsOfLog
from millrace.engine.names import unique_names

_FIELDS_LINE = re.compile(rb"#Fields:\s*(.*)", re.IGNORECASE)


def _cell(text: str | None) -> Cell:
    if text == MISSING:
        return None
    return text


class PresetCutter:
    """Cuts lines by a preset of fields, of which some may be in quotes.

    What is in quotes stays as it is written there, escapes such as ``\\"`` and ``\\x22`` with it: nginx, Apache and AWS
    do not escape alike, and nothing in a file says who wrote it.
    """

    def __init__(self, fields: FieldsOfLog) -> None:
        self._fields = fields

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return (*self._fields.names, FURTHER_FIELDS)

    @staticmethod
    def is_row(line: bytes) -> bool:
        """Whether there is anything in a line."""
        return bool(line.strip())

    def cut_line(self, line: str, *, is_whole: bool) -> Sequence[Cell]:
        """A line's fields; raise NoFit where it has not the preset's form."""
        match = self._pattern.fullmatch(line)
        if match is None:
            end = "" if is_whole else ", nor a line end; is the file whole?"
            least = f"{self._fields.fewest:,} fields or more from {self._fields.names[0]!r} on"
            raise NoFit(f"has not the form of its preset, {least}{end}")
        return [self._value(name, text) for name, text in zip(self.names, match.groups(), strict=True)]

    def _value(self, name: str, text: str | None) -> Cell:
        if text is None:
            return None
        if name in self._fields.quoted and text.startswith('"'):
            text = text[1:-1]
        return _cell(text)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """A pattern of the whole line, whose last fields may be lacking.

        For the names a, "b" and at least one field: ``([^ "]*)(?: ("(?:[^"\\\\]|\\\\.)*"|-)(?: (.+))?)?``.
        """
        pattern = ""
        for position, name in reversed(list(enumerate(self.names))):
            delimiter = " " if position else ""
            pattern = delimiter + self._pattern_of(name) + pattern
            if position >= self._fields.fewest:
                pattern = f"(?:{pattern})?"
        return re.compile(pattern)

    def _pattern_of(self, name: str) -> str:
        if name == FURTHER_FIELDS:
            return "(.+)"
        if name in self._fields.quoted:
            return r'("(?:[^"\\]++|\\.)*+"|-)'
        if name == self._fields.bracketed:
            return r"\[([^\]]*)\]"
        if self._fields.quoted:
            return '([^ "]*+)'
        return "([^ ]*+)"

    def cut_lines(self, data: bytes) -> list[pa.Array] | None:
        """The columns of text of whole lines; None where one of them does not fit."""
        # Measured on lines of ALB: 11 MB/s, and 5 MB/s by Arrow's extract_regex: RE2 is slow with many groups.
        rows = list[Sequence[Cell]]()
        for line in data.decode().split("\n"):
            if not line.strip():
                continue
            match = self._pattern.fullmatch(line)
            if match is None:
                return None
            rows.append(match.groups())
        columns = _transpose(rows, len(self.names))
        return [self._values(name, column) for name, column in zip(self.names, columns, strict=True)]

    def _values(self, name: str, column: pa.Array) -> pa.Array:
        if name in self._fields.quoted:
            column = pc.replace_substring_regex(column, r'(?s)^"(.*)"$', r"\1")
        return _without_marks(column)


class DelimitedCutter:
    """Cuts lines whose fields hold no delimiter, and whose names are in the file or known."""

    def __init__(self, names: Sequence[str], delimiter: str, *, has_comments: bool) -> None:
        self._given = tuple(names)
        self._names = tuple(unique_names(self._given))
        self._delimiter = delimiter
        self._has_comments = has_comments
        positions = list(map(str, range(len(names))))
        self._read = {"column_names": positions, "use_threads": False}
        self._parse = arrow_csv.ParseOptions(delimiter=delimiter, quote_char=False, ignore_empty_lines=True)
        self._convert = arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(positions, pa.string()), strings_can_be_null=False, check_utf8=False
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return self._names

    def is_row(self, line: bytes) -> bool:
        """Whether a line is a row; raise NoFit for one that names other fields than the file's beginning did."""
        if self._has_comments and line.startswith(b"#"):
            self._check_fields(line)
            return False
        return bool(line.strip())

    def _check_fields(self, line: bytes) -> None:
        names = names_of_fields(line)
        if names is not None and tuple(names) != self._given:
            raise NoFit(
                f"names {count_fields(len(names))} where the file began with {len(self._given):,} others; "
                "divide the file there"
            )

    def cut_line(self, line: str, *, is_whole: bool) -> Sequence[Cell]:
        """A line's fields; raise NoFit where they are not as many as there are names."""
        cells = line.split(self._delimiter)
        if len(cells) != len(self._names):
            end = "" if is_whole else ", and no line end; is the file whole?"
            raise NoFit(f"has {count_fields(len(cells))} where {len(self._names):,} are expected{end}")
        return [None if cell in {"", MISSING} else cell for cell in cells]

    def cut_lines(self, data: bytes) -> list[pa.Array] | None:
        """The columns of text of whole lines; None where one of them does not fit, or is a comment."""
        is_commented = self._has_comments and (data.startswith(b"#") or b"\n#" in data)
        if is_commented or not data.strip():
            return None
        # One block for all: a line that is longer than one of Arrow's own would be refused.
        options = arrow_csv.ReadOptions(block_size=min(len(data) + 1, 2**31 - 1), **self._read)
        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(data), read_options=options, parse_options=self._parse, convert_options=self._convert
            )
        except pa.ArrowInvalid:
            return None
        return [_without_marks(pc.if_else(pc.equal(c, ""), MISSING, c)) for c in table.combine_chunks().columns]


def names_of_fields(line: bytes) -> list[str] | None:
    """The names that a directive such as ``#Fields: date time cs-method`` lists; None for any other line."""
    match = _FIELDS_LINE.fullmatch(line.strip())
    if match is None:
        return None
    return match[1].decode(errors="replace").split()


def _without_marks(column: pa.Array) -> pa.Array:
    is_missing = pc.fill_null(pc.equal(column, MISSING), fill_value=False)
    values = pc.if_else(is_missing, pa.scalar(None, pa.string()), column)
    if isinstance(values, pa.ChunkedArray):
        return values.combine_chunks()
    return values


def _transpose(rows: Sequence[Sequence[Cell]], width: int) -> list[pa.Array]:
    if not rows:
        return [pa.array([], pa.string()) for _ in range(width)]
    return [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
