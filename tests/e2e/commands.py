"""`millrace` as a user runs it, against a deployment."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from millrace.demo.deployed import DeployedDemo

_MILLRACE = str(Path(sysconfig.get_path("scripts")) / "millrace")


def lines(deployed: DeployedDemo, *arguments: str) -> list[dict[str, Any]]:
    """The JSON lines of a command that succeeds."""
    done = run(deployed, *arguments)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def run(deployed: DeployedDemo, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a command says, and how it ends."""
    return subprocess.run(  # noqa: S603 -- the command is ours
        [_MILLRACE, *arguments],
        env=deployed.emulator.subprocess_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
