"""Files made to exhaust whoever reads them: each in a process of its own, which is held to memory and time."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import pytest

from tests.hostile.cases import CASES
from tests.places import ROOT

SLOW_MACHINE = 3
"""How many times longer than on an idle machine a case may take."""


class CaseRunner:
    """The process that forks for each case; see ``run``. It is started again if a case took too long."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process: subprocess.Popen[str] | None = None

    def run(self, name: str, seconds: float) -> dict[str, Any]:
        """The outcome and exit code of a case; none of them if it took longer and was killed."""
        process = self._find_process()
        requests, answers = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)
        timer = threading.Timer(seconds, os.killpg, (process.pid, signal.SIGKILL))
        timer.start()
        try:
            requests.write(f"{name}\n")
            requests.flush()
            answer = answers.readline()
        finally:
            timer.cancel()
        if not answer:
            self.stop()
        found: dict[str, Any] = json.loads(answer or "{}")
        return found

    def stop(self) -> None:
        """End the process, and the case that it runs."""
        process, self._process = self._process, None
        if process is not None:
            with process, contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def read_log(self) -> str:
        """What was written to standard error, of the newest case last."""
        return self._log.read_text(encoding="utf-8")[-5000:]

    def _find_process(self) -> subprocess.Popen[str]:
        if self._process is None:
            with self._log.open("a") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "tests.hostile.run"],
                    cwd=ROOT,
                    env={**os.environ, "PYTHONPATH": f"functions{os.pathsep}."},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    start_new_session=True,
                )
        return self._process


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CaseRunner]:
    """One for all cases of a worker."""
    runner = CaseRunner(tmp_path_factory.mktemp("hostile") / "log")
    yield runner
    runner.stop()


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_file_is_refused_or_converted_within_bounds(name: str, runner: CaseRunner) -> None:
    """One clear error of ours, or the right rows; never more memory or time than is told."""
    case = CASES[name]

    done = runner.run(name, SLOW_MACHINE * case.seconds)

    assert done, f"killed after {SLOW_MACHINE * case.seconds} s\n{runner.read_log()}"
    assert done["code"] == 0, runner.read_log()
    found = done["outcome"]
    assert found.get("refused") == case.refused, found
    assert found.get("rows") == case.rows, found
    assert found["ours"] is bool(case.refused)
    assert all(words in found["says"] for words in case.says), found
    assert found["peak"] <= case.mb, found
