"""Files whose first lines say that they may be no CSV: pages of markup, and comments that nobody has said."""

from __future__ import annotations

import re

from millrace.engine.formats.csv.wording import shorten
from millrace.engine.formats.streams.first_bytes import name_markup
from millrace.engine.option_list import say_option
from millrace.engine.options import ReadOptions
from millrace.errors import AmbiguousDialect, DataError, MalformedFile

COMMENT = re.compile(rb"#|//|--|%|;;")
"""What lines often begin with that are comments."""
_LINES = 100
"""So many lines are looked at: comments are at a file's beginning, and a mark further down makes them rows."""


def check_first_lines(sample: bytes, options: ReadOptions) -> None:
    """Raise MalformedFile for markup and AmbiguousDialect for likely comments; who says the delimiter knows the file.

    A server's page of an error, saved as data.csv, would be a table of one column: its name ``<!DOCTYPE html>``.
    """
    if options.delimiter is not None:
        return
    if error := _refuse_markup(sample, options) or _refuse_comments(sample, options):
        raise error


def _refuse_markup(sample: bytes, options: ReadOptions) -> DataError | None:
    markup = name_markup(sample)
    if markup is None:
        return None
    option = say_option(options.face, "delimiter")
    return MalformedFile(
        f"the file begins like {markup}: {_show_line(sample.lstrip())}; was an error's page saved under this name? "
        f"Write the file again, or say {option} if it is CSV",
        byte=0,
    )


def _refuse_comments(sample: bytes, options: ReadOptions) -> DataError | None:
    """Two first lines or more that all begin with a mark which no line behind them begins with."""
    mark = COMMENT.match(sample)
    if mark is None or options.comment is not None:
        return None
    lines = [line for line in sample.split(b"\n", _LINES)[:_LINES] if line.strip()]
    count = _count_marked(lines, mark[0])
    # One line is no proof: #id,name is the header of many exports.
    if count < 2 or not _are_without(lines[count:], mark[0]):
        return None
    shown = mark[0].decode()
    comment, delimiter = say_option(options.face, "comment", repr(shown)), say_option(options.face, "delimiter")
    return AmbiguousDialect(
        f"the first {count} lines begin with {shown}, and no line behind them does: {_show_line(sample)}; "
        f"set {comment} if they are comments, or say {delimiter} if they are a header and rows",
        byte=0,
    )


def _count_marked(lines: list[bytes], mark: bytes) -> int:
    """How many lines begin with a mark before the first that does not."""
    for position, line in enumerate(lines):
        if not line.startswith(mark):
            return position
    return len(lines)


def _are_without(lines: list[bytes], mark: bytes) -> bool:
    """Whether there are lines and none begins with a mark."""
    return bool(lines) and not any(line.startswith(mark) for line in lines)


def _show_line(text: bytes) -> str:
    return shorten(text.partition(b"\n")[0].rstrip(b"\r").decode(errors="backslashreplace"))
