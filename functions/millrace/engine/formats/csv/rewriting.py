"""Blocks of CSV whose text Arrow would not read as we do, written as plain CSV of the same values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from millrace.engine.formats.csv.dialect import Dialect

_NULL = b"\0null"
"""What means missing where Arrow cannot compare null values itself, and an empty field is a text."""


class Rewriter:
    """Writes what is beyond Arrow as what it reads: null values beside an escape, and quotes of a lenient dialect.

    ``empty_is_text``: a field of no characters is the empty text; else it is missing.
    """

    def __init__(self, dialect: Dialect, null_values: tuple[str, ...], *, empty_is_text: bool = False) -> None:
        self._dialect = dialect
        self._null_values = frozenset(filter(None, null_values))
        self._empty_is_text = empty_is_text
        self._null_marks = _find_null_marks(dialect, self._null_values) if self._marks_nulls else None

    @property
    def _marks_nulls(self) -> bool:
        """Whether null values are marked here: Arrow compares them with the field only after it unescapes it."""
        return self._dialect.escape is not None and bool(self._null_values)

    def rewrite(self, data: bytes) -> tuple[bytes, list[str]]:
        """The same records for Arrow, and what of them it has to take for missing; whole ones alone are given."""
        nulls = list[str]()
        if not self._empty_is_text:
            nulls.append("")
        if not self._marks_nulls:
            nulls += sorted(self._null_values)
        mark = b""
        if self._marks_nulls and self._empty_is_text:
            mark = _find_unused(_NULL, data)
            nulls.append(mark.decode())
        return self._rewrite(data, mark), nulls

    def _rewrite(self, data: bytes, mark: bytes) -> bytes:
        if self._dialect.lenient and not self._dialect.is_strict(data):
            data = b"".join(self._rewrite_records(data))
        if self._null_marks is not None:
            # A template is three times as fast as a function, and files with quotes need no mark.
            data = self._null_marks.sub(_NullMarking(mark) if mark else rb"\g<kept>", data)
        return data

    def _rewrite_records(self, data: bytes) -> Iterator[bytes]:
        delimiter = self._dialect.delimiter.encode()
        for start, end, stop, _whole in self._dialect.records(data):
            record = data[start:end]
            if not self._dialect.is_strict(record):
                record = delimiter.join(map(self._rewrite_field, self._dialect.raw_fields(record)))
            yield record + data[end:stop]

    def _rewrite_field(self, raw: str) -> bytes:
        """A field in strict quotes, so that ``"a "b" c"`` becomes ``"a ""b"" c"``."""
        quote, escape = self._dialect.quote or "", self._dialect.escape
        if quote not in raw or raw in self._null_values:
            return raw.encode()
        value = self._dialect.unquote(raw)
        if escape:
            value = value.replace(escape, escape * 2)
        return f"{quote}{value.replace(quote, quote * 2)}{quote}".encode()


@dataclass(frozen=True, slots=True)
class _NullMarking:
    """What becomes of a match of the pattern for null values: they are marked, and all else is kept."""

    mark: bytes

    def __call__(self, match: re.Match[bytes]) -> bytes:
        kept: bytes | None = match["kept"]
        if kept is None:
            return self.mark
        return kept


def _find_unused(text: bytes, data: bytes) -> bytes:
    """The text, with so many zeros behind it that the data do not have it."""
    while text in data:
        text += b"\0"
    return text


def _find_null_marks(dialect: Dialect, null_values: frozenset[str]) -> re.Pattern[bytes]:
    """A pattern for fields that are null values as the file has them, and for what must not be searched for them.

    For , " and \\ and the value \\N: in ``1,\\N,"a,\\N,b",x\\,\\N`` the first \\N is one. The quoted field is kept as a
    whole, and so is what follows an escaped delimiter.
    """
    delimiter, escape = re.escape(dialect.delimiter.encode()), re.escape((dialect.escape or "").encode())
    longest_first = sorted(map(str.encode, null_values), key=len, reverse=True)
    values = b"|".join(map(re.escape, longest_first))
    # Python knows no lookbehind of two lengths. A character that is none of these, forbidden before, is "a line end, a
    # delimiter or the very beginning".
    begins, ends = rb"(?<![^\r\n" + delimiter + rb"])", rb"(?=[\r\n" + delimiter + rb"]|\Z)"
    escaped = escape + rb"(?s:.)(?:[^\r\n" + delimiter + escape + rb"]++|" + escape + rb"(?s:.))*+"
    quoted = b""
    if dialect.quote:
        quoted = begins + dialect.quoted_pattern + rb"|"
    return re.compile(begins + rb"(?:" + values + rb")" + ends + rb"|(?P<kept>" + quoted + escaped + rb")")


def find_unsure_escape(dialect: Dialect, data: bytes) -> bytes | None:
    """The first escape before a letter or digit, with that: \\N may mean missing, \\t a tab, and C:\\temp a path.

    An escape before another escape ends both: ``C:\\\\temp`` is sure.
    """
    escape = re.escape((dialect.escape or "").encode())
    unsure = escape + rb"[0-9A-Za-z]"
    if re.search(unsure, data) is None:  # nearly always, and a hundred times as fast
        return None
    match = re.match(rb"(?:[^" + escape + rb"]|" + escape + rb"(?s:[^0-9A-Za-z]))*+(" + unsure + rb")", data)
    return match and match[1]
