"""Who asks for the native kernel: a test that never does has the same outcome without it, and need not run twice.

The first run, with the kernel, notes the tests that never asked. The run without it leaves these out, and nothing else:
a test that the first run did not note is run. ``KERNEL_FREE`` names the folder of the notes; without it all tests run.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from millrace.engine.native import library

FOLDER = Path(os.environ["KERNEL_FREE"]).absolute() if "KERNEL_FREE" in os.environ else None
IS_FIRST_RUN = os.environ.get(library.SWITCH) != "0"
_STARTS = frozenset({"subprocess.Popen", "os.fork", "os.posix_spawn", "os.spawn"})
"""What a process begins with; another process may ask as well."""


class KernelQuestions:
    """Counts how often the kernel is asked for, and how often a process is started."""

    def __init__(self) -> None:
        self.count = 0
        self.modules: set[Path] = set()
        """Modules of tests that ask when they are imported."""

    def listen(self) -> None:
        """Count from now on; all of Millrace asks by this one function."""
        look_for_kernel = library.look_for_kernel

        def count_and_look() -> library.Kernel | library.Missing:
            self.count += 1
            return look_for_kernel()

        library.look_for_kernel = count_and_look
        if FOLDER and IS_FIRST_RUN:  # it hears of so much that it takes 3 % of all that quick tests take
            sys.addaudithook(self._hear)

    def _hear(self, event: str, _arguments: tuple[Any, ...]) -> None:
        if event in _STARTS:
            self.count += 1


QUESTIONS = KernelQuestions()


def shares_results(item: Any) -> bool:
    """Whether a test may use what another one made, with or without the kernel: a wide fixture of ours, or a cache."""
    fixtures = [fixture for known in item._fixtureinfo.name2fixturedefs.values() for fixture in known]
    has_wide = any(fixture.scope != "function" and _is_ours(fixture.func) for fixture in fixtures)
    return has_wide or any(hasattr(value, "cache_info") and _is_ours(value) for value in vars(item.module).values())


def _is_ours(function: Any) -> bool:
    return str(getattr(function, "__module__", "")).startswith("tests.")


def note_test(item: pytest.Item, *, asked: bool) -> None:
    """Write down a test that never asked."""
    if FOLDER and not asked and item.path not in QUESTIONS.modules and not shares_results(item):
        path = FOLDER / os.environ.get("PYTEST_XDIST_WORKER", "alone")
        with path.open("a", encoding="utf-8") as notes:
            notes.write(f"{item.nodeid}\n")


def read_notes() -> frozenset[str]:
    """The tests that need no run without the kernel."""
    paths = FOLDER.iterdir() if FOLDER else ()
    return frozenset(line for path in paths for line in path.read_text(encoding="utf-8").splitlines())
