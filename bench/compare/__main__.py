"""Run the comparison: ``python -m bench.compare [--sizes 64] [--rounds 3] [--folder DIR] [--docs]``.

Results are kept after every conversion: what is there when it is interrupted is reported.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.compare import machine, measure


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument("--sizes", default="64", help="megabytes of text of an input, several by comma")
    parser.add_argument("--rounds", type=int, default=3, help="how often all is run; medians are told")
    parser.add_argument("--folder", type=Path, help="where inputs are made and kept; otherwise they are removed")
    parser.add_argument("--pairs", default="", help="only pairs whose name has this text, such as csv->parquet")
    parser.add_argument("--tools", default=",".join(measure.TOOLS), help="of these tools, by comma")
    parser.add_argument("--results", type=Path, default=measure.ROOT / "build" / "bench" / "results.json")
    parser.add_argument("--docs", action="store_true", help="write docs/performance.md and .png, too")
    parser.add_argument("--report", action="store_true", help="run nothing: report what --results has")
    given = parser.parse_args()
    given.tools = tuple(given.tools.split(","))
    if unknown := [tool for tool in given.tools if tool not in measure.TOOLS]:
        parser.error(f"--tools: there is no {unknown[0]!r}; there are {', '.join(measure.TOOLS)}")
    chosen = tuple(pair for pair in measure.PAIRS if given.pairs in str(pair))
    if not chosen:
        parser.error(f"--pairs: none has {given.pairs!r} in its name; there are {', '.join(map(str, measure.PAIRS))}")
    given.pairs = chosen
    return given


@contextlib.contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="millrace-bench-") as made:
        yield Path(made)


def _say(text: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)


def _save(path: Path, results: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(results, indent=1), encoding="utf-8")
    temporary.replace(path)


def run(plan: measure.Plan, path: Path) -> None:
    """Run the plan and keep its results as they come."""
    results: dict[str, Any] = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine.describe(),
        "versions": machine.versions(),
        "rounds": plan.rounds,
        "sizes": list(plan.sizes),
        "runs": [],
    }
    begin = time.monotonic()
    try:
        measure.make_inputs(plan, _say)
        results["small"] = measure.small()
        for result in measure.runs(plan, _say):
            results["runs"].append(result)
            _save(path, results)
    except KeyboardInterrupt:
        _say("interrupted; this is what there is so far")
    _say(f"{(time.monotonic() - begin) / 60:.1f} minutes")


def main() -> None:
    """Measure, then report."""
    given = _arguments()
    if not given.report:
        with _folder(given.folder) as folder:
            plan = measure.Plan(
                folder=folder,
                sizes=tuple(int(size) for size in given.sizes.split(",")),
                rounds=given.rounds,
                pairs=given.pairs,
                tools=given.tools,
            )
            run(plan, given.results)
    if not given.results.exists():
        sys.exit("there are no results")
    from bench.compare import report  # noqa: PLC0415 # the runner needs no plot to measure

    report.write(json.loads(given.results.read_text(encoding="utf-8")), given.results.parent, docs=given.docs)


if __name__ == "__main__":
    main()
