"""Run mutants: `python -m tests.mutants.run [PART ...] [--sample N] [--seed S] [--jobs J]`.

The known tools (mutmut, cosmic-ray) start a command for each mutant, which imports pyarrow, pydantic and boto3 each
time, and run one suite for all. Here the tests' lines are recorded once (`coverage_record.py`); then each mutant is a
fork of a process that has collected all tests, and meets only those that run the changed lines: the one that noticed
it last time, then those that noticed its neighbours, then the others, the quickest first. What survives meets the
simulator. Verdicts are kept in build/mutants as they are given: a run that was stopped goes on where it was, and a
survivor meets only tests whose file has changed since.

Survivors that nobody can notice are explained in `explained.json`, by their key; any other ends the run with status 1.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.mutants.coverage_record import (
    LIBRARY,
    CoverageRecord,
    CoverageRecorder,
    digest_of,
    module_of,
    read_record,
)
from tests.mutants.importing import PYTEST_OPTIONS, judge_by_import, load_libraries
from tests.mutants.judging import NEEDS_IMPORT, Report, Trial, WarmedJudges, run_side_by_side
from tests.mutants.mutation import Mutant, find_mutants
from tests.mutants.verdicts import MutantVerdict, VerdictFile
from tests.places import ROOT

EXPLAINED = Path(__file__).parent / "explained.json"
RECORDS = ROOT / "build" / "mutants"
SIMULATOR = "tests/simulation/test_schedules.py"
SCHEDULES = "200"
SIMULATOR_SECONDS = 60.0
"""What so many schedules take without a fault."""
_DELIVERY = (
    "tests/unit/delivery",
    "tests/unit/big_runs/test_routing.py",
    "tests/unit/notices/test_events.py",
    "tests/contract",
    "tests/simulation/test_finds.py",
    "tests/simulation/test_findings.py",
    "tests/simulation/test_losses.py",
)
PARTS: dict[str, tuple[str, ...]] = {
    "ledger": ("tests/unit/ledger", *_DELIVERY),
    "delivery": _DELIVERY,
    "operations": ("tests/unit/operations", *_DELIVERY),
    "objects": ("tests/unit/objects", "tests/unit/aws", *_DELIVERY),
    "planning": ("tests/unit/planning", "tests/unit/test_examples.py", *_DELIVERY),
    "engine/types": ("tests/unit/engine",),
}
"""Each part of the library, and the tests that judge its mutants."""
SIMULATED = ("millrace.ledger.", "millrace.delivery.", "millrace.operations.", "millrace.planning.")
"""The modules whose survivors meet the simulator."""
MOST_SECONDS = 20.0
"""A mutant meets tests of so many seconds at most, the quickest first: what a rule breaks is near to it."""
_KILLERS = 4
"""So many of the tests that noticed a function's other mutants are tried first."""


def mutants_of(part: str) -> Iterator[Mutant]:
    """Every mutant of a part of the library."""
    for path in sorted((LIBRARY / part).rglob("*.py")):
        if path.name != "__init__.py":
            yield from find_mutants(module_of(path), path.read_text())


