"""What a valid document asks for that this version does not do yet, and how much that matters."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


class Severity(enum.StrEnum):
    """Whether a deployment may go on."""

    WARNING = "warning"
    """It does not run; everything else does."""
    REFUSED = "refused"
    """It would give another result than asked for."""


@dataclass(frozen=True, slots=True)
class NotYet:
    """One thing that this version does not do; prints as a line for people."""

    path: str
    reason: str
    severity: Severity

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def not_yet(*, models: Iterable[str], model_syncs: Iterable[str]) -> Iterator[NotYet]:
    """Yield what is not done yet; models and model syncs are given by their paths."""
    for path in models:
        yield NotYet(path, "models are validated, but not run by this version", Severity.WARNING)
    for path in model_syncs:
        yield NotYet(path, "model syncs are validated, but not run by this version", Severity.WARNING)
