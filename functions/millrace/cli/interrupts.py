"""Ctrl-C: one line that says what is left, and exit code 130, whichever command it hits."""

from __future__ import annotations

CODE = 130
"""Of a process that a person interrupted: 128 and the number of SIGINT, as shells have it."""
NOTHING_CHANGED = "nothing was changed"


class Interrupted(KeyboardInterrupt):
    """Ctrl-C at a moment of which a command knows what is left; its text says that, and how to go on."""


def describe_interrupt(error: KeyboardInterrupt, left: str) -> str:
    """The line to show: what the command says of the moment, or else ``left``, which holds at any."""
    return f"interrupted: {error if isinstance(error, Interrupted) else left}"
