"""The interleaved run: every conversion in a process of its own, the tools by turns, round after round."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
TOOLS = ("Millrace", "DuckDB", "Polars", "pyarrow", "pandas")
THREADS = (1, 2)
LIMIT_SECONDS = 900
PANDAS_MB = 256
"""Up to this size pandas takes part, in the first round alone: it holds files whole, and takes the longest."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Pair:
    """A conversion of one kind of data, by the extensions of source and target."""

    source: str
    target: str
    dataset: str

    def __str__(self) -> str:
        return f"{self.source}->{self.target} {self.dataset}"


PAIRS = (
    Pair("csv", "parquet", "taxi"),
    Pair("csv", "parquet", "items"),
    Pair("csv", "parquet", "reviews"),
    Pair("csv", "parquet", "wide"),
    Pair("csv.gz", "parquet", "taxi"),
    Pair("jsonl", "parquet", "flat"),
    Pair("jsonl", "parquet", "nested"),
    Pair("jsonl.zst", "parquet", "flat"),
    Pair("json", "parquet", "flat"),
    Pair("json", "parquet", "nested"),
    Pair("parquet", "csv", "taxi"),
    Pair("parquet", "jsonl", "nested"),
    Pair("csv", "jsonl", "taxi"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is run: so many rounds of these pairs, tools and sizes, in a folder of the inputs."""

    folder: Path
    sizes: tuple[int, ...]
    rounds: int
    pairs: tuple[Pair, ...] = PAIRS
    tools: tuple[str, ...] = TOOLS
    threads: tuple[int, ...] = THREADS

    def source(self, pair: Pair, size: int) -> Path:
        """Where an input is."""
        return self.folder / f"{pair.dataset}-{size}.{pair.source}"

    def takes_part(self, tool: str, size: int, number: int) -> bool:
        """Whether a tool is run on a size in a round."""
        return tool != "pandas" or (size <= PANDAS_MB and number == 1)


def make_inputs(plan: Plan, say: Say) -> None:
    """Make the inputs that are not there yet."""
    for size in plan.sizes:
        for pair in plan.pairs:
            path = plan.source(pair, size)
            if not path.exists():
                say(f"making {path.name}")
                _run("bench.compare.files", str(path), pair.dataset, pair.source, str(size))


def runs(plan: Plan, say: Say) -> Iterator[dict[str, Any]]:
    """One result after the other; those of a pair's first round say whether the values survived, too."""
    for number in range(1, plan.rounds + 1):
        for size in plan.sizes:
            for pair in plan.pairs:
                say(f"round {number} of {plan.rounds}, {size} MB: {pair}")
                for threads in plan.threads:
                    for tool in plan.tools:
                        if plan.takes_part(tool, size, number):
                            checked = number == 1 and threads == max(plan.threads)
                            about = {"pair": str(pair), "size": size, "threads": threads, "tool": tool, "round": number}
                            yield about | _one(plan, pair, size, threads, tool, checked=checked)


def _one(plan: Plan, pair: Pair, size: int, threads: int, tool: str, *, checked: bool) -> dict[str, Any]:
    source, target = plan.source(pair, size), plan.folder / f"output.{pair.target}"
    try:
        result = _run("bench.compare.once", tool, str(source), str(target), str(threads))
        if checked and result["status"] == "done":
            result["values"] = _run("bench.compare.check", str(target), pair.dataset, str(size))
    finally:
        target.unlink(missing_ok=True)
    return {"source_bytes": source.stat().st_size, **result}


def small(rounds: int = 300) -> dict[str, Any]:
    """Processor seconds of 10 kB objects in a warm process."""
    return _run("bench.compare.small", str(rounds))


def _run(module: str, *arguments: str) -> dict[str, Any]:
    """The JSON that a module prints; how it died where it did."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return {"status": "refused", "why": f"not done within {LIMIT_SECONDS} s"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        return {"status": "refused", "why": f"ended with {done.returncode}: {last[:200]}"}
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1]) if done.stdout.strip() else {}
    return answer
