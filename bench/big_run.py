"""A file that becomes a big run, through the whole system here: `PYTHONPATH=functions:. python bench/big_run.py [MB]`.

The stacks are deployed to the emulator. A CSV file is put into the source; two children at a time convert its parts to
Parquet. Printed are the seconds from the upload's end to the settled entry, the highest peak of memory of any of the
functions' processes (Linux alone says it), and the seconds and the peak of one process that converts the same file.
The emulator keeps objects in memory: it needs about five times the file's size.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq

from bench import memory
from millrace.demo.deploy import bootstrap
from millrace.demo.deployed import DeployedDemo, Task
from millrace.demo.emulator import Emulator, Mode, running
from millrace.ledger.entries import State
from millrace.objects.references import ObjectRef
from tests.configurations import bulk_sync, connection
from tests.e2e.burning import list_workers

SOURCE, TARGET = "bench-source", "bench-target"
_LONGEST_SECONDS = 4 * 3600
_DRAWN_MEGABYTES = 64


@dataclass
class PeakWatch:
    """Looks at the functions' processes four times a second; ``megabytes`` is the highest peak of any."""

    emulator: Emulator
    megabytes: int = 0
    processes: set[int] = field(default_factory=set)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look meanwhile."""
        over = threading.Event()
        thread = threading.Thread(target=self._watch, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(0.25):
            for pid in list_workers(self.emulator):
                with suppress(OSError, StopIteration):
                    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                    peak = next(line.split()[1] for line in lines if line.startswith("VmHWM:"))
                    self.megabytes = max(self.megabytes, int(peak) // 1024)
                    self.processes.add(pid)


def draw(path: Path, dataset: str, megabytes: int) -> None:
    """Write the file: 64 MB are drawn, and repeated, since drawing takes longer than converting."""
    memory.draw(path, dataset, min(megabytes, _DRAWN_MEGABYTES))
    rows = path.read_bytes().partition(b"\n")[2]
    with path.open("ab") as file:
        while file.tell() + len(rows) <= megabytes * 2**20:
            file.write(rows)


def write_configuration(folder: Path) -> Path:
    """One source, one sync to Parquet."""
    told = {"create_bucket": True, "enable_event_notifications": True, "event_queue_arn": "managed"}
    connections = [
        connection("landing", f"s3://{SOURCE}/in", **told),
        connection("lake", f"s3://{TARGET}/lake", create_bucket=True),
    ]
    path = folder / "millrace.json"
    path.write_text(json.dumps({"connections": connections, "bulk_syncs": [bulk_sync(normalize_names="disabled")]}))
    return path


def run_machine(emulator: Emulator, folder: Path, source: Path, part_bytes: int) -> tuple[int, float, int]:
    """Rows, seconds and peak MB of the big run; its output is written beside the source, as ``parts.parquet``."""
    bootstrap(emulator)
    context = {"max_concurrency": "2", "big_run_concurrency": "2", "part_bytes": str(part_bytes)}
    context["big_run_bytes"] = str(part_bytes)
    deployed = DeployedDemo.deploy(emulator, write_configuration(folder), context=context)
    ref = ObjectRef(SOURCE, "in/file.csv")
    watch = PeakWatch(emulator)
    with watch.watching():
        deployed.s3.upload_file(str(source), ref.bucket, ref.key)
        began = time.perf_counter()
        (entry,) = deployed.wait(
            [Task("nightly", ref)],
            seconds=_LONGEST_SECONDS,
            until=lambda entry: entry.state not in {State.WAITING, State.IN_FLIGHT},
        ).values()
        seconds = time.perf_counter() - began
    if entry.state is not State.CONVERTED:
        raise RuntimeError(f"{entry.state}: {entry.failure}")
    output = entry.outputs[0].ref
    deployed.s3.download_file(output.bucket, output.key, str(folder / "parts.parquet"))
    return entry.rows.written, seconds, watch.megabytes


def compare(one: Path, parts: Path) -> str:
    """Whether two files of Parquet have the same schema and values, batch by batch."""
    left, right = pq.ParquetFile(one), pq.ParquetFile(parts)
    if not left.schema_arrow.equals(right.schema_arrow):
        return "their schemas differ"
    rows = 65_536
    for first, second in zip(left.iter_batches(rows), right.iter_batches(rows), strict=True):
        if not first.equals(second):
            return "their values differ"
    return "equal"


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("megabytes", type=int, nargs="?", default=2048)
    parser.add_argument("--part-megabytes", type=int, default=128)
    parser.add_argument("--dataset", default="taxi")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "file.csv"
        draw(source, given.dataset, given.megabytes)
        print(f"{source.stat().st_size / 1e6:,.0f} MB of CSV ({given.dataset})", flush=True)
        rows, peak, seconds = memory.convert(source, folder / "one.parquet")
        print(f"one process: {rows:,} rows, {seconds:.0f} s, peak {peak} MB", flush=True)
        with running(Mode.OPEN) as emulator:
            rows, seconds, peak = run_machine(emulator, folder, source, given.part_megabytes * 2**20)
        print(f"big run, two at a time: {rows:,} rows, {seconds:.0f} s, peak {peak} MB a child")
        print(f"the outputs are {compare(folder / 'one.parquet', folder / 'parts.parquet')}")


if __name__ == "__main__":
    main()
