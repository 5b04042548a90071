"""Which dialect a CSV file has: by evidence, comma last, and refused where two readings are as good.

Each delimiter is tried with the ways of quoting that the text gives reason for. The best is the one whose records have
one width and whose cells look like values. What an option names is not looked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NoReturn

from millrace.engine.formats.csv.dialect import Dialect
from millrace.engine.formats.csv.sampling import Candidate, Sample, SampledRow, has_torn_cell, judge_sample, read_sample
from millrace.engine.formats.csv.wording import count_fields, shorten
from millrace.engine.options import Quotes, ReadOptions
from millrace.errors import AmbiguousDialect, InvalidConfiguration

DELIMITERS = (",", ";", "\t", "|")
DETECTION_BYTES = 65536
"""How much of a file the dialect is detected from; more if that is fewer than three lines."""
_DOUBLE, _SINGLE, _BACKSLASH = '"', "'", "\\"
_MARGIN = 0.15
"""So much more plausible a reading must be to be preferred without doubt."""
_FULLY, _HARDLY = 0.9, 0.5
_NEAR = 0.8
"""A score from which a rival is too near to be passed over."""
_MANY_QUOTED = 2
"""More well quoted fields than so many for each record with a stray quote say that quotes are meant as quotes."""


@dataclass(frozen=True, slots=True)
class Detected:
    """A dialect, and what speaks for it: the candidates, the best first; none where all was told.

    ``named_by_file`` says that the delimiter is from a line such as ``sep=;``.
    """

    dialect: Dialect
    candidates: tuple[Candidate, ...] = ()
    named_by_file: bool = False
    delimiter_is_given: bool = False

    @property
    def confidence(self) -> float:
        """1 where the delimiter was told or explains every record; 0 where no delimiter does better than another."""
        if not self.candidates or self.delimiter_is_given:
            return 1.0
        return self.candidates[0].share


@dataclass(frozen=True, slots=True)
class _Choice:
    """A reading, and another that is as good, with the option that decides between them."""

    best: Candidate
    rival: Candidate | None = None
    option: str = ""


def detect(options: ReadOptions, sample: bytes, *, final: bool, named: str | None = None) -> Detected:
    """The dialect as the options say; what they leave open is detected in the sample.

    ``named`` is the delimiter that the file itself names, ``final`` says that the sample is all of the file. Raises
    AmbiguousDialect, and InvalidConfiguration for characters that cannot be those of a dialect.
    """
    check_characters(options)
    delimiter = named or options.delimiter or None
    given = _given_dialect(options, delimiter)
    if given is not None:
        return Detected(given, (), named is not None, delimiter_is_given=True)
    text = sample.decode(errors="replace")
    readings = _Readings(options, text, final=final)
    delimiters = (delimiter,) if delimiter else DELIMITERS
    choices = [readings.choose_quoting(each) for each in delimiters]
    choice = choices[0] if delimiter else _choose_delimiter(choices, readings)
    if choice.rival is not None:
        _raise_ambiguous(choice)
    others = [other.best for other in choices if other.best.delimiter != choice.best.delimiter]
    others.sort(key=lambda candidate: candidate.score, reverse=True)  # stable: the first of equals stays first
    return Detected(
        choice.best.dialect, (choice.best, *others), named is not None, delimiter_is_given=delimiter is not None
    )


def check_characters(options: ReadOptions) -> None:
    """Raise InvalidConfiguration for characters that cannot be those of a dialect."""
    for name, character in (("delimiter", options.delimiter), ("quote", options.quote), ("escape", options.escape)):
        if character and (len(character) != 1 or not character.isascii() or character in "\r\n\0"):
            raise InvalidConfiguration(f"{name}: {character!r} is not one ASCII character that is no line end")
    if options.delimiter in {options.quote, options.escape} and options.delimiter:
        raise InvalidConfiguration(f"delimiter: {options.delimiter!r} cannot be quote or escape, too")


def _given_dialect(options: ReadOptions, delimiter: str | None) -> Dialect | None:
    """The dialect if the options leave nothing open."""
    is_lenient = options.quotes is Quotes.LENIENT
    is_open = options.quote is None or (options.escape is None and options.quote != "")
    if delimiter is None or (is_open and not is_lenient):
        return None
    return Dialect(delimiter, *_quote_and_escape(options), lenient=is_lenient)


def _quote_and_escape(options: ReadOptions) -> tuple[str | None, str | None]:
    """What the options say, or else what plain CSV has; a doubled quote needs no escape."""
    quote = _DOUBLE if options.quote is None else options.quote or None
    escape = options.escape or None
    return quote, escape if escape != quote else None


class _Readings:
    """A sample read by one dialect after another."""

    def __init__(self, options: ReadOptions, text: str, *, final: bool) -> None:
        self._options = options
        self._text = text
        self._final = final
        self._quote, self._escape = _quote_and_escape(options)
        self._may_unquote = options.quote is None and options.quotes is Quotes.STRICT

    def choose_quoting(self, delimiter: str) -> _Choice:
        """The best way of quoting with a delimiter."""
        lenient = self._options.quotes is Quotes.LENIENT
        usual = Dialect(delimiter, self._quote, self._escape, lenient=lenient)
        if delimiter not in self._text and delimiter != DELIMITERS[0] and self._options.delimiter is None:
            return _Choice(Candidate(usual, width=1, alike=1, records=1, first_width=1, plausible=0.0))
        choice = _Choice(self.read(usual))
        if lenient:
            return choice
        choice = self._try_escape(choice, usual)
        choice = self._try_apostrophe(choice, usual)
        return self._try_without_quotes(choice, usual)

    def read(self, dialect: Dialect) -> Candidate:
        """How well a dialect explains the sample."""
        return judge_sample(dialect, self._sample(dialect))

    def _sample(self, dialect: Dialect) -> Sample:
        return read_sample(dialect, self._text, final=self._final)

    def _try_escape(self, choice: _Choice, usual: Dialect) -> _Choice:
        """Backslashes, if they are what makes quotes legal or records equally wide."""
        marks = (_BACKSLASH + mark for mark in (usual.delimiter, usual.quote, "\n", "\r") if mark)
        if self._options.escape is not None or not any(mark in self._text for mark in marks):
            return choice
        plain, escaped = choice.best, self.read(replace(usual, escape=_BACKSLASH))
        if not escaped.is_legal:
            return choice
        if not plain.is_legal:
            return _Choice(escaped)
        if escaped.explains_all and not plain.explains_all:
            return _Choice(escaped)
        if escaped.explains_all and escaped.width != plain.width:
            return _prefer_plausible(escaped, plain, "escape")
        return choice

    def _try_apostrophe(self, choice: _Choice, usual: Dialect) -> _Choice:
        """Apostrophes as quotes, if fields need them or are within them throughout."""
        begins = re.compile(rf"(?:\A|[\r\n{re.escape(usual.delimiter)}])'")
        double = choice.best
        uses_double = double.quoted and double.is_regular
        if self._options.quote is not None or uses_double or not begins.search(self._text):
            return choice
        for escape in self._escapes(usual, "'"):
            dialect = replace(usual, quote=_SINGLE, escape=escape)
            sample = self._sample(dialect)
            single = judge_sample(dialect, sample)
            if single.is_legal and single.quoted:
                return self._weigh_apostrophe(choice, single, sample)
        return choice

    def _weigh_apostrophe(self, choice: _Choice, single: Candidate, sample: Sample) -> _Choice:
        plain = choice.best if choice.best.is_regular else self.read(replace(choice.best.dialect, quote=None))
        if not plain.is_regular:
            return _Choice(single) if single.is_regular or single.share > choice.best.share else choice
        if not single.is_regular:
            return choice
        marks = ("''",) if single.dialect.escape is None else ("''", f"{single.dialect.escape}'")
        if single.width != plain.width or _wraps_from_first(sample) or _holds_any(sample, marks):
            return _Choice(single)
        return _Choice(plain, single, "quote") if _wraps_column(sample) else choice

    def _escapes(self, usual: Dialect, quote: str) -> tuple[str | None, ...]:
        """The escapes to try with a quote, plain CSV first."""
        marks = (_BACKSLASH + mark for mark in (usual.delimiter, quote, "\n", "\r") if mark)
        if self._options.escape is None and any(mark in self._text for mark in marks):
            return (None, _BACKSLASH)
        return (usual.escape,)

    def _try_without_quotes(self, choice: _Choice, usual: Dialect) -> _Choice:
        """No quoting at all, if quotes are where CSV has none and every record has one width without them."""
        strict = choice.best
        if not self._may_unquote or not strict.strays or strict.quoted > _MANY_QUOTED * strict.strays:
            return choice
        readings = [self._read_without_quotes(usual, escape) for escape in self._escapes(usual, "")]
        regular = [reading for reading in readings if reading is not None]
        if not regular:
            return choice
        if len(regular) == 1 or regular[0].width == regular[1].width:
            return _Choice(regular[0])
        return _prefer_plausible(regular[1], regular[0], "escape")

    def _read_without_quotes(self, usual: Dialect, escape: str | None) -> Candidate | None:
        """A reading without quotes; None if records differ in width, or cells look like parts of quoted ones."""
        dialect = replace(usual, quote=None, escape=escape)
        sample = self._sample(dialect)
        unquoted = judge_sample(dialect, sample)
        is_plausible = unquoted.is_regular and unquoted.plausible >= _HARDLY
        return unquoted if is_plausible and not has_torn_cell(sample, _DOUBLE) else None

    def rate_undivided(self) -> float:
        """How plausible the lines are as the values of a single column."""
        return self.read(Dialect("\0", self._quote, self._escape)).plausible


def _prefer_plausible(first: Candidate, second: Candidate, option: str) -> _Choice:
    better, worse = (first, second) if first.plausible >= second.plausible else (second, first)
    if better.plausible - worse.plausible > _MARGIN:
        return _Choice(better)
    return _Choice(better, worse, option)


def _wraps_from_first(sample: Sample) -> bool:
    """Whether a column is within quotes from the first record, perhaps the header, to the last."""
    return any(_wrapped_columns(sample.rows))


def _wraps_column(sample: Sample) -> bool:
    """Whether a column is within quotes behind the first record."""
    return any(_wrapped_columns(sample.rows[1:]))


def _wrapped_columns(rows: list[SampledRow]) -> Iterator[bool]:
    if not rows:
        return
    for column in zip(*(row.cells for row in rows if row.cells), strict=False):
        values = [cell for cell in column if cell.raw]
        yield bool(values) and all(cell.quoted for cell in values)


def _holds_any(sample: Sample, marks: tuple[str, ...]) -> bool:
    """Whether a quoted field holds a quote that is doubled or escaped, as a writer of such a dialect leaves it."""
    cells = (cell for row in sample.rows for cell in row.cells if cell.quoted)
    return any(mark in cell.raw[1:-1] for cell in cells for mark in marks)


def _choose_delimiter(choices: list[_Choice], readings: _Readings) -> _Choice:
    """The choice of the delimiter that explains the sample best; comma only where no other explains it as well."""
    explaining = [choice for choice in choices if choice.best.explains_all]
    if not explaining:
        return _choose_irregular(choices, readings)
    best = _choose_explaining(explaining)
    if best.rival is not None:
        return best
    for choice in choices:
        if choice not in explaining:
            best = _weigh_irregular_rival(best, choice)
    return best


def _choose_explaining(explaining: list[_Choice]) -> _Choice:
    by_plausibility = sorted(explaining, key=lambda choice: choice.best.plausible, reverse=True)
    others = [choice for choice in by_plausibility if choice.best.delimiter != DELIMITERS[0]]
    commas = [choice for choice in by_plausibility if choice.best.delimiter == DELIMITERS[0]]
    if len(others) > 1 and others[0].best.plausible - others[1].best.plausible <= _MARGIN:
        return _Choice(others[0].best, others[1].best, "delimiter")
    if not others or not commas:
        return by_plausibility[0]
    return _choose_beside_comma(others[0], commas[0])


def _choose_beside_comma(other: _Choice, comma: _Choice) -> _Choice:
    """Of two that explain every line the comma loses, if the other's cells are not far less plausible."""
    # 1,5;2,5 has two commas a line and one semicolon: 1,5 and 2,5 are values, 5;2 is none. In 1,a;b both readings have
    # a list for a value, so that neither is sure.
    others, commas = other.best.plausible, comma.best.plausible
    is_at_least_as_plausible = others >= commas and (others >= _FULLY or others - commas > _MARGIN)
    if is_at_least_as_plausible:
        return other
    if commas >= _FULLY and others <= _HARDLY:
        return comma
    return _Choice(other.best, comma.best, "delimiter")


