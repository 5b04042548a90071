"""Run the real CDK command line against an emulator: bootstrap, deploy, read the outputs."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from millrace.cdk.command_line import CdkCommandLine
from millrace.cdk.node import find_cdk
from millrace.demo.emulator import ACCOUNT, REGION, Emulator
from millrace.deployment.project import find_project
from millrace.mappings import pick

Outputs = Mapping[str, Mapping[str, str]]
"""A stack's name to the names and values of its outputs."""


def merge_outputs(outputs: Outputs) -> dict[str, str]:
    """The outputs of all stacks; a name is in one stack alone."""
    merged: dict[str, str] = {}
    for values in outputs.values():
        merged |= values
    return merged


class DeployError(RuntimeError):
    """The CDK could not be run, or it failed; the text ends with what it said."""


def bootstrap(emulator: Emulator, *, on_line: Callable[[str], None] = lambda _line: None) -> None:
    """Prepare the emulator's account for the CDK."""
    command = ["bootstrap", "--app", "", f"aws://{ACCOUNT}/{REGION}"]
    _run_cdk(emulator, command, on_line=on_line)


def deploy(
    emulator: Emulator,
    configuration: Path,
    *,
    context: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] = lambda _line: None,
) -> Outputs:
    """Deploy all stacks of ``configuration`` and return their outputs."""
    assembly = Path(tempfile.mkdtemp(prefix="assembly-", dir=emulator.folder))
    outputs = assembly / "outputs.json"
    given = {"config": str(configuration.resolve()), **(context or {})}
    command = ["deploy", "--all", "--require-approval", "never", "--concurrency", "1"]
    command += ["--output", str(assembly / "cdk.out"), "--outputs-file", str(outputs)]
    for name, value in given.items():
        command += ["--context", f"{name}={value}"]
    _run_cdk(emulator, command, on_line=on_line)
    read: dict[str, dict[str, str]] = json.loads(outputs.read_text())
    shutil.rmtree(assembly)
    return read


def cdk_log(emulator: Emulator) -> Path:
    """All that the CDK said, one run after another."""
    return emulator.folder / "cdk.log"


def _run_cdk(emulator: Emulator, command: list[str], *, on_line: Callable[[str], None]) -> None:
    project = find_project()
    command_line = CdkCommandLine(
        project=project, script=find_cdk(project, on_line), environment=make_environment(emulator)
    )
    words = [*command]
    if "--app" not in command:
        words += ["--app", command_line.app]
    done = command_line.run(words, on_line=on_line, log=cdk_log(emulator))
    if done.code:
        raise DeployError(f"`cdk {command[0]}` failed with exit code {done.code}; it said:\n{done.last_lines()}")


def make_environment(emulator: Emulator) -> dict[str, str]:
    """All variables of the CDK, and of the application that it starts: the emulator's, and the user's caches."""
    return {
        **emulator.subprocess_environment(),
        # What `find_cache` looks at: in a wheel the application keeps layers, kernels and code there.
        **pick(os.environ, "XDG_CACHE_HOME", "LOCALAPPDATA"),
        "HOME": os.environ.get("HOME", str(emulator.folder)),  # jsii unpacks aws-cdk-lib into the user's cache once
        "CDK_HOME": str(emulator.folder / "cdk-home"),
        "TMPDIR": str(emulator.folder / "tmp"),
        "PYTHONWARNINGS": "ignore",
        # The CDK checks templates against all of CloudFormation's rules: 7 of the 12 s of CPU that synthesis takes.
        # The emulator has rules of its own, and tests/infra has these templates checked, too.
        "CDK_VALIDATION": "false",
    }
