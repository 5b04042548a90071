"""What the Tab key offers, asked as shells ask; and which options every command has under one name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup

from millrace.cli.commands import COMMANDS, load_command

CONFIG = """
connections: [{name: landing}, {name: lake}]
bulk_syncs: [{name: to-parquet}, {name: to-json}]
model_syncs: [{name: customers}, {}]
webhooks: [{name: operations}]
"""


@pytest.fixture
def complete(run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    (tmp_path / "millrace.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MILLRACE_CONFIG", raising=False)

    def ask(words: str) -> list[str]:
        monkeypatch.setenv("_MILLRACE_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
        offered: str = run().out
        return offered.split()

    return ask


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("millrace reproc", ["reprocess"]),
        ("millrace ledger ", ["rebuild"]),
        ("millrace reprocess ", ["to-parquet", "to-json", "customers"]),
        ("millrace reprocess to-p", ["to-parquet"]),
        ("millrace reprocess customers --state ", ["failed", "waiting", "in", "flight"]),
        ("millrace reconcile cu", ["customers"]),
        ("millrace replay cu", ["customers"]),
        ("millrace backfill to-j", ["to-json"]),
        ("millrace plan --sync to-j", ["to-json"]),
        ("millrace plan --state w", ["waiting"]),
        ("millrace status --sync to-j", ["to-json"]),
        ("millrace history --state q", ["quarantined"]),
        ("millrace history --sync to-j", ["to-json"]),
        ("millrace audit to-parquet to-j", ["to-json"]),
        ("millrace connections store la", ["landing", "lake"]),
        ("millrace webhooks test ", ["operations"]),
        ("millrace ledger rebuild --destination lak", ["lake"]),
        ("millrace convert a.csv b --to p", ["parquet"]),
        ("millrace convert a b --from or", ["orc"]),
        ("millrace explain a --from json", ["json"]),
    ],
)
def test_the_tab_key(complete: Any, words: str, offered: list[str]) -> None:
    assert complete(words) == offered


def test_names_are_those_of_the_configuration_that_is_named(
    complete: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "other.json").write_text('{"bulk_syncs": [{"name": "other"}]}')

    assert complete("millrace plan --config other.json --sync ") == ["other"]
    monkeypatch.setenv("MILLRACE_CONFIG", str(tmp_path / "other.json"))
    assert complete("millrace reconcile ") == ["other"]
    for text in ("{", "[]", '{"bulk_syncs": 3}', ""):
        (tmp_path / "other.json").write_text(text)
        assert complete("millrace reconcile ") == []
    os.environ["MILLRACE_CONFIG"] = str(tmp_path / "gone.json")
    assert complete("millrace reconcile ") == []


def list_options() -> Iterator[tuple[str, Any]]:
    """Each option of each command with its command's words."""
    for entry in COMMANDS:
        command = load_command(entry)
        parts = [command, *command.commands.values()] if isinstance(command, TyperGroup) else [command]
        for part in parts:
            yield from ((f"{entry.name} {part.name}", option) for option in part.params)


@pytest.mark.parametrize(("option", "variable"), [("--name", "MILLRACE_NAME"), ("--config", "MILLRACE_CONFIG")])
def test_an_option_of_many_commands_has_its_variable_in_each(option: str, variable: str) -> None:
    """So that one `export` does for a whole day."""
    lacking = []
    for command, parameter in list_options():
        # `explain` reads a file, and `demo` deploys the demonstration, without any configuration unless a person names
        # one: a variable that is set for others must not change that.
        if option in parameter.opts and parameter.envvar != variable and not command.startswith(("explain", "demo")):
            lacking.append(command)

    assert lacking == []


def test_every_command_that_asks_a_deployment_takes_its_name() -> None:
    named = {command.split()[0] for command, option in list_options() if "--name" in option.opts}

    assert {entry.name for entry in COMMANDS if entry.extra in {"aws", "ui"}} <= named
