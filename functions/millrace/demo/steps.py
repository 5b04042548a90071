"""The steps that every demonstration takes, each shown as it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from millrace.cdk.first_run import describe_fetch, describe_first_run
from millrace.config.document import Document
from millrace.demo.deploy import bootstrap
from millrace.demo.deployed import DeployedDemo
from millrace.demo.emulator import Emulator
from millrace.demo.screen import Screen
from millrace.demo.sending import SentFile
from millrace.deployment.project import find_project
from millrace.wording import count_of

_ONE_MACHINE = {"max_concurrency": "2"}
"""Functions side by side for each queue: the emulator starts a process for each, and this is no data centre."""


def deploy_stacks(
    emulator: Emulator, configuration: Path, screen: Screen, describe: Callable[[Document], str]
) -> DeployedDemo:
    """Bootstrap the emulator, and deploy a configuration to it; ``describe`` says of it what was deployed."""
    with screen.step("cdk bootstrap") as step:
        for sentence in describe_fetch(find_project()):
            step.say(sentence)
        bootstrap(emulator, on_line=step.update)
    with screen.step("cdk deploy") as step:
        for sentence in describe_first_run(find_project(), needs_layers=False):
            step.say(sentence)
        deployed = DeployedDemo.deploy(emulator, configuration, context=_ONE_MACHINE, on_line=step.update)
        step.result = describe(deployed.document)
    return deployed


def upload_files(deployed: DeployedDemo, files: Sequence[SentFile], screen: Screen) -> None:
    """Put each file where it goes."""
    with screen.step("Upload") as step:
        for each in files:
            step.update(str(each.ref))
            deployed.upload(each.ref, each.file.read_bytes())
        size = sum(each.file.stat().st_size for each in files)
        step.result = f"{count_of(len(files), 'file')}, {size / 1e6:.1f} MB"
