"""Counts and texts of a CSV file as messages show them."""

from __future__ import annotations

_SHOWN_CHARACTERS = 80


def count_fields(count: int) -> str:
    """A number of fields in words."""
    return _count(count, "field")


def count_lines(count: int) -> str:
    """A number of lines in words."""
    return _count(count, "line")


def _count(count: int, thing: str) -> str:
    if count == 1:
        return f"1 {thing}"
    return f"{count:,} {thing}s"


def shorten(text: str) -> str:
    """The first characters of a text in quotes; what cannot be seen, such as a tab, is escaped."""
    shown = "".join(map(_escape, text[:_SHOWN_CHARACTERS]))
    if len(text) > _SHOWN_CHARACTERS:
        shown += "…"
    return f"“{shown}”"


def _escape(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")
