"""How long the command takes to start, in seconds of CPU of a whole process: `python bench/startup.py [--rounds 7]`.

Each row is the least of some rounds, after one that is not counted: it writes the byte code, which an installed
package has. Limits are for a machine without other work. Needs the project's environment and nothing else.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

FUNCTIONS = Path(__file__).parents[1] / "functions"
MAIN = "from millrace.cli import main; main()"


@dataclass(frozen=True, slots=True)
class StartCase:
    """Python's arguments, and the seconds of CPU that the process may take; None: shown for comparison."""

    name: str
    arguments: tuple[str, ...]
    limit: float | None = None


def list_cases(folder: Path) -> list[StartCase]:
    """What is measured; ``folder`` holds the small file that is converted."""
    source = folder / "small.csv"
    source.write_text("id,zip\n1,00501\n")
    target = str(folder / "small.parquet")
    return [
        StartCase("python alone", ("-c", "pass")),
        StartCase("import typer", ("-c", "import typer")),
        StartCase("import pyarrow", ("-c", "import pyarrow")),
        StartCase("millrace --help", ("-c", MAIN, "--help"), 0.3),
        StartCase("millrace convert --help", ("-c", MAIN, "convert", "--help")),
        StartCase("millrace convert, a small file", ("-c", MAIN, "convert", str(source), target), 0.8),
    ]


def measure_cpu(case: StartCase) -> float:
    """Seconds of user and system time of one process."""
    environment = {**os.environ, "PYTHONPATH": str(FUNCTIONS)}
    # Some containers set it; without byte code every module is compiled again, which takes ten times as long.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *case.arguments], check=True, capture_output=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print a table; exit 1 if a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="how often each is run; the least counts")
    rounds = parser.parse_args().rounds
    late = []
    with tempfile.TemporaryDirectory() as folder:
        for case in list_cases(Path(folder)):
            measure_cpu(case)
            seconds = min(measure_cpu(case) for _ in range(rounds))
            limit = "" if case.limit is None else f"  (at most {case.limit} s)"
            print(f"{case.name:32} {seconds:6.3f} s{limit}")
            if case.limit is not None and seconds > case.limit:
                late.append(case.name)
    if late:
        sys.exit(f"too slow: {', '.join(late)}")


if __name__ == "__main__":
    main()
