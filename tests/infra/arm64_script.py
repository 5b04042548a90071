"""What the test runs on each machine: every pair of formats, and the functions' cold start. Prints facts as JSON.

python arm64_script.py SOURCES OUTPUTS [HANDLER ...]
"""

from __future__ import annotations

import hashlib
import importlib
import json
import platform
import sys
import time
from pathlib import Path
from typing import Any


def convert_every_pair(sources: Path, outputs: Path) -> dict[str, str]:
    """The digest of each output by `people.csv to orc`."""
    from millrace.engine import FileFormat, Job, convert_file  # noqa: PLC0415 - the time of the start is measured
    from millrace.engine.options import TARGET_FORMATS  # noqa: PLC0415 - as above

    digests = {}
    for source in sorted(sources.iterdir()):
        for to in sorted(TARGET_FORMATS):
            target = outputs / f"{source.name}.{to}"
            convert_file(Job(source=str(source), target=str(target), to=FileFormat(to)))
            digests[f"{source.name} to {to}"] = hashlib.sha256(target.read_bytes()).hexdigest()
    return digests


def start_functions(handlers: list[str]) -> dict[str, float]:
    """The seconds of CPU that each function's cold start takes, its clients included."""
    seconds = {}
    for name in handlers:
        begun = time.process_time()
        importlib.import_module(f"{name}.handler").world()
        seconds[name] = time.process_time() - begun
    return seconds


def main() -> None:
    """Print what was found."""
    sources, outputs, *handlers = sys.argv[1:]
    started = start_functions(handlers)
    from millrace.engine.native.library import look_for_kernel  # noqa: PLC0415 - the time of the start is measured

    facts: dict[str, Any] = {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "kernel": str(look_for_kernel()),
        "started": started,
        "digests": convert_every_pair(Path(sources), Path(outputs)),
    }
    print(json.dumps(facts))  # noqa: T201 - a command prints its result


if __name__ == "__main__":
    main()
