"""Where what is left of a key range is divided, so that somebody else can list its second half."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from operator import eq

_BELOW_TEXT = 0x1F
_BEHIND_ASCII = 0x7F
_BEHIND_ALL = 0x110000
_SURROGATES = range(0xD800, 0xE000)
_LAST = chr(0x10FFFD)
"""The last character that XML has."""
_MOST_PROBES = 60
"""Each halves what is left of a million code points at one place; a key may differ at several places."""


def find_split(low: str, find_next: Callable[[str], str | None]) -> str | None:
    """A place behind a key with keys behind it, so that each side has some to list; None if there is none.

    ``find_next`` gives the first key behind a place, up to the end of what is to be divided. Each call costs a listing,
    and there are some fifteen: first it is found how much of ``low`` all keys behind it share, then what differs::

        low  2026/11/part-0012, the last that was listed; the last of all is 2026/11/part-9999
        2026/1…            no key is behind all of those, nor of 2026/11/part-, but there are behind part-0…
        2026/11/part-\x7f  none is behind it; nor behind part-W, part-C; behind part-6 there is part-6001
        2026/11/part-3     the middle of 0012 and 6001: the second half is what is behind it
    """
    shared = _count_shared_by_all(low, find_next)
    high = low[:shared] + chr(_BEHIND_ASCII)
    if find_next(high) is not None:
        high = low[:shared] + _LAST
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


def _count_shared_by_all(low: str, find_next: Callable[[str], str | None]) -> int:
    """How many of its first characters a key shares with all keys behind it, by halving."""
    least, most = 0, len(low)
    while least < most:
        length = (least + most + 1) // 2
        # Behind `in/` and the last character of all comes nothing that begins with `in/`.
        if find_next(low[:length] + _LAST) is None:
            least = length
        else:
            most = length - 1
    return least


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
