"""From a target to its templates, by the application of this installation."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from millrace.cdk.assembly import StackPlan, read_stacks
from millrace.cdk.command_line import CdkCommandLine, CdkRun
from millrace.cdk.first_run import describe_first_run
from millrace.cdk.node import find_cdk
from millrace.cli.stacks.target import StackTarget
from millrace.demo.screen import Screen
from millrace.deployment.project import find_project
from millrace.errors import MillraceError

NOT_PREPARED = (
    "this account and region are not prepared for the CDK: its bucket for code and its roles are missing. "
    "Prepare them, once for each account and region: millrace deploy --bootstrap (it runs `cdk bootstrap`)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisedStacks:
    """The templates of a target, and the command line that works on them."""

    target: StackTarget
    folder: Path
    stacks: Sequence[StackPlan]
    command_line: CdkCommandLine

    @property
    def assembly(self) -> Path:
        """The folder that the CDK calls an assembly."""
        return self.folder / "assembly"

    def run_cdk(self, *arguments: str, screen: Screen, title: str) -> None:
        """Run one of the CDK's commands on the assembly, with its last line shown while it runs.

        Raises MillraceError, with what the CDK said.
        """
        with screen.step(title) as step:
            done = self.command_line.run([*arguments, "--app", str(self.assembly)], on_line=step.update)
            if done.code:
                said = f"`cdk {arguments[0]}` failed with exit code {done.code}; it said:\n{done.last_lines()}"
                raise MillraceError(NOT_PREPARED if done.is_bootstrap_missing else said)


@contextlib.contextmanager
def synthesised(target: StackTarget, screen: Screen, *, are_deployed: bool = True) -> Iterator[SynthesisedStacks]:
    """Make the templates in a folder that goes with the block. Raises MillraceError, with what the application said."""
    project = find_project()
    command_line = CdkCommandLine(
        project=project,
        script=find_cdk(project, screen.say),
        environment=target.make_environment(are_deployed=are_deployed),
    )
    with tempfile.TemporaryDirectory(prefix="millrace-stacks-") as temporary:
        folder = Path(temporary)
        arguments = ["synth", "--quiet", "--app", command_line.app, "--output", str(folder / "assembly")]
        with screen.step("Make the templates and pack the code") as step:
            for sentence in describe_first_run(project, needs_layers=True):
                step.say(sentence)
            done = command_line.run([*arguments, *target.list_context()], on_line=step.update)
            if done.code:
                raise MillraceError(_clean(done))
            step.result = "two stacks"
        for line in done.lines:
            # What the application says of the target, such as that it is an emulator.
            if line.startswith("Millrace: "):
                screen.say(f"  {line.removeprefix('Millrace: ')}")
        stacks = read_stacks(folder / "assembly", target.stacks)
        yield SynthesisedStacks(target=target, folder=folder, stacks=stacks, command_line=command_line)


def _clean(done: CdkRun) -> str:
    """What the application said, without what the CDK adds: that the application failed, and with which command."""
    lines = []
    for line in done.lines:
        is_of_the_cdk = "Subprocess exited with error" in line or "--app" in line
        if line.strip() and not is_of_the_cdk:
            lines.append(line)
    return "\n".join(lines[-40:]) or "the CDK's application failed and said nothing"