def _weigh_irregular_rival(best: _Choice, rival: _Choice) -> _Choice:
    """A reading that explains every line loses to one of far better values that is only ragged."""
    # "March 1, 2026;100;paid;" in each line has one comma, but ;-fields that are values; one line lacks a field.
    if best.rival is not None or rival.best.first_width < 2:
        return best
    is_more_plausible = rival.best.plausible - best.best.plausible > _MARGIN
    if not is_more_plausible or rival.best.score < _NEAR * best.best.score:
        return best
    if _NEAR * rival.best.score >= best.best.score:
        return rival
    return _Choice(best.best, rival.best, "delimiter")


def _choose_irregular(choices: list[_Choice], readings: _Readings) -> _Choice:
    """The best of readings none of which explains every line; the reader refuses the lines that differ."""
    ranked = sorted(choices, key=lambda choice: choice.best.score, reverse=True)  # stable: comma is first of equals
    best, others = ranked[0], ranked[1:]
    if all(choice.best.first_width < 2 for choice in choices):
        return _choose_undivided(choices, best, readings)
    if best.best.width < 2:
        return next(choice for choice in ranked if choice.best.first_width > 1)
    divided = (choice for choice in others if choice.best.width > 1 and choice.best.score > 0)
    near = [choice for choice in divided if choice.best.score >= _FULLY * best.best.score]
    return _Choice(best.best, near[0].best, "delimiter") if near else best


