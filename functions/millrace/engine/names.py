"""Names of output fields: one form for all of them, none twice.

The rule of ``normalize_names``, in this order: Unicode NFKC, lower case; whatever is no letter, mark or digit becomes
``_``; several ``_`` become one; outer ``_`` go; before a leading digit comes ``_``; a name of which nothing is left
becomes ``column_<position>``. Only the names of columns change, not those within an object: whether an object is a
struct or JSON text is a matter of its other rows, and a name must not be.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Collection, Iterable, Sequence


def normalize(name: str, position: int) -> str:
    """A column's name in the one form; ``position`` counts columns from 1. Twice gives the same as once."""
    previous = name
    while (formed := _normalize_once(previous)) != previous:
        previous = formed
    return formed or f"column_{position}"


def _normalize_once(name: str) -> str:
    """One turn; another is needed where lower case brought what NFKC changes again."""
    # NFKC makes f and i of U+FB01, which is one character. Lower case may bring what it changes again: U+0130 becomes i
    # and a dot above it.
    lower = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).lower())
    words = "".join(letter if unicodedata.category(letter)[0] in "LMN" else "_" for letter in lower)
    joined = "_".join(filter(None, words.split("_")))
    begins_with_digit = joined != "" and unicodedata.category(joined[0])[0] == "N"
    return f"_{joined}" if begins_with_digit else joined


def suggestion(name: str, names: Collection[str]) -> str:
    """A question "did you mean" if one of the names is close to ``name``, else the empty text."""
    close = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def column_names(header: Sequence[str]) -> list[str]:
    """The names of columns from a header: an empty one becomes ``column_<position>``, then none comes twice."""
    names = [name or f"column_{position}" for position, name in enumerate(header, 1)]
    return _number_doubles(names, range(len(names)), kept_for=header, reserved=header)


def unique_names(names: Sequence[str]) -> list[str]:
    """Names of which none comes twice: no name is lost, and names that are unique stay as they are.

    Of a name that comes again the first keeps it, the others become
    ``<name>_2``, ``<name>_3`` and so on, leaving out what another column is really called.
    """
    return _number_doubles(names, range(len(names)), kept_for=names, reserved=names)


def number_doubles(names: Sequence[str], given: Sequence[str], reserved: Iterable[str] = ()) -> list[str]:
    """The names, of which none comes twice and none is reserved.

    A name belongs to the first column that was ``given`` it, else to the first that wants it; the others become
    ``<name>_2``, ``<name>_3`` and so on, leaving out what any column is called or wants to be.
    """
    taken = set(reserved)
    # Of the fields Id (normalized: id) and id the latter keeps id, though it comes second; the former becomes id_2.
    owners, rest = list[int](), list[int]()
    for position, (name, first) in enumerate(zip(names, given, strict=True)):
        (owners if name == first else rest).append(position)
    return _number_doubles(names, owners + rest, kept_for=names, reserved={*names, *taken}, taken=taken)


def _number_doubles(
    names: Sequence[str],
    order: Iterable[int],
    *,
    kept_for: Sequence[str],
    reserved: Collection[str],
    taken: Iterable[str] = (),
) -> list[str]:
    """Names made unique: columns choose in this order, each its own name or that with the first number that is free.

    A ``reserved`` name may be chosen only by a column that it is ``kept_for``, a ``taken`` one by none.
    Worked example: a, a, a_2, each kept for its column, become a, a_3, a_2.
    """
    used, closed = set(taken), set(reserved)
    last_numbers: dict[str, int] = {}  # so that a thousand columns of one name are no million attempts
    unique = list(names)
    for position in order:
        name = candidate = names[position]
        number = last_numbers.get(name, 1)
        while candidate in used or (candidate in closed and candidate != kept_for[position]):
            number += 1
            candidate = f"{name}_{number}"
        last_numbers[name] = number
        used.add(candidate)
        unique[position] = candidate
    return unique
