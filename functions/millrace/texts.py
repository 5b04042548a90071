"""Texts that strangers wrote (keys, names, values, answers of services), made fit to be kept and to be shown."""

from __future__ import annotations

import json
import re
import shlex

LONGEST_TEXT = 2048
"""Bytes of UTF-8 of a text that is kept: an item of DynamoDB has room for 400 kB, and people read the first lines."""


def shorten_text(text: str, most_bytes: int = LONGEST_TEXT) -> str:
    """A text of at most ``most_bytes`` bytes of UTF-8, its middle cut and counted.

    For example ``fields a, b, c … [18,431 characters left out] … y, z``. Half a character (a lone surrogate) is
    written as ``\\ud800``, since no service takes it.
    """
    data = text.encode(errors="backslashreplace")
    if len(data) <= most_bytes:
        return data.decode()
    # Both ends are kept: an error begins with what happened and ends with what to do.
    half = (most_bytes - _ROOM_FOR_COUNT) // 2
    # A character that is cut in two is left out whole.
    start, end = data[:half].decode(errors="ignore"), data[-half:].decode(errors="ignore")
    # In characters, as people count; the limit is in bytes, as DynamoDB does.
    left_out = len(data.decode()) - len(start) - len(end)
    return f"{start} … [{left_out:,} characters left out] … {end}"


_ROOM_FOR_COUNT = 64


_CONTROLS = re.compile(
    # C0, DEL and C1: a terminal obeys them. Line and paragraph separators end a line.
    "[\x00-\x1f\x7f-\x9f\u2028\u2029"
    # Marks, embeddings, overrides and isolates: "\u202egpj.csv" looks like "vsc.jpg" (Unicode Annex 9; CVE-2021-42574).
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    # Tags are letters that nobody sees; half characters cannot be written at all.
    "\U000e0000-\U000e007f\ud800-\udfff]"
)


def escape_controls(text: str) -> str:
    """A text in one line that a terminal shows and does not obey: ``a\\x1b[2Jb`` for an escape sequence in a key."""
    return _CONTROLS.sub(_escape_as_python, text)


def to_json_text(value: object, *, indent: int | None = None) -> str:
    """JSON that a terminal shows and does not obey; it is read back equal, since JSON has escapes of its own."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    # Inside of strings json.dumps has escaped line ends; those that are left are the indentation's.
    return "\n".join(_CONTROLS.sub(_escape_as_json, line) for line in text.split("\n"))


def _escape_as_python(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def _escape_as_json(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]


def quote_for_shell(text: str) -> str:
    """A text as one word of a command that can be shown and pasted: ``a b`` gives ``'a b'``.

    What a terminal or a page would obey is written as bash's ``$'a\\x1b[2J'``, which is the same word again.
    """
    if escape_controls(text) == text:
        return shlex.quote(text)
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{escape_controls(escaped)}'"
