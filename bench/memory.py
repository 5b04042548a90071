"""Peak memory and time of conversions of a generated file, each in a process of its own.

``python bench/memory.py MB SOURCE TARGET [DATASET]``: SOURCE and TARGET are extensions, ``csv``, ``jsonl``, ``json`` or
``parquet``, with ``.gz``, ``.zst`` or ``.bz2`` behind a target and the first two behind a source; ``MB`` of text are
drawn. ``python bench/memory.py MB`` goes through a list of pairs, and ends with 1 where one of them needs more than
256 MB.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAIRS = (
    ("csv", "parquet", "taxi"),
    ("csv", "jsonl", "reviews"),
    ("csv.gz", "parquet", "taxi"),
    ("csv", "json.zst", "wide"),
    ("jsonl", "parquet", "nested"),
    ("jsonl.zst", "csv.gz", "flat"),
    ("json", "parquet", "nested"),
    ("parquet", "csv", "taxi"),
    ("parquet", "jsonl", "nested"),
    ("parquet", "parquet", "items"),
)
BOUND = 256
"""The MB of memory that a conversion may take, whatever its size."""
_CONVERT = """
import sys
class NoPandas:  # pyarrow imports it wherever it is installed; it is not in a function
    def find_spec(self, name, *_given):
        if name == "pandas":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NoPandas())
from millrace.engine.files import Job, convert_file
from millrace.engine.formats.memory import use_lean_pool
from millrace.engine.options import FileFormat
use_lean_pool()
rows = convert_file(Job(source=sys.argv[1], target=sys.argv[2], to=FileFormat(sys.argv[3])))
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(rows.written, int(peak) // 1024)
"""
_FORMATS = {"csv": "csv", "jsonl": "json", "json": "json-doc", "parquet": "parquet"}


def draw(path: Path, dataset: str, megabytes: int) -> None:
    """Write the file to convert, the same in every run."""
    given = str(path), dataset, path.name.partition(".")[2], str(megabytes)
    subprocess.run([sys.executable, "-m", "bench.compare.files", *given], cwd=ROOT, check=True)


def convert(source: Path, target: Path) -> tuple[int, int, float]:
    """Rows, peak MB and seconds of a conversion in a child process."""
    to = _FORMATS[target.name.split(".")[1]]
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _CONVERT, source, target, to],
        env={**os.environ, "PYTHONPATH": str(ROOT / "functions")},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    rows, peak = map(int, done.stdout.split())
    return rows, peak, time.perf_counter() - began


def measure(megabytes: int, source: str, target: str, dataset: str) -> bool:
    """Make the source, convert it, print the figures; whether its memory stayed within the bound."""
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder, f"source.{source}"), Path(folder, f"target.{target}")
        draw(given, dataset, megabytes)
        rows, peak, seconds = convert(given, made)
        sizes = f"{given.stat().st_size / 2**20:,.0f} MB → {made.stat().st_size / 2**20:,.0f} MB"
    told = f"{source:>9} → {target:9} {dataset:8} {rows:>11,} rows {sizes:>18} {seconds:7.1f} s"
    print(f"{told}  peak {peak} MB{'' if peak <= BOUND else ' — too much'}", flush=True)
    return peak <= BOUND


def main(megabytes: str = "100", source: str = "", target: str = "parquet", dataset: str = "taxi") -> int:
    """Measure one pair, or the list of them."""
    pairs = ((source, target, dataset),) if source else PAIRS
    within = [measure(int(megabytes), *pair) for pair in pairs]
    return 0 if all(within) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
