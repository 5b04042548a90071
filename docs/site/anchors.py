"""Anchors of headings as GitHub makes them, so that a link works in the repository and on the site."""

from __future__ import annotations

import re
from collections.abc import Callable


def slugify(text: str, separator: str = "-") -> str:
    """``What must hold, `and` why?`` as ``what-must-hold-and-why``: lower case, no signs, a hyphen for each space."""
    plain = re.sub(r"<[^>]*>", "", text).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", separator)


def choose_slugify() -> Callable[[str, str], str]:
    """The function above: Zensical calls what its settings name, and takes what that gives."""
    return slugify
