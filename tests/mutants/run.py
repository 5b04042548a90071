"""Run mutants: `python -m tests.mutants.run [PART ...] [--sample N] [--seed S] [--jobs J]`.

Each mutant is tested in a process of its own, forked from one that has loaded what all tests need, so that a mutant
costs seconds. The known tools (mutmut, cosmic-ray) start a command for each mutant, which imports pyarrow, pydantic and
boto3 each time, and run one suite for all; here each part has its own judges, and the simulator is the last of them.

A mutant survives if the tests of its part pass, and the simulator's named finds and a few hundred schedules as well.
Survivors that nobody can notice are explained in `explained.json`, by their key; any other ends the run with status 1.
"""

from __future__ import annotations

import argparse
import importlib.abc
import importlib.util
import json
import multiprocessing
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from tests.mutants.mutation import Mutant, find_mutants
from tests.places import ROOT

LIBRARY = ROOT / "functions" / "millrace"
EXPLAINED = Path(__file__).parent / "explained.json"
_OPTIONS = ["-x", "-q", "--no-header", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
LIMIT_SECONDS = 90.0
"""A mutant that loops for ever has been noticed."""
SIMULATION = (
    "tests/simulation/test_finds.py",
    "tests/simulation/test_losses.py",
    "tests/simulation/test_light.py",
    "tests/simulation/test_schedules.py",
)
PARTS: dict[str, tuple[str, ...]] = {
    "ledger": ("tests/unit/ledger", *SIMULATION, "tests/unit/delivery", "tests/contract/test_ledger_store.py"),
    "delivery": ("tests/unit/delivery", "tests/contract", *SIMULATION),
    "operations": ("tests/unit/operations", "tests/contract/test_checkpoints.py", *SIMULATION),
    "objects": ("tests/unit/objects", "tests/unit/delivery"),
    "planning": ("tests/unit/planning", "tests/unit/delivery", "tests/unit/test_examples.py"),
    "engine/types": ("tests/unit/engine/types", "tests/unit/engine/formats", "tests/unit/engine/tables"),
}
"""Each part of the library, and the tests that judge its mutants, the quickest first."""


@dataclass(frozen=True, slots=True)
class MutantVerdict:
    """What became of a mutant: which stage noticed it, or that it survived."""

    mutant: Mutant
    noticed: bool
    seconds: float


class _MutatedLoader(importlib.abc.Loader):
    def __init__(self, mutant: Mutant, spec: ModuleSpec) -> None:
        self._mutant = mutant
        self._spec = spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._mutant.source, self._spec.origin or "", "exec"), module.__dict__)  # noqa: S102 - our own code


class _MutatedFinder(importlib.abc.MetaPathFinder):
    """Gives the mutant's text for its module; every other module is found as usual."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != self._mutant.module:
            return None
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(name, path, target)):
                return importlib.util.spec_from_loader(
                    name, _MutatedLoader(self._mutant, spec), origin=spec.origin, is_package=False
                )
        return None


def judge(mutant: Mutant, tests: Sequence[str]) -> MutantVerdict:
    """Test a mutant in a forked process."""
    begun = time.monotonic()
    process = multiprocessing.get_context("fork").Process(target=_run_tests, args=(mutant, tests))
    process.start()
    process.join(LIMIT_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
    return MutantVerdict(mutant, noticed=process.exitcode != 0, seconds=time.monotonic() - begun)


def check_judges(part: str, judges: Sequence[str]) -> None:
    """Judge a part's first module as it is: judges that fail without a fault would notice anything."""
    path = next(path for path in sorted((LIBRARY / part).rglob("*.py")) if path.name != "__init__.py")
    module = ".".join(("millrace", *path.relative_to(LIBRARY).with_suffix("").parts))
    unchanged = Mutant(module, "", 0, "", "", path.read_text())
    if judge(unchanged, judges).noticed:
        sys.exit(f"the tests of {part} fail without any fault, or need too long: {', '.join(judges)}")


def _run_tests(mutant: Mutant, tests: Sequence[str]) -> None:
    """The forked process: import the mutant instead of its module, and stop at the first test that notices."""
    import pytest  # noqa: PLC0415 - loaded before the fork

    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.environ["SCHEDULES"] = "200"
    for name in [name for name in sys.modules if name.partition(".")[0] in {"millrace", "tests", "convert"}]:
        del sys.modules[name]
    sys.meta_path.insert(0, _MutatedFinder(mutant))
    os._exit(int(pytest.main([*tests, *_OPTIONS])))


_LIBRARIES = (
    "pytest hypothesis pyarrow pyarrow.compute pyarrow.csv pyarrow.json pyarrow.parquet "
    "pydantic yaml boto3 moto moto.s3.responses moto.dynamodb.responses moto.sqs.responses typer rich.console "
    "aws_lambda_powertools"
)


def load_libraries() -> None:
    """Import what all tests need, but not the project, so that a fork begins with it."""
    for name in _LIBRARIES.split():
        importlib.import_module(name)


def mutants_of(part: str) -> Iterator[Mutant]:
    """Every mutant of a part of the library."""
    for path in sorted((LIBRARY / part).rglob("*.py")):
        if path.name != "__init__.py":
            module = ".".join(("millrace", *path.relative_to(LIBRARY).with_suffix("").parts))
            yield from find_mutants(module, path.read_text())


def main() -> None:
    """Draw mutants, judge them side by side, print what survived and the score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--sample", type=int, default=300, help="how many mutants are drawn; 0: all")
    parser.add_argument("--seed", type=int, default=1, help="which ones are drawn")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many are tested at once")
    parser.add_argument("--judges", nargs="+", help="tests that judge, in place of those of each part")
    parser.add_argument("--only", help="mutants whose key contains this text")
    given = parser.parse_args()
    if unknown := sorted(set(given.parts) - set(PARTS)):
        parser.error(f"no part is called {', '.join(unknown)}; there are {', '.join(PARTS)}")
    drawn = _draw(given.parts, given.sample, given.seed, given.only)
    load_libraries()
    judges = {part: tuple(given.judges or PARTS[part]) for part in given.parts}
    for part in given.parts:
        check_judges(part, judges[part])
    explained: dict[str, str] = json.loads(EXPLAINED.read_text())
    counts: Counter[str] = Counter()
    with ThreadPoolExecutor(given.jobs) as pool:
        for verdict in pool.map(lambda pair: judge(pair[1], judges[pair[0]]), drawn):
            key = verdict.mutant.key
            result = "noticed" if verdict.noticed else "explained" if key in explained else "SURVIVED"
            counts[result] += 1
            if result == "SURVIVED" or given.only:
                print(f"{result} line {verdict.mutant.line}, {verdict.seconds:.0f} s  {key}", flush=True)
    judged = counts["noticed"] + counts["SURVIVED"]
    print(f"{len(drawn)} mutants: {dict(counts)}; {100 * counts['noticed'] / max(1, judged):.1f} % noticed")
    sys.exit(1 if counts["SURVIVED"] else 0)


def _draw(parts: Sequence[str], sample: int, seed: int, only: str | None) -> list[tuple[str, Mutant]]:
    every = [(part, mutant) for part in parts for mutant in mutants_of(part) if not only or only in mutant.key]
    if not sample or sample >= len(every):
        return every
    return sorted(random.Random(seed).sample(every, sample), key=lambda pair: (pair[1].module, pair[1].line))


if __name__ == "__main__":
    main()
