"""Run the CDK's command line: its lines as they come, and no process of it left behind."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from millrace.cdk.node import find_node
from millrace.deployment.project import ProjectFiles


@dataclass(frozen=True, slots=True)
class CdkRun:
    """What became of a run: its exit code, and all lines that it wrote."""

    code: int
    lines: Sequence[str]

    @property
    def is_bootstrap_missing(self) -> bool:
        """Whether the account and region lack what the CDK needs there, the result of `cdk bootstrap`."""
        # `... SSM parameter /cdk-bootstrap/hnb659fds/version not found. Has the environment been bootstrapped?`
        return any("cdk-bootstrap" in line or "bootstrapped?" in line for line in self.lines)

    def last_lines(self, number: int = 40) -> str:
        """The end of what it wrote."""
        return "\n".join(self.lines[-number:])


@dataclass(frozen=True, slots=True, kw_only=True)
class CdkCommandLine:
    """The pinned command line: ``script`` is the CDK's, ``environment`` all variables that it gets."""

    project: ProjectFiles
    script: Path
    environment: Mapping[str, str]

    @property
    def app(self) -> str:
        """How the CDK starts the application: a line for the platform's shell."""
        words = [sys.executable, *self.project.app]
        return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)

    def run(
        self, arguments: Sequence[str], *, on_line: Callable[[str], None] = lambda _line: None, log: Path | None = None
    ) -> CdkRun:
        """Run to the end; both its streams are one."""
        command = [str(find_node()), str(self.script), *arguments, "--ci", "--no-color", "--no-notices"]
        lines: list[str] = []
        with (
            contextlib.nullcontext() if log is None else log.open("a", encoding="utf-8") as kept,
            subprocess.Popen(  # noqa: S603 - the words are ours, and no shell reads them
                command,
                cwd=self.project.root,
                env=self._complete_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                # Ctrl-C reaches us alone: what the CDK has begun ends in order.
                start_new_session=True,
            ) as process,
            _ended(process),
        ):
            for line in process.stdout or ():
                if kept is not None:
                    kept.write(line)
                lines.append(line.rstrip())
                on_line(line.rstrip())
            code = process.wait()
        return CdkRun(code, lines)

    def _complete_environment(self) -> dict[str, str]:
        paths = [str(find_node().parent), sysconfig.get_path("scripts"), self.environment.get("PATH", os.defpath)]
        return {
            **self.environment,
            "PATH": os.pathsep.join(paths),
            # Node keeps what it compiles of the CDK's 30 MB, which is 1 s less for each deployment but the first.
            "NODE_COMPILE_CACHE": str(self.project.build / "node" / "compiled"),
            "CDK_DISABLE_VERSION_CHECK": "1",
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
            "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
            "JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION": "1",
        }


@contextlib.contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """Let neither the process nor a child of it outlive the block."""
    try:
        yield
    finally:
        if sys.platform == "win32":
            process.kill()
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