class MutantRun:
    """One run over drawn mutants: which tests try each, and what became of it."""

    def __init__(self, mutants: Sequence[Mutant], given: argparse.Namespace, tests: Sequence[str]) -> None:
        self._mutants = mutants
        self._given = given
        self._tests = tests
        self._record = CoverageRecord()
        self._verdicts = self._read_verdicts()
        self._killers: defaultdict[str, list[str]] = defaultdict(list)
        self._counts: Counter[str] = Counter()

    def judge_all(self) -> dict[str, MutantVerdict]:
        """Judge what has no verdict yet, in three rounds; the verdicts of the drawn mutants, by their key."""
        self._record_lines()
        self._judge_warmed(self._tests, self._trials(), self._report)
        self._verdicts = self._read_verdicts()
        run_side_by_side(self._import_trials(), judge_by_import, self._given.jobs, self._report_imported)
        if not self._given.without_simulator:
            self._judge_warmed([SIMULATOR], self._simulator_trials(), self._report_simulated)
            self._verdicts = self._read_verdicts()
        verdicts = ((mutant.key, self._verdicts.read_verdict(mutant)) for mutant in self._mutants)
        return {key: verdict for key, verdict in verdicts if verdict is not None}

    def _read_verdicts(self) -> VerdictFile:
        return VerdictFile(self._given.records / "verdicts.jsonl", _digests(self._tests), _digests([SIMULATOR]))

    def _record_lines(self) -> None:
        path = self._given.records / "lines.json"
        _fork(lambda: _run_pytest(self._tests, CoverageRecorder(path, list(PARTS))))
        self._record = read_record(path)
        if failed := [name for name, test in self._record.tests.items() if not test.passed]:
            sys.exit(f"these tests fail without any fault: {', '.join(failed)}")

    def _judge_warmed(self, tests: Sequence[str], trials: Iterator[Trial], report: Report) -> None:
        """In a fork, so that this process stays without the project's modules and can import mutants of them."""
        first = next(trials, None)
        if first is not None:
            judges = WarmedJudges(itertools.chain([first], trials), self._given.jobs, report)
            _fork(lambda: _run_pytest(tests, judges))

    def _trials(self) -> Iterator[Trial]:
        for mutant in self._mutants:
            verdict = self._verdicts.read_verdict(mutant)
            if verdict is not None and verdict.noticed_by is not None:
                continue
            if self._record.runs_at_import(mutant.module, mutant.lines):
                tests = self._record.tests_beside(mutant.module)
            else:
                tests = self._record.tests_of(mutant.module, mutant.lines)
            tests = [test for test in tests if self._verdicts.is_new_to(verdict, test)]
            if verdict is None or tests:
                yield self._to_trial(mutant, tests)

    def _import_trials(self) -> Iterator[Trial]:
        for mutant in self._mutants:
            verdict = self._verdicts.read_verdict(mutant)
            if verdict is not None and verdict.noticed_by == NEEDS_IMPORT:
                yield self._to_trial(mutant, self._record.tests_beside(mutant.module))

    def _simulator_trials(self) -> Iterator[Trial]:
        for mutant in self._mutants:
            verdict = self._verdicts.read_verdict(mutant)
            simulated = mutant.module.startswith(SIMULATED)
            if simulated and verdict is not None and verdict.noticed_by is None and not self._was_simulated(verdict):
                yield Trial(mutant, [SIMULATOR], SIMULATOR_SECONDS)

    def _was_simulated(self, verdict: MutantVerdict) -> bool:
        return not self._verdicts.is_new_to(verdict, SIMULATOR)

    def _to_trial(self, mutant: Mutant, tests: Sequence[str]) -> Trial:
        """Who noticed it last time or noticed its neighbours comes first, then the quickest."""
        last = self._verdicts.last_noticed_by(mutant)
        likely = [last or "", *reversed(self._killers[mutant.function])]
        chosen: list[str] = []
        seconds = 0.0
        for name in dict.fromkeys((*(name for name in likely if name in tests), *tests)):
            seconds += self._record.tests[name].seconds
            if seconds > self._given.seconds and chosen:
                break
            chosen.append(name)
        return Trial(mutant, chosen, seconds)

    def _report(self, trial: Trial, noticed_by: str | None, seconds: float) -> None:
        mutant = trial.mutant
        if noticed_by is None and self._record.runs_at_import(mutant.module, mutant.lines):
            noticed_by = NEEDS_IMPORT
        self._write_down(trial, noticed_by, seconds)

    def _report_imported(self, trial: Trial, noticed_by: str | None, seconds: float) -> None:
        self._write_down(trial, noticed_by, seconds)

    def _report_simulated(self, trial: Trial, noticed_by: str | None, seconds: float) -> None:
        self._write_down(trial, noticed_by, seconds, simulated=True)

    def _write_down(self, trial: Trial, noticed_by: str | None, seconds: float, *, simulated: bool = False) -> None:
        self._verdicts.add_verdict(trial.mutant, noticed_by, seconds, simulated=simulated)
        killers = self._killers[trial.mutant.function]
        if noticed_by is not None and noticed_by not in killers:
            self._killers[trial.mutant.function] = [*killers, noticed_by][-_KILLERS:]
        self._counts["survived" if noticed_by is None else "noticed"] += 1
        judged = self._counts.total()
        if judged % 50 == 0:
            survived = self._counts["survived"]
            print(f"{judged} judged, {survived} survived this round; at {trial.mutant.module}", flush=True)


