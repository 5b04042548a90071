"""What is said when the emulator is left running."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from rich.console import Console

from millrace.config.document import load
from millrace.demo.deployed import find_deployed
from millrace.demo.emulator import Emulator
from millrace.demo.results import show_use
from millrace.demo.screen import Screen
from tests.places import EXAMPLES


def make_emulator(folder: Path) -> Emulator:
    """As much of one as is said of it."""
    names = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION")
    facts: dict[str, Any] = {"url": "http://127.0.0.1:1", "pid": 7, "folder": folder, "log": folder / "emulator.log"}
    facts["client_environment"] = lambda: dict.fromkeys(names, "test")
    return cast("Emulator", SimpleNamespace(**facts))


def test_other_commands_are_given_the_configuration_as_it_was_deployed(tmp_path: Path) -> None:
    """Its regions are the emulator's: with those of the user's file, doctor, diff and destroy would only complain."""
    emulator, written = make_emulator(tmp_path), io.StringIO()
    find_deployed(emulator).write_text(load(EXAMPLES / "millrace.yaml").to_json())

    show_use(emulator, None, Screen(Console(file=written, width=80)))

    assert f"  export MILLRACE_CONFIG={tmp_path / 'deployed.json'}\n" in written.getvalue()
