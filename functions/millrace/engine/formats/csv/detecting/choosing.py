"""Which delimiter a CSV file has: comma last, and where two explain the file as well, both are given.

First come readings that explain every line, then those that do so below a title, then those that explain most lines:
the reader refuses the lines that differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import filterfalse

from millrace.engine.formats.csv.detecting.judging import Candidate
from millrace.engine.formats.csv.detecting.plausible import BARELY, WITH_SPACE
from millrace.engine.formats.csv.detecting.quoting import DELIMITERS, HARDLY, MARGIN, Choice

_COMMA = DELIMITERS[0]
_FULLY = 0.9
_NEAR = 0.8
"""A score from which a rival is too near to be passed over."""


def choose_delimiter(choices: Sequence[Choice], rate_undivided: Callable[[], float]) -> Choice:
    """The choice that explains the sample best; comma only where no other explains it as well.

    ``rate_undivided`` says how plausible the lines are as values of a single column.
    """
    explaining = [choice for choice in choices if choice.best.explains_all]
    if not explaining:
        return _choose_titled(choices, rate_undivided)
    return _weigh_irregular_rivals(_choose_explaining(explaining), choices)


def _weigh_irregular_rivals(best: Choice, choices: Sequence[Choice]) -> Choice:
    for choice in choices:
        if best.rival is None and not choice.best.explains_all:
            best = _weigh_irregular_rival(best, choice)
    return best


def _choose_explaining(explaining: Sequence[Choice]) -> Choice:
    ranked = sorted(explaining, key=_plausibility, reverse=True)
    commas = list(filter(_is_comma, ranked))
    rest = list(filterfalse(_is_comma, ranked))
    # Of a;b|c with one of each in every line nobody can say which divides: both are given, and the person decides.
    if len(rest) > 1 and _plausibility(rest[0]) - _plausibility(rest[1]) <= MARGIN:
        return Choice(rest[0].best, rest[1].best, "delimiter")
    if not rest or not commas:
        return ranked[0]
    return _choose_beside_comma(rest[0], commas[0])


def _choose_beside_comma(choice: Choice, comma: Choice) -> Choice:
    """Of two that explain every line the comma loses, if the other's cells are not far less plausible."""
    # 1,5;2,5 has two commas a line and one semicolon: 1,5 and 2,5 are values, 5;2 is none. In 1,a;b both readings have
    # a list for a value, so that neither is sure.
    rating, of_comma = _plausibility(choice), _plausibility(comma)
    is_at_least_as_plausible = rating >= of_comma and (rating >= _FULLY or rating - of_comma > MARGIN)
    if is_at_least_as_plausible:
        return choice
    if of_comma >= _FULLY and rating <= HARDLY:
        return comma
    return Choice(choice.best, comma.best, "delimiter")


def _weigh_irregular_rival(best: Choice, rival: Choice) -> Choice:
    """A reading that explains every line loses to one of far better values that is only ragged, or has a title."""
    is_divided = rival.best.first_width > 1 or rival.best.titles > 0
    is_more_plausible = _plausibility(rival) - _plausibility(best) > MARGIN
    # "March 1, 2026;100;paid;" in each line has one comma, but ;-fields that are values; one line lacks a field.
    if is_divided and is_more_plausible and _score(rival) >= _NEAR * _score(best):
        if _NEAR * _score(rival) >= _score(best):
            return rival
        return Choice(best.best, rival.best, "delimiter")
    if _mends_a_cell(rival.best, best.best):
        return Choice(best.best, rival.best, "delimiter")
    return best


def _mends_a_cell(rival: Candidate, best: Candidate) -> bool:
    """Whether all cells are values by a reading that is only ragged, and one is none by that which is regular."""
    # Of 2429,07 over 1892,15;90546 the comma makes two columns, but 15;90546 is no value. By semicolon all are, and
    # the first line lacks a field.
    return rival.most > 1 and rival.is_legal and rival.worst >= WITH_SPACE and best.worst <= BARELY


def _choose_titled(choices: Sequence[Choice], rate_undivided: Callable[[], float]) -> Choice:
    """A table below a title, if the lines are not as plausible as a single column."""
    # "Report" over 1,5 and 2,7: a title over two columns, or a column of numbers with decimal commas.
    titled = [choice for choice in choices if choice.best.titles and choice.best.explains_table]
    if titled:
        best = _weigh_irregular_rivals(_choose_explaining(titled), choices)
        if rate_undivided() < _plausibility(best) - MARGIN:
            return best
    return _choose_irregular(list(map(_without_titles, choices)), rate_undivided)


def _without_titles(choice: Choice) -> Choice:
    return replace(choice, best=replace(choice.best, titles=0))


def _choose_irregular(choices: Sequence[Choice], rate_undivided: Callable[[], float]) -> Choice:
    """The best of readings none of which explains every line; the reader refuses the lines that differ."""
    ranked = sorted(choices, key=_score, reverse=True)  # stable: comma is first of equals
    best = ranked[0]
    divided = [choice for choice in ranked if choice.best.first_width > 1]
    if not divided:
        return _choose_undivided(choices, best, rate_undivided)
    if best.best.width < 2:
        return divided[0]
    near = [choice for choice in ranked[1:] if _is_near(choice.best, best.best)]
    if near:
        return Choice(best.best, near[0].best, "delimiter")
    return best


def _is_near(candidate: Candidate, best: Candidate) -> bool:
    return candidate.width > 1 and candidate.score > 0 and candidate.score >= _FULLY * best.score


def _choose_undivided(choices: Sequence[Choice], best: Choice, rate_undivided: Callable[[], float]) -> Choice:
    """Of a file whose first line no delimiter divides: one column, or a table whose first line lacks fields."""
    # "note" over "late; call again" is one column of prose. "Anna" over a;b;c and d;e;f is a table that is ragged.
    comma = choices[0]
    if _is_comma(best) and _score(best) > 0:
        return comma
    undivided = rate_undivided()
    if undivided >= _NEAR and undivided > _score(best) / _NEAR:
        return comma
    rivals = list(filter(_divides_a_line, choices[1:]))
    if not rivals:
        return comma
    rival = max(rivals, key=_score_and_width)
    if _score(rival) * _NEAR > undivided:
        return rival
    return Choice(rival.best, comma.best, "delimiter")


def _divides_a_line(choice: Choice) -> bool:
    return choice.best.most > 1


def _score_and_width(choice: Choice) -> tuple[float, int]:
    return choice.best.score, choice.best.most


def _is_comma(choice: Choice) -> bool:
    return choice.best.delimiter == _COMMA


def _plausibility(choice: Choice) -> float:
    return choice.best.plausible


def _score(choice: Choice) -> float:
    return choice.best.score