def _digests(tests: Sequence[str]) -> dict[str, str]:
    """The digest of each file of tests, by its path below the project's root."""
    paths = [ROOT / test for test in tests]
    files = [file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("test_*.py")))]
    return {str(file.relative_to(ROOT)): digest_of(file) for file in files}


def _fork(target: Callable[[], None]) -> None:
    process = get_context("fork").Process(target=target)
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(process.exitcode)


def _run_pytest(tests: Sequence[str], plugin: object) -> None:
    os.environ["SCHEDULES"] = SCHEDULES
    status = pytest.main([*tests, *PYTEST_OPTIONS], plugins=[plugin])
    if status not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED}:
        sys.exit(f"the tests could not be run: {status!r}; run them with pytest to see why: {' '.join(tests)}")


def print_table(parts: Sequence[str], mutants: Sequence[Mutant], verdicts: dict[str, MutantVerdict]) -> bool:
    """Print what survived and the score of each part; whether nothing survived that nobody explains."""
    explained: dict[str, str] = json.loads(EXPLAINED.read_text())
    survivors: list[Mutant] = []
    print(
        f"{'part':14}{'mutants':>9}{'noticed':>9}{'explained':>11}{'survived':>10}{'noticed of those that can be':>30}"
    )
    for part in [*parts, "all"]:
        counts: Counter[str] = Counter()
        for mutant in mutants:
            if part == "all" or mutant.module.startswith(_prefix(part)):
                counts[_outcome(mutant, verdicts, explained)] += 1
        survivors = [mutant for mutant in mutants if _outcome(mutant, verdicts, explained) == "survived"]
        print(_row(part, counts))
    for mutant in survivors:
        print(f"SURVIVED line {mutant.line}  {mutant.key}")
    return not survivors


def _outcome(mutant: Mutant, verdicts: dict[str, MutantVerdict], explained: dict[str, str]) -> str:
    verdict = verdicts.get(mutant.key)
    if verdict is None:
        return "not judged"
    if verdict.noticed_by is not None:
        return "noticed"
    return "explained" if mutant.key in explained else "survived"


def _row(part: str, counts: Counter[str]) -> str:
    score = 100 * counts["noticed"] / max(1, counts["noticed"] + counts["survived"])
    figures = f"{counts.total():9}{counts['noticed']:9}{counts['explained']:11}{counts['survived']:10}"
    return f"{part:14}{figures}{score:28.1f} %"


def _prefix(part: str) -> str:
    return f"millrace.{part.replace('/', '.')}."


def main() -> None:
    """Draw mutants, judge them, print what survived and the score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--sample", type=int, default=300, help="how many mutants are drawn; 0: all")
    parser.add_argument("--seed", type=int, default=1, help="which ones are drawn")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many are tested at once")
    parser.add_argument("--judges", nargs="+", help="tests that judge, in place of those of each part")
    parser.add_argument("--only", nargs="+", default=[""], help="mutants whose key contains one of these texts")
    parser.add_argument("--seconds", type=float, default=MOST_SECONDS, help="of tests that one mutant meets at most")
    parser.add_argument("--without-simulator", action="store_true", help="leave the simulator out")
    parser.add_argument("--records", type=Path, default=RECORDS, help="where lines and verdicts are kept")
    given = parser.parse_args()
    if unknown := sorted(set(given.parts) - set(PARTS)):
        parser.error(f"no part is called {', '.join(unknown)}; there are {', '.join(PARTS)}")
    drawn = _draw(given.parts, given.sample, given.seed, given.only)
    tests = given.judges or list(dict.fromkeys(test for part in given.parts for test in PARTS[part]))
    load_libraries()
    try:
        verdicts = MutantRun(drawn, given, tests).judge_all()
    except KeyboardInterrupt:
        sys.exit("stopped; what was judged is kept, and the same command goes on from there")
    sys.exit(0 if print_table(given.parts, drawn, verdicts) else 1)


def _draw(parts: Sequence[str], sample: int, seed: int, only: Sequence[str]) -> list[Mutant]:
    every = [mutant for part in parts for mutant in mutants_of(part) if any(text in mutant.key for text in only)]
    if not sample or sample >= len(every):
        return every
    return sorted(random.Random(seed).sample(every, sample), key=lambda mutant: (mutant.module, mutant.line))


if __name__ == "__main__":
    main()
