"""The line ``sep=;`` by which exports for Excel name their delimiter before the header; it is no row."""

from __future__ import annotations

import re

from millrace.engine.formats.csv.blocks import CsvFeed

# "sep=;" in any case, the whole line perhaps in quotes; a tab may be written as \t.
# What Excel writes and reads: sep=; or "sep=;", the quotes on both sides or on neither. The delimiter is a tab, a
# blank, \t in two characters, or punctuation: any other ASCII character would be text.
_SEP_LINE = re.compile(rb"""(["']?)sep=(\\t|[!-/:-@\[-`{-~\t ])\1(?:\r\n?|\n|\Z)""", re.IGNORECASE)
_LONGEST_LINE = 16
r"""More than the longest such line has: `"sep=\t"` and its end are ten bytes."""
_NO_DELIMITERS = b"\"'\\"


def find_named_delimiter(feed: CsvFeed) -> str | None:
    """The delimiter that the next line names, if it is exactly such a line; the line stays."""
    match = _SEP_LINE.match(feed.peek(_LONGEST_LINE)[:_LONGEST_LINE])
    if match is None or match[2] in _NO_DELIMITERS:
        return None
    if match[2] == rb"\t":
        return "\t"
    return match[2].decode()


def skip_preamble(feed: CsvFeed, skip_lines: int) -> str | None:
    """Pass over a line that names the delimiter, and over so many lines, one of which it may be; the delimiter."""
    named = find_named_delimiter(feed)
    feed.skip_lines(max(skip_lines, 1) if named else skip_lines)
    if named is None and skip_lines and (named := find_named_delimiter(feed)):
        feed.skip_lines(1)
    return named
