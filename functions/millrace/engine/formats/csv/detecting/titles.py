"""Lines above a table that are none of its rows, such as the title of a report; found only where the table proves it.

No reading makes a row of ``Report of March`` above ``id;amount`` and ``1;2,50``. Nor does one of ``Anna`` above
``Bob;Ulm``, but there a row may have lost a field: such a file is refused, since nobody can say which it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from millrace.engine.formats.csv.detecting.plausible import is_number
from millrace.engine.formats.csv.detecting.records import SampledCell, SampledRow

MOST_TITLES = 20
"""More lines than so many are no title, even if they are narrower than the table."""
FEWEST_ROWS = 2
_HAS_LETTER = re.compile(r"[^\W\d_]")
# Two words of two letters at least: "Sales report", but not "A 1".
_PHRASE = re.compile(r"[^\W\d_]{2} +[^\W\d_]{2}")
# Names of columns with another delimiter: "id,name", but not "Report, March" or "1,200 rows".
_JOINED = re.compile(r"[^\W\d][\"']?[,;\t|][\"']?[^\W\d]")
# What data look like and names of columns do not: "2026-01-31", "12:30", "a@example.com", "https://...", JSON, UUIDs.
_DATA = re.compile(
    r"[0-9][0-9:./ TZ+-]*|\S+@\S+\.\S+|\w+://\S*|[\[{].*[\]}]|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
)
_WORDS_OF_DATA = frozenset(
    {"yes", "no", "y", "n", "true", "false", "n/a", "na", "nan", "nil", "none", "null", "unknown", "missing", "\\n"}
)


def count_titles(rows: Sequence[SampledRow], *, has_headers: bool) -> int:
    """How many of a sample's first records are a title above the table; 0 if they may be rows that lack fields.

    All records behind them have one width, and those of the title are narrower. Below the title there is a row of
    names above data; in a file without a header the first column may be of data instead, or a blank line divides.
    """
    count = _count_narrower(rows)
    if not count or len(rows) - count < FEWEST_ROWS:
        return 0
    titles, table = rows[:count], rows[count:]
    if not all(map(reads_like_title, titles)) or _may_be_header(titles):
        return 0
    if _begins_with_header(table):
        return count
    if not has_headers and _is_apart(titles, table):
        return count
    return 0


def _begins_with_header(table: Sequence[SampledRow]) -> bool:
    """Whether the first record is names above data; behind a blank line names alone are enough."""
    return has_row_of_names(table) and (table[0].after_blank or _has_column_of_data(table[1:]))


def _is_apart(titles: Sequence[SampledRow], table: Sequence[SampledRow]) -> bool:
    """Whether the lines above a table without a header cannot be rows of it that lack fields."""
    # "Readings of May" over 2026-05-01;on is no such row; A17 over 18;on may be.
    if table[0].after_blank:
        return True
    return is_data_column(table, 0) and any(map(is_phrase, titles))


def _count_narrower(rows: Sequence[SampledRow]) -> int:
    """How many records are above those that have one width to the end; 0 if one of them is as wide."""
    if not rows or rows[-1].width < 2:
        return 0
    width = rows[-1].width
    count = len(rows) - _count_alike(reversed(rows), width)
    # a,b over 1,2, and 3,4, is one field narrower than its rows, and still their header.
    if _is_header_of_trailing(rows, count):
        count -= 1
        width -= 1
    widest = max((row.width for row in rows[:count]), default=0)
    if count > MOST_TITLES or widest >= width:
        return 0
    return count


def _count_alike(rows: Iterable[SampledRow], width: int) -> int:
    """How many of the first records have the width and no stray quote."""
    count = 0
    for row in rows:
        if row.width != width or row.stray:
            break
        count += 1
    return count


def _is_header_of_trailing(rows: Sequence[SampledRow], count: int) -> bool:
    """Whether the record above the last ones is their header: a,b over 1,2, and 3,4, which end in a delimiter."""
    if not count or not 2 < rows[-1].width == rows[count - 1].width + 1:
        return False
    return all(row.ends_empty for row in rows[count:])


def is_phrase(row: SampledRow) -> bool:
    """Whether the first field has two words side by side, as "Sales report" has."""
    return _PHRASE.search(_value(row, 0)) is not None


def _may_be_header(titles: Sequence[SampledRow]) -> bool:
    """Whether there is but one line, of several names: ``id;name`` over rows of three fields has lost a name."""
    return len(titles) == 1 and titles[0].width > 1 and has_row_of_names(titles)


def reads_like_title(row: SampledRow) -> bool:
    """Whether the first cell is words; ``17``, ``n/a`` or nothing may be what is left of a row."""
    text = _value(row, 0)
    is_words = _HAS_LETTER.search(text) is not None and not is_data(text)
    return is_words and not any(map(_JOINED.search, map(_stripped, row.cells)))


def has_row_of_names(table: Sequence[SampledRow]) -> bool:
    """Whether the first record is names: each of another column, and none of them a value."""
    names = list(map(_stripped, table[0].cells))
    return "" not in names and len(set(names)) == len(names) and not any(map(is_data, names))


def _has_column_of_data(rows: Sequence[SampledRow]) -> bool:
    return any(is_data_column(rows, position) for position in range(rows[0].seen))


def is_data_column(rows: Sequence[SampledRow], position: int) -> bool:
    """Whether all values of a column are numbers, dates and the like; there is at least one."""
    values = [_value(row, position) for row in rows if row.seen > position]
    return any(values) and all(map(is_data, filter(None, values)))


def is_data(text: str) -> bool:
    """Whether a text is a number, a date, an address or the like, as names of columns and titles are not."""
    return is_number(text) or _DATA.fullmatch(text) is not None or text.lower() in _WORDS_OF_DATA


def _value(row: SampledRow, position: int) -> str:
    return row.text(position).strip()


def _stripped(cell: SampledCell) -> str:
    return cell.text.strip()
