"""`millrace` as a user runs it, against a deployment."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from millrace.demo.deployed import DeployedDemo
from tests.e2e.forked_commands import run_command


def lines(deployed: DeployedDemo, *arguments: str, seconds: float = 120) -> list[dict[str, Any]]:
    """The JSON lines of a command that succeeds."""
    done = run(deployed, *arguments, seconds=seconds)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def run(deployed: DeployedDemo, *arguments: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    """What a command says, and how it ends."""
    return run_command(arguments, deployed.emulator.subprocess_environment(), seconds=seconds)
