"""Ctrl-C, whichever command it hits: one line that says what is left, exit code 130, and no half of anything."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from millrace.cli.commands import COMMANDS, CommandEntry
from millrace.cli.interrupts import NOTHING_CHANGED, Interrupted, describe_interrupt
from tests.unit.cli.test_terminal import COMMAND_LINES

ONLY_SHOWS = {"diff", "explain", "validate", "errors", "import", "schema", "status", "show", "history", "costs", "plan"}
"""Commands that change nothing outside of this machine, and here nothing before they are done."""


class InterruptedDeployment:
    """A deployment during whose every answer a person loses patience."""

    def __getattr__(self, name: str) -> Any:
        raise KeyboardInterrupt


def interrupt(*_arguments: Any, **_options: Any) -> Any:
    raise KeyboardInterrupt


INTERRUPTED_IMPORT = """
import sys

class Interrupter:
    def find_spec(self, name, *_):
        if name == "typer":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupter())
from millrace.cli import main
main()
"""


def test_before_a_command_is_imported_it_makes_no_traceback() -> None:
    """The first half second of a command is spent on imports."""
    command = [sys.executable, "-c", INTERRUPTED_IMPORT]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - code of this file

    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "interrupted: nothing was changed\n")


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_every_command_says_what_is_left(run: Any, monkeypatch: pytest.MonkeyPatch, entry: CommandEntry) -> None:
    part = typer.Typer()

    @part.callback(invoke_without_command=True)
    def interrupt_at_once() -> None:
        interrupt()

    monkeypatch.setattr(importlib.import_module(f"millrace.cli.{entry.module}"), entry.attribute, part)

    ran = run(entry.name)

    assert (ran.code, ran.out, ran.err) == (130, "", f"interrupted: {entry.left}\n")


def test_what_a_command_that_changes_something_leaves_is_told_in_its_own_words() -> None:
    silent = {entry.name for entry in COMMANDS if entry.left == NOTHING_CHANGED}

    assert silent <= ONLY_SHOWS | {"init"}


@pytest.mark.parametrize("build", [build for build, _ in COMMAND_LINES])
def test_no_command_swallows_it(
    run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, build: Callable[[Path], list[str]]
) -> None:
    """In the first answer of a deployment, or in the first file that is read."""
    words = build(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for place in (
        "millrace.config.reading.read",
        "millrace.engine.files.open_local_source",
        "millrace.cli.local.sources_and_targets.open_local_source",
        "millrace.cli.local.import_answers._read_file",
    ):
        monkeypatch.setattr(place, interrupt)

    ran = run(*words, deployments=InterruptedDeployment())

    assert ran.code == 130, ran.err
    assert ran.out == ""
    assert len(ran.err.splitlines()) == 1
    assert ran.err.startswith("interrupted: ")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_command_that_knows_the_moment_says_that_instead() -> None:
    assert describe_interrupt(Interrupted("a.csv is as it was"), "nothing") == "interrupted: a.csv is as it was"
    assert describe_interrupt(KeyboardInterrupt(), "nothing") == "interrupted: nothing"


class TestQuestions:
    def ask(self) -> None:
        from millrace.cli.terminal import ask  # noqa: PLC0415 - imported as the commands do

        ask("delete?")

    def test_ctrl_c_at_a_question_is_ctrl_c(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("typer._click.termui.visible_prompt_func", interrupt)

        with pytest.raises(KeyboardInterrupt):
            self.ask()

    def test_an_input_that_ends_is_wrong_use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def end(*_: Any) -> str:
            raise EOFError

        monkeypatch.setattr("typer._click.termui.visible_prompt_func", end)

        with pytest.raises(Exception, match="nobody answered the question; give --yes"):
            self.ask()

    @pytest.mark.parametrize(("answer", "is_yes"), [("y", True), ("n", False), ("", False)])
    def test_a_no_ends_the_command(self, monkeypatch: pytest.MonkeyPatch, answer: str, is_yes: bool) -> None:  # noqa: FBT001 - a parameter of a test
        monkeypatch.setattr("typer._click.termui.visible_prompt_func", lambda _prompt: answer)

        if is_yes:
            self.ask()
        else:
            with pytest.raises(typer.Abort):
                self.ask()
