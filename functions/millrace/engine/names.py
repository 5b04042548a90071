"""Names of output fields: one form for all of them, none twice.

The rule of ``normalize_names``, in this order: Unicode NFKC, lower case; whatever is no letter, mark or digit becomes
``_``; several ``_`` become one; outer ``_`` go; before a leading digit comes ``_``; a name of which nothing is left
becomes ``column_<position>``. Only the names of columns change, not those within an object: whether an object is a
struct or JSON text is a matter of its other rows, and a name must not be.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import count


def normalize(name: str, position: int) -> str:
    """A column's name in the one form; ``position`` counts columns from 1. Twice gives the same as once."""
    seen = name
    while (formed := _once(seen)) != seen:
        seen = formed
    return formed or f"column_{position}"


def _once(name: str) -> str:
    """One turn; another is needed where lower case brought what NFKC changes again."""
    lower = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).lower())
    words = "".join(one if unicodedata.category(one)[0] in "LMN" else "_" for one in lower)
    joined = "_".join(filter(None, words.split("_")))
    return f"_{joined}" if joined and unicodedata.category(joined[0])[0] == "N" else joined


def without_doubles(names: Sequence[str], given: Sequence[str], reserved: Iterable[str] = ()) -> list[str]:
    """The names, of which none comes twice and none is reserved.

    A name belongs to the first column that was ``given`` it, else to the first that wants it; the others become
    ``<name>_2``, ``<name>_3`` and so on, leaving out what any column is called or wants to be.
    """
    taken = set(reserved)
    wanted = set(names) | taken
    owners = [place for place, (name, own) in enumerate(zip(names, given, strict=True)) if name == own]
    order = owners + sorted(set(range(len(names))) - set(owners))
    unique = list(names)
    for place in order:
        if names[place] in taken:
            unique[place] = next(name for n in count(2) if (name := f"{names[place]}_{n}") not in taken | wanted)
        taken.add(unique[place])
    return unique


def suggestion(name: str, known: Mapping[str, object] | set[str]) -> str:
    """Ask "did you mean" where a known name is close to ``name``."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def column_names(names: Sequence[str]) -> list[str]:
    """The names of columns from a header: an empty one becomes ``column_<position>``, then none comes twice."""
    return _unique([name or f"column_{position}" for position, name in enumerate(names, 1)], names)


def unique_names(names: Sequence[str]) -> list[str]:
    """Names of which none comes twice: no name is lost, and names that are unique stay as they are.

    Of a name that comes again the first keeps it, the others become
    ``<name>_2``, ``<name>_3`` and so on, leaving out what another column is really called.
    """
    return _unique(names, names)


def _unique(names: Sequence[str], given: Sequence[str]) -> list[str]:
    taken = set(given)
    used: set[str] = set()
    counts: dict[str, int] = {}
    unique = []
    for name, own in zip(names, given, strict=True):
        number = counts.get(name, 1)
        candidate = name
        while candidate in used or (candidate != own and candidate in taken):
            number += 1
            candidate = f"{name}_{number}"
        counts[name] = number
        used.add(candidate)
        unique.append(candidate)
    return unique
