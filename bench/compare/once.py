"""One conversion in this process, measured: ``python -m bench.compare.once TOOL SOURCE TARGET THREADS``.

Prints a line of JSON. Time is taken from the call to the finished file; importing the tool is told apart, since a warm
function has done it.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

from bench.compare.engines import ENGINES, NotOffered


def pin(processors: int) -> None:
    """Hold this process to so many of the processors that it may use."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:processors])


class WithoutPandas:
    """Lets nobody import pandas: pyarrow does, unasked, wherever it is installed, and a function has none."""

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> None:
        """Refuse pandas and leave the rest to others."""
        if name.partition(".")[0] == "pandas":
            raise ModuleNotFoundError("pandas is left out", name=name)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_bytes() -> int:
    """The most memory that this process has had; what its parent had before it became itself does not count."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def measure(tool: str, source: Path, target: Path, threads: int) -> dict[str, Any]:
    """Seconds, bytes and what went wrong."""
    pin(threads)
    if tool != "pandas":
        sys.meta_path.insert(0, WithoutPandas())
    start = time.perf_counter()
    try:
        convert = ENGINES[tool](source, target, threads)
        imported, cpu = time.perf_counter(), _cpu()
        convert()
        wall, used = time.perf_counter() - imported, _cpu() - cpu
    except (NotOffered, KeyError) as error:
        return {"status": "not offered", "why": str(error)}
    except Exception as error:  # noqa: BLE001 # a tool's refusal is a result
        return {"status": "refused", "why": " ".join(f"{type(error).__name__}: {error}".split())[:300]}
    return {
        "status": "done",
        "wall": wall,
        "cpu": used,
        "start": imported - start,
        "peak": peak_bytes(),
        "bytes": target.stat().st_size,
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))), flush=True)
    os._exit(0)  # the file is there; what a tool does to take itself down is nobody's wait
