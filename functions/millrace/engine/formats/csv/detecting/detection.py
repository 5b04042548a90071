"""Which dialect a CSV file has: by evidence, comma last, and refused where two readings are as good.

Each delimiter is tried with the ways of quoting that the text gives reason for. The best is the one whose records have
one width and whose cells look like values. What an option names is not looked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from millrace.engine.formats.csv.detecting.choosing import choose_delimiter
from millrace.engine.formats.csv.detecting.doubts import find_hidden_reading, find_wrapped_delimiter, may_hide_reading
from millrace.engine.formats.csv.detecting.judging import Candidate, Trailing
from millrace.engine.formats.csv.detecting.long_delimiters import find_long_delimiter, may_have_long_delimiter
from millrace.engine.formats.csv.detecting.quoting import DELIMITERS, Choice, Readings, quote_and_escape
from millrace.engine.formats.csv.dialect import Dialect
from millrace.engine.formats.csv.wording import count_fields, shorten
from millrace.engine.option_list import say_option
from millrace.engine.options import Face, Quotes, ReadOptions
from millrace.errors import AmbiguousDialect, InvalidConfiguration

DETECTION_BYTES = 65536
"""How much of a file the dialect is detected from; more if that is fewer than three lines."""


_LINE_END = re.compile(r"[\r\n]")


@dataclass(frozen=True, slots=True)
class Detected:
    """A dialect, and what speaks for it: the candidates, the best first; none where all was told.

    ``named_by_file`` says that the delimiter is from a line such as ``sep=;``, ``titles`` how many records above the
    table are none of it, and ``trailing`` which records end in a delimiter with nothing behind it.
    """

    dialect: Dialect
    candidates: tuple[Candidate, ...] = ()
    named_by_file: bool = False
    delimiter_is_given: bool = False
    titles: int = 0
    trailing: Trailing = Trailing.NONE

    @property
    def confidence(self) -> float:
        """1 where the delimiter was told or explains every record; 0 where no delimiter does better than another."""
        if not self.candidates or self.delimiter_is_given:
            return 1.0
        return self.candidates[0].confidence


def detect(options: ReadOptions, sample: bytes, *, final: bool, named: str | None = None) -> Detected:
    """The dialect as the options say; what they leave open is detected in the sample.

    ``named`` is the delimiter that the file itself names, ``final`` says that the sample is all of the file. Raises
    AmbiguousDialect, and InvalidConfiguration for characters that cannot be those of a dialect.
    """
    check_characters(options)
    delimiter = named or options.delimiter or None
    readings = Readings(options, sample.decode(errors="replace"), final=final)
    given = _given_dialect(options, delimiter)
    if given is not None:
        best, candidates = _pass_padded_titles(readings, readings.read(given), options), tuple[Candidate, ...]()
        return _to_detected(best, candidates, options, named)
    if delimiter:
        choices = [readings.choose_quoting(delimiter)]
        choice = choices[0]
    else:
        choices = list(map(readings.choose_quoting, DELIMITERS))
        # All are tried before one is chosen: whether a reading is good depends on what the others make of the same
        # lines.
        choice = choose_delimiter(choices, readings.rate_undivided)
    if choice.rival is not None:
        _raise_ambiguous(choice, options.face)
    if not delimiter:
        _refuse_hidden_reading(readings, choice.best, options)
        _refuse_long_delimiter(readings, choice.best, options)
    best = _pass_padded_titles(readings, choice.best, options)
    return _to_detected(best, (best, *_rank_losers(choices, best)), options, named)


def _to_detected(
    best: Candidate, candidates: tuple[Candidate, ...], options: ReadOptions, named: str | None
) -> Detected:
    is_given = bool(named or options.delimiter)
    return Detected(
        best.dialect,
        candidates,
        named is not None,
        delimiter_is_given=is_given,
        titles=best.titles,
        trailing=_trailing_of(best, has_headers=options.has_headers, is_given=is_given),
    )


def _trailing_of(best: Candidate, *, has_headers: bool, is_given: bool) -> Trailing:
    """Which records end in a delimiter with nothing behind it, if that is sure."""
    # "note" over "hello," may be a column of prose, unless it is known that commas divide. The only row 1,x, of a file
    # without a header may have an empty last field.
    if best.trailing is Trailing.BELOW_HEADER:
        is_sure = has_headers and (is_given or best.width > 2)
    else:
        is_sure = has_headers or best.records > 1
    if is_sure:
        return best.trailing
    return Trailing.NONE


def _refuse_hidden_reading(readings: Readings, best: Candidate, options: ReadOptions) -> None:
    """Raise AmbiguousDialect if a reading that is no candidate explains each line as well."""
    if not may_hide_reading(best):
        return
    sample = readings.read_sample(best.dialect)
    choice = find_hidden_reading(best, sample, has_headers=options.has_headers)
    if choice is not None:
        _raise_ambiguous(choice, options.face)
    if options.has_headers and (wrapped := find_wrapped_delimiter(best, sample)):
        delimiter, width = wrapped
        raise AmbiguousDialect(
            f"each line is one field in quotes, within which {delimiter!r} divides {count_fields(width)}: "
            f"{shorten(best.shown[0])}; if the lines are CSV, take the quotes around them away; if they are one "
            f"column, say so with {say_option(options.face, 'delimiter', 'comma')}"
        )


def _refuse_long_delimiter(readings: Readings, best: Candidate, options: ReadOptions) -> None:
    """Raise AmbiguousDialect if more characters than the delimiter stand between all fields."""
    if not may_have_long_delimiter(best):
        return
    longer = find_long_delimiter(best, readings.read_sample(best.dialect), has_headers=options.has_headers)
    if longer is None:
        return
    fields = best.delimiter.join(best.shown).split(longer)
    raise AmbiguousDialect(
        f"the file can be read in two ways, {_describe(best, 'delimiter')} or with the delimiter {longer!r} "
        f"({count_fields(len(fields))}: {shorten(' | '.join(fields))}); if it is {best.delimiter!r}, say so with "
        f"{say_option(options.face, 'delimiter')}; if it is the longer one, have the file written with a delimiter of "
        f"one character: no other can be read"
    )


def _pass_padded_titles(readings: Readings, best: Candidate, options: ReadOptions) -> Candidate:
    """The reading without titles that have as many fields as the table, all but the first ones empty.

    Raises AmbiguousDialect where such a line may be the header as well.
    """
    titles = readings.find_padded_titles(best)
    if titles.is_sure:
        return readings.read_below(best, titles.count)
    skip, none = say_option(options.face, "skip_lines", "1"), say_option(options.face, "has_headers", "false")
    first = readings.read_sample(best.dialect).rows[0]
    text = best.delimiter.join(cell.raw for cell in first.cells)
    raise AmbiguousDialect(
        f"the first line can be read in two ways, as a title above the table or as a header that names 1 of "
        f"{count_fields(best.width)}: {shorten(text)}; if it is a title, drop it with {skip}; if all lines are rows, "
        f"say so with {none}"
    )


def _rank_losers(choices: Sequence[Choice], best: Candidate) -> list[Candidate]:
    """The readings by other delimiters, the best first; of equals the first stays first."""
    losers = [loser.best for loser in choices if loser.best.delimiter != best.delimiter]
    return sorted(losers, key=lambda candidate: candidate.score, reverse=True)


def check_characters(options: ReadOptions) -> None:
    """Raise InvalidConfiguration for characters that cannot be those of a dialect."""
    for name, character in (("delimiter", options.delimiter), ("quote", options.quote), ("escape", options.escape)):
        if character and not _is_mark(character):
            raise InvalidConfiguration(f"{name}: {character!r} is not one ASCII character that is no line end")
    # An empty text says that there is none: delimiter "" beside quote "" are two that are missing, not one mark twice.
    if options.delimiter in {options.quote, options.escape} and options.delimiter:
        raise InvalidConfiguration(f"delimiter: {options.delimiter!r} cannot be quote or escape, too")
    if options.comment:
        _check_comment(options.comment, options)


def _check_comment(comment: str, options: ReadOptions) -> None:
    if _LINE_END.search(comment):
        raise InvalidConfiguration(f"comment: {comment!r} has a line end; it is what one line begins with")
    if comment[0] in {options.delimiter, options.quote}:
        raise InvalidConfiguration(f"comment: {comment!r} begins with the delimiter or the quote")


def _is_mark(character: str) -> bool:
    return len(character) == 1 and character.isascii() and character not in "\r\n\0"


def _given_dialect(options: ReadOptions, delimiter: str | None) -> Dialect | None:
    """The dialect if the options leave nothing open."""
    is_lenient = options.quotes is Quotes.LENIENT
    # A quote alone leaves the escape open: 1,"say \"hi\"" may have one. Without quotes nobody looks for an escape. A
    # lenient dialect is taken as it is: since every quote is legal by it, no sample could speak against it.
    is_open = options.quote is None or (options.escape is None and options.quote != "")
    if delimiter is None or (is_open and not is_lenient):
        return None
    return Dialect(delimiter, *quote_and_escape(options), lenient=is_lenient, comment=options.comment)


def _raise_ambiguous(choice: Choice, face: Face) -> NoReturn:
    assert choice.rival is not None  # noqa: S101 - only called where there is one
    best, rival = _describe(choice.best, choice.option), _describe(choice.rival, choice.option)
    raise AmbiguousDialect(
        f"the file can be read in two ways, {best} or {rival}; say which with {say_option(face, choice.option)}"
    )


def _describe(candidate: Candidate, option: str) -> str:
    dialect = candidate.dialect
    character = {"delimiter": dialect.delimiter, "quote": dialect.quote, "escape": dialect.escape}[option]
    how = f"without {option}"
    if character:
        how = f"with the {option} {character!r}"
    fields = " | ".join(candidate.shown)
    return f"{how} ({count_fields(len(candidate.shown))}: {shorten(fields)})"
