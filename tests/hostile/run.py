"""Convert one hostile file in a process of its own, and print as JSON what became of it and what it took."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

from millrace.engine.destination import Destination
from millrace.engine.formats.memory import use_lean_pool
from millrace.engine.formats.streams.archive import open_archive
from millrace.engine.one_file import convert
from millrace.engine.options import FileFormat, ReadOptions, WriteOptions
from millrace.engine.recipe import Recipe
from millrace.errors import MillraceError
from tests.hostile.cases import CASES, Case

ADDRESS_SPACE = 4 * 2**30
"""What the process may ask the system for at all: memory that is asked for and never used is not measured."""


class Nowhere:
    """A sink that counts."""

    def __init__(self, _directory: str | None = None) -> None:
        self.size = 0

    def write(self, data: bytes | memoryview) -> int:
        self.size += len(data)
        return len(data)

    def discard(self) -> None:
        """There is nothing to discard."""


def _peak() -> int:
    """The most memory that this process has had, in MB; unlike ru_maxrss it knows nothing of the parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def _rows(case: Case, source: BinaryIO) -> int:
    recipe = Recipe(
        source_format=FileFormat(case.source),
        target_format=FileFormat(case.target),
        read=ReadOptions(**case.read),
        write=WriteOptions(),
    )
    return convert(source, recipe, Destination(Nowhere, Nowhere)).rows.written


def _all_rows(case: Case, source: BinaryIO) -> int:
    if case.archive is None:
        return _rows(case, source)
    rows = 0
    with open_archive(source, case.archive) as archive:
        for member in archive.members:
            with member.open() as file:
                rows += _rows(case, file)
    return rows


def outcome(case: Case) -> dict[str, Any]:
    """What becomes of a case: the rows, or the error's class, branch and text; and memory and time."""
    source = case.make()
    made, begun = _peak(), time.monotonic()
    found: dict[str, Any] = {"ours": False, "says": ""}
    try:
        found["rows"] = _all_rows(case, source)
    except Exception as error:  # noqa: BLE001 # whatever it is, it is reported
        found |= {"refused": type(error).__name__, "ours": isinstance(error, MillraceError), "says": str(error)}
    return {**found, "seconds": round(time.monotonic() - begun, 1), "made": made, "peak": _peak()}


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    use_lean_pool()
    print(json.dumps(outcome(CASES[sys.argv[1]])))  # noqa: T201 # the answer
