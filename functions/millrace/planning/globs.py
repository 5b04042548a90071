"""Directory globs: ``*`` within a segment, ``**`` any number of segments, ``?`` one character, ``[…]`` a choice."""

from __future__ import annotations

import re
from functools import lru_cache

_WILD = re.compile(r"[*?\[]")
ANY_DEPTH = "**"


def matches(glob: str, directory: str) -> bool:
    """Whether a directory's path, segments joined by slashes, matches as a whole.

    ``**`` stands for any number of segments, none included, and only as a whole segment; the other wildcards never
    cross a slash. Letters match in their own case, as S3 keeps them.
    """
    return _compile(glob).fullmatch(directory) is not None


def is_literal(segment: str) -> bool:
    """Whether a segment of a glob names one directory alone."""
    return _WILD.search(segment) is None


@lru_cache(maxsize=256)
def _compile(glob: str) -> re.Pattern[str]:
    segments = glob.split("/")
    pattern = ""
    for number, segment in enumerate(segments):
        last = number == len(segments) - 1
        if segment == ANY_DEPTH:
            # In the middle: any directories, each with its slash. At the end: at least one, so that it names a table.
            pattern += r"(?:[^/]+/)*[^/]+" if last else r"(?:[^/]+/)*"
        else:
            pattern += _segment(segment) + ("" if last else "/")
    return re.compile(pattern, re.DOTALL)


def _segment(segment: str) -> str:
    pattern, position = "", 0
    while position < len(segment):
        character = segment[position]
        closing = _closing(segment, position) if character == "[" else -1
        if closing > 0:
            pattern += _choice(segment[position + 1 : closing])
            position = closing
        else:
            pattern += {"*": "[^/]*", "?": "[^/]"}.get(character, re.escape(character))
        position += 1
    return pattern


def _closing(segment: str, opening: int) -> int:
    """The bracket that ends a choice; one that comes first in it belongs to it: ``[]a]``. -1 if there is none."""
    start = opening + 1
    if segment[start : start + 1] == "!":
        start += 1
    return segment.find("]", start + 1)


def _choice(inside: str) -> str:
    """The pattern of a choice by what is between its brackets: ``!a-c`` gives ``[^/a-c]``, ``xy`` ``(?!/)[xy]``.

    A slash is never one of the characters. ``(?!)`` matches nothing, as a choice of no character does: ``[z-a]``.
    """
    if inside.startswith("!"):
        return f"[^/{_characters(inside[1:])}]"
    characters = _characters(inside)
    return f"(?!/)[{characters}]" if characters else r"(?!)"


def _characters(inside: str) -> str:
    """Single characters and ranges, escaped for a set; a range that runs backwards has no character."""
    characters, position = "", 0
    while position < len(inside):
        is_range = inside[position + 1 : position + 2] == "-" and position + 2 < len(inside)
        if is_range:
            low, high = inside[position], inside[position + 2]
            if low <= high:
                characters += f"{re.escape(low)}-{re.escape(high)}"
            position += 3
        else:
            characters += re.escape(inside[position])
            position += 1
    return characters
