"""How the fields of a CSV file are quoted, for one delimiter: plain CSV, or what the text gives reason for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from millrace.engine.formats.csv.detecting.judging import (
    Candidate,
    has_torn_cell,
    holds_quote_in_quotes,
    judge_sample,
    wraps_column,
)
from millrace.engine.formats.csv.detecting.padding import NO_TITLES, PaddedTitles, find_padded_titles
from millrace.engine.formats.csv.detecting.records import Sample, read_sample
from millrace.engine.formats.csv.detecting.titles import count_titles
from millrace.engine.formats.csv.dialect import Dialect
from millrace.engine.options import Quotes, ReadOptions

DELIMITERS = (",", ";", "\t", "|")
"""What a delimiter is detected among; comma is the one that loses."""
_DOUBLE, _SINGLE, _BACKSLASH = '"', "'", "\\"
MARGIN = 0.15
"""So much more plausible a reading must be to be preferred without doubt."""
HARDLY = 0.5
"""Below it most cells look like no values: such a reading is not believed even where all records have one width."""
_LINE_END = re.compile(r"[\r\n]")
_MANY_QUOTED = 2
"""More well quoted fields than so many for each record with a stray quote say that quotes are meant as quotes."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A reading, and another that is as good, with the option that decides between them."""

    best: Candidate
    rival: Candidate | None = None
    option: str = ""


def quote_and_escape(options: ReadOptions) -> tuple[str | None, str | None]:
    """What the options say, or else what plain CSV has; a doubled quote needs no escape."""
    quote, escape = options.quote or None, options.escape or None
    if options.quote is None:
        quote = _DOUBLE
    if escape == quote:
        escape = None
    return quote, escape


def prefer_plausible(first: Candidate, second: Candidate, option: str) -> Choice:
    """The far more plausible of two; else both, with the option that decides."""
    better, worse = first, second
    if second.plausible > first.plausible:
        better, worse = second, first
    if better.plausible - worse.plausible > MARGIN:
        return Choice(better)
    return Choice(better, worse, option)


