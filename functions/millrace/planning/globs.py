"""Directory globs: ``*`` within a segment, ``**`` any number of segments, ``?`` one character, ``[…]`` a choice.

Anybody who may upload chooses the path that is matched, so the time is bounded: it grows with the path's length times
the glob's. No regular expression here has a quantifier, so none can go back and try again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from millrace.engine.file_names import is_hidden_segment

_WILD = re.compile(r"[*?\[]")
ANY_DEPTH = "**"


def matches(glob: str, directory: str) -> bool:
    """Whether a directory's path, segments joined by slashes, matches as a whole.

    ``**`` stands for any number of segments, none included, and only as a whole segment; the other wildcards never
    cross a slash. Letters match in their own case, as S3 keeps them.
    """
    segments = directory.split("/")
    return len(segments) in matching_depths(glob, segments)


def matches_shown(glob: str, path: str) -> bool:
    """Whether a path matches as a whole, hidden segments only where the glob's own begin so: as shells match dots.

    ``**/*.csv`` matches ``a/b.csv`` and not ``_a/b.csv``, which ``_a/*.csv`` and ``_*/*.csv`` do.
    """
    pattern = _compile(glob)
    states = pattern.begin()
    for segment in path.split("/"):
        states = pattern.advance(states, segment, is_shown_alone=is_hidden_segment(segment))
    return pattern.is_end(states)


def matching_depths(glob: str, segments: list[str]) -> list[int]:
    """The numbers of leading segments that match as a directory, in one pass, the smallest first.

    ``a/**/b`` and the segments a, b, c, b: 2 (``a/b``) and 4 (``a/b/c/b``).
    """
    pattern = _compile(glob)
    states = pattern.begin()
    depths = []
    for depth, segment in enumerate(segments, start=1):
        states = pattern.advance(states, segment)
        if pattern.is_end(states):
            depths.append(depth)
        if not states:
            break
    return depths


def is_literal(segment: str) -> bool:
    """Whether a segment of a glob names one directory alone."""
    return _WILD.search(segment) is None


@dataclass(frozen=True, slots=True)
class _Segment:
    """A glob's segment, cut at its ``*``: each piece matches texts of one length, given by ``lengths``.

    ``tenant=*-??`` has the pieces ``tenant=`` and ``-??``, of the lengths 7 and 3.
    """

    pieces: tuple[re.Pattern[str], ...]
    lengths: tuple[int, ...]
    names_hidden: bool

    def matches(self, text: str) -> bool:
        """Whether the whole text matches.

        Each piece between two ``*`` takes the first place that fits. That is never wrong: a later place would only
        leave less text for the pieces that follow. ``*-*-x`` in ``a-b-c-x``: the two hyphens are at 1 and 3, ``x``
        must end the text.
        """
        if len(self.pieces) == 1:
            return self.pieces[0].fullmatch(text) is not None
        last_start = len(text) - self.lengths[-1]
        position = self.lengths[0]
        # The first piece is at the beginning and the last at the end, and they may not overlap: a*a is not a, but aa.
        fits_ends = position <= last_start and self.pieces[0].match(text) and self.pieces[-1].match(text, last_start)
        if not fits_ends:
            return False
        for piece in self.pieces[1:-1]:
            match = piece.search(text, position, last_start)
            if match is None:
                return False
            position = match.end()
        return True


@dataclass(frozen=True, slots=True)
class _Glob:
    """A glob's segments; None is ``**``. A state is how many of them are matched so far; all possible ones are kept."""

    segments: tuple[_Segment | None, ...]

    def begin(self) -> frozenset[int]:
        """The states before the first segment of a path."""
        return frozenset(self._pass_any_depth(0))

    def advance(self, states: frozenset[int], segment: str, *, is_shown_alone: bool = False) -> frozenset[int]:
        """The states after one more segment of a path.

        ``is_shown_alone``: only a segment of the glob that names what is hidden matches it.
        """
        # A state is how many segments of the glob are matched so far. There may be several at once, since `**` matches
        # none, one or many.
        following = set[int]()
        for state in states:
            if state == len(self.segments):
                continue
            pattern = self.segments[state]
            if is_shown_alone and (pattern is None or not pattern.names_hidden):
                continue
            if pattern is None:
                following.update(self._take_at_any_depth(state, segment))
            elif pattern.matches(segment):
                following.update(self._pass_any_depth(state + 1))
        return frozenset(following)

    def is_end(self, states: frozenset[int]) -> bool:
        """Whether the path may end here."""
        return len(self.segments) in states

    def _take_at_any_depth(self, state: int, segment: str) -> Iterator[int]:
        """The states after ``**`` took a segment. At a glob's end it must take one, so that it names a table."""
        if not segment:
            return
        yield from self._pass_any_depth(state)
        if state == len(self.segments) - 1:
            yield state + 1

    def _pass_any_depth(self, state: int) -> Iterator[int]:
        """A state and those behind it that are reached because ``**`` may take no segment: all but at the end."""
        yield state
        while state < len(self.segments) - 1 and self.segments[state] is None:
            state += 1
            yield state


@lru_cache(maxsize=256)
def _compile(glob: str) -> _Glob:
    return _Glob(tuple(map(_compile_segment, glob.split("/"))))


def _compile_segment(segment: str) -> _Segment | None:
    if segment == ANY_DEPTH:
        return None
    patterns, lengths = [""], [0]
    for token in _read_tokens(segment):
        if token is None:
            patterns.append("")
            lengths.append(0)
        else:
            patterns[-1] += token
            lengths[-1] += 1
    # A pattern for each part between stars, never one with .* in it: of a*a*a*a*b a backtracking matcher tries every
    # way to divide a long name, in time that grows with a power of its length.
    pieces = tuple(re.compile(pattern, re.DOTALL) for pattern in patterns)
    return _Segment(pieces, tuple(lengths), is_hidden_segment(segment))


def _read_tokens(segment: str) -> Iterator[str | None]:
    """A pattern for each character that a segment asks for; None: ``*``."""
    position = 0
    while position < len(segment):
        character = segment[position]
        # A bracket that nothing closes stands for itself: `a[b` matches the name `a[b`.
        closing = _closing(segment, position) if character == "[" else -1
        if closing > 0:
            yield _choice(segment[position + 1 : closing])
            position = closing
        elif character == "*":
            yield None
        else:
            yield "[^/]" if character == "?" else re.escape(character)
        position += 1


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
