"""`millrace` as a user runs it: a process with its own environment, forked from one that has imported what all need.

Each command would import boto3, pydantic and the rest once more, a second of CPU, and a suite runs a hundred of them.
What the installed script itself does, and Ctrl-C, is for the tests that start one.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.e2e.preloaded_commands"])


def run_command(
    arguments: Sequence[str], environment: Mapping[str, str], *, folder: Path | None = None, seconds: float = 120
) -> subprocess.CompletedProcess[str]:
    """What a command says, and how it ends. Raises subprocess.TimeoutExpired if it takes longer."""
    command = ["millrace", *arguments]
    with tempfile.TemporaryDirectory() as temporary:
        out, err = Path(temporary, "out"), Path(temporary, "err")
        process = _FORKS.Process(target=_run, args=(command, dict(environment), folder or Path.cwd(), out, err))
        process.start()
        process.join(seconds)
        if process.is_alive():
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(command, seconds, out.read_bytes(), err.read_bytes())
        return subprocess.CompletedProcess(command, process.exitcode or 0, out.read_text(), err.read_text())


def _run(command: list[str], environment: dict[str, str], folder: Path, out: Path, err: Path) -> None:
    """Become the command: nothing of the parent is left but what it has imported."""
    from millrace.cli import main  # noqa: PLC0415 - who starts the process needs none of it

    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for descriptor, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, descriptor)
        os.close(file)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
    sys.argv = command
    main()
