"""Peak memory and seconds of one conversion in a process of its own: ``python bench/memory.py [MB] [from] [to]``."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from generate import write_csv

FUNCTIONS = Path(__file__).parent.parent / "functions"
_CODE = """
import sys
from millrace.file_format import FileFormat
from millrace.local import Job, convert_file
print(convert_file(Job(source=sys.argv[1], target=sys.argv[2], to=FileFormat(sys.argv[3]))).written)
"""


def convert(source: Path, target: Path, to: str) -> tuple[int, float]:
    """Rows and seconds of a conversion in a child process."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _CODE, source, target, to],
        env={"PYTHONPATH": str(FUNCTIONS)},
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout), time.perf_counter() - began


def main(megabytes: int = 1024, source_format: str = "csv", to: str = "parquet") -> None:
    """Make the source, convert it, print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source.csv")
        write_csv(source, megabytes * 2**20)
        if source_format != "csv":  # this child stays below the measured one: conversions are the larger the more text
            made = Path(folder, f"source.{'jsonl' if source_format == 'json' else source_format}")
            convert(source, made, source_format)
            source = made
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        rows, seconds = convert(source, Path(folder, "target"), to)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        note = " (of making the source)" if source_format != "csv" and peak == before else ""
        print(f"{source_format} -> {to}: {source.stat().st_size / 2**20:,.0f} MB, {rows:,} rows")
        written = Path(folder, "target").stat().st_size
        print(f"{seconds:.1f} s, peak {peak >> 10} MB{note}, target {written / 2**20:,.0f} MB")


if __name__ == "__main__":
    main(*(int(sys.argv[1]),) if len(sys.argv) > 1 else (), *sys.argv[2:])
