"""Readings of a file that no candidate stands for: by a rarer delimiter, as decimal commas, as CSV within CSV.

The delimiters that are weighed are ``DELIMITERS``. By each of them a file of another one has one column, and nothing
would say that its lines were not divided. What is found here refuses the file, unless the delimiter is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from millrace.engine.formats.csv.detecting.judging import Candidate
from millrace.engine.formats.csv.detecting.quoting import DELIMITERS, Choice
from millrace.engine.formats.csv.detecting.records import Sample
from millrace.engine.formats.csv.dialect import Dialect

_RARE_DELIMITERS = "^~\x01\x02\x03\x04\x05\x06\x07\x1c\x1d\x1e\x1f"
"""Characters that no text has in each of its lines, unless they divide it; Hive writes \\x01."""
_DELIMITERS_OF_NAMES = ":!"
"""Characters that values have, such as 12:30, but no name of a column."""
# "1,50" over "20,75": prices with a decimal comma, or two columns of integers.
_MONEY = re.compile(r"[+-]?[0-9]+,[0-9]{2}")


def may_hide_reading(best: Candidate) -> bool:
    """Whether the sample has to be looked at: it is one column, or a row of it may be one number."""
    return best.width < 2 or (best.delimiter == "," and _MONEY.fullmatch(",".join(best.shown)) is not None)


def find_hidden_reading(best: Candidate, sample: Sample, *, has_headers: bool) -> Choice | None:
    """The reading so far beside one that explains each line as well; None where there is none."""
    if best.width > 1:
        return _find_decimal_commas(best, sample)
    return _find_rare_delimiter(best, sample, has_headers=has_headers)


def _find_rare_delimiter(best: Candidate, sample: Sample, *, has_headers: bool) -> Choice | None:
    # 1^Anna over 2^Bob is one column by each candidate, and two by ^. A quoted field may have any character.
    if any(row.width > 1 or row.quoted for row in sample.rows):
        return None
    lines = _lines_of(sample)
    characters = _RARE_DELIMITERS
    if has_headers:
        characters += _DELIMITERS_OF_NAMES
    character = _find_in_each(characters, lines)
    if character is None:
        return None
    shown = tuple(lines[1].split(character))
    return Choice(Candidate(Dialect(character, best.dialect.quote, None), shown=shown), best, "delimiter")


def _find_decimal_commas(best: Candidate, sample: Sample) -> Choice | None:
    lines = [",".join(cell.raw for cell in row.cells) for row in sample.rows if row.seen]
    if not all(map(_MONEY.fullmatch, lines)):
        return None
    # By a delimiter that the file does not have a line is one field.
    return Choice(best, Candidate(Dialect(";", best.dialect.quote, None), shown=(",".join(best.shown),)), "delimiter")


def find_wrapped_delimiter(best: Candidate, sample: Sample) -> tuple[str, int] | None:
    """The delimiter within each line, and how many fields it makes, if each line is one quoted field.

    Such files are CSV that was written as CSV once more: ``"id,name"`` over ``"1,Anna"``; the first line is a header.
    """
    if best.width != 1 or not all(row.quoted and row.width == 1 for row in sample.rows):
        return None
    lines = _lines_of(sample)
    delimiter = _find_in_each(DELIMITERS, lines)
    # "City, Country" over "Paris, France" is one column.
    if delimiter is None or any(delimiter + " " in line for line in lines):
        return None
    return delimiter, lines[0].count(delimiter) + 1


def _lines_of(sample: Sample) -> Sequence[str]:
    """The records of one field, without the quotes around it."""
    return [row.text(0) for row in sample.rows if row.seen]


def _find_in_each(characters: Iterable[str], lines: Sequence[str]) -> str | None:
    """The first character that each of two lines or more has, and each equally often."""
    if len(lines) < 2:
        return None
    for character in characters:
        counts = {line.count(character) for line in lines}
        # ~/data over ~/logs are paths: what divides a line has something before it.
        is_first = any(line.startswith(character) for line in lines)
        if len(counts) == 1 and 0 not in counts and not is_first:
            return character
    return None
