"""Convert hostile files, each in a process of its own; print as JSON what became of each and what it took.

Names of cases come on standard input, one a line. This process has imported all that a case needs and does nothing
else: it forks for each case, which is then as fresh as a new process and lacks the 0.7 s of imports.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import traceback
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


def _read_memory(field: str) -> int:
    """VmHWM, the most that this process has had, or VmRSS, what it has; in MB. ru_maxrss would be the parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) // 1024


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


def outcome(case: Case, not_inherited: int) -> dict[str, Any]:
    """What becomes of a case: the rows, or the error's class, branch and text; and memory and time.

    ``not_inherited`` are the MB that a new process would have of its libraries; a forked one shows them when it uses
    them.
    """
    source = case.make()
    made, begun = not_inherited + _read_memory("VmHWM"), time.monotonic()
    found: dict[str, Any] = {"ours": False, "says": ""}
    try:
        found["rows"] = _all_rows(case, source)
    except Exception as error:  # noqa: BLE001 # whatever it is, it is reported
        found |= {"refused": type(error).__name__, "ours": isinstance(error, MillraceError), "says": str(error)}
    seconds, peak = round(time.monotonic() - begun, 1), not_inherited + _read_memory("VmHWM")
    return {**found, "seconds": seconds, "made": made, "peak": peak}


def _work_in_child(name: str, whole: int, answer: int) -> None:
    """Be the forked process: its memory is limited, and it never returns."""
    code = 1
    try:
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        use_lean_pool()
        found = outcome(CASES[name], max(0, whole - _read_memory("VmRSS")))
        os.write(answer, json.dumps(found).encode())
        code = 0
    except BaseException:  # noqa: BLE001 - a child must not go on as its parent
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def run_case(name: str) -> dict[str, Any]:
    """Fork for a case: its outcome, and how its process ended."""
    reader, writer = os.pipe()
    whole = _read_memory("VmRSS")
    child = os.fork()
    if child == 0:
        _work_in_child(name, whole, writer)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    _, status = os.waitpid(child, 0)
    return {"code": os.waitstatus_to_exitcode(status), "outcome": json.loads(text or "{}")}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(run_case(line.rstrip("\n"))), flush=True)  # noqa: T201 # the answer
