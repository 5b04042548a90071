"""How long the command and the functions take to start: `python bench/startup.py [--rounds 7]`.

In seconds of CPU of a whole process.

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
# Lambda's layers have neither numpy nor pandas, which pyarrow imports where they are.
AS_ON_LAMBDA = "import sys; sys.modules.update(numpy=None, pandas=None); "
FIRST_FILE = """
from convert import handler
from millrace.engine import FileFormat, Job, convert_file
from millrace.delivery import object_conversion
source, target = sys.argv[1:]
convert_file(Job(source=source, target=target, to=FileFormat.PARQUET))
"""
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
        StartCase("import pydantic", ("-c", "import pydantic.main")),
        StartCase("import botocore's sessions", ("-c", "import botocore.session")),
        StartCase("import convert.handler", ("-c", f"{AS_ON_LAMBDA}import convert.handler")),
        StartCase("import reconcile.handler", ("-c", f"{AS_ON_LAMBDA}import reconcile.handler")),
        StartCase("the function's first small file", ("-c", f"{AS_ON_LAMBDA}{FIRST_FILE}", str(source), target)),
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
