"""A few mutants, as `make mutants` runs thousands."""

from __future__ import annotations

import subprocess
import sys

from tests.places import ROOT


def test_faults_in_references_are_noticed() -> None:
    """Every fault in how a reference is read and written."""
    command = [
        sys.executable,
        "-m",
        "tests.mutants.run",
        "objects",
        "--only",
        "references:",
        "--sample",
        "4",
        "--jobs",
        "1",
    ]
    command += ["--judges", "tests/unit/objects"]
    run = subprocess.run(  # noqa: S603 - our own command
        command, cwd=ROOT, env={"PYTHONPATH": "functions:."}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "100.0 % noticed" in run.stdout
