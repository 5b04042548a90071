"""Objects of 10 kB in a warm process: ``python -m bench.compare.small [ROUNDS]`` prints processor seconds as JSON."""

from __future__ import annotations

import io
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench.compare.datasets import DATASETS
from bench.compare.files import write
from millrace.engine.destination import Destination
from millrace.engine.formats.memory import use_lean_pool
from millrace.engine.one_file import convert
from millrace.engine.options import FileFormat, ReadOptions, WriteOptions
from millrace.engine.recipe import Recipe

_SIZE = 10_000
_WARM = 20
_FORMATS = {"csv": FileFormat.CSV, "jsonl": FileFormat.JSON, "parquet": FileFormat.PARQUET}
_PAIRS = (
    ("csv", "parquet", "taxi"),
    ("csv", "jsonl", "taxi"),
    ("jsonl", "parquet", "nested"),
    ("parquet", "csv", "taxi"),
    ("parquet", "jsonl", "nested"),
)


class _Memory:
    """Takes an output."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes | memoryview) -> int:
        """Keep a copy, as an upload does."""
        self._parts.append(bytes(data))
        return len(data)

    def discard(self) -> None:
        """Forget it."""
        self._parts.clear()


def seconds(source: bytes, source_format: FileFormat, target_format: FileFormat, rounds: int) -> float:
    """The median of a conversion's processor seconds."""
    recipe = Recipe(source_format=source_format, target_format=target_format, read=ReadOptions(), write=WriteOptions())
    measured = []
    for _ in range(_WARM + rounds):
        begin = time.process_time()
        convert(io.BytesIO(source), recipe, Destination(lambda _directory: _Memory()))
        measured.append(time.process_time() - begin)
    return statistics.median(measured[_WARM:])


def main(rounds: int = 300) -> None:
    """Measure every pair and print them."""
    use_lean_pool()
    with tempfile.TemporaryDirectory() as folder:
        figures = {}
        for source, target, dataset in _PAIRS:
            path = Path(folder, f"small.{source}")
            write(path, DATASETS[dataset], source, _SIZE)
            figures[f"{source}->{target} {dataset}"] = seconds(
                path.read_bytes(), _FORMATS[source], _FORMATS[target], rounds
            )
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
