"""Run the real CDK command line against an emulator: bootstrap, deploy, read the outputs."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from millrace.demo.emulator import ACCOUNT, REGION, Emulator

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


@dataclass(frozen=True, slots=True)
class Project:
    """The checkout that holds the stacks."""

    root: Path

    @classmethod
    def locate(cls) -> Project:
        """Find it above this file, wherever the caller stands; raise DeployError where this is no checkout."""
        for folder in Path(__file__).resolve().parents:
            if (folder / "cdk.json").is_file() and (folder / "app.py").is_file():
                return cls(folder)
        raise DeployError(
            f"no cdk.json beside an app.py above {Path(__file__).parent}: the demonstration deploys the stacks "
            "of the checkout. Clone the repository and run `make demo` there"
        )

    @property
    def examples(self) -> Path:
        """The ready configurations with their sample data."""
        return self.root / "examples"

    @property
    def cdk(self) -> list[str]:
        """The pinned CDK command line, started with the environment's Node."""
        script = self.root / "node_modules" / ".bin" / "cdk"
        if not script.exists():
            raise DeployError(f"{script} is missing: run `make install` in {self.root}")
        return [_node(), str(script)]


def bootstrap(emulator: Emulator, *, on_line: Callable[[str], None] = lambda _line: None) -> None:
    """Prepare the emulator's account for the CDK."""
    project = Project.locate()
    command = ["bootstrap", "--app", "", f"aws://{ACCOUNT}/{REGION}"]
    _run_cdk(project, emulator, command, on_line=on_line)


def deploy(
    emulator: Emulator,
    configuration: Path,
    *,
    context: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] = lambda _line: None,
) -> Outputs:
    """Deploy all stacks of ``configuration`` and return their outputs."""
    project = Project.locate()
    assembly = Path(tempfile.mkdtemp(prefix="assembly-", dir=emulator.folder))
    outputs = assembly / "outputs.json"
    given = {"config": str(configuration.resolve()), **(context or {})}
    command = ["deploy", "--all", "--require-approval", "never", "--concurrency", "1"]
    command += ["--output", str(assembly / "cdk.out"), "--outputs-file", str(outputs)]
    for name, value in given.items():
        command += ["--context", f"{name}={value}"]
    _run_cdk(project, emulator, command, on_line=on_line)
    read: dict[str, dict[str, str]] = json.loads(outputs.read_text())
    shutil.rmtree(assembly)
    return read


def cdk_log(emulator: Emulator) -> Path:
    """All that the CDK said, one run after another."""
    return emulator.folder / "cdk.log"


def _run_cdk(project: Project, emulator: Emulator, command: list[str], *, on_line: Callable[[str], None]) -> None:
    words = [*project.cdk, *command, "--ci", "--no-color", "--no-notices"]
    said: list[str] = []
    with (
        cdk_log(emulator).open("a") as log,
        subprocess.Popen(  # noqa: S603 -- the command is ours
            words,
            cwd=project.root,
            env=_cdk_environment(project, emulator),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process,
        _ended(process),
    ):
        for line in process.stdout or ():
            log.write(line)
            said.append(line.rstrip())
            on_line(line.rstrip())
        code = process.wait()
    if code:
        tail = "\n".join(said[-40:])
        raise DeployError(f"`cdk {command[0]}` failed with exit code {code}; it said:\n{tail}")


@contextlib.contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """Let neither the process nor a child of it outlive the block."""
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _cdk_environment(project: Project, emulator: Emulator) -> dict[str, str]:
    environment = emulator.subprocess_environment()
    scripts = sysconfig.get_path("scripts")
    return {
        **environment,
        "PATH": os.pathsep.join([scripts, environment.get("PATH", os.defpath)]),
        "HOME": os.environ.get("HOME", str(emulator.folder)),  # jsii unpacks aws-cdk-lib into the user's cache once
        "CDK_HOME": str(emulator.folder / "cdk-home"),
        "TMPDIR": str(emulator.folder / "tmp"),
        "PYTHONWARNINGS": "ignore",
        # The CDK checks templates against all of CloudFormation's rules: 7 of the 12 s of CPU that synthesis takes.
        # The emulator has rules of its own, and tests/infra has these templates checked, too.
        "CDK_VALIDATION": "false",
        # Node keeps what it compiles of the CDK's 30 MB, which is 1 s less for each deployment but the first.
        "NODE_COMPILE_CACHE": str(project.root / "build" / "node"),
        "CDK_DISABLE_VERSION_CHECK": "1",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
        "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
        "JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION": "1",
    }


def _node() -> str:
    scripts = sysconfig.get_path("scripts")
    if path := shutil.which("node", path=os.pathsep.join([scripts, os.environ.get("PATH", os.defpath)])):
        return path
    raise DeployError(f"no Node beside {sys.executable} and none on PATH: run `make install`")
