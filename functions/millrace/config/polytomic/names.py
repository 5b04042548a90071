"""Names for the vendor's ids: unique, and of the form that a configuration takes."""

from __future__ import annotations

import re

from millrace.config.polytomic.answers import AnswerObject
from millrace.config.polytomic.remarks import RemarkKind, Remarks

_LONGEST = 64


class NameBook:
    """The names of one kind of things: given once, no two alike (small and capital letters are)."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def choose(self, answer: AnswerObject, remarks: Remarks) -> str:
        """A name for an object: its own one if that can be."""
        own = str(answer.fields.get("name") or "")
        wanted = _to_name(own) or f"{answer.kind} {answer.id[:8] or len(self._taken) + 1}"
        name, number = wanted, 2
        # orders, orders 2, orders 3. A name of 64 characters loses its end for the number.
        while name.casefold() in self._taken:
            ending = f" {number}"
            name, number = wanted[: _LONGEST - len(ending)] + ending, number + 1
        if name != own:
            text = f"is called {name!r} here: names are unique, of at most 64 characters, without '#' and '/'"
            remarks.add(RemarkKind.CHANGED, answer.label, text)
        return name

    def reserve(self, name: str) -> None:
        """Give a name away."""
        self._taken.add(name.casefold())


def _to_name(text: str) -> str:
    printable = "".join(character if character.isprintable() else " " for character in text)
    return re.sub(r"[#/]", "-", printable).strip()[:_LONGEST].strip()
