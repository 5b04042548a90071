"""Counts and texts of a CSV file as messages show them."""

from __future__ import annotations

_SHOWN_CHARACTERS = 80


def count_fields(count: int) -> str:
    """A number of fields in words."""
    return f"{count:,} field" if count == 1 else f"{count:,} fields"


def shorten(text: str) -> str:
    """The first characters of a text in quotes; what cannot be seen, such as a tab, is escaped."""
    shown = text[:_SHOWN_CHARACTERS]
    escaped = "".join(character if character.isprintable() else _escape(character) for character in shown)
    return f"“{escaped}{'…' if len(text) > _SHOWN_CHARACTERS else ''}”"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