class Readings:
    """A sample read by one dialect after another."""

    def __init__(self, options: ReadOptions, text: str, *, final: bool) -> None:
        self._options = options
        self._text = text
        self._final = final
        self._quote, self._escape = quote_and_escape(options)
        self._may_unquote = options.quote is None and options.quotes is Quotes.STRICT

    def choose_quoting(self, delimiter: str) -> Choice:
        """The best way of quoting with a delimiter."""
        lenient = self._options.quotes is Quotes.LENIENT
        usual = Dialect(delimiter, self._quote, self._escape, lenient=lenient, comment=self._options.comment)
        # Comma alone is read though it is not there: a file of one column has to have a reading.
        if delimiter not in self._text and delimiter != DELIMITERS[0] and self._options.delimiter is None:
            return Choice(Candidate(usual, width=1, alike=1, records=1, first_width=1, plausible=0.0))
        choice = Choice(self.read(usual))
        if lenient:
            return choice
        choice = self._try_escape(choice, usual)
        choice = self._try_apostrophe(choice, usual)
        return self._try_without_quotes(choice, usual)

    def read(self, dialect: Dialect) -> Candidate:
        """How well a dialect explains the sample."""
        return self._judge(dialect)[0]

    def read_sample(self, dialect: Dialect) -> Sample:
        """The sample's records as a dialect reads them, those of a title, too."""
        return read_sample(dialect, self._text, final=self._final)

    def find_padded_titles(self, best: Candidate) -> PaddedTitles:
        """Titles that a regular reading has for records, since they have as many delimiters."""
        first = _LINE_END.split(self._text.lstrip("\r\n"), maxsplit=1)[0]
        # Nearly all files are done here, so that the sample is not read once more: their first line lacks no value.
        values = [value.strip(" \"'") for value in first.split(best.delimiter)]
        is_padded = "" in values
        if not is_padded or best.width < 2 or not best.explains_all or self._options.skip_lines:
            return NO_TITLES
        return find_padded_titles(self.read_sample(best.dialect).rows, has_headers=self._options.has_headers)

    def read_below(self, best: Candidate, titles: int) -> Candidate:
        """The same reading of the records below so many titles."""
        if not titles:
            return best
        return judge_sample(best.dialect, self.read_sample(best.dialect), titles)

    def rate_undivided(self) -> float:
        """How plausible the lines are as the values of a single column."""
        # A null byte divides nothing: text does not have it.
        return self.read(Dialect("\0", self._quote, self._escape, comment=self._options.comment)).plausible

    def _judge(self, dialect: Dialect) -> tuple[Candidate, Sample]:
        """How well a dialect explains the sample, and the sample's records without those of a title."""
        sample = read_sample(dialect, self._text, final=self._final)
        titles = 0
        if not self._options.skip_lines:  # who drops lines says what is above the table
            titles = count_titles(sample.rows, has_headers=self._options.has_headers)
        return judge_sample(dialect, sample, titles), Sample(sample.rows[titles:], sample.is_open)

    def _try_escape(self, choice: Choice, usual: Dialect) -> Choice:
        """Backslashes, if they are what makes quotes legal or records equally wide."""
        if self._options.escape is not None or not self._has_backslash_before(usual.delimiter, usual.quote):
            return choice
        plain, escaped = choice.best, self.read(replace(usual, escape=_BACKSLASH))
        if not escaped.is_legal:
            return choice
        # In 1,"say \"hi\"" a backslash makes the quotes legal. In C:\,1 it would swallow the delimiter, and the record
        # be narrower than others.
        if escaped.explained > plain.explained or not plain.is_legal:
            return Choice(escaped)
        if escaped.explains_table and escaped.width != plain.width:
            return prefer_plausible(escaped, plain, "escape")
        return choice

    def _has_backslash_before(self, *characters: str | None) -> bool:
        """Whether the text has a backslash before one of the characters, or at the end of a line."""
        marks = [_BACKSLASH + character for character in (*characters, "\n", "\r") if character]
        return any(mark in self._text for mark in marks)

    def _try_apostrophe(self, choice: Choice, usual: Dialect) -> Choice:
        """Apostrophes as quotes, if fields need them or are within them throughout."""
        double = choice.best
        uses_double = double.quoted and double.is_regular
        if self._options.quote is not None or uses_double or not self._begins_with_apostrophe(usual.delimiter):
            return choice
        for escape in self._escapes(usual, _SINGLE):
            single, sample = self._judge(replace(usual, quote=_SINGLE, escape=escape))
            if single.is_legal and single.quoted:
                return self._weigh_apostrophe(choice, single, sample)
        return choice

    def _begins_with_apostrophe(self, delimiter: str) -> bool:
        """Whether a field begins with an apostrophe, as in id,'Doe, Bob' or 'id','name'; not in O'Neil."""
        if _SINGLE not in self._text:  # most files are done here, twenty times as fast as by the search
            return False
        return re.search(rf"(?:\A|[\r\n{re.escape(delimiter)}])'", self._text) is not None

    def _read_apostrophes_as_text(self, best: Candidate) -> Candidate:
        if best.is_regular:
            return best
        return self.read(replace(best.dialect, quote=None))

    def _weigh_apostrophe(self, choice: Choice, single: Candidate, sample: Sample) -> Choice:
        plain = self._read_apostrophes_as_text(choice.best)
        # 1,'Doe, Bob' over 2,'Roe' has rows of one width only if apostrophes are quotes.
        if not plain.is_regular:
            return _prefer_regular(single, choice)
        if not single.is_regular:
            return choice
        # 'id','name' over '1','Ann' has them around the header, too: a program put them there.
        if single.width != plain.width or _is_quoted_on_purpose(single, sample):
            return Choice(single)
        # id,name over 1,'Ann' and 2,'Bob': they may be quotes or a part of each name, and nothing says which.
        if wraps_column(sample.rows[1:]):
            return Choice(plain, single, "quote")
        return choice

    def _escapes(self, usual: Dialect, quote: str) -> tuple[str | None, ...]:
        """The escapes to try with a quote, plain CSV first."""
        if self._options.escape is None and self._has_backslash_before(usual.delimiter, quote):
            return (None, _BACKSLASH)
        return (usual.escape,)

    def _try_without_quotes(self, choice: Choice, usual: Dialect) -> Choice:
        """No quoting at all, if quotes are where CSV has none and every record has one width without them."""
        strict = choice.best
        if not self._may_unquote or not strict.strays or strict.quoted > _MANY_QUOTED * strict.strays:
            return choice
        regular = list(self._readings_without_quotes(usual))
        if not regular:
            return choice
        # Of equal width both divide alike, and a backslash stays what it is: text.
        if len(regular) == 1 or regular[0].width == regular[1].width:
            return Choice(regular[0])
        return prefer_plausible(regular[1], regular[0], "escape")

    def _readings_without_quotes(self, usual: Dialect) -> Iterator[Candidate]:
        """Readings without quotes in which records have one width, and no cell looks like a part of a quoted one."""
        for escape in self._escapes(usual, ""):
            unquoted, sample = self._judge(replace(usual, quote=None, escape=escape))
            if unquoted.is_regular and unquoted.plausible >= HARDLY and not has_torn_cell(sample, _DOUBLE):
                yield unquoted


def _prefer_regular(candidate: Candidate, choice: Choice) -> Choice:
    """A reading whose records have one width, or more of them than the choice so far."""
    if candidate.is_regular or candidate.share > choice.best.share:
        return Choice(candidate)
    return choice


def _is_quoted_on_purpose(candidate: Candidate, sample: Sample) -> bool:
    """Whether a column is within quotes from the header on, or a quote within quotes is doubled or escaped."""
    return wraps_column(sample.rows) or holds_quote_in_quotes(sample, candidate.dialect)
