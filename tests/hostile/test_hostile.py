"""Files made to exhaust whoever reads them: each in a process of its own, which is held to memory and time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.cases import CASES

ROOT = Path(__file__).parents[2]
SLOW_MACHINE = 3
"""How many times longer than on an idle machine a case may take."""


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_file_is_refused_or_converted_within_bounds(name: str) -> None:
    """One clear error of ours, or the right rows; never more memory or time than is told."""
    case = CASES[name]

    done = subprocess.run(  # noqa: S603 # our own module
        [sys.executable, "-m", "tests.hostile.run", name],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"functions{os.pathsep}."},
        capture_output=True,
        text=True,
        timeout=SLOW_MACHINE * case.seconds,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.get("refused") == case.refused, found
    assert found.get("rows") == case.rows, found
    assert found["ours"] is bool(case.refused)
    assert all(words in found["says"] for words in case.says), found
    assert found["peak"] <= case.mb, found
