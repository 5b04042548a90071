"""A few mutants, as `make mutants` runs thousands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.mutants.run import EXPLAINED, PARTS, mutants_of
from tests.places import ROOT

COMMAND = (sys.executable, "-m", "tests.mutants.run", "objects", "--jobs", "1", "--judges", "tests/unit/objects")


def run_mutants(records: Path, only: str) -> subprocess.CompletedProcess[str]:
    """All mutants whose key contains a text, with the tests of references as judges."""
    return subprocess.run(  # noqa: S603 - our own command
        [*COMMAND, "--sample", "0", "--only", only, "--records", str(records)],
        cwd=ROOT,
        env={"PYTHONPATH": "functions:."},
        capture_output=True,
        text=True,
        check=False,
    )


def read_verdicts(records: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (records / "verdicts.jsonl").read_text().splitlines()]


def test_faults_in_references_are_noticed(tmp_path: Path) -> None:
    """Each by a test of the line that is changed; a second run judges none again."""
    first = run_mutants(tmp_path, "references:Sequencer.parse:")
    verdicts = read_verdicts(tmp_path)
    second = run_mutants(tmp_path, "references:Sequencer.parse:")

    assert first.returncode == second.returncode == 0, first.stdout + first.stderr
    assert "100.0 %" in second.stdout
    assert {str(verdict["noticed_by"]).partition("::")[0] for verdict in verdicts} <= {
        f"tests/unit/objects/test_{name}.py" for name in ("references", "messages", "lineage")
    }
    assert read_verdicts(tmp_path) == verdicts


def test_a_default_value_is_judged_by_importing_it_again(tmp_path: Path) -> None:
    """It acts while its class is made, so no function can be replaced in place."""
    run = run_mutants(tmp_path, "messages:Request: False -> True")

    assert run.returncode == 0, run.stdout + run.stderr
    assert [verdict["noticed_by"] == "import" for verdict in read_verdicts(tmp_path)] == [True, True, False, False]


def test_each_explained_survivor_is_a_mutant_that_there_is() -> None:
    """A function that is renamed takes its explanation along; else its mutant survives unexplained."""
    explained = set(json.loads(EXPLAINED.read_text()))

    for part in PARTS:
        explained.difference_update(mutant.key for mutant in mutants_of(part))

    assert explained == set()
