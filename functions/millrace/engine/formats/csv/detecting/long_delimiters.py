"""Delimiters of several characters, such as ``||`` and ``~|~``: one of their characters alone divides each line, too.

Only one character can be a delimiter here. What looks like a longer one refuses the file, unless the delimiter is
given: by the shorter one ``1~|~Anna`` would become ``1~`` and ``~Anna``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from millrace.engine.formats.csv.detecting.judging import Candidate
from millrace.engine.formats.csv.detecting.records import Sample, SampledRow

_MARKS = frozenset("~^|#@$%&*!<>:;=")
"""What such a delimiter has beside the shorter one. Quotes, brackets, signs and blanks are about values."""
_AROUND_VALUES = (">", "<")
"""``<a@b.com>,<c@d.com>`` has values in angles; ``1<|>Anna`` is divided by ``<|>``."""


def may_have_long_delimiter(best: Candidate) -> bool:
    """Whether one record looks like it, so that the sample has to be looked at."""
    return best.width > 1 and _find_in_record(best.shown, best.delimiter) is not None


def find_long_delimiter(best: Candidate, sample: Sample, *, has_headers: bool) -> str | None:
    """The longer delimiter that divides each of two records or more; None if there is none.

    Without a header ``||`` is none: the second column of ``1||Anna`` may be empty in all rows.
    """
    rows = [row for row in sample.rows if row.seen]
    found = {_find_in_row(row, best) for row in rows}
    if len(rows) < 2 or len(found) != 1:
        return None
    longer = found.pop()
    if longer == best.delimiter * 2 and not has_headers:
        return None
    return longer


def _find_in_row(row: SampledRow, best: Candidate) -> str | None:
    if row.width != best.width:
        return None
    return _find_in_record([cell.raw for cell in row.cells], best.delimiter)


def _find_in_record(fields: Sequence[str], delimiter: str) -> str | None:
    return _find_between(fields, delimiter) or _find_around(fields, delimiter)


def _find_between(fields: Sequence[str], delimiter: str) -> str | None:
    """``||`` if each second field is empty, as in ``1||Anna||Rome``; ``|^|`` if it is ``^``."""
    between = set(fields[1::2])
    if len(fields) % 2 == 0 or len(between) != 1:
        return None
    mark = between.pop()
    # In a sheet an empty column may be there to keep others apart, and two tabs to line them up.
    is_longer = _MARKS.issuperset(mark) if mark else delimiter == "|"
    return f"{delimiter}{mark}{delimiter}" if is_longer else None


def _find_around(fields: Sequence[str], delimiter: str) -> str | None:
    """``~|~`` if there is a ``~`` before and behind each ``|``, as in ``1~|~Anna~|~Rome``."""
    sides = {(left[-1:], right[:1]) for left, right in pairwise(fields)}
    if len(sides) != 1:
        return None
    before, behind = sides.pop()
    if before not in _MARKS or behind not in _MARKS or (before, behind) == _AROUND_VALUES:
        return None
    return f"{before}{delimiter}{behind}"
