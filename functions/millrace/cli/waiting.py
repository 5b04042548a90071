"""A line on standard error while a person waits for a command's first words: which it is, and for how long.

It begins after two seconds, on a terminal that can take lines back, and goes when the command says something itself.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

_PATIENCE_SECONDS = 2.0
_STEP_SECONDS = 0.5
_BACK = "\r\x1b[2K"
"""To the line's begin, and all of it erased."""


def can_redraw(stream: TextIO) -> bool:
    """Whether a person watches on a terminal where lines can be taken back; ``TERM=dumb`` is one that cannot."""
    return stream.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}


class WaitingLine:
    """The line of one command. What is drawn and what is erased never meet: both hold a lock."""

    def __init__(self, words: str, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._words, self._stream, self._clock = words, stream, clock
        self._begun = clock()
        self._is_shown = False
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def draw(self) -> None:
        """Draw the line once, if it is time and nobody has ended it."""
        with self._lock:
            waited = self._clock() - self._begun
            if self._ended.is_set() or waited < _PATIENCE_SECONDS:
                return
            self._stream.write(f"{_BACK}{self._words}: {waited:.0f} s")
            self._stream.flush()
            self._is_shown = True

    def draw_until_ended(self) -> None:
        """Draw again and again, for a thread."""
        while not self._ended.wait(_STEP_SECONDS):
            self.draw()

    def end(self) -> None:
        """Erase the line, for good."""
        with self._lock:
            if self._is_shown and not self._ended.is_set():
                self._stream.write(_BACK)
                self._stream.flush()
            self._ended.set()


_current: list[WaitingLine] = []
"""The line of the command at work, if it has one: what is written goes through modules that know no command."""


@contextmanager
def show_waiting(words: str) -> Iterator[None]:
    """Have the line shown while the command inside says nothing; nothing where nobody watches."""
    if not can_redraw(sys.stderr):
        yield
        return
    line = WaitingLine(words, sys.stderr)
    _current.append(line)
    threading.Thread(target=line.draw_until_ended, daemon=True).start()
    try:
        yield
    finally:
        end_waiting()


def end_waiting() -> None:
    """Take the line away, since there is something to read now."""
    while _current:
        _current.pop().end()
