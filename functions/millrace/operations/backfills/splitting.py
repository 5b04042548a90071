"""Where what is left of a key range is divided, so that somebody else can list its second half."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from operator import eq

_BELOW_TEXT = 0x1F
_BEHIND_ASCII = 0x7F
_BEHIND_ALL = 0x110000
_SURROGATES = range(0xD800, 0xE000)
_MOST_PROBES = 100


def find_split(low: str, high: str, find_next: Callable[[str], str | None]) -> str | None:
    """A place between two keys with keys behind it, so that each side has some to list; None if there is none.

    ``find_next`` gives the first key behind a place, up to ``high`` (``""``: the end). Each call costs a listing::

        low  part-0001   the last that was listed
        part-O?          part-0001 to part-9999 are there, so none is behind it
        part-?, part-7?  none, then part-7000: keys are there at least up to it
        part-3           the middle of part-0001 and part-7000: the second half is what is behind it
    """
    for _ in range(_MOST_PROBES):
        middle = find_middle(low, high)
        if middle is None:
            return None
        key = find_next(middle)
        if key is not None:
            # The keys behind the place may be few. Nearer to the lower end, more are behind.
            return find_middle(low, key) or middle
        high = middle
    return None


def find_middle(low: str, high: str) -> str | None:
    """A text between two others in the order of their UTF-8 bytes: of ``in/a`` and ``in/q`` it is ``in/i``.

    ``high`` may be ``""``: there is no bound. None if nothing lies between that is worth a listing.
    """
    place = _count_shared(low, high)
    if high and place == len(high):
        # The high end is the low one, or comes before it.
        return None
    before = _code_at(low, place, missing=_BELOW_TEXT)
    behind = _code_at(high, place, missing=_find_bound(before))
    middle = (before + behind) // 2
    # A surrogate is half a character, which no key has.
    if middle in _SURROGATES:
        middle = _SURROGATES.start - 1
    if before < middle < behind:
        return low[:place] + chr(middle)
    if place >= len(low):
        return None
    # Between `ab…` and `b…` lies only what begins with `a`: the next character decides, with no bound above.
    rest = find_middle(low[place + 1 :], "")
    return None if rest is None else low[: place + 1] + rest


def _count_shared(first: str, second: str) -> int:
    """How many characters both begin with: of ``in/a`` and ``in/b`` three."""
    return sum(takewhile(bool, map(eq, first, second)))


def _code_at(text: str, place: int, *, missing: int) -> int:
    return ord(text[place]) if place < len(text) else missing


def _find_bound(before: int) -> int:
    """Most keys are ASCII: their range is halved first, and the rest only if a key is beyond it."""
    return _BEHIND_ASCII if before < _BEHIND_ASCII - 1 else _BEHIND_ALL
