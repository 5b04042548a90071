"""What became of each mutant, kept in a file that a run adds to, so that nothing is judged twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.mutants.coverage_record import digest_of
from tests.mutants.mutation import Mutant
from tests.places import ROOT


@dataclass(frozen=True, slots=True)
class MutantVerdict:
    """What became of a mutant."""

    key: str
    text: str
    """The digest of the function that it changes."""
    noticed_by: str | None
    """The test that noticed it; `None` if it survived."""
    judges: str
    """The digest of the test that noticed it, or the name of the set of tests that did not."""
    seconds: float


class VerdictFile:
    """A file of one verdict a line; the last of a mutant counts. Beside it, the sets of tests that were run."""

    def __init__(self, path: Path, tests: Mapping[str, str], simulator: Mapping[str, str]) -> None:
        """``tests`` and ``simulator``: the digest of each file of tests, by its path below the project's root."""
        self._path = path
        self._sets_path = path.with_name("judges.json")
        self._tests = tests
        self._simulator = simulator
        self._sets: dict[str, dict[str, str]] = {}
        self._verdicts: dict[str, MutantVerdict] = {}
        self._read()

    def _read(self) -> None:
        if self._sets_path.is_file():
            self._sets = json.loads(self._sets_path.read_text())
        if self._path.is_file():
            for line in self._path.read_text().splitlines():
                verdict = MutantVerdict(**json.loads(line))
                self._verdicts[verdict.key] = verdict

    def read_verdict(self, mutant: Mutant) -> MutantVerdict | None:
        """What is known of this mutant while its function, and the test that noticed it, are as they were."""
        verdict = self._verdicts.get(mutant.key)
        if verdict is None or verdict.text != _digest(mutant.around):
            return None
        if verdict.noticed_by is not None and verdict.judges != self._digest_of_test(verdict.noticed_by):
            return None
        return verdict

    def is_new_to(self, verdict: MutantVerdict | None, test: str) -> bool:
        """Whether a test's file has another text than when the mutant survived."""
        if verdict is None:
            return True
        file = test.partition("::")[0]
        current = {**self._tests, **self._simulator}
        return self._sets.get(verdict.judges, {}).get(file) != current.get(file)

    def add_verdict(self, mutant: Mutant, noticed_by: str | None, seconds: float, *, simulated: bool) -> None:
        """Write down what became of a mutant, at once; `simulated` if the simulator was run in addition."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        judges = self._digest_of_test(noticed_by) if noticed_by else self._add_set(mutant, simulated=simulated)
        verdict = MutantVerdict(mutant.key, _digest(mutant.around), noticed_by, judges, round(seconds, 2))
        self._verdicts[mutant.key] = verdict
        with self._path.open("a") as file:
            file.write(json.dumps(asdict(verdict)) + "\n")

    def _digest_of_test(self, name: str) -> str:
        file = name.partition("::")[0]
        return self._tests.get(file) or self._simulator.get(file) or digest_of(ROOT / file)

    def _add_set(self, mutant: Mutant, *, simulated: bool) -> str:
        """The name of the set of tests that a survivor met in all, now and earlier."""
        earlier = self.read_verdict(mutant)
        met = self._sets.get(earlier.judges, {}) if earlier is not None else {}
        tests = {**met, **self._tests, **(self._simulator if simulated else {})}
        name = _digest(json.dumps(tests, sort_keys=True))
        if name not in self._sets:
            self._sets[name] = tests
            self._sets_path.write_text(json.dumps(self._sets))
        return name

    def last_noticed_by(self, mutant: Mutant) -> str | None:
        """The test that noticed this mutant earlier, even if the function or the test has changed since."""
        verdict = self._verdicts.get(mutant.key)
        return None if verdict is None else verdict.noticed_by


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
