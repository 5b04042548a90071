"""All explanations together, and the one for a name that a person types."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from millrace.cli.errors.data import DATA_GUIDES
from millrace.cli.errors.guides import ErrorGuide
from millrace.cli.errors.services import CONFIGURATION_GUIDES, OTHER_GUIDES, TRANSIENT_GUIDES
from millrace.errors import UsageError

GUIDES: Sequence[ErrorGuide] = (*DATA_GUIDES, *CONFIGURATION_GUIDES, *TRANSIENT_GUIDES, *OTHER_GUIDES)


def find_guide(code: str) -> ErrorGuide:
    """The explanation of a class; case and signs do not matter: ``ragged-row`` is RaggedRow. Raises: UsageError."""
    by_name = {_simplify(guide.name): guide for guide in GUIDES}
    guide = by_name.get(_simplify(code))
    if guide is not None:
        return guide
    similar = difflib.get_close_matches(_simplify(code), by_name, n=1)
    suggestion = f"; did you mean {by_name[similar[0]].name}?" if similar else ""
    raise UsageError(f"{code!r} is no error class{suggestion}; `millrace errors` lists all of them")


def _simplify(name: str) -> str:
    """``Ragged-Row`` as ``raggedrow``."""
    return "".join(filter(str.isalnum, name)).lower()