def _choose_undivided(choices: list[_Choice], best: _Choice, readings: _Readings) -> _Choice:
    """Of a file whose first line no delimiter divides: one column, or a table below a title."""
    # "note" over "late; call again" is one column of prose. "Report" over a;b;c and 1;2;3 is a title over a table.
    comma = choices[0]
    if best.best.delimiter == comma.best.delimiter and best.best.score > 0:
        return comma
    undivided = readings.rate_undivided()
    if undivided >= _NEAR and undivided > best.best.score / _NEAR:
        return comma
    rivals = [choice for choice in choices if choice.best.most > 1 and choice is not comma]
    if not rivals:
        return comma
    rival = max(rivals, key=lambda choice: (choice.best.score, choice.best.most))
    if rival.best.score * _NEAR > undivided:
        return rival
    return _Choice(rival.best, comma.best, "delimiter")


_OPTIONS = {
    "delimiter": "csv_delimiter (on the command line --delimiter)",
    "quote": "csv_quote (on the command line --quote)",
    "escape": "csv_escape (on the command line --escape)",
}


def _raise_ambiguous(choice: _Choice) -> NoReturn:
    assert choice.rival is not None  # noqa: S101 - only called where there is one
    readings = " or ".join(_describe(candidate, choice.option) for candidate in (choice.best, choice.rival))
    raise AmbiguousDialect(f"the file can be read in two ways, {readings}; say which with {_OPTIONS[choice.option]}")


def _describe(candidate: Candidate, option: str) -> str:
    dialect = candidate.dialect
    character = {"delimiter": dialect.delimiter, "quote": dialect.quote, "escape": dialect.escape}[option]
    how = f"with the {option} {character!r}" if character else f"without {option}"
    fields = " | ".join(candidate.shown)
    return f"{how} ({count_fields(len(candidate.shown))}: {shorten(fields)})"
